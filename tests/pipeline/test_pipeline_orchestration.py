"""What the daemon does by itself: watch the landing folder, freeze quarters, say what failed without saying what was in it."""

import os
import shutil
from datetime import date
from email import policy
from email.parser import BytesParser

import dagster as dg
import pytest

pytestmark = [pytest.mark.database, pytest.mark.xdist_group("pipeline")]


@pytest.fixture
def watched(story, tmp_path, monkeypatch):
    """A landing folder of its own, watched by the sensor of the open platform; the story has counted its mails."""
    from orchestration import sensors

    landing = tmp_path / "landing"
    (landing / "health" / "family_doctor").mkdir(parents=True)
    platform = story.home.platform
    settings = platform.settings.model_copy(update={"landing": landing})
    other = type(platform)(settings, platform.warehouse, platform.protector)
    monkeypatch.setattr(sensors, "open_platform", lambda: other)
    return landing / "health" / "family_doctor"


class Ticks:
    """Ticks of the landing sensor on one instance, the cursor carried along."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance, self.cursor = instance, None

    def tick(self) -> list[str]:
        """Run keys requested by one tick."""
        from orchestration.definitions import defs
        from orchestration.sensors import landing_sensor

        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, definitions=defs, sensor_name="landing_sensor"
        )
        data = landing_sensor.evaluate_tick(context)
        self.cursor = data.cursor
        return [request.run_key for request in data.run_requests]


@pytest.fixture
def ticks():
    with dg.DagsterInstance.ephemeral() as instance:
        yield Ticks(instance)


def test_a_new_file_is_taken_when_it_has_stopped_growing(watched, ticks):
    file = watched / "签约202601.csv"
    file.write_text("居民姓名\n", encoding="utf-8")
    assert ticks.tick() == []
    file.write_text("居民姓名,证件号码\n", encoding="utf-8")
    assert ticks.tick() == [], "it grew since the last look"
    first = ticks.tick()
    assert len(first) == 1


def test_the_same_content_is_tried_three_times_and_no_more(watched, ticks):
    (watched / "签约202602.csv").write_text("居民姓名\n", encoding="utf-8")
    ticks.tick()
    keys = [key for _ in range(5) for key in ticks.tick()]
    assert len(keys) == len(set(keys)) == 3
    assert {key.rsplit("-", 1)[1] for key in keys} == {"1", "2", "3"}
    (watched / "签约202602.csv").write_text("居民姓名,证件号码,手机\n", encoding="utf-8")
    ticks.tick()
    assert len(ticks.tick()) == 1, "corrected content is new"


def test_links_pipes_locks_and_unreadable_names_are_nobodys_delivery(watched, ticks):
    os.mkfifo(watched / "管道.csv")
    (watched / "链接.csv").symlink_to("/etc/hostname")
    (watched / "~$名单.xlsx").write_bytes(b"x")
    (watched / ".名单.csv").write_bytes(b"x")
    (watched / "名单.csv.part").write_bytes(b"x")
    (watched / "文件夹.csv").mkdir()
    assert ticks.tick() == []
    assert ticks.tick() == []


def test_what_the_ledger_knows_is_not_asked_for_again(story, watched, ticks):
    from infra.clock import utc_now
    from ingest.deliveries import ingest_landing

    (watched / "空.csv").write_bytes(b"")
    ticks.tick()
    assert len(ticks.tick()) == 1
    ingest_landing(story.home.engine, story.home.platform.protector, watched.parents[1], utc_now())
    assert ticks.tick() == []
    shutil.rmtree(watched)
    assert ticks.tick() == []


def test_a_quarter_is_frozen_from_the_job(story):
    from orchestration.definitions import defs
    from orchestration.platform import dagster_home

    home = story.home
    dagster_home(home.platform)
    release_no, as_of = home.rows(
        "select r.release_no, r.as_of from release.pointer as p join release.release as r using (release_no)"
    )[0]
    quarter = date(as_of.year, 3 * ((as_of.month - 1) // 3) + 1, 1)
    with dg.DagsterInstance.get() as instance:
        for _ in range(2):
            result = defs.resolve_job_def("revise_archives").execute_in_process(
                partition_key=quarter.isoformat(), instance=instance
            )
            assert result.success
    assert home.rows("select quarter_start, release_no from release.archive") == [(quarter, release_no)]


def test_a_quarter_that_was_not_frozen_is_mailed(story):
    from orchestration import sensors
    from orchestration.definitions import defs
    from orchestration.platform import dagster_home

    home = story.home
    dagster_home(home.platform)
    before = len(home.sink.mails())
    with dg.DagsterInstance.get() as instance:
        failed = defs.resolve_job_def("revise_archives").execute_in_process(
            partition_key="2026-10-01", instance=instance, raise_on_error=False
        )
        assert not failed.success
        for _ in range(2):
            context = dg.build_run_status_sensor_context(
                sensor_name="failed_run_sensor",
                dagster_event=failed.get_run_failure_event(),
                dagster_instance=instance,
                dagster_run=failed.dagster_run,
                partition_key="2026-10-01",
            ).for_run_failure()
            sensors.failed_run_sensor(context)
    mails = [path.read_bytes() for path in home.sink.mails()[before:]]
    assert len(mails) == 1, "one mail, however often the sensor looks"
    subject = BytesParser(policy=policy.default).parsebytes(mails[0])["Subject"]
    assert subject == "【一户】2026年第四季度的档案没有冻结"


def test_the_text_of_an_exception_does_not_reach_dagster():
    from infra.errors import PermanentError
    from orchestration.scrub import scrubbed

    secret = "330102199001011234"

    @dg.asset
    @scrubbed
    def leaking() -> None:
        try:
            raise ValueError(f"bad value {secret}")
        except ValueError as error:
            raise RuntimeError(f"row with {secret}") from error

    @dg.asset
    @scrubbed
    def telling() -> None:
        raise PermanentError("读取", came="空文件", next_step="重新报送")

    with dg.DagsterInstance.ephemeral() as instance:
        for asset, said in ((leaking, "RuntimeError"), (telling, "空文件")):
            result = dg.materialize([asset], instance=instance, raise_on_error=False)
            events = [repr(entry) for entry in instance.all_logs(result.run_id)]
            assert not result.success
            assert not any(secret in event for event in events)
            assert any(said in event for event in events)


def test_what_a_sensor_or_a_resource_raises_is_scrubbed(monkeypatch):
    """Their errors land in Dagster's storage too: in ticks, and in the events of a run that never began."""
    from orchestration import platform, sensors

    secret = "330102199001011234"

    def broken() -> None:
        raise ValueError(f"row {secret}")

    monkeypatch.setattr(sensors, "open_platform", broken)
    monkeypatch.setattr(platform, "open_platform", broken)
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance, sensor_name="landing_sensor")
        with pytest.raises(dg.Failure) as raised:
            sensors.landing_sensor.evaluate_tick(context)
        assert (raised.value.description, raised.value.__context__) == ("ValueError", None)

        @dg.asset(required_resource_keys={"platform"})
        def needing() -> None:
            return None

        result = dg.materialize(
            [needing], instance=instance, resources=platform.RESOURCES, raise_on_error=False
        )
        assert not result.success
        assert not any(secret in repr(entry) for entry in instance.all_logs(result.run_id))


