"""Which records are the same person.

Belongs here: profiles, sure groups, vetoes, and the clustering that respects them. Not here: weights and candidate
pairs (``linkage.model``), households, ids.

The way: records that say the same are one *profile*; profiles with the same own id and name are one *sure group*;
Splink scores pairs of profiles of different groups; vetoes drop pairs that look alike because their people are kin;
what is left is joined from the strongest edge down, and a join that would put two people known to be different into
one person is refused. Nothing depends on the order of rows: profiles are numbered by their smallest record id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from linkage import model
from linkage.graph import components

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

# Odds of 2^weight. With vetoes the best F1 lies at low weights (performance.md 2); 3 leaves a margin for precision.
ACCEPT_WEIGHT: Final = 3.0

# Comparison levels of ``linkage.model``, best first in each field; Splink numbers them from the else level up.
_SAME_ID, _MASK_FITS, _NEAR_WRONG_ID, _NEAR_RIGHT_ID, _OTHER_ID = 4, 3, 2, 1, 0
_SAME_NAME, _SAME_SOUND, _ONE_CHARACTER, _SAME_SURNAME, _OTHER_NAME = 4, 3, 2, 1, 0
_SAME_DAY, _ONE_SLIP, _SIXTY_DAYS = 4, 3, 2
_OTHER_DAY = 0
_SAME_DOOR, _SAME_ROOM = 4, 3
_UNKNOWN = -1

# Weight of the same full name under the same household number of one list: as sure as name and door together.
_HOUSEHOLD_NAME_WEIGHT: Final = 12.0

_PROFILE_FIELDS: Final = (
    "own_id", "weak_id", "id_pattern", "person_name_key", "person_name_pinyin", "known_birth_date", "known_sex",
    "phone_token", "door", "place", "address_compound", "address_building",
)  # fmt: skip


@dataclass(frozen=True)
class PersonLinks:
    """Outcome for the records.

    ``links``: record_id, person (int64 label), link_rule, link_probability, one row a record.
    ``pairs_scored``, ``blocks_left_out``, ``joins_refused``: counts for the summary.
    """

    links: pl.DataFrame
    pairs_scored: int
    blocks_left_out: int
    joins_refused: int


def make_profiles(records: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Collapse records that say the same.

    Args:
        records: as ``records.judge_ids`` returns them, with ``door`` (``households.add_doors``).

    Returns:
        The profiles (``model.PROFILE_COLUMNS``, ``record_count``), and record_id → profile (int64).
    """
    import polars as pl

    numbered = records.sort("record_id").select(
        "record_id",
        *(column for column in _PROFILE_FIELDS if column != "phone_token"),
        phone_token=pl.when(pl.col("phone_kind").is_in(["mobile", "landline"])).then("phone_token"),
    )
    profiles = (
        numbered.group_by(_PROFILE_FIELDS, maintain_order=True)
        .agg(pl.len().alias("record_count"), pl.col("record_id").first().alias("first_record"))
        .with_row_index("unique_id")
        .with_columns(pl.col("unique_id").cast(pl.Int64))
    )
    of_record = numbered.join(
        profiles.select("unique_id", *_PROFILE_FIELDS), on=_PROFILE_FIELDS, how="left", nulls_equal=True
    ).select("record_id", profile="unique_id")
    sure = pl.when(pl.col("own_id").is_not_null() & pl.col("person_name_key").is_not_null())
    profiles = profiles.with_columns(
        sure_group=sure.then(pl.col("unique_id").min().over("own_id", "person_name_key")).otherwise("unique_id")
    ).rename(
        {
            "person_name_key": "name", "person_name_pinyin": "pinyin", "known_birth_date": "birth_date",
            "known_sex": "sex", "phone_token": "phone", "address_compound": "compound",
            "address_building": "building",
        }
    )  # fmt: skip
    return profiles, of_record


def link_persons(records: pl.DataFrame, settings: dict[str, Any]) -> PersonLinks:
    """Decide which records are the same person.

    Args:
        records: as for ``make_profiles``.
        settings: a trained model (``linkage.model``).
    """
    import polars as pl

    profiles, of_record = make_profiles(records)
    keyed, left_out = model.add_blocks(profiles)
    block_columns = [block for block, _, _ in model.BLOCKS]
    scored = model.score_pairs(keyed.select(*model.PROFILE_COLUMNS, *block_columns), settings)
    listed_together = _listed_together(records)
    likely = scored.filter(pl.col("weight") >= ACCEPT_WEIGHT)
    accepted = pl.concat(
        [
            likely.filter(~_is_vetoed(profiles, likely, listed_together)).select("left", "right", "weight"),
            _same_name_in_household(records, of_record, profiles),
        ]
    ).sort("left", "right", "weight")
    group = profiles["sure_group"].to_numpy()
    label, refused = _join(profiles, group, accepted)
    evidence = _best_evidence(accepted, label, profiles.height)
    return PersonLinks(
        links=_describe(of_record, profiles, label, evidence),
        pairs_scored=scored.height,
        blocks_left_out=left_out,
        joins_refused=refused,
    )


