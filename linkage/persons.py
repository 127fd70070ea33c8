"""Which records are the same person.

Belongs here: profiles, sure groups, and the order in which evidence is asked. Not here: weights and candidate pairs
(``linkage.model``), what speaks against a pair (``linkage.vetoes``), what a common home shows (``linkage.same_home``),
joining (``linkage.clusters``), households, ids.

The way: records that say the same are one *profile*; profiles with the same own id and name are one *sure group*;
Splink scores pairs of profiles of different groups; vetoes drop pairs that look alike because their people are kin; a
common home adds pairs that say too little to be scored;
what is left is joined from the strongest edge down, and a join that would put two people known to be different into
one person is refused. Nothing depends on the order of rows: profiles are numbered by their smallest record id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from linkage import model
from linkage.clusters import join_profiles
from linkage.same_home import same_home_pairs
from linkage.vetoes import are_listed_apart, are_namesakes, look_like_kin, pairs_listed_apart

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

# Odds of 2^weight. With vetoes the best F1 lies at low weights (performance.md 2); 3 leaves a margin for precision.
ACCEPT_WEIGHT: Final = 3.0

# Weight of the one unnamed and the one named child of a day in one home.
_NAMED_LATER_WEIGHT: Final = 12.0

# What a list calls a child that has no name yet: 王芳之子, 王芳之次女, 新生儿.
_UNNAMED: Final = r"^.{2,}之[长次大小双]?[子女儿]$|^(新生儿|未取名|未命名|未起名|待取名|暂无名|无名氏?)"

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
    likely = scored.filter(pl.col("weight") >= ACCEPT_WEIGHT)
    known_apart = are_listed_apart(profiles, likely, pairs_listed_apart(records)) | are_namesakes(
        profiles, likely, records
    )
    vetoed = look_like_kin(profiles, likely) | known_apart
    accepted = pl.concat(
        [
            likely.filter(~vetoed).select("left", "right", "weight", rule=pl.lit("splink")),
            same_home_pairs(records, of_record, profiles),
            _named_later(records, of_record, profiles),
        ]
    ).sort("left", "right", "weight", "rule")
    label, refused = join_profiles(profiles, accepted, likely.filter(known_apart).select("left", "right"))
    evidence = _strongest_edges(accepted, label)
    return PersonLinks(
        links=_describe(of_record, profiles, label, evidence),
        pairs_scored=scored.height,
        blocks_left_out=left_out,
        joins_refused=refused,
    )


def _named_later(records: pl.DataFrame, of_record: pl.DataFrame, profiles: pl.DataFrame) -> pl.DataFrame:
    """Edges from a child listed without a name to the named child of the same birth date in the same household.

    The household is the list's own, or the door where lists differ. Only one unnamed and one named child of that day may
    be there, and no delivery may list both: that would be twins (reliability.md B69).
    """
    import polars as pl

    born = (
        records.select(
            "record_id",
            "delivery_id",
            "household_group",
            "door",
            name="person_name_key",
            pinyin="person_name_pinyin",
        )
        .join(of_record, on="record_id")
        .join(profiles.select("birth_date", "sex", profile="unique_id"), on="profile")
        .filter(pl.col("birth_date").is_not_null() & pl.col("name").is_not_null())
        .with_columns(is_unnamed=pl.col("name").str.contains(_UNNAMED))
    )
    found = []
    for place in ("household_group", "door"):
        key = [place, "birth_date"]
        children = born.filter(pl.col(place).is_not_null() & pl.col("is_unnamed").any().over(key))
        in_both = pl.col("is_unnamed").n_unique().over(*key, "delivery_id") > 1
        one_child = children.filter(
            (pl.col("is_unnamed").n_unique().over(key) == 2)
            & ~in_both.any().over(key)
            & (pl.col("name").filter("is_unnamed").n_unique().over(key) == 1)
            & (pl.col("pinyin").filter(~pl.col("is_unnamed")).n_unique().over(key) == 1)
            & (pl.col("sex").drop_nulls().n_unique().over(key) <= 1)
        )
        found.append(
            one_child.select(
                left=pl.col("profile").min().over(key),
                right="profile",
                weight=pl.lit(_NAMED_LATER_WEIGHT),
                rule=pl.lit("named_later"),
            ).filter(pl.col("left") < pl.col("right"))
        )
    return pl.concat(found).unique()


def _strongest_edges(accepted: pl.DataFrame, label: np.ndarray) -> pl.DataFrame:
    """profile, edge_rule, edge_probability: the strongest accepted edge of each profile inside its person."""
    import numpy as np
    import polars as pl

    is_inside = label[accepted["left"].to_numpy()] == label[accepted["right"].to_numpy()]
    inside = accepted.filter(pl.Series(np.asarray(is_inside), dtype=pl.Boolean))
    ends = [inside.select("weight", "rule", profile=side) for side in ("left", "right")]
    return (
        pl.concat(ends)
        .sort("profile", "weight", "rule", descending=[False, True, True])
        .unique("profile", keep="first", maintain_order=True)
        .select("profile", edge_rule="rule", edge_probability=1 / (1 + pl.lit(2.0).pow(-pl.col("weight"))))
    )


def _describe(
    of_record: pl.DataFrame, profiles: pl.DataFrame, label: np.ndarray, edges: pl.DataFrame
) -> pl.DataFrame:
    """What joined each record to its person: the surest rule that applies to its profile."""
    import polars as pl

    described = profiles.select(
        profile="unique_id",
        person=pl.Series(label, dtype=pl.Int64),
        is_repeated=(pl.col("record_count") > 1) | (pl.len().over("sure_group") > 1),
        is_identified=pl.col("own_id").is_not_null() & pl.col("name").is_not_null(),
    ).join(edges, on="profile", how="left")
    rule = (
        pl.when(pl.len().over("person") == 1)
        .then(pl.lit("single_record"))
        .when(pl.col("is_identified") & pl.col("is_repeated"))
        .then(pl.lit("same_id_and_name"))
        .otherwise(pl.coalesce("edge_rule", pl.lit("same_particulars")))
    )
    by_edge = pl.col("link_rule") == pl.col("edge_rule")
    return (
        of_record.join(described, on="profile", how="left")
        .with_columns(link_rule=rule)
        .select(
            "record_id",
            "person",
            "link_rule",
            link_probability=pl.when(by_edge).then("edge_probability").otherwise(1.0),
        )
        .sort("record_id")
    )
