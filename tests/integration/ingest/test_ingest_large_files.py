"""A file too large to be held in memory: streamed through several processes, whole or not at all."""

import psutil
import pytest
from ingest_lists import REGISTER_HEADER, csv_bytes, every_row_has_one_fate, register_rows

from infra.errors import TransientError
from ingest import storage
from ingest.parser import STREAMED_BYTES

pytestmark = pytest.mark.database
ROWS = 40_000


@pytest.fixture(scope="module")
def large():
    rows = register_rows(ROWS - 2)
    rows.append(rows[100])
    rows.append((*rows[200][:5], "别人", *rows[200][6:]))
    content = csv_bytes(REGISTER_HEADER, rows, "gb18030")
    assert len(content) > STREAMED_BYTES
    return content


def test_a_large_file_is_loaded_with_all_that_is_to_be_said_about_it(put, take, ask, large):
    put("community/household_register", "a202607.csv", large)
    (outcome,) = take()
    assert (outcome.status, outcome.row_count, outcome.accepted_count) == ("loaded", ROWS, ROWS)
    assert every_row_has_one_fate(ask)
    assert ask(
        "select row_number, message from ops.row_warning where rule = 'duplicate_of_row' and row_number = :number",
        number=ROWS,
    ) == [(ROWS, "与同一次报送的另一行完全相同（第 102 行）。删去重复的一行。")]
    assert ask(
        "select count(distinct record_id), count(distinct block_no) > 1000 from raw.household_register"
    ) == [(ROWS, True)]
    assert [child for child in psutil.Process().children() if "ingest" in " ".join(child.cmdline())] == []
    assert take() == []


def test_a_large_file_that_turns_out_damaged_at_its_end_leaves_nothing(put, take, ask, large):
    put("community/household_register", "a202607.csv", large + b"\x81")
    (outcome,) = take()
    assert (outcome.status, outcome.reason_code, outcome.row_count) == ("refused", "not_decodable", 0)
    assert outcome.snapshot_date is None
    assert ask("select count(*) from raw.household_register") == [(0,)]
    assert take() == []


def test_a_lost_sealing_process_is_no_fault_of_the_file(put, take, ask, large, monkeypatch):
    put("community/household_register", "a202607.csv", large)
    count = storage._count
    seen = []

    def killing(stored, batch):
        seen.append(batch)
        if len(seen) == 5:
            for child in psutil.Process().children():
                if "sealing_pool" in " ".join(child.cmdline()):
                    child.kill()
        count(stored, batch)

    monkeypatch.setattr(storage, "_count", killing)
    with pytest.raises(TransientError, match="加密进程"):
        take()
    assert ask("select count(*) from ops.delivery") == [(0,)]
    assert ask("select count(*) from raw.household_register") == [(0,)]
    monkeypatch.undo()
    assert [outcome.status for outcome in take()] == ["loaded"]
