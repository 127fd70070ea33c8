"""Unmistakable protected values in every place of a delivery, and those that the synthetic deliveries hold anyway.

`plant` appends rows to a round of deliveries, rows that are accepted, rows that are quarantined, a value for the rules
that warn, and puts bad files beside them. Every value is used once, so that a hit tells where it came from.
"""

import csv
import io
import itertools
import re
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from ingest.normalise.ids import check_character
from tests.pipeline.leak_scanner import Protected
from tests.synthetic.deliveries import FOLDERS
from tests.synthetic.workbooks import workbook_bytes

_ID = re.compile(r"(?<!\d)\d{17}[\dXx]")
_MOBILE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")
_FREE_TEXT_HEADERS = {"致困原因", "致贫原因", "备注", "人群标签", "人群分类", "健康状况"}

REGISTER = (
    "household_no", "community", "grid", "address", "housing", "name", "id", "relation", "sex", "birth", "phone", "occupation",
    "health", "registered",
)  # fmt: skip
DOCTOR = (
    "contract_no", "name", "id_type", "id", "sex", "birth", "phone", "address", "institution", "team", "doctor", "signed",
    "expiry", "package", "tags", "status",
)  # fmt: skip
DISABLED = (
    "name", "sex", "id", "certificate", "category", "level", "issued", "hukou", "address", "community", "guardian",
    "guardian_phone", "phone", "status",
)  # fmt: skip
LOW_INCOME = (
    "sequence", "allowance_no", "head_name", "head_id", "name", "id", "relation", "sex", "birth", "address", "community",
    "phone", "type", "size", "insured", "income", "amount", "cause", "since", "remark",
)  # fmt: skip
VISIT = (
    "visit_no", "household_no", "head_name", "address", "community", "grid", "visited", "entered", "visitor", "method",
    "outcome", "consent", "needs", "problems", "score", "remark",
)  # fmt: skip


@dataclass
class Canaries:
    """Mints values and remembers them."""

    ids: set[str] = field(default_factory=set)
    phones: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    _serial: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def id(self, area: str = "654326", birth: str = "19870605") -> str:
        """A valid citizen id; nobody of the synthetic street comes from county 654326."""
        first_17 = f"{area}{birth}{next(self._serial):03d}"
        number = first_17 + check_character(first_17)
        self.ids.add(number)
        return number

    def wrong_id(self) -> str:
        number = self.id()
        return number[:17] + ("0" if number[17] != "0" else "1")

    def certificate(self, number: str | None = None) -> str:
        return f"{number or self.id()}43"

    def phone(self) -> str:
        number = f"171{98_000_000 + next(self._serial)}"
        self.phones.add(number)
        return number

    def text(self) -> str:
        letters = f"{next(self._serial):03d}".translate(str.maketrans("0123456789", "零壹贰叁肆伍陆柒捌玖"))
        written = f"CNRY金丝雀{letters}"
        self.texts.add(written)
        return written

    def amount(self) -> str:
        """The income of the issue, with a decimal point: eight digits alone turn up in hashes by chance."""
        written = f"41976531.{next(self._serial):03d}"
        self.texts.add(written)
        return written

    @property
    def protected(self) -> Protected:
        return Protected(frozenset(self.ids), frozenset(self.phones), frozenset(self.texts))


def plant(canaries: Canaries, landing: Path, month: date) -> None:
    """Canary rows into the good files of `landing` (one round), and bad files beside them."""
    for list_code, encoding, rows in (
        ("household_register", "utf-8", _register_rows(canaries)),
        ("family_doctor", "utf-8", _doctor_rows(canaries)),
        ("disabled", "gb18030", _disabled_rows(canaries)),
        ("visit", "utf-8", _visit_rows(canaries, month)),
    ):
        (path,) = _folder(landing, list_code).iterdir()
        path.write_bytes(path.read_bytes() + _csv_bytes(rows, encoding))
    (path,) = _folder(landing, "low_income").iterdir()
    _append_to_workbook(path, _low_income_rows(canaries))
    _write_bad_files(canaries, landing, f"{month:%Y%m}")


def _filled(columns: tuple[str, ...], standard: dict[str, object], **values: object) -> list[object]:
    assert set(values) <= set(columns)
    return [(standard | values).get(column, "") for column in columns]


