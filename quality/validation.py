"""Running checks with Great Expectations, and nothing of a row ever coming back.

The one place that calls Great Expectations: ephemeral context, result format BOOLEAN_ONLY, its messages not
read and its logger silent, because both quote values (reliability.md D12). Counts come from SQL. A check that
raises, times out, or looked at no rows where there are rows is a failed check (F13).
"""

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from infra.errors import safe_message
from quality.rules import Rule, Severity, count_columns, expectation, is_within_limit

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.datasource.fluent import PostgresDatasource

# The only result format whose results were seen to hold no value for every expectation in use.
RESULT_FORMAT: Final = "BOOLEAN_ONLY"
# A check that takes longer is stopped by the server and has failed.
STATEMENT_TIMEOUT_SECONDS: Final = 120
_ROWS_SEEN: Final = "great_expectations_saw_the_rows_that_sql_counted"


@dataclass(frozen=True)
class TableToCheck:
    """Rows to check (`query`), the rules, and how many rows there must be at least one of.

    `expected_count_sql` counts from another source; the rows may be none only if it says none.
    """

    suite: str
    table_name: str
    query: str
    rules: Sequence[Rule]
    expected_count_sql: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckResult:
    """Outcome of one check. Counts are rows; None where counting itself failed. `detail` holds no value."""

    suite: str
    table_name: str
    check_name: str
    title: str
    severity: Severity
    is_passed: bool
    checked_count: int | None
    failed_count: int | None
    detail: Mapping[str, Any]


def run_checks(engine: Engine, tables: Sequence[TableToCheck]) -> list[CheckResult]:
    """Check the tables and return a result for every rule, in order. Never raises for what a check found.

    Raises SQLAlchemy's OperationalError only where the warehouse cannot be reached at all.
    """
    if not tables:
        return []
    with _datasource(engine) as datasource, _counting_connection(engine) as connection:
        return [
            result
            for number, table in enumerate(tables)
            for result in _check_table(connection, datasource, number, table)
        ]


def _check_table(
    connection: Connection, datasource: "PostgresDatasource", number: int, table: TableToCheck
) -> Iterator[CheckResult]:
    row_count, trouble = _scalar(connection, f"with batch as ({table.query}) select count(*) from batch")
    expected_count, expected_trouble = _scalar(connection, table.expected_count_sql)
    trouble = trouble or expected_trouble
    if trouble is None and row_count == 0 and expected_count:
        trouble = {"problem": "no_rows_seen", "expected_count": expected_count}
    judged: dict[str, bool | str] = {}
    if row_count is not None:
        judged, seen_trouble = _judge(datasource, number, table, row_count)
        trouble = trouble or seen_trouble
    for rule in table.rules:
        yield _result(connection, table, rule, judged.get(rule.check_name), trouble)


def _result(
    connection: Connection,
    table: TableToCheck,
    rule: Rule,
    verdict: bool | str | None,
    trouble: Mapping[str, Any] | None,
) -> CheckResult:
    checked_count = failed_count = None
    detail: dict[str, Any] = {**table.detail, "kind": rule.kind, "min_ratio": rule.min_ratio}
    if rule.columns:
        detail["columns"] = list(rule.columns)
    count_trouble: Mapping[str, Any] | None = None
    try:
        checked_sql, failed_sql = count_columns(rule)
        checked_count, failed_count = (
            int(count)
            for count in connection.exec_driver_sql(
                f"with batch as ({table.query}) select {checked_sql}, {failed_sql} from batch"
            ).one()
        )
    except DBAPIError as error:
        count_trouble = {"problem": "raised", "error": safe_message(error)}
    is_counted = (
        checked_count is not None
        and failed_count is not None
        and is_within_limit(rule, checked_count, failed_count)
    )
    if trouble or count_trouble:
        detail |= trouble or count_trouble or {}
    elif not isinstance(verdict, bool):
        detail |= {"problem": "raised", "error": verdict or "no result"}
    elif verdict != is_counted:
        # Two readings of one rule that differ: the check is wrong, and a wrong check passes nothing.
        detail |= {"problem": "disagree", "great_expectations": verdict}
    is_passed = verdict is True and is_counted and "problem" not in detail
    return CheckResult(
        table.suite,
        table.table_name,
        rule.check_name,
        rule.title,
        rule.severity,
        is_passed,
        checked_count,
        failed_count,
        detail,
    )


