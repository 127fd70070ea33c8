"""The landing folder as others treat it while it is read (F34 to F37): files that come at once, change, vanish, or are none."""

import csv
import hashlib
import io
import marshal
import os
import random
import socket
import threading
import time
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import text

from ingest import landing
from ingest.batches import unpacked
from ingest.contract import load_contracts
from ingest.deliveries import ingest_landing
from ingest.parser_client import Parser
from ingest.readers.sheet import UnreadableFile
from tests.faults.scenes import DISABLED, DISABLED_HEADER, disabled_rows
from tests.synthetic import untrusted_files as make

pytestmark = pytest.mark.database
ARRIVED = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "landing" / DISABLED
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def take(warehouse, protector, tmp_path):
    return lambda: ingest_landing(warehouse.engine, protector, tmp_path / "landing", ARRIVED)


@pytest.fixture
def ask(warehouse):
    def ask(statement, **values):
        with warehouse.engine.connect() as connection:
            return connection.execute(text(statement), values).all()

    return ask


def listed(rows):
    return make.csv_file([DISABLED_HEADER, *rows], "gb18030")


def counted(content):
    return sum(1 for row in csv.reader(io.StringIO(content.decode("gb18030"), newline="")) if any(row)) - 1


def test_the_same_file_ten_times_at_once_is_in_once(place, warehouse, protector, tmp_path, ask):
    for number in range(10):
        (place / f"名册{number}202607.csv").write_bytes(listed(disabled_rows(12)))
    faults = []

    def run():
        try:
            ingest_landing(warehouse.engine, protector, tmp_path / "landing", ARRIVED)
        except BaseException as error:
            faults.append(error)
            raise

    run_at_once = [threading.Thread(target=run) for _ in range(3)]
    for thread in run_at_once:
        thread.start()
    for thread in run_at_once:
        thread.join()
    assert faults == []
    assert ask("select count(*) from ops.delivery where status = 'loaded'") == [(1,)]
    assert ask("select count(*) from ops.delivery where status not in ('loaded', 'duplicate')") == [(0,)]
    assert ask("select count(distinct source_path) from ops.delivery") == [(10,)]
    assert ask("select count(*), count(distinct record_id) from raw.disabled") == [(12, 12)]
    ((loaded,),) = ask("select delivery_id from ops.delivery where status = 'loaded'")
    assert ask("select distinct duplicate_of from ops.delivery where status = 'duplicate'") == [(loaded,)]


def test_renamed_bytes_are_a_duplicate_and_re_sorted_rows_change_nothing(place, take, ask):
    rows = disabled_rows(20)
    (place / "a202607.csv").write_bytes(listed(rows))
    assert [outcome.status for outcome in take()] == ["loaded"]
    (place / "b202607.csv").write_bytes(listed(rows))
    assert [outcome.status for outcome in take()] == ["duplicate"]
    (place / "c202607.csv").write_bytes(listed(rows[::-1]))
    (outcome,) = take()
    assert (outcome.status, outcome.accepted_count) == ("loaded", 20)
    assert dict(
        ask(
            "select kind, row_count from ops.delivery_change where delivery_id = :id and column_name = '' and row_count > 0",
            id=outcome.delivery_id,
        )
    ) == {"unchanged": 20}
    # The same name, other bytes: another version.
    (place / "a202607.csv").write_bytes(listed(rows[:19]))
    assert [(o.status, o.accepted_count) for o in take()] == [("loaded", 19)]


def disturbances(path, order, others):
    """What others do to a file while it is read; every version is a whole list of its own."""
    whole = path.read_bytes()
    shorter = whole[: order.randrange(1, len(whole))]

    def truncate():
        os.truncate(path, order.randrange(1, len(whole)))

    def grow():
        with path.open("ab") as file:
            file.write(whole[-40:])

    def replace():
        others.write_bytes(shorter)
        os.replace(others, path)

    def overwrite():
        path.write_bytes(shorter)

    def rename():
        os.replace(path, path.with_name("另一份202607.csv"))

    return order.choice([truncate, grow, replace, overwrite, path.unlink, rename])


