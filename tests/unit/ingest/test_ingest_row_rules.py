"""Every rule that is told to a supplier speaks of one dimension of data quality, or is said to speak of none."""

from ingest.messages import QUARANTINE_RULES, WARNING_RULES
from ingest.receipt_content import DIMENSION_NAMES
from ingest.receipt_workbook import harmless
from ingest.row_rules import DIMENSION_OF_RULE, NOT_SCORED


def test_every_rule_has_its_place():
    rules = set(QUARANTINE_RULES) | set(WARNING_RULES)
    assert set(DIMENSION_OF_RULE) | set(NOT_SCORED) == rules
    assert not set(DIMENSION_OF_RULE) & set(NOT_SCORED)
    assert set(DIMENSION_OF_RULE.values()) == set(DIMENSION_NAMES) - {"timeliness", "accessibility"}


def test_text_that_could_start_a_formula_is_made_harmless():
    for start in ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", " =", "\u3000＝", "\u00a0@"):
        assert harmless(f"{start}cmd|'/c calc'!A1").startswith("'")
    assert harmless("家庭住址") == "家庭住址"
    assert harmless(-3) == -3
