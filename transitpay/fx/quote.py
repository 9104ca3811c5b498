"""Locks the rate of one fare and converts it; the exact remainder stays on the quote.

Rounding: the charge and the mid value are rounded HALF_EVEN to the charge currency's minor unit,
the spread is their difference, and what rounding added or took is kept as an exact Decimal that
is never posted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from transitpay.fx.agreement import Agreement
from transitpay.fx.rate import PublishedRate
from transitpay.money import CONTEXT, Currency, Money, Rounding


@dataclass(frozen=True, slots=True)
class Quote:
    """One fare at one locked rate; rates are charge currency per 1 of the fare currency.

    ``customer_rate`` = ``mid`` x (1 + ``margin``), exact. ``charge`` is what the rider pays,
    ``mid_value`` what the fare is worth without margin, ``spread`` = charge - mid_value >= 0.
    ``remainder`` = charge - the exact customer value, in major units: above 0 when rounding cost
    the rider. A quote never expires once the ride is taken.
    """

    fare: Money
    charge: Money
    mid: Decimal
    margin: Decimal
    customer_rate: Decimal
    mid_value: Money
    spread: Money
    remainder: Decimal
    effective_at: datetime

    def __post_init__(self) -> None:
        assert self.fare.currency != self.charge.currency, "one currency needs no quote"
        assert self.mid > 0 and self.margin >= 0
        assert self.charge == self.mid_value + self.spread and self.spread.minor >= 0


def convert(fare: Money, rate: Decimal, into: Currency) -> tuple[Money, Decimal]:
    """``fare`` x ``rate`` in ``into``, HALF_EVEN, with (rounded - exact) in major units.

    Worked: HKD 52.20 at 0.917745 is exactly 47.906289, so CNY 47.91 and +0.003711.
    """
    exact = CONTEXT.multiply(fare.major(), rate)
    minor = exact.scaleb(into.exponent, CONTEXT).to_integral_value(
        Rounding.HALF_EVEN.value, CONTEXT
    )
    rounded = Money(int(minor), into)
    return rounded, CONTEXT.subtract(rounded.major(), exact)


def lock_quote(fare: Money, rate: PublishedRate, agreement: Agreement) -> Quote:
    """The quote of a fare that we convert, at the published row and the agreed margin.

    Worked: HKD 52.20, mid 0.9150, margin 0.3 %: customer rate 0.917745, charge CNY 47.91,
    mid value 47.76, spread 0.15, remainder +0.003711.

    A charge may round to 0 (0.01 at a rate up to 0.5): the quote then says so and no charge is
    made, because no wallet can be asked for nothing; the operator still gets the fare.
    """
    assert agreement.needs_rate, "a fare in the charge currency has no quote"
    assert rate.rate is not None, "a gap prices nothing"
    assert rate.base == fare.currency == agreement.fare_currency
    assert rate.quote == agreement.charge_currency
    return _quote(fare, rate.rate, agreement.margin, rate.quote, rate.effective_at)


def _quote(
    fare: Money, mid: Decimal, margin: Decimal, into: Currency, effective_at: datetime
) -> Quote:
    assert fare.minor >= 0, "a fare is not negative"
    customer_rate = CONTEXT.multiply(mid, CONTEXT.add(Decimal(1), margin))
    charge, remainder = convert(fare, customer_rate, into)
    mid_value, _ = convert(fare, mid, into)
    return Quote(
        fare,
        charge,
        mid,
        margin,
        customer_rate,
        mid_value,
        charge - mid_value,
        remainder,
        effective_at,
    )


def convert_by_pair(amount: Money, base: Currency, quote: Currency, price: Decimal) -> Money:
    """``amount`` in the other currency of a wallet's pair base/quote, HALF_EVEN.

    base to quote multiplies, quote to base divides. For checking what a wallet says it debited;
    our own charges never divide.
    """
    if amount.currency == base:
        return convert(amount, price, quote)[0]
    assert amount.currency == quote, "the pair does not hold this currency"
    exact = CONTEXT.divide(amount.major(), price).scaleb(base.exponent, CONTEXT)
    return Money(int(exact.to_integral_value(Rounding.HALF_EVEN.value, CONTEXT)), base)
