"""Source records as linkage sees them: read from staging, ids opened in memory, each id judged by what it says.

Belongs here: reading, opening, and the question whether an id on a record may be believed to be the person's own.
Not here: whether two records are the same person (``linkage.persons``).

Only id numbers are opened, because typing slips and masks can be compared on the characters alone. Phones are
compared by their token. Opened values live in the frames of one run and are never logged or stored.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from infra.errors import PermanentError

if TYPE_CHECKING:
    import polars as pl
    import psycopg

    from infra.protection import FieldProtector

_PERSON_COLUMNS: Final = {
    "record_id": "str", "list_code": "str", "delivery_id": "int", "snapshot_date": "date", "evidence_date": "date",
    "person_name_key": "str", "person_name_pinyin": "str", "id_no_encrypted": "str", "id_no_token": "str",
    "id_no_kind": "str", "id_no_birth_date": "date", "id_no_sex_code": "str", "birth_date": "date", "sex_code": "str",
    "phone_token": "str", "phone_kind": "str", "address_key": "str", "address_compound": "str",
    "address_building": "str", "address_unit": "str", "address_room": "str", "community_name": "str",
    "household_group": "str", "source_household_no": "str", "relation_code": "str", "is_head": "bool",
}  # fmt: skip
_HOUSEHOLD_COLUMNS: Final = {
    "record_id": "str", "list_code": "str", "delivery_id": "int", "snapshot_date": "date", "evidence_date": "date",
    "source_household_no": "str", "contact_name_key": "str", "address_key": "str", "address_compound": "str",
    "address_building": "str", "address_unit": "str", "address_room": "str", "community_name": "str",
}  # fmt: skip

# A valid id whose birth date is further than this from the record's own is somebody else's: lunar birthdays
# and misread months stay well below (performance.md 1, "Id check").
_OWN_ID_MAX_DAYS: Final = 370
# The lunar birthday written as if it were solar is up to two months off.
_LUNAR_MAX_DAYS: Final = 60
# A mask that leaves fewer characters than this says too little about one person (area alone is half the town).
_MIN_VISIBLE_CHARACTERS: Final = 10


def read_person_records(connection: psycopg.Connection[Any]) -> pl.DataFrame:
    """All rows of ``staging.int_person_record``, by record_id. Ids are still encrypted."""
    return _copy_out(connection, "staging.int_person_record", _PERSON_COLUMNS)


def read_household_records(connection: psycopg.Connection[Any]) -> pl.DataFrame:
    """All rows of ``staging.int_household_record``, by record_id."""
    return _copy_out(connection, "staging.int_household_record", _HOUSEHOLD_COLUMNS)


def _copy_out(connection: psycopg.Connection[Any], table: str, columns: dict[str, str]) -> pl.DataFrame:
    """COPY out as CSV and parse in polars: the fastest way that shares the run's transaction (stack.md 1)."""
    import polars as pl

    query = f"copy (select {', '.join(columns)} from {table} order by record_id) to stdout (format csv)"
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        data = b"".join(bytes(block) for block in copy)
    names = [name.split(" as ")[-1] for name in columns]
    dtypes: dict[str, Any] = {"str": pl.String, "int": pl.Int64, "date": pl.String, "bool": pl.String}
    schema = {name: dtypes[kind] for name, kind in zip(names, columns.values(), strict=True)}
    frame = (
        pl.read_csv(io.BytesIO(data), has_header=False, schema=schema)
        if data
        else pl.DataFrame(schema=schema)
    )
    dates = [name for name, kind in zip(names, columns.values(), strict=True) if kind == "date"]
    flags = [name for name, kind in zip(names, columns.values(), strict=True) if kind == "bool"]
    return frame.with_columns(
        *(pl.col(name).str.to_date("%Y-%m-%d") for name in dates), *((pl.col(name) == "t") for name in flags)
    )


def open_ids(records: pl.DataFrame, protector: FieldProtector) -> pl.DataFrame:
    """Replace ``id_no_encrypted`` by ``id_no``, the plain text, held in memory only.

    Equal tokens are equal ids, so each distinct token is opened once.

    Raises:
        PermanentError: a ciphertext does not open (wrong key file, or the database was changed).
    """
    import polars as pl

    sealed = records.filter(pl.col("id_no_encrypted").is_not_null()).select(
        "record_id", "id_no_encrypted", key=pl.coalesce("id_no_token", "record_id")
    )
    once = sealed.unique("key", keep="first", maintain_order=True)
    opened = once.select(
        "key",
        id_no=pl.Series(
            [
                protector.decrypt(ciphertext, f"id_no|{record_id}")
                for record_id, ciphertext in once.select("record_id", "id_no_encrypted").iter_rows()
            ],
            dtype=pl.String,
        ),
    )
    return (
        records.join(sealed.select("record_id", "key"), on="record_id", how="left")
        .join(opened, on="key", how="left")
        .drop("key", "id_no_encrypted")
        .sort("record_id")
    )


