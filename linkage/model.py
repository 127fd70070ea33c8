"""The Splink model: which records are compared, how, and with what weights.

Belongs here: the model's definition as functions (fresh objects on each call, because Splink configures them in
place), its training, and the trained weights that are shipped. Not here: what is done with the scores
(``linkage.persons``).

The model compares *profiles*: distinct combinations of what records say about a person (``linkage.persons``), not
every record of every month.
"""

from __future__ import annotations

import hashlib
import json
import math
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from infra.errors import PermanentError

if TYPE_CHECKING:
    import duckdb
    import polars as pl

SEED: Final = 20261124
# A block of more profiles than this is no evidence but a filler value nobody has recognised yet; it is left out and
# counted (performance.md G13).
MAX_BLOCK_SIZE: Final = 50
# Below this many profiles the weights learnt would be noise.
MIN_TRAINING_PROFILES: Final = 2_000

# Two fields a block: wider blocks were measured to bring 4.4 times the pairs and worse results, mostly people of one
# household who look alike (performance.md 2). The third column says why the rule is there.
BLOCKS: Final[tuple[tuple[str, tuple[str, ...], str], ...]] = (
    ("block_own_id", ("own_id",), "the id itself, whatever became of name and address"),
    ("block_weak_id", ("weak_id",), "the same mistyped id, carried from list to list"),
    (
        "block_mask_name",
        ("id_head", "id_tail", "name"),
        "masked ids of the same area and tail under one name",
    ),
    ("block_mask_birth", ("id_head", "id_tail", "birth_date"), "masked ids when the name is mistyped"),
    ("block_name_birth", ("name", "birth_date"), "no or a wrong id"),
    ("block_phone_birth", ("phone", "birth_date"), "no id and a mistyped name"),
    ("block_phone_pinyin", ("phone", "pinyin"), "no id and no or a wrong birth date"),
    ("block_place_birth", ("place", "birth_date"), "no id, a mistyped name and another phone"),
    ("block_place_pinyin", ("place", "pinyin"), "no id, no birth date and another phone"),
)

# Columns of the profile table that the comparisons read.
PROFILE_COLUMNS: Final = (
    "unique_id", "sure_group", "own_id", "weak_id", "id_pattern", "name", "pinyin", "birth_date", "sex", "phone",
    "door", "place", "compound", "building",
)  # fmt: skip


def _level(condition: str, label: str, **extra: Any) -> dict[str, Any]:
    return {"sql_condition": condition, "label_for_charts": label, **extra}


def _given(m: float | None = None, u: float | None = None) -> dict[str, Any]:
    """Probabilities of a level too rare to be learnt from samples: stated, and left alone by training."""
    values: dict[str, Any] = {}
    if m is not None:
        values |= {"m_probability": m, "fix_m_probability": True}
    if u is not None:
        values |= {"u_probability": u, "fix_u_probability": True}
    return values


def _null_level(condition: str) -> dict[str, Any]:
    return _level(condition, "unknown", is_null_level=True)


def _id_comparison() -> dict[str, Any]:
    any_id = "coalesce(own_id_{side}, weak_id_{side})"
    left, right = any_id.format(side="l"), any_id.format(side="r")
    return {
        "output_column_name": "id_no",
        "comparison_levels": [
            _null_level(
                f"({left} is null and id_pattern_l is null) or ({right} is null and id_pattern_r is null)"
                f" or ({left} is null and {right} is null)"
            ),
            # Ids of two people are equal only by a clerk's mistake that nothing else has shown.
            _level(f"{left} = {right}", "same id", **_given(u=1e-6)),
            # A mask that fits: SQL LIKE, because the mask is kept as a pattern.
            _level(
                f"{left} like id_pattern_r or {right} like id_pattern_l", "masked id fits", **_given(u=1e-5)
            ),
            # One slip of the finger makes a wrong check digit; two right ids that near are twins, not a slip.
            _level(
                f"(own_id_l is null or own_id_r is null) and damerau_levenshtein({left}, {right}) <= 2",
                "two slips apart, one of wrong check digit",
                **_given(u=2e-6),
            ),
            _level(
                f"damerau_levenshtein({left}, {right}) <= 2",
                "two right ids, two characters apart",
                **_given(m=1e-5, u=1e-5),
            ),
            _level("ELSE", "different ids", **_given(m=2e-3)),
        ],
    }


