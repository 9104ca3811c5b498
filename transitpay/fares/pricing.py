"""What a finished journey costs, explained line by line; a pure function of journey and tariff.

The lines sum to the amount exactly. Discounted parts are rounded to the step and with the mode
that the tariff's terms name; the difference to the published fare is a line of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import assert_never

from transitpay.errors import MalformedInput
from transitpay.fares.tariff import Stop, Tariff, TariffKind
from transitpay.fares.terms import OverstayMode
from transitpay.journeys.journey import Journey
from transitpay.journeys.lifecycle import JourneyReason, JourneyState
from transitpay.money import Money, scale
from transitpay.taps import Tap


@dataclass(frozen=True, slots=True)
class FareLine:
    """One part of a fare: a stable code, the reason in words, and its amount (may be negative)."""

    code: str
    text: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Fare:
    """A fare with its explanation, and the version of the tariff that gave it."""

    amount: Money
    lines: tuple[FareLine, ...]
    tariff_version: str

    def __post_init__(self) -> None:
        assert _total(self.lines) == self.amount, "the lines sum to the amount"
        assert self.amount.minor >= 0, "a fare is never negative"


def price(journey: Journey, tariff: Tariff, wallet: str) -> Fare:
    """The fare of ``journey`` by the version of its service day, for a code of ``wallet``.

    Raises: MalformedInput (``unknown_stop``, ``ambiguous_stop``, ``bad_stage_fare``,
    ``not_priceable``) where a tap names what the tariff cannot price.
    """
    assert journey.network == tariff.network, "a journey is priced by its own network"
    if journey.state is JourneyState.INCOMPLETE:
        lines = _incomplete(journey, tariff)
    elif journey.entry is not None and journey.exit is not None:
        lines = _passage(journey.entry, journey.exit, journey, tariff, wallet)
    else:
        lines = _boarding(journey.first_tap, tariff)
    return Fare(_total(lines), tuple(lines), tariff.version)


def _total(lines: list[FareLine] | tuple[FareLine, ...]) -> Money:
    assert lines, "a fare has at least one line"
    total = Money(0, lines[0].amount.currency)
    for line in lines:
        total += line.amount
    return total


def _incomplete(journey: Journey, tariff: Tariff) -> list[FareLine]:
    maximum = tariff.terms.maximum_fare
    tap = journey.first_tap
    if maximum is None:
        raise MalformedInput("not_priceable", f"{tariff.network} has no gates", field="direction")
    missing = "entry" if journey.reason is JourneyReason.MISSING_ENTRY else "exit"
    known = f"the {tap.direction} at {tariff.find_stop(tap.stop).label}"
    text = f"no {missing} is known for {known}: the maximum fare (our reading)"
    return [FareLine(f"missing_{missing}", text, maximum)]


def _passage(
    entry: Tap, exit: Tap, journey: Journey, tariff: Tariff, wallet: str
) -> list[FareLine]:
    if tariff.kind is not TariffKind.MATRIX:
        raise MalformedInput("not_priceable", f"{tariff.network} has no gates", field="direction")
    from_stop, to_stop = tariff.find_stop(entry.stop), tariff.find_stop(exit.stop)
    stay = exit.at - entry.at
    if from_stop.id == to_stop.id:
        lines = [_same_station(from_stop, stay, tariff)]
    else:
        lines = _ride(from_stop, to_stop, journey, tariff, wallet)
    if journey.reason is JourneyReason.OVERSTAY:
        lines += _overstay(lines, stay, tariff)
    return lines


def _ride(
    from_stop: Stop, to_stop: Stop, journey: Journey, tariff: Tariff, wallet: str
) -> list[FareLine]:
    fare = tariff.plain_fare(from_stop, to_stop)
    between = f"{from_stop.label} to {to_stop.label}"
    if frozenset({from_stop.id, to_stop.id}) in tariff.terms.walks:
        return [FareLine("walk", f"{between}: a walking link, published at {fare}", fare)]
    lines = [FareLine("fare", f"{between}, adult", fare)]
    discount = tariff.terms.discount(wallet, journey.service_day)
    if discount is not None:
        paid = _percent(fare, discount.percent, tariff)
        text = f"codes of {wallet} pay {discount.percent} %: {discount.source}"
        lines.append(FareLine("code_discount", text, paid - fare))
    return lines


def _same_station(stop: Stop, stay: timedelta, tariff: Tariff) -> FareLine:
    for at_stop, amount in tariff.terms.same_station_at:
        if at_stop == stop.id:
            text = f"in and out at {stop.label}: the lowest fare from there"
            return FareLine("same_station", text, amount)
    for step in tariff.terms.same_station:
        if step.up_to_minutes is None or stay <= timedelta(minutes=step.up_to_minutes):
            return FareLine("same_station", f"{stop.label}: {step.text}", step.amount)
    raise MalformedInput("not_priceable", f"{tariff.network} has no same-station fare")


def _overstay(lines: list[FareLine], stay: timedelta, tariff: Tariff) -> list[FareLine]:
    overstay, limit = tariff.terms.overstay, tariff.terms.limit_minutes
    if overstay is None:
        return []
    why = f"stay of {_minutes(stay)} is over {limit} minutes"
    match overstay.mode:
        case OverstayMode.ADD:
            return [FareLine("overstay", f"{why}: {overstay.source}", overstay.amount)]
        case OverstayMode.RAISE_TO:
            missing = overstay.amount - _total(lines)
            if missing.minor <= 0:
                return []
            text = f"{why}: raised to {overstay.source}, {overstay.amount}"
            return [FareLine("overstay", text, missing)]
        case _:
            assert_never(overstay.mode)


def _boarding(tap: Tap, tariff: Tariff) -> list[FareLine]:
    if tariff.kind is not TariffKind.FLAT:
        raise MalformedInput(
            "not_priceable", f"{tariff.network} needs an entry and an exit", field="direction"
        )
    if tap.stage_fare_minor is not None:
        if tap.stage_fare_minor < 0:
            raise MalformedInput(
                "bad_stage_fare", f"{tap.stage_fare_minor} is negative", field="stage_fare_minor"
            )
        fare = Money(tap.stage_fare_minor, tariff.currency)
        route = tap.route or tap.stop
        first = FareLine("stage_fare", f"route {route}: fare set by the reader", fare)
    else:
        first = _route_fare(tariff.find_stop(tap.route or tap.stop, field="route"), tariff)
    return [first, *_tiers(first.amount, tariff)]


def _route_fare(route: Stop, tariff: Tariff) -> FareLine:
    fare = tariff.plain_fare(route)
    if tariff.is_listed(route):
        return FareLine("fare", f"route {route.label}, adult full fare", fare)
    return FareLine("default_fare", f"route {route.label} is in no list: the default fare", fare)


def _tiers(fare: Money, tariff: Tariff) -> list[FareLine]:
    lines: list[FareLine] = []
    lower = 0
    for tier in tariff.terms.tiers:
        upper = fare.minor if tier.up_to_minor is None else min(fare.minor, tier.up_to_minor)
        part = Money(max(0, upper - lower), fare.currency)
        if part.minor:
            paid = _percent(part, tier.percent, tariff)
            text = f"ride codes pay {tier.percent} % of the part from {_major(lower, fare)} to "
            lines.append(FareLine("code_tier", text + _major(upper, fare), paid - part))
        lower = max(lower, upper)
    return lines


def _percent(amount: Money, percent: int, tariff: Tariff) -> Money:
    terms = tariff.terms
    ratio = Decimal(percent).scaleb(-2)
    return scale(amount, ratio, mode=terms.rounding, step_minor=terms.step_minor)[0]


def _major(minor: int, like: Money) -> str:
    return str(Money(minor, like.currency).major())


def _minutes(stay: timedelta) -> str:
    minutes, rest = divmod(stay, timedelta(minutes=1))
    return f"{minutes} min {rest.seconds} s" if rest else f"{minutes} min"