def _listed_together(records: pl.DataFrame) -> set[frozenset[str]]:
    """Pairs of particulars (name|birth date) that one delivery lists side by side in one household.

    Only pairs that share the name or the birth date: twins, and children given one name. A list that names both at
    once knows two people, so the likeness is no typing slip, whatever another list says of one of them.
    """
    import polars as pl

    listed = (
        records.filter(pl.col("household_group").is_not_null())
        .select(
            "household_group",
            "delivery_id",
            birth_date="known_birth_date",
            name="person_name_key",
            particulars=pl.concat_str("person_name_key", "known_birth_date", separator="|"),
        )
        .drop_nulls()
        .unique()
    )
    pairs: set[frozenset[str]] = set()
    for likeness in ("name", "birth_date"):
        key = ["household_group", "delivery_id", likeness]
        alike = listed.filter(pl.len().over(key) > 1)
        beside = alike.join(alike, on=key, suffix="_beside").filter(
            pl.col("particulars") < pl.col("particulars_beside")
        )
        pairs.update(
            frozenset(pair) for pair in beside.select("particulars", "particulars_beside").iter_rows()
        )
    return pairs


def _same_name_in_household(
    records: pl.DataFrame, of_record: pl.DataFrame, profiles: pl.DataFrame
) -> pl.DataFrame:
    """Edges between the profiles under which one household of one list names the same person.

    A list's own household number and the full name say who it is, also where id, birth date, phone and door are
    missing; unless ids or birth dates show that the household has two people of that name.
    """
    import polars as pl

    key = ["household_group", "person_name_key"]
    named = (
        records.select("record_id", *key)
        .drop_nulls()
        .join(of_record, on="record_id")
        .select(*key, "profile")
        .unique()
        .join(
            profiles.select("unique_id", "own_id", "birth_date", "sex"),
            left_on="profile",
            right_on="unique_id",
        )
    )
    return (
        named.filter(
            (pl.len().over(key) > 1)
            & (pl.col("own_id").drop_nulls().n_unique().over(key) <= 1)
            & (pl.col("birth_date").drop_nulls().n_unique().over(key) <= 1)
            & (pl.col("sex").drop_nulls().n_unique().over(key) <= 1)
        )
        .select(
            left=pl.col("profile").min().over(key), right="profile", weight=pl.lit(_HOUSEHOLD_NAME_WEIGHT)
        )
        .filter(pl.col("left") < pl.col("right"))
        .unique()
    )


def _is_vetoed(
    profiles: pl.DataFrame, pairs: pl.DataFrame, listed_together: set[frozenset[str]]
) -> pl.Series:
    """Pairs that must not be joined whatever their weight (performance.md 1 and 7, hints 2 and 3)."""
    import numpy as np
    import polars as pl

    level = {
        name: pairs[f"level_{name}"].to_numpy()
        for name in ("id_no", "name", "birth_date", "sex", "phone", "door")
    }
    left, right = pairs["left"].to_numpy(), pairs["right"].to_numpy()
    has_own = profiles["own_id"].is_not_null().to_numpy()
    both_own = has_own[left] & has_own[right]
    same_name_or_sound = level["name"] >= _SAME_SOUND
    name_known = level["name"] != _UNKNOWN
    same_day = level["birth_date"] == _SAME_DAY
    day_unknown = level["birth_date"] == _UNKNOWN
    day_differs = (level["birth_date"] == _OTHER_DAY) | (level["birth_date"] == 1)
    near = (level["phone"] == 1) | (level["door"] >= _SAME_ROOM)
    id_supports = level["id_no"] >= _NEAR_WRONG_ID

    # Two right ids: two people, unless all else is one person (an old wrong id, corrected).
    two_right_ids = both_own & (level["id_no"] <= _NEAR_RIGHT_ID) & (level["id_no"] != _UNKNOWN)
    veto = two_right_ids & ~(same_name_or_sound & same_day & near)
    # An unlike name needs the id, the birth date and a tie of phone or door; kin share the last two.
    unlike = name_known & (level["name"] <= _SAME_SURNAME)
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
    veto |= day_differs & ~(id_supports & (level["name"] >= _ONE_CHARACTER)) & ~strong_tie
    # Two people whom one delivery lists side by side.
    differs = (name_known & (level["name"] < _SAME_NAME)) | ((level["birth_date"] < _SAME_DAY) & ~day_unknown)
    suspects = np.flatnonzero(~veto & differs)
    if len(suspects) and listed_together:
        particulars = (
            profiles.select(pl.concat_str("name", "birth_date", separator="|")).to_series().to_list()
        )
        for pair in suspects:
            veto[pair] = frozenset((particulars[left[pair]], particulars[right[pair]])) in listed_together
    return pl.Series(veto)


