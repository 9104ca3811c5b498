"""Clears taps into journeys, charges and bookings, and corrects them, shard by shard of riders.

One READ COMMITTED transaction a shard: take its lock, read riders who are due, decide, write
everything set-based, delete the inbox rows that were read. Twice is once: what is booked as it
ought to be is left alone, and the ids of what is written come from the taps.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import asyncpg

from settlement.clearing import corrections
from settlement.clearing.clearing_batch import (
    Aside,
    Booking,
    Facts,
    Horizon,
    Known,
    Reading,
    Rider,
    Settings,
    book_reading,
    earliest,
    read_rider,
    settings_of,
    wanted_rates,
)
from settlement.clearing.corrections import Saved
from settlement.clearing.suspending import suspend
from settlement.metrics import SettlementMetrics
from transitpay.charging.charge import ChargePolicy
from transitpay.charging.lifecycle import ChargeState
from transitpay.clock import LOCAL_ZONE, Clock
from transitpay.errors import TransitPayError
from transitpay.fares.rules import rule_book
from transitpay.fares.tariff import TariffBook
from transitpay.fx.agreement import Agreement
from transitpay.journeys.rules import RuleBook
from transitpay.journeys.station_modes import Mode
from transitpay.postgres.gates.station_modes import modes_since
from transitpay.postgres.journeys import clearing_reads, clearing_rows
from transitpay.postgres.journeys.booked_journeys import BookedJourneys, Wanted, booked_journeys
from transitpay.postgres.journeys.clearing_reads import InboxRow, ReadTaps
from transitpay.postgres.journeys.statements import statements_of
from transitpay.postgres.money import rates
from transitpay.postgres.pool import Connection, Pool, in_transaction, transaction
from transitpay.runtime.observe import EventLog
from transitpay.taps import TapKey

_log = EventLog("settlement.clearing")
NOTHING = Saved()

#: Gives the book of the tariffs that a transaction sees.
NewestBook = Callable[[Connection], Awaitable[TariffBook]]


#: How far back a rider is read where nobody said since when: longer than the latest upload that
#: is taken (35 days).
LOOK_BACK = timedelta(days=40)
#: A rider whose clearing fails by our own mistake is tried again after this long.
POSTPONED = timedelta(minutes=10)
#: What one rider can fail by, in the database or in a rule; everything else stops the worker.
_OF_ONE_RIDER = (
    asyncpg.PostgresError, AssertionError, ValueError, ArithmeticError, TransitPayError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tariffs:
    """A tariff book with what follows from it for reading riders."""

    book: TariffBook
    rules: RuleBook
    settings: Settings


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for all shards of one pass, read before any of them."""

    complete_through: Mapping[str, datetime | None]
    agreements: tuple[Agreement, ...]


@dataclass(frozen=True, slots=True)
class ShardDone:
    """What one transaction did."""

    read: int = 0
    taps: int = 0
    saved: Saved = NOTHING
    aside: tuple[Aside, ...] = ()
    oldest_due_at: datetime | None = None


class Clearer:
    """Clears by a book, or the newest one. Any number may run at once, in any process."""

    def __init__(
        self,
        pool: Pool,
        book: TariffBook | NewestBook,
        clock: Clock,
        metrics: SettlementMetrics | None = None,
        *,
        policy: ChargePolicy | None = None,
        riders: int = 400,
        at_once: int = 4,
    ) -> None:
        self._pool = pool
        self._book = book
        self._tariffs: Tariffs | None = None
        self._clock = clock
        self._metrics = metrics
        self._policy = policy
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
            except _OF_ONE_RIDER as problem:
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
            except _OF_ONE_RIDER as problem:
                if _is_away(problem):
                    raise
                _log.error("rider_postponed", issuer=row.rider[0], shard=shard, exc=problem)
                await self._postpone([r for r in rows if r.rider == row.rider], at)
        return ShardDone(read=read)

    async def _postpone(self, rows: Sequence[InboxRow], at: datetime) -> None:
        again = [(rows[0].rider, at + POSTPONED, _since(rows))]
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
        of_rider: dict[Rider, list[InboxRow]] = {}
        for row in rows:
            of_rider.setdefault(row.rider, []).append(row)
        # After the rows are read: whoever is read again because of a tariff is priced by it.
        tariffs = await self._current(conn)
        settings = tariffs.settings
        concerned = {r: _since(of) or at - LOOK_BACK for r, of in sorted(of_rider.items())}
        earliest_at = min(concerned.values()) - 2 * settings.delayed
        modes = tuple(await modes_since(conn, earliest_at))
        delays = any(it.mode is Mode.DATE_WAIVER for it in modes)
        horizons = {r: settings.horizon(since, delays=delays) for r, since in concerned.items()}
        taps, booked, facts = await _read(conn, horizons, settings)
        known = Known(
            tariffs.book,
            tariffs.rules,
            terms.agreements,
            _complete_through(terms, tariffs.rules, at),
            modes,
            at,
            self._retry,
        )
        readings = [read_rider(it, known) for it in facts]
        if settings.habit is not None and any(it.lacks_exit for it in readings):
            readings = await _with_habits(conn, facts, readings, known, settings)
        found = await rates.rates_at(conn, wanted_rates(readings, known))
        decided = [book_reading(it, found, booked.revisions, known) for it in readings]
        saved = await corrections.save(conn, decided, at, self._retry, self._policy)
        aside = await _set_aside(conn, readings, taps, horizons, at)
        await suspend(conn, tariffs.book, list(horizons), at)
        await _ask_again(conn, rows, readings, saved.bookings)
        count = sum(it.at >= horizons[r].since for r, of in taps.of.items() for it in of)
        return ShardDone(len(rows), count, saved, aside, min(row.due_at for row in rows))

    async def _current(self, conn: Connection) -> Tariffs:
        book = self._book if isinstance(self._book, TariffBook) else await self._book(conn)
        known = self._tariffs
        if known is None or known.book is not book:
            known = self._tariffs = Tariffs(book, rule_book(book), settings_of(book))
        return known

    def _count(self, done: Sequence[ShardDone], at: datetime) -> None:
        numbers = self._metrics
        if numbers is None:
            return
        numbers.taps.inc(sum(it.taps for it in done))
        cleared = [found for it in done for found in it.saved.cleared]
        journeys = Counter((j.network, str(j.state)) for j, _ in cleared)
        for (network, state), count in journeys.items():
            numbers.journeys.inc(count, network=network, state=state)
        for why, count in Counter(e.why for it in done for e in it.saved.ended).items():
            numbers.corrections.inc(count, why=str(why))
        made = [debt.charge for it in done for m in it.saved.money for debt in m.corrected.debts]
        for (wallet, state), count in Counter((c.wallet, c.state) for c in made).items():
            held = state is ChargeState.HELD
            numbers.charges.inc(count, wallet=wallet, held=str(held).lower())
        for reason, count in Counter(x.reason for it in done for x in it.aside).items():
            numbers.aside.inc(count, reason=reason)
        oldest = min((it.oldest_due_at for it in done if it.oldest_due_at), default=at)
        numbers.clearing_lag.set((at - oldest).total_seconds())


