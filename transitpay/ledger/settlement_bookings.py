"""Turns each event of settling with wallets, operators and the bank into its journal entry.

These follow the bookings of fares: what a wallet's file and our bank say, an operator's closed
window, payouts, and the deals that cover the house's currency position.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from transitpay.ledger.accounts import (
    BANK,
    FX_POSITION,
    FX_RESULT,
    SERVICE_FEE,
    WALLET_FEE,
    operator_payable,
    payout_in_transit,
    wallet_in_transit,
    wallet_receivable,
)
from transitpay.ledger.bookings import move
from transitpay.ledger.journal import Entry, EntryKind, Posting
from transitpay.money import Money, Rounding, scale


def fee_of(amount: Money, rate: Decimal) -> Money:
    """The part of an amount that a fee takes, HALF_EVEN; the remainder is not kept.

    Worked: 0.6 % of CNY 47.91 is 0.28746, so 0.29; 1.5 % of HKD 52.20 is 0.783, so 0.78.
    """
    return scale(amount, rate, mode=Rounding.HALF_EVEN)[0]


def wallet_fee(wallet: str, fee: Money, at: datetime, batch_id: str) -> Entry | None:
    """The wallet keeps its fee out of what it owes; below zero it gives one back."""
    postings = move(WALLET_FEE, wallet_receivable(wallet), fee)
    return _entry(EntryKind.WALLET_FEE, batch_id, at, postings)


def wallet_file(wallet: str, net: Money, at: datetime, batch_id: str) -> Entry | None:
    """The wallet's settlement file says what it pays us, fees already taken off."""
    postings = move(wallet_in_transit(wallet), wallet_receivable(wallet), net)
    return _entry(EntryKind.WALLET_FILE, batch_id, at, postings)


def wallet_banked(wallet: str, amount: Money, at: datetime, bank_ref: str) -> Entry | None:
    """Our bank shows the wallet's payment."""
    postings = move(BANK, wallet_in_transit(wallet), amount)
    return _entry(EntryKind.WALLET_BANKED, bank_ref, at, postings)


def operator_window(
    operator: str, payable: Money, fee: Money, at: datetime, window_id: str
) -> Entry | None:
    """A window closed: our service fee is taken, the rest is ordered to be paid."""
    assert payable.currency == fee.currency, "one window, one currency"
    due = operator_payable(operator)
    postings = move(due, SERVICE_FEE, fee)
    postings += move(due, payout_in_transit(operator), payable - fee)
    return _entry(EntryKind.OPERATOR_WINDOW, window_id, at, postings)


def operator_paid(operator: str, amount: Money, at: datetime, payout_id: str) -> Entry | None:
    """Our bank shows the payment to an operator."""
    postings = move(payout_in_transit(operator), BANK, amount)
    return _entry(EntryKind.OPERATOR_PAID, payout_id, at, postings)


def cover(bought: Money, sold: Money, carried: Money, at: datetime, deal_id: str) -> Entry | None:
    """A deal covers a position: ``bought`` comes into the bank, ``sold`` leaves it.

    ``carried`` is what the covered part of the position stood at, in the sold currency (its
    average carrying rate). Sold above carried is a loss in ``expense:fx_result``.
    Worked: HKD 52.20 bought for CNY 47.82, carried at 47.76: a loss of 0.06.
    """
    assert bought.currency != sold.currency == carried.currency
    assert bought.minor > 0 and sold.minor > 0
    postings = move(FX_POSITION, BANK, sold) + move(BANK, FX_POSITION, bought)
    postings += move(FX_RESULT, FX_POSITION, sold - carried)
    return _entry(EntryKind.COVER, deal_id, at, postings)


def _entry(
    kind: EntryKind, subject: str, at: datetime, postings: tuple[Posting, ...]
) -> Entry | None:
    return Entry(f"{kind}:{subject}", kind, at, postings) if postings else None
