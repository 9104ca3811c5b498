"""Collects what riders owe: claim charges, ask the wallet, weigh its answers.

Three steps, and no transaction is open while the wallet is asked. An attempt with its bytes is
committed before it is first sent. Who dies in between loses the lease, and the next one asks the
wallet about the same attempt: no charge is ever sent under a second id while the first may hold.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import asyncpg

from settlement.collecting.circuit import Circuit
from settlement.collecting.weigh import Weighed, weigh
from settlement.metrics import SettlementMetrics
from transitpay.charging.charge import Attempt, Charge, ChargePolicy, begin
from transitpay.charging.evidence import CancelAnswered, Evidence, InquiryAnswered, PayAnswered
from transitpay.charging.lifecycle import Action
from transitpay.charging.partner_messages import (
    CancelRequest,
    InquiryRequest,
    PayRequest,
    build_cancel,
    build_inquiry,
    build_pay,
)
from transitpay.charging.wallet_port import Unknown, WalletPort
from transitpay.clock import Clock
from transitpay.errors import TransitPayError
from transitpay.postgres.money import charges
from transitpay.postgres.money.charges import StoredCharge
from transitpay.postgres.pool import Connection, Pool, in_transaction
from transitpay.runtime.config import Settings
from transitpay.runtime.observe import EventLog

_log = EventLog("settlement.charges")
#: What is sent where a rider has no token any more: the wallet refuses it.
NO_TOKEN = "none"


@dataclass(frozen=True, slots=True)
class ChargeTerms:
    """How a wallet is charged. ``lease_s`` is real time: longer than the longest answer."""

    policy: ChargePolicy
    notify_url: str
    batch: int = 8
    lease_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Claimed:
    """A charge as it was begun: its action is to be sent with these bytes of its attempt."""

    charge: Charge
    body: bytes


class ChargeWorker:
    """Charges one wallet. Any number of workers and processes may run on one wallet."""

    def __init__(
        self,
        wallet: str,
        port: WalletPort,
        pool: Pool,
        clock: Clock,
        terms: ChargeTerms,
        circuit: Circuit | None = None,
        metrics: SettlementMetrics | None = None,
    ) -> None:
        self._wallet = wallet
        self._port = port
        self._pool = pool
        self._clock = clock
        self._terms = terms
        self._circuit = circuit or Circuit()
        self._metrics = metrics

    async def once(self) -> int:
        """One batch; returns how many charges were claimed.

        Raises: TemporarilyUnavailable when the database is away.
        """
        claimed = await self.claim()
        told = await self.ask(claimed)
        await self.record(told)
        return len(claimed)

    async def claim(self) -> list[Claimed]:
        """Claim due charges and save what is to be sent, before it is."""
        terms, at = self._terms, self._clock.now()
        fresh = self._circuit.allowed(terms.batch, time.monotonic())

        async def work(conn: Connection) -> list[Claimed]:
            found = await charges.claim(
                conn, self._wallet, at, urgent=terms.batch, fresh=fresh, lease_s=terms.lease_s
            )
            begun: list[tuple[StoredCharge, Charge]] = []
            bodies: dict[str, bytes] = {}
            for it in found:
                try:
                    now = begin(it.charge, at, terms.policy)
                    for attempt in now.attempts[len(it.charge.attempts) :]:
                        bodies[attempt.id] = self._pay_body(it, attempt)
                except AssertionError as problem:
                    # It keeps its lease and spoils no other.
                    _log.error("charge_not_begun", charge_id=it.charge.id, exc=problem)
                else:
                    begun.append((it, now))
            await charges.save(conn, begun, bodies, keep_lease=True)
            return [_claimed(it, now, bodies) for it, now in begun]

        return await in_transaction(self._pool, work)

    async def ask(self, claimed: Sequence[Claimed]) -> list[Evidence]:
        """Ask the wallet about all of them at once; what it says, in the same order."""
        told = await asyncio.gather(*(self._ask_one(it) for it in claimed))
        now_s = time.monotonic()
        for it in told:
            unknown = isinstance(it.outcome, Unknown)
            self._circuit.note(unknown=unknown, now_s=now_s)
            if self._metrics and unknown:
                self._metrics.unknowns.inc(wallet=self._wallet)
        return list(told)

    async def record(self, told: Sequence[Evidence]) -> None:
        """Save all in one transaction; where that fails, each alone, so one spoils no other."""
        if not told:
            return
        try:
            await self._record(told)
        except (asyncpg.PostgresError, AssertionError, TransitPayError) as problem:
            if _is_away(problem):
                raise
            for it in told:
                await self._record_alone(it)

    async def _record_alone(self, told: Evidence) -> None:
        try:
            await self._record([told])
        except (asyncpg.PostgresError, AssertionError, TransitPayError) as problem:
            if _is_away(problem):
                raise
            # The lease runs out and the wallet is asked again; people see the same line again.
            _log.error("evidence_not_saved", request_id=told.attempt_id, exc=problem)

    async def _record(self, told: Sequence[Evidence]) -> list[Weighed]:
        at = self._clock.now()

        async def work(conn: Connection) -> list[Weighed]:
            return await weigh(conn, told, at, self._terms.policy)

        weighed = await in_transaction(self._pool, work)
        if self._metrics:
            for it in weighed:
                self._metrics.answers.inc(wallet=self._wallet, effect=it.effect)
        return weighed

    async def _ask_one(self, it: Claimed) -> PayAnswered | InquiryAnswered | CancelAnswered:
        attempt = it.charge.open_attempt
        assert attempt is not None, "what is begun has an open attempt"
        match it.charge.action:
            case Action.PAY:
                return PayAnswered(attempt.id, await self._port.pay(it.body))
            case Action.INQUIRE:
                asked = build_inquiry(InquiryRequest(payment_request_id=attempt.id))
                return InquiryAnswered(attempt.id, await self._port.inquire(asked))
            case Action.CANCEL:
                asked = build_cancel(CancelRequest(payment_request_id=attempt.id))
                return CancelAnswered(attempt.id, await self._port.cancel(asked))
            case _:
                raise AssertionError(f"{it.charge.action} is not sent by this worker")

    def _pay_body(self, it: StoredCharge, attempt: Attempt) -> bytes:
        return build_pay(
            PayRequest(
                payment_request_id=attempt.id,
                amount=attempt.amount,
                method_type=self._wallet.upper().replace("-", "_"),
                access_token=it.access_token or NO_TOKEN,
                order_id=it.charge.id,
                order_description="Transit fare",
                expiry_at=attempt.expires_at(self._terms.policy),
                notify_url=self._terms.notify_url,
                settlement_currency=attempt.amount.currency,
            )
        )


def _claimed(it: StoredCharge, now: Charge, fresh: dict[str, bytes]) -> Claimed:
    attempt = now.open_attempt
    assert attempt is not None, "a claimed charge was begun"
    return Claimed(now, fresh.get(attempt.id) or it.bodies[attempt.id])


def _is_away(problem: BaseException) -> bool:
    return isinstance(problem, TransitPayError) and problem.family == "temporarily_unavailable"


def policy_of(settings: Settings, speed: int) -> ChargePolicy:
    """The time limits as the settings and the clock give them: real seconds x speed."""
    every = timedelta(seconds=settings.inquire_every_s)
    whole = timedelta(seconds=settings.inquire_for_s)
    plain = ChargePolicy()
    return ChargePolicy(
        inquire_every=every,
        inquire_for=whole,
        cancel_every=every,
        traffic_backoff=min(plain.traffic_backoff, whole),
        attempt_after=min(plain.attempt_after, whole),
        refund_wait=timedelta(hours=settings.refund_wait_h),
    ).scaled(speed)