async def _read(
    conn: Connection, horizons: Mapping[Rider, Horizon], settings: Settings
) -> tuple[ReadTaps, BookedJourneys, list[Facts]]:
    """All that is known of the riders: taps, what is booked, what people said."""
    taps = await _taps(conn, horizons)
    history = bool(settings.networks)
    wanted = [
        Wanted(rider, it.taps_from, it.history_from if history else it.taps_from)
        for rider, it in horizons.items()
    ]
    booked = await booked_journeys(conn, wanted, settings.networks)
    first = min(it.taps_from for it in horizons.values())
    said = await statements_of(conn, list(horizons), first)
    facts = [
        Facts(r, it, taps.of.get(r, ()), booked.standing.get(r, ()), said.get(r, ()))
        for r, it in horizons.items()
    ]
    return taps, booked, facts


async def _with_habits(
    conn: Connection,
    facts: Sequence[Facts],
    readings: Sequence[Reading],
    known: Known,
    settings: Settings,
) -> list[Reading]:
    """The readings again of riders of whom an exit is missing, with all that makes habits."""
    lacking = {it.rider for it in readings if it.lacks_exit}
    wide = {it.rider: settings.for_habits(it.horizon) for it in facts if it.rider in lacking}
    first = min(it.taps_from for it in wide.values())
    taps = await _taps(conn, wide)
    said = await statements_of(conn, list(wide), first)
    knowing = replace(known, modes=tuple(await modes_since(conn, first)))
    again: dict[Rider, Reading] = {}
    for it in facts:
        if it.rider in wide:
            more = taps.of.get(it.rider, ()), said.get(it.rider, ())
            full = replace(it, horizon=wide[it.rider], taps=more[0], statements=more[1])
            again[it.rider] = read_rider(full, knowing)
    return [again.get(it.rider, it) for it in readings]


async def _taps(conn: Connection, horizons: Mapping[Rider, Horizon]) -> ReadTaps:
    first = min(it.taps_from for it in horizons.values())
    return await clearing_reads.taps_since(
        conn,
        [(rider, it.taps_from) for rider, it in horizons.items()],
        first.astimezone(LOCAL_ZONE).date(),
    )


async def _set_aside(
    conn: Connection,
    readings: Sequence[Reading],
    taps: ReadTaps,
    horizons: Mapping[Rider, Horizon],
    at: datetime,
) -> tuple[Aside, ...]:
    """Keep which taps make no journey now; returns those that did not say so before."""
    now = {it.key: it for reading in readings for it in reading.aside}
    gone: list[TapKey] = []
    for rider, of in taps.of.items():
        since = horizons[rider].since
        for tap in of:
            was = taps.aside.get(tap.key)
            if was is None or tap.at < since:
                continue
            if tap.key in now and now[tap.key].reason == was:
                del now[tap.key]
            else:
                gone.append(tap.key)
    fresh = tuple(now[key] for key in sorted(now))
    await clearing_rows.set_aside(conn, gone, [(it.key, it.reason) for it in fresh], at)
    return fresh


async def _ask_again(
    conn: Connection,
    rows: Sequence[InboxRow],
    readings: Sequence[Reading],
    bookings: Sequence[Booking],
) -> None:
    again = earliest(
        (
            *(it for reading in readings for it in reading.rechecks),
            *(it for booking in bookings for it in booking.rechecks),
        )
    )
    await clearing_rows.move_inbox(
        conn, [row.id for row in rows], [(it.rider, it.due_at, it.since) for it in again]
    )


def _complete_through(terms: Terms, rules: RuleBook, at: datetime) -> dict[str, datetime]:
    """Networks without readers hold no tap that is not known; of silent readers nothing is said."""
    told = terms.complete_through
    heard = {network: through for network, through in told.items() if through is not None}
    return {network: at for network in rules.networks if network not in told} | heard


def _since(rows: Sequence[InboxRow]) -> datetime | None:
    """The first instant that is concerned by one of a rider's rows; None: one does not say."""
    known = [row.since for row in rows if row.since is not None]
    return min(known) if len(known) == len(rows) else None


def _is_away(problem: BaseException) -> bool:
    return isinstance(problem, TransitPayError) and problem.family == "temporarily_unavailable"
