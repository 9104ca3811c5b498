"""The fares of one rider's journeys, each with what the rides before it change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from transitpay.errors import MalformedInput, RuleViolation
from transitpay.fares.fare import Fare, Priced, Unpriced, total
from transitpay.fares.history import History
from transitpay.fares.pricing import own_lines
from transitpay.fares.tariff import Tariff, TariffBook
from transitpay.journeys.journey import Journey


def price_all(
    journeys: Iterable[Journey], book: TariffBook, history: Sequence[Priced] = ()
) -> tuple[Priced | Unpriced, ...]:
    """The fares of one rider's journeys of all slots and networks, in the order of first taps.

    ``history`` are earlier rides that keep their fares: they count for transfers, months and caps.
    The order in which either is given makes no difference.
    """
    past = History()
    for ride in sorted(history, key=lambda it: it.journey.first_tap.order):
        tariff = _tariff(ride.journey, book)
        if isinstance(tariff, Tariff):
            past.add_kept(ride.journey, tariff, ride.fare)
    found: list[Priced | Unpriced] = []
    for journey in sorted(journeys, key=lambda it: it.first_tap.order):
        priced = _price_next(journey, book, past)
        found.append(priced)
    return tuple(found)


def _price_next(journey: Journey, book: TariffBook, past: History) -> Priced | Unpriced:
    tariff = _tariff(journey, book)
    if isinstance(tariff, Unpriced):
        return tariff
    wallet = journey.rider.issuer
    try:
        lines = own_lines(journey, tariff, wallet, book.calendars)
    except (MalformedInput, RuleViolation) as refusal:
        return Unpriced(journey, refusal.code, refusal.message, refusal.field)
    lines += past.discounts(journey, tariff, wallet, lines)
    fare = Fare(total(lines), tuple(lines), tariff.version)
    past.add(journey, tariff, fare)
    return Priced(journey, fare)


def _tariff(journey: Journey, book: TariffBook) -> Tariff | Unpriced:
    try:
        return book.tariff(journey.network, journey.service_day)
    except (MalformedInput, RuleViolation) as refusal:
        return Unpriced(journey, refusal.code, refusal.message, refusal.field)
