"""Every bad file is bad in its own way, and only in that way."""

import io
import zipfile
import zlib
from datetime import date
from pathlib import Path

import olefile
import pytest
from openpyxl import load_workbook

from tests.synthetic import bad_files
from tests.synthetic.deliveries import FOLDERS, generate


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("good"), seed=5, households=150, months=1).out / "2026-08"


def good(landing: Path, list_code: str) -> bytes:
    (path,) = landing.joinpath(*FOLDERS[list_code]).iterdir()
    return path.read_bytes()


def test_protected_workbook_is_a_whole_compound_file() -> None:
    content = bad_files.password_protected_workbook()
    with olefile.OleFileIO(io.BytesIO(content), raise_defects=olefile.DEFECT_INCORRECT) as compound:
        assert not compound.parsing_issues
        assert compound.exists("EncryptedPackage")
        assert compound.openstream("EncryptionInfo").read(8) == b"\x04\x00\x04\x00\x40\x00\x00\x00"
        assert len(compound.openstream("EncryptedPackage").read()) == 8192
    assert not zipfile.is_zipfile(io.BytesIO(content))


def test_broken_workbooks_do_not_open(landing: Path) -> None:
    workbook = good(landing, "low_income")
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(bad_files.truncated(workbook)))
    # The damage lies inside the sheet: what it unpacks to is wrong, or it does not unpack at all.
    with zipfile.ZipFile(io.BytesIO(bad_files.damaged_workbook(workbook))) as archive:
        with pytest.raises((zipfile.BadZipFile, zlib.error)):
            archive.read("xl/worksheets/sheet1.xml")
        assert archive.read("xl/workbook.xml")
    assert not zipfile.is_zipfile(io.BytesIO(bad_files.binary_garbage()))


def test_lying_dimension_keeps_all_cells(landing: Path) -> None:
    workbook = good(landing, "low_income")
    lying = load_workbook(io.BytesIO(bad_files.lying_dimension(workbook)), read_only=True).worksheets[0]
    assert lying.calculate_dimension() == "A1:A1"
    whole = load_workbook(io.BytesIO(bad_files.lying_dimension(workbook))).worksheets[0]
    assert list(whole.values) == list(load_workbook(io.BytesIO(workbook)).worksheets[0].values)


def test_text_mistakes(landing: Path) -> None:
    register = good(landing, "household_register")
    lines = register.count(b"\r\n")
    without = bad_files.without_column(register, "家庭编号", "utf-8").decode("utf-8")
    assert "家庭编号" not in without
    assert "WJ0" not in without
    assert without.count("\r\n") == lines
    with pytest.raises(UnicodeDecodeError):
        bad_files.transcoded(register).decode("utf-8")
    assert bad_files.transcoded(register).decode("gb18030").encode("utf-8") == register
    assert "姓名" not in bad_files.mojibake(register).decode("utf-8")
    assert bad_files.front_half(register).count(b"\r\n") == 1 + (lines - 1) // 2
    assert bad_files.header_only().decode("utf-8-sig").startswith("签约编号,")
    assert bad_files.empty_file() == b""


def test_one_of_each_is_written(landing: Path, tmp_path: Path) -> None:
    written = bad_files.write_bad_deliveries(landing, tmp_path, date(2026, 9, 1))
    on_disk = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert on_disk == {Path(*FOLDERS[bad.list_code]) / bad.file_name for bad in written}
    assert len({bad.content for bad in written}) == len(written)
    assert len({bad.wrong for bad in written}) == len(written) >= 12
    assert {state for bad in written for state in bad.states} <= {"held", "refused", "loaded"}
