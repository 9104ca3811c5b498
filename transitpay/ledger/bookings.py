"""Turns each business event of a fare and its money into its journal entry.

One function an event. Keys are natural: the event's kind and the id of its subject. A posting of
zero is left out; an event with nothing to post has no entry.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from transitpay.fx.agreement import BadDebt
from transitpay.fx.quote import Quote
from transitpay.ledger.accounts import (
    BAD_DEBT,
    FARE_HELD,
    FX_POSITION,
    FX_SPREAD,
    operator_payable,
    rider_due,
    wallet_claim,
    wallet_receivable,
)
from transitpay.ledger.journal import Entry, EntryKind, Posting
from transitpay.money import Money


@dataclass(frozen=True, slots=True)
class FareSubject:
    """Whose fare an entry is about."""

    journey_key: str
    operator: str
    wallet: str
    charge_id: str | None = None

    def entry(
        self, kind: EntryKind, at: datetime, postings: tuple[Posting, ...], key: str = ""
    ) -> Entry:
        natural = f"{kind}:{key or self.journey_key}"
        return Entry(natural, kind, at, postings, self.journey_key, self.charge_id)


def cleared_same_currency(subject: FareSubject, fare: Money, at: datetime) -> Entry:
    """The rider owes the fare and the operator has earned it, in one currency."""
    postings = move(rider_due(subject.wallet), operator_payable(subject.operator), fare)
    return subject.entry(EntryKind.CLEARED, at, postings)


def cleared_wallet_converts(subject: FareSubject, fare: Money, at: datetime) -> Entry:
    """The wallet owes the fare's currency whatever it debits its rider: no position, no spread."""
    return cleared_same_currency(subject, fare, at)


def cleared_we_convert(subject: FareSubject, quote: Quote, at: datetime) -> Entry:
    """The operator earns the fare, the rider owes the charge, the house holds both positions."""
    operator = move(FX_POSITION, operator_payable(subject.operator), quote.fare)
    return subject.entry(EntryKind.CLEARED, at, operator + _charge_legs(subject.wallet, quote))


def cleared_held(subject: FareSubject, fare: Money, at: datetime) -> Entry:
    """There is no rate: the operator has earned the fare, the charge waits for a rate.

    Its key is that of any clearing, so that a journey is never cleared both ways.
    """
    postings = move(FARE_HELD, operator_payable(subject.operator), fare)
    cleared = subject.entry(EntryKind.CLEARED, at, postings)
    return replace(cleared, kind=EntryKind.CLEARED_HELD)


def released(subject: FareSubject, quote: Quote, at: datetime) -> Entry:
    """The rate of a held fare's gap is known: the hold becomes a position and a debt."""
    held = move(FX_POSITION, FARE_HELD, quote.fare)
    return subject.entry(EntryKind.RELEASED, at, held + _charge_legs(subject.wallet, quote))


def taken_back(
    subject: FareSubject, booked: Money | Quote, at: datetime, *, held: bool = False
) -> Entry:
    """A journey stands no longer: its clearing is reversed, each leg at the original quote.

    ``booked`` is its quote, or the fare where nothing was converted by us; ``held`` where the
    fare still waits for a rate. A journey ends once, so its id is the key. What stands instead is
    cleared like any journey.
    """
    if held:
        assert isinstance(booked, Money), "what waits for a rate has no quote"
        postings = move(operator_payable(subject.operator), FARE_HELD, booked)
    else:
        postings = _undone(subject, booked)
    assert postings, "a fare that was booked is more than nothing"
    return subject.entry(EntryKind.CORRECTED, at, postings)


def captured(wallet: str, amount: Money, at: datetime, attempt_id: str, charge_id: str) -> Entry:
    """An attempt collected the debt: the wallet owes it now."""
    postings = move(wallet_receivable(wallet), rider_due(wallet), amount)
    kind = EntryKind.CAPTURED
    return Entry(f"{kind}:{attempt_id}", kind, at, postings, charge_id=charge_id)


def uncaptured(wallet: str, amount: Money, at: datetime, attempt_id: str, charge_id: str) -> Entry:
    """A cancel won after the capture was booked: the rider owes again."""
    postings = move(rider_due(wallet), wallet_receivable(wallet), amount)
    kind = EntryKind.UNCAPTURED
    return Entry(f"{kind}:{attempt_id}", kind, at, postings, charge_id=charge_id)


def refunded(wallet: str, amount: Money, at: datetime, refund_id: str, charge_id: str) -> Entry:
    """The wallet gave money back to its rider: it owes us less.

    The debt itself falls by ``taken_back``; of an attempt that captured twice nothing falls.
    """
    postings = move(rider_due(wallet), wallet_receivable(wallet), amount)
    kind = EntryKind.REFUNDED
    return Entry(f"{kind}:{refund_id}", kind, at, postings, charge_id=charge_id)


def given_twice(wallet: str, amount: Money, at: datetime, refund_id: str, charge_id: str) -> Entry:
    """The wallet cancelled a payment whole and had refunded, or then refunded, a part of it.

    No rider owes that part: what is due again is what the rides cost. The wallet does.
    """
    postings = move(wallet_claim(wallet), rider_due(wallet), amount)
    kind = EntryKind.GIVEN_TWICE
    return Entry(f"{kind}:{refund_id}", kind, at, postings, charge_id=charge_id)


def written_off(
    subject: FareSubject, owed: Money | Quote, bearer: BadDebt, at: datetime, write_off_id: str
) -> Entry:
    """A debt is given up; the agreement says who bears it.

    The issuer: the wallet owes it to us. The operator: its earning and our position are taken
    back. The house: a loss. ``owed`` is the charge, or the quote it was made by.
    """
    amount = owed.charge if isinstance(owed, Quote) else owed
    if bearer is BadDebt.OPERATOR:
        postings = _undone(subject, owed)
    elif bearer is BadDebt.ISSUER:
        postings = move(wallet_receivable(subject.wallet), rider_due(subject.wallet), amount)
    else:
        postings = move(BAD_DEBT, rider_due(subject.wallet), amount)
    return subject.entry(EntryKind.WRITTEN_OFF, at, postings, write_off_id)


def move(debit: str, credit: str, amount: Money) -> tuple[Posting, ...]:
    """One posting; the other way round below zero, none at zero."""
    if amount.minor > 0:
        return (Posting(debit, credit, amount),)
    if amount.minor < 0:
        return (Posting(credit, debit, -amount),)
    return ()


def _charge_legs(wallet: str, quote: Quote) -> tuple[Posting, ...]:
    due = rider_due(wallet)
    return move(due, FX_POSITION, quote.mid_value) + move(due, FX_SPREAD, quote.spread)


def _undone(subject: FareSubject, booked: Money | Quote) -> tuple[Posting, ...]:
    """The postings of a clearing, each the other way round."""
    due, payable = rider_due(subject.wallet), operator_payable(subject.operator)
    if isinstance(booked, Money):
        return move(payable, due, booked)
    return (
        move(payable, FX_POSITION, booked.fare)
        + move(FX_POSITION, due, booked.mid_value)
        + move(FX_SPREAD, due, booked.spread)
    )