def _register_rows(c: Canaries) -> list[list[object]]:
    numbers = itertools.count(1)

    def row(**values: object) -> list[object]:
        number = next(numbers)
        standard = {
            "household_no": f"WJ99{number:06d}", "community": "平安里社区", "grid": "第1网格", "address": f"金丝雀苑{number}幢1单元101室",
            "name": f"卡纳{'甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉戌亥天地玄黄宇宙洪荒'[number]}", "relation": "户主", "sex": "男",
            "birth": "1987-06-05", "registered": "2026-09-02", "id": c.id(), "phone": c.phone(), "health": c.text(),
        }  # fmt: skip
        return _filled(REGISTER, standard, **values)

    shared, own, twice = c.id(), c.id(), row()
    fifteen = c.id()
    return [
        row(),
        row(id=c.wrong_id()),
        row(id=c.id()[:6] + "********" + c.id()[-4:]),
        row(id=c.id()[:17]),
        row(id=f"{c.id()}、{c.id()}"),
        row(id=f"{c.id()}(母亲代办)"),
        row(id=fifteen[:6] + fifteen[8:17]),
        row(id=c.id(birth="19870230")),
        row(id=c.id(area="470101")),
        row(id=c.text()),
        row(phone=c.phone() + "9"),
        row(phone=f"{c.phone()}/{c.phone()}"),
        row(birth=c.text(), registered=c.text()),
        row(relation=c.text(), sex=c.text()),
        row(health="\ue000" + c.text()),
        row(birth="1988-06-05"),
        row(id=shared),
        row(id=shared),
        twice,
        list(twice),
        # Numbers where they do not belong.
        row(name=f"卡纳宇 {c.phone()}"),
        row(
            address=f"金丝雀苑90幢1单元101室 {c.id()}",
            community=f"平安里社区{c.phone()}",
            grid=f"第1网格{c.id()}",
        ),
        row(
            address=f"金丝雀苑91幢1单元101室（电话{c.phone()}）",
            occupation=f"保安{c.phone()}",
            housing=c.id(),
        ),
        row(id=own, household_no=own),
        # Rows that are quarantined.
        row(name=c.id()),
        row(name=c.phone()),
        row(health=c.text() + "长" * 100_000),
        row(name="\ue001" + c.text(), id=""),
        [*row(), c.id(), c.text()],
        row(name="", id=""),
        [f"填表人：卡纳 {c.phone()}", c.text()],
    ]


def _doctor_rows(c: Canaries) -> list[list[object]]:
    numbers = itertools.count(1)

    def row(**values: object) -> list[object]:
        number = next(numbers)
        standard = {
            "contract_no": f"QY99{number:06d}", "name": f"林雀{'一二三四五六七八九'[number]}", "id_type": "居民身份证", "id": c.id(), "sex": "2",
            "birth": "1987-06-05", "phone": c.phone(), "address": f"金丝雀苑{40 + number}幢1单元101室", "institution": "社区卫生服务中心",
            "team": "第1团队", "doctor": "医生01", "signed": "2026-09-01", "expiry": "2027-08-31", "package": "基础包", "tags": c.text(),
            "status": "履约中",
        }  # fmt: skip
        return _filled(DOCTOR, standard, **values)

    return [
        row(),
        row(id=c.certificate()),
        row(status=c.text(), signed=c.text()),
        row(team=f"第1团队{c.phone()}", doctor=f"医生{c.id()}", package=f"基础包{c.phone()}"),
        row(expiry="2025-01-01"),
        row(name="示例：林雀"),
    ]


def _disabled_rows(c: Canaries) -> list[list[object]]:
    numbers = itertools.count(1)

    def row(**values: object) -> list[object]:
        number = next(numbers)
        own = c.id()
        standard = {
            "name": f"白雀{'一二三四五六七八九'[number]}", "sex": "男", "id": own, "certificate": c.certificate(own), "category": "肢体", "level": "三级",
            "issued": "2020-01-01", "hukou": "非农业", "address": f"金丝雀苑{60 + number}幢1单元101室", "community": "平安里社区", "guardian": "",
            "guardian_phone": c.phone(), "phone": c.phone(), "status": "有效",
        }  # fmt: skip
        return _filled(DISABLED, standard, **values)

    return [
        row(),
        row(certificate=c.certificate()[:19]),
        row(certificate=c.certificate()),
        row(id="", guardian=f"白雀{c.phone()}"),
        row(category=c.text(), level=c.text(), hukou=f"非农业{c.id()}"),
        row(issued=c.text(), status=c.text()),
    ]


