"""What is known of compounds, as an immutable snapshot that addresses are read with (domain.md 3.2, step 4).

Not here: where the entries come from (``entries``) and how an address is read with them (``parser``).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

# What may stand behind the name of a compound: the end, or a door. A further word of a name (2期, 东区, 公寓) may not: then
# it is the name of another compound.
_BEHIND_NAME: Final = re.compile(
    r"(?a)(?:小区)?(?:(?<=号)大?院)?(?:内|[东西南北]门)?[-#/]?(?:$"
    r"|\d+(?!\d|期|区|[支横]?[弄巷]|[村条里组队社路街苑园坊]|号(?:院|大院|苑|公馆|公寓|楼院))"
    r"|[甲乙丙丁]\d|[A-Z]\d{0,3}(?:号楼|[幢栋座号#-])|[甲乙丙丁东西南北中](?:号楼|[幢栋座楼]|单元))"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One compound.

    Attributes:
        compound: Its name, as it stands in keys.
        community: Where it is, or None when not known; names repeat across communities.
        aliases: Other names of it, in the same form.
        has_units: Whether its buildings have units; None when not known.
        buildings: All its buildings, or None when not known. A door in another one is no door.
    """

    compound: str
    community: str | None = None
    aliases: tuple[str, ...] = ()
    has_units: bool | None = None
    buildings: frozenset[str] | None = None


class Hit(NamedTuple):
    """A known name in a text: where it stands, and the compounds of that name."""

    start: int
    end: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, eq=False)
class Gazetteer:
    """All approved entries of one moment. Made by :func:`gazetteer_of`; never changed.

    Attributes:
        version: Fingerprint of the entries, 16 hex digits; empty when there are none.
    """

    version: str = ""
    _by_name: dict[str, tuple[Entry, ...]] = field(default_factory=dict)
    # First two characters of names to the lengths of the names that begin with them, longest first.
    _lengths: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def find(self, text: str) -> Hit | None:
        """The known name that a door or the end follows: the first in the text, of these the longest."""
        lengths_of = self._lengths
        for start in range(len(text) - 1):
            for length in lengths_of.get(text[start : start + 2], ()):
                entries = self._by_name.get(text[start : start + length])
                if entries and _BEHIND_NAME.match(text, start + length):
                    return Hit(start, start + length, entries)
        return None

    def named(self, name: str, community: str | None) -> tuple[Entry, ...]:
        """The entries of a name that may be in a community; all of the name when none is given."""
        return tuple(
            entry
            for entry in self._by_name.get(name, ())
            if None in (community, entry.community) or entry.community == community
        )


EMPTY: Final = Gazetteer()


def gazetteer_of(entries: Iterable[Entry]) -> Gazetteer:
    """The snapshot of some entries; the same entries in any order give the same version, and mostly the same object."""
    ordered = tuple(sorted(entries, key=lambda entry: (entry.compound, entry.community or "")))
    return _gazetteer(ordered) if ordered else EMPTY


@lru_cache(maxsize=8)
def _gazetteer(ordered: tuple[Entry, ...]) -> Gazetteer:
    by_name: dict[str, list[Entry]] = {}
    for entry in ordered:
        for name in dict.fromkeys((entry.compound, *entry.aliases)):
            by_name.setdefault(name, []).append(entry)
    lengths: dict[str, set[int]] = {}
    for name in by_name:
        lengths.setdefault(name[:2], set()).add(len(name))
    facts = [
        (
            entry.compound,
            entry.community,
            sorted(entry.aliases),
            entry.has_units,
            None if entry.buildings is None else sorted(entry.buildings),
        )
        for entry in ordered
    ]
    return Gazetteer(
        hashlib.sha256(json.dumps(facts, ensure_ascii=False).encode()).hexdigest()[:16],
        {name: tuple(found) for name, found in by_name.items()},
        {head: tuple(sorted(found, reverse=True)) for head, found in lengths.items()},
    )
