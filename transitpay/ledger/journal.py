"""An entry is one business event in the books; a posting is one debit and one credit of it.

A posting holds both sides and one amount, so an entry that does not balance cannot be written.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from transitpay.ledger.accounts import kind_of
from transitpay.money import Money


class EntryKind(StrEnum):
    """The business events that are booked."""

    CLEARED = "cleared"
    CLEARED_HELD = "cleared_held"
    RELEASED = "released"
    CORRECTED = "corrected"
    CAPTURED = "captured"
    UNCAPTURED = "uncaptured"
    REFUNDED = "refunded"
    GIVEN_TWICE = "given_twice"
    WALLET_FEE = "wallet_fee"
    WALLET_FILE = "wallet_file"
    WALLET_BANKED = "wallet_banked"
    OPERATOR_WINDOW = "operator_window"
    OPERATOR_PAID = "operator_paid"
    COVER = "cover"
    WRITTEN_OFF = "written_off"


@dataclass(frozen=True, slots=True)
class Posting:
    """``amount`` from the credited to the debited account; above 0, one currency."""

    debit: str
    credit: str
    amount: Money

    def __post_init__(self) -> None:
        assert self.amount.minor > 0, "a posting moves something"
        assert self.debit != self.credit, "a posting has two accounts"
        kind_of(self.debit)
        kind_of(self.credit)


@dataclass(frozen=True, slots=True)
class Entry:
    """One event. ``key`` is its natural key: the same event again is the same key, booked once."""

    key: str
    kind: str
    at: datetime
    postings: tuple[Posting, ...]
    journey_key: str | None = None
    charge_id: str | None = None

    def __post_init__(self) -> None:
        assert ":" in self.key, "a key is <event>:<subject>"
        assert self.postings, "an entry posts something"
        assert self.at.tzinfo is not None, "instants are aware"
