"""What a passage through gates costs: the pair of stations, the stay, and taps that are missing."""

from __future__ import annotations

from datetime import timedelta
from typing import assert_never

from transitpay.errors import MalformedInput
from transitpay.fares.fare import FareLine, total
from transitpay.fares.rounding import percent_of
from transitpay.fares.tariff import Stop, Tariff, TariffKind
from transitpay.fares.terms import OverstayMode
from transitpay.journeys.journey import Excuse, Filled, FilledBy, Journey
from transitpay.journeys.lifecycle import JourneyReason
from transitpay.money import Money
from transitpay.taps import Tap

_FILLED_BY = {
    FilledBy.OPEN_GATES: "gates stood open there: the cheapest of the stops",
    FilledBy.RIDER: "as the rider declared",
    FilledBy.OPERATOR: "as the operator corrected",
    FilledBy.HABIT: "where the rider leaves every time",
}


def passage_lines(
    entry: Tap, exit: Tap, journey: Journey, tariff: Tariff, wallet: str
) -> list[FareLine]:
    """The lines of a journey with both taps.

    A stay over the limit costs more, and the operator's delay takes that away again.
    """
    _must_have_gates(tariff)
    from_stop, to_stop = tariff.find_stop(entry.stop), tariff.find_stop(exit.stop)
    stay = exit.at - entry.at
    if from_stop.id == to_stop.id:
        charge = _same_station(from_stop, stay, tariff)
        lines = [charge, *_code_discount(charge.amount, journey, tariff, wallet)]
    else:
        lines = _ride(from_stop, to_stop, journey, tariff, wallet)
    if journey.reason is JourneyReason.OVERSTAY:
        lines += _overstay(lines, stay, journey.excuse, tariff)
    return lines


def missing_tap_lines(journey: Journey, tariff: Tariff) -> list[FareLine]:
    """The maximum fare, where nothing says where the rider entered or left."""
    _must_have_gates(tariff)
    maximum = tariff.terms.maximum_fare
    assert maximum is not None, "terms with a limit have a maximum fare"
    tap = journey.first_tap
    missing = "entry" if journey.entry is None else "exit"
    known = f"the {tap.direction} at {tariff.find_stop(tap.stop).label}"
    text = f"no {missing} is known for {known}: the maximum fare (our reading)"
    return [FareLine(f"missing_{missing}", text, maximum)]


def filled_lines(filled: Filled, journey: Journey, tariff: Tariff, wallet: str) -> list[FareLine]:
    """The lines of a journey whose other end is no tap: as if the rider had tapped there in time.

    Of several stops the cheapest counts, of equal ones the first in the order of their ids; where
    none is named every stop of the network is meant. Walking links are none of them, nor are stops
    without a fare where others have one.
    """
    _must_have_gates(tariff)
    known = tariff.find_stop(journey.first_tap.stop)
    named = filled.stops or tuple(stop.id for stop in tariff.stops)
    others = {stop.id: stop for stop in (tariff.find_stop(text) for text in named)}
    ridden = [it for it in others.values() if {known.id, it.id} not in tariff.terms.walks]
    prices = [
        (_as_if_tapped(*_ends(journey, known, other), tariff).minor, other.id)
        for other in ridden
        if other.id == known.id or tariff.has_fare(*_ends(journey, known, other))
    ]
    without = min(ridden, key=lambda it: it.id, default=known)
    stop = others[min(prices)[1]] if prices else without
    missing = "entry" if journey.entry is None else "exit"
    text = f"no {missing} is known: {_FILLED_BY[filled.by]}"
    note = FareLine("filled", text, Money(0, tariff.currency))
    if stop.id == known.id:
        charge = _same_station(known, timedelta(0), tariff)
        return [charge, *_code_discount(charge.amount, journey, tariff, wallet), note]
    return [*_ride(*_ends(journey, known, stop), journey, tariff, wallet), note]


def _ends(journey: Journey, known: Stop, other: Stop) -> tuple[Stop, Stop]:
    return (other, known) if journey.entry is None else (known, other)


def _as_if_tapped(from_stop: Stop, to_stop: Stop, tariff: Tariff) -> Money:
    if from_stop.id == to_stop.id:
        return _same_station(from_stop, timedelta(0), tariff).amount
    return tariff.plain_fare(from_stop, to_stop)


def _must_have_gates(tariff: Tariff) -> None:
    if tariff.kind is not TariffKind.MATRIX:
        raise MalformedInput("not_priceable", f"{tariff.network} has no gates", field="direction")


def _ride(
    from_stop: Stop, to_stop: Stop, journey: Journey, tariff: Tariff, wallet: str
) -> list[FareLine]:
    fare = tariff.plain_fare(from_stop, to_stop)
    between = f"{from_stop.label} to {to_stop.label}"
    if frozenset({from_stop.id, to_stop.id}) in tariff.terms.walks:
        return [FareLine("walk", f"{between}: a walking link, published at {fare}", fare)]
    if fare.minor == 0:
        return [FareLine("free", f"{between}: a free ride, published at {fare}", fare)]
    line = FareLine("fare", f"{between}, adult", fare)
    return [line, *_code_discount(fare, journey, tariff, wallet)]


def _code_discount(fare: Money, journey: Journey, tariff: Tariff, wallet: str) -> list[FareLine]:
    """What the wallet's codes pay less, of a ride as of the charge at one station."""
    discount = tariff.terms.discount(wallet, journey.service_day)
    if discount is None:
        return []
    paid = percent_of(fare, discount.percent, tariff.terms)
    text = f"codes of {wallet} pay {discount.percent} %: {discount.source}"
    return [FareLine("code_discount", text, paid - fare)]


def _same_station(stop: Stop, stay: timedelta, tariff: Tariff) -> FareLine:
    for at_stop, amount in tariff.terms.same_station_at:
        if at_stop == stop.id:
            text = f"in and out at {stop.label}: the lowest fare from there"
            return FareLine("same_station", text, amount)
    for step in tariff.terms.same_station:
        if step.up_to_minutes is None or stay <= timedelta(minutes=step.up_to_minutes):
            return FareLine("same_station", f"{stop.label}: {step.text}", step.amount)
    raise MalformedInput("not_priceable", f"{tariff.network} has no same-station fare")


def _overstay(
    lines: list[FareLine], stay: timedelta, excuse: Excuse | None, tariff: Tariff
) -> list[FareLine]:
    overstay, limit = tariff.terms.overstay, tariff.terms.limit_minutes
    if overstay is None:
        return []
    why = f"stay of {_minutes(stay)} is over {limit} minutes"
    match overstay.mode:
        case OverstayMode.ADD:
            more, text = overstay.amount, f"{why}: {overstay.source}"
        case OverstayMode.RAISE_TO:
            more = overstay.amount - total(lines)
            text = f"{why}: raised to {overstay.source}, {overstay.amount}"
        case _:
            assert_never(overstay.mode)
    if more.minor <= 0:
        return []
    found = [FareLine("overstay", text, more)]
    if excuse is Excuse.DELAY:
        found.append(FareLine("delay", "the operator caused the long stay", -more))
    return found


def _minutes(stay: timedelta) -> str:
    minutes, rest = divmod(stay, timedelta(minutes=1))
    return f"{minutes} min {rest.seconds} s" if rest else f"{minutes} min"
