"""The ledger's rules on toy groups: ids stay, merge, split, retire and come back; a re-run changes nothing."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkage.identity import LedgerChange, LedgerState, assign_ids
from linkage.ids import format_id

DAY = date(2026, 8, 31)
IDENTITY_SCHEMA = {"entity_id": pl.String, "serial": pl.Int64, "status": pl.String, "resolves_to": pl.String}
MEMORY_SCHEMA = {"record_id": pl.String, "entity_id": pl.String, "first_entity_id": pl.String}


class Ledger:
    """Applies changes the way ``linkage.ledger`` does in SQL."""

    def __init__(self) -> None:
        self.identities: dict[str, dict[str, object]] = {}
        self.memory: dict[str, tuple[str, str]] = {}
        self.minted: list[str] = []

    def run(self, partition: list[str], *, may_retire: bool = True, registered: str = "") -> LedgerChange:
        """``partition``: groups written as strings of one-letter record ids; ``registered``: rows of the register."""
        groups = groups_of(partition).with_columns(
            is_registered=pl.col("record_id").is_in(pl.Series(list(registered), dtype=pl.String).implode())
        )
        change = assign_ids(self.state(), groups, may_retire=may_retire)
        for entity_id, serial in change.new_identities.iter_rows():
            assert entity_id not in self.identities
            self.minted.append(entity_id)
            self.identities[entity_id] = {"serial": serial, "status": "active", "resolves_to": entity_id}
        for entity_id, status, resolves_to in change.changed_identities.iter_rows():
            self.identities[entity_id] |= {"status": status, "resolves_to": resolves_to}
        for record_id, entity_id, first in change.changed_memory.iter_rows():
            self.memory[record_id] = (entity_id, self.memory.get(record_id, (entity_id, first))[1])
        return change

    def state(self) -> LedgerState:
        return LedgerState(
            "person",
            pl.DataFrame(
                [{"entity_id": entity_id, **facts} for entity_id, facts in self.identities.items()],
                schema=IDENTITY_SCHEMA,
            ),
            pl.DataFrame(
                [
                    {"record_id": record, "entity_id": now, "first_entity_id": first}
                    for record, (now, first) in self.memory.items()
                ],
                schema=MEMORY_SCHEMA,
            ),
        )

    def id_of(self, record_id: str) -> str:
        return self.memory[record_id][0]

    def resolve(self, entity_id: str) -> str | None:
        target = self.identities[entity_id]["resolves_to"]
        while target is not None and target != entity_id:
            entity_id = str(target)
            target = self.identities[entity_id]["resolves_to"]
        return entity_id if target is not None else None


def groups_of(partition: list[str]) -> pl.DataFrame:
    rows = [(record, number, DAY) for number, group in enumerate(partition) for record in group]
    return pl.DataFrame(
        rows, schema={"record_id": pl.String, "group": pl.Int64, "first_seen": pl.Date}, orient="row"
    )


def happened(change: LedgerChange) -> list[tuple[str, str, str | None]]:
    return list(change.events.select("entity_id", "event", "other_id").iter_rows())


P1, P2, P3 = (format_id("person", serial) for serial in (1, 2, 3))


@pytest.fixture
def ledger() -> Ledger:
    started = Ledger()
    started.run(["abc", "de"])
    return started


def test_first_run_mints_in_the_order_of_the_smallest_record(ledger: Ledger) -> None:
    assert (ledger.id_of("a"), ledger.id_of("d")) == (P1, P2)
    assert ledger.minted == [P1, P2]


def test_the_same_groups_again_change_nothing(ledger: Ledger) -> None:
    change = ledger.run(["de", "abc"])
    for frame in (change.events, change.new_identities, change.changed_identities, change.changed_memory):
        assert frame.is_empty()
    assert dict(change.group_ids.iter_rows()) == {0: P2, 1: P1}


def test_new_records_take_the_id_of_their_group(ledger: Ledger) -> None:
    change = ledger.run(["abcx", "de", "y"])
    assert happened(change) == [(P3, "minted", None)]
    assert ledger.id_of("x") == P1


def test_the_oldest_id_survives_a_merge_even_when_it_is_the_smaller_part() -> None:
    ledger = Ledger()
    ledger.run(["a", "bcd"])
    change = ledger.run(["abcd"])
    assert happened(change) == [(P2, "merged_into", P1)]
    assert ledger.resolve(P2) == P1
    assert ledger.run(["abcd"]).events.is_empty()


def test_the_id_of_a_registered_household_outlives_the_older_one_of_a_record_that_could_not_be_placed() -> (
    None
):
    ledger = Ledger()
    ledger.run(["a", "bcd", "ef"], registered="bcef")
    change = ledger.run(["abcd", "ef"], registered="bcef")
    assert happened(change) == [(P1, "merged_into", P2)]
    assert ledger.run(["abcd", "ef"], registered="bcef").events.is_empty()
    assert happened(ledger.run(["abcdef"], registered="bcef")) == [(P3, "merged_into", P2)]  # both: the older
    assert ledger.resolve(P1) == P2


def test_register_rows_that_are_new_do_not_make_an_id_registered() -> None:
    ledger = Ledger()
    ledger.run(["a", "b"])
    assert happened(ledger.run(["abx"], registered="x")) == [(P2, "merged_into", P1)]


def test_the_larger_part_of_a_split_keeps_the_id(ledger: Ledger) -> None:
    change = ledger.run(["a", "bc", "de"])
    assert ledger.id_of("b") == P1
    assert happened(change) == [(P3, "minted", None), (P3, "split_from", P1)]


def test_equal_parts_of_a_split_are_told_apart_by_the_smallest_record() -> None:
    for partition in (["ab", "cd"], ["cd", "ab"]):
        ledger = Ledger()
        ledger.run(["abcd"])
        ledger.run(partition)
        assert (ledger.id_of("a"), ledger.id_of("c")) == (P1, P2)


def test_an_id_without_records_retires_and_is_reinstated_with_them(ledger: Ledger) -> None:
    assert happened(ledger.run(["abc"])) == [(P2, "retired", None)]
    assert ledger.resolve(P2) is None
    assert ledger.run(["abc"]).events.is_empty()
    assert happened(ledger.run(["abc", "de"])) == [(P2, "reinstated", None)]
    assert ledger.resolve(P2) == P2


def test_a_look_back_retires_nobody(ledger: Ledger) -> None:
    assert happened(ledger.run(["abc"], may_retire=False)) == []
    assert ledger.resolve(P2) == P2
    assert happened(ledger.run(["abc", "de"])) == []


def test_a_withdrawn_person_that_comes_back_in_another_person_is_merged(ledger: Ledger) -> None:
    ledger.run(["abc"])
    assert happened(ledger.run(["abcde"])) == [(P2, "merged_into", P1)]
    assert ledger.resolve(P2) == P1


def test_records_away_during_a_merge_come_back_to_the_survivor(ledger: Ledger) -> None:
    ledger.run(["abcd"])
    assert ledger.resolve(P2) == P1
    assert ledger.run(["abcde"]).events.is_empty()
    assert ledger.id_of("e") == P1


def test_a_merge_taken_back_gives_the_old_id_back(ledger: Ledger) -> None:
    ledger.run(["abcde"])
    change = ledger.run(["abc", "de"])
    assert happened(change) == [(P2, "reinstated", P1)]
    assert ledger.id_of("d") == P2
    assert ledger.resolve(P2) == P2


def test_chains_of_merges_resolve_to_the_last_survivor() -> None:
    ledger = Ledger()
    ledger.run(["a", "b", "c"])
    ledger.run(["a", "bc"])
    ledger.run(["abc"])
    assert {ledger.resolve(entity_id) for entity_id in (P1, P2, P3)} == {P1}


PARTITIONS = st.lists(
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 4), min_size=0, max_size=8),
    min_size=1,
    max_size=7,
)
REGISTERED = st.text(alphabet="abcdefgh", max_size=5)


@given(PARTITIONS, REGISTERED)
def test_whatever_happens_ids_are_unique_lasting_and_resolvable(
    history: list[dict[str, int]], registered: str
) -> None:
    ledger = Ledger()
    for assignment in history:
        partition = [
            "".join(sorted(record for record, group in assignment.items() if group == number))
            for number in sorted(set(assignment.values()))
        ]
        change = ledger.run(partition, registered=registered)
        ids = change.group_ids["entity_id"].to_list()
        assert len(set(ids)) == len(partition) == len(ids)
        assert {
            entity_id for entity_id, facts in ledger.identities.items() if facts["status"] == "active"
        } == set(ids)
        assert len(set(ledger.minted)) == len(ledger.minted)
        for entity_id in ledger.identities:
            resolved = ledger.resolve(entity_id)
            assert resolved is None or resolved in ids
        again = ledger.run(partition, registered=registered)
        assert again.events.is_empty()
        assert again.changed_memory.is_empty()


@given(PARTITIONS, REGISTERED)
def test_the_order_of_groups_and_rows_does_not_matter(history: list[dict[str, int]], registered: str) -> None:
    forward, backward = Ledger(), Ledger()
    for assignment in history:
        numbers = sorted(set(assignment.values()))
        partition = ["".join(r for r, g in assignment.items() if g == number) for number in numbers]
        forward.run(partition, registered=registered)
        backward.run([group[::-1] for group in reversed(partition)], registered=registered)
    assert forward.memory == backward.memory
    assert forward.identities == backward.identities
