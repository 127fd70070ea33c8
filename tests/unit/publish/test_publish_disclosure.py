"""Hidden numbers stay hidden from whoever can add and subtract."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publish.disclosure import SMALLEST_CELL, protect_column, protect_count

CELLS = st.lists(
    st.one_of(st.integers(0, 6), st.integers(0, 4000)),
    max_size=30,
)


@pytest.mark.parametrize(
    ("cells", "shown", "total"),
    [
        ([120, 80, 64], (120, 80, 64), 264),
        ([120, 80, 0], (120, 80, 0), 200),
        ([120, 80, 3], (120, None, None), 203),  # one hidden cell would be the total minus the rest
        ([120, 80, 1, 1], (120, None, None, None), 202),  # two ones add up to 2
        ([120, 4, 4, 4], (120, None, None, None), 132),
        ([0, 3, 0], (0, None, 0), None),
        ([], (), 0),
    ],
)
def test_small_cells_take_others_with_them(
    cells: list[int], shown: tuple[int | None, ...], total: int
) -> None:
    column = protect_column(cells)
    assert column.cells == shown
    assert column.total == total


@given(CELLS)
def test_no_small_cell_is_shown_and_what_is_shown_is_true(cells: list[int]) -> None:
    column = protect_column(cells)
    assert len(column.cells) == len(cells)
    for shown, cell in zip(column.cells, cells, strict=True):
        assert shown in (None, cell)
        assert shown is None or shown == 0 or shown >= SMALLEST_CELL
    assert column.total in (None, sum(cells))
    if all(cell == 0 or cell >= SMALLEST_CELL for cell in cells):
        assert column.cells == tuple(cells)
        assert column.total == sum(cells)


@given(CELLS)
def test_no_hidden_cell_follows_from_the_total(cells: list[int]) -> None:
    """With the total shown, every hidden cell could also be another number: the exact range has two ends."""
    column = protect_column(cells)
    hidden = column.cells.count(None)
    if hidden and column.total is not None:
        hidden_sum = column.total - sum(cell for cell in column.cells if cell is not None)
        smallest_possible, largest_possible = 1, hidden_sum - (hidden - 1)
        assert hidden >= 2
        assert largest_possible - smallest_possible >= SMALLEST_CELL - 1 or hidden > SMALLEST_CELL
        assert largest_possible > smallest_possible


@pytest.mark.parametrize(("count", "shown"), [(0, 0), (1, None), (4, None), (5, 5), (1234, 1234)])
def test_a_single_small_count_is_not_shown(count: int, shown: int | None) -> None:
    assert protect_count(count) == shown
