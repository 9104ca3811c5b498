"""Compares the journeys that ought to stand with those that are booked: what a correction is.

Nothing else corrects. A late tap, one that was refused after all, a statement, a station mode, a
tariff that was recorded late: each makes a rider be read again, and whatever differs then is
booked anew. Equal facts give equal journeys, so comparing again after booking finds nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum

from transitpay.fares.fare import Fare, Priced
from transitpay.fx.quote import Quote
from transitpay.journeys.journey import Excuse, Journey
from transitpay.money import Money
from transitpay.taps import TapKey


class EndedWhy(StrEnum):
    """Why a booked journey no longer stands, in the order in which it is looked for."""

    TAP_REFUSED = "tap_refused"  #: a tap of it is not accepted any more
    OTHER_TAPS = "other_taps"  #: the rider's taps make other journeys, now that all are known
    GIVEN_BACK = "given_back"  #: the operator gave the fare back
    OTHER_END = "other_end"  #: a statement, a mode or a habit says where it began or ended
    OTHER_FARE = "other_fare"  #: the same journey costs something else


@dataclass(frozen=True, slots=True)
class Booked:
    """One revision of a journey as it is booked; ``taps`` are those that it has in the books.

    ``journey`` is made of the booked row: its taps say where and when, not all that a tap knows.
    ``owed`` is what it costs at the wallet, None while there is no rate.
    """

    id: str
    revision: int
    journey: Journey
    taps: frozenset[TapKey]
    fare: Fare
    quote: Quote | None
    owed: Money | None

    @property
    def priced(self) -> Priced:
        """The journey with its fare, as history for those after it."""
        return Priced(self.journey, self.fare)


@dataclass(frozen=True, slots=True)
class Ended:
    """A booked journey that stands no longer; ``successor`` is the one that has its first tap."""

    booked: Booked
    why: EndedWhy
    successor: Journey | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be done so that what is booked is what ought to be.

    ``replacing`` are the new journeys that have a tap of an ended one, ``new`` all others.
    """

    kept: tuple[Booked, ...] = ()
    ended: tuple[Ended, ...] = ()
    replacing: tuple[Priced, ...] = ()
    new: tuple[Priced, ...] = ()


def compare(
    ought: Sequence[Priced],
    booked: Iterable[Booked],
    known: AbstractSet[TapKey],
    waiting: AbstractSet[TapKey],
    unpriced: Iterable[Journey] = (),
) -> Changes:
    """The difference for one rider; each tap is in one of ``ought`` and in one booked at most.

    ``known`` are all accepted taps of the rider, ``waiting`` those that wait for another: a booked
    journey of which every tap merely waits again, because a reader joined that has not reported,
    is kept. So is one that has no price any more: a gap in a tariff takes nothing back.
    """
    of_tap = {tap.key: n for n, it in enumerate(ought) for tap in it.journey.taps}
    priceless = {_keys(journey) for journey in unpriced}
    kept: list[Booked] = []
    ended: list[Ended] = []
    settled: set[int] = set()
    torn: set[int] = set()
    for it in sorted(booked, key=lambda it: (it.journey.first_tap.order, it.id)):
        places = {of_tap[key] for key in it.taps if key in of_tap}
        if not places and (it.taps <= waiting or it.taps in priceless):
            kept.append(it)
        elif len(places) == 1 and _same(it, ought[place := min(places)]):
            kept.append(it)
            settled.add(place)
        else:
            torn |= places
            heir = of_tap.get(it.journey.key)
            ended.append(_ended(it, None if heir is None else ought[heir], known))
    rest = [n for n in range(len(ought)) if n not in settled]
    return Changes(
        tuple(kept),
        tuple(ended),
        tuple(ought[n] for n in rest if n in torn),
        tuple(ought[n] for n in rest if n not in torn),
    )


def _ended(it: Booked, successor: Priced | None, known: AbstractSet[TapKey]) -> Ended:
    why = _why(it, successor, known)
    return Ended(it, why, None if successor is None else successor.journey)


def _same(it: Booked, priced: Priced) -> bool:
    """Equal in all that is booked; the words of a fare's lines do not matter."""
    was, now = it.journey, priced.journey
    return (
        it.taps == _keys(now)
        and it.fare.amount == priced.fare.amount
        and (was.priced_at, was.service_day) == (now.priced_at, now.service_day)
        and (was.state, was.reason, was.kind) == (now.state, now.reason, now.kind)
        and (was.excuse, was.late) == (now.excuse, now.late)
        and _end(was) == _end(now)
    )


def _why(it: Booked, successor: Priced | None, known: AbstractSet[TapKey]) -> EndedWhy:
    if not it.taps <= known:
        return EndedWhy.TAP_REFUSED
    if successor is None or it.taps != _keys(successor.journey):
        return EndedWhy.OTHER_TAPS
    was, now = it.journey, successor.journey
    if now.excuse is Excuse.GIVEN_BACK and was.excuse is not now.excuse:
        return EndedWhy.GIVEN_BACK
    return EndedWhy.OTHER_FARE if _end(was) == _end(now) else EndedWhy.OTHER_END


def _end(journey: Journey) -> tuple[str, Collection[str]] | None:
    """Who filled a missing end and with what; which record said so does not matter."""
    filled = journey.filled
    return None if filled is None else (str(filled.by), filled.stops)


def _keys(journey: Journey) -> frozenset[TapKey]:
    return frozenset(tap.key for tap in journey.taps)