def _low_income_rows(c: Canaries) -> list[list[object]]:
    numbers = itertools.count(1)

    def row(**values: object) -> list[object]:
        number = next(numbers)
        own = c.id()
        standard = {
            "sequence": str(900 + number), "allowance_no": f"D9999{number:06d}", "head_name": f"黄雀{'一二三四五六七八九'[number]}", "head_id": own,
            "name": f"黄雀{'一二三四五六七八九'[number]}", "id": own, "relation": "户主", "sex": "男", "birth": "1987-06-05",
            "address": f"金丝雀苑{80 + number}幢1单元101室", "community": "平安里社区", "phone": c.phone(), "type": "城市", "size": 1, "insured": 1,
            "income": c.amount(), "amount": c.amount(), "cause": c.text(), "since": "2024-01", "remark": c.text(),
        }  # fmt: skip
        return _filled(LOW_INCOME, standard, **values)

    office = c.id()
    return [
        row(),
        row(id=int(c.id()[:15] + "000")),
        row(income=c.text(), amount=f"{c.amount()}元整左右", size=c.text(), since=c.text()),
        row(allowance_no=office, id=office, head_id=office),
        row(type=c.text(), remark=f"{c.text()} {c.id()} {c.phone()}"),
    ]


def _visit_rows(c: Canaries, month: date) -> list[list[object]]:
    numbers = itertools.count(1)

    def row(**values: object) -> list[object]:
        number = next(numbers)
        standard = {
            "visit_no": f"ZF99{number:06d}", "household_no": "WJ99000001", "head_name": "卡纳乙", "address": "金丝雀苑1幢1单元101室",
            "community": "平安里社区", "grid": "第1网格", "visited": f"{month:%Y-%m}-10 09:00", "entered": f"{month:%Y-%m}-10 18:00", "visitor": "网格员01",
            "method": "入户", "outcome": "成功", "consent": "是", "problems": "0", "score": "5", "remark": c.text(),
        }  # fmt: skip
        return _filled(VISIT, standard, **values)

    return [
        row(),
        row(visit_no=""),
        row(remark=f"女儿电话{c.phone()}，证件{c.id()}"),
        row(
            head_name=f"卡纳乙 {c.id()}",
            address=f"金丝雀苑1幢1单元101室 {c.phone()}",
            visitor=f"网格员{c.phone()}",
        ),
        row(needs=c.text(), consent=c.text(), problems=c.text(), score=c.phone()),
        row(method=c.text(), outcome=c.text(), entered=c.text()),
        row(visited="2026-09-10 09:00", entered="2026-09-09 09:00"),
    ]


