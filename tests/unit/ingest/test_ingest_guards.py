"""Guards that need nothing of what stands: too many rows that cannot be used."""

from datetime import date

import pytest

from ingest.contract import load_contracts
from ingest.guards import DeliveryCounts, hold_reason

VISIT = load_contracts()["visit"]


@pytest.mark.parametrize(
    ("accepted", "quarantined", "footers", "is_held"),
    [
        (11, 1, 0, False),  # 8.3 %, but one row: its clerk mends it, and the others need not wait
        (10, 2, 0, False),
        (9, 3, 0, True),
        (97, 3, 0, False),
        (94, 6, 0, True),
        (9, 6, 4, False),  # totals and signatures are no bad rows
        (0, 2, 0, True),  # none can be used
    ],
)
def test_a_delivery_is_held_for_unusable_rows(accepted, quarantined, footers, is_held):
    """The share of domain.md 1.4, with a least number, as the volume guard has one."""
    counts = DeliveryCounts(accepted, quarantined, footers, {})
    hold = hold_reason(None, VISIT, counts, date(2026, 11, 24), [])
    assert (hold is not None and hold.code == "too_many_quarantined") == is_held


@pytest.mark.parametrize("contract", load_contracts().values(), ids=lambda contract: contract.list_code)
def test_every_list_says_its_least_number(contract):
    assert contract.guards.quarantined_minimum == 3
