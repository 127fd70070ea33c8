"""Small hand-made lists as files, and the conservation law, for the tests of deliveries."""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import openpyxl

from ingest.contract import load_contracts
from ingest.normalise.ids import check_character

ARRIVED = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
REGISTER_HEADER = (
    "家庭编号", "社区", "网格", "家庭住址", "住房性质", "姓名", "身份证号", "与户主关系", "性别", "出生日期", "联系电话", "职业", "健康状况", "登记日期",
)  # fmt: skip
LOW_INCOME_HEADER = (
    "序号", "低保证号", "户主姓名", "户主公民身份号码", "成员姓名", "身份证号码", "与户主关系", "性别", "出生日期", "家庭住址", "所属社区", "联系电话",
    "保障类别", "家庭人口", "保障人口", "家庭月人均收入(元)", "月保障金额(元)", "致困原因", "享受起始年月", "备注",
)  # fmt: skip
DISABLED_HEADER = (
    "姓名", "性别", "公民身份号码", "残疾人证号", "残疾类别", "残疾等级", "发证日期", "户口性质", "现住址", "社区", "监护人姓名", "监护人电话", "联系电话", "证件状态",
)  # fmt: skip
VISIT_HEADER = (
    "走访编号", "家庭编号", "户主姓名", "家庭住址", "社区", "网格", "走访日期", "录入时间", "走访人员", "走访方式", "走访结果", "是否知情同意", "需求代码",
    "发现问题数", "满意度", "备注",
)  # fmt: skip


def conforming(answer):
    """A JSON receipt that is what its shipped schema says; raises where it is not."""
    schema = json.loads(
        (Path(__file__).parents[3] / "ingest/receipt_schema.json").read_text(encoding="utf-8")
    )
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    ).validate(answer)
    return answer


def made_id(number):
    first_17 = f"330102{1930 + number % 80}0{1 + number % 9}1{number % 10}{number % 1000:03d}"
    return first_17 + check_character(first_17)


def disabled_rows(count, communities=("近江社区", "在水社区")):
    rows = []
    for n in range(count):
        number = made_id(n)
        rows.append(
            (f"测试{'甲乙丙丁戊己庚辛壬癸'[n % 10]}{'东南西北中'[n // 10 % 5]}", "男" if int(number[16]) % 2 else "女", number, f"{number}41",
             "肢体", "一级", "2020-01-01", "居民户", f"清水苑{n + 1}幢1单元101室", communities[n % len(communities)], "", "", "", "有效")
        )  # fmt: skip
    return rows


def register_rows(count):
    rows = []
    for n in range(count):
        number = made_id(n)
        rows.append(
            (f"WJ{n // 2:06d}", "近江社区", "第1网格", f"莫邪塘{n // 2 + 1}-1-202", "自有", f"测试{'甲乙丙丁戊己庚辛壬癸'[n % 10]}", number,
             "户主" if n % 2 == 0 else "配偶", "男" if int(number[16]) % 2 else "女", f"{number[6:10]}-{number[10:12]}-{number[12:14]}",
             f"139{n:08d}", "职员", "心梗术后", "2026-07-01")
        )  # fmt: skip
    return rows


def csv_bytes(header, rows, encoding="utf-8"):
    out = io.StringIO(newline="")
    csv.writer(out).writerows([header, *rows])
    return out.getvalue().encode(encoding)


def workbook_bytes(*lines):
    book = openpyxl.Workbook()
    for line in lines:
        book.active.append(line)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def low_income_workbook(*rows, note="填报日期：2026.7.5"):
    return workbook_bytes(
        ("某街道最低生活保障对象花名册",),
        ("填报单位：某街道", None, note),
        LOW_INCOME_HEADER,
        *rows,
        ("合计", None, "1户"),
    )


def every_row_has_one_fate(ask):
    """The conservation law, against the tables themselves."""
    for delivery in ask("select * from ops.delivery"):
        assert delivery.row_count == delivery.accepted_count + delivery.quarantined_count
        stored = 0
        if delivery.list_code in load_contracts():
            stored = ask(
                f"select count(*) from raw.{delivery.list_code} where delivery_id = :id",
                id=delivery.delivery_id,
            )[0][0]
        assert stored == delivery.accepted_count
        quarantined = ask(
            "select count(*) from ops.quarantined_row where delivery_id = :id", id=delivery.delivery_id
        )
        assert quarantined[0][0] == delivery.quarantined_count
        warned = ask("select count(*) from ops.row_warning where delivery_id = :id", id=delivery.delivery_id)
        assert warned[0][0] == delivery.warning_count
    return True
