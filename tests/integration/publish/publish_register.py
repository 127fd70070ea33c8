"""A hand-made build: the five candidate tables with the documented columns, and verdicts on them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import Connection, Engine, text

# As dbt would make them: the same columns as docs/tables.md, some in another order and another type.
DDL = """
create table candidate.person__dbt_tmp (
    person_id varchar, household_id text, person_name text, sex_code text, sex_name text, birth_date date,
    id_no_masked text, id_no_kind text, phone_masked text, relation_code text, relation_name text, is_head boolean,
    is_low_income boolean, is_disabled boolean, disability_category_code text, disability_level_code text,
    has_family_doctor boolean, list_count bigint, source_record_count bigint, valid_from date, valid_to date
);
create table candidate.household__dbt_tmp (
    household_id text, head_person_id text, head_name text, address text, address_key text, community_name text,
    grid_name text, source_household_no text, member_count bigint, is_low_income boolean,
    has_disabled_member boolean, is_confirmed boolean, last_visited_date date, valid_from date, valid_to date
);
create table candidate.household_member__dbt_tmp (
    household_id text, person_id text, relation_code text, relation_name text, is_head boolean, valid_from date,
    valid_to date
);
create table candidate.source_record__dbt_tmp (
    list_code text, delivery_id bigint, file_name text, sheet_name text, row_number integer, person_id text,
    household_id text, link_rule text, link_probability numeric
);
create table candidate.id_history__dbt_tmp (
    event_no bigint, entity text, entity_id text, event text, other_id text, as_of date, reason text
);
"""
TABLES = ("person", "household", "household_member", "source_record", "id_history")
SINCE = date(2026, 1, 5)


@dataclass
class Register:
    """What a build holds: who lives where; `wave` stands in every table, so that a reader can see a torn version."""

    engine: Engine
    households: dict[str, list[str]] = field(
        default_factory=lambda: {"H1": ["P1", "P2"], "H2": ["P3"], "H3": ["P4", "P5", "P6"]}
    )
    merged: dict[str, str] = field(default_factory=dict)
    wave: int = 1
    low_income: tuple[str, ...] = ("H2",)
    communities: dict[str, str] = field(default_factory=dict)

    def build(self, *, reverse: bool = False, **changes: object) -> None:
        """Replace the candidate tables the way dbt does: make beside, then rename."""
        for name, value in changes.items():
            setattr(self, name, value)
        with self.engine.begin() as connection:
            connection.execute(text(DDL))
            self._fill(connection, reverse)
            for table in TABLES:
                connection.execute(text(f"drop table if exists candidate.{table}"))
                connection.execute(text(f"alter table candidate.{table}__dbt_tmp rename to {table}"))

    def _fill(self, connection: Connection, reverse: bool) -> None:
        people = [(person, home) for home, members in self.households.items() for person in members]
        heads = {home: members[0] for home, members in self.households.items() if members}
        rows: dict[str, list[dict[str, object]]] = {
            "person": [
                {
                    "person_id": person,
                    "person_name": f"测试{person}",
                    "household_id": home,
                    "sex_code": "1",
                    "sex_name": "男",
                    "birth_date": date(1980, 1, 1),
                    "id_no_masked": "330106***********X",
                    "is_head": heads[home] == person,
                    "is_low_income": home in self.low_income,
                    "is_disabled": False,
                    "list_count": self.wave,
                    "source_record_count": 1,
                    "valid_from": SINCE,
                }
                for person, home in people
            ],
            "household": [
                {
                    "household_id": home,
                    "head_person_id": heads.get(home),
                    "address": '测试小区1幢1单元101室, "东"',
                    "community_name": self.communities.get(home, "测试社区"),
                    "source_household_no": str(self.wave),
                    "member_count": len(members),
                    "is_low_income": home in self.low_income,
                    "has_disabled_member": False,
                    "valid_from": SINCE,
                }
                for home, members in self.households.items()
            ],
            "household_member": [
                {
                    "household_id": home,
                    "person_id": person,
                    "relation_code": str(self.wave),
                    "is_head": heads[home] == person,
                    "valid_from": SINCE,
                }
                for person, home in people
            ],
            "source_record": [
                {
                    "list_code": "low_income",
                    "delivery_id": 1,
                    "file_name": "低保,2026-01.xlsx",
                    "sheet_name": "",
                    "row_number": number,
                    "person_id": person,
                    "household_id": home,
                    "link_rule": str(self.wave),
                    "link_probability": 0.98765432,
                }
                for number, (person, home) in enumerate(people, start=3)
            ],
            "id_history": [
                {
                    "event_no": number,
                    "entity": "person" if gone.startswith("P") else "household",
                    "entity_id": gone,
                    "event": "merged_into",
                    "other_id": stays,
                    "as_of": SINCE,
                    "reason": "测试",
                }
                for number, (gone, stays) in enumerate(self.merged.items(), start=1)
            ],
        }
        for table, facts in rows.items():
            for row in reversed(facts) if reverse else facts:
                columns = ", ".join(row)
                values = ", ".join(f":{column}" for column in row)
                connection.execute(
                    text(f"insert into candidate.{table}__dbt_tmp ({columns}) values ({values})"), row
                )

    def judge(
        self,
        status: str = "passed",
        *,
        evidence: str = "e1",
        target: str = "M01",
        as_of: date = date(2026, 8, 31),
    ) -> int:
        """Write a verdict on the candidate build as it is now, as the quality station does."""
        lower = {"passed": 0.961, "failed": 0.9499, "insufficient": None}[status]
        with self.engine.begin() as connection:
            return int(
                connection.execute(
                    text(
                        "insert into quality.verdict (as_of, content_hash, evidence_hash, status, reasons, target_code,"
                        " target_ratio, audited_household_count, audited_field_count, correct_field_count,"
                        " accuracy_ratio, lower_bound_ratio, interval_lower_ratio, upper_bound_ratio)"
                        " values (:as_of, release.candidate_hash(), :evidence, :status, cast(:reasons as jsonb),"
                        " :target, 0.95, 301, 2410, 2349, 0.975, cast(:lower as double precision), 0.957, 0.985)"
                        " returning verdict_id"
                    ),
                    {
                        "as_of": as_of,
                        "evidence": evidence,
                        "status": status,
                        "reasons": json.dumps([f"测试理由 {target} {status}"]),
                        "target": target,
                        "lower": lower,
                    },
                ).scalar_one()
            )

    def published(self, query: str) -> list[tuple[object, ...]]:
        """Rows of a query, as plain tuples."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    def current(self) -> int | None:
        """The release that is up."""
        with self.engine.connect() as connection:
            return connection.execute(text("select release_no from release.pointer")).scalar_one()
