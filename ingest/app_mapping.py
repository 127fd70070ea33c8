"""Which table of the visit app's database is which list: the YAML file of ``YIHU_APP_SOURCES``, read and checked.

Pure: nothing is connected. Whether the tables are as the file says is asked where they are read (``app_reading``).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from infra.errors import PermanentError
from ingest.contract import Column, Contract
from ingest.headers import normalise_header

DEFAULT_FILE: Final = Path(__file__).with_name("app_sources.yaml")
_DOING: Final = "读取走访应用的对照表（YIHU_APP_SOURCES）"
_SPAN: Final = re.compile(r"(?a)(\d{1,4})([mhd])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class AppList:
    """One list as the app has it.

    Attributes:
        schema, relation: Of the table or view; no schema means the login's own.
        key: Columns that together name a row, never empty and never twice.
        watermark: Column with the time of a row's last change.
        look_back: So much before the watermark is read again each time.
        zone: What times without a zone are in.
        columns: Contract column to the app's column.
        fingerprint: Of all of this: another one accepts columns of another type.
    """

    list_code: str
    schema: str | None
    relation: str
    key: tuple[str, ...]
    watermark: str
    look_back: timedelta
    zone: ZoneInfo
    page_rows: int
    columns: Mapping[str, str]
    fingerprint: str

    @property
    def full_name(self) -> str:
        """Schema and table."""
        return f"{self.schema}.{self.relation}" if self.schema else self.relation

    @property
    def source_columns(self) -> tuple[str, ...]:
        """All columns of the app that are read, once each."""
        return tuple(dict.fromkeys([*self.key, self.watermark, *self.columns.values()]))


def _zone(name: Any) -> ZoneInfo:
    try:
        return ZoneInfo(str(name))
    except (KeyError, ValueError, OSError):
        raise ValueError("没有这个时区，应如 Asia/Shanghai、UTC") from None


def _span(text: Any) -> timedelta:
    match = _SPAN.fullmatch(str(text))
    if match is None or int(match[1]) == 0:
        raise ValueError("应为时长，如 30m（分钟）、2h（小时）、1d（天）")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


_Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
_Name = Annotated[str, Field(min_length=1, max_length=128)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    relation: _Name
    key: Annotated[list[_Name], Field(min_length=1)]
    watermark: _Name
    look_back: Annotated[timedelta, BeforeValidator(_span)]
    look_back_reason: _Name
    timezone: _Zone | None = None
    page_rows: int = Field(default=1000, ge=10, le=100_000)
    # The day somebody confirmed that columns of another type are meant: a new date accepts what the tables are now.
    schema_confirmed: date | None = None
    columns: dict[_Name, _Name]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    timezone: _Zone = ZoneInfo("Asia/Shanghai")
    lists: Annotated[dict[str, _Entry], Field(min_length=1)]


def load_app_lists(path: Path | None, contracts: Mapping[str, Contract]) -> tuple[AppList, ...]:
    """Read and check the mapping against the contracts.

    Args:
        path: The file; None for the one that ships with the platform.
        contracts: By list code.

    Returns:
        The lists in the order of the file.

    Raises:
        PermanentError: It cannot be read, or anything in it is wrong; all mistakes at once.
    """
    path = path or DEFAULT_FILE
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _StrictLoader)
        file = _File.model_validate(document)
    except OSError as error:
        raise PermanentError(
            _DOING, came=f"{path.name} 读不了（{error.strerror}）", next_step="检查路径和权限"
        ) from None
    except ValidationError as error:
        raise _wrong(path, [_said(detail) for detail in error.errors(include_input=False)]) from None
    except (yaml.YAMLError, ValueError) as error:
        where = getattr(error, "problem_mark", None)
        reason = str(error) if type(error) is ValueError else "不是 UTF-8 编码的 YAML"
        raise _wrong(path, [f"第 {where.line + 1} 行：{reason}" if where else reason]) from None
    mistakes: list[str] = []
    lists = []
    for code, entry in file.lists.items():
        contract = contracts.get(code)
        if contract is None:
            mistakes.append(f"没有清单 {code[:40]}（现有：{'、'.join(sorted(contracts))}）")
            continue
        columns = _columns(code, entry, contract, mistakes)
        schema, _, relation = entry.relation.rpartition(".")
        zone = entry.timezone or file.timezone
        lists.append(
            AppList(
                code, schema or None, relation, tuple(entry.key), entry.watermark, entry.look_back, zone,
                entry.page_rows, columns, _fingerprint(entry, columns, zone),
            )
        )  # fmt: skip
    if mistakes:
        raise _wrong(path, mistakes)
    return tuple(lists)


def _fingerprint(entry: _Entry, columns: Mapping[str, str], zone: ZoneInfo) -> str:
    told = [
        entry.relation,
        entry.key,
        entry.watermark,
        sorted(columns.items()),
        zone.key,
        str(entry.schema_confirmed),
    ]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()[:16]


def _columns(code: str, entry: _Entry, contract: Contract, mistakes: list[str]) -> dict[str, str]:
    """Contract column to the app's column; everything that does not fit is a mistake."""
    columns: dict[str, str] = {}
    for source, target in entry.columns.items():
        column = _meant(contract, target)
        if column is None:
            mistakes.append(
                f"{code}：《{contract.title}》没有栏“{target[:40]}”，应写栏名、表头或登记过的叫法"
            )
        elif column.name in columns:
            mistakes.append(f"{code}：{source} 和 {columns[column.name]} 都对照到“{column.header}”")
        else:
            columns[column.name] = source
    lacking = [
        column.header for column in contract.columns if column.is_required and column.name not in columns
    ]
    if lacking:
        mistakes.append(f"{code}：缺少必需的栏 {'、'.join(lacking)}")
    if not any(set(group) <= set(columns) for group in contract.row_identity):
        mistakes.append(
            f"{code}：没有一组能认出一行的栏（{'；'.join('、'.join(g) for g in contract.row_identity)}）"
        )
    return columns


