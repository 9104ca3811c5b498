"""What anybody has told us about an attempt: answers, verified notifications, files.

Evidence never decides by itself; ``decide`` weighs it against what is already known.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from transitpay.charging.wallet_port import (
    CommandOutcome,
    Declined,
    PaymentOutcome,
    Succeeded,
)
from transitpay.money import Money


@dataclass(frozen=True, slots=True)
class PayAnswered:
    """What came of sending the payment request; a time-out is ``Unknown``."""

    attempt_id: str
    outcome: PaymentOutcome


@dataclass(frozen=True, slots=True)
class InquiryAnswered:
    """What came of asking for the payment."""

    attempt_id: str
    outcome: PaymentOutcome


@dataclass(frozen=True, slots=True)
class CancelAnswered:
    """What came of asking to cancel the payment."""

    attempt_id: str
    outcome: CommandOutcome


@dataclass(frozen=True, slots=True)
class Notified:
    """A notification whose signature was verified; it is never unknown."""

    attempt_id: str
    outcome: Succeeded | Declined


@dataclass(frozen=True, slots=True)
class InFile:
    """The wallet's transaction file of ``day`` holds the payment, with no cancel beside it."""

    attempt_id: str
    payment_id: str
    paid_at: datetime
    amount: Money
    day: date


@dataclass(frozen=True, slots=True)
class NotInFile:
    """The wallet's complete transaction file of ``day`` does not hold the payment."""

    attempt_id: str
    day: date


Evidence = PayAnswered | InquiryAnswered | CancelAnswered | Notified | InFile | NotInFile


class BreakKind(StrEnum):
    """The breaks that evidence can open; reconciliation has more."""

    AMOUNT_MISMATCH = "amount_mismatch"
    CURRENCY_MISMATCH = "currency_mismatch"
    STATUS_MISMATCH = "status_mismatch"
    MISSING_INTERNAL = "missing_internal"


@dataclass(frozen=True, slots=True)
class Break:
    """Something people must look at; (kind, attempt) is its natural key, so twice is one."""

    kind: BreakKind
    attempt_id: str
    detail: str
