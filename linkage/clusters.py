"""Joining profiles into persons without ever putting two people known to be different into one.

Belongs here: components, and taking a contested one apart. Not here: which pairs are accepted (``linkage.persons``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from linkage.graph import components

if TYPE_CHECKING:
    import numpy as np
    import polars as pl


def join_profiles(
    profiles: pl.DataFrame, accepted: pl.DataFrame, known_apart: pl.DataFrame
) -> tuple[np.ndarray, int]:
    """Join profiles along accepted pairs.

    Connected components first. A component is contested when it holds two different own ids without an accepted pair
    between them, or a pair known to be two people; only such a component is joined anew, from its strongest edge
    down, and a join that would unite what is known to be two people is refused: one bad edge must not become many
    (performance.md 7, hint 3).

    Args:
        profiles: unique_id from 0, sure_group, own_id.
        accepted: left, right, weight.
        known_apart: left, right.

    Returns:
        int64 label of each profile's person (its smallest profile), and the number of joins refused.
    """
    import numpy as np
    import polars as pl

    group = profiles["sure_group"].to_numpy()
    size = len(group)
    label = components(
        np.concatenate([np.arange(size), accepted["left"].to_numpy()]),
        np.concatenate([group, accepted["right"].to_numpy()]),
        size,
    )
    labels = pl.Series("label", label)
    by_ids = (
        profiles.select("own_id", labels)
        .drop_nulls()
        .filter(pl.col("own_id").n_unique().over("label") > 1)["label"]
    )
    inside = known_apart.with_columns(
        label=labels.gather(known_apart["left"]), other_label=labels.gather(known_apart["right"])
    ).filter(pl.col("label") == pl.col("other_label"))
    contested = pl.concat([by_ids, inside["label"]]).unique().sort()
    members = (
        pl.DataFrame({"member": np.arange(size), "label": label})
        .filter(pl.col("label").is_in(contested.implode()))
        .group_by("label", maintain_order=True)
        .agg("member")
    )
    edges = (
        accepted.with_columns(label=labels.gather(accepted["left"]))
        .filter(pl.col("label").is_in(contested.implode()))
        .sort("weight", "left", "right", descending=[True, False, False])
        .group_by("label", maintain_order=True)
        .agg(pl.struct("left", "right").alias("edges"))
    )
    apart = inside.group_by("label").agg(pl.struct("left", "right").alias("apart"))
    own_ids: list[str | None] = profiles["own_id"].to_list()
    refused = 0
    work = members.join(edges, on="label", how="left").join(apart, on="label", how="left").sort("label")
    for row in work.iter_rows(named=True):
        component = _Component(row["member"], group, own_ids)
        component.forbid([(pair["left"], pair["right"]) for pair in row["apart"] or []])
        refused += component.join([(edge["left"], edge["right"]) for edge in row["edges"] or []])
        for member in row["member"]:
            label[member] = component.root_of(member)
    return label, refused


class _Component:
    """Union-find over one contested component that knows what must stay apart."""

    def __init__(self, members: list[int], group: np.ndarray, own_ids: list[str | None]) -> None:
        self._parent = {member: int(group[member]) for member in members}
        self._own_id = own_ids
        self._members: dict[int, set[int]] = {}
        for member, root in self._parent.items():
            self._members.setdefault(root, set()).add(member)
        self._apart: dict[int, set[int]] = {}
        self._one_person: set[frozenset[str | None]] = set()

    def forbid(self, pairs: list[tuple[int, int]]) -> None:
        """These pairs are two people."""
        for first, second in pairs:
            self._apart.setdefault(first, set()).add(second)
            self._apart.setdefault(second, set()).add(first)

    def join(self, edges: list[tuple[int, int]]) -> int:
        """Join along the edges, strongest first; returns how many joins were refused.

        Two own ids between which an edge was accepted may stand in one person: an old wrong one and its correction.
        """
        self._one_person = {frozenset((self._own_id[first], self._own_id[second])) for first, second in edges}
        refused = 0
        for first, second in edges:
            one, other = sorted((self.root_of(first), self.root_of(second)))
            if one == other:
                continue
            if self._are_two_people(one, other):
                refused += 1
                continue
            self._parent[other] = one
            self._members[one] |= self._members.pop(other)
        return refused

    def root_of(self, member: int) -> int:
        """The smallest profile of the person the member belongs to."""
        while self._parent[member] != member:
            self._parent[member] = self._parent[self._parent[member]]
            member = self._parent[member]
        return member

    def _are_two_people(self, one: int, other: int) -> bool:
        if any(self._apart.get(member, set()) & self._members[other] for member in self._members[one]):
            return True
        ids, other_ids = (
            {self._own_id[member] for member in self._members[root]} - {None} for root in (one, other)
        )
        return any(a != b and frozenset((a, b)) not in self._one_person for a in ids for b in other_ids)
