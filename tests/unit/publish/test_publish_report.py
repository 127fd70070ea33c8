"""The pure parts of the texts about a release."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publish.report import describe_accuracy, gauge, percent


def figures(**changes: Any) -> Any:
    return SimpleNamespace(
        **{
            "target_ratio": Decimal("0.95"),
            "accuracy_ratio": 0.975,
            "lower_bound_ratio": 0.961,
            "interval_lower_ratio": 0.959,
            "upper_bound_ratio": 0.985,
            "audited_household_count": 301,
            "audited_field_count": 2410,
            "correct_field_count": 2349,
            **changes,
        }
    )


def test_accuracy_is_told_with_its_interval_target_and_evidence() -> None:
    told = describe_accuracy(figures())
    for expected in ("97.50%", "96.10%", "95.90%–98.50%", "95.00%", "301 户", "2,410 项", "2,349 项"):
        assert expected in told


@pytest.mark.parametrize("missing", ["accuracy_ratio", "lower_bound_ratio"])
def test_without_an_estimate_nothing_is_claimed(missing: str) -> None:
    assert "无法估计" in describe_accuracy(figures(**{missing: None}))
    assert gauge(figures(**{missing: None})) is None


@pytest.mark.parametrize(
    ("ratio", "shown"),
    [(0.95, "95.00%"), (0.949999, "94.99%"), (Decimal("0.95"), "95.00%"), (1.0, "100.00%"), (None, "—")],
)
def test_a_ratio_is_never_rounded_up_to_a_target(ratio: float | Decimal | None, shown: str) -> None:
    assert percent(ratio) == shown


@given(
    target=st.decimals(0, 1, places=3, allow_nan=False),
    ratios=st.lists(st.floats(0, 1), min_size=4, max_size=4).map(sorted),
)
def test_everything_lies_on_the_gauge_in_its_order(target: Decimal, ratios: list[float]) -> None:
    lower, bound, estimate, upper = ratios
    shown = gauge(
        figures(
            target_ratio=target,
            interval_lower_ratio=lower,
            lower_bound_ratio=bound,
            accuracy_ratio=estimate,
            upper_bound_ratio=upper,
        )
    )
    assert shown is not None
    assert 0 <= shown["start"] <= 0.95
    for name in ("target", "bound", "lower", "estimate", "upper"):
        assert 0 <= shown[name] <= 1
    assert shown["lower"] <= shown["bound"] <= shown["estimate"] <= shown["upper"]
