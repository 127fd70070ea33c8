"""Which people live together, and since when.

Belongs here: from persons, register households and doors to one current living household a person, and the dated
memberships before it. Not here: what a household number means (``linkage.register``), where people live whom the
register does not know (``linkage.unregistered``), visits and the like (``linkage.household_records``).

The register is a list of living households, so it goes first, and the newest registration wins. Two numbers with
different people behind one door stay two households.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from linkage.register import register_households
from linkage.unregistered import found_households, place_in_register, unregistered_people

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class HouseholdLinks:
    """Outcome for the persons. Households are int64 labels of this run only.

    ``current``: person, household, rule, one row a person.
    ``memberships``: person, household, valid_from, valid_to, rule, evidence_record_id, in order of time.
    ``evidence``: record_id, household, first_seen, is_registered: the household each person record speaks of, and
    whether the register names it there.
    ``numbers``: number, household, first_seen, last_seen: what a household number stood for, and when.
    ``doors``: door, household, is_current: where the households live and lived.
    """

    current: pl.DataFrame
    memberships: pl.DataFrame
    evidence: pl.DataFrame
    numbers: pl.DataFrame
    doors: pl.DataFrame


def link_households(records: pl.DataFrame) -> HouseholdLinks:
    """Decide the living household of every person.

    Args:
        records: person records with ``person`` (int64) and ``door``.
    """
    import polars as pl

    records = records.sort("record_id")
    stated = register_households(records).join(
        records.select("record_id", "person", "door", "snapshot_date", "evidence_date"),
        on="record_id",
    )
    stays = _registered_stays(stated)
    # A number whose people are all under another one in the same delivery is no household: nobody ever lived in it.
    stated = stated.join(
        stays.select("household").unique(), on="household", how="semi", maintain_order="left"
    )
    registered = (
        stays.sort("person", "order")
        .group_by("person", maintain_order=True)
        .agg(pl.col("household").last(), pl.lit("household_number").alias("rule"))
    )
    doors = _doors_of_households(stated)
    others = unregistered_people(records, registered)
    placed = place_in_register(records, others, registered, doors)
    first_free = int(stated["household"].max() or 0) + 1 if stated.height else 0  # type: ignore[arg-type]
    founded = found_households(others.join(placed, on="person", how="anti"), first_free)
    current = pl.concat([registered, placed, founded]).sort("person")

    dated = _dated(_founded_together(stays))
    memberships = pl.concat([dated, _of_placed(others, placed, dated), _of_founded(others, founded)]).sort(
        "person", "valid_from"
    )
    return HouseholdLinks(
        current=current,
        memberships=memberships,
        evidence=_evidence(records, stated, current),
        numbers=stated.group_by("number", "household")
        .agg(
            pl.col("snapshot_date").min().alias("first_seen"),
            pl.col("snapshot_date").max().alias("last_seen"),
        )
        .sort("number", "household"),
        doors=_all_doors(doors, records, others, pl.concat([placed, founded])),
    )


def _registered_stays(stated: pl.DataFrame) -> pl.DataFrame:
    """Unbroken stays of registered people: person, order, household, the evidence of the beginning.

    Of one day's deliveries the newest registration of a person counts (a number left over from before a move is
    older); deliveries that name the same household in a row are one stay.
    """
    import polars as pl

    in_delivery = (
        stated.sort("person", "snapshot_date", "evidence_date", "record_id")
        .group_by("person", "snapshot_date", maintain_order=True)
        .agg(pl.col("household").last(), pl.col("evidence_date").last(), pl.col("record_id").last())
    )
    return (
        in_delivery.with_columns(
            order=(pl.col("household") != pl.col("household").shift())
            .fill_null(True)
            .cast(pl.Int64)
            .cum_sum()
            .over("person")
        )
        .group_by("person", "order", maintain_order=True)
        .agg(
            pl.col("household").first(),
            pl.col("snapshot_date").first(),
            pl.col("evidence_date").min(),
            pl.col("record_id").first(),
        )
    )


def _founded_together(stays: pl.DataFrame) -> pl.DataFrame:
    """Those whom the first delivery of a household names have lived in it since the earliest date stated for one of them:
    each row has its own day of registration, and a family registered over a month did not move in one by one."""
    import polars as pl

    founding = (pl.col("order") == 1) & (
        pl.col("snapshot_date") == pl.col("snapshot_date").min().over("household")
    )
    founded_on = pl.col("evidence_date").filter(founding).min().over("household")
    return stays.with_columns(evidence_date=pl.when(founding).then(founded_on).otherwise("evidence_date"))


def _dated(stays: pl.DataFrame) -> pl.DataFrame:
    """Dates of the stays. A stay begins with its first evidence, or with the delivery that first showed it when the
    stated date would put it before the stay it follows."""
    import polars as pl

    after_previous = pl.col("evidence_date") > pl.col("evidence_date").shift().over("person")
    begun = stays.sort("person", "order").with_columns(
        valid_from=pl.when((pl.col("order") == 1) | after_previous)
        .then("evidence_date")
        .otherwise("snapshot_date")
    )
    # Two deliveries of one day, or a snapshot as old as the stated date before it: days still have to rise.
    begun = begun.with_columns(
        valid_from=(
            (pl.col("valid_from").cast(pl.Int32) - pl.col("order").cast(pl.Int32)).cum_max().over("person")
            + pl.col("order").cast(pl.Int32)
        ).cast(pl.Date)
    )
    return begun.select(
        "person",
        "household",
        "valid_from",
        valid_to=pl.col("valid_from").shift(-1).over("person"),
        rule=pl.lit("household_number"),
        evidence_record_id="record_id",
    )


def _of_placed(others: pl.DataFrame, placed: pl.DataFrame, dated: pl.DataFrame) -> pl.DataFrame:
    """People outside the register in a registered household: from their first evidence on, not before the household was."""
    import polars as pl

    begun = dated.group_by("household").agg(pl.col("valid_from").min().alias("begun"))
    return _open_memberships(
        others.join(placed, on="person").join(begun, on="household", how="left", maintain_order="left"),
        pl.max_horizontal("first_evidence_date", "begun"),
    )


def _of_founded(others: pl.DataFrame, founded: pl.DataFrame) -> pl.DataFrame:
    """People of a household that no register names: all from the first evidence of one of them on."""
    import polars as pl

    return _open_memberships(
        others.join(founded, on="person"), pl.col("first_evidence_date").min().over("household")
    )


def _open_memberships(people: pl.DataFrame, valid_from: pl.Expr) -> pl.DataFrame:
    import polars as pl

    return people.select(
        "person",
        "household",
        valid_from=valid_from,
        valid_to=pl.lit(None, pl.Date),
        rule="rule",
        evidence_record_id="first_record_id",
    )


def _doors_of_households(stated: pl.DataFrame) -> pl.DataFrame:
    """door, household, is_current: a household lives behind the door most of its newest delivery names."""
    import polars as pl

    named = stated.filter(pl.col("door").is_not_null())
    uses = named.group_by("household", "door", "snapshot_date").agg(pl.len().alias("count"))
    newest = (
        uses.sort("household", "snapshot_date", "count", "door", descending=[False, True, True, False])
        .unique("household", keep="first", maintain_order=True)
        .select("household", "door", is_current=pl.lit(True))
    )
    return (
        uses.select("household", "door")
        .unique()
        .join(newest, on=["household", "door"], how="left")
        .with_columns(pl.col("is_current").fill_null(False))
        .select("door", "household", "is_current")
        .sort("door", "household")
    )


def _evidence(records: pl.DataFrame, stated: pl.DataFrame, current: pl.DataFrame) -> pl.DataFrame:
    """The household each record speaks of: the register's own rows their household, all others where the person is."""
    import polars as pl

    return (
        records.select("record_id", "person", "snapshot_date")
        .join(stated.select("record_id", stated_household="household"), on="record_id", how="left")
        .join(current.select("person", "household"), on="person", how="left")
        .select(
            "record_id",
            household=pl.coalesce("stated_household", "household"),
            first_seen="snapshot_date",
            is_registered=pl.col("stated_household").is_not_null(),
        )
        .sort("record_id")
    )


def _all_doors(
    doors: pl.DataFrame, records: pl.DataFrame, others: pl.DataFrame, homes: pl.DataFrame
) -> pl.DataFrame:
    """Doors of register households and of the people outside the register, theirs of old included."""
    import polars as pl

    newest = others.select("person", newest_door="door")
    named = (
        records.filter(pl.col("door").is_not_null())
        .select("person", "door")
        .unique()
        .join(newest, on="person")
        .join(homes.select("person", "household"), on="person")
        .select("door", "household", is_current=pl.col("door") == pl.col("newest_door"))
    )
    return (
        pl.concat([doors, named])
        .group_by("door", "household")
        .agg(pl.col("is_current").any())
        .sort("door", "household")
    )
