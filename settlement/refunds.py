"""Gives back what was asked to be given back, and surplus money: book, then ask the wallet.

A taken ride is given back only where a person of the operator asked for it; a ride that was not
taken, because a tap of it was refused after all, where the clearing did. The debt is reversed
at the quote it was made by; what the wallet collected goes back under one refundRequestId, which
is sent again with the same bytes until the wallet says yes or no.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from settlement.charge_wallets import ChargeTerms
from settlement.weigh import settle_denials
from transitpay.charging.charge import withdraw
from transitpay.charging.lifecycle import ChargeState
from transitpay.charging.partner_messages import RefundRequest as WalletRefund
from transitpay.charging.partner_messages import build_refund
from transitpay.charging.refund import RefundRefusal, RefundState, decide_refund, propose_refund
from transitpay.charging.wallet_port import CommandOutcome, Done, WalletPort
from transitpay.clock import Clock
from transitpay.ledger.accounts import FARE_HELD, operator_payable
from transitpay.ledger.bookings import FareSubject, corrected, move, refunded
from transitpay.ledger.journal import Entry, EntryKind
from transitpay.ledger.open_items import fare_reversal_item, refund_item
from transitpay.postgres import charges, journal, refunds
from transitpay.postgres.charges import StoredCharge
from transitpay.postgres.inboxes import RefundRequest
from transitpay.postgres.pool import Connection, Pool, in_transaction, transaction
from transitpay.postgres.refunds import RefundedJourney, StoredRefund

_BATCH = 20


class RefundDesk:
    """Turns requests into refunds; one that waits for an attempt's end stays."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def once(self) -> int:
        """Look at the open requests; returns how many were ended.

        Raises: TemporarilyUnavailable when the database is away.
        """
        async with transaction(self._pool) as conn:
            requests = await refunds.new_requests(conn, _BATCH)
        at = self._clock.now()
        return sum([await self._take(request, at) for request in requests])

    async def _take(self, request: RefundRequest, at: datetime) -> int:
        async def work(conn: Connection) -> int:
            effect = await take_request(conn, request, at)
            if effect is None:
                return 0
            return int(await refunds.request_done(conn, request.id, effect, at))

        return await in_transaction(self._pool, work)


async def take_request(conn: Connection, request: RefundRequest, at: datetime) -> str | None:
    """What is made of a request, or None while an attempt may still hold money.

    ``refund``: the fare is reversed and the wallet is asked. ``withdrawn``: nothing was collected,
    the debt is gone. Otherwise nothing was done, and the word says why.
    """
    journey = await refunds.journey(conn, request.journey_id)
    if journey is None:
        return "unknown_journey"
    charge_id = await charges.id_of_journey(conn, journey.id)
    if charge_id is None:
        return "nothing_charged"
    was = (await charges.lock(conn, [charge_id]))[charge_id]
    if was.charge.state is ChargeState.CAPTURED:
        return await _refund(conn, request, journey, was, at)
    if was.charge.state is ChargeState.IN_FLIGHT:
        return None
    now = withdraw(was.charge)
    if now is None or now == was.charge:
        return "nothing_owed"
    await charges.save(conn, [(was, now)], {})
    await _reverse(conn, request, journey, was, at)
    await settle_denials(conn, [(was, now)], at)
    return "withdrawn"


async def _refund(
    conn: Connection,
    request: RefundRequest,
    journey: RefundedJourney,
    was: StoredCharge,
    at: datetime,
) -> str:
    earlier = await refunds.of_charges(conn, [was.charge.id])
    refund_id = f"{was.charge.id}-r{len(earlier) + 1}"
    refund = propose_refund(was.charge, earlier, was.charge.amount, refund_id, at)
    if isinstance(refund, RefundRefusal):
        return str(refund)
    why = "no ride" if request.requested_by is None else "operator"
    body = build_refund(WalletRefund(refund.id, refund.attempt_id, refund.amount, why))
    await refunds.add(conn, refund, request.reason, body)
    # After a refusal the fare is reversed already: only the money is asked for again.
    same = [it for it in earlier if it.attempt_id == refund.attempt_id]
    if not any(it.state is RefundState.REFUSED for it in same):
        await _reverse(conn, request, journey, was, at)
    return "refund"


async def _reverse(
    conn: Connection,
    request: RefundRequest,
    journey: RefundedJourney,
    was: StoredCharge,
    at: datetime,
) -> None:
    """Take the fare's booking back, each leg at the original quote."""
    subject = FareSubject(journey.id, journey.operator, journey.wallet, was.charge.id)
    entry: Entry | None
    if was.charge.state is ChargeState.HELD:
        postings = move(operator_payable(journey.operator), FARE_HELD, journey.fare)
        entry = subject.entry(EntryKind.CORRECTED, at, postings, request.id)
    else:
        entry = corrected(subject, journey.quote or journey.fare, None, at, request.id)
    assert entry is not None, "a charged fare is more than nothing"
    await journal.add_entries(conn, [entry])
    item = fare_reversal_item(
        request.id, journey.id, journey.operator, journey.service_day, journey.fare
    )
    await journal.add_open_items(conn, [item])


@dataclass(slots=True)
class RefundWorker:
    """Asks one wallet to give money back."""

    wallet: str
    port: WalletPort
    pool: Pool
    clock: Clock
    terms: ChargeTerms

    async def once(self) -> int:
        """One batch; returns how many refunds were claimed.

        Raises: TemporarilyUnavailable when the database is away.
        """
        at, lease_s = self.clock.now(), self.terms.lease_s

        async def claim(conn: Connection) -> list[StoredRefund]:
            return await refunds.claim(conn, self.wallet, at, self.terms.batch, lease_s)

        claimed = await in_transaction(self.pool, claim)
        answers = await asyncio.gather(*(self.port.refund(it.body) for it in claimed))
        for it, outcome in zip(claimed, answers, strict=True):
            await self._record(it.refund.id, outcome)
        return len(claimed)

    async def _record(self, refund_id: str, outcome: CommandOutcome) -> None:
        at = self.clock.now()

        async def work(conn: Connection) -> None:
            for stored in await refunds.lock(conn, [refund_id]):
                decision = decide_refund(stored.refund, outcome, at, self.terms.policy)
                refund = decision.refund
                if refund == stored.refund:
                    continue
                told = outcome.at if isinstance(outcome, Done) and outcome.at else at
                done_at = told if refund.state is RefundState.REFUNDED else None
                await refunds.save(conn, refund, done_at)
                if decision.book:
                    entry = refunded(self.wallet, refund.amount, at, refund.id, refund.charge_id)
                    await journal.add_entries(conn, [entry])
                    item = refund_item(self.wallet, refund.id, told, refund.amount)
                    await journal.add_open_items(conn, [item])

        await in_transaction(self.pool, work)
