"""What a fare may be at most in another currency, for ceilings that a wallet gave in that one.

The rate that will price the ride is not known at the gate, so the day's rate is taken with a
safety margin, and the result is rounded up to a whole unit: a ceiling has only whole units, so
rounding decides nothing by itself and the answer holds for the whole day.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from transitpay.money import CNY, CONTEXT, HKD, Currency, Money, Rounding, scale

#: The currencies that ceilings come in.
CEILING_CURRENCIES = (HKD, CNY)
#: How much is added for what a rate may move within a day, and since when. Our own choice: by the
#: ECB's reference rates HKD and CNY moved by 1.86 % at most from one day to the next since 2015.
SAFETY_MARGINS: tuple[tuple[date, Decimal], ...] = ((date(2026, 1, 1), Decimal("0.03")),)


def safety_margin(day: date) -> Decimal:
    """The margin in force on a day; the first one before that."""
    in_force = (margin for begins, margin in reversed(SAFETY_MARGINS) if begins <= day)
    return next(in_force, SAFETY_MARGINS[0][1])


def fare_at_most(fare: Money, into: Currency, rate: Decimal, day: date) -> Money:
    """``fare`` in ``into`` at ``rate`` (1 unit of the fare's currency is ``rate`` of ``into``).

    Rounding: up to a whole unit; nothing is posted, so there is no remainder to keep.
    Worked: HKD 52.20 at 0.92 with 3 % is CNY 49.46472, so CNY 50.00.
    """
    assert fare.currency != into, "a fare in its own currency needs no rate"
    assert fare.currency.exponent == into.exponent, "HKD and CNY have the same minor units"
    ratio = CONTEXT.multiply(rate, CONTEXT.add(Decimal(1), safety_margin(day)))
    whole = 10**into.exponent
    return Money(scale(fare, ratio, mode=Rounding.UP, step_minor=whole)[0].minor, into)
