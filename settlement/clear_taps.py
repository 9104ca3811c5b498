"""Clears taps into journeys, charges and bookings, shard by shard of riders.

One READ COMMITTED transaction a shard: take its lock, read riders who are due, decide, write
everything set-based, delete the inbox rows that were read. Twice is once: a tap in a journey is
not read again, and the ids of what is written come from the taps. A journey of a tap that was
refused since is given back (``settlement.refunds``), asked for in the same transaction.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from settlement import wallet_money
from settlement.clearing_batch import (
    Aside,
    Rider,
    assemble_riders,
    clear_journeys,
    earliest,
    price_journeys,
)
from settlement.metrics import SettlementMetrics
from transitpay.charging.allotment import Part
from transitpay.charging.charge import new_charge
from transitpay.charging.correcting import Corrected, NewDebt
from transitpay.clearing import Cleared
from transitpay.clock import LOCAL_ZONE, Clock
from transitpay.errors import TransitPayError
from transitpay.fares.rules import rule_book
from transitpay.fares.tariff import TariffBook
from transitpay.fx.agreement import Agreement
from transitpay.journeys.journey import Journey
from transitpay.journeys.rules import RuleBook
from transitpay.ledger.open_items import fare_item
from transitpay.postgres import clearing_reads, clearing_rows, journal, rates
from transitpay.postgres.clearing_reads import InboxRow
from transitpay.postgres.given_back import give_back
from transitpay.postgres.pool import Connection, Pool, in_transaction, transaction
from transitpay.runtime.observe import EventLog
from transitpay.taps import Tap

_log = EventLog("settlement.clearing")

#: How far back a rider's taps are read: longer than the latest upload that is taken (35 days).
LOOK_BACK = timedelta(days=40)
#: A rider whose clearing fails by our own mistake is tried again after this long.
POSTPONED = timedelta(minutes=10)
_CLOSED_BEFORE = timedelta(days=1)

#: Gives the book of the tariffs that a transaction sees.
NewestBook = Callable[[Connection], Awaitable[TariffBook]]


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for all shards of one pass, read before any of them."""

    complete_through: Mapping[str, datetime]
    agreements: tuple[Agreement, ...]


@dataclass(frozen=True, slots=True)
class ShardDone:
    """What one transaction did."""

    read: int = 0
    taps: int = 0
    cleared: tuple[tuple[Journey, Cleared], ...] = ()
    aside: tuple[Aside, ...] = ()
    waiting: int = 0
    oldest_due_at: datetime | None = None