def judge_ids(records: pl.DataFrame) -> pl.DataFrame:
    """Say of every id what it is worth as evidence about the person on the record.

    Args:
        records: as ``open_ids`` returns them, or hand-made with the same columns.

    Returns:
        The records, sorted by record_id, with

        - ``own_id``: the id when it is valid and may be believed to be this person's, else null;
        - ``weak_id``: an id of wrong check digit or another document, comparable as text only, else null;
        - ``id_pattern``: a masked or cut id as a SQL LIKE pattern, else null;
        - ``known_birth_date``, ``known_sex``: as the list says, else as the person's own id says.

    Raises:
        PermanentError: record ids are not unique.
    """
    import polars as pl

    if records["record_id"].is_duplicated().any():
        raise PermanentError(
            "读取人员来源记录",
            came="记录编号重复",
            expected="staging.int_person_record 中每个 record_id 只出现一次",
            next_step="检查 dbt 模型 int_person_record 的唯一性测试",
        )
    is_valid = pl.col("id_no_kind") == "valid"
    days_apart = (pl.col("birth_date") - pl.col("id_no_birth_date")).dt.total_days().abs()
    contradicts_sex = (pl.col("sex_code") != pl.col("id_no_sex_code")) & pl.col("sex_code").is_in(["1", "2"])
    # A wrong sex alone is a slip; with another birth date, or none to speak for the id, it is not.
    is_somebody_elses = (days_apart > _OWN_ID_MAX_DAYS) | (contradicts_sex & (days_apart.fill_null(1) > 0))
    judged = records.sort("record_id").with_columns(
        own_id=pl.when(is_valid & ~is_somebody_elses.fill_null(False)).then("id_no"),
        weak_id=pl.when(pl.col("id_no_kind").is_in(["checksum_wrong", "other_document"])).then("id_no"),
        id_pattern=_like_pattern(),
    )
    judged = _with_misdated_ids(judged, is_valid)
    return (
        judged.join(_borrowed_ids(judged), on=["own_id", "person_name_key"], how="left")
        .with_columns(own_id=pl.when(pl.col("is_borrowed").is_null()).then("own_id"))
        .drop("is_borrowed")
        .with_columns(
            known_birth_date=pl.coalesce(
                "birth_date", pl.when(pl.col("own_id").is_not_null()).then("id_no_birth_date")
            ),
            known_sex=pl.coalesce(
                pl.when(pl.col("sex_code").is_in(["1", "2"])).then("sex_code"),
                pl.when(pl.col("own_id").is_not_null()).then("id_no_sex_code"),
            ),
        )
        .sort("record_id")
    )


def _like_pattern() -> pl.Expr:
    """Masks (``330106********447X``) and ids a spreadsheet rounded (last three digits 000) as LIKE patterns.

    A mask of the full length hides one character a sign; of another length, any number of them.
    """
    import polars as pl

    text = pl.col("id_no").str.to_uppercase()
    is_masked = pl.col("id_no_kind") == "masked"
    is_rounded = (pl.col("id_no_kind") == "damaged") & text.str.contains(r"^[0-9]{15}000$")
    # An X before the last place is part of the mask; in the last place it is the check character.
    sign_by_sign = pl.concat_str(
        text.str.slice(0, 17).str.replace_all(r"[^0-9]", "_"), text.str.slice(17).str.replace(r"[^0-9X]", "_")
    )
    ends_only = text.str.replace(r"^([0-9]+)[^0-9]+([0-9]*[0-9X])$", "${1}%${2}")
    pattern = (
        pl.when(is_masked & (text.str.len_chars() == 18))
        .then(sign_by_sign)
        .when(is_masked & ends_only.str.contains(r"^[0-9]+%[0-9]*[0-9X]$"))
        .then(ends_only)
        .when(is_rounded)
        .then(text.str.replace(r"000$", "___"))
    )
    visible = pattern.str.len_chars() - pattern.str.count_matches("[_%]")
    return pl.when(visible >= _MIN_VISIBLE_CHARACTERS).then(pattern)


