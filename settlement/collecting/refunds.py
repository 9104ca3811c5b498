"""Hears operators who give fares back, and asks wallets to give money back.

A taken ride is given back only where a person of the operator asked for it. The request is a
statement on the journey, like any other: the desk has the rider read again, and the clearing
corrects the fare to nothing. Whatever is to go back, for whatever reason, goes back under one
refundRequestId, which is sent again with the same bytes until the wallet says yes or no. A debt
that awaited it is asked for then, or paid by what the wallet keeps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from settlement.clearing import wallet_money
from settlement.clearing.wallet_money import RiderMoney
from settlement.collecting.charge_wallets import ChargeTerms
from settlement.metrics import SettlementMetrics
from transitpay.charging.charge import ChargePolicy
from transitpay.charging.correcting import Corrected, correct, left_in, refund_ended
from transitpay.charging.lifecycle import AttemptState, ChargeState
from transitpay.charging.refund import IN_DOUBT, Refund, RefundState, decide_refund
from transitpay.charging.wallet_port import CommandOutcome, Done, WalletPort
from transitpay.clock import Clock
from transitpay.ledger.bookings import given_twice, refunded
from transitpay.ledger.open_items import refund_item
from transitpay.money import Money
from transitpay.postgres.gates.taps import note_riders
from transitpay.postgres.money import charge_parts, charges, journal, refunds
from transitpay.postgres.money.charge_parts import TiedCharge
from transitpay.postgres.money.doubtful_refunds import oldest_doubt
from transitpay.postgres.money.inboxes import RefundRequest
from transitpay.postgres.money.refunds import StoredRefund
from transitpay.postgres.pool import Connection, Pool, in_transaction, transaction

_BATCH = 20


class RefundDesk:
    """Turns requests into riders who are read again."""

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
            return int(await refunds.request_done(conn, request.id, effect, at))

        return await in_transaction(self._pool, work)


async def take_request(conn: Connection, request: RefundRequest, at: datetime) -> str:
    """What is made of a request.

    ``given_back``: the rider is read again, and the fare becomes nothing. ``refund``: it was given
    back before, and the wallet is asked again for what it refused. ``nothing_left``: it is nothing
    already, or no such journey stands any more. ``unknown_journey``: there never was one.
    """
    found = await refunds.fare_of(conn, request.journey_id)
    if found is None:
        return "unknown_journey"
    if found.asked_before:
        again = await _ask_again(conn, found.newest, found.rider, at)
        return "refund" if again else "nothing_left"
    if found.is_given_back:
        return "given_back"  # the clearing has read the request already
    if not found.standing_minor:
        return "nothing_left"
    await note_riders(conn, [found.rider], at, found.first_at)
    return "given_back"


async def _ask_again(
    conn: Connection, journey_id: str, rider: tuple[str, str], at: datetime
) -> bool:
    """Whether money that a wallet refused to give back is asked for once more."""
    refused = await charge_parts.lock_refused(conn, journey_id)
    idle = [
        it.tied
        for it in refused.values()
        if it.tied.charge.state is ChargeState.CAPTURED
        and left_in(it.tied) > sum(part.minor for part in it.tied.parts)
    ]
    done = correct(rider[0], idle, frozenset(), (), (), at)
    assert isinstance(done, Corrected), "what is captured is not in flight"
    await wallet_money.save(conn, [RiderMoney(*rider, done)], refused, at)
    return bool(done.refunds)


@dataclass(slots=True)
class RefundWorker:
    """Asks one wallet to give money back."""

    wallet: str
    port: WalletPort
    pool: Pool
    clock: Clock
    terms: ChargeTerms
    metrics: SettlementMetrics | None = None

    async def once(self) -> int:
        """One batch; returns how many refunds were claimed.

        Raises: TemporarilyUnavailable when the database is away.
        """
        at, lease_s = self.clock.now(), self.terms.lease_s

        async def claim(conn: Connection) -> tuple[list[StoredRefund], datetime | None]:
            due = await refunds.claim(conn, self.wallet, at, self.terms.batch, lease_s)
            return due, await oldest_doubt(conn, self.wallet)

        claimed, since = await in_transaction(self.pool, claim)
        if self.metrics is not None:
            age_s = 0.0 if since is None else (at - since).total_seconds()
            self.metrics.refund_doubt.set(age_s, wallet=self.wallet)
        answers = await asyncio.gather(*(self.port.refund(it.body) for it in claimed))
        for it, outcome in zip(claimed, answers, strict=True):
            await self._record(it.refund, outcome)
        return len(claimed)

    async def _record(self, refund: Refund, outcome: CommandOutcome) -> None:
        at = self.clock.now()

        async def work(conn: Connection) -> None:
            await record(conn, refund, outcome, at, self.terms.policy)

        await in_transaction(self.pool, work)


async def record(
    conn: Connection, asked: Refund, outcome: CommandOutcome, at: datetime, policy: ChargePolicy
) -> None:
    """Save what a wallet said of a refund, whoever brings it; once it has ended, this is once."""
    tied = await charge_parts.lock_of_refund(conn, asked.id, asked.charge_id)
    [stored] = await refunds.lock(conn, [asked.id])
    decision = decide_refund(stored.refund, outcome, at, policy)
    refund = decision.refund
    if refund == stored.refund:
        return
    told = outcome.at if isinstance(outcome, Done) and outcome.at else at
    await refunds.save(conn, refund, told if refund.state is RefundState.REFUNDED else None)
    if decision.book:
        entry = refunded(stored.wallet, refund.amount, at, refund.id, refund.charge_id)
        payment = tied[refund.charge_id].tied.charge.attempt(refund.attempt_id)
        assert payment is not None, "a refund is of an attempt of its charge"
        entries = [entry]
        if payment.state is AttemptState.CANCELLED:
            twice = given_twice(stored.wallet, refund.amount, at, refund.id, refund.charge_id)
            entries.append(twice)
        await journal.add_entries(conn, entries)
        item = refund_item(stored.wallet, refund.id, told, refund.amount)
        await journal.add_open_items(conn, [item])
    if refund.state not in IN_DOUBT:
        await _wake(conn, refund, tied, at)


async def record_told(
    conn: Connection,
    refund_id: str,
    amount: Money,
    done: Done,
    at: datetime,
    policy: ChargePolicy,
) -> None:
    """Save that a wallet's file holds this refund of ours; another amount says nothing of it."""
    known = await refunds.find(conn, refund_id)
    if known is not None and known.amount == amount:
        await record(conn, known, done, at, policy)


async def _wake(
    conn: Connection, refund: Refund, tied: Mapping[str, TiedCharge], at: datetime
) -> None:
    """The debt that awaited this refund, where there is one, falls due or is paid."""
    payment = tied[refund.charge_id].tied
    known = tuple(refund if it.id == refund.id else it for it in payment.refunds)
    for it in tied.values():
        if it.tied.charge.awaits != refund.id:
            continue
        found = refund_ended(refund, replace(payment, refunds=known), it.tied, at)
        if isinstance(found, Corrected):
            rider = RiderMoney(it.stored.issuer, it.stored.rider_id, found)
            await wallet_money.save(conn, [rider], tied, at)
        else:
            await charges.save(conn, [(it.stored, found)], {})
