"""The gazetteer in the database: read as a snapshot, filled from a partner's list, written out again.

``ops.gazetteer`` holds what was approved: a partner's standard addresses (公安 标准地址), imported by a person who answers for
them, and approved proposals (``decisions``). Not here: reading addresses (``parser``), what is learned (``learning``).
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from psycopg.types.json import Jsonb
from sqlalchemy import Connection, Engine, text

from infra.errors import PermanentError
from infra.warehouse import limit_lock_wait
from ingest.addresses.gazetteer import Entry, Gazetteer, gazetteer_of
from ingest.addresses.parser import compound_name
from ingest.normalise.dates import parse_date
from ingest.normalise.regions import community_name
from ingest.normalise.texts import fold, is_null

HEADERS: Final = (
    "小区名称",
    "所在社区",
    "别名",
    "是否分单元",
    "楼号",
    "来源",
    "起用日期",
    "停用日期",
    "状态",
)
_UNITS: Final = {"是": True, "有": True, "分": True, "否": False, "无": False, "不分": False, "": None}
_STATUSES: Final = {"": "approved", "使用中": "approved", "已撤下": "withdrawn"}
_SEVERAL: Final = re.compile(r"[;；、,，\s]+")
_MOST_MISTAKES_SHOWN: Final = 20
_COLUMNS: Final = (
    "compound", "community", "aliases", "has_units", "buildings", "source", "valid_from", "valid_to", "status",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """One row of ``ops.gazetteer``: an entry with where it is from and since when."""

    entry: Entry
    source: str
    valid_from: date | None = None
    valid_to: date | None = None
    status: str = "approved"


def load_gazetteer(connection: Connection) -> Gazetteer:
    """All approved entries, whatever their dates: register addresses go on naming a compound that was pulled down."""
    rows = connection.execute(
        text(
            "select compound, community, aliases, has_units, buildings from ops.gazetteer "
            "where status = 'approved' order by compound, community"
        )
    )
    return gazetteer_of(
        Entry(
            row.compound,
            row.community or None,
            tuple(row.aliases),
            row.has_units,
            None if row.buildings is None else frozenset(row.buildings),
        )
        for row in rows
    )


def import_entries(engine: Engine, path: Path, by: str) -> int:
    """Take in a partner's list (CSV, columns of :data:`HEADERS`); all of it or nothing. Idempotent.

    A compound that is known in the same community is replaced by what the list says.

    Args:
        engine: The warehouse.
        path: UTF-8 or GB18030 CSV; only 小区名称 is required.
        by: Who answers for the list.

    Returns:
        How many entries are new or changed.

    Raises:
        PermanentError: The file is no such list, or lines of it cannot be used (all are named).
    """
    stored = read_list(path)
    changed = 0
    with engine.begin() as connection:
        lock(connection)
        for each in stored:
            if put_entry(connection, each, by):
                changed += 1
                log_decision(connection, "import", each.entry, by, stored=each)
        refuse_clashes(connection)
    return changed


def export_entries(engine: Engine, path: Path) -> int:
    """Write all entries as a CSV that :func:`import_entries` takes again; how many they were."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(f"select {', '.join(_COLUMNS)} from ops.gazetteer order by compound, community")
        ).all()
    units = {True: "是", False: "否", None: ""}
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADERS)
        for row in rows:
            writer.writerow(
                [
                    row.compound,
                    row.community,
                    "；".join(row.aliases),
                    units[row.has_units],
                    "；".join(row.buildings or ()),
                    row.source,
                    row.valid_from or "",
                    row.valid_to or "",
                    "使用中" if row.status == "approved" else "已撤下",
                ]
            )
    return len(rows)


def lock(connection: Connection) -> None:
    """One change of the gazetteer at a time, to the end of the transaction."""
    limit_lock_wait(connection)
    connection.execute(text("select pg_advisory_xact_lock(hashtext('yihu gazetteer'))"))