def _write_bad_files(c: Canaries, landing: Path, stamp: str) -> None:
    doctor, register, low_income, visit = (
        _folder(landing, code) for code in ("family_doctor", "household_register", "low_income", "visit")
    )
    header = "签约编号,居民姓名,证件号码,手机号码,人群标签"
    good = f"QY98000001,林雀,{c.id()},{c.phone()},{c.text()}"
    files = {
        doctor / f"引号{stamp}.csv": f'{header}\n{good}\nQY98000002,"林雀 {c.text()},{c.id()}\n{good}\n'.encode(),
        doctor / f"签约_{c.id()}_{c.phone()}_{stamp}.csv": f"{header}\n".encode(),
        doctor / f"走访放错{stamp}.csv": b"\n".join(next(iter(visit.iterdir())).read_bytes().splitlines()[:40]),
        doctor / f"两个证件号码{stamp}.csv": f"{header},证件号码\n{good},{c.id()}\n".encode(),
        doctor / f"没有表头{stamp}.csv": f"{good}\n{good}\n".encode(),
        register / f"缺栏{stamp}.csv": f"社区,家庭住址,姓名,身份证号,联系电话,健康状况\n平安里社区,金丝雀苑,卡纳,{c.id()},{c.phone()},{c.text()}\n".encode(),
        register / f"半个字{stamp}.csv": f"家庭编号,姓名,健康状况\nWJ97,卡纳,{c.text()}{c.id()}".encode()[:-1] + b"\xff\xfe",
        low_income / f"不是表{stamp}.xlsx": b"\x07\x00" + f"{c.text()} {c.id()} {c.phone()}".encode(),
        low_income / f"截断{stamp}.xlsx": _workbook(c)[:-900],
        low_income / f"两张表{stamp}.xlsx": _workbook(c),
        landing / "supervision" / "audit_return" / f"核查表_金丝雀{stamp}.csv": (
            "抽查编号,家庭ID,人员ID,社区,核查字段,登记值,核实结果,核实值,核查人,核查日期,备注\n"
            f"HC202609-9999-1,H000000019,P000000017,平安里社区,证件号码,{c.id()},错误,{c.id()},核查员{c.phone()},2026-09-20,{c.text()}\n"
        ).encode(),
        landing / "nobody" / "unknown_list" / f"无此名单{stamp}.csv": f"{c.text()},{c.id()}\n".encode(),
        landing / f"科_{c.phone()}" / "family_doctor" / f"放错科室{stamp}.csv": f"{header}\n{good}\n".encode(),
    }  # fmt: skip
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _workbook(c: Canaries) -> bytes:
    """Two sheets with ids in their names, in the title, in the notes and in the header."""
    import openpyxl

    headers = [
        "序号", "低保证号", "户主姓名", f"户主身份证号（{c.id()}）", "成员姓名", "身份证号码", "与户主关系", f"备注（{c.phone()}）", c.phone(),
        f"{c.text()}{c.id()}",
    ]  # fmt: skip
    row = ["1", "D98000001", "黄雀", c.id(), "黄雀", c.id(), "户主", c.text(), c.text(), c.text()]
    content = workbook_bytes(
        [f"低保花名册 {c.id()} {c.text()}"], [[f"填表人：{c.phone()}", c.text()]], headers, [row], [[f"合计 {c.phone()}"]],
        written_on=date(2026, 9, 1),
    )  # fmt: skip
    book = openpyxl.load_workbook(io.BytesIO(content))
    book.active.title = f"{c.id()}"
    for name in (f"留底{c.phone()}", f"{c.id()}一户"):
        book.copy_worksheet(book.worksheets[0]).title = name
    changed = io.BytesIO()
    book.save(changed)
    return changed.getvalue()


def _append_to_workbook(path: Path, rows: list[list[object]]) -> None:
    import openpyxl

    book = openpyxl.load_workbook(path)
    for row in rows:
        book.active.append([None if cell == "" else cell for cell in row])
    book.save(path)


def _folder(landing: Path, list_code: str) -> Path:
    return landing.joinpath(*FOLDERS[list_code])


def _csv_bytes(rows: list[list[object]], encoding: str) -> bytes:
    written = io.StringIO(newline="")
    csv.writer(written).writerows(rows)
    return written.getvalue().encode(encoding)


def delivered(*folders: Path) -> Protected:
    """What the files below these folders hold: ids and phones in any cell, free text in the columns meant for it."""
    ids: set[str] = set()
    phones: set[str] = set()
    texts: set[str] = set()
    for path in sorted(path for folder in folders for path in folder.rglob("*")):
        if path.suffix not in (".csv", ".xlsx") or not path.is_file():
            continue
        header: list[str] = []
        for row in _cells(path):
            header = row if _FREE_TEXT_HEADERS & set(row) else header
            for title, cell in itertools.zip_longest(header, row, fillvalue=""):
                bare = re.sub(r"\s", "", unicodedata.normalize("NFKC", cell))
                ids.update(_ID.findall(bare))
                phones.update(_MOBILE.findall(bare))
                if title in _FREE_TEXT_HEADERS and cell != title:
                    texts.add(cell)
    return Protected(frozenset(ids), frozenset(phones), frozenset(texts - {""}))


def _cells(path: Path) -> Iterator[list[str]]:
    if path.suffix == ".xlsx":
        import openpyxl

        try:
            book = openpyxl.load_workbook(path, read_only=True)
        except zipfile.BadZipFile:
            return  # a bad file of ours
        for row in book.worksheets[0].iter_rows(values_only=True):
            yield ["" if cell is None else str(cell) for cell in row]
        return
    content = path.read_bytes()
    try:
        written = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        written = content.decode("gb18030", "replace")
    yield from csv.reader(io.StringIO(written, newline=""))