@pytest.fixture
def only_ingested(story):
    """A run of `ingest_deliveries` on the story's platform, and how its refresh is logged."""
    from orchestration.definitions import defs
    from orchestration.platform import dagster_home

    home = story.home
    dagster_home(home.platform)
    as_of = home.value("select as_of from ops.current_refresh")
    with dg.DagsterInstance.get() as instance:
        result = defs.resolve_job_def("ingest_deliveries").execute_in_process(
            run_config={"ops": {"ops__refresh": {"config": {"as_of": as_of.isoformat()}}}}, instance=instance
        )

        def logged() -> str | None:
            return home.value(f"select outcome from ops.refresh where run_id = '{result.run_id}'")

        yield home, instance, result, as_of, logged


def test_a_run_that_only_took_deliveries_in_says_so(only_ingested):
    from orchestration import sensors

    _, instance, result, _, logged = only_ingested
    sensors.ingested_sensor(
        dg.build_run_status_sensor_context(
            sensor_name="ingested_sensor",
            dagster_event=result.get_run_success_event(),
            dagster_instance=instance,
            dagster_run=result.dagster_run,
        )
    )
    assert logged() == "ingested"


def test_a_run_that_only_took_deliveries_in_is_closed_by_the_next_refresh(only_ingested):
    home, _, _, as_of, logged = only_ingested
    assert logged() is None, "no daemon"
    assert home.refresh(as_of) in ("released", "unchanged", "gate_refused")
    assert logged() == "ingested"
