"""How a network rounds what it discounts: to the step and with the mode of its terms."""

from __future__ import annotations

from decimal import Decimal

from transitpay.fares.terms import Terms
from transitpay.money import Money, scale


def percent_of(amount: Money, percent: int, terms: Terms) -> Money:
    """``percent`` of an amount. Worked: 95 % of CNY 3.00 is 2.85; 95 % of HKD 5.90 is 5.60."""
    ratio = Decimal(percent).scaleb(-2)
    return scale(amount, ratio, mode=terms.rounding, step_minor=terms.step_minor)[0]
