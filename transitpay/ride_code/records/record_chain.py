"""How far a reader's records are here without a gap and chained, and what is missing. Pure.

A link is what one batch proves: its records lead from the hash before the first to the hash of
the last. Links come in any order; what they give together does not depend on it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

Gap = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Link:
    """A batch as a part of the chain. ``agrees``: no other record stood at its positions."""

    key_number: int
    first: int
    last: int
    before: bytes
    after: bytes
    agrees: bool = True


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Everything up to ``through`` is here and chained; ``hash`` is that of the record there.

    Before the first record of a key it is the start of that key's chain.
    """

    key_number: int
    through: int
    hash: bytes


def extend(acknowledged: Acknowledged, links: Iterable[Link]) -> Acknowledged:
    """How far the links lead on from what is acknowledged.

    A link that overlaps and agrees has the same records there: equal hashes at one position mean
    equal records up to it.
    """
    at = acknowledged
    for link in sorted(links, key=lambda it: (it.first, -it.last)):
        if link.key_number != at.key_number or not link.agrees or link.last <= at.through:
            continue
        if link.first > at.through + 1:
            break
        if link.first == at.through + 1 and link.before != at.hash:
            continue
        at = Acknowledged(at.key_number, link.last, link.after)
    return at


def breaks(acknowledged: Acknowledged, links: Iterable[Link]) -> list[int]:
    """First positions of the links that should follow what is acknowledged and do not: a second
    chain stands there."""
    return sorted(
        {
            link.first
            for link in links
            if link.key_number == acknowledged.key_number
            and link.first == acknowledged.through + 1
            and link.before != acknowledged.hash
        }
    )


def gaps(floor: int, ranges: Iterable[tuple[int, int]]) -> list[Gap]:
    """The positions above ``floor`` that no range holds and that lie below the highest of them."""
    missing: list[Gap] = []
    at = floor
    for first, last in sorted(ranges):
        if first > at + 1:
            missing.append((at + 1, first - 1))
        at = max(at, last)
    return missing
