"""A department's clerk: fills in the template, makes three kinds of mistakes, mends what the receipt names, sends again.

The clerk knows the template, her own papers and the receipt; she sees no table, no rule name and no code of ours.
"""

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import openpyxl
import pytest

from ingest.contract import load_contracts
from ingest.receipts import write_receipts
from ingest.template import write_template
from tests.synthetic.identity import check_character

pytestmark = pytest.mark.database

SENT = datetime(2026, 9, 8, 1, 0, tzinfo=UTC)
PERSONS = 40
_CATEGORIES = ("视力", "听力", "言语", "肢体", "智力", "精神")
_LEVELS = ("一级", "二级", "三级", "四级")


def papers() -> list[dict[str, str]]:
    """What the clerk has on her desk: the card of each person, right in everything."""
    rng = random.Random(5)
    cards = []
    for number in range(PERSONS):
        sex = rng.choice("12")
        born = date(1950, 1, 1) + timedelta(days=rng.randrange(20_000))
        digits = f"330102{born:%Y%m%d}{rng.randrange(50):02d}{rng.choice('13579' if sex == '1' else '02468')}"
        id_no = digits + check_character(digits)
        category, level = rng.randrange(6), rng.randrange(4)
        cards.append(
            {
                "姓名": rng.choice("赵钱孙李周吴郑王")
                + rng.choice("建国淑芬志强秀兰")
                + rng.choice("明华英平"),
                "性别": "男" if sex == "1" else "女",
                "公民身份号码": id_no,
                "残疾人证号": f"{id_no}{category + 1}{level + 1}",
                "残疾类别": _CATEGORIES[category],
                "残疾等级": _LEVELS[level],
                "发证日期": f"2020-0{rng.randint(1, 9)}-1{rng.randint(0, 9)}",
                "现住址": f"望江家园{number + 1}幢{rng.randint(1, 3)}单元{rng.randint(1, 6)}01室",
                "社区": "近江社区",
                "联系电话": f"139{rng.randrange(10**8):08d}",
                "证件状态": "有效",
            }
        )
    return cards


class Sheet:
    """The template open on the clerk's screen: she finds her columns by their headings and types below them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.book = openpyxl.load_workbook(path)
        self.sheet = self.book.worksheets[0]
        self.heading = next(
            row[0].row for row in self.sheet.iter_rows() if any(self._is(cell, "姓名") for cell in row)
        )
        self.columns = {self._plain(cell): cell.column for cell in self.sheet[self.heading] if cell.value}

    @staticmethod
    def _plain(cell) -> str:
        return str(cell.value or "").strip("*＊ ")

    def _is(self, cell, heading: str) -> bool:
        return self._plain(cell) == heading

    def write(self, line: int, heading: str, value: object) -> None:
        self.sheet.cell(line, self.columns[heading]).value = value

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.book.save(path)


def receipt(path: Path) -> tuple[dict[str, object], list[dict[str, object]]]:
    """The receipt as the clerk opens it: the first sheet as questions and answers, and the table of lines to mend."""
    book = openpyxl.load_workbook(path)
    summary = {str(row[0]): row[1] for row in book.worksheets[0].iter_rows(values_only=True) if row[0]}
    rows = list(book["逐行问题"].iter_rows(values_only=True))
    return summary, [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def test_a_clerk_mends_what_her_receipt_names_and_ends_with_everything_accepted(
    warehouse, take, landing, tmp_path
):
    folder = landing / "civil_affairs" / "disabled"
    template = write_template(load_contracts()["disabled"], tmp_path)
    sheet, cards = Sheet(template), papers()
    first = sheet.heading + 1
    for line, card in enumerate(cards, start=first):
        for heading, value in card.items():
            sheet.write(line, heading, value)
    # Her three kinds of mistakes: a number the spreadsheet rounded, words no list knows, a line she left half empty.
    for line in (first + 3, first + 7):
        sheet.write(line, "公民身份号码", float(cards[line - first]["公民身份号码"].replace("X", "0")))
    sheet.write(first + 11, "残疾类别", "腿不好")
    sheet.write(first + 12, "发证日期", "2020-02-30")
    for heading in ("姓名", "公民身份号码", "残疾人证号"):
        sheet.write(first + 20, heading, None)
    sheet.save(folder / "残疾人名册202608.xlsx")

    (outcome,) = take(SENT)
    assert (outcome.status, outcome.row_count, outcome.quarantined_count) == ("loaded", PERSONS, 1)
    (path,) = write_receipts(warehouse.engine, tmp_path / "outbox", [outcome.delivery_id])
    summary, lines = receipt(path)
    assert "接收" in str(summary["处理结果"])
    assert {line["行号"] for line in lines} == {
        first + 3, first + 7, first + 11, first + 12, first + 20,
    }  # fmt: skip
    assert all(line["问题"] and line["怎样改"] for line in lines)

    # She goes through the receipt line by line: where it names a column she mends that cell, else the whole line.
    for line in lines:
        number, card = int(line["行号"]), cards[int(line["行号"]) - first]
        for heading in [line["栏目"]] if line["栏目"] else list(card):
            sheet.write(number, heading, card[heading])
    sheet.save(folder / "残疾人名册202608（更正）.xlsx")

    (again,) = take(SENT + timedelta(days=1))
    assert (again.status, again.reason) == ("loaded", None)
    assert (again.accepted_count, again.quarantined_count, again.warning_count) == (PERSONS, 0, 0)
    (path,) = write_receipts(warehouse.engine, tmp_path / "outbox", [again.delivery_id])
    summary, lines = receipt(path)
    assert lines == []
    assert "表头的叫法" not in summary, "the template's own stars are nobody's renaming"
    # The numbers and the category she mended were known from the certificate already; the date was not.
    assert "新增 1 行，改动 1 行，减少 0 行" in str(summary["与上次相比"])