def _one_character_apart() -> str:
    """One character changed or lost. Character by character, because DuckDB's levenshtein counts bytes.

    Of names of two characters only another surname counts: 张伟 and 张强 are brothers sooner than a slip.
    """
    changed = " + ".join(
        f"cast(substr(name_l, {place}, {length}) <> substr(name_r, {place}, {length}) as int)"
        for place, length in ((1, 1), (2, 1), (3, 1), (4, 1), (5, 20))
    )
    return (
        f"(length(name_l) = length(name_r) and {changed} = 1"
        " and (length(name_l) > 2 or left(name_l, 1) <> left(name_r, 1)))"
        " or (abs(length(name_l) - length(name_r)) = 1 and least(length(name_l), length(name_r)) > 1"
        " and (starts_with(name_l, name_r) or starts_with(name_r, name_l)"
        " or ends_with(name_l, name_r) or ends_with(name_r, name_l)))"
    )


def _name_comparison() -> dict[str, Any]:
    return {
        "output_column_name": "name",
        "comparison_levels": [
            _null_level("name_l is null or name_r is null"),
            _level("name_l = name_r", "same name", tf_adjustment_column="name", tf_adjustment_weight=1.0),
            _level("pinyin_l = pinyin_r", "same sound"),
            _level(_one_character_apart(), "one character"),
            _level("left(name_l, 1) = left(name_r, 1)", "same surname"),
            # The check of contested ids leaves training without them; one person under two names is one in thousands.
            _level("ELSE", "different names", **_given(m=5e-4)),
        ],
    }


def _birth_date_comparison() -> dict[str, Any]:
    days = "abs(datediff('day', birth_date_l, birth_date_r))"
    text = "strftime(birth_date_{side}, '%Y%m%d')"
    left, right = text.format(side="l"), text.format(side="r")
    return {
        "output_column_name": "birth_date",
        "comparison_levels": [
            _null_level("birth_date_l is null or birth_date_r is null"),
            _level("birth_date_l = birth_date_r", "same day"),
            _level(f"damerau_levenshtein({left}, {right}) <= 1", "one slip"),
            # The lunar birthday written as if it were solar is up to two months off.
            _level(f"{days} <= 60", "within sixty days"),
            _level(f"{days} <= 370", "within a year"),
            # The id check sets aside what would show this in training (performance.md 1 measured 0.002).
            _level("ELSE", "different dates", **_given(m=2e-3)),
        ],
    }


def _exact_comparison(column: str, *, with_term_frequency: bool = False) -> dict[str, Any]:
    extra = {"tf_adjustment_column": column, "tf_adjustment_weight": 1.0} if with_term_frequency else {}
    return {
        "output_column_name": column,
        "comparison_levels": [
            _null_level(f"{column}_l is null or {column}_r is null"),
            _level(f"{column}_l = {column}_r", f"same {column}", **extra),
            _level("ELSE", f"different {column}"),
        ],
    }


def _address_comparison() -> dict[str, Any]:
    return {
        "output_column_name": "door",
        "comparison_levels": [
            _null_level("compound_l is null or compound_r is null"),
            _level("door_l = door_r", "same door"),
            _level(
                "place_l = place_r and (door_l is null or door_r is null)",
                "same room, unit or community unknown",
            ),
            _level("compound_l = compound_r and building_l = building_r", "same building"),
            _level("compound_l = compound_r", "same compound"),
            _level("ELSE", "elsewhere"),
        ],
    }


