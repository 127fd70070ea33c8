"""Contracts: what a list is, read from one ODCS file each (``ingest/contracts/<list>.yaml``).

Here: the shape of a contract. Not here: what its semantic types become in ``raw`` (``semantic_types``), reading
deliveries, normalising values, tables in the database. ODCS has a place for most of what a contract says; what it has no
place for (header aliases, semantic type, guards, block layout) stands in ``customProperties``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from open_data_contract_standard.model import CustomProperty, OpenDataContractStandard, SchemaProperty
from pydantic import ValidationError

from infra.errors import PermanentError
from ingest.cross_checks import NotInList
from ingest.declared_checks import CrossChecks, read_cross_checks
from ingest.headers import normalise_header
from ingest.normalise.texts import code_text
from ingest.periods import DUE_UNITS, RHYTHMS
from ingest.semantic_types import META_COLUMNS, RAW_COLUMNS, SOURCE_ROW_COLUMN, RawColumn

CONTRACT_FOLDER: Final = Path(__file__).with_name("contracts")
CODE_LIST_FILE: Final = Path(__file__).with_name("code_lists.yaml")

_CODE_TYPES: Final = ("code", "codes")
_DATA_CLASSES: Final = ("P0", "P1", "P2", "P3", "P4")
_SEMANTICS: Final = ("snapshot", "upsert", "append")


@dataclass(frozen=True, eq=False)
class CodeList:
    """A code list and every way its codes are written.

    Attributes:
        codes: Code to its name.
        by_text: What :func:`ingest.normalise.texts.code_text` makes of a way of writing, to the code.
        sexes: Codes that say a sex, to the code of the sex (GB/T 2261.1).
    """

    name: str
    title: str
    codes: Mapping[str, str]
    by_text: Mapping[str, str]
    sexes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a list as the contract describes it.

    Attributes:
        aliases: Normalised headers that mean this column, best first; the contract's own header leads.
        is_required: The list must have the column; nothing is said about single cells.
        is_household: In a household block (L5) only the head's row carries the value.
        is_row_counter: Numbers the rows of the sheet, says nothing about the person.
        is_past_only: The date cannot lie after the arrival of the delivery.
        is_month: The date says a month only and stands for its first day.
        is_community: Names a community; short names and committees become one name (近江, 近江居委会: 近江社区).
        code_list: Of a code column; of a diagnosis the codes that its ciphertext holds where the words are known.
        several_code: The code that several codes in one cell stand for (disability category: multiple).
    """

    name: str
    header: str
    description: str
    semantic_type: str
    aliases: tuple[str, ...]
    is_required: bool
    data_class: str
    code_list: CodeList | None = None
    is_household: bool = False
    is_row_counter: bool = False
    is_past_only: bool = False
    is_month: bool = False
    is_community: bool = False
    several_code: str | None = None
    minimum: int | None = None
    maximum: int | None = None

    @property
    def is_encrypted(self) -> bool:
        """Whether the value exists only as ciphertext."""
        return RAW_COLUMNS[self.semantic_type][0][0] == "_encrypted"

    @property
    def raw_columns(self) -> tuple[RawColumn, ...]:
        """What this column becomes in raw, in order."""
        return tuple(
            RawColumn(f"{self.name}{suffix}", sql_type, f"{self.description or self.header}{meaning}")
            for suffix, sql_type, meaning in RAW_COLUMNS[self.semantic_type]
        )


@dataclass(frozen=True)
class Guards:
    """What makes a delivery wait for a person (domain.md 1.4).

    Attributes:
        count_change_ratio: Held when the accepted rows differ from the last delivery by more than this share …
        count_change_minimum: … and by at least this many rows.
        quarantined_ratio: Held when more than this share of the data rows is quarantined …
        quarantined_minimum: … and at least this many rows, or all of them: of a short list one row is a large share.
        holds_older_snapshot: Held when the snapshot is older than one that is loaded.
        holds_missing_community: Held when a community of the last delivery is missing, if it had at least
        missing_community_minimum: this many rows.
    """

    count_change_ratio: float
    count_change_minimum: int
    quarantined_ratio: float
    quarantined_minimum: int
    holds_older_snapshot: bool
    holds_missing_community: bool
    missing_community_minimum: int


