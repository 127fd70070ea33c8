"""Ordinary bad deliveries: what a busy office really sends by mistake.

Belongs here: one builder a mistake, each giving a file's bytes. Not here: dirty rows in good files (`dirt`, `lists`).
`write_bad_deliveries` puts one of each into a landing folder beside a good round and says what the ledger may do with it.
"""

import io
import random
import re
import struct
import zipfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tests.synthetic.deliveries import FOLDERS
from tests.synthetic.lists import DOCTOR_HEADERS, LOW_INCOME_HEADERS, REGISTER_HEADERS
from tests.synthetic.workbooks import workbook_bytes

# Ledger states of deliveries.md that are right answers to a file.
NOT_LOADED = frozenset({"held", "refused"})
LOADED = frozenset({"loaded"})


@dataclass(frozen=True)
class BadDelivery:
    """A bad file: where it lies, what is wrong, and the ledger states that are right answers to it."""

    list_code: str
    file_name: str
    content: bytes
    wrong: str
    states: frozenset[str]

    def write(self, landing: Path) -> Path:
        """Puts the file into its list's folder under `landing`."""
        folder = landing.joinpath(*FOLDERS[self.list_code])
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / self.file_name
        path.write_bytes(self.content)
        return path


def empty_file() -> bytes:
    """No byte at all."""
    return b""


def header_only() -> bytes:
    """A text file whose data rows were lost."""
    return (",".join(DOCTOR_HEADERS[0]) + "\r\n").encode("utf-8-sig")


def without_column(good_csv: bytes, header: str, encoding: str = "utf-8-sig") -> bytes:
    """A good text file with one column cut out."""
    lines = good_csv.decode(encoding).split("\r\n")
    place = lines[0].split(",").index(header)
    return "\r\n".join(
        ",".join(cell for number, cell in enumerate(line.split(",")) if number != place) if line else line
        for line in lines
    ).encode(encoding)


def transcoded(good_csv: bytes, encoding: str = "gb18030") -> bytes:
    """The same text in another encoding than agreed. GBK and UTF-16 (with its mark) both occur."""
    return good_csv.decode("utf-8-sig").encode(encoding)


def mojibake(good_csv: bytes) -> bytes:
    """UTF-8 read as GBK and saved again: 鎵€ and the like, and lost bytes. The text cannot be restored."""
    return good_csv.decode("utf-8-sig").encode("utf-8").decode("gbk", "replace").encode("utf-8")


def truncated(good: bytes, share: float = 0.6) -> bytes:
    """The front of a file whose copying was interrupted."""
    return good[: int(len(good) * share)]


def damaged_workbook(good_xlsx: bytes) -> bytes:
    """A workbook whose sheet has some bytes overwritten: the archive opens, the sheet's checksum is wrong."""
    with zipfile.ZipFile(io.BytesIO(good_xlsx)) as archive:
        info = archive.getinfo("xl/worksheets/sheet1.xml")
    start = info.header_offset + 30 + len(info.filename) + info.compress_size // 2
    return good_xlsx[:start] + b"\x00" * 16 + good_xlsx[start + 16 :]