def _with_misdated_ids(judged: pl.DataFrame, is_valid: pl.Expr) -> pl.DataFrame:
    """Give back an id that another record, which nothing speaks against, bears under the same name.

    There the birth date beside the id is the slip, not the id.
    """
    import polars as pl

    certain = (
        judged.filter(pl.col("own_id").is_not_null() & (pl.col("birth_date") == pl.col("id_no_birth_date")))
        .select("person_name_key", certain_id="own_id")
        .drop_nulls()
        .unique()
    )
    return (
        judged.join(
            certain,
            left_on=["person_name_key", "id_no"],
            right_on=["person_name_key", "certain_id"],
            how="left",
            coalesce=False,
            maintain_order="left",
        )
        .with_columns(own_id=pl.coalesce("own_id", pl.when(is_valid).then("certain_id")))
        .drop("certain_id", "person_name_key_right")
    )


def _borrowed_ids(records: pl.DataFrame) -> pl.DataFrame:
    """(own_id, person_name_key, is_borrowed) of ids written on a record of another name than the id's owner's.

    One id under several names is one name mistyped, or it is shared, or one of the names carries another person's id
    (the clerk typed the head's). Like names are one owner, unless the birth dates beside the id say that one of them
    is not. The owner is the name beside which the id's own birth date stands, and among such (or where no date is
    given) the one with the most records; with equal claims nobody loses the id, and the pair vetoes keep the two
    apart.
    """
    import polars as pl

    named = records.filter(pl.col("own_id").is_not_null() & pl.col("person_name_key").is_not_null())
    days_apart = (pl.col("birth_date") - pl.col("id_no_birth_date")).dt.total_days().abs()
    uses = named.group_by("own_id", "person_name_key").agg(
        pl.len().alias("count"),
        pl.col("person_name_pinyin").min().alias("pinyin"),
        (days_apart == 0).any().fill_null(False).alias("is_confirmed"),
        (days_apart > _LUNAR_MAX_DAYS).any().fill_null(False).alias("is_contradicted"),
    )
    contested = uses.filter(pl.len().over("own_id") > 1).sort(
        "own_id", "is_confirmed", "count", "person_name_key", descending=[False, True, True, False]
    )
    borrowed: list[tuple[str, str]] = []
    for (own_id,), names in contested.group_by("own_id", maintain_order=True):
        claims = [
            _Claim([name], pinyin, count, confirmed, contradicted and not confirmed)
            for name, pinyin, count, confirmed, contradicted in names.select(
                "person_name_key", "pinyin", "count", "is_confirmed", "is_contradicted"
            ).iter_rows()
        ]
        owners = _merge_like_names(claims)
        best = max(owner.strength for owner in owners)
        if [owner.strength for owner in owners].count(best) == 1:
            borrowed += [
                (str(own_id), name) for owner in owners if owner.strength < best for name in owner.names
            ]
    return pl.DataFrame(
        {"own_id": [own for own, _ in borrowed], "person_name_key": [name for _, name in borrowed]},
        schema={"own_id": pl.String, "person_name_key": pl.String},
    ).with_columns(is_borrowed=pl.lit(True))


@dataclass
class _Claim:
    """The use of one id under one name, or under several that could be one."""

    names: list[str]
    pinyin: str | None
    count: int
    is_confirmed: bool
    is_contradicted: bool

    @property
    def strength(self) -> tuple[bool, bool, int]:
        return self.is_confirmed, not self.is_contradicted, self.count


def _merge_like_names(claims: Iterable[_Claim]) -> list[_Claim]:
    """Greedy groups of names that could be one name mistyped, strongest first; a contradicted one stays apart."""
    owners: list[_Claim] = []
    for claim in claims:
        name = claim.names[0]
        home = next(
            (
                owner
                for owner in owners
                if not claim.is_contradicted
                and names_are_alike(name, claim.pinyin, owner.names[0], owner.pinyin)
            ),
            None,
        )
        if home is None:
            owners.append(claim)
        else:
            home.names.append(name)
            home.count += claim.count
            home.is_confirmed |= claim.is_confirmed
    return owners


def names_are_alike(name: str, pinyin: str | None, other: str, other_pinyin: str | None) -> bool:
    """Whether two names on the same id could be one name mistyped: same sound, or one character changed or lost."""
    if name == other or (pinyin is not None and pinyin == other_pinyin):
        return True
    if len(name) == len(other):
        return sum(a != b for a, b in zip(name, other, strict=True)) == 1
    longer, shorter = (name, other) if len(name) > len(other) else (other, name)
    return len(longer) == len(shorter) + 1 and bool(
        re.fullmatch(".?".join(["", *map(re.escape, shorter), ""]), longer)
    )
