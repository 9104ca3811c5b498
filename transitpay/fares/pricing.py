"""What one finished journey costs by itself, line by line; a pure function of journey and tariff.

The lines sum to the amount exactly. Discounted parts are rounded to the step and with the mode
that the tariff's terms name; the difference to the published fare is a line of its own. What the
rides before change is added by ``fares.rider_pricing``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from transitpay.errors import RuleViolation
from transitpay.fares import line_texts
from transitpay.fares.boardings import boarding_lines
from transitpay.fares.calendars import HolidayCalendar
from transitpay.fares.fare import Fare, FareLine, total
from transitpay.fares.passages import filled_lines, missing_tap_lines, passage_lines
from transitpay.fares.tariff import Tariff
from transitpay.journeys.journey import Excuse, Journey, JourneyKind
from transitpay.money import Money

_NO_CALENDARS: Mapping[str, HolidayCalendar] = MappingProxyType({})

#: Excuses by which a journey costs nothing.
_FREE = {
    Excuse.FREE: line_texts.FARE_WAIVED,
    Excuse.EMERGENCY: line_texts.EMERGENCY,
    Excuse.GIVEN_BACK: line_texts.GIVEN_BACK,
    Excuse.LATE: line_texts.LATE_AND_ALONE,
}


def price(
    journey: Journey,
    tariff: Tariff,
    wallet: str,
    calendars: Mapping[str, HolidayCalendar] = _NO_CALENDARS,
) -> Fare:
    """The fare of ``journey`` by the version of its service day, for a code of ``wallet``.

    Raises: MalformedInput (``unknown_stop``, ``ambiguous_stop``, ``bad_stage_fare``,
    ``not_priceable``) where a tap names what the tariff cannot price; RuleViolation
    (``wallet_not_accepted``, ``no_fare``).
    """
    lines = own_lines(journey, tariff, wallet, calendars)
    return Fare(total(lines), tuple(lines), tariff.version)


def own_lines(
    journey: Journey, tariff: Tariff, wallet: str, calendars: Mapping[str, HolidayCalendar]
) -> list[FareLine]:
    """The lines that follow from the journey alone. Raises: as ``price``."""
    assert journey.network == tariff.network, "a journey is priced by its own network"
    if not tariff.terms.accepts(wallet):
        raise RuleViolation(
            "wallet_not_accepted",
            f"{tariff.network} takes codes of {', '.join(sorted(tariff.terms.wallets))} only",
            field="wallet",
        )
    lines = _plain_lines(journey, tariff, wallet, calendars)
    if journey.excuse in _FREE:
        lines.append(FareLine(_FREE[journey.excuse], -total(lines)))
    if journey.late and journey.excuse is not Excuse.LATE:
        lines.append(FareLine(line_texts.LATE, Money(0, tariff.currency)))
    return lines


def _plain_lines(
    journey: Journey, tariff: Tariff, wallet: str, calendars: Mapping[str, HolidayCalendar]
) -> list[FareLine]:
    if journey.kind is not JourneyKind.ENTRY_EXIT:
        return boarding_lines(journey, tariff, calendars)
    if journey.entry is not None and journey.exit is not None:
        return passage_lines(journey.entry, journey.exit, journey, tariff, wallet)
    if journey.filled is not None:
        return filled_lines(journey.filled, journey, tariff, wallet)
    return missing_tap_lines(journey, tariff)
