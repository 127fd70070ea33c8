"""Which dimension of data quality (GB/T 36344-2018) each row rule speaks of, and the rules as rows of `ops.row_rule`.

What a rule says is `ingest.messages`; how suppliers are scored by it is `quality.scorecard`. Timeliness and
accessibility are not measured on rows: they come of the clock and of the files.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text

from ingest.messages import QUARANTINE_RULES, WARNING_RULES

# Written as the contract asks: right place, right format, a code of the code list.
_CONFORMITY: Final = (
    "cell_too_long", "example_row", "row_longer_than_header", "row_shorter_than_header", "name_of_another_column", "name_unreadable",
    "spreadsheet_error", "formula_without_value", "value_too_long", "text_unreadable", "ditto", "ditto_unresolved", "name_with_note", "name_with_question_mark",
    "id_several_numbers", "id_letter_for_digit", "phone_with_note", "id_with_other_text", "id_no_number", "id_of_15_digits", "id_is_certificate",
    "id_in_number_column", "number_in_text", "certificate_malformed", "phone_several_numbers",
    "date_unreadable", "date_lunar", "date_two_digit_year", "date_two_digit_year_read",
    "date_day_month_unclear", "date_day_missing", "date_month_ambiguous", "code_unknown",
    "integer_unreadable", "amount_unreadable", "boolean_unreadable", "no_identity", "household_not_named", "head_is_member",
    "address_incomplete", "id_taken_from_certificate", "id_taken_from_head_column",
    "category_taken_from_certificate", "level_taken_from_certificate",
)  # fmt: skip
# A required cell that is empty, and nothing else: what is looked at are the required cells.
_COMPLETENESS: Final = (
    "no_key", "required_column_missing", "required_value_missing",
)  # fmt: skip
# There and well written, but it cannot be true.
_ACCURACY: Final = (
    "id_checksum_wrong", "id_birth_date_impossible", "id_area_unknown", "id_masked", "id_rounded",
    "id_stored_as_number", "id_wrong_length", "phone_invalid", "phone_filler", "date_impossible",
    "date_placeholder", "date_in_future", "time_impossible", "integer_out_of_range",
    "age_too_high", "age_too_low", "period_implausible", "status_lapsed",
)  # fmt: skip
# Contradicts another cell or another row. So do the rules a contract words itself, which are no rows of ops.row_rule.
_CONSISTENCY: Final = (
    "id_is_heads_id", "id_is_guardians_id", "id_birth_date_differs", "id_sex_differs", "id_shared_by_two_names",
    "certificate_id_differs", "certificate_category_differs", "certificate_level_differs",
    "contract_dates_reversed", "entered_before_visited", "duplicate_of_row",
    "several_current_contracts", "unemployed_after_registered", "deregistered_before_registered",
    "relation_sex_differs", "household_head_not_once", "insured_more_than_household",
    "insured_count_differs", "total_differs", "household_value_differs", "also_in_low_income", "also_in_extreme_poverty",
    "ended_without_date", "ended_without_reason", "deregistered_without_date", "deregistered_without_reason",
    "guardian_missing",
)  # fmt: skip
# Nothing a supplier did wrong to a row: a total line is none, a refusal is about the delivery.
NOT_SCORED: Final = ("total_row", "delivery_refused")

DIMENSION_OF_RULE: Final[dict[str, str]] = {
    rule: dimension
    for dimension, rules in (
        ("conformity", _CONFORMITY),
        ("completeness", _COMPLETENESS),
        ("accuracy", _ACCURACY),
        ("consistency", _CONSISTENCY),
    )
    for rule in rules
}


def store_row_rules(connection: Connection) -> None:
    """Write every rule with its words and dimension to `ops.row_rule`; rules of older versions stay."""
    connection.execute(
        text(
            "insert into ops.row_rule (rule, dimension, problem, remedy) "
            "values (:rule, :dimension, :problem, :remedy) on conflict (rule) do update set "
            "dimension = excluded.dimension, problem = excluded.problem, remedy = excluded.remedy"
        ),
        [
            {"rule": rule, "dimension": DIMENSION_OF_RULE.get(rule), "problem": problem, "remedy": remedy}
            for rule, (problem, remedy) in (QUARANTINE_RULES | WARNING_RULES).items()
        ],
    )
