"""Ids: what a person types from paper is read, and every single slip is caught."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from linkage.ids import EntityId, format_id, is_valid_id, parse_id

ENTITIES = st.sampled_from(["person", "household"])
SERIALS = st.integers(min_value=1, max_value=10**12)


@given(ENTITIES, SERIALS)
def test_an_id_reads_back_as_what_it_was_made_of(entity: str, serial: int) -> None:
    assert parse_id(format_id(entity, serial)) == EntityId(entity, serial)


@given(ENTITIES, SERIALS, st.data())
def test_every_single_substitution_is_caught(entity: str, serial: int, data: st.DataObject) -> None:
    text = format_id(entity, serial)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("0123456789XPH"))
    assume(other != text[place])
    assert not is_valid_id(text[:place] + other + text[place + 1 :])


@given(ENTITIES, SERIALS, st.data())
def test_every_swap_of_neighbours_is_caught(entity: str, serial: int, data: st.DataObject) -> None:
    text = format_id(entity, serial)
    place = data.draw(st.integers(0, len(text) - 2))
    assume(text[place] != text[place + 1])
    assert not is_valid_id(text[:place] + text[place + 1] + text[place] + text[place + 2 :])


@pytest.mark.parametrize("typed", ["p000004189", " P0000 0418 9", "Ｐ０００００４１８９", "P-00000418-9"])
def test_width_case_spaces_and_hyphens_do_not_matter(typed: str) -> None:
    assert parse_id(typed) == EntityId("person", 418)


@pytest.mark.parametrize("text", ["", "P1", "X000004189", "P0000041", "P00000418?", "P0000000041893"])
def test_what_is_no_id_is_refused_in_chinese(text: str) -> None:
    with pytest.raises(ValueError, match="编号"):
        parse_id(text)


def test_a_serial_starts_at_one() -> None:
    with pytest.raises(ValueError, match="starts at 1"):
        format_id("person", 0)
    with pytest.raises(ValueError, match="unknown entity"):
        format_id("street", 1)