def _judge(
    datasource: "PostgresDatasource", number: int, table: TableToCheck, row_count: int
) -> tuple[dict[str, bool | str], Mapping[str, Any] | None]:
    """What Great Expectations says of each rule: a truth value, or the kind of error it ran into."""
    import great_expectations as gx
    import great_expectations.expectations as gxe

    try:
        asset = datasource.add_query_asset(f"batch_{number}", query=table.query)
        batch = asset.add_batch_definition_whole_table("whole").get_batch()
        suite = gx.ExpectationSuite(
            name=f"suite_{number}",
            expectations=[
                gxe.ExpectTableRowCountToEqual(value=row_count, meta={"check_name": _ROWS_SEEN}),
                *(expectation(rule) for rule in table.rules),
            ],
        )
        validation = batch.validate(suite, result_format=RESULT_FORMAT)
    except Exception as error:  # noqa: BLE001  whatever a library raises while judging, the check has failed
        return {}, {"problem": "raised", "error": safe_message(error)}
    judged = _read(validation)
    if judged.pop(_ROWS_SEEN, None) is not True:
        return judged, {"problem": "rows_differ", "row_count": row_count}
    return judged, None


def _read(validation: "ExpectationSuiteValidationResult") -> dict[str, bool | str]:
    judged: dict[str, bool | str] = {}
    for result in validation.results:
        name = (result.expectation_config.meta or {})["check_name"] if result.expectation_config else ""
        # Either one entry, or one for each metric that raised; the messages quote SQL and values: not read.
        info = result.exception_info or {}
        entries = [info] if "raised_exception" in info else list(info.values())
        has_raised = any(entry.get("raised_exception") for entry in entries)
        judged[name] = "expectation raised" if has_raised else bool(result.success)
    return judged


@contextlib.contextmanager
def _datasource(engine: Engine) -> Iterator["PostgresDatasource"]:
    """An ephemeral Great Expectations context on the warehouse: no files, no Data Docs, no analytics, no log."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    with _silence("great_expectations"):
        context = gx.get_context(
            mode="ephemeral",
            project_config=DataContextConfig(
                store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
                analytics_enabled=False,
                progress_bars=ProgressBarsConfig(globally=False),
            ),
        )
        options = f"-c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s"
        url = engine.url.update_query_dict({"options": options}).render_as_string(hide_password=False)
        datasource = context.data_sources.add_postgres("warehouse", connection_string=url)
        try:
            yield datasource
        finally:
            datasource.get_execution_engine().close()


@contextlib.contextmanager
def _silence(name: str) -> Iterator[None]:
    """Keep a library's loggers from every handler; some of them have levels of their own."""
    logger = logging.getLogger(name)
    handler = logging.NullHandler()
    propagates, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagates


@contextlib.contextmanager
def _counting_connection(engine: Engine) -> Iterator[Connection]:
    # Autocommit: one count that fails must not abort the ones after it.
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"set statement_timeout = '{STATEMENT_TIMEOUT_SECONDS}s'"))
        try:
            yield connection
        finally:
            connection.execute(text("reset statement_timeout"))


def _scalar(connection: Connection, sql: str) -> tuple[int | None, Mapping[str, Any] | None]:
    try:
        return int(connection.exec_driver_sql(sql).scalar() or 0), None
    except DBAPIError as error:
        return None, {"problem": "raised", "error": safe_message(error)}
