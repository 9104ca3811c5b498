"""What settlement asks of any wallet, and the outcomes that an answer is reduced to.

A request is its stored bytes, so that a repetition is byte for byte the first sending. Whoever
implements the port signs, sends and verifies; a time-out, a bad signature or unreadable text is
``Unknown``, never an exception.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from transitpay.money import Currency, Money


@dataclass(frozen=True, slots=True)
class WalletQuote:
    """The wallet's own binding rate: 1 ``base`` is ``price`` ``quote``.

    It stands only in the API's answers, never in files, and is stored with the attempt.
    """

    quote_id: str
    base: Currency
    quote: Currency
    price: Decimal
    start_at: datetime | None = None
    expiry_at: datetime | None = None
    guaranteed: bool | None = None


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The payment is made. ``paid_at`` is the wallet's completion time, which names its day."""

    payment_id: str
    paid_at: datetime
    amount: Money
    settlement: Money | None = None
    quote: WalletQuote | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """A cancel or a refund is made."""

    reference: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Declined:
    """A final no, with the wallet's result code."""

    code: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Neither yes nor no: the wallet's U code, or ours (``timeout``, ``bad_signature``...)."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotFound:
    """The wallet knows no such payment (now)."""


PaymentOutcome = Succeeded | Declined | Unknown | NotFound
CommandOutcome = Done | Declined | Unknown | NotFound


class WalletPort(Protocol):
    """One wallet. ``body`` is what ``partner_messages`` built and the database stores."""

    def pay(self, body: bytes) -> Awaitable[PaymentOutcome]: ...

    def inquire(self, body: bytes) -> Awaitable[PaymentOutcome]: ...

    def cancel(self, body: bytes) -> Awaitable[CommandOutcome]: ...

    def refund(self, body: bytes) -> Awaitable[CommandOutcome]: ...