def test_a_file_that_others_change_while_it_is_read_is_never_in_by_halves(
    place, take, ask, tmp_path, monkeypatch
):
    """The disturbance happens at a counted moment of the reading: at any of the calls that look at the file."""
    order = random.Random(20261124)
    calls = {"left": 0, "do": None}
    for name in ("read", "fstat"):
        real = getattr(os, name)

        def looking(*arguments, real=real):
            result = real(*arguments)
            calls["left"] -= 1
            if calls["left"] == 0:
                calls["do"]()
            return result

        monkeypatch.setattr(landing.os, name, looking)
    for attempt in range(8):
        for old in place.iterdir():
            old.unlink()
        path = place / f"名册{attempt}202607.csv"
        whole = listed(disabled_rows(8 + order.randrange(6), floor=attempt % 9 + 1))
        versions = {hashlib.sha256(whole).hexdigest(): whole}
        path.write_bytes(whole)
        calls.update(left=order.randrange(1, 12), do=disturbances(path, order, tmp_path / "other"))
        try:
            outcomes = take()
        finally:
            calls["left"] = 0
        outcomes += take()  # and what it became is taken the next time
        assert all(outcome.reason_code != "program_fault" for outcome in outcomes)
        versions |= {
            hashlib.sha256(file.read_bytes()).hexdigest(): file.read_bytes() for file in place.iterdir()
        }
        for outcome in outcomes:
            ((digest, rows),) = ask(
                "select content_sha256, row_count from ops.delivery where delivery_id = :id",
                id=outcome.delivery_id,
            )
            if outcome.row_count:
                assert digest in versions, "what was parsed is what was there at one moment, from end to end"
                assert rows >= counted_or_none(versions[digest])
    for digest, rows, stored in ask(
        "select content_sha256, accepted_count, (select count(*) from raw.disabled as r where r.delivery_id = d.delivery_id)"
        " from ops.delivery as d"
    ):
        assert rows == stored, digest
    assert ask("select count(*) from ops.delivery where status = 'loaded'")[0][0] > 0


def test_cut_at_a_hundred_places_while_it_is_read_it_is_whole_or_left(place, tmp_path, monkeypatch):
    """The same without the database: what was parsed is what was fingerprinted, or it is left for the next time."""
    order = random.Random(20261124)
    path = place / "名册202607.csv"
    whole = listed(disabled_rows(40))
    state = {"left": 0, "length": 0}
    real = os.fstat

    def looking(*arguments):
        state["left"] -= 1
        if state["left"] == 0:
            os.truncate(path, state["length"])
        return real(*arguments)

    monkeypatch.setattr(landing.os, "fstat", looking)
    left, taken = 0, 0
    with Parser(load_contracts()) as parser:
        for _ in range(100):
            path.write_bytes(whole)
            (landed,) = landing.scan(tmp_path / "landing")
            state.update(left=order.randrange(1, 4), length=order.randrange(len(whole)))
            try:
                with landing.opened(landed) as file:
                    parser.look(file, date(2026, 11, 24), None)
                    rows = parser.rows(file)
                    count = sum(
                        len(unpacked(marshal.loads(batch))) for batch in rows.batches
                    )  # small: row by row
                    if rows.sha256 != file.sha256 or file.has_changed():
                        left += 1  # as `deliveries` does: all of it is undone
                        continue
                assert count == 40
                taken += 1
            except (landing.StillChanging, UnreadableFile):
                left += 1
            finally:
                state["left"] = 0
    assert left + taken == 100
    assert left > 50


def counted_or_none(content):
    try:
        return counted(content)
    except UnicodeDecodeError:
        return 0


def test_a_file_that_a_writer_is_still_writing_is_taken_when_it_is_whole(place, take, ask):
    content = listed(disabled_rows(60))
    path = place / "名册202607.csv"
    stop = threading.Event()

    def write():
        with path.open("wb", buffering=0) as file:
            for start in range(0, len(content), 97):
                file.write(content[start : start + 97])
                time.sleep(0.002)
        stop.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    seen += take()
    writer.join()
    seen += take()
    last = seen[-1]
    assert ask("select count(*) from raw.disabled where delivery_id = :id", id=last.delivery_id) == [(60,)]
    # A pause of the writer may look like an end: then what was there is a delivery of its own, whole in itself.
    for outcome in seen:
        assert outcome.row_count == outcome.accepted_count + outcome.quarantined_count


