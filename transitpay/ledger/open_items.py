"""Says into which window each booking falls: operators' by service day, wallets' by their own day.

An item is inserted in the same transaction as its booking and moved by the closing of its window.
Amounts are signed: money towards the participant's window.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from transitpay.clock import wallet_day
from transitpay.money import Money

OPERATOR = "operator"
WALLET = "wallet"


@dataclass(frozen=True, slots=True)
class OpenItem:
    """One item of one window; (kind, item) is its natural key, so twice is once.

    ``ref`` is what the other side knows it by: the journey's id, or the wallet's request id.
    """

    kind: str
    item: str
    item_kind: str
    participant: str
    day: date
    amount: Money
    ref: str


def fare_item(journey_id: str, operator: str, service_day: date, fare: Money) -> OpenItem:
    """A fare that the operator has earned, in the fare's currency, by service day."""
    return OpenItem(OPERATOR, journey_id, "fare", operator, service_day, fare, journey_id)


def fare_reversal_item(
    correction_id: str, journey_id: str, operator: str, service_day: date, fare: Money
) -> OpenItem:
    """A fare taken back: an item of its own with the opposite sign, of the same service day."""
    item = f"{journey_id}!{correction_id}"
    return OpenItem(OPERATOR, item, "fare_reversal", operator, service_day, -fare, journey_id)


def capture_item(wallet: str, request_id: str, paid_at: datetime, amount: Money) -> OpenItem:
    """Money that the wallet collected, by the wallet's day of its completion time."""
    day = wallet_day(paid_at)
    return OpenItem(WALLET, request_id, "capture", wallet, day, amount, request_id)


def cancel_item(wallet: str, request_id: str, cancelled_at: datetime, amount: Money) -> OpenItem:
    """A payment that was booked and then cancelled, by the wallet's day of the cancel."""
    day = wallet_day(cancelled_at)
    return OpenItem(WALLET, f"{request_id}!cancel", "cancel", wallet, day, -amount, request_id)


def refund_item(wallet: str, request_id: str, refunded_at: datetime, amount: Money) -> OpenItem:
    """Money that the wallet gave back; ``request_id`` is the refund's own."""
    day = wallet_day(refunded_at)
    return OpenItem(WALLET, request_id, "refund", wallet, day, -amount, request_id)
