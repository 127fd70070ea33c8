"""Which household a record is about that names no person of its own: a visit, a problem, a questionnaire, a need of the
whole family.

Belongs here: such a record's number, door and the name it gives (the head visited, who reported, who answered) against
the households. It never makes a household and never moves one: when neither number nor door tells, the household stays
unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from linkage.households import HouseholdLinks


def link_household_records(
    about_households: pl.DataFrame, records: pl.DataFrame, households: HouseholdLinks
) -> pl.DataFrame:
    """Decide which household each record is about.

    Args:
        about_households: household records with ``door``.
        records: person records with ``person``.
        households: of the persons.

    Returns:
        record_id, household (null when unknown), link_rule, link_probability, sorted by record_id. The rules, in order:
        the household number as of the record's day (``household_number``; of several households that bore it, the one
        with the name, else the newest known by then), the name behind the door
        (``door_and_head``; also before a number whose household has neither that name nor that door: the number is
        the slip), the only household behind the door (``door``), of several the only one with the surname
        (``door_and_surname``), the only household with somebody of the name at an address
        that is less complete but does not differ (``place_and_head``: 8栋 without the room, a house number that may
        be a door or a whole compound), ``unknown_household``.
    """
    import polars as pl

    names = (
        records.join(households.current.select("person", "household"), on="person")
        .select("household", contact_name_key="person_name_key")
        .drop_nulls()
        .unique()
        .with_columns(has_head=pl.lit(True))
    )
    asked = about_households.sort("record_id").select(
        "record_id", "contact_name_key", "door", "evidence_date", number="source_household_no"
    )
    at_door = asked.join(households.doors, on="door").select(
        "record_id", "contact_name_key", "household", "is_current"
    )
    by_head = _only_one(at_door.join(names, on=["household", "contact_name_key"]), "door_and_head", 1.0)
    by_number = (
        asked.join(households.numbers, on="number")
        .join(names, on=["household", "contact_name_key"], how="left")
        .join(
            at_door.select("record_id", "household", has_door=pl.lit(True)),
            on=["record_id", "household"],
            how="left",
        )
        .join(by_head.select("record_id", fits_better=pl.lit(True)), on="record_id", how="left")
        .with_columns(
            pl.col("has_head", "has_door", "fits_better").fill_null(False),
            is_known_by_then=pl.col("first_seen") <= pl.col("evidence_date"),
        )
        .filter(pl.col("has_head") | pl.col("has_door") | ~pl.col("fits_better"))
        .sort(
            "record_id",
            "has_head",
            "is_known_by_then",
            "last_seen",
            "household",
            descending=[False, True, True, True, False],
        )
        .unique("record_id", keep="first", maintain_order=True)
        .select("record_id", "household", link_rule=pl.lit("household_number"), link_probability=pl.lit(1.0))
    )
    by_head = by_head.join(by_number, on="record_id", how="anti")
    told = pl.concat([by_number, by_head])
    alone = at_door.filter("is_current").join(told, on="record_id", how="anti")
    told = pl.concat([told, _only_one(alone, "door", 0.9)])
    of_surname = (
        at_door.filter("is_current")
        .join(told, on="record_id", how="anti")
        .with_columns(surname=pl.col("contact_name_key").str.slice(0, 1))
        .join(
            names.select("household", surname=pl.col("contact_name_key").str.slice(0, 1)).unique(),
            on=["household", "surname"],
        )
    )
    told = pl.concat([told, _only_one(of_surname, "door_and_surname", 0.8)])
    vague = about_households.join(told, on="record_id", how="anti")
    found = pl.concat([told, _by_place_and_head(vague, records, households, names)])
    return (
        asked.select("record_id")
        .join(found, on="record_id", how="left")
        .with_columns(
            pl.col("link_rule").fill_null("unknown_household"), pl.col("link_probability").fill_null(0.0)
        )
        .sort("record_id")
    )


def _by_place_and_head(
    vague: pl.DataFrame, records: pl.DataFrame, households: HouseholdLinks, names: pl.DataFrame
) -> pl.DataFrame:
    """Records whose address does not name a door: the one household with somebody of the name that the address may mean.

    Building, unit and room contradict only when both addresses name them.
    """
    import polars as pl

    parts = ("community", "address_building", "address_unit", "address_room")

    def places(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.select(
            "address_compound",
            # A whole house has no unit and no room, a compound of unknown place no community: that contradicts none.
            *(pl.when(pl.col(part) != "").then(part).alias(part) for part in parts),
            *(name for name in ("record_id", "contact_name_key", "household") if name in frame.columns),
        ).filter(pl.col("address_compound").is_not_null())

    lived = places(
        records.join(households.current.select("person", "household"), on="person").drop("record_id")
    )
    possible = (
        places(vague)
        .join(lived.unique(), on="address_compound", suffix="_lived")
        .filter(
            pl.all_horizontal((pl.col(part) == pl.col(f"{part}_lived")).fill_null(True) for part in parts)
        )
        .join(names, on=["household", "contact_name_key"])
        .with_columns(is_current=pl.lit(True))
    )
    return _only_one(possible, "place_and_head", 0.95)


def _only_one(candidates: pl.DataFrame, rule: str, probability: float) -> pl.DataFrame:
    """Records with exactly one candidate household; one that lives there now goes before one that did."""
    import polars as pl

    return (
        candidates.filter(pl.col("is_current") == pl.col("is_current").max().over("record_id"))
        .select("record_id", "household")
        .unique()
        .filter(pl.len().over("record_id") == 1)
        .select("record_id", "household", link_rule=pl.lit(rule), link_probability=pl.lit(probability))
        .sort("record_id")
    )