def put_entry(connection: Connection, stored: StoredEntry, by: str) -> bool:
    """Write one entry over what is known of it; whether anything changed."""
    entry = stored.entry
    values: dict[str, Any] = {
        "compound": entry.compound,
        "community": entry.community or "",
        "aliases": sorted(set(entry.aliases) - {entry.compound}),
        "has_units": entry.has_units,
        "buildings": None if entry.buildings is None else sorted(entry.buildings),
        "source": stored.source,
        "valid_from": stored.valid_from,
        "valid_to": stored.valid_to,
        "status": stored.status,
    }
    names = _COLUMNS[2:]
    result = connection.execute(
        text(
            f"insert into ops.gazetteer ({', '.join(_COLUMNS)}, changed_by) "
            f"values ({', '.join(f':{name}' for name in _COLUMNS)}, :by) on conflict (compound, community) do update "
            f"set {', '.join(f'{name} = excluded.{name}' for name in names)}, changed_by = :by, changed_at = now() "
            f"where ({', '.join(f'gazetteer.{name}' for name in names)}) is distinct from "
            f"({', '.join(f'excluded.{name}' for name in names)})"
        ),
        {**values, "by": by},
    )
    return result.rowcount == 1


def stored_entry(connection: Connection, compound: str, community: str) -> StoredEntry | None:
    """What is stored of a compound in a community, whatever its status."""
    row = connection.execute(
        text(
            f"select {', '.join(_COLUMNS)} from ops.gazetteer "
            "where compound = :compound and community = :community for update"
        ),
        {"compound": compound, "community": community},
    ).first()
    if row is None:
        return None
    buildings = None if row.buildings is None else frozenset(row.buildings)
    entry = Entry(row.compound, row.community or None, tuple(row.aliases), row.has_units, buildings)
    return StoredEntry(entry, row.source, row.valid_from, row.valid_to, row.status)


def log_decision(
    connection: Connection,
    action: str,
    entry: Entry,
    by: str,
    *,
    stored: StoredEntry | None = None,
    proposal_id: int | None = None,
    kind: str | None = None,
    alias: str = "",
) -> None:
    """Write down who decided what."""
    facts = None
    if stored is not None:
        facts = {
            "aliases": sorted(stored.entry.aliases),
            "has_units": stored.entry.has_units,
            "buildings": None if stored.entry.buildings is None else sorted(stored.entry.buildings),
            "source": stored.source,
            "status": stored.status,
        }
    connection.execute(
        text(
            "insert into ops.gazetteer_decision (action, proposal_id, kind, compound, alias, community, entry, decided_by) "
            "values (:action, :proposal_id, :kind, :compound, :alias, :community, :entry, :by)"
        ),
        {
            "action": action,
            "proposal_id": proposal_id,
            "kind": kind,
            "compound": entry.compound,
            "alias": alias,
            "community": entry.community or "",
            "entry": None if facts is None else Jsonb(facts),
            "by": by,
        },
    )


def refuse_clashes(connection: Connection) -> None:
    """Refuse a name that would mean two compounds of one community.

    Raises:
        PermanentError: An alias is the name, or an alias, of another compound there.
    """
    clashes = connection.execute(
        text(
            "with name as (select compound, community, compound as name from ops.gazetteer where status = 'approved' "
            "union all select compound, community, unnest(aliases) from ops.gazetteer where status = 'approved') "
            "select name, string_agg(distinct compound, '、') as compounds from name "
            "group by name, community having count(distinct compound) > 1 order by name limit 20"
        )
    ).all()
    if clashes:
        raise PermanentError(
            "更新小区地名库",
            came="；".join(f"“{row.name}”同时指 {row.compounds}" for row in clashes),
            expected="同一社区内一个写法只指一个小区",
            next_step="改正别名后重试；本次没有任何改动",
        )


