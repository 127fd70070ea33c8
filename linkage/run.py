"""One linkage run: records in, ids out, in one transaction.

Belongs here: the order of the steps and what is reported of them. The steps themselves are in the other modules.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from linkage import ledger, model
from linkage.doors import add_doors
from linkage.household_records import link_household_records
from linkage.households import HouseholdLinks, link_households
from linkage.identity import assign_ids
from linkage.persons import PersonLinks, link_persons, make_profiles
from linkage.records import judge_ids, open_ids, read_household_records, read_person_records

if TYPE_CHECKING:
    import polars as pl
    import psycopg
    from sqlalchemy import Connection, Engine

    from infra.protection import FieldProtector

OnProgress = Callable[[str, int, int], None]
_STEPS = ("读取来源记录", "比对人员", "归并居住家庭", "核对编号", "写入关联结果")


@dataclass(frozen=True)
class LinkageSummary:
    """What a run did, in numbers only.

    ``record_count``: person and household records. ``duplicate_count``: person records beyond the first of each person.
    ``minted_count`` … ``reinstated_count``: events of persons and households together. ``pairs_scored``: pairs of
    profiles that Splink compared. ``joins_refused``: accepted pairs not joined because it would have put two known
    ids into one person. ``blocks_left_out``: candidate blocks too large to be evidence. ``seconds``: wall time.
    """

    record_count: int
    person_count: int
    household_count: int
    duplicate_count: int
    household_record_count: int
    unplaced_count: int
    minted_count: int
    merged_count: int
    split_count: int
    retired_count: int
    reinstated_count: int
    pairs_scored: int
    joins_refused: int
    blocks_left_out: int
    seconds: float


def link(
    engine: Engine, protector: FieldProtector, as_of: date, *, on_progress: OnProgress | None = None
) -> LinkageSummary:
    """Link all records of ``staging`` and keep the identity ledger, in one transaction.

    The same records give the same persons, households and ids, in whatever order they were delivered.

    Args:
        as_of: the business date of the refresh; the events are stamped with it.
        on_progress: called with (what, done, total) before each step and once at the end.

    Raises:
        PermanentError: a ciphertext does not open, record ids repeat, or the shipped model does not fit its
            definition. Nothing is written then.
    """
    began = time.perf_counter()

    def report(step: int) -> None:
        if on_progress is not None:
            on_progress(_STEPS[min(step, len(_STEPS) - 1)], step, len(_STEPS))

    with engine.begin() as connection:
        raw = _driver_connection(connection)
        report(0)
        records, about_households = _read(raw, protector)
        settings = _current_model(raw)
        report(1)
        persons = link_persons(records, settings)
        report(2)
        records = records.join(persons.links.select("record_id", "person"), on="record_id")
        households = link_households(records)
        placed = link_household_records(about_households, records, households)
        report(3)
        may_retire = not ledger.is_backdated(raw, as_of)
        person_change = assign_ids(
            ledger.read_state(raw, "person"), _person_groups(records), may_retire=may_retire
        )
        household_change = assign_ids(
            ledger.read_state(raw, "household"),
            households.evidence.rename({"household": "group"}),
            may_retire=may_retire,
        )
        report(4)
        ledger.write_change(raw, "person", person_change, as_of)
        ledger.write_change(raw, "household", household_change, as_of)
        person_ids = person_change.group_ids.rename({"group": "person", "entity_id": "person_id"})
        household_ids = household_change.group_ids.rename({"group": "household", "entity_id": "household_id"})
        ledger.replace_links(
            raw,
            _record_links(records, persons, households, about_households, placed, person_ids, household_ids),
            _memberships(households, person_ids, household_ids),
        )
    report(5)
    changes = (person_change, household_change)
    return LinkageSummary(
        record_count=records.height + about_households.height,
        person_count=person_ids.height,
        household_count=households.current["household"].n_unique(),
        duplicate_count=records.height - person_ids.height,
        household_record_count=about_households.height,
        unplaced_count=placed["household"].null_count(),
        minted_count=sum(change.count("minted") for change in changes),
        merged_count=sum(change.count("merged_into") for change in changes),
        split_count=sum(change.count("split_from") for change in changes),
        retired_count=sum(change.count("retired") for change in changes),
        reinstated_count=sum(change.count("reinstated") for change in changes),
        pairs_scored=persons.pairs_scored,
        joins_refused=persons.joins_refused,
        blocks_left_out=persons.blocks_left_out,
        seconds=round(time.perf_counter() - began, 3),
    )


def train_model(engine: Engine, protector: FieldProtector, as_of: date) -> dict[str, Any]:
    """Learn the weights anew from the records at hand and make them the current model.

    Not part of a refresh: weights that change change links, so it is an act of the data staff
    (docs/decisions/0003-linkage-model.md).

    Returns:
        The model as stored: settings_sha256, settings, trained_on_count, trained_as_of.

    Raises:
        PermanentError: too few records to learn from.
    """
    with engine.begin() as connection:
        raw = _driver_connection(connection)
        records, _ = _read(raw, protector)
        profiles, _ = make_profiles(records)
        keyed, _ = model.add_blocks(profiles)
        trained = {
            "settings_sha256": model.definition_sha256(),
            "settings": model.train(keyed),
            "trained_on_count": records.height,
            "trained_as_of": as_of.isoformat(),
        }
        _store_model(raw, trained)
    return trained


def _driver_connection(connection: Connection) -> psycopg.Connection[Any]:
    raw: Any = connection.connection.driver_connection
    return raw


def _read(raw: psycopg.Connection[Any], protector: FieldProtector) -> tuple[pl.DataFrame, pl.DataFrame]:
    records = judge_ids(open_ids(read_person_records(raw), protector))
    records, about_households = add_doors(records, read_household_records(raw))
    return records, about_households


def _current_model(raw: psycopg.Connection[Any]) -> dict[str, Any]:
    """Settings of the newest stored model of this definition; the shipped one is stored on first use."""
    row = raw.execute(
        "select settings from linkage.model where settings_sha256 = %s order by model_id desc limit 1",
        (model.definition_sha256(),),
    ).fetchone()
    if row is not None:
        return dict(row[0])
    shipped = model.shipped_model()
    _store_model(raw, shipped)
    return dict(shipped["settings"])


def _store_model(raw: psycopg.Connection[Any], trained: dict[str, Any]) -> None:
    raw.execute(
        "insert into linkage.model (settings_sha256, settings, trained_on_count, trained_as_of) values (%s, %s, %s, %s)",
        (
            trained["settings_sha256"],
            json.dumps(trained["settings"], ensure_ascii=False),
            trained["trained_on_count"],
            trained["trained_as_of"],
        ),
    )


def _person_groups(records: pl.DataFrame) -> pl.DataFrame:
    return records.select("record_id", group="person", first_seen="snapshot_date")


def _record_links(
    records: pl.DataFrame,
    persons: PersonLinks,
    households: HouseholdLinks,
    about_households: pl.DataFrame,
    placed: pl.DataFrame,
    person_ids: pl.DataFrame,
    household_ids: pl.DataFrame,
) -> pl.DataFrame:
    """Rows of ``linkage.record_link``: person and household records, by record_id."""
    import polars as pl

    of_persons = (
        records.select("record_id", "list_code", "delivery_id", "person")
        .join(households.current.select("person", "household"), on="person")
        .join(person_ids, on="person")
        .join(household_ids, on="household")
        .join(persons.links.select("record_id", "link_rule", "link_probability"), on="record_id")
    )
    of_households = (
        about_households.select("record_id", "list_code", "delivery_id")
        .join(placed, on="record_id")
        .join(household_ids, on="household", how="left")
        .with_columns(person_id=pl.lit(None, pl.String))
    )
    columns = (
        "record_id",
        "list_code",
        "delivery_id",
        "person_id",
        "household_id",
        "link_rule",
        "link_probability",
    )
    return pl.concat([of_persons.select(columns), of_households.select(columns)]).sort("record_id")


def _memberships(
    households: HouseholdLinks, person_ids: pl.DataFrame, household_ids: pl.DataFrame
) -> pl.DataFrame:
    """Rows of ``linkage.household_membership``, by person and date."""
    return (
        households.memberships.join(person_ids, on="person")
        .join(household_ids, on="household")
        .select(
            "person_id",
            "household_id",
            "valid_from",
            "valid_to",
            "evidence_record_id",
            membership_rule="rule",
        )
        .sort("person_id", "valid_from")
    )
