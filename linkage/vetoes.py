"""What speaks against a pair, however much of it agrees: kin share surname, door, phone, and twins the birth date too.

Belongs here: the pairs that must not be joined (performance.md 1 and 7, hints 2 and 3). Not here: weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

# Comparison levels of ``linkage.model``, best first in each field; Splink numbers them from the else level up.
_SAME_ID, _MASK_FITS, _NEAR_WRONG_ID, _NEAR_RIGHT_ID, _OTHER_ID = 4, 3, 2, 1, 0
_SAME_NAME, _SAME_SOUND, _ONE_CHARACTER, _SAME_SURNAME, _OTHER_NAME = 4, 3, 2, 1, 0
_SAME_DAY, _ONE_SLIP, _SIXTY_DAYS = 4, 3, 2
_WITHIN_A_YEAR, _OTHER_DAY = 1, 0
_SAME_DOOR, _SAME_ROOM = 4, 3
_UNKNOWN = -1


def look_like_kin(profiles: pl.DataFrame, pairs: pl.DataFrame) -> pl.Series:
    """True for each pair whose agreement is that of relatives or namesakes, not of one person.

    Args:
        profiles: numbered by ``unique_id`` from 0.
        pairs: left, right and the comparison levels, as ``model.score_pairs`` gives them.
    """

    level = {name: pairs[f"level_{name}"] for name in ("id_no", "name", "birth_date", "sex", "phone", "door")}
    has_own = profiles["own_id"].is_not_null()
    both_own = has_own.gather(pairs["left"]) & has_own.gather(pairs["right"])
    same_name_or_sound = level["name"] >= _SAME_SOUND
    same_day = level["birth_date"] == _SAME_DAY
    near = (level["phone"] == 1) | (level["door"] >= _SAME_ROOM)
    id_supports = level["id_no"] >= _NEAR_WRONG_ID

    # Two right ids: two people, unless all else is one person (an old wrong id, corrected).
    two_right_ids = both_own & level["id_no"].is_in([_OTHER_ID, _NEAR_RIGHT_ID])
    veto = two_right_ids & ~(same_name_or_sound & same_day & near)
    # An unlike name needs the id, the birth date and a tie of phone or door; kin share the last two.
    unlike = level["name"].is_in([_OTHER_NAME, _SAME_SURNAME])
    veto |= unlike & ~(id_supports & same_day & near)
    # One character apart: brothers and sisters share a character, twins the day as well.
    one_character = level["name"] == _ONE_CHARACTER
    no_id_to_compare = level["id_no"] == _UNKNOWN
    veto |= one_character & ~(id_supports | (no_id_to_compare & same_day & near))
    veto |= one_character & (level["sex"] == 0) & ~id_supports
    # Another birth date: only the id can outweigh it, or a full name with both phone and door.
    strong_tie = (
        same_name_or_sound & (level["phone"] == 1) & (level["door"] == _SAME_DOOR) & (level["sex"] != 0)
    )
    day_differs = level["birth_date"].is_in([_OTHER_DAY, _WITHIN_A_YEAR])
    veto |= day_differs & ~(id_supports & (level["name"] >= _ONE_CHARACTER)) & ~strong_tie
    return veto.alias("vetoed")


def pairs_listed_apart(records: pl.DataFrame) -> set[frozenset[str]]:
    """Pairs of particulars that one delivery lists side by side in one household.

    A list that names two like people at once knows two people, so their likeness is no typing slip, whatever another
    list says of one of them. Like means: of one birth date (twins) or one name, told by ``name|birth date``; or of one
    sound, told by ``name@place``.
    """
    import polars as pl

    listed = records.filter(pl.col("household_group").is_not_null()).select(
        "household_group",
        "delivery_id",
        birth_date="known_birth_date",
        name="person_name_key",
        pinyin="person_name_pinyin",
        with_birth_date=pl.concat_str("person_name_key", "known_birth_date", separator="|"),
        with_place=pl.concat_str("person_name_key", "place", separator="@"),
    )
    pairs: set[frozenset[str]] = set()
    for likeness, told_by in (
        ("name", "with_birth_date"),
        ("birth_date", "with_birth_date"),
        ("pinyin", "with_place"),
    ):
        key = ["household_group", "delivery_id", likeness]
        rows = listed.select(*key, told_by).drop_nulls().unique().filter(pl.len().over(key) > 1)
        beside = rows.join(rows, on=key, suffix="_beside").filter(
            pl.col(told_by) < pl.col(f"{told_by}_beside")
        )
        if likeness == "pinyin":
            beside = beside.filter(
                pl.col(told_by).str.split("@").list[0] != pl.col(f"{told_by}_beside").str.split("@").list[0]
            )
        pairs.update(frozenset(pair) for pair in beside.select(told_by, f"{told_by}_beside").iter_rows())
    return pairs


def are_listed_apart(profiles: pl.DataFrame, pairs: pl.DataFrame, listed: set[frozenset[str]]) -> pl.Series:
    """True for each pair whose particulars some delivery lists side by side as two people.

    One id and one sound is one person entered twice all the same.
    """
    import polars as pl

    told: list[list[Any]] = [
        profiles.select(pl.concat_str("name", column, separator=separator)).to_series().to_list()
        for column, separator in (("birth_date", "|"), ("place", "@"))
    ]
    entered_twice = (pairs["level_id_no"] == _SAME_ID) & (pairs["level_name"] >= _SAME_SOUND)
    differs = pairs["level_name"].is_in([_SAME_SOUND, _ONE_CHARACTER, _SAME_SURNAME, _OTHER_NAME]) | pairs[
        "level_birth_date"
    ].is_in([_OTHER_DAY, _WITHIN_A_YEAR, _SIXTY_DAYS, _ONE_SLIP])
    apart = [
        is_suspect and any(frozenset((facts[left], facts[right])) in listed for facts in told)
        for left, right, is_suspect in zip(
            pairs["left"], pairs["right"], differs & ~entered_twice, strict=True
        )
    ]
    return pl.Series("known_apart", apart, dtype=pl.Boolean)


def are_namesakes(profiles: pl.DataFrame, pairs: pl.DataFrame, records: pl.DataFrame) -> pl.Series:
    """True for each pair of one name and one birth date whom a list of persons names at once behind two doors.

    Two newborns of one name on one day have nothing yet that tells them apart but where they live. An id or a common
    phone outweighs it: that is one person listed twice. Only building and room are compared, because one compound is
    spelled in many ways.
    """
    import polars as pl

    spot = pl.col("place").str.splitn("|", 2).struct.field("field_1").alias("spot")
    key = ["delivery_id", "name", "birth_date"]
    rows = (
        records.filter(pl.col("household_group").is_null() & pl.col("place").is_not_null())
        .select("delivery_id", name="person_name_key", birth_date="known_birth_date", place="place")
        .with_columns(spot)
        .drop_nulls()
        .filter(pl.col("spot").str.contains(r"^[^|]+\|[^|]+$"))
        .unique([*key, "spot"])
        .filter(pl.len().over(key) > 1)
    )
    at_once = (
        rows.join(rows, on=key, suffix="_beside")
        .filter(pl.col("spot") != pl.col("spot_beside"))
        .select("name", "birth_date", "spot", "spot_beside", is_namesake=pl.lit(True))
        .unique()
    )
    facts = profiles.select("name", "birth_date", spot)
    left, right = facts[pairs["left"]], facts[pairs["right"]]
    suspects = left.with_columns(
        spot_beside=right["spot"],
        is_open=(pairs["level_name"] == _SAME_NAME)
        & (pairs["level_birth_date"] == _SAME_DAY)
        & (pairs["level_id_no"] == _UNKNOWN)
        & (pairs["level_phone"] != 1),
    )
    return suspects.join(
        at_once, on=["name", "birth_date", "spot", "spot_beside"], how="left", maintain_order="left"
    ).select((pl.col("is_open") & pl.col("is_namesake")).fill_null(False).alias("namesakes"))["namesakes"]
