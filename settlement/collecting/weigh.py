"""Weighs what wallets told us, whoever brings it: answers, notifications and files alike.

One transaction: lock the charges, ``decide`` each piece in turn, save the states with the
evidence, the bookings, the items of the windows, refunds of surplus money and denials.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from settlement.clearing import wallet_money
from settlement.clearing.denials import settle_denials, touches_denial
from settlement.clearing.wallet_money import RiderMoney
from transitpay.charging.charge import Attempt, Charge, ChargePolicy, awaits_no_more
from transitpay.charging.correcting import due_again
from transitpay.charging.decide import Decision, decide
from transitpay.charging.evidence import (
    BreakKind,
    CancelAnswered,
    Evidence,
    InFile,
    InquiryAnswered,
    Notified,
    NotInFile,
    PayAnswered,
)
from transitpay.charging.partner_messages import RefundRequest, build_refund
from transitpay.charging.refund import Refund, RefundState
from transitpay.charging.wallet_port import Declined, Done, NotFound, Succeeded, Unknown
from transitpay.ledger.bookings import captured, given_twice, uncaptured
from transitpay.ledger.journal import Entry, EntryKind
from transitpay.ledger.open_items import OpenItem, cancel_item, capture_item
from transitpay.postgres.money import charge_parts, charges, evidence, journal, refunds
from transitpay.postgres.money.charges import StoredCharge
from transitpay.postgres.money.evidence import EvidenceRow
from transitpay.postgres.pool import Connection

SURPLUS = "surplus"


@dataclass(frozen=True, slots=True)
class Weighed:
    """What one piece of evidence did: its effect in words, and the charge where it is ours."""

    effect: str
    charge: Charge | None = None


@dataclass(slots=True)
class _Batch:
    """What is to be saved; ``now`` is each charge as the evidence weighed so far left it."""

    was: Mapping[str, StoredCharge]
    now: dict[str, Charge]
    entries: list[Entry] = field(default_factory=list)
    items: list[OpenItem] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    uncaptured: dict[str, str] = field(default_factory=dict)  # attempt id -> charge id
    rows: list[EvidenceRow] = field(default_factory=list)


async def weigh(
    conn: Connection,
    told: Sequence[Evidence],
    at: datetime,
    policy: ChargePolicy,
    *,
    wallet: str | None = None,
) -> list[Weighed]:
    """Weigh evidence in its order and save what it did; leases on the charges end.

    With ``wallet``, only request ids of that wallet are ours: nobody speaks for another wallet's
    payments. Evidence on an id that is not ours is kept as a break.
    """
    known = await charges.ids_of_attempts(conn, [it.attempt_id for it in told])
    ours = {
        request: charge_id
        for request, (charge_id, of) in known.items()
        if wallet is None or of == wallet
    }
    was = await charges.lock(conn, sorted(set(ours.values())))
    batch = _Batch(was, {i: it.charge for i, it in was.items()})
    weighed = [_weigh_one(batch, it, ours.get(it.attempt_id), at, policy) for it in told]
    await _save(conn, batch, at)
    return weighed


def _weigh_one(
    batch: _Batch, told: Evidence, charge_id: str | None, at: datetime, policy: ChargePolicy
) -> Weighed:
    kind, content = describe(told)
    if charge_id is None:
        effect = f"break:{BreakKind.MISSING_INTERNAL}"
        batch.rows.append(EvidenceRow(told.attempt_id, kind, content, effect))
        return Weighed(effect)
    decision = decide(batch.now[charge_id], told, at, policy)
    batch.now[charge_id] = decision.charge
    attempt = decision.charge.attempt(told.attempt_id)
    assert attempt is not None, "the attempt is the charge's"
    _book(batch, decision, attempt, _cancelled_at(told, at), at)
    if decision.refund is not None:
        batch.refunds.append(decision.refund)
    effect = f"{attempt.state}/{decision.charge.state}"
    if decision.found is not None:
        effect = f"break:{decision.found.kind}"
        content = {**content, "detail": decision.found.detail}
    batch.rows.append(EvidenceRow(told.attempt_id, kind, content, effect))
    return Weighed(effect, decision.charge)


def _book(
    batch: _Batch, decision: Decision, attempt: Attempt, cancelled_at: datetime, at: datetime
) -> None:
    """Captures and their cancels, each with its item of the wallet's window."""
    if decision.book is None:
        return
    charge = decision.charge
    wallet = charge.wallet
    if decision.book is EntryKind.CAPTURED:
        assert attempt.paid is not None, "what is captured was paid"
        batch.entries.append(captured(wallet, attempt.amount, at, attempt.id, charge.id))
        item = capture_item(wallet, attempt.id, attempt.paid.paid_at, attempt.amount)
    else:
        assert decision.book is EntryKind.UNCAPTURED
        batch.entries.append(uncaptured(wallet, attempt.amount, at, attempt.id, charge.id))
        batch.uncaptured[attempt.id] = charge.id
        item = cancel_item(wallet, attempt.id, cancelled_at, attempt.amount)
    batch.items.append(item)


