"""Where people live whom the household register does not know.

Belongs here: which of them belong to a registered household, and the households that the others found. Not here:
registered households (``linkage.register``), and the dates of memberships (``linkage.households``).

They go, in this order, to the registered household of their low-income block, to the one behind their door, to the one
whose phone they share; those left found a household with their block, else with the others behind their door, else
alone. Behind a door they are taken as *parties*: people of one block, phone or surname decide together. A party that
shares a phone or a surname with a registered household is part of it. A party that shares neither is another family
when it has two people or a block of its own; a single person is still counted among those registered there,
who far more often turn out to be the family. Measured: docs/decisions/0006-households-behind-one-door.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from linkage.graph import components

if TYPE_CHECKING:
    import polars as pl


def unregistered_people(records: pl.DataFrame, registered: pl.DataFrame) -> pl.DataFrame:
    """People the register does not know, one row each, sorted.

    Args:
        records: person records with ``person`` (int64) and ``door``.
        registered: person, household.

    Returns:
        person, door, address (newest each), where (door, else address), household_group (newest block),
        first_evidence_date, first_record_id, phones, surname, party (int64 label).
    """
    import polars as pl

    rows = records.join(registered.select("person"), on="person", how="anti")
    by_age = rows.sort("snapshot_date", "evidence_date", "record_id")
    people = (
        by_age.group_by("person", maintain_order=True)
        .agg(
            pl.col("door").drop_nulls().last(),
            pl.col("address").drop_nulls().last(),
            pl.col("household_group").drop_nulls().last(),
            pl.col("evidence_date").min().alias("first_evidence_date"),
            pl.col("record_id").sort_by("evidence_date", "record_id").first().alias("first_record_id"),
            _real_phones().unique().alias("phones"),
            pl.col("person_name_key").drop_nulls().last().str.slice(0, 1).alias("surname"),
        )
        .with_columns(where=pl.coalesce("door", "address"))
        .sort("person")
    )
    return people.with_columns(party=_parties(people))


def _real_phones() -> pl.Expr:
    import polars as pl

    return pl.col("phone_token").filter(pl.col("phone_kind").is_in(["mobile", "landline"])).drop_nulls()


def _parties(people: pl.DataFrame) -> pl.Series:
    """People of one block, or behind one door with a common phone or surname: label of each row of ``people``."""
    import numpy as np
    import polars as pl

    numbered = people.with_row_index("row")
    behind_door = numbered.filter(pl.col("where").is_not_null())
    ties = pl.concat(
        [
            numbered.select(
                "row", pl.lit("block").alias("kind"), "where", value="household_group"
            ).with_columns(where=pl.lit("")),
            behind_door.select("row", pl.lit("phone").alias("kind"), "where", value="phones").explode(
                "value"
            ),
            behind_door.select("row", pl.lit("surname").alias("kind"), "where", value="surname"),
        ]
    ).filter(pl.col("value").is_not_null())
    first_of_tie = ties.select("row", first=pl.col("row").min().over("kind", "where", "value"))
    label = components(
        np.concatenate([np.arange(people.height), first_of_tie["row"].to_numpy()]),
        np.concatenate([np.arange(people.height), first_of_tie["first"].to_numpy()]),
        people.height,
    )
    return pl.Series("party", label, dtype=pl.Int64)


def place_in_register(
    records: pl.DataFrame, others: pl.DataFrame, registered: pl.DataFrame, doors: pl.DataFrame
) -> pl.DataFrame:
    """Unregistered people who belong to a registered household: person, household, rule.

    Args:
        others: as ``unregistered_people`` gives them.
        registered: person, household.
        doors: door, household, is_current: of the registered households.
    """
    import polars as pl

    by_block = _by_block(records, others, registered)
    rest = others.join(by_block, on="person", how="anti")
    by_door = _by_door(records, rest, registered, doors)
    rest = rest.filter(pl.col("door").is_null()).join(by_door, on="person", how="anti")
    by_phone = _by_phone(records, rest, registered)
    return pl.concat([by_block, by_door, by_phone])


def _by_block(records: pl.DataFrame, others: pl.DataFrame, registered: pl.DataFrame) -> pl.DataFrame:
    """People of a household block (low-income) most of whose registered people live in one household."""
    import polars as pl

    votes = (
        records.filter(pl.col("household_group").is_not_null())
        .select("household_group", "person")
        .unique()
        .join(registered.select("person", "household"), on="person")
        .group_by("household_group", "household")
        .agg(pl.len().alias("votes"))
        .with_columns(
            is_clear=(pl.col("votes") == pl.col("votes").max().over("household_group"))
            & (pl.col("votes") * 2 > pl.col("votes").sum().over("household_group"))
        )
        .filter("is_clear")
    )
    return (
        others.filter(pl.col("household_group").is_not_null())
        .join(votes, on="household_group")
        .select("person", "household", rule=pl.lit("low_income_block"))
    )


def _phones_of_households(records: pl.DataFrame, registered: pl.DataFrame) -> pl.DataFrame:
    """phone_token, household: each number on a registered person's records, once a household."""
    import polars as pl

    return (
        records.filter(
            pl.col("phone_kind").is_in(["mobile", "landline"]) & pl.col("phone_token").is_not_null()
        )
        .select("person", "phone_token")
        .unique()
        .join(registered.select("person", "household"), on="person")
        .select("phone_token", "household")
        .unique()
    )


