"""The documentation of the lists: one Chinese page a contract, and their index (``docs/lists/``).

The pages are generated and never edited: ``python -m ingest.list_page`` writes them, and a structure test says when
one is not current. How a column is written is said in ``guidance``, what a cross-check says in the contract.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from ingest.contract import Column, Contract, load_contracts
from ingest.guidance import (
    example_of,
    header_of,
    how_to_write,
    meaning_of,
    what_a_delivery_is,
    when_due,
)

FOLDER: Final = Path(__file__).parent.parent / "docs/lists"
INDEX: Final = "README.md"
_GENERATED: Final = "<!-- 由 `python -m ingest.list_page` 从数据约定生成；要改请改 ingest/contracts。 -->"
_CLASSES: Final = {
    "P0": "P0 汇总",
    "P1": "P1 内部",
    "P2": "P2 个人",
    "P3": "P3 敏感",
    "P4": "P4 限制",
}


def render_pages(contracts: Mapping[str, Contract]) -> dict[str, str]:
    """File name to Markdown: the index and one page a list."""
    pages = {f"{code}.md": "\n".join(_page(contract)) + "\n" for code, contract in contracts.items()}
    return {INDEX: "\n".join(_index(contracts)) + "\n", **pages}


def _index(contracts: Mapping[str, Contract]) -> Iterator[str]:
    yield "# 各清单的填报说明"
    yield ""
    yield _GENERATED
    yield ""
    yield "报送的总说明见[报送指南](../suppliers.md)。填报模板用 `yihu template` 生成，或向数据人员索取。"
    yield ""
    yield from _table(
        ("清单", "放入文件夹", "一行是", "什么时候报"),
        [
            (
                f"[{contract.title}]({code}.md)",
                f"`{contract.department}/{code}/`",
                meaning_of(contract.grain).removeprefix("一行"),
                when_due(contract),
            )
            for code, contract in contracts.items()
        ],
    )


def _page(contract: Contract) -> Iterator[str]:
    yield f"# {contract.title}"
    yield ""
    yield _GENERATED
    yield ""
    yield f"{contract.description}。"
    yield ""
    yield from _table(
        ("", "说明"),
        [
            ("一行是", meaning_of(contract.grain).removeprefix("一行")),
            (
                "放入文件夹",
                f"来件文件夹下的 `{contract.department}/{contract.list_code}/`，文件名不限，最好写上年月",
            ),
            ("什么时候报", when_due(contract)),
            ("报什么", what_a_delivery_is(contract)),
            ("用来做什么", contract.purpose),
            ("依据", contract.legal_basis),
            ("数据约定", f"{contract.version} 版，`ingest/contracts/{contract.list_code}.yaml`"),
            *([("限制", "最高敏感级：单独存放，只有获准的人能看")] if contract.is_restricted else []),
        ],
    )
    yield ""
    yield "## 各栏"
    yield ""
    yield "栏的次序不限；表头写成“也可写作”里的叫法也认得。必填栏整栏没有时，整批等数据人员处理；只是某一格空着，会在回执里提醒。"
    yield ""
    yield from _table(
        ("栏", "必填", "意思", "怎样写", "例子（编造）", "敏感级", "也可写作"),
        [_column(column) for column in contract.columns],
    )
    yield from _blocks(contract)
    yield from _code_lists(contract)
    yield from _cross_checks(contract)
    yield from _guards(contract)
    yield from _mistakes(contract)


def _column(column: Column) -> tuple[str, ...]:
    # The first alias is the header itself; the others are shown as they are compared.
    return (
        column.header,
        "是" if column.is_required else "",
        meaning_of(column.description) + ("（入库即加密）" if column.is_encrypted else ""),
        how_to_write(column),
        example_of(column),
        _CLASSES[column.data_class],
        "、".join(column.aliases[1:]),
    )


def _blocks(contract: Contract) -> Iterator[str]:
    if not contract.block_start:
        return
    household = "、".join(column.header for column in contract.columns if column.is_household)
    starts = "、".join(header_of(contract, name) for name in contract.block_start)
    yield ""
    yield "## 一户几人怎样写"
    yield ""
    yield (
        f"每户第一行写全本户各栏（{household}），其他成员接着往下写，这些栏可以留空或合并单元格。"
        f"{starts}有新的值，就是另起一户。户与户之间不要插合计行。"
    )
    yield ""
    yield (
        "这些栏都没写的行，算上一户的成员；其中写了与户主行不同的内容的，按户主行取值，在回执里提醒。例外有两种，另作一户并提醒："
        "与户主关系写“户主”或“本人”，却不是上一户的户主；没有写明是哪种成员，而住址是另一个门牌，或有自己的序号、家庭各栏又与上一户不同。"
    )


def _code_lists(contract: Contract) -> Iterator[str]:
    code_lists = {
        column.code_list.name: column.code_list for column in contract.columns if column.code_list is not None
    }
    if not code_lists:
        return
    yield ""
    yield "## 可以填的值"
    for code_list in code_lists.values():
        users = [column.header for column in contract.columns if column.code_list is code_list]
        yield ""
        yield f"**{code_list.title}**（{'、'.join(users)}）：" + "、".join(
            f"{name}（{code}）" for code, name in code_list.codes.items()
        )
    flags = [column.header for column in contract.columns if column.semantic_type == "boolean"]
    if flags:
        yield ""
        yield f"**是否**（{'、'.join(flags)}）：是、否"


def _cross_checks(contract: Contract) -> Iterator[str]:
    if not contract.checks.descriptions:
        return
    yield ""
    yield "## 栏与栏要对得上"
    yield ""
    yield "对不上的行照常接收，在回执里逐行提醒："
    yield ""
    for description in contract.checks.descriptions:
        yield f"- {description}"


def _guards(contract: Contract) -> Iterator[str]:
    guards = contract.guards
    yield ""
    yield "## 什么情况下整批先不用"
    yield ""
    yield "下面的情况说明文件可能拿错或没导全，整批扣留，由数据人员核实后放行或拒收："
    yield ""
    yield "- 缺少必填的栏"
    yield f"- 不能使用的行超过 {guards.quarantined_ratio:.0%}（且不少于 {guards.quarantined_minimum} 行），或没有一行能用"
    if contract.is_snapshot:
        yield (
            f"- 行数与上一次相差超过 {guards.count_change_ratio:.0%}（且不少于 {guards.count_change_minimum} 行）"
        )
    if guards.holds_older_snapshot:
        yield "- 清单日期早于已经接收的"
    if guards.holds_missing_community:
        yield f"- 上一次有 {guards.missing_community_minimum} 行以上的社区，这一次一行也没有"
    yield ""
    yield "内容完全相同的文件再放一次，记为重复，不会重复计算。"


def _mistakes(contract: Contract) -> Iterator[str]:
    groups = [[header_of(contract, name) for name in group] for group in contract.row_identity]
    identity = "；或".join(
        "、".join(group[:-1]) + ("和" if group[1:] else "") + group[-1] for group in groups
    )
    if len(groups) == 1:
        without = "缺了其中一样" if groups[0][1:] else "没有"
    else:
        without = "哪一种都不齐" if any(group[1:] for group in groups) else "都没有"
    yield ""
    yield "## 填错了会怎样"
    yield ""
    yield f"- 一行至少要写明：{identity}。{without}的行不能使用，单独存放，在回执里列出。"
    if contract.needed_keys:
        keys = "、".join(header_of(contract, name) for name in contract.needed_keys)
        yield f"- {keys}空着的行无法登记（以后更正也靠它对上），单独存放，补上后重报这一行。"
    yield "- 某一格不对（校验位不符、日期不可能、代码不认识），这一格不用，这一行照收，原样加密保存，在回执里说明怎样改。"
    yield "- 把上面的例子留在清单里的行会认出来，单独存放，请删去。"
    yield "- 合计行、填表人和签字行会认出来，不算数据，也不算错。"
    yield "- 被电子表格改坏的身份证号（末几位变成 000）无法恢复，只能重新录入。"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '／') for cell in row)} |"


def write_pages(folder: Path = FOLDER) -> list[Path]:
    """Write all pages and take away those of lists that are no more."""
    pages = render_pages(load_contracts())
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.md"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in pages]


if __name__ == "__main__":
    write_pages()
