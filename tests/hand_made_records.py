"""Hand-made person records and visits as linkage reads them, for its tests. All people are invented."""

from __future__ import annotations

import itertools
from datetime import date
from typing import Any

from tests.synthetic.identity import check_character, is_valid_id

AUGUST, SEPTEMBER, OCTOBER = date(2026, 8, 31), date(2026, 9, 30), date(2026, 10, 31)


def make_id(birth: date, sex: str = "1", serial: int = 10, area: str = "330102") -> str:
    """A valid id: ``sex`` 1 male, 2 female; ``serial`` tells people of one day apart."""
    first_17 = f"{area}{birth:%Y%m%d}{2 * serial + (sex == '1'):03d}"
    return first_17 + check_character(first_17)


class Records:
    """Collects records; ``person`` and ``visit`` add one and return its record id."""

    def __init__(self) -> None:
        self.persons: list[dict[str, Any]] = []
        self.visits: list[dict[str, Any]] = []
        self._serial = itertools.count(1)

    def person(
        self,
        name: str | None,
        *,
        id_no: str | None = None,
        birth: date | None = None,
        sex: str | None = None,
        phone: str | None = None,
        door: str | None = None,
        community: str | None = "近江社区",
        number: str | None = None,
        block: str | None = None,
        head: bool = False,
        on: date = AUGUST,
        evidence: date | None = None,
        list_code: str | None = None,
        pinyin: str | None = None,
        record_id: str | None = None,
        kind: str | None = None,
    ) -> str:
        """``door`` is compound|building|unit|room; ``number`` makes a register row, ``block`` a low-income row."""
        list_code = list_code or (
            "household_register" if number else "low_income" if block else "family_doctor"
        )
        record_id = record_id or f"{next(self._serial):024x}"
        is_right = id_no is not None and is_valid_id(id_no)
        kind = kind or (
            "missing"
            if id_no is None
            else "valid"
            if is_right
            else "masked"
            if "*" in id_no
            else "checksum_wrong"
        )
        embedded = id_no if kind == "valid" else None
        self.persons.append(
            {
                "record_id": record_id, "list_code": list_code, "snapshot_date": on,
                "delivery_id": delivery_number(list_code, on), "evidence_date": evidence or on,
                "person_name_key": name, "person_name_pinyin": pinyin if pinyin is not None else name,
                "id_no": id_no, "id_no_token": id_no if kind in ("valid", "checksum_wrong") else None, "id_no_kind": kind,
                "id_no_birth_date": date(int(embedded[6:10]), int(embedded[10:12]), int(embedded[12:14])) if embedded else None,
                "id_no_sex_code": ("1" if int(embedded[16]) % 2 else "2") if embedded else None,
                "birth_date": birth, "sex_code": sex, "phone_token": phone, "phone_kind": "mobile" if phone else "missing",
                **_address(door), "community_name": community,
                "household_group": f"household_register:{number}" if number else f"low_income:{block}" if block else None,
                "source_household_no": number, "relation_code": "02" if head else None, "is_head": head,
            }
        )  # fmt: skip
        return record_id

    def visit(
        self,
        *,
        number: str | None = None,
        head: str | None = None,
        door: str | None = None,
        community: str | None = "近江社区",
        on: date = AUGUST,
    ) -> str:
        """A visit on a day."""
        record_id = f"{next(self._serial):024x}"
        self.visits.append(
            {
                "record_id": record_id, "list_code": "visit", "delivery_id": delivery_number("visit", on),
                "snapshot_date": on, "evidence_date": on, "source_household_no": number, "contact_name_key": head,
                **_address(door), "community_name": community,
            }
        )  # fmt: skip
        return record_id

    def frames(self) -> Any:
        """Person records and visits as polars frames."""
        import polars as pl

        visit_schema = {
            "record_id": pl.String, "list_code": pl.String, "delivery_id": pl.Int64, "snapshot_date": pl.Date,
            "evidence_date": pl.Date, "source_household_no": pl.String, "contact_name_key": pl.String, **_ADDRESS_SCHEMA,
        }  # fmt: skip
        person_schema = {
            "record_id": pl.String, "list_code": pl.String, "snapshot_date": pl.Date, "delivery_id": pl.Int64,
            "evidence_date": pl.Date, "person_name_key": pl.String, "person_name_pinyin": pl.String, "id_no": pl.String,
            "id_no_token": pl.String, "id_no_kind": pl.String, "id_no_birth_date": pl.Date, "id_no_sex_code": pl.String,
            "birth_date": pl.Date, "sex_code": pl.String, "phone_token": pl.String, "phone_kind": pl.String,
            **_ADDRESS_SCHEMA, "household_group": pl.String, "source_household_no": pl.String,
            "relation_code": pl.String, "is_head": pl.Boolean,
        }  # fmt: skip
        return (
            pl.DataFrame(self.persons, schema=person_schema),
            pl.DataFrame(self.visits, schema=visit_schema),
        )


def delivery_number(list_code: str, on: date) -> int:
    """A delivery number of a list and a day, the same in every process."""
    return sum(map(ord, list_code)) * 100_000 + on.toordinal() % 100_000


def _address(door: str | None) -> dict[str, str | None]:
    compound, building, unit, room = door.split("|") if door else (None, None, None, None)
    return {
        "address_key": door,
        "address_compound": compound,
        "address_building": building,
        "address_unit": unit,
        "address_room": room,
    }


def _address_schema() -> dict[str, Any]:
    import polars as pl

    names = (
        "address_key",
        "address_compound",
        "address_building",
        "address_unit",
        "address_room",
        "community_name",
    )
    return dict.fromkeys(names, pl.String)


_ADDRESS_SCHEMA = _address_schema()
