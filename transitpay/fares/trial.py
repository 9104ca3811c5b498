"""What booked journeys would cost by another tariff: added up rider by rider, nothing is kept."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from transitpay.fares.fare import Fare, Priced
from transitpay.fares.rider_pricing import price_all
from transitpay.fares.tariff import Tariff, TariffBook
from transitpay.journeys.journey import Journey
from transitpay.money import Currency, Money


@dataclass(frozen=True, slots=True)
class BookedFare:
    """A journey that stands, with what it was booked at."""

    id: str
    journey: Journey
    fare: Fare


@dataclass(frozen=True, slots=True)
class Effect:
    """The journeys of one wallet and network, and their sum before and after."""

    wallet: str
    network: str
    journeys: int
    changed: int
    before: Money
    after: Money


@dataclass(frozen=True, slots=True)
class Change:
    """One journey that would cost something else."""

    id: str
    wallet: str
    network: str
    service_day: date
    before: Money
    after: Money

    @property
    def by_minor(self) -> int:
        """What the rider would pay more, in minor units; less is negative."""
        return self.after.minor - self.before.minor


def tried_book(book: TariffBook, tariff: Tariff, first_day: date, last_day: date) -> TariffBook:
    """``book`` as if ``tariff`` alone had been in force for its network on these days."""
    others = [
        it
        for network in book.networks
        for it in book.versions(network)
        if not (network == tariff.network and first_day <= it.valid_from <= last_day)
    ]
    tried = replace(tariff, valid_from=first_day, recorded_at=None)
    return TariffBook([*others, tried], book.calendars.values())


class Trial:
    """Prices the journeys of the service days from ``first_day`` to ``last_day`` by ``book``."""

    def __init__(self, book: TariffBook, first_day: date, last_day: date, largest: int) -> None:
        self._book, self._days, self._most = book, (first_day, last_day), largest
        self._counts: dict[tuple[str, str, Currency], list[int]] = {}
        self._largest: list[tuple[int, str, Change]] = []
        self.unpriced: Counter[str] = Counter()

    def add(self, rides: Sequence[BookedFare]) -> None:
        """All standing journeys of one rider; those before the first day are history."""
        first, last = self._days
        booked = {it.journey.key: it for it in rides}
        history = [Priced(it.journey, it.fare) for it in rides if it.journey.service_day < first]
        tried = [it.journey for it in rides if first <= it.journey.service_day <= last]
        for found in price_all(tried, self._book, history):
            was = booked[found.journey.key]
            if isinstance(found, Priced):
                self._note(was, found.fare.amount)
            else:
                self.unpriced[found.code] += 1

    def effects(self) -> list[Effect]:
        """By network and wallet."""
        return [
            Effect(wallet, network, journeys, changed, Money(before, unit), Money(after, unit))
            for (network, wallet, unit), (journeys, changed, before, after) in sorted(
                self._counts.items(), key=lambda it: it[0][:2]
            )
        ]

    def largest(self) -> list[Change]:
        """The journeys that change most, the widest change first."""
        return [change for _, _, change in sorted(self._largest, key=lambda it: (-it[0], it[1]))]

    def _note(self, was: BookedFare, after: Money) -> None:
        journey, before = was.journey, was.fare.amount
        wallet, network = journey.rider.issuer, journey.network
        counts = self._counts.setdefault((network, wallet, before.currency), [0, 0, 0, 0])
        for place, more in enumerate((1, int(after != before), before.minor, after.minor)):
            counts[place] += more
        if after != before:
            change = Change(was.id, wallet, network, journey.service_day, before, after)
            heapq.heappush(self._largest, (abs(change.by_minor), was.id, change))
            if len(self._largest) > self._most:
                heapq.heappop(self._largest)


def riders_of(rides: Iterable[BookedFare]) -> list[list[BookedFare]]:
    """The journeys of each rider together."""
    found: dict[tuple[str, str], list[BookedFare]] = {}
    for it in rides:
        rider = it.journey.rider
        found.setdefault((rider.issuer, rider.rider_id), []).append(it)
    return list(found.values())
