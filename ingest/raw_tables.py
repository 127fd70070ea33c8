"""The tables that contracts make: ``raw.<list>`` and the contracts themselves as rows in ``ops``.

Tables are created and extended, never narrowed: a column that a contract drops stays with its old values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from psycopg.sql import SQL, Identifier, Literal
from sqlalchemy import Connection, Engine, text

from infra.errors import PermanentError
from infra.warehouse import limit_lock_wait, persistent
from ingest.column_words import store_rule_wordings
from ingest.contract import Contract
from ingest.row_rules import store_row_rules

_TYPES = {"timestamptz": "timestamp with time zone", "text[]": "ARRAY"}


@persistent("建立原始表")
def ensure_raw_tables(engine: Engine, contracts: Mapping[str, Contract]) -> None:
    """Make the raw tables what the contracts say, and write the contracts into ``ops``. Idempotent.

    Raises:
        PermanentError: A column exists with another type.
    """
    with engine.begin() as connection:
        limit_lock_wait(connection)
        connection.execute(text("select pg_advisory_xact_lock(hashtext('yihu raw tables'))"))
        connection.execute(text("create schema if not exists raw"))
        for contract in contracts.values():
            _ensure_table(connection, contract)
        _sync_contracts(connection, contracts.values())
        store_row_rules(connection)
        store_rule_wordings(connection, contracts.values())


def _ensure_table(connection: Connection, contract: Contract) -> None:
    present: dict[str, str] = dict(
        connection.execute(
            text(
                "select column_name, data_type from information_schema.columns "
                "where table_schema = 'raw' and table_name = :name"
            ),
            {"name": contract.list_code},
        ).all()
    )
    columns = contract.raw_columns
    for column in columns:
        wanted = _TYPES.get(column.sql_type, column.sql_type)
        if present.get(column.name, wanted) != wanted:
            raise PermanentError(
                f"更新原始表 raw.{contract.list_code}",
                came=f"{column.name} 的类型是 {present[column.name]}",
                expected=column.sql_type,
                next_step="数据约定不能改变已有栏的类型；请换一个栏名",
            )
    if present and all(column.name in present for column in columns):
        comments_current = connection.scalar(
            text("select obj_description(cast('raw.' || quote_ident(:name) as regclass))"),
            {"name": contract.list_code},
        )
        if comments_current == _table_comment(contract):
            return
    table = Identifier("raw", contract.list_code)
    statements = []
    if not present:
        definitions = [
            SQL("{} {}").format(Identifier(c.name), SQL(_definition(c.name, c.sql_type))) for c in columns
        ]
        statements.append(SQL("create table {} ({})").format(table, SQL(", ").join(definitions)))
        statements.append(
            SQL("create index {} on {} (delivery_id)").format(
                Identifier(f"{contract.list_code}_by_delivery"), table
            )
        )
    else:
        statements.extend(
            SQL("alter table {} add column {} {}").format(table, Identifier(c.name), SQL(c.sql_type))
            for c in columns
            if c.name not in present
        )
    statements.append(SQL("comment on table {} is {}").format(table, Literal(_table_comment(contract))))
    statements.extend(
        SQL("comment on column {} is {}").format(
            Identifier("raw", contract.list_code, c.name), Literal(c.comment)
        )
        for c in columns
    )
    cursor = connection.connection.cursor()
    for statement in statements:
        cursor.execute(statement)


def _definition(name: str, sql_type: str) -> str:
    match name:
        case "record_id":
            return "text primary key"
        case "delivery_id":
            return "bigint not null references ops.delivery"
        case "sheet_name":
            return "text not null default ''"
        case "row_number":
            return "integer not null"
        case "source_row_encrypted":
            return "text not null"
        case _:
            return sql_type


def _table_comment(contract: Contract) -> str:
    return f"{contract.title}，数据约定 {contract.version} 版：{contract.grain}。受保护的值只有密文。"


def _sync_contracts(connection: Connection, contracts: Iterable[Contract]) -> None:
    for contract in contracts:
        connection.execute(
            text(
                "insert into ops.contract (list_code, department, title, grain, version, semantics, rhythm, due_day, "
                "legal_basis, purpose) values (:list_code, :department, :title, :grain, :version, :semantics, :rhythm, "
                ":due_day, :legal_basis, :purpose) on conflict (list_code) do update set department = excluded.department, "
                "title = excluded.title, grain = excluded.grain, version = excluded.version, "
                "semantics = excluded.semantics, rhythm = excluded.rhythm, due_day = excluded.due_day, "
                "legal_basis = excluded.legal_basis, purpose = excluded.purpose"
            ),
            {
                name: getattr(contract, name)
                for name in (
                    "list_code", "department", "title", "grain", "version", "semantics", "rhythm", "due_day",
                    "legal_basis", "purpose",
                )
            },
        )  # fmt: skip
        connection.execute(
            text("update ops.contract set business_key = :business_key where list_code = :list_code"),
            {"list_code": contract.list_code, "business_key": list(contract.business_key)},
        )
        connection.execute(
            text("delete from ops.contract_column where list_code = :list_code"),
            {"list_code": contract.list_code},
        )
        connection.execute(
            text(
                "insert into ops.contract_column (list_code, column_name, position, header, semantic_type, is_required, "
                "code_list, allowed_codes, data_class, is_encrypted, minimum, maximum, is_past_only) "
                "values (:list_code, :column_name, :position, :header, :semantic_type, :is_required, :code_list, "
                ":allowed_codes, :data_class, :is_encrypted, :minimum, :maximum, :is_past_only)"
            ),
            [
                {
                    "list_code": contract.list_code,
                    "column_name": column.name,
                    "position": position,
                    "header": column.header,
                    "semantic_type": column.semantic_type,
                    "is_required": column.is_required,
                    "code_list": column.code_list.name if column.code_list else None,
                    "allowed_codes": list(column.code_list.codes) if column.code_list else None,
                    "data_class": column.data_class,
                    "is_encrypted": column.is_encrypted,
                    "minimum": column.minimum,
                    "maximum": column.maximum,
                    "is_past_only": column.is_past_only,
                }
                for position, column in enumerate(contract.columns, start=1)
            ],
        )
