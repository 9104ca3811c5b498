"""In which range each value of terms lies: one table, for terms files, documents and feeds.

A value outside is a slip of a pen, or a number with which no time or amount can be reckoned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

from transitpay.fares.calendars import CALENDARS
from transitpay.fares.plain import Path
from transitpay.fares.terms import (
    BusinessCar,
    Claims,
    CodeDiscount,
    HabitTerms,
    LengthStep,
    LongRoutes,
    MonthTier,
    SameStation,
    Terms,
    Tier,
    Transfer,
)
from transitpay.journeys.suspension import Suspension
from transitpay.money import Currency, Money

#: The highest amount of any term, in minor units; no fare of a city is near it.
MOST_MINOR = 10_000_000
_DAY, _WEEK = 24 * 60, 7 * 24 * 60
_AMOUNT, _PERCENT, _COUNT = (0, MOST_MINOR), (0, 100), (1, 1000)
_KM, _YEAR = (1, 1000), (1, 366)

#: The least and the most of each number, both included; other amounts lie in 0 to MOST_MINOR.
RANGES: Mapping[tuple[type, str], tuple[int, int]] = {
    (Terms, "step_minor"): (1, 100_000),
    (Terms, "limit_minutes"): (1, _WEEK),
    (Terms, "longest_stay_minutes"): (1, 5 * _WEEK),
    (Terms, "max_wait_hours"): (0, 30 * 24),
    (Terms, "ride_limit_minutes"): (1, _DAY),
    (Terms, "passback_minutes"): (0, _DAY),
    (Terms, "late_window_days"): _YEAR,
    (Terms, "delayed_stay_hours"): (1, 30 * 24),
    (SameStation, "up_to_minutes"): (1, _WEEK),
    (CodeDiscount, "percent"): _PERCENT,
    (Tier, "up_to_minor"): (1, MOST_MINOR),
    (Tier, "percent"): _PERCENT,
    (Transfer, "within_minutes"): (1, _DAY),
    (MonthTier, "from_minor"): _AMOUNT,
    (MonthTier, "percent"): _PERCENT,
    (BusinessCar, "times"): (1, 100),
    (LengthStep, "up_to_km"): _KM,
    (LongRoutes, "from_km"): _KM,
    (LongRoutes, "first_km"): _KM,
    (LongRoutes, "each_km"): _KM,
    (Suspension, "more_than"): (0, 1000),
    (Suspension, "days"): _YEAR,
    (Claims, "a_month"): _COUNT,
    (Claims, "within_days"): _YEAR,
    (HabitTerms, "times"): _COUNT,
    (HabitTerms, "days"): (1, 30),
    (HabitTerms, "a_month"): _COUNT,
}
#: Amounts that a spend or a fare is compared with, and that nobody pays: of no step.
_COMPARED = frozenset({(Tier, "up_to_minor"), (MonthTier, "from_minor"), (Terms, "step_minor")})


def misfit(record: type, name: str, value: object) -> str | None:
    """Why ``value`` cannot stand in this field of this record; None where it can."""
    if isinstance(value, Money):
        reason = _outside(value.minor, _AMOUNT)
        return reason and f"{value.currency} in minor units: {reason}"
    if (record, name) == (Terms, "calendar") and value is not None and value not in CALENDARS:
        return f"{str(value)[:40]!r} is none of {', '.join(sorted(CALENDARS))}"
    allowed = RANGES.get((record, name))
    if allowed is None or type(value) is not int:
        return None
    return _outside(value, allowed)


def _outside(value: int, allowed: tuple[int, int]) -> str | None:
    least, most = allowed
    if least <= value <= most:
        return None
    shown = str(value) if abs(value) < 10**20 else "a number of more than 20 digits"
    return f"{shown} is outside of {least} to {most}"


def misfits(value: object, unit: Currency, step: int, at: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every value within ``value`` that fits no range, currency or step, and where it stands."""
    if isinstance(value, tuple):
        for i, item in enumerate(value):
            yield from misfits(item, unit, step, (*at, i))
    elif isinstance(value, Money):
        if value.currency != unit:
            yield at, f"{value.currency} in a tariff in {unit}"
        elif (reason := misfit(Money, "", value)) is not None:
            yield at, reason
        elif value.minor % step:
            yield at, f"{value} is no multiple of {Money(step, unit)}"
    elif is_dataclass(value):
        for it in fields(value):
            own = getattr(value, it.name)
            if type(own) is int and it.name.endswith("_minor"):
                if (reason := misfit(type(value), it.name, own)) is not None:
                    yield (*at, it.name), reason
                elif (type(value), it.name) not in _COMPARED and own % step:
                    yield (*at, it.name), f"{Money(own, unit)} is no multiple of the step"
            elif (reason := misfit(type(value), it.name, own)) is not None:
                yield (*at, it.name), reason
            else:
                yield from misfits(own, unit, step, (*at, it.name))
