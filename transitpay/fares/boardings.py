"""What a bus ride costs: the fare on boarding, and what a second scan on alighting makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from transitpay.errors import MalformedInput
from transitpay.fares.calendars import HolidayCalendar
from transitpay.fares.fare import FareLine
from transitpay.fares.rounding import percent_of
from transitpay.fares.tariff import FlatFares, Stop, Tariff
from transitpay.journeys.journey import Journey
from transitpay.journeys.lifecycle import JourneyReason
from transitpay.money import Money
from transitpay.taps import Tap


def boarding_lines(
    journey: Journey, tariff: Tariff, calendars: Mapping[str, HolidayCalendar]
) -> list[FareLine]:
    """The lines of a boarding, alone or with its alighting scan."""
    tap, fares = journey.first_tap, tariff.fares
    if not isinstance(fares, FlatFares):
        raise MalformedInput(
            "not_priceable", f"{tariff.network} needs an entry and an exit", field="direction"
        )
    if tap.stage_fare_minor is not None:
        full = [_stage_fare(tap, tap.stage_fare_minor, tariff)]
    else:
        route = tariff.find_stop(tap.route or tap.stop, field="route")
        full = _full_fare(route, tap, fares, tariff, journey.service_day, calendars)
    if journey.exit is not None:
        return _alighted(tap, journey.exit, full, fares, tariff)
    if journey.reason is JourneyReason.NO_ALIGHTING:
        text = f"route {tap.route or tap.stop}: no scan on alighting, the full fare, no discount"
        return [*full, FareLine("no_alighting", text, Money(0, tariff.currency))]
    return [*full, *_tiers(full[0].amount, tariff)]


def _stage_fare(tap: Tap, minor: int, tariff: Tariff) -> FareLine:
    if minor < 0:
        raise MalformedInput("bad_stage_fare", f"{minor} is negative", field="stage_fare_minor")
    text = f"route {tap.route or tap.stop}: fare set by the reader"
    return FareLine("stage_fare", text, Money(minor, tariff.currency))


def _alighted(
    board: Tap, alight: Tap, full: list[FareLine], fares: FlatFares, tariff: Tariff
) -> list[FareLine]:
    """Charged in full and partly given back, or charged by section; without one the full fare.

    A fare that the reader set for the boarding can only become less.
    """
    route = _route_with_sections(board, fares, tariff)
    section = None if route is None else fares.by_section.get((route.id, board.stop, alight.stop))
    if route is None or section is None:
        return [*full, *_tiers(full[0].amount, tariff)]
    between = f"route {route.label}, {_stop(board, tariff)} to {_stop(alight, tariff)}"
    paid = Money(section, tariff.currency)
    back = paid - full[0].amount
    if back.minor >= 0 and board.stage_fare_minor is not None:
        return [*full, *_tiers(full[0].amount, tariff)]
    if tariff.terms.forgotten_alighting_full:
        return [FareLine("section_fare", f"{between}: by section", paid), *_tiers(paid, tariff)]
    if back.minor >= 0:
        return full
    text = f"{between}: scanned again on alighting, the section costs {paid}"
    return [*full, FareLine("section_refund", text, back)]


def _route_with_sections(board: Tap, fares: FlatFares, tariff: Tariff) -> Stop | None:
    """The route of a boarding; None where the tariff has no sections, or does not know it."""
    if not fares.by_section:
        return None
    try:
        return tariff.find_stop(board.route or board.stop)
    except MalformedInput:
        return None


def _full_fare(
    route: Stop,
    board: Tap,
    fares: FlatFares,
    tariff: Tariff,
    day: date,
    calendars: Mapping[str, HolidayCalendar],
) -> list[FareLine]:
    """The fare of the boarding stop, the holiday fare, the route's, or the default one.

    The first line is the fare; a second one of 0 says what is not known about the day.
    """
    notes: list[FareLine] = []
    holiday = False
    if route.id in fares.holiday_by_route and tariff.terms.calendar is not None:
        holiday, notes = _is_holiday(tariff.terms.calendar, day, calendars, tariff)
    if holiday:
        fare = Money(fares.holiday_by_route[route.id], tariff.currency)
        text = f"route {route.label}, adult fare of Sundays and holidays"
        return [FareLine("holiday_fare", text, fare), *notes]
    by_stop = fares.by_boarding.get((route.id, board.stop))
    if by_stop is not None:
        text = f"route {route.label} from {_stop(board, tariff)}, adult full fare"
        return [_published(text, Money(by_stop, tariff.currency)), *notes]
    fare = tariff.plain_fare(route)
    if not tariff.is_listed(route):
        text = f"route {route.label} is in no list: the default fare"
        return [FareLine("default_fare", text, fare), *notes]
    text = f"route {route.label}, adult full fare"
    if fares.holiday_by_route.get(route.id) == fare.minor:
        text += "; no lower fare of weekdays is known"
    return [_published(text, fare), *notes]


def _published(text: str, fare: Money) -> FareLine:
    """The line of a fare; one of 0.00 says that the ride is free."""
    if fare.minor:
        return FareLine("fare", text, fare)
    return FareLine("free", f"{text}: a free ride, published at {fare}", fare)


def _is_holiday(
    name: str, day: date, calendars: Mapping[str, HolidayCalendar], tariff: Tariff
) -> tuple[bool, list[FareLine]]:
    """Whether holiday fares hold, with a line of 0 where the calendar cannot tell."""
    calendar = calendars.get(name)
    if calendar is not None and calendar.knows(day):
        return calendar.holiday(day) is not None, []
    text = f"the calendar {name} does not know {day}: not a holiday (our reading)"
    return False, [FareLine("calendar_unknown", text, Money(0, tariff.currency))]


def _tiers(fare: Money, tariff: Tariff) -> list[FareLine]:
    lines: list[FareLine] = []
    lower = 0
    for tier in tariff.terms.tiers:
        upper = fare.minor if tier.up_to_minor is None else min(fare.minor, tier.up_to_minor)
        part = Money(max(0, upper - lower), fare.currency)
        if part.minor:
            paid = percent_of(part, tier.percent, tariff.terms)
            text = f"ride codes pay {tier.percent} % of the part from {_major(lower, fare)} to "
            lines.append(FareLine("code_tier", text + _major(upper, fare), paid - part))
        lower = max(lower, upper)
    return lines


def _stop(tap: Tap, tariff: Tariff) -> str:
    stop = tariff.boarding_stop(tap.stop)
    return tap.stop if stop is None else stop.label


def _major(minor: int, like: Money) -> str:
    return str(Money(minor, like.currency).major())
