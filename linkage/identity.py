"""The identity ledger's rules: how persons and households keep their ids from one run to the next.

Belongs here: given the new groups of records and what the ledger remembers, which id each group bears and
which events that makes. Pure: polars frames in, frames out, no database (``linkage.ledger`` reads and writes)
and no idea what makes records belong together (``linkage.persons``, ``linkage.households``).

The rules, in order:

1. An id stays with the group that holds most of its records (the larger part of a split keeps it).
2. A group in which several ids so meet bears the oldest active one; the others are ``merged_into`` it. The id of a
   household that the register names goes before the ids of households known from other lists alone, however old: one
   record that could not be placed must not rename a family.
3. A group left without an id takes back the id its records bore first, if that id is out of use now
   (``reinstated``: a merge was a mistake, or a withdrawn delivery came back), else an id is ``minted``;
   when its records bore an id that another group keeps, it is ``split_from`` that id.
4. An active id none of whose records is there any more is ``retired``, unless the run speaks of an earlier day than
   the ledger knows: then its records are merely not there yet.

Ties are broken by the smallest record id, so that the outcome does not depend on the order of rows. A run on
unchanged groups yields no event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from linkage.ids import format_id

if TYPE_CHECKING:
    import polars as pl

_REASONS = {
    ("person", "minted"): "首次出现",
    ("household", "minted"): "首次出现",
    ("person", "merged_into"): "记录表明是同一个人",
    ("household", "merged_into"): "记录表明是同一居住家庭",
    ("person", "split_from"): "记录表明是不同的人",
    ("household", "split_from"): "部分成员另成一户",
    ("person", "retired"): "全部来源记录已不在",
    ("household", "retired"): "全部来源记录已不在",
    ("person", "reinstated"): "来源记录恢复",
    ("household", "reinstated"): "来源记录恢复",
}


@dataclass(frozen=True)
class LedgerState:
    """What the ledger remembers of one entity (``person`` or ``household``).

    ``identities``: entity_id, serial (int64), status, resolves_to, one row an id ever minted.
    ``memory``: record_id, entity_id, first_entity_id, one row a record that ever supported an id.
    """

    entity: str
    identities: pl.DataFrame
    memory: pl.DataFrame


@dataclass(frozen=True)
class LedgerChange:
    """What one run changes. Frames are empty when nothing does.

    ``group_ids``: group, entity_id, one row a group.
    ``events``: entity_id, event, other_id, reason, in the order they are to be recorded.
    ``new_identities``: entity_id, serial. ``changed_identities``: entity_id, status, resolves_to.
    ``changed_memory``: record_id, entity_id, first_entity_id.
    """

    group_ids: pl.DataFrame
    events: pl.DataFrame
    new_identities: pl.DataFrame
    changed_identities: pl.DataFrame
    changed_memory: pl.DataFrame

    def count(self, event: str) -> int:
        """Number of events of one kind."""
        return int((self.events["event"] == event).sum())


def assign_ids(state: LedgerState, groups: pl.DataFrame, *, may_retire: bool = True) -> LedgerChange:
    """Decide the id of every group of records.

    Args:
        state: the ledger before this run.
        groups: record_id (unique), group (int64), first_seen (date): every record there is now. ``first_seen``
            orders the minting, so that serials follow the arrival of people, not the accident of a hash. For
            households also is_registered: whether the record is a row of the household register.
        may_retire: whether records that are not there have gone. False for a business date before the ledger's
            newest event.
    """
    import polars as pl

    if "is_registered" not in groups.columns:
        groups = groups.with_columns(is_registered=pl.lit(False))
    identities = state.identities.select("entity_id", "serial", "status", "resolves_to")
    # A record that was away while its id merged supports the id that survived.
    redirect = identities.filter(pl.col("status") == "merged").select("entity_id", "resolves_to")
    remembered = (
        state.memory.join(redirect, on="entity_id", how="left")
        .with_columns(entity_id=pl.coalesce("resolves_to", "entity_id"))
        .drop("resolves_to")
    )
    known = groups.join(remembered, on="record_id", how="left")
    group_facts = groups.group_by("group").agg(
        pl.col("record_id").min().alias("min_record"), pl.col("first_seen").min()
    )
    overlap = (
        known.filter(pl.col("entity_id").is_not_null())
        .group_by("group", "entity_id")
        .agg(pl.len().alias("shared"), pl.col("is_registered").any())
        .join(group_facts.select("group", "min_record"), on="group")
        .join(identities, on="entity_id", how="left")
    )

    kept = overlap.sort("entity_id", "shared", "min_record", descending=[False, True, False]).unique(
        "entity_id", keep="first", maintain_order=True
    )
    ranked = kept.with_columns(is_out=pl.col("status") != "active").sort(
        "group", "is_out", "is_registered", "serial", descending=[False, False, True, False]
    )
    survivors = ranked.unique("group", keep="first", maintain_order=True).select(
        "group", "entity_id", "serial", "status"
    )
    losers = ranked.join(survivors, on="entity_id", how="anti").join(
        survivors.select("group", survivor="entity_id"), on="group"
    )

    nameless = group_facts.join(survivors, on="group", how="anti")
    returned = _ids_taken_back(known, nameless, identities, taken=kept["entity_id"])
    nameless = nameless.join(returned, on="group", how="anti").sort("first_seen", "min_record")
    next_serial = int(identities["serial"].max() or 0) + 1  # type: ignore[arg-type]
    serials = list(range(next_serial, next_serial + nameless.height))
    minted = nameless.select("group").with_columns(
        entity_id=pl.Series([format_id(state.entity, serial) for serial in serials], dtype=pl.String),
        serial=pl.Series(serials, dtype=pl.Int64),
    )
    origin = overlap.sort("group", "shared", "serial", descending=[False, True, False]).unique(
        "group", keep="first", maintain_order=True
    )
    split = (
        pl.concat([minted.select("group", "entity_id", "serial"), returned])
        .join(origin.select("group", other_id="entity_id"), on="group")
        .sort("serial")
    )
    reinstated = pl.concat(
        [
            survivors.filter(pl.col("status") == "retired").select("entity_id", "serial"),
            returned.select("entity_id", "serial"),
        ]
    ).sort("serial")
    retired = (
        identities.filter(pl.col("status") == "active", pl.lit(may_retire))
        .join(overlap.select("entity_id").unique(), on="entity_id", how="anti")
        .sort("serial")
    )

    group_ids = pl.concat(
        [survivors.select("group", "entity_id"), returned.select("group", "entity_id"), minted.drop("serial")]
    )
    # A split-off part that takes an old id back says where it came from in its own event.
    split_of_minted = split.join(minted.select("entity_id"), on="entity_id", how="semi")
    back_with_origin = reinstated.join(split.select("entity_id", "other_id"), on="entity_id", how="left")
    merged = losers.filter(pl.col("status") != "merged").sort("serial")
    events = pl.concat(
        [
            _events(state.entity, "minted", minted.select("entity_id", other_id=pl.lit(None, pl.String))),
            _events(state.entity, "reinstated", back_with_origin.select("entity_id", "other_id")),
            _events(state.entity, "split_from", split_of_minted.select("entity_id", "other_id")),
            _events(state.entity, "merged_into", merged.select("entity_id", other_id="survivor")),
            _events(state.entity, "retired", retired.select("entity_id", other_id=pl.lit(None, pl.String))),
        ]
    )
    return LedgerChange(
        group_ids=group_ids.sort("group"),
        events=events,
        new_identities=minted.select("entity_id", "serial"),
        changed_identities=_changed_identities(identities, reinstated, merged, retired),
        changed_memory=_changed_memory(state.memory, groups, group_ids),
    )


def _ids_taken_back(
    known: pl.DataFrame, nameless: pl.DataFrame, identities: pl.DataFrame, *, taken: pl.Series
) -> pl.DataFrame:
    """Rule 3: out-of-use ids that return to the nameless groups (group, entity_id, serial)."""
    import polars as pl

    idle = identities.filter(pl.col("status") != "active", ~pl.col("entity_id").is_in(taken.implode()))
    claims = (
        known.join(nameless.select("group", "min_record"), on="group")
        .filter(pl.col("first_entity_id").is_not_null())
        .group_by("group", "min_record", pl.col("first_entity_id").alias("entity_id"))
        .agg(pl.len().alias("shared"))
        .join(idle.select("entity_id", "serial"), on="entity_id")
    )
    best_group = claims.sort("entity_id", "shared", "min_record", descending=[False, True, False]).unique(
        "entity_id", keep="first", maintain_order=True
    )
    return (
        best_group.sort("group", "shared", "serial", descending=[False, True, False])
        .unique("group", keep="first", maintain_order=True)
        .select("group", "entity_id", "serial")
    )


def _events(entity: str, event: str, rows: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    return rows.select(
        "entity_id",
        pl.lit(event).alias("event"),
        pl.col("other_id").cast(pl.String),
        pl.lit(_REASONS[(entity, event)]).alias("reason"),
    )


def _changed_identities(
    identities: pl.DataFrame, reinstated: pl.DataFrame, merged: pl.DataFrame, retired: pl.DataFrame
) -> pl.DataFrame:
    """New status of the ids that changed. Ids that pointed to a newly merged id follow it to its survivor."""
    import polars as pl

    moved = merged.select("entity_id", resolves_to="survivor")
    followers = (
        identities.filter(pl.col("status") == "merged")
        .join(reinstated, on="entity_id", how="anti")
        .select("entity_id", points_to="resolves_to")
        .join(moved.rename({"entity_id": "points_to"}), on="points_to")
        .select("entity_id", pl.lit("merged").alias("status"), "resolves_to")
    )
    return pl.concat(
        [
            reinstated.select("entity_id", pl.lit("active").alias("status"), resolves_to="entity_id"),
            moved.select("entity_id", pl.lit("merged").alias("status"), "resolves_to"),
            followers,
            retired.select(
                "entity_id", pl.lit("retired").alias("status"), pl.lit(None, pl.String).alias("resolves_to")
            ),
        ]
    )


def _changed_memory(memory: pl.DataFrame, groups: pl.DataFrame, group_ids: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    now = groups.select("record_id", "group").join(group_ids, on="group").drop("group")
    before = memory.rename({"entity_id": "old_entity_id"})
    return (
        now.join(before, on="record_id", how="left")
        .filter(pl.col("entity_id").ne_missing(pl.col("old_entity_id")))
        .select(
            "record_id", "entity_id", pl.coalesce("first_entity_id", "entity_id").alias("first_entity_id")
        )
        .sort("record_id")
    )
