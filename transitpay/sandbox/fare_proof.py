"""Proves the pricing on real card taps: what follows from value, transfer mark and mode alone.

Pure. Only these three of a charged row go into the pricing; what was paid is compared with what
comes out. A row that was paid otherwise is never counted as equal: what explains it is inferred
from what was paid, and listed apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from transitpay.fares.fare import Priced
from transitpay.fares.rider_pricing import price_all
from transitpay.sandbox.card_product import Ride, card_book, journeys_of
from transitpay.sandbox.szt_taps import RawTap, TapKind, TapRows

_TOLD_EACH = 1000


class Verdict(StrEnum):
    """Why a row was paid as it was, in the order of asking; all after the first are inferred."""

    ADULT = "adult"  #: follows from value, mark and mode
    UNMARKED_TRANSFER = "transfer_without_mark"  #: as an adult's with a mark that is not there
    FREE = "free"  #: a concession card, or cleared by staff at the station of the entry
    HALF = "half"  #: a student's card
    BUSINESS_CAR = "business_car"  #: undiscounted, and a fare of the business car to this station
    UNDISCOUNTED = "undiscounted"
    UNEXPLAINED = "unexplained"


INFERRED = tuple(it for it in Verdict if it not in (Verdict.ADULT, Verdict.UNEXPLAINED))


@dataclass(frozen=True, slots=True)
class Judged:
    """A charged row, what an adult pays for it, and why it was paid as it was."""

    row: RawTap
    fare_minor: int
    verdict: Verdict


#: The fares of the business car to the station of a row, in minor units; empty where none goes.
BusinessFares = Callable[[str], frozenset[int]]


def charged_rows(rows: TapRows) -> list[RawTap]:
    """Every row of a bus or an exit, also those without a station and those told twice."""
    every = [*rows.taps, *(tap for _, tap in rows.apart)]
    return [tap for tap in every if tap.kind is not TapKind.ENTRY]


def judge_rows(
    charged: Sequence[RawTap],
    business_fares: BusinessFares,
    on_rows: Callable[[int], None] = lambda _: None,
) -> list[Judged]:
    """The verdict on each charged row; ``on_rows`` hears how many are judged."""
    fares = adult_fares(_ride(row, mark) for row in charged for mark in (row.transfer, True))
    judged: list[Judged] = []
    for row in charged:
        fare, other = fares[_ride(row, row.transfer)], fares[_ride(row, True)]
        judged.append(Judged(row, fare, _verdict(row, fare, other, business_fares)))
        if len(judged) % _TOLD_EACH == 0:
            on_rows(len(judged))
    on_rows(len(judged))
    return judged


def adult_fares(rides: Iterable[Ride]) -> Mapping[Ride, int]:
    """What an adult's card pays for each of these rides, priced as any rider's journeys are."""
    wanted = sorted(set(rides))
    book = card_book(ride.value_minor for ride in wanted if ride.kind is TapKind.EXIT)
    found = {}
    for ride in wanted:
        last = price_all(journeys_of(ride), book)[-1]
        assert isinstance(last, Priced), f"{ride} is priced by its own tariff"
        found[ride] = last.fare.amount.minor
    return found


def _ride(row: RawTap, transfer: bool) -> Ride:
    return Ride(row.kind, row.full_fare_minor, transfer)


def _verdict(row: RawTap, fare: int, transferred: int, business_fares: BusinessFares) -> Verdict:
    paid, value = row.paid_minor, row.full_fare_minor
    if paid == fare:
        return Verdict.ADULT
    if paid == transferred:
        return Verdict.UNMARKED_TRANSFER
    if paid == 0:
        return Verdict.FREE
    if 2 * paid == value:
        return Verdict.HALF
    if paid == value and row.kind is TapKind.EXIT and value in business_fares(row.place):
        return Verdict.BUSINESS_CAR
    return Verdict.UNDISCOUNTED if paid == value else Verdict.UNEXPLAINED


def counts(judged: Iterable[Judged]) -> Mapping[tuple[TapKind, Verdict], int]:
    """Rows by mode and verdict."""
    return Counter((it.row.kind, it.verdict) for it in judged)
