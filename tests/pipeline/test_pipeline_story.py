"""Deliveries in, release out: a small street lives through four months, and the tests look at what stood after each."""

from email import policy
from email.parser import BytesParser

import pytest

pytestmark = [pytest.mark.database, pytest.mark.xdist_group("pipeline")]


def test_too_little_evidence_refuses_the_first_release(story):
    first = story.after["first lists"]
    assert first.outcome == "gate_refused"
    assert first.release_no is None
    assert first.seen["published"] == 0
    assert first.seen["verdict"][0][0] == "insufficient"
    assert first.mails == 1


def test_measured_right_it_is_published(story):
    second = story.after["first audit"]
    assert second.outcome == "released"
    assert second.release_no == 1
    assert second.seen["published"] == len(set(second.persons.values()))


def test_the_same_month_twice_changes_nothing(story):
    before, again = story.after["first audit"], story.after["again"]
    assert again.outcome == "unchanged"
    assert again.row_hash == before.row_hash
    assert again.persons == before.persons
    assert again.seen["events"] == before.seen["events"]
    assert again.seen["releases"] == before.seen["releases"] == 1
    assert again.mails == before.mails


@pytest.mark.parametrize(
    ("early", "late"), [("first audit", "second audit"), ("second audit", "third audit")]
)
def test_later_months_keep_the_ids(story, early, late):
    """Every record keeps its id unless the ledger tells an event that moved it."""
    moved = set(
        story.home.value(
            "select coalesce(array_agg(distinct entity_id), '{}') from linkage.identity_event where event in ('merged_into', 'split_from')"
        )
        or []
    )
    for ids in ("persons", "households"):
        old = story.after[early].persons if ids == "persons" else story.after[early].seen["households"]
        new = story.after[late].persons if ids == "persons" else story.after[late].seen["households"]
        changed = {(old[record], new.get(record)) for record in old if new.get(record) != old[record]}
        if ids == "persons":
            assert {pair for pair in changed if pair[0] not in moved and pair[1] not in moved} == set()
        assert len(changed) <= 0.02 * len(set(old.values()))


def test_every_id_ever_minted_resolves(story):
    unresolved = story.home.rows(
        "select entity_id from linkage.identity_event as e where event = 'minted'"
        " and linkage.resolve(entity_id) is null"
        " and not exists (select from linkage.identity_event as r where r.entity_id = e.entity_id and r.event = 'retired')"
    )
    assert unresolved == []


def test_every_row_of_every_file_has_one_fate(story):
    home = story.home
    assert (
        home.rows(
            "select delivery_id from ops.delivery where row_count <> accepted_count + quarantined_count"
        )
        == []
    )
    for (code,) in home.rows("select list_code from ops.contract"):
        assert (
            home.rows(
                f'select d.delivery_id from ops.delivery d where list_code = :code and accepted_count <> (select count(*) from raw."{code}" r where r.delivery_id = d.delivery_id)',
                code=code,
            )
            == []
        )
    assert (
        home.rows(
            "select delivery_id from ops.delivery d where quarantined_count <> (select count(*) from ops.quarantined_row q where q.delivery_id = d.delivery_id)"
        )
        == []
    )
    # Extra rows are those of the two bad files that could be read after all, another encoding and a lying dimension.
    assert story.evaluation.missing_rows == 0


def test_bad_files_end_in_the_ledger_with_a_reason_and_stop_nobody(story):
    home = story.home
    for bad in story.bad:
        rows = home.rows(
            "select status, coalesce(reason, '') from ops.delivery where list_code = :code and file_name = :name",
            code=bad.list_code,
            name=bad.file_name,
        )
        assert rows, bad.wrong
        status, reason = rows[-1]
        assert status in bad.states, (bad.wrong, status, reason)
        if status in ("held", "refused"):
            assert any("\u4e00" <= letter <= "\u9fff" for letter in reason), bad.wrong
    assert story.after["bad files"].outcome in ("unchanged", "released")
    assert story.after["bad files"].mails > story.after["second lists"].mails


def test_linkage_is_as_good_as_promised(story):
    """The thresholds of the issue; the demo reports the same figures on 3,000 households."""
    evaluation = story.evaluation
    assert evaluation.persons.precision >= 0.998
    assert evaluation.persons.f1 >= 0.99
    assert evaluation.roofs.f1 >= 0.97


def test_a_bad_audit_refuses_the_release_and_mails_once(story):
    good, bad, again = (story.after[name] for name in ("third audit", "bad audit", "bad audit again"))
    assert bad.outcome == again.outcome == "gate_refused"
    assert bad.seen["verdict"][0][0] == "failed"
    # The late work sheets are told in a mail of their own.
    assert sorted(set(bad.seen["new mails"]) - {"due"}) == ["verdict"]
    assert bad.seen["new mails"].count("verdict") == 1
    assert again.mails == bad.mails
    assert bad.release_no is not None
    assert bad.release_no >= good.release_no
    assert bad.seen["published"] > 0


def test_a_release_can_be_taken_back(story):
    assert story.after["rolled back"].release_no < story.after["bad audit again"].release_no
    reasons = story.home.rows("select reason from release.pointer_history order by 1")
    assert ("演练",) in reasons


def test_the_mails_are_chinese_and_whole(story):
    for path in story.home.sink.mails():
        message = BytesParser(policy=policy.default).parsebytes(path.read_bytes())
        assert message["Subject"].startswith("【一户】")
        assert message["To"]
        text = message.get_body(("plain",)).get_content()
        html = message.get_body(("html",)).get_content()
        assert any("\u4e00" <= letter <= "\u9fff" for letter in text)
        assert "<html" in html


def test_the_runs_and_their_checks_are_in_dagster(story):
    import dagster as dg

    from orchestration.platform import dagster_home

    dagster_home(story.home.platform)
    with dg.DagsterInstance.get() as instance:
        runs = instance.get_runs(dg.RunsFilter(job_name="refresh_master"))
        assert len(runs) >= 10
        verdict = dg.AssetKey(["quality", "verdict"])
        records = instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(verdict, "accuracy_reaches_the_target"), limit=50
        )
        # A run that stops before the verdict leaves its check planned, and other tests of this home have such runs.
        assert {record.status.value for record in records} - {"PLANNED"} == {"SUCCEEDED", "FAILED"}
        # dbt's own tests are checks too: proof that the in-process runner speaks as dagster-dbt does.
        graph = _graph()
        dbt_checks = [key for key in graph.asset_check_keys if key.asset_key.path[0] == "candidate"]
        assert dbt_checks
        assert any(
            instance.event_log_storage.get_asset_check_execution_history(key, limit=1) for key in dbt_checks
        )


def _graph():
    from orchestration.definitions import defs

    return defs.resolve_asset_graph()
