"""Nets one day per participant and currency, the house among them; every currency sums to zero.

Positive = the house pays the participant; below zero the participant pays. The sums come from
fares, quotes, charges, captures and fees, never from the books; that they also are what was
posted is asked separately (``settlement.closing.close_day``), so the two prove one another.

Worked (fare HKD 52.20, quote 47.76 + 0.15, captured CNY 47.91, fees 1.5 % and 0.6 %): the
operator is paid HKD 51.42, the wallet pays CNY 47.62; house: service fee HKD 0.78, position
HKD -52.20 and CNY 47.76, spread CNY 0.15, wallet fee CNY -0.29; riders owe nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from transitpay.errors import RuleViolation
from transitpay.ledger.settlement_bookings import fee_of
from transitpay.ledger.window_sums import FareSum, TakingSum
from transitpay.money import Money, Rounding, currency, scale

HOUSE = "house:"
POSITION = HOUSE + "fx_position"
SPREAD = HOUSE + "fx_spread"
SERVICE_FEE = HOUSE + "service_fee"
WALLET_FEE = HOUSE + "wallet_fee"
RIDERS = HOUSE + "riders_due"
HELD = HOUSE + "fare_held"


@dataclass(frozen=True, slots=True)
class NetPosition:
    """What one participant gets (above zero) or pays in one currency for a day."""

    participant: str
    currency: str
    amount_minor: int
    detail: Mapping[str, int]


def wallet_fee_of(amount: Money, rate: Decimal) -> Money:
    """A wallet's fee on one payment, HALF_UP: 0.6 % of 47.91 is 0.29, of 2.50 is 0.02.

    Source: docs/reference/wallet-files.md.
    """
    return scale(amount, rate, mode=Rounding.HALF_UP)[0]


def net(
    fares: Iterable[FareSum],
    takings: Iterable[TakingSum],
    service_fees: Mapping[str, Decimal],
) -> tuple[NetPosition, ...]:
    """All net positions of a day, ordered; ``service_fees`` are the operators' fee rates.

    Raises: RuleViolation (``out_of_balance``) naming the currency or the operator whose facts
    do not fit together: nothing may be closed on such sums.
    """
    book = _Book()
    for fare in fares:
        _net_fare(book, fare)
    for operator, code, payable in book.operators():
        fee = fee_of(Money(payable, currency(code)), service_fees[operator]).minor
        book.add(operator, code, "service_fee", -fee)
        book.add(SERVICE_FEE, code, "service_fee", fee)
    for taking in takings:
        _net_taking(book, taking)
    positions = book.positions()
    assert_zero_sum(positions)
    return positions


def assert_zero_sum(positions: Iterable[NetPosition]) -> None:
    """Refuse positions that do not sum to zero in each currency.

    Raises: RuleViolation (``out_of_balance``).
    """
    sums: dict[str, int] = {}
    for position in positions:
        sums[position.currency] = sums.get(position.currency, 0) + position.amount_minor
    for code, total in sorted(sums.items()):
        if total:
            raise _out_of_balance(f"net positions in {code} sum to {total} minor units, not 0")


def _net_fare(book: _Book, fare: FareSum) -> None:
    if fare.items_minor != fare.fare_minor:
        raise _out_of_balance(
            f"{fare.operator}: window items give {fare.items_minor} {fare.fare_currency} minor"
            f" units, their journeys {fare.fare_minor}"
        )
    book.add(fare.operator, fare.fare_currency, "fares", fare.fare_minor)
    if fare.charge_currency is None:
        book.add(HELD, fare.fare_currency, "held", -fare.fare_minor)
        return
    if fare.quoted:
        book.add(POSITION, fare.fare_currency, "sold", -fare.quote_fare_minor)
        book.add(POSITION, fare.charge_currency, "bought", fare.mid_value_minor)
        book.add(SPREAD, fare.charge_currency, "spread", fare.spread_minor)
    book.add(RIDERS, fare.charge_currency, "charged", -fare.charge_minor)


def _net_taking(book: _Book, taking: TakingSum) -> None:
    total = taking.each_minor * taking.items
    if total != taking.wallet_minor:
        raise _out_of_balance(
            f"{taking.wallet}: window items give {total} {taking.currency} minor units,"
            f" its answers {taking.wallet_minor}"
        )
    fee = 0
    if taking.fee_rate is not None:
        each = Money(abs(taking.each_minor), currency(taking.currency))
        fee = wallet_fee_of(each, taking.fee_rate).minor * taking.items
        fee = fee if taking.each_minor > 0 else -fee
    book.add(taking.wallet, taking.currency, "taken", -total)
    book.add(taking.wallet, taking.currency, "fee", fee)
    book.add(WALLET_FEE, taking.currency, "fee", -fee)
    book.add(RIDERS, taking.currency, "paid", total)


class _Book:
    """Adds named parts per participant and currency."""

    def __init__(self) -> None:
        self._parts: dict[tuple[str, str], dict[str, int]] = {}

    def add(self, participant: str, code: str, part: str, minor: int) -> None:
        parts = self._parts.setdefault((participant, code), {})
        parts[part] = parts.get(part, 0) + minor

    def operators(self) -> list[tuple[str, str, int]]:
        return [(who, code, p["fares"]) for (who, code), p in self._parts.items() if "fares" in p]

    def positions(self) -> tuple[NetPosition, ...]:
        return tuple(
            NetPosition(who, code, sum(parts.values()), dict(sorted(parts.items())))
            for (who, code), parts in sorted(self._parts.items())
        )


def _out_of_balance(text: str) -> RuleViolation:
    return RuleViolation("out_of_balance", text)