def _join(profiles: pl.DataFrame, group: np.ndarray, accepted: pl.DataFrame) -> tuple[np.ndarray, int]:
    """Person label of every profile (the smallest profile number of the person), and the number of joins refused.

    Components first; only a component that holds two different own ids without an accepted edge between them is
    taken apart again and joined anew from its strongest edge down.
    """
    import numpy as np
    import polars as pl

    size = len(group)
    left = np.concatenate([np.arange(size), accepted["left"].to_numpy()])
    right = np.concatenate([group, accepted["right"].to_numpy()])
    label = components(left, right, size)

    own_ids = profiles["own_id"].to_list()
    ids_in: dict[int, set[str]] = {}
    for profile, own_id in enumerate(own_ids):
        if own_id is not None:
            ids_in.setdefault(int(label[profile]), set()).add(own_id)
    contested = sorted(component for component, ids in ids_in.items() if len(ids) > 1)
    members: dict[int, list[int]] = {}
    for member in np.flatnonzero(np.isin(label, contested)).tolist():
        members.setdefault(int(label[member]), []).append(member)
    in_contested = accepted.filter(
        pl.Series(np.isin(label[accepted["left"].to_numpy()], contested), dtype=pl.Boolean)
    )
    edges: dict[int, list[tuple[float, int, int]]] = {}
    for first, second, weight in in_contested.select("left", "right", "weight").iter_rows():
        edges.setdefault(int(label[first]), []).append((-weight, first, second))
    refused = 0
    for root in contested:
        refused += _rejoin(members[root], sorted(edges.get(root, [])), group, own_ids, label)
    return label, refused


def _rejoin(
    members: list[int],
    edges: list[tuple[float, int, int]],
    group: np.ndarray,
    own_ids: list[str | None],
    label: np.ndarray,
) -> int:
    """Join one contested component from its strongest edge down; writes ``label``, returns the joins refused."""
    parent = {member: int(group[member]) for member in members}
    ids = {root: {own_ids[root]} - {None} for root in set(parent.values())}
    allowed = {
        frozenset((own_ids[first], own_ids[second]))
        for _, first, second in edges
        if own_ids[first] is not None and own_ids[second] is not None
    }

    def root_of(member: int) -> int:
        while parent[member] != member:
            parent[member] = parent[parent[member]]
            member = parent[member]
        return member

    refused = 0
    for _, first, second in edges:
        one, other = sorted((root_of(first), root_of(second)))
        if one == other:
            continue
        if any(a != b and frozenset((a, b)) not in allowed for a in ids[one] for b in ids[other]):
            refused += 1
            continue
        parent[other] = one
        ids[one] |= ids.pop(other)
    for member in members:
        label[member] = root_of(member)
    return refused


def _best_evidence(accepted: pl.DataFrame, label: np.ndarray, size: int) -> np.ndarray:
    """Probability of the strongest accepted edge of each profile inside its person; 0 where there is none."""
    import numpy as np

    left, right = accepted["left"].to_numpy(), accepted["right"].to_numpy()
    probability = 1 / (1 + np.exp2(-accepted["weight"].to_numpy()))
    inside = label[left] == label[right]
    best = np.zeros(size)
    for side in (left, right):
        np.maximum.at(best, side[inside], probability[inside])
    return best


def _describe(
    of_record: pl.DataFrame, profiles: pl.DataFrame, label: np.ndarray, evidence: np.ndarray
) -> pl.DataFrame:
    """What joined each record to its person: the surest rule that applies to its profile."""
    import polars as pl

    described = profiles.select(
        profile="unique_id",
        person=pl.Series(label, dtype=pl.Int64),
        has_twin_record=pl.col("record_count") > 1,
        has_sure_group=pl.len().over("sure_group") > 1,
        is_identified=pl.col("own_id").is_not_null() & pl.col("name").is_not_null(),
        splink_probability=pl.Series(evidence),
    )
    rule = (
        pl.when(pl.len().over("person") == 1)
        .then(pl.lit("single_record"))
        .when(pl.col("is_identified") & (pl.col("has_sure_group") | pl.col("has_twin_record")))
        .then(pl.lit("same_id_and_name"))
        .when(pl.col("splink_probability") > 0)
        .then(pl.lit("splink"))
        .otherwise(pl.lit("same_particulars"))
    )
    return (
        of_record.join(described, on="profile", how="left")
        .with_columns(link_rule=rule)
        .select(
            "record_id",
            "person",
            "link_rule",
            link_probability=pl.when(pl.col("link_rule") == "splink")
            .then("splink_probability")
            .otherwise(1.0)
            .clip(0.0, 1.0),
        )
        .sort("record_id")
    )