def test_what_is_no_plain_file_is_refused_or_not_seen_within_a_second(
    place, take, ask, tmp_path, monkeypatch
):
    secret = tmp_path / "secret.csv"
    secret.write_bytes(listed(disabled_rows(5)))
    (place / "链接.csv").symlink_to(secret)
    (place / "悬空.csv").symlink_to(tmp_path / "nowhere")
    (place / "上级.csv").symlink_to("../../..")
    os.mkfifo(place / "管道.xlsx")
    (place / "目录.xlsx").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(place)  # the name of a socket may have 107 bytes
        listener.bind("插座.xlsx")
    if os.geteuid() == 0:
        os.mknod(place / "设备.xlsx", 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero: endless, were it read
    take_began = time.monotonic()
    outcomes = take()
    entries = len(list(place.iterdir()))
    assert time.monotonic() - take_began < entries + 4  # the tables are made, too
    assert {outcome.reason_code for outcome in outcomes} == {"not_a_plain_file"}
    assert {outcome.file_name for outcome in outcomes} == {p.name for p in place.iterdir()} - {"目录.xlsx"}
    assert ask("select count(*) from raw.disabled") == [(0,)]
    assert take() == []


@pytest.mark.parametrize("what", ["list", "department", "file", "pipe", "device"])
def test_what_becomes_a_link_or_pipe_after_the_look_is_not_read(place, tmp_path, what):
    """Whoever may write to the landing folder must not make us read where only we may (F36: `dir-fd`)."""
    secret = tmp_path / "secret" / "disabled"
    secret.mkdir(parents=True)
    rows = listed(disabled_rows(5))
    (secret / "名册202607.csv").write_bytes(rows)
    path = place / "名册202607.csv"
    path.write_bytes(rows)
    (landed,) = landing.scan(tmp_path / "landing")
    for other in (secret / path.name, path):
        os.utime(other, ns=(landed.modified_ns, landed.modified_ns))
    if what in ("list", "department"):
        replaced = place if what == "list" else place.parent
        replaced.rename(tmp_path / "away")
        replaced.symlink_to(secret if what == "list" else secret.parent)
        assert path.read_bytes() == rows, "who follows links reads it"
    else:
        path.unlink()
        if what == "file":
            path.symlink_to(secret / path.name)
        elif what == "pipe":
            os.mkfifo(path)
        elif os.geteuid() == 0:
            os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))
    began = time.monotonic()
    with pytest.raises((landing.StillChanging, UnreadableFile)), landing.opened(landed):
        pass
    assert time.monotonic() - began < 1
    assert not any(file.is_regular for file in landing.scan(tmp_path / "landing"))


def test_a_folder_that_becomes_a_link_during_the_look_is_not_gone_into(place, tmp_path, monkeypatch):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "名册202607.csv").write_bytes(listed(disabled_rows(5)))
    (place / "名册202608.csv").write_bytes(listed(disabled_rows(5)))
    real = os.open

    def opening(path, *arguments, **options):
        if path == place.name and not place.is_symlink():
            place.rename(tmp_path / "away")
            place.symlink_to(secret)
        return real(path, *arguments, **options)

    monkeypatch.setattr(landing.os, "open", opening)
    assert landing.scan(tmp_path / "landing") == []
    assert [(file.file_name, file.is_regular) for file in landing.scan(tmp_path / "landing")] == [
        ("disabled", False)
    ]


def test_a_hard_link_is_refused_until_it_is_the_only_name(place, take, ask, tmp_path):
    """Its maker may not be allowed to read what it names, and we are; nothing of it is read (`st_nlink`)."""
    other = tmp_path / "elsewhere.csv"
    other.write_bytes(listed(disabled_rows(6)))
    os.link(other, place / "b202607.csv")
    (outcome,) = take()
    assert (outcome.status, outcome.reason_code) == ("refused", "not_a_plain_file")
    assert ask("select count(*) from raw.disabled") == [(0,)]
    assert take() == []
    other.unlink()
    assert [outcome.status for outcome in take()] == ["loaded"]
