"""The suppliers' scorecard: integer counts by dimension, defined where nothing was looked at, the same every time."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import Engine, text

from infra.warehouse import Warehouse
from quality.scorecard import DIMENSION_NAMES, Score, score_suppliers, totals

pytestmark = pytest.mark.database

AS_OF = date(2026, 8, 31)


@pytest.fixture
def engine(warehouse: Warehouse) -> Engine:
    with warehouse.engine.begin() as connection:
        connection.execute(
            text(
                "insert into ops.contract (list_code, department, title, grain, version, semantics, rhythm,"
                " legal_basis, purpose) values"
                " ('low_income', 'civil_affairs', '低保对象花名册', '-', '1', 'snapshot', 'monthly', '-', '-'),"
                " ('disabled', 'civil_affairs', '持证残疾人名册', '-', '1', 'snapshot', 'quarterly', '-', '-'),"
                " ('visit', 'community', '入户走访记录', '-', '1', 'append', 'daily', '-', '-')"
            )
        )
        # Four columns: two required, two that can be verified.
        connection.execute(
            text(
                "insert into ops.contract_column (list_code, column_name, position, header, semantic_type, is_required,"
                " data_class, is_encrypted) values"
                " ('low_income', 'person_name', 1, '姓名', 'person_name', true, 'P2', false),"
                " ('low_income', 'id_no', 2, '身份证号', 'id_no', true, 'P3', false),"
                " ('low_income', 'birth_date', 3, '出生日期', 'date', false, 'P2', false),"
                " ('low_income', 'sex_code', 4, '性别', 'code', false, 'P2', false),"
                " ('disabled', 'person_name', 1, '姓名', 'person_name', true, 'P2', false),"
                " ('visit', 'visit_no', 1, '走访编号', 'text', false, 'P1', false)"
            )
        )
        connection.execute(
            text(
                "insert into ops.row_rule values ('id_checksum_wrong', 'accuracy', '-', '-'),"
                " ('code_unknown', 'conformity', '-', '-'), ('required_value_missing', 'completeness', '-', '-'),"
                " ('duplicate_of_row', 'consistency', '-', '-'), ('total_row', null, '-', '-'),"
                " ('delivery_refused', null, '-', '-'), ('no_identity', 'completeness', '-', '-')"
            )
        )
    return warehouse.engine


def add_delivery(
    engine: Engine, list_code: str = "low_income", *, status: str = "loaded", rows: int = 0, aside: int = 0,
    department: str = "civil_affairs", received: str = "2026-08-09 10:00+08",
) -> int:  # fmt: skip
    with engine.begin() as connection:
        return int(
            connection.execute(
                text(
                    "insert into ops.delivery (department, list_code, file_name, source_path, content_sha256,"
                    " received_at, status, row_count, accepted_count, quarantined_count) values (:department,"
                    " :list_code, '-', '-', gen_random_uuid()::text, cast(:received as timestamptz), :status, :rows,"
                    " :rows - :aside, :aside) returning delivery_id"
                ),
                {
                    "department": department,
                    "list_code": list_code,
                    "received": received,
                    "status": status,
                    "rows": rows,
                    "aside": aside,
                },
            ).scalar_one()
        )


def note(
    engine: Engine, delivery_id: int, row: int, rule: str, column: str | None = None, *, aside: bool = False
) -> None:
    table, extra = (
        ("quarantined_row", ("row_encrypted", "'x'")) if aside else ("row_warning", ("record_id", "'x'"))
    )
    with engine.begin() as connection:
        connection.execute(
            text(
                f"insert into ops.{table} (delivery_id, row_number, rule, column_name, message, {extra[0]})"
                f" values (:id, :row, :rule, :column, '-', {extra[1]})"
            ),
            {"id": delivery_id, "row": row, "rule": rule, "column": column},
        )


def counts(scores: list[Score], list_code: str) -> dict[str, tuple[int, int]]:
    return {s.dimension: (s.numerator, s.denominator) for s in scores if s.list_code == list_code}


def test_each_dimension_counts_its_own(engine: Engine) -> None:
    first = add_delivery(engine, rows=11, aside=2)  # ten data rows and a total row
    note(engine, first, 12, "total_row", aside=True)
    note(engine, first, 4, "no_identity", aside=True)
    note(engine, first, 2, "id_checksum_wrong", "id_no")
    note(engine, first, 2, "id_checksum_wrong", "id_no")  # said twice of one cell: one faulty cell
    note(engine, first, 3, "id_checksum_wrong", "id_no")
    note(engine, first, 3, "code_unknown", "sex_code")
    note(engine, first, 5, "required_value_missing", "id_no")
    note(engine, first, 6, "duplicate_of_row")
    note(engine, first, 7, "a_rule_the_contract_words_itself", "birth_date")
    note(engine, first, 7, "duplicate_of_row")
    add_delivery(engine, status="refused")
    add_delivery(engine, status="duplicate")
    with engine.begin() as connection:
        connection.execute(
            text(
                "insert into ops.delivery_due values ('low_income', '2026-08-01', '2026-08-31', '2026-08-10', false,"
                " :id, '2026-08-09', 'on_time', 0, '2026-08-31'),"
                " ('visit', '2026-08-03', '2026-08-03', '2026-08-03', false, null, null, 'missing', 28, '2026-08-31'),"
                " ('visit', '2026-08-31', '2026-08-31', '2026-08-31', false, null, null, 'pending', 0, '2026-08-31')"
            ),
            {"id": first},
        )
    scores = score_suppliers(engine, AS_OF)
    assert counts(scores, "low_income") == {
        "conformity": (39, 40),
        "completeness": (18, 20),
        "accuracy": (18, 20),
        "consistency": (8, 10),
        "timeliness": (1, 1),
        "accessibility": (2, 3),
    }
    # Nothing came: nothing to look at but the clock, and no ratio.
    assert counts(scores, "visit") == dict.fromkeys(DIMENSION_NAMES, (0, 0)) | {"timeliness": (0, 1)}
    assert {s.ratio for s in scores if s.list_code == "visit"} == {None, Decimal(0)}
    assert "disabled" not in {score.list_code for score in scores}
    assert totals(scores)["时效性（%）"] == 50.0
    assert totals([]) == {}


def test_scoring_again_gives_the_same_and_the_month_before_is_kept_up(engine: Engine) -> None:
    add_delivery(engine, rows=5, received="2026-07-09 10:00+08")
    add_delivery(engine, rows=7, received="2026-07-31 23:00+08")
    add_delivery(engine, rows=9, received="2026-08-01 00:30+08")
    everything = text("select * from quality.supplier_scorecard order by month, list_code, dimension")
    assert counts(score_suppliers(engine, AS_OF), "low_income")["consistency"] == (9, 9)
    with engine.connect() as connection:
        before = connection.execute(everything).all()
    assert [(row.month, row.numerator) for row in before if row.dimension == "consistency"] == [
        (date(2026, 7, 1), 12),
        (date(2026, 8, 1), 9),
    ]
    score_suppliers(engine, AS_OF)
    with engine.connect() as connection:
        assert connection.execute(everything).all() == before
    # As of an earlier day what came later is not seen.
    assert counts(score_suppliers(engine, date(2026, 7, 15)), "low_income")["consistency"] == (5, 5)
    # January looks back over the year's end.
    assert score_suppliers(engine, date(2027, 1, 5)) == []


def test_a_delivery_a_person_refused_is_no_fault_of_its_rows_and_was_readable(engine: Engine) -> None:
    refused = add_delivery(engine, status="refused", rows=3, aside=3)
    for row in (2, 3, 4):
        note(engine, refused, row, "delivery_refused", aside=True)
    found = counts(score_suppliers(engine, AS_OF), "low_income")
    assert (found["consistency"], found["accessibility"]) == ((3, 3), (1, 1))


def test_a_file_in_a_wrong_folder_scores_nobody(engine: Engine) -> None:
    add_delivery(engine, "未归入清单", department="civil_affairs", status="refused")
    add_delivery(engine, "low_income", department="health", status="refused")
    assert score_suppliers(engine, AS_OF) == []


def test_more_faults_than_cells_are_no_negative_score(engine: Engine) -> None:
    delivery = add_delivery(engine, rows=1)
    for column in ("person_name", "id_no", "birth_date", "sex_code", None):
        note(engine, delivery, 2, "code_unknown", column)
    assert counts(score_suppliers(engine, AS_OF), "low_income")["conformity"] == (0, 4)


def test_a_list_by_community_is_due_once_from_each(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "insert into ops.delivery_due values ('low_income', '2026-08-01', '2026-08-31', '2026-08-10', false,"
                " null, null, 'missing', 21, '2026-08-31')"
            )
        )
        number = add_delivery(engine)
        connection.execute(
            text(
                "insert into ops.delivery_due_community values"
                " ('low_income', '2026-08-01', '近江社区', :id, '2026-08-09', 'on_time', 0),"
                " ('low_income', '2026-08-01', '在水社区', :id, '2026-08-12', 'late', 2),"
                " ('low_income', '2026-08-01', '清泰社区', null, null, 'missing', 21)"
            ),
            {"id": number},
        )
    assert counts(score_suppliers(engine, AS_OF), "low_income")["timeliness"] == (1, 3)