def untrained_settings() -> dict[str, Any]:
    """The model's definition without weights, a fresh dictionary on each call."""
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "unique_id",
        "comparisons": [
            _id_comparison(),
            _name_comparison(),
            _birth_date_comparison(),
            _exact_comparison("sex"),
            # A family's number says less than a person's own: its frequency is taken into account.
            _exact_comparison("phone", with_term_frequency=True),
            _address_comparison(),
        ],
        # Profiles already known to be one person (same own id and name) need no comparison.
        "blocking_rules_to_generate_predictions": [
            {
                "blocking_rule": f"l.{block} = r.{block} and l.sure_group <> r.sure_group",
                "sql_dialect": "duckdb",
            }
            for block, _, _ in BLOCKS
        ],
        # Splink hands out the comparison levels, which the vetoes read, only together with the matching columns.
        "retain_matching_columns": True,
        "retain_intermediate_calculation_columns": False,
    }


def definition_sha256() -> str:
    """Digest of the definition: weights learnt under another definition are not used."""
    text = json.dumps([untrained_settings(), BLOCKS], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def shipped_model() -> dict[str, Any]:
    """The trained model that comes with the package: settings_sha256, settings, trained_on_count, trained_as_of.

    Raises:
        PermanentError: the definition was changed and the shipped weights were not trained again.
    """
    model = json.loads(files("linkage").joinpath("default_model.json").read_text(encoding="utf-8"))
    if model["settings_sha256"] != definition_sha256():
        raise PermanentError(
            "读取随软件附带的匹配模型",
            came="模型定义已改动，而附带的参数是按旧定义训练的",
            expected="参数与 linkage.model 的定义一致",
            next_step="在合成数据上重新训练并更新 linkage/default_model.json（见 docs/decisions/0003-linkage-model.md）",
        )
    return dict(model)


def add_blocks(profiles: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Add one key column a block; a key is null when a part is unknown or the block is too large.

    Returns:
        The profiles with the block columns, and the number of blocks left out for their size.
    """
    import polars as pl

    keyed = profiles.with_columns(
        id_head=pl.coalesce("own_id", "weak_id", "id_pattern").str.slice(0, 6),
        id_tail=pl.coalesce("own_id", "weak_id", "id_pattern").str.slice(-4),
    ).with_columns(
        *(pl.when(~pl.col(part).str.contains("[_%]")).then(part) for part in ("id_head", "id_tail"))
    )
    parts = {
        block: [
            pl.col(column).dt.to_string("%Y%m%d") if column == "birth_date" else pl.col(column)
            for column in columns
        ]
        for block, columns, _ in BLOCKS
    }
    keyed = keyed.with_columns(
        **{block: pl.concat_str(columns, separator="|") for block, columns in parts.items()}
    )
    too_large = keyed.select(
        ((pl.len().over(block) > MAX_BLOCK_SIZE) & pl.col(block).is_not_null()).alias(block)
        for block in parts
    )
    left_out = sum(
        keyed.filter(too_large[block])[block].n_unique() for block in parts if too_large[block].any()
    )
    capped = keyed.with_columns(
        pl.when(~too_large[block]).then(pl.col(block)).alias(block) for block in parts
    )
    return capped.drop("id_head", "id_tail"), left_out


def _linker(connection: duckdb.DuckDBPyConnection, profiles: pl.DataFrame, settings: dict[str, Any]) -> Any:
    from splink import DuckDBAPI, Linker

    api = DuckDBAPI(connection=connection)
    table = api.register(profiles.to_arrow(), table_name="profile")
    return Linker(table, settings, log_level="ERROR")


def score_pairs(profiles: pl.DataFrame, settings: dict[str, Any]) -> pl.DataFrame:
    """Score the candidate pairs of the profiles.

    Args:
        profiles: ``PROFILE_COLUMNS``, unique_id from 0, plus the block columns (``add_blocks``).
        settings: a trained model. The prior is set anew: two profiles drawn at random are one person about once in
            the number of persons.

    Returns:
        left, right (unique ids, left < right), weight (log2 of the odds, prior included), and the comparison level
        of each field ``level_<field>`` (-1 unknown, 0 different, higher is nearer), sorted by left, right.
    """
    import duckdb
    import polars as pl

    persons = max(2, profiles["sure_group"].n_unique())
    settings = json.loads(json.dumps(settings)) | {"probability_two_random_records_match": 1 / persons}
    with duckdb.connect(":memory:") as connection:
        linker = _linker(connection, profiles, settings)
        predicted = linker.inference.predict(warning_mode="never").as_duckdbpyrelation()
        scored = pl.from_arrow(predicted.to_arrow_table())
    assert isinstance(scored, pl.DataFrame)
    return scored.select(
        pl.min_horizontal("unique_id_l", "unique_id_r").alias("left"),
        pl.max_horizontal("unique_id_l", "unique_id_r").alias("right"),
        pl.col("match_weight").alias("weight"),
        *(pl.col(name).alias(f"level_{name[6:]}") for name in scored.columns if name.startswith("gamma_")),
    ).sort("left", "right")


def train(profiles: pl.DataFrame) -> dict[str, Any]:
    """Learn the weights from profiles (as for ``score_pairs``) and return the trained settings.

    u is estimated on random pairs with a fixed seed, drawn from one profile a person (as near as id, name and birth
    date tell), for in a small place pairs of the same person would be the larger part of what agrees. m is learnt by expectation maximisation only on blocks a family
    cannot share (the id; name and birth date): blocks of phone or address take relatives for matches and were the
    largest single cause of error (performance.md 1).

    Raises:
        PermanentError: too few profiles to learn from.
    """
    import duckdb
    import polars as pl

    if profiles.height < MIN_TRAINING_PROFILES:
        raise PermanentError(
            "训练匹配模型",
            came=f"只有 {profiles.height} 组不同的登记信息",
            expected=f"至少 {MIN_TRAINING_PROFILES} 组",
            next_step="继续使用随软件附带的模型，待数据增多后再训练",
        )
    strangers = profiles.unique("sure_group", keep="first", maintain_order=True).filter(
        pl.col("name").is_not_null() & pl.col("birth_date").is_not_null()
    )
    strangers = strangers.unique(["name", "birth_date"], keep="first", maintain_order=True)
    settings = untrained_settings() | {"probability_two_random_records_match": 1 / strangers.height}
    with duckdb.connect(":memory:") as connection:
        # One thread: the order in which partial sums meet must not show in the weights.
        connection.execute("set threads = 1")
        linker = _linker(connection, strangers, settings)
        linker.training.estimate_u_using_random_sampling(max_pairs=1e7, seed=SEED, min_count_per_level=None)
        with_u = linker.misc.save_model_to_json()
    with duckdb.connect(":memory:") as connection:
        connection.execute("set threads = 1")
        linker = _linker(connection, profiles, with_u)
        for block in ("l.own_id = r.own_id", "l.name = r.name and l.birth_date = r.birth_date"):
            linker.training.estimate_parameters_using_expectation_maximisation(block)
        trained: dict[str, Any] = linker.misc.save_model_to_json()
    # Splink names each linker at random; the model must not differ for that.
    trained["linker_uid"] = "yihu"
    _require_weights(trained)
    return trained


def _require_weights(trained: dict[str, Any]) -> None:
    """Every level needs a weight: a level never seen in training would silently count for nothing."""
    for comparison in trained["comparisons"]:
        for level in comparison["comparison_levels"]:
            if level.get("is_null_level"):
                continue
            values = [level.get("m_probability"), level.get("u_probability")]
            if not all(isinstance(value, float) and math.isfinite(value) and value > 0 for value in values):
                raise PermanentError(
                    "训练匹配模型",
                    came=f"比较项 {comparison['output_column_name']} 的档次“{level['label_for_charts']}”没有学到权重",
                    expected="每一档都有正的 m、u 概率",
                    next_step="用更多的记录训练",
                )
