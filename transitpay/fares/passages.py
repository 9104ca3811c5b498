"""What a passage through gates costs: the pair of stations, the stay, and taps that are missing."""

from __future__ import annotations

from datetime import timedelta
from typing import assert_never

from transitpay.errors import MalformedInput
from transitpay.fares import line_texts
from transitpay.fares.fare import FareLine, total
from transitpay.fares.rounding import percent_of
from transitpay.fares.tariff import Stop, Tariff, TariffKind
from transitpay.fares.terms import OverstayMode
from transitpay.journeys.journey import Excuse, Filled, FilledBy, Journey
from transitpay.journeys.lifecycle import JourneyReason
from transitpay.money import Money
from transitpay.taps import Tap

_FILLED_BY = {
    FilledBy.OPEN_GATES: line_texts.FILLED_BY_OPEN_GATES,
    FilledBy.RIDER: line_texts.FILLED_BY_RIDER,
    FilledBy.OPERATOR: line_texts.FILLED_BY_OPERATOR,
    FilledBy.HABIT: line_texts.FILLED_BY_HABIT,
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
    why = line_texts.MISSING_ENTRY if journey.entry is None else line_texts.MISSING_EXIT
    return [FareLine(why, maximum, (tariff.find_stop(journey.first_tap.stop),))]


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
    note = FareLine(_FILLED_BY[filled.by], Money(0, tariff.currency), (missing,))
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
    if frozenset({from_stop.id, to_stop.id}) in tariff.terms.walks:
        return [FareLine(line_texts.WALK, fare, (from_stop, to_stop, fare))]
    if fare.minor == 0:
        return [FareLine(line_texts.FREE_PAIR, fare, (from_stop, to_stop, fare))]
    line = FareLine(line_texts.FARE_OF_PAIR, fare, (from_stop, to_stop))
    return [line, *_code_discount(fare, journey, tariff, wallet)]


def _code_discount(fare: Money, journey: Journey, tariff: Tariff, wallet: str) -> list[FareLine]:
    """What the wallet's codes pay less, of a ride as of the charge at one station."""
    discount = tariff.terms.discount(wallet, journey.service_day)
    if discount is None:
        return []
    paid = percent_of(fare, discount.percent, tariff.terms)
    values = (wallet, discount.percent)
    return [FareLine(line_texts.CODE_DISCOUNT, paid - fare, values, discount.source)]


def _same_station(stop: Stop, stay: timedelta, tariff: Tariff) -> FareLine:
    for at_stop, amount in tariff.terms.same_station_at:
        if at_stop == stop.id:
            return FareLine(line_texts.SAME_STATION_LOWEST, amount, (stop,))
    over: int | None = None
    for step in tariff.terms.same_station:
        until = step.up_to_minutes
        if until is None:
            if over is None:
                return FareLine(line_texts.SAME_STATION, step.amount, (stop,), step.text)
            after = line_texts.SAME_STATION_AFTER
            return FareLine(after, step.amount, (stop, over), step.text)
        if stay <= timedelta(minutes=until):
            within = line_texts.SAME_STATION_WITHIN
            return FareLine(within, step.amount, (stop, until), step.text)
        over = until
    raise MalformedInput("not_priceable", f"{tariff.network} has no same-station fare")


def _overstay(
    lines: list[FareLine], stay: timedelta, excuse: Excuse | None, tariff: Tariff
) -> list[FareLine]:
    overstay, limit = tariff.terms.overstay, tariff.terms.limit_minutes
    if overstay is None:
        return []
    assert limit is not None, "only gates have a longest plain stay"
    match overstay.mode:
        case OverstayMode.ADD:
            more, why = overstay.amount, line_texts.OVERSTAY_ADDED
        case OverstayMode.RAISE_TO:
            more, why = overstay.amount - total(lines), line_texts.OVERSTAY_RAISED
        case _:
            assert_never(overstay.mode)
    if more.minor <= 0:
        return []
    found = [FareLine(why, more, (stay, limit, overstay.amount), overstay.source)]
    if excuse is Excuse.DELAY:
        found.append(FareLine(line_texts.DELAY, -more))
    return found
