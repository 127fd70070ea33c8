"""Where files lie and whether they open: nothing in the landing folder is lost without a word."""

import os
import subprocess
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from unittest.mock import patch

import openpyxl
import pytest
from ingest_lists import (
    ARRIVED,
    DISABLED_HEADER,
    REGISTER_HEADER,
    csv_bytes,
    disabled_rows,
    every_row_has_one_fate,
    register_rows,
)

from infra.errors import PermanentError
from ingest.contract import load_contracts
from ingest.deliveries import ingest_landing
from ingest.receipts import write_missing_receipts
from orchestration.sensors import unseen_files

pytestmark = pytest.mark.database

NOBODY = 65534
DISABLED = csv_bytes(DISABLED_HEADER, disabled_rows(5))


@contextmanager
def without_privileges():
    """Permissions do not bind root: act as somebody whom they do."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        # Python itself may lie where only root may look: the parsing process is started as root, and reads what it is given.
        with patch.object(subprocess, "Popen", partial(subprocess.Popen, user=os.getuid())):
            yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_landing(scratch_folder):
    """A landing folder that another user can look into."""
    folder = scratch_folder / "landing" / "civil_affairs" / "disabled"
    folder.mkdir(parents=True)
    return scratch_folder / "landing"


@pytest.fixture
def take_unprivileged(warehouse, protector):
    def take(landing):
        with without_privileges():
            return ingest_landing(warehouse.engine, protector, landing, ARRIVED)

    return take


@pytest.fixture
def unseen_unprivileged(warehouse):
    def unseen(landing):
        with without_privileges():
            return {path.name for path in unseen_files(warehouse.engine, landing)}

    return unseen


def test_a_file_outside_the_list_folders_is_refused_and_told_where_it_belongs(
    put, take, ask, warehouse, landing, tmp_path
):
    put("", "残疾人.csv", DISABLED)
    put("", "说明.csv", b"a,b\n1,2\n")
    put("civil_affairs", "名单.csv", b"a,b\n1,2\n")
    put("health", "名单.csv", b"a,b\n1,2\n")
    put("health", "登记表.csv", csv_bytes(REGISTER_HEADER, register_rows(4)))
    put("health/我们的名单", "名单.csv", b"a,b\n1,2\n")
    put("no_such_department", "名单.csv", DISABLED)
    put("no_such_department/no_such_list/2026-07", "名单.csv", DISABLED)
    assert {path.name for path in unseen_files(warehouse.engine, landing)} == {
        "残疾人.csv", "说明.csv", "名单.csv", "登记表.csv",
    }  # fmt: skip
    outcomes = take()
    assert {o.status for o in outcomes} == {"refused"}
    found = {
        (o.department, o.list_code, o.file_name): (
            o.reason_code,
            o.reason.partition("请放入")[2].strip(" 。"),
        )
        for o in outcomes
    }
    some = "以下文件夹之一："
    places = [
        f"{contract.department}/{code}（{contract.title}）" for code, contract in load_contracts().items()
    ]
    health, civil_affairs = (
        [place for place in places if place.startswith(f"{department}/")]
        for department in ("health", "civil_affairs")
    )
    assert len(places) > len(civil_affairs) > len(health) > 1
    assert found.pop(("未归入部门", "未归入清单", "说明.csv")) == ("misplaced", some + "、".join(places))
    assert found.pop(("civil_affairs", "未归入清单", "名单.csv")) == (
        "misplaced",
        some + "、".join(civil_affairs),
    )
    # A folder of no list is told by the content too, as one that is missing is.
    assert found.pop(("no_such_department", "no_such_list", "名单.csv")) == (
        "unknown_list",
        "civil_affairs/disabled 文件夹",
    )
    assert found.pop(("health", "我们的名单", "名单.csv")) == ("unknown_list", some + "、".join(health))
    assert found == {
        ("未归入部门", "未归入清单", "残疾人.csv"): ("misplaced", "civil_affairs/disabled 文件夹"),
        ("health", "未归入清单", "名单.csv"): ("misplaced", some + "、".join(health)),
        ("health", "未归入清单", "登记表.csv"): ("misplaced", "community/household_register 文件夹"),
        ("no_such_department", "未归入清单", "名单.csv"): ("misplaced", "civil_affairs/disabled 文件夹"),
    }
    assert ask("select count(*) from raw.disabled") == [(0,)]
    assert every_row_has_one_fate(ask)
    assert take() == []
    assert unseen_files(warehouse.engine, landing) == {}
    for path in write_missing_receipts(warehouse.engine, tmp_path / "receipts"):
        summary = dict(openpyxl.load_workbook(path)["回执"].iter_rows(values_only=True))
        assert "请放入" in summary["原因"]


def test_a_file_put_right_is_taken(put, take, landing):
    path = put("civil_affairs", "名单.csv", DISABLED)
    assert [o.reason_code for o in take()] == ["misplaced"]
    put("civil_affairs/disabled", ".hidden", b"")
    path.rename(landing / "civil_affairs" / "disabled" / "名单.csv")
    assert [(o.status, o.accepted_count) for o in take()] == [("loaded", 5)]


def test_a_suppliers_own_folders_below_the_list_are_taken_and_date_the_file(put, take, ask):
    for month, count in (("2026-09", 7), ("2026-07", 5), ("2026年/8月/近江社区", 6)):
        put(f"civil_affairs/disabled/{month}", "名单.csv", csv_bytes(DISABLED_HEADER, disabled_rows(count)))
    outcomes = take()
    assert [(o.status, o.snapshot_date, o.accepted_count) for o in outcomes] == [
        ("loaded", date(2026, 7, 31), 5),
        ("loaded", date(2026, 8, 31), 6),
        ("loaded", date(2026, 9, 30), 7),
    ]
    assert {(o.department, o.list_code, o.file_name) for o in outcomes} == {
        ("civil_affairs", "disabled", "名单.csv")
    }
    assert [Path(path).parent.name for (path,) in ask("select source_path from ops.delivery order by 1")] == [
        "2026-07", "2026-09", "近江社区",
    ]  # fmt: skip
    assert take() == []


def test_too_deep_is_refused_and_forty_levels_are_not_walked(put, take):
    put("civil_affairs/disabled/a/b/c", "三层.csv", DISABLED)
    put("civil_affairs/disabled/a/b/c/d", "四层.csv", csv_bytes(DISABLED_HEADER, disabled_rows(4)))
    put("civil_affairs/disabled/" + "/".join("x" * 40), "四十层.csv", DISABLED)
    found = {o.file_name: o for o in take()}
    assert {name: (o.status, o.reason_code) for name, o in found.items()} == {
        "三层.csv": ("loaded", None),
        "四层.csv": ("refused", "misplaced"),
    }
    assert "请放入 civil_affairs/disabled 文件夹" in found["四层.csv"].reason


def test_hidden_temporary_and_lock_files_and_folders_are_seen_nowhere(put, take, warehouse, landing):
    for place in ("", "health", "health/family_doctor", "health/family_doctor/2026-07"):
        for name in (".gitkeep", "~$名单.xlsx", "名单.csv.part", "名单.tmp", "Thumbs.db", ".名单.csv.swp"):
            put(place, name, DISABLED)
    for place in (".trash", "health/.cache/x", "health/family_doctor/.old", "health/family_doctor/x.part"):
        put(place, "名单.csv", DISABLED)
    assert unseen_files(warehouse.engine, landing) == {}
    assert take() == []


def test_links_to_folders_are_not_followed_but_told(put, take, landing, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "名单.csv").write_bytes(DISABLED)
    (landing / "civil_affairs").mkdir(parents=True)
    (landing / "health").symlink_to(elsewhere)
    (landing / "civil_affairs" / "disabled").symlink_to(elsewhere)
    (landing / "civil_affairs" / "low_income").mkdir()
    (landing / "civil_affairs" / "low_income" / "loop").symlink_to(landing)
    assert {(o.file_name, o.status, o.reason_code) for o in take()} == {
        ("health", "refused", "not_a_plain_file"),
        ("disabled", "refused", "not_a_plain_file"),
        ("loop", "refused", "not_a_plain_file"),
    }
    assert take() == []


def test_a_file_that_can_be_opened_at_last_is_taken(
    open_landing, take_unprivileged, unseen_unprivileged, ask
):
    folder = open_landing / "civil_affairs" / "disabled"
    closed, empty = folder / "名单202607.csv", folder / "空.csv"
    closed.write_bytes(DISABLED)
    empty.write_bytes(b"")
    closed.chmod(0)
    empty.chmod(0)
    assert unseen_unprivileged(open_landing) == {"名单202607.csv", "空.csv"}
    assert {o.reason_code for o in take_unprivileged(open_landing)} == {"not_permitted"}
    assert unseen_unprivileged(open_landing) == set()
    assert take_unprivileged(open_landing) == []  # not anew on every run
    closed.chmod(0o644)
    empty.chmod(0o644)
    assert unseen_unprivileged(open_landing) == {"名单202607.csv", "空.csv"}
    assert {(o.file_name, o.status, o.reason_code) for o in take_unprivileged(open_landing)} == {
        ("名单202607.csv", "loaded", None), ("空.csv", "refused", "empty_file"),
    }  # fmt: skip
    assert unseen_unprivileged(open_landing) == set()
    assert take_unprivileged(open_landing) == []
    closed.chmod(0)  # known by now, whatever becomes of its permissions
    assert unseen_unprivileged(open_landing) == set()
    assert take_unprivileged(open_landing) == []
    assert ask("select count(*) from ops.delivery") == [(4,)]


def test_a_closed_folder_stops_no_other_and_is_told(open_landing, take_unprivileged, unseen_unprivileged):
    (open_landing / "civil_affairs" / "disabled" / "名单202607.csv").write_bytes(DISABLED)
    closed = open_landing / "community" / "household_register"
    closed.mkdir(parents=True)
    (closed / "表202607.csv").write_bytes(csv_bytes(REGISTER_HEADER, register_rows(4)))
    closed.chmod(0)
    assert {(o.list_code, o.file_name, o.status, o.reason_code) for o in take_unprivileged(open_landing)} == {
        ("disabled", "名单202607.csv", "loaded", None),
        ("household_register", "household_register", "refused", "not_permitted"),
    }
    assert unseen_unprivileged(open_landing) == set()
    assert take_unprivileged(open_landing) == []
    closed.chmod(0o755)
    assert unseen_unprivileged(open_landing) == {"表202607.csv"}
    assert [(o.file_name, o.status) for o in take_unprivileged(open_landing)] == [("表202607.csv", "loaded")]


def test_a_landing_folder_that_cannot_be_opened_is_an_error(open_landing, take_unprivileged):
    open_landing.chmod(0)
    with pytest.raises(PermanentError, match="来件文件夹"):
        take_unprivileged(open_landing)
    open_landing.chmod(0o755)