@dataclass(frozen=True, eq=False)
class Contract:
    """One list: who delivers it, what a row is, its columns and its guards.

    Attributes:
        row_identity: A row is about somebody or something when all columns of one of these groups have a value.
        block_start: Columns whose new value starts a household block, strongest first; empty when rows are flat.
        is_partial: A snapshot may be of some communities only: it says nothing about the others.
        is_restricted: Highest sensitivity: the list lives in a schema of its own and few may read it.
        checks: What its values must say about each other.
        due_day, due_unit: Which day, or working day, of the period the list is due on (`ingest.periods`).
        is_due_after_period: The due day is counted in the next period: the list tells what happened in this one.
        expected_from: From when the list is expected even if none ever came; None: from its first delivery.
    """

    list_code: str
    department: str
    title: str
    description: str
    grain: str
    version: str
    semantics: str
    rhythm: str
    due_day: int | None
    legal_basis: str
    purpose: str
    business_key: tuple[str, ...]
    row_identity: tuple[tuple[str, ...], ...]
    block_start: tuple[str, ...]
    guards: Guards
    columns: tuple[Column, ...]
    is_partial: bool = False
    is_restricted: bool = False
    checks: CrossChecks = field(default_factory=CrossChecks)
    due_unit: str = "day"
    is_due_after_period: bool = False
    expected_from: date | None = None

    @property
    def is_snapshot(self) -> bool:
        """Whether each delivery is the whole list."""
        return self.semantics == "snapshot"

    @property
    def needed_keys(self) -> tuple[str, ...]:
        """Columns without which a row of an event list is of no use: no later row could correct it.

        None where the key may also be told from who and what the row is about (needs and resources without a number).
        """
        required = {column.name for column in self.columns if column.is_required}
        if self.semantics != "append" or self.business_key[0] not in required:
            return ()
        return tuple(name for name in self.business_key if name in required)

    def column(self, name: str) -> Column | None:
        """The column of that name, or None when the list has none."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def raw_columns(self) -> tuple[RawColumn, ...]:
        """All columns of the raw table, in order."""
        return (
            *(RawColumn(*meta) for meta in META_COLUMNS),
            *(raw for column in self.columns for raw in column.raw_columns),
            RawColumn(*SOURCE_ROW_COLUMN),
        )


@cache
def load_contracts(folder: Path | None = None) -> dict[str, Contract]:
    """All contracts by list code, from ``CONTRACT_FOLDER`` unless another folder is named.

    Raises:
        PermanentError: A file is no ODCS contract or contradicts itself; all mistakes of all files at once.
    """
    code_lists = load_code_lists()
    contracts: dict[str, Contract] = {}
    mistakes: list[str] = []
    for path in sorted((folder or CONTRACT_FOLDER).glob("*.yaml")):
        try:
            contract = _read_contract(path, code_lists)
        except ValueError as error:
            mistakes.append(f"{path.name}: {error}")
        else:
            contracts[contract.list_code] = contract
    mistakes.extend(_unknown_lists(contracts))
    if mistakes:
        raise PermanentError(
            "读取数据约定",
            came="；".join(mistakes),
            expected="ODCS v3 数据约定，写法照同一文件夹中的其他约定",
            next_step="改正上述数据约定文件",
        )
    return contracts


@cache
def load_code_lists(path: Path = CODE_LIST_FILE) -> dict[str, CodeList]:
    """All code lists by name.

    Raises:
        PermanentError: A list gives one way of writing two codes.
    """
    code_lists = {}
    for name, entry in yaml.load(path.read_text(encoding="utf-8"), _StrictLoader).items():
        by_text: dict[str, str] = {}
        for code, texts in entry["codes"].items():
            for written in (code, *texts):
                if by_text.setdefault(code_text(written), code) != code:
                    raise PermanentError(
                        f"读取代码表 {name}",
                        came=f"写法“{written}”对应两个代码",
                        expected="一种写法只对应一个代码",
                        next_step=f"改正 {path.name}",
                    )
        code_lists[name] = CodeList(
            name,
            entry["title"],
            {code: texts[0] for code, texts in entry["codes"].items()},
            by_text,
            {code: sex for sex, codes in entry.get("sexes", {}).items() for code in codes},
        )
    return code_lists


class _StrictLoader(yaml.SafeLoader):
    """Safe loader that refuses a key given twice: YAML would keep the last one and say nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise ValueError(f"键“{key}”出现两次")
        return super().construct_mapping(node, deep)


