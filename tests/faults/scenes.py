"""Landing folders and what has happened before: the scenes that faults are tried on.

Belongs here: files and baselines, made by the ordinary ways of the line. Synthetic people only.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from infra.protection import FieldProtector
from tests.faults.victim import PASSWORD, take_in
from tests.synthetic import untrusted_files as make

DISABLED_HEADER: Final = (
    "姓名", "性别", "公民身份号码", "残疾人证号", "残疾类别", "残疾等级", "发证日期", "户口性质", "现住址", "社区", "监护人姓名",
    "监护人电话", "联系电话", "证件状态",
)  # fmt: skip
VISIT_HEADER: Final = (
    "走访编号", "家庭编号", "户主姓名", "家庭住址", "社区", "网格", "走访日期", "录入时间", "走访人员", "走访方式", "走访结果", "是否知情同意",
    "需求代码", "发现问题数", "满意度", "备注",
)  # fmt: skip
DOCTOR_HEADER: Final = (
    "签约编号", "居民姓名", "证件类型", "证件号码", "性别", "出生日期", "手机号码", "居住地址", "签约机构", "签约团队", "签约医生", "签约日期",
    "协议到期日", "服务包类型", "人群标签", "履约状态",
)  # fmt: skip
DISABLED: Final = "civil_affairs/disabled"
REGISTER: Final = "community/household_register"
_STEMS: Final = "甲乙丙丁戊己庚辛壬癸"
_BRANCHES: Final = "子丑寅卯辰巳午未申酉戌亥"


def disabled_rows(
    count: int, communities: Sequence[str] = ("近江社区", "在水社区"), floor: int = 1
) -> list[tuple[object, ...]]:
    """Holders of a certificate; `floor` changes where they live."""
    rows: list[tuple[object, ...]] = []
    for number in range(count):
        card = make.made_id(number)
        name = f"测{_STEMS[number % 10]}{_BRANCHES[number // 10 % 12]}"
        sex = "男" if int(card[16]) % 2 else "女"
        home = f"清水苑{number % 30 + 1}幢1单元{floor}01室"
        rows.append(
            (name, sex, card, f"{card}41", "肢体", "一级", "2020-01-01", "居民户", home,
             communities[number % len(communities)], "", "", f"139{number:08d}", "有效")
        )  # fmt: skip
    return rows


def visit_rows(count: int) -> list[tuple[object, ...]]:
    """Visits of inspectors."""
    return [
        (f"ZF{n}", f"WJ{n:06d}", "测试丙", f"莫邪塘{n % 9 + 1}-1-202", "近江社区", "第1网格", "2026-07-20 19:31", "2026-07-20 21:31",
         "网格员02", "入户", "成功", "是", "YL01", "1", "5", "")
        for n in range(count)
    ]  # fmt: skip


def doctor_rows(count: int) -> list[tuple[object, ...]]:
    """Contracts with family doctors."""
    return [
        (f"QY{n}", f"测{_STEMS[n % 10]}{_BRANCHES[n // 10 % 12]}", "居民身份证", make.made_id(n), "", "", f"139{n:08d}",
         f"清水苑{n % 30 + 1}幢1单元101室", "某中心", "一队", "王某", "2026-01-01", "2027-01-01", "慢病包", "高血压", "履约中")
        for n in range(count)
    ]  # fmt: skip


def put(folder: Path, place: str, name: str, content: bytes) -> Path:
    """A file into the landing folder of a scene."""
    path = folder / "landing" / place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def september() -> bytes:
    """A workbook in which something is wrong of every kind: a warning, a row nobody can use, a total row, a change."""
    rows = [*disabled_rows(35, floor=2)[:8], *disabled_rows(38)[8:]]
    rows[3] = (*rows[3][:6], "2024.02.30", *rows[3][7:])
    rows[4] = (*rows[4][:2], str(rows[4][2])[:-1], *rows[4][3:])
    return make.xlsx_file(("名册", [DISABLED_HEADER, *rows, ("", "男"), ("合计", "38人")]))


def _august(folder: Path) -> None:
    put(folder, DISABLED, "名册202608.csv", make.csv_file([DISABLED_HEADER, *disabled_rows(40)], "gb18030"))


def _delivery(folder: Path) -> None:
    put(folder, DISABLED, "名册202609.xlsx", september())


def _older(folder: Path) -> None:
    rows = disabled_rows(39)
    rows[5] = (*rows[5][:6], "2024.02.30", *rows[5][7:])
    put(
        folder,
        DISABLED,
        "名册202607.csv",
        make.csv_file([DISABLED_HEADER, *rows, ("", "男", *("",) * 12)], "gb18030"),
    )


def _without_community(folder: Path) -> None:
    put(
        folder,
        DISABLED,
        "名册202609.csv",
        make.csv_file([DISABLED_HEADER, *disabled_rows(40)[::2]], "gb18030"),
    )


def _locked(folder: Path) -> None:
    put(folder, REGISTER, "登记表202609.xlsx", make.encrypted_xlsx(PASSWORD))


def dozen(folder: Path) -> None:
    """Twelve deliveries of several lists and formats, some of which do not get in."""
    register = make.register(30)
    put(folder, REGISTER, "登记表202607.csv", make.csv_file(register, "utf-8-sig"))
    put(
        folder,
        REGISTER,
        "登记表202608.xlsx",
        make.with_shared_strings(make.xlsx_file(("一", make.register(32)))),
    )
    put(folder, REGISTER, "登记表202609.xls", make.xls_file(make.register(34)))
    put(folder, REGISTER, "登记表202610.xls", make.html_file(make.register(36)))
    put(folder, REGISTER, "登记表.xls", make.xml_file(make.register(38)))
    put(folder, REGISTER, "又一份.csv", make.csv_file(register, "utf-8-sig"))  # the same bytes again
    put(folder, DISABLED, "名册202609.xlsx", september())
    put(
        folder,
        DISABLED,
        "名册202610.txt",
        make.csv_file([DISABLED_HEADER, *disabled_rows(41)], "utf-16", "\t"),
    )
    put(folder, DISABLED, "空.csv", b"")
    put(folder, DISABLED, "名册202605.csv", make.csv_file([DISABLED_HEADER, *disabled_rows(36)], "gb18030"))
    put(folder, "community/visit", "走访202609.csv", make.csv_file([VISIT_HEADER, *visit_rows(40)]))
    put(folder, "health/family_doctor", "签约202609.csv", make.csv_file([DOCTOR_HEADER, *doctor_rows(40)]))


# Scenario to what lies there before it begins, and what comes then.
SCENES: Final[dict[str, tuple[tuple[Callable[[Path], None], ...], Callable[[Path], None] | None]]] = {
    "delivery": ((_august,), _delivery),
    "release": ((_august, _older), None),
    "refuse": ((_august, _older), None),
    "confirm": ((_august, _without_community), None),
    "unlock": ((_august, _locked), None),
    "first": ((), _august),
    "dozen": ((_august,), dozen),
}


def prepare(scenario: str, folder: Path, engine: Engine, protector: FieldProtector) -> None:
    """Bring database and folder to where the scenario begins."""
    before, then = SCENES[scenario]
    for name in ("landing", "outbox", "spool", "home"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for step in before:
        step(folder)
        take_in(engine, protector, folder)
    if then is not None:
        then(folder)
