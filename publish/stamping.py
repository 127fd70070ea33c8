"""Copying the candidate rows under a release number, and counting what they change.

Not here: whether they may be published (`releases`, and the gate in the database).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import Connection, text

# In the order of docs/tables.md; the content hash in the database walks the same five.
TABLES: Final = ("person", "household", "household_member", "source_record", "id_history")


# Grow with every delivery and visit: a person about whom only these changed has no news.
_BOOKKEEPING: Final = {"list_count", "source_record_count", "last_visited_date"}


@dataclass(frozen=True)
class Differences:
    """What a release changes against the one before; all counts. Against nothing, everything is new.

    Gone ids left the register without a successor; merged ids live on in another id (`id_history`). Moved persons
    live in another household than before; changed persons or households are in both releases with any other
    column but the bookkeeping ones different (the moved included).
    """

    persons_new: int
    persons_gone: int
    persons_merged: int
    persons_moved: int
    persons_changed: int
    households_new: int
    households_gone: int
    households_merged: int
    households_changed: int

    def as_dict(self) -> dict[str, int]:
        """The counts by name."""
        return asdict(self)

    @classmethod
    def from_summary(cls, summary: dict[str, Any]) -> Differences:
        """Read back what `release.release.summary` holds."""
        return cls(**summary["differences"])


def next_release_no(connection: Connection) -> int:
    """Next number, while the caller holds the pointer lock: no gaps, and never one that rows already carry."""
    maxima = ", ".join(f"(select max(release_no) from release.{table})" for table in ("release", *TABLES))
    return int(connection.execute(text(f"select coalesce(greatest({maxima}), 0) + 1")).scalar_one())


def stamp(connection: Connection, release_no: int) -> dict[str, int]:
    """Copy the five candidate tables under `release_no`; rows by table."""
    counts: dict[str, int] = {}
    for table in TABLES:
        columns = ", ".join(_columns(connection, table))
        counts[table] = connection.execute(
            text(
                f"insert into release.{table} (release_no, {columns})"
                f" select :release_no, {columns} from candidate.{table}"
            ),
            {"release_no": release_no},
        ).rowcount
    return counts


def analyse_stamped_rows(connection: Connection) -> None:
    """Let the planner know the new rows at once; the last step of the transaction, as the tables' owner.

    Autovacuum comes a minute later. Until then the planner takes a release for a handful of rows and joins people and
    households row by row: measured, two seconds of the release page for 9,000 people, growing with their square.
    """
    connection.execute(text("set local role none"))
    # A table that autovacuum is busy with is left to it: nobody waits here with the pointer locked.
    connection.execute(text(f"analyze (skip_locked) {', '.join(f'release.{table}' for table in TABLES)}"))


def compare(connection: Connection, new: int, old: int | None) -> Differences:
    """Count the differences of the stamped release `new` against the release `old`."""
    persons = _compare_table(connection, "person", new, old)
    households = _compare_table(connection, "household", new, old)
    return Differences(
        persons_new=persons["new"],
        persons_gone=persons["gone"],
        persons_merged=persons["merged"],
        persons_moved=persons["moved"],
        persons_changed=persons["changed"],
        households_new=households["new"],
        households_gone=households["gone"],
        households_merged=households["merged"],
        households_changed=households["changed"],
    )


def _columns(connection: Connection, table: str) -> list[str]:
    """Published columns of a release table, quoted; read from the database so that they stand in one place."""
    return list(
        connection.execute(
            text(
                "select quote_ident(attname) from pg_attribute"
                " where attrelid = ('release.' || quote_ident(:table))::regclass"
                " and attnum > 0 and not attisdropped and attname <> 'release_no' order by attnum"
            ),
            {"table": table},
        ).scalars()
    )


def _compare_table(connection: Connection, table: str, new: int, old: int | None) -> dict[str, int]:
    key = f"{table}_id"
    columns = [column for column in _columns(connection, table) if column not in _BOOKKEEPING]
    fresh = ", ".join(f"fresh.{column}" for column in columns)
    stale = ", ".join(f"stale.{column}" for column in columns)
    return dict(
        connection.execute(
            text(
                f"""
                with
                fresh as (select * from release.{table} where release_no = :new),
                stale as (select * from release.{table} where release_no = :old),
                merged as (
                    select distinct entity_id from release.id_history
                    where release_no = :new and event = 'merged_into'
                )
                select
                    count(*) filter (where stale.{key} is null) as new,
                    count(*) filter (where fresh.{key} is null and merged.entity_id is null) as gone,
                    count(*) filter (where fresh.{key} is null and merged.entity_id is not null) as merged,
                    count(*) filter (
                        where fresh.{key} = stale.{key} and fresh.household_id is distinct from stale.household_id
                    ) as moved,
                    count(*) filter (
                        where fresh.{key} = stale.{key} and row({fresh}) is distinct from row({stale})
                    ) as changed
                from fresh
                full join stale on fresh.{key} = stale.{key}
                left join merged on stale.{key} = merged.entity_id
                """
            ),
            {"new": new, "old": old},
        )
        .mappings()
        .one()
    )
