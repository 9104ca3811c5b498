"""What is agreed with a wallet for fares in one currency, dated: who converts, what it costs.

The newest agreement that is valid on the service day counts. Terms, not code, decide how a
corridor is charged.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from transitpay.money import CNY, HKD, Currency


class FxMode(StrEnum):
    """Who turns the fare into the rider's own currency."""

    WE_CONVERT = "WE_CONVERT"
    WALLET_CONVERTS = "WALLET_CONVERTS"


class BadDebt(StrEnum):
    """Who bears a ride that is never paid."""

    ISSUER = "issuer"
    OPERATOR = "operator"
    HOUSE = "house"


@dataclass(frozen=True, slots=True)
class Agreement:
    """One dated agreement. ``margin`` and ``fee_rate`` are fractions: 0.003 is 0.3 %.

    WE_CONVERT: the wallet is asked for ``charge_currency`` at our locked quote and settles it.
    WALLET_CONVERTS: it is asked for the fare's currency, debits its rider at its own quote and
    settles the fare's currency; we hold no position and take no margin.
    """

    wallet: str
    fare_currency: Currency
    valid_from: date
    fx_mode: FxMode
    charge_currency: Currency
    settlement_currency: Currency
    margin: Decimal
    fee_rate: Decimal
    bad_debt: BadDebt

    def __post_init__(self) -> None:
        assert 0 <= self.margin < 1, "a margin raises what the rider pays, or is 0"
        assert 0 <= self.fee_rate < 1, "a fee is a part of the amount"
        assert self.settlement_currency == self.charge_currency, "what is charged is settled"
        if self.fx_mode is FxMode.WALLET_CONVERTS:
            assert self.charge_currency == self.fare_currency, "the wallet is asked for the fare"
            assert self.margin == 0, "who does not convert takes no margin"

    @property
    def needs_rate(self) -> bool:
        """True when the fare is converted by us: only then are there a quote and a position."""
        return self.fx_mode is FxMode.WE_CONVERT and self.charge_currency != self.fare_currency


def agreement_on(
    agreements: Iterable[Agreement], wallet: str, fare_currency: Currency, day: date
) -> Agreement | None:
    """The newest agreement of this wallet and fare currency valid on ``day``; None: refused."""
    valid = [
        a
        for a in agreements
        if a.wallet == wallet and a.fare_currency == fare_currency and a.valid_from <= day
    ]
    return max(valid, key=lambda a: a.valid_from, default=None)


def builtin_agreements() -> tuple[Agreement, ...]:
    """The terms the sandbox starts with; invented, but shaped like real corridors."""
    start = date(2026, 1, 1)
    margin, fee, zero = Decimal("0.003"), Decimal("0.006"), Decimal(0)
    we, wallet = FxMode.WE_CONVERT, FxMode.WALLET_CONVERTS
    house, issuer = BadDebt.HOUSE, BadDebt.ISSUER
    return (
        Agreement("alipayhk", CNY, start, we, HKD, HKD, margin, fee, house),
        Agreement("alipayhk", HKD, start, we, HKD, HKD, zero, fee, house),
        Agreement("shenzhen-tong", HKD, start, we, CNY, CNY, margin, fee, house),
        Agreement("shenzhen-tong", CNY, start, we, CNY, CNY, zero, fee, house),
        Agreement("alipay", HKD, start, wallet, HKD, HKD, zero, fee, issuer),
        Agreement("alipay", CNY, start, we, CNY, CNY, zero, fee, issuer),
    )
