"""Living households as the household register states them.

Belongs here: what a household number means. A number is not yet a household: it may be used again for another family,
and one family may be in the register under two numbers. Not here: people the register does not know
(``linkage.households``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from linkage.graph import components

if TYPE_CHECKING:
    import polars as pl

# Two numbers are one household when more than half of all people ever under either are under both. Exactly half is
# a couple parted, and less a grown-up child gone.
SAME_HOUSEHOLD_OVERLAP: Final = 0.5


def register_households(records: pl.DataFrame) -> pl.DataFrame:
    """Household of every register row.

    Args:
        records: person records with ``person`` (int64), ``door`` and the staging columns.

    Returns:
        record_id, number, household (int64 label, the same for all rows of one household), sorted by record_id; only
        rows that state a household number.
    """
    import polars as pl

    rows = (
        records.filter(pl.col("source_household_no").is_not_null() & pl.col("household_group").is_not_null())
        .sort("record_id")
        .select(
            "record_id",
            "delivery_id",
            "snapshot_date",
            "person",
            "is_head",
            "person_name_pinyin",
            number="source_household_no",
        )
    )
    if rows.is_empty():
        return rows.select("record_id", "number", household=pl.lit(None, pl.Int64))
    parts = _families_under_each_number(rows)
    return _join_numbers_of_one_household(parts).select("record_id", "number", "household").sort("record_id")


def _families_under_each_number(rows: pl.DataFrame) -> pl.DataFrame:
    """Add ``part``: one label for each family a number ever stood for.

    Deliveries of a number belong to one family when they share a person. Deliveries without a common person are still
    one family (a later delivery may bring only what is new) unless each has a head of its own: then the number was
    used again.
    """
    import polars as pl

    sheets = rows.with_columns(
        sheet=pl.struct("number", "delivery_id").rank("dense").cast(pl.Int64) - 1,
        member=pl.struct("number", "person").rank("dense").cast(pl.Int64) - 1,
    )
    sheet_count = int(sheets["sheet"].max()) + 1  # type: ignore[arg-type]
    component = components(
        sheets["sheet"].to_numpy(),
        sheets["member"].to_numpy() + sheet_count,
        sheet_count + int(sheets["member"].max()) + 1,  # type: ignore[arg-type]
    )
    sheets = sheets.with_columns(part=pl.Series(component[sheets["sheet"].to_numpy()]))
    split = sheets.filter(pl.col("part").n_unique().over("number") > 1)
    if split.is_empty():
        return sheets
    replaced: dict[int, int] = {}
    for _, of_number in split.group_by("number", maintain_order=True):
        heads: dict[int, set[str]] = {}
        for (part,) in (
            of_number.sort("snapshot_date", "record_id")
            .select("part")
            .unique(maintain_order=True)
            .iter_rows()
        ):
            own = set(
                of_number.filter((pl.col("part") == part) & pl.col("is_head"))[
                    "person_name_pinyin"
                ].drop_nulls()
            )
            home = next(
                (other for other, names in heads.items() if not own or not names or own & names), None
            )
            if home is None:
                heads[part] = own
            else:
                heads[home] |= own
                replaced[part] = home
    return sheets.with_columns(part=pl.col("part").replace(replaced))


def _join_numbers_of_one_household(rows: pl.DataFrame) -> pl.DataFrame:
    """Add ``household``: parts whose people are mostly the same are one household under two numbers."""
    import numpy as np
    import polars as pl

    members = rows.select("part", "person").unique()
    sizes = members.group_by("part").agg(pl.len().alias("size"))
    shared = (
        members.join(members, on="person", suffix="_other")
        .filter(pl.col("part") < pl.col("part_other"))
        .group_by("part", "part_other")
        .agg(pl.len().alias("shared"))
        .join(sizes, on="part")
        .join(sizes.rename({"part": "part_other", "size": "size_other"}), on="part_other")
    )
    same = shared.filter(
        pl.col("shared") / (pl.col("size") + pl.col("size_other") - pl.col("shared")) > SAME_HOUSEHOLD_OVERLAP
    )
    parts = np.sort(sizes["part"].to_numpy())
    component = components(
        np.searchsorted(parts, same["part"].to_numpy()),
        np.searchsorted(parts, same["part_other"].to_numpy()),
        len(parts),
    )
    households = pl.DataFrame({"part": parts, "household": component})
    return rows.join(households, on="part", how="left")