def _read_contract(path: Path, code_lists: Mapping[str, CodeList]) -> Contract:
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _StrictLoader)
        odcs = OpenDataContractStandard.model_validate(document)
    except (yaml.YAMLError, ValidationError) as error:
        raise ValueError(f"不是 ODCS 数据约定：{error}") from None
    if odcs.id != path.stem:
        raise ValueError(f"id 是 {odcs.id}，应与文件名相同")
    if not odcs.schema_ or len(odcs.schema_) != 1 or not odcs.schema_[0].properties:
        raise ValueError("schema 应恰有一张表，并列出各栏")
    table = odcs.schema_[0]
    extras = _extras(odcs.customProperties)
    columns = tuple(_read_column(entry, code_lists) for entry in table.properties or ())
    guards = extras["guards"]
    contract = Contract(
        list_code=odcs.id,
        department=_stated(odcs.domain, "domain"),
        title=_stated(odcs.name, "name"),
        description=_stated(odcs.description.usage if odcs.description else None, "description.usage"),
        grain=_stated(table.dataGranularityDescription, "dataGranularityDescription"),
        version=_stated(odcs.version, "version"),
        semantics=extras["semantics"],
        rhythm=extras["rhythm"],
        due_day=extras.get("dueDay"),
        legal_basis=_stated(extras.get("legalBasis"), "legalBasis"),
        purpose=_stated(odcs.description.purpose if odcs.description else None, "description.purpose"),
        business_key=tuple(extras["businessKey"]),
        row_identity=tuple(tuple(group) for group in extras["rowIdentity"]),
        block_start=tuple(extras.get("blockStart", ())),
        guards=Guards(
            count_change_ratio=float(guards["countChangeRatio"]),
            count_change_minimum=int(guards["countChangeMinimum"]),
            quarantined_ratio=float(guards["quarantinedRatio"]),
            quarantined_minimum=int(guards["quarantinedMinimum"]),
            holds_older_snapshot=bool(guards["olderSnapshot"]),
            holds_missing_community=bool(guards["missingCommunity"]),
            missing_community_minimum=int(guards["missingCommunityMinimum"]),
        ),
        columns=columns,
        # An office that sends a list every day does so on the days it works.
        due_unit=extras.get("dueUnit", "working_day" if extras["rhythm"] == "daily" else "day"),
        is_due_after_period=bool(extras.get("dueAfterPeriod")),
        expected_from=_as_date(extras.get("expectedFrom")),
        is_partial=extras.get("coverage", "list") == "community",
        is_restricted=bool(extras.get("restricted")),
        checks=read_cross_checks(table.quality or (), columns, has_blocks=bool(extras.get("blockStart"))),
    )
    _check(contract)
    return contract