class Clearer:
    """Clears with a book, or the newest one. Any number may run at once, in any process."""

    def __init__(
        self,
        pool: Pool,
        book: TariffBook | NewestBook,
        clock: Clock,
        metrics: SettlementMetrics | None = None,
        *,
        riders: int = 400,
        at_once: int = 4,
    ) -> None:
        self._pool = pool
        self._book = book
        self._priced_by: tuple[TariffBook, RuleBook] | None = None
        self._clock = clock
        self._metrics = metrics
        self._riders = riders
        self._slots = asyncio.Semaphore(at_once)
        # Real seconds that a rider who waits for a reader or a rate is left alone at least.
        self._retry = timedelta(seconds=1) * clock.speed

    async def once(self) -> int:
        """One pass over all shards that are due; returns how many inbox rows were read.

        Raises: TemporarilyUnavailable when the database is away.
        """
        at = self._clock.now()
        async with transaction(self._pool) as conn:
            shards = await clearing_reads.due_shards(conn, at)
            if not shards:
                return 0
            # Before any tap is read, so that no tap on its way is taken for missing.
            terms = Terms(
                await clearing_reads.complete_through(conn), await clearing_reads.agreements(conn)
            )
        tasks = [self._shard(shard, at, terms) for shard in shards]
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        done = [it for it in ended if isinstance(it, ShardDone)]
        self._count(done, at)
        for it in ended:
            if isinstance(it, BaseException):
                raise it
        return sum(it.read for it in done)

    async def _shard(self, shard: int, at: datetime, terms: Terms) -> ShardDone:
        async with self._slots:
            try:
                return await self._clear(shard, at, terms, None)
            except (asyncpg.PostgresError, AssertionError, ValueError, TransitPayError) as problem:
                if _is_away(problem):
                    raise
                _log.error("shard_failed", shard=shard, exc=problem)
            return await self._one_by_one(shard, at, terms)

    async def _one_by_one(self, shard: int, at: datetime, terms: Terms) -> ShardDone:
        """Each rider alone; whoever fails again is postponed and spoils no other."""
        async with transaction(self._pool) as conn:
            rows = await clearing_reads.due_rows(conn, shard, at, self._riders)
        read = 0
        for row in {row.rider: row for row in rows}.values():
            try:
                read += (await self._clear(shard, at, terms, row.rider)).read
            except (asyncpg.PostgresError, AssertionError, ValueError, TransitPayError) as problem:
                if _is_away(problem):
                    raise
                _log.error("rider_postponed", issuer=row.rider[0], shard=shard, exc=problem)
                await self._postpone([r for r in rows if r.rider == row.rider], at)
        return ShardDone(read=read)

    async def _postpone(self, rows: Sequence[InboxRow], at: datetime) -> None:
        again = [(rows[0].rider, at + POSTPONED)]
        async with transaction(self._pool) as conn:
            await clearing_rows.move_inbox(conn, [row.id for row in rows], again)

    async def _clear(self, shard: int, at: datetime, terms: Terms, only: Rider | None) -> ShardDone:
        async def work(conn: Connection) -> ShardDone:
            if not await clearing_reads.lock_shard(conn, shard):
                return ShardDone()
            rows = await clearing_reads.due_rows(conn, shard, at, self._riders)
            rows = [row for row in rows if only is None or row.rider == only]
            if not rows:
                return ShardDone()
            return await self._clear_rows(conn, rows, at, terms)

        return await in_transaction(self._pool, work)

    async def _clear_rows(
        self, conn: Connection, rows: Sequence[InboxRow], at: datetime, terms: Terms
    ) -> ShardDone:
        since = at - LOOK_BACK
        since_day = since.astimezone(LOCAL_ZONE).date()
        riders = sorted({row.rider for row in rows})
        # After the rows are read: whoever is read again because of a tariff is priced by it.
        book, rules = await self._current(conn)
        given_back = await give_back(conn, riders, since, since_day, at)
        if given_back:
            _log.info("journeys_given_back", journeys=given_back)
        taps = await clearing_reads.open_taps(conn, riders, since, since_day)
        closed = await clearing_reads.closed_journeys(conn, _gated_since(taps))
        found = assemble_riders(taps, closed, rules, terms.complete_through, at, self._retry)
        priced, unpriced = price_journeys(found.journeys, book, terms.agreements)
        known = await rates.rates_at(conn, [it.wanted for it in priced if it.wanted is not None])
        cleared, awaiting = clear_journeys(priced, known, at, self._retry)
        aside = (*found.aside, *unpriced)
        again = earliest((*found.rechecks, *awaiting))
        await _save(conn, cleared, aside, at)
        await clearing_rows.move_inbox(
            conn, [row.id for row in rows], [(it.rider, it.due_at) for it in again]
        )
        oldest = min(row.due_at for row in rows)
        return ShardDone(len(rows), len(taps), tuple(cleared), aside, len(again), oldest)

    async def _current(self, conn: Connection) -> tuple[TariffBook, RuleBook]:
        book = self._book if isinstance(self._book, TariffBook) else await self._book(conn)
        if self._priced_by is None or self._priced_by[0] is not book:
            self._priced_by = (book, rule_book(book))
        return self._priced_by

    def _count(self, done: Sequence[ShardDone], at: datetime) -> None:
        numbers = self._metrics
        if numbers is None:
            return
        numbers.taps.inc(sum(it.taps for it in done))
        journeys = Counter((j.network, str(j.state)) for it in done for j, _ in it.cleared)
        for (network, state), count in journeys.items():
            numbers.journeys.inc(count, network=network, state=state)
        made = [c.charge for it in done for _, c in it.cleared if c.charge is not None]
        for (wallet, held), count in Counter((c.wallet, c.held) for c in made).items():
            numbers.charges.inc(count, wallet=wallet, held=str(held).lower())
        for reason, count in Counter(x.reason for it in done for x in it.aside).items():
            numbers.aside.inc(count, reason=reason)
        oldest = min((it.oldest_due_at for it in done if it.oldest_due_at), default=at)
        numbers.clearing_lag.set((at - oldest).total_seconds())


async def _save(
    conn: Connection,
    cleared: Sequence[tuple[Journey, Cleared]],
    aside: Sequence[Aside],
    at: datetime,
) -> None:
    """Everything that a batch became, each fact with its entry and its item."""
    await clearing_rows.add_journeys(conn, cleared, at)
    await wallet_money.save(conn, [_money(j, c, at) for j, c in cleared if c.charge], {}, at)
    booked = [(j, c) for j, c in cleared if c.entry is not None]
    await journal.add_entries(conn, [c.entry for _, c in booked if c.entry is not None])
    await journal.add_open_items(
        conn,
        [fare_item(c.journey_id, j.operator, j.service_day, c.fare.amount) for j, c in booked],
    )
    await clearing_rows.set_aside(conn, [(it.key, it.reason) for it in aside], at)


def _money(journey: Journey, cleared: Cleared, at: datetime) -> wallet_money.RiderMoney:
    made = cleared.charge
    assert made is not None
    charge = new_charge(made.id, made.wallet, made.amount, made.held, at)
    key, rider = cleared.journey_id, journey.rider
    part = Part(charge.id, key, charge.amount.minor)
    corrected = Corrected(debts=(NewDebt(key, charge),), parts=(part,))
    return wallet_money.RiderMoney(rider.issuer, rider.rider_id, corrected)


def _gated_since(taps: Sequence[Tap]) -> list[tuple[Rider, datetime]]:
    """From when on the closed journeys of each rider matter for these taps."""
    first: dict[Rider, datetime] = {}
    for tap in taps:
        rider = (tap.rider.issuer, tap.rider.rider_id)
        first[rider] = min(first.get(rider, tap.at), tap.at)
    return [(rider, first[rider] - _CLOSED_BEFORE) for rider in sorted(first)]


def _is_away(problem: BaseException) -> bool:
    return isinstance(problem, TransitPayError) and problem.family == "temporarily_unavailable"
