"""Pairs that only the home shows to be one person, where id or birth date are missing or miswritten.

Belongs here: the same or nearly the same name in one household of a list, or behind one door, and what forbids to take it
for one person. Not here: weighed evidence (``linkage.model``), joining (``linkage.clusters``).

A record that says too little is no proof of another person. But a list that names two at once knows two: such names
are never joined here, nor are two ids, two sexes, or birth dates that no slip of the pen explains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

_HOUSEHOLD_NAME_WEIGHT: Final = 12.0
_DOOR_NAME_WEIGHT: Final = 8.0
_LIST_PLACE_WEIGHT: Final = 6.0
# The lunar birthday written as if it were solar is up to two months off.
_LUNAR_MAX_DAYS: Final = 60
# A home with more profiles than this is an institution, and its names prove nothing.
_MAX_PROFILES: Final = 40


def same_home_pairs(records: pl.DataFrame, of_record: pl.DataFrame, profiles: pl.DataFrame) -> pl.DataFrame:
    """Accepted pairs of profiles: left, right (left < right), weight, rule.

    The rules: ``same_household_and_name`` (one name under one household number or in one block), ``same_door_and_name``,
    ``same_place_in_list`` (a name of one sound or one other character that stands in a list in the stead of the usual
    one, with the same birth date, or with the same phone where a birth date is missing).

    Args:
        records: with ``door``.
        of_record: record_id, profile.
        profiles: unique_id, own_id, name, pinyin, birth_date, sex, phone.
    """
    import polars as pl

    facts = ("own_id", "name", "pinyin", "birth_date", "sex", "phone")
    rows = (
        records.select("record_id", "list_code", "delivery_id", "household_group", "door")
        .join(of_record, on="record_id")
        .join(profiles.select(*facts, profile="unique_id"), on="profile")
        .filter(pl.col("name").is_not_null())
    )
    found = []
    for place, rule, weight in (
        ("household_group", "same_household_and_name", _HOUSEHOLD_NAME_WEIGHT),
        ("door", "same_door_and_name", _DOOR_NAME_WEIGHT),
    ):
        at_home = rows.with_columns(home=place).filter(pl.col("home").is_not_null())
        pairs = _possible_pairs(at_home, facts)
        at_home = at_home.join(pairs.select("home").unique(), on="home", how="semi")
        named = pairs.filter(pl.col("name") == pl.col("name_right")).join(
            _two_of_one_name(at_home), on=["home", "name"], how="anti"
        )
        found.append(named.select("left", "right", weight=pl.lit(weight), rule=pl.lit(rule)))
        found.append(
            _in_the_stead(at_home, pairs).select(
                "left", "right", weight=pl.lit(_LIST_PLACE_WEIGHT), rule=pl.lit("same_place_in_list")
            )
        )
    return pl.concat(found).unique().sort("left", "right", "weight")


def _possible_pairs(at_home: pl.DataFrame, facts: tuple[str, ...]) -> pl.DataFrame:
    """Pairs of profiles of one home and one surname that neither ids nor sex nor birth date tell apart."""
    import polars as pl

    people = (
        at_home.unique(["home", "profile"])
        .filter(pl.len().over("home").is_between(2, _MAX_PROFILES))
        .select("home", "profile", *facts, surname=pl.col("name").str.slice(0, 1))
    )
    return (
        people.join(people, on=["home", "surname"], suffix="_right")
        .rename({"profile": "left", "profile_right": "right"})
        .filter(
            (pl.col("left") < pl.col("right"))
            & (pl.col("own_id") == pl.col("own_id_right")).fill_null(True)
            & (pl.col("sex") == pl.col("sex_right")).fill_null(True)
            & _is_one_day_miswritten(pl.col("birth_date"), pl.col("birth_date_right")).fill_null(True)
        )
    )


def _is_one_day_miswritten(one: pl.Expr, other: pl.Expr) -> pl.Expr:
    """The same day, a lunar one or a slip near it, day and month exchanged, another year or another month only; null when
    a date is unknown.
    """
    exchanged = (
        (one.dt.year() == other.dt.year())
        & (one.dt.month() == other.dt.day())
        & (one.dt.day() == other.dt.month())
    )
    same_year_or_month = (one.dt.year() == other.dt.year()) | (one.dt.month() == other.dt.month())
    other_part = same_year_or_month & (one.dt.day() == other.dt.day())
    return ((one - other).dt.total_days().abs() <= _LUNAR_MAX_DAYS) | exchanged | other_part


def _two_of_one_name(at_home: pl.DataFrame) -> pl.DataFrame:
    """(home, name) of which some delivery names two people at once."""
    import polars as pl

    key = ["home", "name"]
    return (
        at_home.group_by(*key, "delivery_id")
        .agg(
            pl.col("own_id", "birth_date", "sex").drop_nulls().n_unique(),
            groups=pl.col("household_group").drop_nulls().n_unique(),
        )
        .filter(pl.max_horizontal("own_id", "birth_date", "sex", "groups") > 1)
        .select(key)
        .unique()
    )


def _in_the_stead(at_home: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Pairs of like names of which a list has one in one delivery and the other in another, and none has both.

    A name that could stand for two others of the home stands for neither.
    """
    import polars as pl

    like = pairs.filter(
        (pl.col("name") != pl.col("name_right"))
        & ((pl.col("pinyin") == pl.col("pinyin_right")).fill_null(False) | _one_character_apart())
        & (pl.col("own_id").is_null() | pl.col("own_id_right").is_null())
    )
    listed = (
        at_home.join(like.select("home").unique(), on="home", how="semi")
        .select("home", "name", "list_code", "delivery_id")
        .unique()
    )
    beside = listed.join(listed, on=["home", "list_code"], suffix="_right").filter(
        pl.col("name") != pl.col("name_right")
    )
    is_same = pl.col("delivery_id") == pl.col("delivery_id_right")
    replaced = (
        beside.group_by("home", "name", "name_right")
        .agg(is_same.any().alias("is_together"))
        .filter(~pl.col("is_together"))
    )
    same_day = (pl.col("birth_date") == pl.col("birth_date_right")).fill_null(False)
    same_phone = (pl.col("phone") == pl.col("phone_right")).fill_null(False)
    no_day = pl.col("birth_date").is_null() | pl.col("birth_date_right").is_null()
    names = like.join(replaced, on=["home", "name", "name_right"]).filter(same_day | (no_day & same_phone))
    either = pl.concat(
        [
            names.select("home", "name", other="name_right"),
            names.select("home", "name_right", other="name").rename({"name_right": "name"}),
        ]
    ).unique()
    ambiguous = either.filter(pl.len().over("home", "name") > 1).select("home", "name").unique()
    return names.join(ambiguous, on=["home", "name"], how="anti").join(
        ambiguous.rename({"name": "name_right"}), on=["home", "name_right"], how="anti"
    )


def _one_character_apart() -> pl.Expr:
    """Names of equal length (2 to 4 characters) that differ in one character after the surname."""
    import polars as pl

    def differs(place: int) -> pl.Expr:
        return pl.col("name").str.slice(place, 1) != pl.col("name_right").str.slice(place, 1)

    return (pl.col("name").str.len_chars() == pl.col("name_right").str.len_chars()) & (
        pl.sum_horizontal(differs(place).cast(pl.Int8) for place in (1, 2, 3)) == 1
    )
