"""Entries and exits of real cards, assembled as any rider's taps and priced by the fare table.

Pure. The undiscounted fare of a whole ride is compared with the value of its exit's row. A pair
over the time limit is told apart: its entry and its exit may be of two rides, each half recorded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from transitpay.clock import wallet_day
from transitpay.fares.fare import Priced
from transitpay.fares.rider_pricing import price_all
from transitpay.fares.rules import rule_book
from transitpay.fares.tariff import TariffBook
from transitpay.journeys.assembly import assemble
from transitpay.journeys.journey import Journey
from transitpay.journeys.lifecycle import JourneyReason
from transitpay.sandbox.szt_taps import Drop, RawTap, TapKind, TapRows
from transitpay.taps import Direction, RiderRef, Tap, TapKey

NETWORK = "shenzhen-metro"
#: No wallet: whose codes have no discount.
_NOBODY = "card"
_LATER = timedelta(days=30)
_CLEARED_WITHIN = timedelta(minutes=20)


@dataclass(frozen=True, slots=True)
class Differing:
    """A ride whose fare is not the value of its exit's row."""

    where: str
    entry: str
    exit: str
    fare_minor: int
    value_minor: int


@dataclass(slots=True)
class Pairs:
    """All pairs = equal + differing + over the limit + those at stations of no fare table.

    ``left_free`` of all are of one station and paid nothing, ``left_free_soon`` of them within the
    20 minutes in which staff may clear it.
    """

    pairs: int = 0
    equal: int = 0
    over_limit: int = 0
    left_free: int = 0
    left_free_soon: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)
    differing: list[Differing] = field(default_factory=list)

    @property
    def comparable(self) -> int:
        """In time, at stations that the fare table names."""
        return self.equal + len(self.differing)


def compare_pairs(
    rows: TapRows, book: TariffBook, on_cards: Callable[[int], None] = lambda _: None
) -> Pairs:
    """The pairs of all cards beside the tariff of their day; ``on_cards`` hears of each card."""
    found = Pairs()
    rules = rule_book(book)
    taps = _taps_by_card(rows)
    known = {NETWORK: rows.taps[-1].at + _LATER} if rows.taps else {}
    for number, of in enumerate(taps.values(), start=1):
        raws = {tap.key: raw for tap, raw in of}
        made = assemble([tap for tap, _ in of], rules, known, known[NETWORK])
        for journey in made.journeys:
            if journey.entry is not None and journey.exit is not None:
                _compare(journey, raws, book, found)
        on_cards(number)
    return found


def _compare(
    journey: Journey, raws: Mapping[TapKey, RawTap], book: TariffBook, found: Pairs
) -> None:
    assert journey.entry is not None and journey.exit is not None
    found.pairs += 1
    entry, exit = raws[journey.entry.key], raws[journey.exit.key]
    if entry.place == exit.place and exit.paid_minor == 0:
        found.left_free += 1
        found.left_free_soon += exit.at - entry.at <= _CLEARED_WITHIN
    [it] = price_all([journey], book)
    if not isinstance(it, Priced):
        found.unreadable[it.code] += 1
    elif journey.reason is JourneyReason.OVERSTAY:
        found.over_limit += 1
    elif it.fare.amount.minor == exit.full_fare_minor:
        found.equal += 1
    else:
        found.differing.append(
            Differing(
                exit.where, entry.place, exit.place, it.fare.amount.minor, exit.full_fare_minor
            )
        )


def _taps_by_card(rows: TapRows) -> dict[str, list[tuple[Tap, RawTap]]]:
    """The metro taps of each card, also those without a station; a row told twice is one tap."""
    every = [*rows.taps, *(raw for drop, raw in rows.apart if drop is not Drop.DUPLICATE)]
    found: dict[str, list[tuple[Tap, RawTap]]] = {}
    for number, raw in enumerate(every):
        if raw.kind is not TapKind.BUS:
            found.setdefault(raw.card, []).append((_tap(raw, number), raw))
    return found


def _tap(raw: RawTap, number: int) -> Tap:
    return Tap(
        TapKey(wallet_day(raw.at), raw.equipment, number),
        RiderRef(_NOBODY, raw.card[:16]),
        NETWORK,
        NETWORK,
        raw.place,
        Direction.ENTRY if raw.kind is TapKind.ENTRY else Direction.EXIT,
        raw.at,
    )