async def _save(conn: Connection, batch: _Batch, at: datetime) -> None:
    changed = [(batch.was[i], now) for i, now in sorted(batch.now.items())]
    await charges.save(conn, changed, {})
    await evidence.add(conn, batch.rows, at)
    await journal.add_entries(conn, batch.entries)
    await journal.add_open_items(conn, batch.items)
    for refund in batch.refunds:
        body = build_refund(RefundRequest(refund.id, refund.attempt_id, refund.amount, SURPLUS))
        await refunds.add(conn, refund, SURPLUS, body)
    await _due_again(conn, batch, at)
    await settle_denials(conn, [(was, now) for was, now in changed if touches_denial(was, now)], at)


async def _due_again(conn: Connection, batch: _Batch, at: datetime) -> None:
    """A cancel won after a correction: only what the payment still pays for is due again, and a
    debt that awaited a refund of it is due now. What was refunded of it was given back twice.
    """
    if not batch.uncaptured:
        return
    tied = await charge_parts.lock_tied(conn, sorted(set(batch.uncaptured.values())))
    backs = [back for it in tied.values() for back in it.tied.refunds]
    twice = [
        given_twice(tied[it.charge_id].stored.charge.wallet, it.amount, at, it.id, it.charge_id)
        for it in backs
        if it.state is RefundState.REFUNDED and it.attempt_id in batch.uncaptured
    ]
    await journal.add_entries(conn, twice)
    loose = await charge_parts.lock_awaiting(conn, [it.id for it in backs])
    due = [(it.stored, awaits_no_more(it.tied.charge, at)) for it in loose.values()]
    await charges.save(conn, due, {})
    made = [(it, due_again(it.tied, at)) for _, it in sorted(tied.items())]
    riders = [
        RiderMoney(it.stored.issuer, it.stored.rider_id, corrected)
        for it, corrected in made
        if corrected is not None
    ]
    await wallet_money.save(conn, riders, tied, at)


def describe(told: Evidence) -> tuple[str, dict[str, str | None]]:
    """(kind, content) of evidence as it is kept; it holds no token."""
    match told:
        case PayAnswered(outcome=outcome):
            return "pay", _outcome(outcome)
        case InquiryAnswered(outcome=outcome):
            return "inquiry", _outcome(outcome)
        case CancelAnswered(outcome=outcome):
            return "cancel", _outcome(outcome)
        case Notified(outcome=outcome):
            return "notification", _outcome(outcome)
        case InFile():
            return "file", {
                "outcome": "in_file",
                "payment_id": told.payment_id,
                "paid_at": told.paid_at.isoformat(),
                "amount": str(told.amount),
                "day": told.day.isoformat(),
            }
        case NotInFile():
            return "file", {"outcome": "not_in_file", "day": told.day.isoformat()}
        case _:
            assert_never(told)


def _outcome(
    outcome: Succeeded | Declined | Unknown | NotFound | Done,
) -> dict[str, str | None]:
    match outcome:
        case Succeeded():
            quote = outcome.quote
            return {
                "outcome": "succeeded",
                "payment_id": outcome.payment_id,
                "paid_at": outcome.paid_at.isoformat(),
                "amount": str(outcome.amount),
                "settlement": None if outcome.settlement is None else str(outcome.settlement),
                "quote_id": None if quote is None else quote.quote_id,
                "quote_price": None if quote is None else str(quote.price),
            }
        case Declined(code):
            return {"outcome": "declined", "code": code}
        case Unknown(reason):
            return {"outcome": "unknown", "code": reason}
        case NotFound():
            return {"outcome": "not_found"}
        case Done(reference, at):
            when = None if at is None else at.isoformat()
            return {"outcome": "done", "reference": reference, "at": when}
        case _:
            assert_never(outcome)


def _cancelled_at(told: Evidence, at: datetime) -> datetime:
    """The wallet's time of a cancel where it says one."""
    if isinstance(told, CancelAnswered) and isinstance(told.outcome, Done) and told.outcome.at:
        return told.outcome.at
    return at