def _by_door(
    records: pl.DataFrame, others: pl.DataFrame, registered: pl.DataFrame, doors: pl.DataFrame
) -> pl.DataFrame:
    """Parties whose door is a registered household's: the one whose phone or surname fits best, or, for a single person
    whom neither ties to anybody, the only one behind it.

    Households that live behind the door now go before those that lived there once.
    """
    import polars as pl

    inhabited = registered.select("household").unique()
    homes = (
        doors.join(inhabited, on="household", how="semi")
        .with_columns(has_current=pl.col("is_current").any().over("door"))
        .filter(pl.col("is_current") | ~pl.col("has_current"))
        .select("door", "household", address=pl.col("door").str.split_exact("/", 1).struct.field("field_1"))
    )
    # An address whose community is unknown may be any of the doors of that name.
    candidates = (
        pl.concat(
            [
                others.filter(pl.col("door").is_not_null()).join(homes.drop("address"), on="door"),
                others.filter(pl.col("door").is_null()).join(homes.drop("door"), on="address"),
            ],
            how="diagonal",
        )
        .select("party", "household")
        .unique()
    )
    parties = others.group_by("party").agg(
        (pl.len() > 1).alias("is_group"), pl.col("household_group").is_not_null().any().alias("has_block")
    )
    surnames = (
        records.join(registered.select("person", "household"), on="person")
        .select("household", pl.col("person_name_key").str.slice(0, 1).alias("surname"))
        .drop_nulls()
        .unique()
    )
    same_phone = (
        candidates.join(others.select("party", "phones").explode("phones"), on="party")
        .join(
            _phones_of_households(records, registered),
            left_on=["phones", "household"],
            right_on=["phone_token", "household"],
        )
        .select("party", "household", shares_phone=pl.lit(True))
        .unique()
    )
    same_surname = (
        candidates.join(others.select("party", "surname").unique(), on="party")
        .join(surnames, on=["household", "surname"])
        .select("party", "household", shares_surname=pl.lit(True))
        .unique()
    )
    is_another_family = (pl.col("fit") == 0) & (pl.col("is_group") | pl.col("has_block"))
    fit = (
        candidates.join(same_phone, on=["party", "household"], how="left")
        .join(same_surname, on=["party", "household"], how="left")
        .join(parties, on="party")
        .with_columns(
            fit=pl.col("shares_phone").fill_null(False).cast(pl.Int8) * 2
            + pl.col("shares_surname").fill_null(False).cast(pl.Int8)
        )
        .with_columns(best=pl.col("fit").max().over("party"), count=pl.len().over("party"))
        .filter((pl.col("fit") == pl.col("best")) & ~is_another_family)
        .filter(pl.len().over("party") == 1)
        .select(
            "party",
            "household",
            rule=pl.when(pl.col("count") == 1)
            .then(pl.lit("door"))
            .when(pl.col("shares_phone").is_not_null())
            .then(pl.lit("door_and_phone"))
            .otherwise(pl.lit("door_and_surname")),
        )
    )
    return others.join(fit, on="party").select("person", "household", "rule").sort("person")


def _by_phone(records: pl.DataFrame, others: pl.DataFrame, registered: pl.DataFrame) -> pl.DataFrame:
    """People without a door who share a phone with the people of exactly one household."""
    import polars as pl

    phones = _phones_of_households(records, registered)
    return (
        others.select("person", "phones")
        .explode("phones")
        .join(phones, left_on="phones", right_on="phone_token")
        .select("person", "household")
        .unique()
        .filter(pl.len().over("person") == 1)
        .select("person", "household", rule=pl.lit("phone"))
        .sort("person")
    )


def found_households(others: pl.DataFrame, first_free: int) -> pl.DataFrame:
    """Households of people no registered household takes: person, household, rule.

    The people of one block are one household, wherever their other records say they live. Whoever else lives behind a
    door of theirs belongs to it; where several blocks are behind the door, to the one of the own party.

    Args:
        others: as ``unregistered_people`` gives them, without those already placed.
        first_free: the first household label that is not in use.
    """
    import polars as pl

    blocks = others.filter(pl.col("household_group").is_not_null())
    behind_door = (
        blocks.select("where", block_behind="household_group")
        .drop_nulls()
        .group_by("where")
        .agg(pl.col("block_behind").n_unique().alias("block_count"), pl.col("block_behind").min())
    )
    of_party = (
        blocks.group_by("party")
        .agg(
            pl.col("household_group").n_unique().alias("count"),
            pl.col("household_group").min().alias("own_block"),
        )
        .filter(pl.col("count") == 1)
        .select("party", "own_block")
    )
    keyed = (
        others.join(behind_door, on="where", how="left")
        .join(of_party, on="party", how="left")
        .with_columns(
            block=pl.coalesce(
                "household_group", "own_block", pl.when(pl.col("block_count") == 1).then("block_behind")
            )
        )
        .with_columns(
            key=pl.coalesce(
                pl.concat_str(pl.lit("block:"), "block"),
                pl.concat_str(pl.lit("door:"), "where"),
                pl.concat_str(pl.lit("person:"), "person"),
            ),
            rule=pl.when(pl.col("household_group").is_not_null())
            .then(pl.lit("low_income_block"))
            .when(pl.col("where").is_not_null())
            .then(pl.lit("door"))
            .otherwise(pl.lit("no_address")),
        )
    )
    return keyed.select(
        "person", household=pl.col("key").rank("dense").cast(pl.Int64) - 1 + first_free, rule="rule"
    ).sort("person")
