"""What ``sha256sum`` says of a file, beside it in the landing folder (B56)."""

import hashlib

import pytest
from ingest_lists import DISABLED_HEADER, csv_bytes, disabled_rows, every_row_has_one_fate

from orchestration.sensors import unseen_files

pytestmark = pytest.mark.database

PLACE, NAME = "civil_affairs/disabled", "残疾人202607.csv"
CONTENT = csv_bytes(DISABLED_HEADER, disabled_rows(5))
RIGHT = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def beside(put):
    return lambda text, name=NAME: put(
        PLACE, f"{name}.sha256", text if isinstance(text, bytes) else text.encode()
    )


@pytest.mark.parametrize(
    "text",
    [
        f"{RIGHT}  {NAME}\n",
        f"{RIGHT.upper()} *./2026/{NAME}\r\n",
        f"\ufeff{RIGHT}",
        f"{RIGHT}  {NAME}\n".encode("gb18030"),
        f"{'0' * 64}  别的.csv\n{RIGHT}  {NAME}\n",
    ],
)
def test_a_file_that_is_as_stated_is_taken_and_it_is_noted(put, take, ask, beside, text):
    put(PLACE, NAME, CONTENT)
    beside(text)
    (outcome,) = take()
    assert (outcome.status, outcome.accepted_count) == ("loaded", 5)
    ((layout,),) = ask("select layout from ops.delivery")
    assert layout["read_as"]["校验"] == "与 .sha256 文件一致"
    assert take() == []


@pytest.mark.parametrize(
    "text", [f"{'0' * 64}  {NAME}\n", f"{RIGHT}  别的.csv\n{RIGHT}  又一个.csv\n", "", "校验和", b"\x00" * 70]
)
def test_a_file_that_is_not_as_stated_is_refused_in_plain_words(put, take, ask, beside, text):
    put(PLACE, NAME, CONTENT)
    beside(text)
    (outcome,) = take()
    assert (outcome.status, outcome.reason_code, outcome.row_count) == ("refused", "checksum_differs", 0)
    assert ".sha256" in outcome.reason
    assert ("截断" in outcome.reason) == (text == f"{'0' * 64}  {NAME}\n")
    assert take() == [], "once"
    assert ask("select count(*) from raw.disabled") == [(0,)]


@pytest.mark.parametrize("is_mended", [True, False])
def test_a_mended_or_removed_statement_lets_the_same_file_in(put, take, beside, is_mended):
    put(PLACE, NAME, CONTENT)
    path = beside(f"{'0' * 64}  {NAME}\n")
    assert [outcome.status for outcome in take()] == ["refused"]
    if is_mended:
        beside(f"{RIGHT}  {NAME}\n")
    else:
        path.unlink()
    (outcome,) = take()
    assert (outcome.status, outcome.accepted_count) == ("loaded", 5)
    assert take() == []


def test_a_cut_file_is_refused_and_the_whole_one_is_taken_in_its_place(put, take, ask, beside):
    beside(f"{RIGHT}  {NAME}\n")
    put(PLACE, NAME, CONTENT[: len(CONTENT) // 2])
    assert [outcome.reason_code for outcome in take()] == ["checksum_differs"]
    put(PLACE, NAME, CONTENT)
    assert [outcome.status for outcome in take()] == ["loaded"]
    assert every_row_has_one_fate(ask)


def test_a_statement_is_never_a_delivery(put, take, landing, warehouse, beside):
    beside(f"{RIGHT}  {NAME}\n")
    put("civil_affairs", "名单.csv.SHA256", b"x")
    assert take() == []
    assert unseen_files(warehouse.engine, landing) == {}


def test_a_link_or_a_folder_in_the_place_of_a_statement_is_not_followed(put, take, landing):
    path = put(PLACE, NAME, CONTENT)
    secret = landing.parent / "elsewhere"
    secret.write_text(f"{RIGHT}  {NAME}\n")
    path.with_name(f"{NAME}.sha256").symlink_to(secret)
    assert [outcome.reason_code for outcome in take()] == ["checksum_differs"]


def test_the_longest_file_name_needs_no_statement(put, take):
    put(PLACE, "残" * 83 + ".csv", CONTENT)
    assert [outcome.status for outcome in take()] == ["loaded"]
