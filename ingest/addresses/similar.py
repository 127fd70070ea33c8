"""How alike two names are: Jaro-Winkler similarity. It proposes, it never decides."""

from __future__ import annotations

from typing import Final

_PREFIX: Final = 4
_PREFIX_WEIGHT: Final = 0.1


def jaro_winkler(one: str, other: str) -> float:
    """Similarity from 0 to 1 (Winkler 1990, prefix of up to four characters, weight 0.1)."""
    if one == other:
        return 1.0
    if not one or not other:
        return 0.0
    reach = max(max(len(one), len(other)) // 2 - 1, 0)
    taken = [False] * len(other)
    matched = []
    for place, character in enumerate(one):
        for there in range(max(0, place - reach), min(len(other), place + reach + 1)):
            if not taken[there] and other[there] == character:
                taken[there] = True
                matched.append(character)
                break
    if not matched:
        return 0.0
    in_other = [character for character, is_taken in zip(other, taken, strict=True) if is_taken]
    swapped = sum(a != b for a, b in zip(matched, in_other, strict=True)) / 2
    count = len(matched)
    jaro = (count / len(one) + count / len(other) + (count - swapped) / count) / 3
    prefix = 0
    for a, b in zip(one[:_PREFIX], other[:_PREFIX], strict=False):
        if a != b:
            break
        prefix += 1
    return jaro + prefix * _PREFIX_WEIGHT * (1 - jaro)
