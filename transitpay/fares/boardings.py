"""What a bus ride costs: the fare on boarding, and what a second scan on alighting makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from transitpay.errors import MalformedInput
from transitpay.fares import line_texts
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
        nothing = Money(0, tariff.currency)
        return [*full, FareLine(line_texts.NO_ALIGHTING, nothing, (tap.route or tap.stop,))]
    return [*full, *_tiers(full[0].amount, tariff)]


def _stage_fare(tap: Tap, minor: int, tariff: Tariff) -> FareLine:
    if minor < 0:
        raise MalformedInput("bad_stage_fare", f"{minor} is negative", field="stage_fare_minor")
    amount = Money(minor, tariff.currency)
    return FareLine(line_texts.STAGE_FARE, amount, (tap.route or tap.stop,))


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
    ridden = (route, _stop(board, tariff), _stop(alight, tariff))
    paid = Money(section, tariff.currency)
    back = paid - full[0].amount
    cheaper = back.minor < 0
    if tariff.terms.forgotten_alighting_full and (cheaper or board.stage_fare_minor is None):
        return [FareLine(line_texts.SECTION_FARE, paid, ridden), *_tiers(paid, tariff)]
    if not cheaper:
        return [*full, *_tiers(full[0].amount, tariff)]
    refund = FareLine(line_texts.SECTION_REFUND, back, (*ridden, paid))
    return [*full, refund, *_tiers(paid, tariff)]


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
        return [FareLine(line_texts.HOLIDAY_FARE, fare, (route,)), *notes]
    by_stop = fares.by_boarding.get((route.id, board.stop))
    if by_stop is not None:
        fare, stop = Money(by_stop, tariff.currency), _stop(board, tariff)
        if not by_stop:
            return [FareLine(line_texts.FREE_FROM_STOP, fare, (route, stop, fare)), *notes]
        return [FareLine(line_texts.FARE_FROM_STOP, fare, (route, stop)), *notes]
    fare = tariff.plain_fare(route)
    if not tariff.is_listed(route):
        return [FareLine(line_texts.DEFAULT_FARE, fare, (route,)), *notes]
    if not fare.minor:
        return [FareLine(line_texts.FREE_ROUTE, fare, (route, fare)), *notes]
    why = line_texts.FARE_OF_ROUTE
    if fares.holiday_by_route.get(route.id) == fare.minor:
        why = line_texts.FARE_OF_ROUTE_ON_ALL_DAYS
    return [FareLine(why, fare, (route,)), *notes]


def _is_holiday(
    name: str, day: date, calendars: Mapping[str, HolidayCalendar], tariff: Tariff
) -> tuple[bool, list[FareLine]]:
    """Whether holiday fares hold, with a line of 0 where the calendar cannot tell."""
    calendar = calendars.get(name)
    if calendar is not None and calendar.knows(day):
        return calendar.holiday(day) is not None, []
    return False, [FareLine(line_texts.CALENDAR_UNKNOWN, Money(0, tariff.currency), (name, day))]


def _tiers(fare: Money, tariff: Tariff) -> list[FareLine]:
    lines: list[FareLine] = []
    lower = 0
    for tier in tariff.terms.tiers:
        upper = fare.minor if tier.up_to_minor is None else min(fare.minor, tier.up_to_minor)
        part = Money(max(0, upper - lower), fare.currency)
        if part.minor:
            paid = percent_of(part, tier.percent, tariff.terms)
            between = (Money(lower, fare.currency), Money(upper, fare.currency))
            values = (tier.percent, *between)
            lines.append(FareLine(line_texts.CODE_TIER, paid - part, values))
        lower = max(lower, upper)
    return lines


def _stop(tap: Tap, tariff: Tariff) -> Stop | str:
    """The bus stop, or its id where no fare depends on it."""
    return tariff.boarding_stop(tap.stop) or tap.stop