def read_list(path: Path) -> list[StoredEntry]:
    """The entries of a partner's list; see :func:`import_entries`.

    Raises:
        PermanentError: The file is no such list, or lines of it cannot be used.
    """
    rows = list(csv.reader(io.StringIO(_decoded(path), newline="")))
    header = [fold(cell) for cell in rows[0]] if rows else []
    if HEADERS[0] not in header or len(set(header) & set(HEADERS)) != len(set(filter(None, header))):
        raise PermanentError(
            "导入小区地名库",
            came=f"表头是 {'、'.join(header)[:200] or '空的'}",
            expected=f"{'、'.join(HEADERS)}（只有小区名称必填）",
            next_step="用 yihu gazetteer export 写出一份，照它的表头填写",
        )
    entries: dict[tuple[str, str], StoredEntry] = {}
    mistakes = []
    for number, row in enumerate(rows[1:], start=2):
        cells = {name: fold(cell) for name, cell in zip(header, row, strict=False)}
        if not any(cells.values()):
            continue
        try:
            stored = _read_line(cells)
        except ValueError as error:
            mistakes.append(f"第 {number} 行：{error}")
            continue
        place = (stored.entry.compound, stored.entry.community or "")
        if entries.setdefault(place, stored) != stored:
            mistakes.append(f"第 {number} 行：{stored.entry.compound} 在同一社区已有另一行")
    if mistakes:
        more = (
            f"；另有 {len(mistakes) - _MOST_MISTAKES_SHOWN} 行"
            if len(mistakes) > _MOST_MISTAKES_SHOWN
            else ""
        )
        raise PermanentError(
            "导入小区地名库",
            came="；".join(mistakes[:_MOST_MISTAKES_SHOWN]) + more,
            expected="每行一个小区",
            next_step="改正这些行后重新导入；本次没有任何改动",
        )
    return list(entries.values())


def _read_line(cells: dict[str, str]) -> StoredEntry:
    def told(header: str) -> str:
        cell = cells.get(header, "")
        return "" if is_null(cell) and header != "是否分单元" else cell

    compound = compound_name(told("小区名称"))
    if compound is None:
        raise ValueError("小区名称不是一个小区的名字")
    aliases = {written: compound_name(written) for written in _SEVERAL.split(told("别名")) if written}
    unread = [written for written, name in aliases.items() if name is None]
    if unread:
        raise ValueError(f"别名 {'、'.join(unread)} 不是一个小区的名字")
    if told("是否分单元") not in _UNITS:
        raise ValueError("是否分单元应填 是、否 或留空")
    if told("状态") not in _STATUSES:
        raise ValueError("状态应填 使用中、已撤下 或留空")
    community = told("所在社区")
    buildings = frozenset(_building(each) for each in _SEVERAL.split(told("楼号")) if each)
    entry = Entry(
        compound,
        community_name(community) if community else None,
        tuple(sorted({name for name in aliases.values() if name} - {compound})),
        _UNITS[told("是否分单元")],
        buildings or None,
    )
    days = [_day(told(header)) for header in ("起用日期", "停用日期")]
    if days[0] and days[1] and days[0] > days[1]:
        raise ValueError("停用日期早于起用日期")
    return StoredEntry(entry, told("来源") or "导入", days[0], days[1], _STATUSES[told("状态")])


def _building(written: str) -> str:
    number = re.sub(r"(?:号楼|[幢栋座号#])$", "", written.upper())
    return number.lstrip("0") or number


def _day(written: str) -> date | None:
    if not written:
        return None
    parsed = parse_date(written)
    if parsed.value is None or parsed.precision == "month":
        raise ValueError("日期读不懂，应写成 2026-08-31")
    return parsed.value


def _decoded(path: Path) -> str:
    content = path.read_bytes()
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise PermanentError(
        "导入小区地名库",
        came="文件不是文本",
        expected="UTF-8 或 GB18030 的 CSV",
        next_step="另存为 CSV UTF-8",
    )
