"""Money that goes back to a rider: one request id, and what an answer makes of it.

One refund is one request id for good: an unknown answer is followed by the same request again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from transitpay.charging.charge import ChargePolicy
from transitpay.charging.result_codes import TRAFFIC_LIMIT, Meaning, meaning_of
from transitpay.charging.wallet_port import CommandOutcome, Declined, Done, NotFound, Unknown
from transitpay.money import Money


class RefundState(StrEnum):
    """What is known about a refund."""

    PREPARED = "PREPARED"  #: the body is stored and may be on the wire
    UNKNOWN = "UNKNOWN"  #: the same request is sent again
    REFUNDED = "REFUNDED"
    REFUSED = "REFUSED"  #: final no: people look


#: The wallet has not said yes or no.
IN_DOUBT = frozenset({RefundState.PREPARED, RefundState.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Refund:
    """One refundRequestId; ``next_at`` None: nothing is left to do."""

    id: str
    charge_id: str
    attempt_id: str
    amount: Money
    state: RefundState
    created_at: datetime
    next_at: datetime | None
    code: str | None = None

    def __post_init__(self) -> None:
        assert 0 < len(self.id) <= 64 and self.amount.minor > 0


@dataclass(frozen=True, slots=True)
class RefusedRefund:
    """Money of a rider that a wallet keeps: the last refund of it that was refused.

    ``amount_minor`` is what is still owed, ``since`` when it was first asked for, ``journey_id``
    the journey that the charge was first made for, ``code`` the wallet's own.
    """

    request_id: str
    charge_id: str
    journey_id: str
    wallet: str
    rider_id: str
    amount_minor: int
    currency: str
    code: str
    since: datetime


@dataclass(frozen=True, slots=True)
class DoubtfulRefund:
    """A refund to which a wallet has said neither yes nor no, though it was asked since ``since``.

    ``awaited_since`` is since when a correction that needs more money waits for it (None: none
    did), ``awaiting_minor`` how much is owed that its money may pay: it is not asked for before.
    ``code`` is what the wallet said last.
    """

    request_id: str
    charge_id: str
    journey_id: str
    wallet: str
    rider_id: str
    amount_minor: int
    currency: str
    code: str
    since: datetime
    awaited_since: datetime | None
    awaiting_minor: int

    def age_h(self, at: datetime) -> int:
        """Whole hours since it was first asked for."""
        return (at - self.since) // timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class WalletClaim:
    """Money that a wallet gave its rider twice: it made refund ``request_id`` of the payment
    ``attempt_id`` and cancelled the whole of that payment too, in whatever order.

    ``why`` says so in a word; ``since`` is when the second of the two was booked.
    """

    request_id: str
    attempt_id: str
    charge_id: str
    journey_id: str
    wallet: str
    rider_id: str
    amount_minor: int
    currency: str
    why: str
    since: datetime


@dataclass(frozen=True, slots=True)
class RefundDecision:
    """The refund as it is now; ``book`` says that it was made just now and is to be booked."""

    refund: Refund
    book: bool = False


def surplus_refund(charge_id: str, attempt_id: str, amount: Money, at: datetime) -> Refund:
    """The refund of what was paid although nothing was owed; its id comes from the attempt."""
    return Refund(f"{attempt_id}-r", charge_id, attempt_id, amount, RefundState.PREPARED, at, at)


def owed_sums(refused: Iterable[RefusedRefund]) -> list[tuple[str, str, int]]:
    """(wallet, currency, minor units), in order."""
    found: dict[tuple[str, str], int] = {}
    for it in refused:
        key = (it.wallet, it.currency)
        found[key] = found.get(key, 0) + it.amount_minor
    return [(*key, minor) for key, minor in sorted(found.items())]


def decide_refund(
    refund: Refund, outcome: CommandOutcome, at: datetime, policy: ChargePolicy | None = None
) -> RefundDecision:
    """What an answer makes of a refund; the same answer again changes nothing."""
    rules = policy or ChargePolicy()
    if refund.state in (RefundState.REFUNDED, RefundState.REFUSED):
        return RefundDecision(refund)
    match outcome:
        case Done():
            done = replace(refund, state=RefundState.REFUNDED, next_at=None)
            return RefundDecision(done, book=True)
        case Declined(code) if _final(code):
            refused = replace(refund, state=RefundState.REFUSED, next_at=None, code=code)
            return RefundDecision(refused)
        case Declined(reason) | Unknown(reason):
            return RefundDecision(_again(refund, reason, at, rules))
        case NotFound():
            return RefundDecision(_again(refund, "not_found", at, rules))
        case _:
            assert_never(outcome)


def _final(code: str) -> bool:
    """A refusal of the refund itself; one of our call's form is mended and sent again."""
    if code in ("REFUND_AMOUNT_EXCEED", "REFUND_WINDOW_EXCEED"):
        return True
    return meaning_of(code) not in (Meaning.IN_DOUBT, Meaning.OF_THE_CALL, Meaning.NO_SUCH_PAYMENT)


def _again(refund: Refund, reason: str, at: datetime, rules: ChargePolicy) -> Refund:
    least: timedelta = rules.traffic_backoff if reason == TRAFFIC_LIMIT else rules.cancel_every
    wait = rules.backoff(least, at - refund.created_at)
    return replace(refund, state=RefundState.UNKNOWN, next_at=at + wait, code=reason)
