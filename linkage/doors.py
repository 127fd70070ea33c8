"""Which records name the same door.

Belongs here: one key for one door, from the address parts that ingest found. Not here: reading address text (ingest),
and who lives behind the door (``linkage.households``).

The key holds community, compound, building, unit and room, because compound names repeat across communities
(performance.md 2, Households). Two spellings of a compound are one when its people live behind the same doors of both. A
community that a record does not state is taken from the other records of the compound, or of the same address, when
they all agree; a missing unit from the one door of that room, when there is only one. In a compound none of whose
addresses names a unit, building and room are the whole door. What stays ambiguous has no door; ``address`` (all but the
community) and ``place`` (compound, building and room) still find candidates for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

_ADDRESS = (
    "address_key",
    "address_compound",
    "address_building",
    "address_unit",
    "address_room",
    "community_name",
)
# Of the people whose records name the rarer spelling of a compound, this share must live behind the same building, unit
# and room of the other spelling too. A clerk's slip between two real compounds moves few of many people.
_SAME_COMPOUND_SHARE: Final = 0.5
# A stray unit (a misread number) among hundreds of addresses does not give a compound units.
_STRAY_UNIT_SHARE: Final = 0.02


def add_doors(*frames: pl.DataFrame) -> list[pl.DataFrame]:
    """Add ``community``, ``place``, ``address`` and ``door`` (texts or null) to frames with the address columns of tables.md.

    The frames are looked at together, so that what one list leaves out another can tell.
    """
    import polars as pl

    spelled = _one_spelling(frames)
    everything = pl.concat([frame.select(_ADDRESS) for frame in spelled])
    located = [_with_community(frame, everything) for frame in spelled]
    pooled = pl.concat([frame.select(*_ADDRESS, "community") for frame in located])

    rooms = ["community", "address_compound", "address_building", "address_room"]
    full = pooled.filter(pl.col("address_key").is_not_null() & pl.col("community").is_not_null())
    only_address = (
        full.filter(pl.col("address_room") != "")
        .group_by(rooms)
        .agg(
            pl.col("address_key").n_unique().alias("count"), pl.col("address_key").min().alias("only_address")
        )
        .filter(pl.col("count") == 1)
        .drop("count")
    )
    unitless = (
        pooled.filter(pl.col("address_room").fill_null("") != "")
        .group_by("community", "address_compound")
        .agg((pl.col("address_unit").fill_null("") != "").mean().alias("unit_share"))
        .filter(pl.col("unit_share") < _STRAY_UNIT_SHARE)
        .select("community", "address_compound", has_no_units=pl.lit(True))
    )
    without_unit = pl.concat_str(
        "address_compound", "address_building", pl.lit(""), "address_room", separator="|"
    )
    address = pl.coalesce(
        "address_key",
        pl.when(pl.col("has_no_units") & (pl.col("address_room") != "")).then(without_unit),
        "only_address",
    )
    return [
        frame.join(only_address, on=rooms, how="left", maintain_order="left")
        .join(unitless, on=["community", "address_compound"], how="left", maintain_order="left")
        .with_columns(
            address=address,
            door=pl.concat_str("community", address, separator="/"),
            place=pl.concat_str(
                "address_compound", "address_building", pl.col("address_room").fill_null(""), separator="|"
            ),
        )
        .drop("only_address", "has_no_units")
        for frame in located
    ]


def _one_spelling(frames: tuple[pl.DataFrame, ...]) -> list[pl.DataFrame]:
    """The frames with one name a compound: ``八里村8巷`` for ``八里村八巷``, ``南镇大楼`` for ``大楼``.

    Lists cut and spell names in more ways than any reader knows, but a person with an id does not move into another
    compound and find the same building, unit and room there. The rarer spelling becomes the commoner one.
    """
    import polars as pl

    numbers = ["address_building", "address_unit", "address_room"]
    lived = [
        frame.select("id_no_token", "address_compound", *numbers)
        for frame in frames
        if "id_no_token" in frame.columns
    ]
    if not lived:
        return list(frames)
    homes = (
        pl.concat(lived)
        .filter(
            pl.col("id_no_token").is_not_null()
            & pl.col("address_compound").is_not_null()
            & (pl.col("address_building").fill_null("") != "")
            & (pl.col("address_room").fill_null("") != "")
        )
        .with_columns(pl.col("address_unit").fill_null(""))
        .unique()
    )
    sizes = homes.group_by("address_compound").agg(pl.col("id_no_token").n_unique().alias("size"))
    same = (
        homes.join(homes, on=["id_no_token", *numbers], suffix="_common")
        .filter(pl.col("address_compound") != pl.col("address_compound_common"))
        .group_by("address_compound", "address_compound_common")
        .agg(pl.col("id_no_token").n_unique().alias("support"))
        .join(sizes, on="address_compound")
        .join(
            sizes.rename({"address_compound": "address_compound_common", "size": "size_common"}),
            on="address_compound_common",
        )
        .filter(
            (pl.col("support") >= _SAME_COMPOUND_SHARE * pl.col("size"))
            & (
                (pl.col("size_common") > pl.col("size"))
                | (
                    (pl.col("size_common") == pl.col("size"))
                    & (pl.col("address_compound_common") < pl.col("address_compound"))
                )
            )
        )
        .sort("address_compound", "size_common", "address_compound_common", descending=[False, True, False])
        .unique("address_compound", keep="first", maintain_order=True)
    )
    spelling = dict(same.select("address_compound", "address_compound_common").iter_rows())
    for name in spelling:
        while spelling[name] in spelling:
            spelling[name] = spelling[spelling[name]]
    compound = pl.col("address_compound").replace(spelling)
    return [
        frame.with_columns(
            address_compound=compound,
            address_key=pl.when(compound == pl.col("address_compound"))
            .then("address_key")
            .otherwise(
                pl.when(pl.col("address_key").is_not_null()).then(
                    pl.concat_str(compound, *(pl.col(part).fill_null("") for part in numbers), separator="|")
                )
            ),
        )
        for frame in frames
    ]


def _with_community(frame: pl.DataFrame, everything: pl.DataFrame) -> pl.DataFrame:
    """``community``: as stated, else the only one of the compound, else the only one of the address.

    Empty when no record says where the compound is; null when records say different things.
    """
    import polars as pl

    stated = everything.filter(pl.col("community_name").is_not_null())

    def only_one(key: str, name: str) -> pl.DataFrame:
        return (
            stated.filter(pl.col(key).is_not_null())
            .group_by(key)
            .agg(
                pl.col("community_name").n_unique().alias(f"{name}_count"),
                pl.col("community_name").min().alias(name),
            )
            .with_columns(pl.when(pl.col(f"{name}_count") == 1).then(name).alias(name))
        )

    nowhere = pl.when(pl.col("of_compound_count").is_null() & pl.col("address_compound").is_not_null())
    return (
        frame.join(
            only_one("address_compound", "of_compound"),
            on="address_compound",
            how="left",
            maintain_order="left",
        )
        .join(only_one("address_key", "of_address"), on="address_key", how="left", maintain_order="left")
        .with_columns(
            community=pl.coalesce("community_name", "of_compound", "of_address", nowhere.then(pl.lit("")))
        )
        .drop("of_compound", "of_compound_count", "of_address", "of_address_count")
    )