def front_half(good_csv: bytes) -> bytes:
    """A snapshot with half of its rows: the export stopped, or somebody filtered before saving."""
    lines = good_csv.splitlines(keepends=True)
    return b"".join(lines[: 1 + (len(lines) - 1) // 2])


def binary_garbage(seed: int = 1) -> bytes:
    """Bytes of no format."""
    return b"\x07\x03" + random.Random(seed).randbytes(6000)


def lying_dimension(good_xlsx: bytes) -> bytes:
    """A good workbook whose dimension tag says A1: some exporters write it, and readers that believe it see one cell."""
    changed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(good_xlsx)) as source,
        zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for info in source.infolist():
            content = source.read(info)
            if info.filename == "xl/worksheets/sheet1.xml":
                content = re.sub(rb'<dimension ref="[^"]*"\s*/>', b'<dimension ref="A1"/>', content)
            target.writestr(zipfile.ZipInfo(info.filename, info.date_time), content, zipfile.ZIP_DEFLATED)
    return changed.getvalue()


def empty_block_list(month: date) -> bytes:
    """A low-income workbook with title, header and 合计 0户, but nobody in it."""
    header = list(LOW_INCOME_HEADERS[0])
    title = f"最低生活保障对象花名册（{month.year}年{month.month}月）"
    return workbook_bytes(
        [title],
        [["填报单位：社会事务科"]],
        header,
        [],
        [["合计", None, "0户", None, "0人"]],
        written_on=month,
    )


def password_protected_workbook(seed: int = 1) -> bytes:
    """An OLE compound file with the streams of an encrypted workbook ([MS-OFFCRYPTO] 2.3.4.10, agile encryption).

    The package is random bytes: no password opens it, and no reader without one can tell.
    """
    description = (
        b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        b'<encryption xmlns="http://schemas.microsoft.com/office/2006/encryption">'
        b'<keyData saltSize="16" blockSize="16" keyBits="256" hashSize="64" cipherAlgorithm="AES" '
        b'cipherChaining="ChainingModeCBC" hashAlgorithm="SHA512" saltValue="AAAAAAAAAAAAAAAAAAAAAA=="/></encryption>'
    )
    # Streams of at least 4096 bytes live in ordinary sectors, which spares the mini stream.
    information = (struct.pack("<HHI", 4, 4, 0x40) + description).ljust(4096)
    package = struct.pack("<Q", 8000) + random.Random(seed).randbytes(8184)
    return _compound_file({"EncryptionInfo": information, "EncryptedPackage": package})


def _compound_file(streams: dict[str, bytes]) -> bytes:
    """A version 3 compound file ([MS-CFB]) with streams of whole 512-byte sectors below the root, at most three."""
    free, end_of_chain, fat_sector = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
    allocation = [fat_sector, end_of_chain]  # sector 0: this table; sector 1: the directory
    starts, body = [], b""
    for content in streams.values():
        sectors = len(content) // 512
        starts.append(len(allocation))
        allocation.extend([*range(len(allocation) + 1, len(allocation) + sectors), end_of_chain])
        body += content
    allocation.extend([free] * (128 - len(allocation)))
    names = list(streams)  # ordered by length, as the directory's tree wants its siblings
    entries = [_directory_entry("Root Entry", kind=5, child=1, sibling=free, start=end_of_chain, size=0)]
    for number, name in enumerate(names):
        sibling = number + 2 if number + 1 < len(names) else free
        entries.append(
            _directory_entry(
                name, kind=2, child=free, sibling=sibling, start=starts[number], size=len(streams[name])
            )
        )
    directory = b"".join(entries).ljust(512, b"\x00")
    header = struct.pack(
        "<8s16sHHHHH6sIIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 0x3E, 3, 0xFFFE, 9, 6, b"", 0, 1, 1, 0, 4096,
        end_of_chain, 0, end_of_chain, 0, 0,
    )  # fmt: skip
    header += struct.pack("<108I", *[free] * 108)
    return header + struct.pack("<128I", *allocation) + directory + body


def _directory_entry(name: str, *, kind: int, child: int, sibling: int, start: int, size: int) -> bytes:
    encoded = name.encode("utf-16-le")
    return struct.pack(
        "<64sHBBIII16sIQQIQ",
        encoded,
        len(encoded) + 2,
        kind,
        1,
        0xFFFFFFFF,
        sibling,
        child,
        b"",
        0,
        0,
        0,
        start,
        size,
    )


def write_bad_deliveries(good_landing: Path, landing: Path, month: date) -> list[BadDelivery]:
    """One bad file of each kind into `landing`, made from the good round in `good_landing` (the month before).

    File names carry `month`, so that snapshot guards compare them with the good round. Returns what was written.
    """

    def good(list_code: str) -> bytes:
        return next(iter(sorted(good_landing.joinpath(*FOLDERS[list_code]).iterdir()))).read_bytes()

    stamp, old_stamp = f"{month:%Y%m}", f"{month.year - 1}{month.month:02d}"
    register, doctor, workbook = good("household_register"), good("family_doctor"), good("low_income")
    visits = good("visit")
    deliveries = [
        BadDelivery("family_doctor", f"空文件{stamp}.csv", empty_file(), "empty file", NOT_LOADED),
        BadDelivery("family_doctor", f"只有表头{stamp}.csv", header_only(), "header without rows", NOT_LOADED),
        BadDelivery("family_doctor", f"家庭医生签约名单{stamp}_半份.csv", front_half(doctor), "half of the rows", NOT_LOADED),
        BadDelivery("family_doctor", f"家庭医生签约名单{old_stamp}.csv", doctor + b"\r\n", "snapshot of last year", NOT_LOADED),
        BadDelivery("family_doctor", f"走访记录误放{stamp}.csv", visits, "another list's file", NOT_LOADED),
        BadDelivery(
            "household_register", f"缺家庭编号{stamp}.csv", without_column(register, _present_header(register, 0)),
            "required column missing", NOT_LOADED,
        ),
        BadDelivery("household_register", f"家庭信息登记表{stamp}_GBK.csv", transcoded(register), "GBK instead of UTF-8", LOADED),
        BadDelivery("household_register", f"乱码{stamp}.csv", mojibake(register), "UTF-8 saved through GBK", NOT_LOADED),
        BadDelivery("low_income", f"加密{stamp}.xlsx", password_protected_workbook(), "password-protected", NOT_LOADED),
        BadDelivery("low_income", f"没传完{stamp}.xlsx", truncated(workbook), "truncated archive", NOT_LOADED),
        BadDelivery("low_income", f"损坏{stamp}.xlsx", damaged_workbook(workbook), "damaged sheet", NOT_LOADED),
        BadDelivery("low_income", f"空名册{stamp}.xlsx", empty_block_list(month), "workbook without data rows", NOT_LOADED),
        BadDelivery("low_income", f"不是表格{stamp}.xlsx", binary_garbage(), "binary garbage", NOT_LOADED),
        BadDelivery("low_income", f"低保花名册{stamp}.xlsx", lying_dimension(workbook), "dimension tag lies", LOADED),
    ]  # fmt: skip
    for delivery in deliveries:
        delivery.write(landing)
    return deliveries


def _present_header(csv_bytes: bytes, column: int) -> str:
    header = csv_bytes.decode("utf-8-sig").split("\r\n", 1)[0].split(",")
    assert header[column] in {headers[column] for headers in REGISTER_HEADERS}
    return header[column]
