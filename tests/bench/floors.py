"""The floors: what the same rows cost when nothing is done with them that could be left out.

A floor does no checking, keeps no history and protects nobody; it is a yardstick, not an alternative.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from psycopg.sql import SQL, Identifier
from sqlalchemy import Engine

if TYPE_CHECKING:
    import polars as pl

SCHEMA: Final = "bench_floor"
_BLOCK: Final = 1 << 20


def empty_copy(engine: Engine, schema: str, table: str) -> None:
    """An empty table of the same columns and indexes, without triggers, as `bench_floor.<schema>_<table>`."""
    with engine.begin() as connection:
        cursor = _cursor(connection)
        cursor.execute(SQL("create schema if not exists {}").format(Identifier(SCHEMA)))
        cursor.execute(SQL("drop table if exists {}").format(_copied(schema, table)))
        cursor.execute(
            SQL("create table {} (like {} including indexes)").format(
                _copied(schema, table), Identifier(schema, table)
            )
        )


def copied_out(engine: Engine, schema: str, table: str, condition: str = "true") -> bytes:
    """The rows of a table as COPY writes them."""
    with engine.connect() as connection:
        statement = SQL("copy (select * from {} where {}) to stdout").format(
            Identifier(schema, table),
            SQL(condition),
        )
        with _cursor(connection).copy(statement) as copy:
            return b"".join(bytes(block) for block in copy)


def decode_csv(content: bytes, encoding: str) -> int:
    """Decode and split a csv file; its data rows."""
    rows = list(csv.reader(io.StringIO(content.decode(encoding), newline="")))
    return len(rows) - 1


def copy_in(engine: Engine, schema: str, table: str, rows: bytes) -> int:
    """COPY rows into the empty copy of a table, in one transaction; how many."""
    with engine.begin() as connection:
        cursor = _cursor(connection)
        with cursor.copy(SQL("copy {} from stdin").format(_copied(schema, table))) as copy:
            for begin in range(0, len(rows), _BLOCK):
                copy.write(rows[begin : begin + _BLOCK])
        return int(cursor.rowcount)


def copy_text(engine: Engine, path: Path, encoding: str) -> int:
    """COPY the bytes of a csv file as they are into a table of text columns, in one transaction; its data rows."""
    with path.open(encoding=encoding, newline="") as file:
        header = next(csv.reader(file))
    table = Identifier(SCHEMA, "csv_text")
    columns = SQL(", ").join(SQL("{} text").format(Identifier(f"c{place}")) for place in range(len(header)))
    with engine.begin() as connection:
        cursor = _cursor(connection)
        cursor.execute(SQL("create schema if not exists {}").format(Identifier(SCHEMA)))
        cursor.execute(SQL("drop table if exists {}").format(table))
        cursor.execute(SQL("create table {} ({})").format(table, columns))
        cursor.execute(SQL("set local client_encoding to {}").format(encoding))
        copying = cursor.copy(SQL("copy {} from stdin (format csv, header true)").format(table))
        with copying as copy, path.open("rb") as file:
            while block := file.read(_BLOCK):
                copy.write(block)
        count = int(cursor.rowcount)
        cursor.execute(SQL("set local client_encoding to utf8"))
        cursor.execute(SQL("drop table {}").format(table))
        return count


def create_as_select(engine: Engine, tables: Iterable[tuple[str, str]]) -> int:
    """`create table as select` of every table, in one transaction; the rows of all."""
    count = 0
    with engine.begin() as connection:
        cursor = _cursor(connection)
        cursor.execute(SQL("create schema if not exists {}").format(Identifier(SCHEMA)))
        for schema, table in tables:
            cursor.execute(SQL("drop table if exists {}").format(_copied(schema, table)))
            cursor.execute(
                SQL("create table {} as select * from {}").format(
                    _copied(schema, table), Identifier(schema, table)
                )
            )
            count += cursor.rowcount
    return count


def insert_select(engine: Engine, tables: Iterable[str], release_no: int) -> int:
    """Insert the candidate rows under a number into the empty copies of `release.<table>`; the rows of all."""
    count = 0
    with engine.begin() as connection:
        cursor = _cursor(connection)
        for table in tables:
            cursor.execute(SQL("select * from {} limit 0").format(Identifier("candidate", table)))
            columns = SQL(", ").join(Identifier(column.name) for column in cursor.description)
            cursor.execute(
                SQL("insert into {} (release_no, {}) select {}, {} from {}").format(
                    _copied("release", table), columns, release_no, columns, Identifier("candidate", table)
                )
            )
            count += cursor.rowcount
    return count


def seal(values: Iterable[tuple[bytes, bytes]]) -> int:
    """AES-256-GCM with a random nonce over (plaintext, associated data); how many."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    cipher = AESGCM(AESGCM.generate_key(256))
    count = 0
    for plaintext, associated in values:
        nonce = os.urandom(12)
        _ = nonce + cipher.encrypt(nonce, plaintext, associated)
        count += 1
    return count


