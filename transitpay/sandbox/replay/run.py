"""A replay from the files to the last check: a sandbox of real processes, and the scans sent to it.

The clock is fast and starts before the first tap, so that rates are published for the instants of
all taps; it runs on until the last entry without an exit is certain to be incomplete.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Protocol

import aiohttp

from transitpay.clock import LOCAL_ZONE
from transitpay.errors import MalformedInput
from transitpay.fares.tariff import TariffBook
from transitpay.postgres.journeys import replay_totals
from transitpay.postgres.journeys.replay_totals import Waiting
from transitpay.postgres.pool import connect
from transitpay.runtime.tariff_folder import load_book
from transitpay.sandbox.memory import MemoryWatch
from transitpay.sandbox.replay.codes import Phones, issuing_keys
from transitpay.sandbox.replay.outcome import Replayed, outcome
from transitpay.sandbox.replay.plan import METRO_NETWORK, ReplayPlan, plan_replay
from transitpay.sandbox.replay.road import Road, Sent
from transitpay.sandbox.szt_folder import read_folder
from transitpay.sandbox.szt_taps import TapRows
from transitpay.sandbox.town import Town, TownPlan, running_town

#: The days of the taps are shifted into the week that ends here: all tariffs are in force.
NEAR = date(2026, 11, 1)
_SEED = 1
#: Seconds of the machine before the clock shows the hour of the first tap: processes start, and
#: rates are published five seconds of the machine ahead.
_LEAD_S = 15.0
#: Seconds of the machine for the whole business span, and more for each scan.
_LEAST_S, _A_SCAN_S = 13.0, 0.0025
_AFTER_LIMIT = timedelta(minutes=2)
_POLL_S = 0.5
#: How long nothing may move at the end, in seconds of the machine.
_STUCK_S = 60.0


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What was asked for. ``szt`` holds the taps, ``data`` the fare tables (None: built-in)."""

    szt: Path
    limit: int | None
    folder: Path
    data: Path | None


class Watcher(Protocol):
    """Who is told how the replay gets on."""

    def event(self, text: str) -> None: ...

    def planned(self, scans: int, cards: int) -> None: ...

    def progress(self, sent: Sent, at: datetime) -> None: ...

    def waiting(self, left: Waiting, at: datetime) -> None: ...


def make_plan(rows: TapRows, book: TariffBook, limit: int | None) -> ReplayPlan:
    """The plan of these rows by the newest metro tariff of ``book``.

    Raises: MalformedInput (``nothing_to_replay``).
    """

    def station_id(name: str) -> str | None:
        try:
            return book.find_stop(METRO_NETWORK, name).id
        except MalformedInput:
            return None

    plan = plan_replay(rows.taps, station_id, NEAR, limit)
    if not plan.scans:
        raise MalformedInput("nothing_to_replay", "no row can be replayed", field="--szt")
    return plan


async def run_replay(
    options: ReplayOptions, watcher: Watcher, after: Callable[[Replayed], Awaitable[None]]
) -> Replayed:
    """Read, plan, start everything, send, wait for the outcome; ``after`` runs while all runs.

    Raises: what ``read_folder``, ``make_plan``, ``running_town`` and ``Road.run`` raise.
    """
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    book = load_book(options.data, networks=[METRO_NETWORK])
    rows = read_folder(options.szt)
    plan = make_plan(rows, book, options.limit)
    watcher.planned(len(plan.scans), plan.cards)
    stay = book.latest(METRO_NETWORK).terms.longest_stay_minutes
    assert stay is not None, "the metro has gates"
    certain_at = plan.scans[-1].at + timedelta(minutes=stay) + _AFTER_LIMIT
    town_plan = _town_plan(options, plan, certain_at)
    async with running_town(town_plan, watcher.event, plan.readers) as town, _session() as session:
        memory = MemoryWatch(lambda: town.supervisor.pids().get("postgres"))
        sampling = asyncio.create_task(memory.run())
        try:
            sent, left = await _ride(town, plan, session, certain_at, watcher)
            found = await outcome(town, rows, plan, sent, left, session)
        finally:
            sampling.cancel()
        found.totals |= {
            "seconds": round(loop.time() - started_s, 1),
            "memory_mib": memory.peak_bytes >> 20,
            "speed": town_plan.speed,
            "restarts": town.supervisor.restarts,
            "faults": found.faults,
        }
        await after(found)
    return found


def _town_plan(options: ReplayOptions, plan: ReplayPlan, certain_at: datetime) -> TownPlan:
    first = plan.scans[0].at.astimezone(LOCAL_ZONE)
    start = first.replace(minute=0, second=0, microsecond=0)
    span_s = (certain_at - start).total_seconds()
    speed = round(span_s / (_LEAST_S + len(plan.scans) * _A_SCAN_S))
    return TownPlan(
        folder=options.folder,
        data=options.data,
        seed=_SEED,
        speed=max(1, speed),
        lead_s=_LEAD_S,
        first_day=start.date(),
        plants=0,
        faults_permille=0,
        first_hour=start.hour,
    )


async def _ride(
    town: Town,
    plan: ReplayPlan,
    session: aiohttp.ClientSession,
    certain_at: datetime,
    watcher: Watcher,
) -> tuple[Sent, Waiting]:
    """Send everything, then wait until all is cleared and charged, or nothing moves any more."""
    phones = Phones(issuing_keys(town.settings.home))
    road = Road(town, plan, phones, session, lambda it: watcher.progress(it, town.clock.now()))
    reporting = asyncio.create_task(road.report())
    try:
        sent = await road.run()
        watcher.event("all taps are with the gateway; waiting for journeys and charges")
        await road.heartbeats()
        return sent, await _settled(town, certain_at, watcher)
    finally:
        reporting.cancel()
        await asyncio.gather(reporting, return_exceptions=True)


async def _settled(town: Town, certain_at: datetime, watcher: Watcher) -> Waiting:
    conn = await connect(town.owner_dsn, application_name="transitpay-replay")
    loop = asyncio.get_running_loop()
    try:
        left, moved_s = await replay_totals.waiting(conn), loop.time()
        while not left.nothing and loop.time() < moved_s + _STUCK_S:
            await asyncio.sleep(_POLL_S)
            now = await replay_totals.waiting(conn)
            if now != left or town.clock.now() < certain_at:
                left, moved_s = now, loop.time()
            watcher.waiting(left, town.clock.now())
        return left
    finally:
        await conn.close()


@asynccontextmanager
async def _session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=64), timeout=aiohttp.ClientTimeout(total=30)
    ) as session:
        yield session