def _read_column(entry: SchemaProperty, code_lists: Mapping[str, CodeList]) -> Column:
    name = _stated(entry.name, "properties.name")
    header = _stated(entry.businessName, f"{name}.businessName")
    extras = _extras(entry.customProperties)
    semantic_type = extras.get("semanticType")
    if semantic_type not in RAW_COLUMNS:
        raise ValueError(f"{name} 的 semanticType 是 {semantic_type}，可用 {'、'.join(RAW_COLUMNS)}")
    if entry.classification not in _DATA_CLASSES:
        raise ValueError(
            f"{name} 的 classification 是 {entry.classification}，可用 {'、'.join(_DATA_CLASSES)}"
        )
    code_list = code_lists.get(extras.get("codeList", ""))
    is_listed = code_list is not None or ("codeList" not in extras and semantic_type not in _CODE_TYPES)
    if not is_listed or (code_list is not None and semantic_type not in (*_CODE_TYPES, "diagnosis")):
        raise ValueError(
            f"{name}：代码栏要写 codeList（diagnosis 可写，别的不写），并在 {CODE_LIST_FILE.name} 中有该表"
        )
    aliases = dict.fromkeys(normalise_header(text) for text in (header, *extras.get("aliases", ())))
    return Column(
        name=name,
        header=header,
        description=entry.description or "",
        semantic_type=semantic_type,
        aliases=tuple(aliases),
        is_required=bool(entry.required),
        data_class=entry.classification,
        code_list=code_list,
        is_household=bool(extras.get("household")),
        is_row_counter=bool(extras.get("rowCounter")),
        is_past_only=bool(extras.get("pastOnly")),
        is_month=extras.get("precision") == "month",
        is_community=bool(extras.get("community")),
        several_code=extras.get("severalCode"),
        minimum=extras.get("minimum"),
        maximum=extras.get("maximum"),
    )


def _check(contract: Contract) -> None:
    if contract.semantics not in _SEMANTICS:
        raise ValueError(f"semantics 是 {contract.semantics}，可用 {'、'.join(_SEMANTICS)}")
    if contract.rhythm not in RHYTHMS:
        raise ValueError(f"rhythm 是 {contract.rhythm}，可用 {'、'.join(RHYTHMS)}")
    if contract.due_unit not in DUE_UNITS:
        raise ValueError(f"dueUnit 是 {contract.due_unit}，可用 {'、'.join(DUE_UNITS)}")
    owners: dict[str, str] = {}
    for column in contract.columns:
        for alias in column.aliases:
            if owners.setdefault(alias, column.name) != column.name:
                raise ValueError(f"表头“{alias}”既指 {owners[alias]} 又指 {column.name}")
    raw_names = [raw.name for raw in contract.raw_columns]
    if len(set(raw_names)) != len(raw_names):
        raise ValueError("两栏在 raw 表中同名")
    named = {*contract.business_key, *contract.block_start, *(x for g in contract.row_identity for x in g)}
    unknown = named - {column.name for column in contract.columns}
    if unknown:
        raise ValueError(f"提到了没有的栏：{'、'.join(sorted(unknown))}")


def _unknown_lists(contracts: Mapping[str, Contract]) -> list[str]:
    """Checks against a list that is not there, or has not the column."""
    mistakes = []
    for contract in contracts.values():
        for check in contract.checks.of_store:
            if not isinstance(check, NotInList):
                continue
            other = contracts.get(check.other_list)
            named = [name for name in (check.id, check.other_flag) if name]
            if other is None or not all(other.column(name) for name in named):
                mistakes.append(
                    f"{contract.list_code}.yaml: quality“{check.rule}”要核对的清单 {check.other_list} 没有或缺 {'、'.join(named)} 栏"
                )
    return mistakes


def _extras(properties: list[CustomProperty] | None) -> dict[str, Any]:
    return {entry.property or "": entry.value for entry in properties or ()}


def _as_date(value: Any) -> date | None:
    if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"expectedFrom 是 {value}，应为 2026-12-01 这样的日期") from None


def _stated(value: str | None, where: str) -> str:
    if not value:
        raise ValueError(f"缺少 {where}")
    return value