def splink_table(records: pl.DataFrame) -> pl.DataFrame:
    """The normalised records as plain Splink takes them: one row a record, `unique_id` its position."""
    import polars as pl

    any_id = pl.coalesce("own_id", "weak_id", "id_pattern")
    return records.select(
        "own_id", "weak_id", "id_pattern", "door", "place",
        unique_id=pl.int_range(pl.len(), dtype=pl.Int64),
        name="person_name_key", pinyin="person_name_pinyin", birth_date="known_birth_date", sex="known_sex",
        phone=pl.when(pl.col("phone_kind").is_in(["mobile", "landline"])).then("phone_token"),
        compound="address_compound", building="address_building",
        id_head=_unmasked(any_id.str.slice(0, 6)), id_tail=_unmasked(any_id.str.slice(-4)),
    )  # fmt: skip


def _unmasked(part: pl.Expr) -> pl.Expr:
    import polars as pl

    return pl.when(~part.str.contains("[_%]")).then(part)


def plain_splink(
    table: pl.DataFrame,
    settings: Mapping[str, Any],
    blocks: Iterable[tuple[str, ...]],
    threshold_weight: float,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Splink 5 as its manual has it: predict, then cluster at one threshold.

    Args:
        table: As `splink_table` makes it.
        settings: A trained model; its weights are used, its blocking rules are replaced by the plain `blocks`.
        blocks: The columns that agree in each blocking rule.
        threshold_weight: Match weight from which a pair is an edge.

    Returns:
        unique_id_l, unique_id_r, match_weight of all pairs; unique_id, cluster_id of all records.
    """
    import duckdb
    import polars as pl
    from splink import DuckDBAPI, Linker

    rules = [
        {"blocking_rule": " and ".join(f"l.{column} = r.{column}" for column in columns), "sql_dialect": "duckdb"}
        for columns in blocks
    ]  # fmt: skip
    plain = {
        **settings,
        "blocking_rules_to_generate_predictions": rules,
        "probability_two_random_records_match": 1 / max(2, table.height),
        "retain_matching_columns": False,
    }
    with duckdb.connect(":memory:") as connection:
        api = DuckDBAPI(connection=connection)
        linker = Linker(api.register(table.to_arrow(), table_name="record"), plain, log_level="ERROR")
        predicted = linker.inference.predict(warning_mode="never")
        clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(
            predicted, threshold_match_weight=threshold_weight
        )
        pairs = predicted.as_duckdbpyrelation().select("unique_id_l, unique_id_r, match_weight")
        found = clusters.as_duckdbpyrelation().select("unique_id, cluster_id")
        frames = pl.from_arrow(pairs.to_arrow_table()), pl.from_arrow(found.to_arrow_table())
    return pl.DataFrame(frames[0]), pl.DataFrame(frames[1])


def _copied(schema: str, table: str) -> Identifier:
    return Identifier(SCHEMA, f"{schema}_{table}")


def _cursor(connection: Any) -> Any:
    return connection.connection.driver_connection.cursor()
