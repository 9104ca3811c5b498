"""The shortest time from a gate of one region to a gate of another: dated data, never a guess.

It is that of the nearest two gates, so that who walks from Lok Ma Chau over the bridge to Futian
is never in the way of it. Two regions without a minimum are as near as one likes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True)
class TravelMinimum:
    """From ``valid_from`` on nobody gets from ``one`` to ``other`` (or back) in less than this.

    Both are destination numbers.
    """

    one: int
    other: int
    valid_from: date
    minimum: timedelta


@dataclass(frozen=True, slots=True)
class TravelMinimums:
    """All minimums ever agreed."""

    known: Sequence[TravelMinimum] = ()

    def between(self, one: int, other: int, day: date) -> timedelta:
        """The minimum that holds on ``day``: of the newest agreement, zero where there is none."""
        pair = {one, other}
        held = [it for it in self.known if {it.one, it.other} == pair and it.valid_from <= day]
        if one == other or not held:
            return timedelta(0)
        return max(held, key=lambda it: it.valid_from).minimum
