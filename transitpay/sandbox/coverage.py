"""Where the sandbox's readers have a network and when: planned by the seed.

Buses reach it at their termini only, a few minutes of each run; one bus has a broken modem and
reaches it in the evening. Some metro gates lose it once for an hour or two. From the last ride on
everybody has it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from transitpay.clock import day_start
from transitpay.sandbox.places import Place

#: Of so many metro gates one loses its network.
_ONE_GATE_IN = 6
_FIRST_H, _LAST_H = 6.0, 22.0
_OUTAGE_H = (0.7, 2.5)
#: Minutes of a bus between two termini, and at one.
_RUN_MINUTES, _TERMINUS_MINUTES = (25, 55), 10
#: The bus with a broken modem: what it uploads changes what later rides of the month cost.
BROKEN_MODEM = "guangzhou-bus-bus-2"
_MENDED_H = 21


@dataclass(frozen=True, slots=True)
class Coverage:
    """``gaps`` are the times without a network: (from, until)."""

    gaps: tuple[tuple[datetime, datetime], ...] = ()

    def reaches(self, at: datetime) -> bool:
        """Whether the gateway can be reached at ``at``."""
        return not any(begin <= at < end for begin, end in self.gaps)

    def back_at(self, at: datetime) -> datetime | None:
        """When a gateway that is out of reach at ``at`` is reached again; None = it is now."""
        return next((end for begin, end in self.gaps if begin <= at < end), None)


def plan_coverage(places: Iterable[Place], seed: int, day: date) -> Mapping[str, Coverage]:
    """The coverage of each reader on this day."""
    return {place.reader: _coverage(place, seed, day_start(day)) for place in places}


def _coverage(place: Place, seed: int, start: datetime) -> Coverage:
    chance = random.Random(f"{seed}:{place.reader}:coverage")
    if place.reader == BROKEN_MODEM:
        return Coverage(((start, start + timedelta(hours=_MENDED_H)),))
    if not place.online:
        return Coverage(tuple(_runs(chance, start)))
    if chance.randrange(_ONE_GATE_IN):
        return Coverage()
    begin_h, length_h = chance.uniform(7, 19), chance.uniform(*_OUTAGE_H)
    begin = start + timedelta(hours=begin_h)
    return Coverage(((begin, begin + timedelta(hours=length_h)),))


def _runs(chance: random.Random, start: datetime) -> Iterable[tuple[datetime, datetime]]:
    """The runs of a bus between its termini."""
    at = start + timedelta(hours=_FIRST_H, minutes=chance.randrange(30))
    last = start + timedelta(hours=_LAST_H)
    while at < last:
        arrives = min(last, at + timedelta(minutes=chance.randint(*_RUN_MINUTES)))
        yield at, arrives
        at = arrives + timedelta(minutes=_TERMINUS_MINUTES)