def _meant(contract: Contract, target: str) -> Column | None:
    header = normalise_header(target)
    return next(
        (c for c in contract.columns if target == c.name or header == normalise_header(c.header)),
        next((c for c in contract.columns if header in c.aliases), None),
    )


def _wrong(path: Path, mistakes: list[str]) -> PermanentError:
    return PermanentError(
        _DOING,
        came=f"{path.name} 有 {len(mistakes)} 处错误：{'；'.join(mistakes)}",
        expected="docs/app_source.md 中的写法",
        next_step="改正后重新运行",
    )


def _said(detail: Mapping[str, Any]) -> str:
    """One mistake in Chinese: where, and what is wrong."""
    where = ".".join(str(part) for part in detail["loc"] if part != "[key]") or "文件"
    words = {
        "extra_forbidden": "没有这一项，请删去或改正拼写",
        "missing": "缺少这一项",
        "string_type": "应为文字",
        "string_too_short": "不能为空",
        "string_too_long": "太长",
        "list_type": "应为列表，写作 [a, b]",
        "dict_type": "应为 名称: 值 的形式",
        "model_type": "应为 名称: 值 的形式",
        "too_short": "至少要有一项",
    }.get(str(detail["type"]))
    context = detail.get("ctx", {})
    if words is None and isinstance(context.get("error"), ValueError):
        words = str(context["error"])
    if words is None and {"ge", "le"} & set(context):
        words = "应为 10 到 100000 的整数"
    return f"{where}：{words or '写法不对'}"


class _StrictLoader(yaml.SafeLoader):
    """Safe loader that refuses a key given twice: YAML would keep the last one and say nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise ValueError(f"“{str(key)[:40]}”出现两次")
        return super().construct_mapping(node, deep)
