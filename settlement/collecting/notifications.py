"""Weighs wallets' notifications, which the gateway verified and stored, as evidence on charges.

The same notification again changes nothing; one on an id that is not ours, or with another
amount, is kept as a break and never moves a charge.
"""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from settlement.collecting.weigh import weigh
from settlement.metrics import SettlementMetrics
from transitpay.charging.charge import ChargePolicy
from transitpay.charging.evidence import Notified
from transitpay.charging.partner_messages import parse_notification
from transitpay.clock import Clock
from transitpay.errors import MalformedInput, TransitPayError
from transitpay.postgres.money import evidence
from transitpay.postgres.money.evidence import NotificationRow
from transitpay.postgres.pool import Connection, Pool, in_transaction
from transitpay.runtime.observe import EventLog

_log = EventLog("settlement.notifications")

UNREADABLE = "unreadable"
FAILED = "failed"
#: What a single notification can cause; anything else is the database's or ours, and is retried.
_OWN_FAULT = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    AssertionError,
    ArithmeticError,
    ValueError,
)
#: Each n-th pass looks at all ids, the others only near the newest that is done.
_FULL_EVERY = 1000
_LOOK_BACK = 10_000
_ALL = 2**62


class NotificationWorker:
    """Weighs notifications in the order of their arrival; one process at a time."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        policy: ChargePolicy,
        metrics: SettlementMetrics | None = None,
        *,
        batch: int = 100,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._policy = policy
        self._metrics = metrics
        self._batch = batch
        self._passes = 0

    async def once(self) -> int:
        """One batch in one transaction; where that fails, each alone. Returns how many.

        Raises: TemporarilyUnavailable when the database is away.
        """
        look_back = _ALL if self._passes % _FULL_EVERY == 0 else _LOOK_BACK
        self._passes += 1
        try:
            return await self._weigh_new(look_back, self._batch, give_up=False)
        except (asyncpg.PostgresError, TransitPayError, *_OWN_FAULT) as problem:
            if isinstance(problem, TransitPayError) and problem.family == "temporarily_unavailable":
                raise
            _log.error("notifications_failed", exc=problem)
        return await self._weigh_new(_ALL, 1, give_up=True)

    async def _weigh_new(self, look_back: int, limit: int, *, give_up: bool) -> int:
        at = self._clock.now()

        async def work(conn: Connection) -> int:
            if not await evidence.lock_notifications(conn):
                return 0
            rows = await evidence.new_notifications(conn, look_back=look_back, limit=limit)
            if not rows:
                return 0
            effects = await self._weigh(conn, rows, give_up=give_up)
            await evidence.notifications_done(conn, effects, at)
            return len(rows)

        return await in_transaction(self._pool, work)

    async def _weigh(
        self, conn: Connection, rows: Sequence[NotificationRow], *, give_up: bool
    ) -> list[tuple[int, str]]:
        effects: list[tuple[int, str]] = []
        by_wallet: dict[str, list[tuple[int, Notified]]] = {}
        for row in rows:
            try:
                notice = parse_notification(row.body)
            except MalformedInput as problem:
                _log.warning("notification_unreadable", id=row.id, wallet=row.wallet,
                             field=problem.field, code=problem.code)  # fmt: skip
                effects.append((row.id, UNREADABLE))
                continue
            told = Notified(notice.payment_request_id, notice.outcome)
            by_wallet.setdefault(row.wallet, []).append((row.id, told))
        at = self._clock.now()
        for wallet, them in sorted(by_wallet.items()):
            try:
                async with conn.transaction():
                    told_all = [told for _, told in them]
                    weighed = await weigh(conn, told_all, at, self._policy, wallet=wallet)
            except _OWN_FAULT as problem:
                if not give_up:
                    raise
                # One that cannot be weighed spoils no other; it stays for people, with its bytes.
                _log.error("notification_failed", id=them[0][0], wallet=wallet, exc=problem)
                effects += [(i, FAILED) for i, _ in them]
                continue
            effects += [(i, it.effect) for (i, _), it in zip(them, weighed, strict=True)]
            if self._metrics:
                for it in weighed:
                    self._metrics.answers.inc(wallet=wallet, effect=it.effect)
        return effects
