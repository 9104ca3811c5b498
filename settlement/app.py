"""Puts the service together: pool, tariffs, wallets, workers; starts them and stops them.

A TaskGroup owns every worker. SIGTERM and SIGINT let each finish its pass, then the process ends;
kill -9 at any moment loses nothing, because nothing is believed before it is committed.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from settlement.clearing.clear_taps import Clearer
from settlement.clearing.suspension_terms import SuspensionDesk
from settlement.clearing.tariffs import TariffDesk
from settlement.collecting.charge_wallets import ChargeTerms, ChargeWorker, policy_of
from settlement.collecting.circuit import Circuit
from settlement.collecting.notifications import NotificationWorker
from settlement.collecting.partners import Partners
from settlement.collecting.refunds import RefundDesk, RefundWorker
from settlement.fx.rate_feeds import RateFeed, ecb_anchor
from settlement.fx.rates import RatePublisher, rate_terms
from settlement.loops import Pace, rest, run_worker
from settlement.metrics import SettlementMetrics
from transitpay.charging.partner_messages import NOTIFY_PATH
from transitpay.clock import Clock
from transitpay.errors import TemporarilyUnavailable
from transitpay.fares.tariff import TariffBook
from transitpay.postgres.pool import Pool, open_pool, transaction
from transitpay.runtime.config import Settings
from transitpay.runtime.observe import EventLog
from transitpay.runtime.tariff_folder import load_book

_log = EventLog("settlement")

ROLE = "transitpay_settlement"
#: Workers of one wallet; together with the batch of a worker: about 16 requests in flight.
WORKERS_PER_WALLET = 2
_POOL = 12
_REFRESH_S = 2.0
_TARIFFS = Pace(busy_s=1.0, least_s=0.1, idle_s=1.0)
_RATES = Pace(busy_s=1.0, least_s=1.0, idle_s=1.0)
_SLOW = Pace(least_s=0.1, idle_s=1.0)


@dataclass(slots=True)
class Service:
    """Everything that the workers share."""

    settings: Settings
    clock: Clock
    pool: Pool
    session: aiohttp.ClientSession
    tariffs: TariffDesk
    metrics: SettlementMetrics
    stop: asyncio.Event

    @property
    def terms(self) -> ChargeTerms:
        """How wallets are charged, by the settings and the speed of the clock."""
        it = self.settings
        return ChargeTerms(policy_of(it, self.clock.speed), notify_url(it))


def notify_url(settings: Settings) -> str:
    """Where wallets send notifications: the setting, or our gateway's own address."""
    own = f"http://{settings.gateway_host}:{settings.gateway_port}{NOTIFY_PATH}"
    return settings.notify_url or own


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT.

    Raises: MalformedInput when a tariff file cannot be read.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    clock, metrics = settings.clock(), SettlementMetrics()
    book = await asyncio.to_thread(load_book, settings.data)
    async with AsyncExitStack() as stack:
        pool = await _pool(settings, stop)
        if pool is None:
            return
        stack.push_async_callback(_close, pool)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200))
        )
        desk = TariffDesk(pool, clock)
        if not await _register(desk, book, stop):
            return
        service = Service(settings, clock, pool, session, desk, metrics, stop)
        if settings.settlement_port is not None:
            await _listen(service, settings.settlement_port, stack)
        _log.info("started", networks=len(book.networks), speed=clock.speed)
        await run(service)
    _log.info("stopped")


async def run(service: Service) -> None:
    """All workers, until ``service.stop`` is set."""
    it = service
    anchor = await asyncio.to_thread(ecb_anchor, it.settings.data, it.clock.now())
    feeds = [RateFeed(address, it.session, it.clock) for address in it.settings.rate_feeds]
    if not feeds:
        _log.warning("no_rate_feeds", setting="TRANSITPAY_RATE_FEEDS")
    terms = rate_terms(it.settings.rate_lead_s, it.clock.speed, anchor)
    publisher = RatePublisher(it.pool, it.clock, feeds, terms, it.metrics)
    policy = it.terms.policy
    clearer = Clearer(it.pool, it.tariffs.stored.newest, it.clock, it.metrics, policy=policy)
    notices = NotificationWorker(it.pool, it.clock, policy, it.metrics)
    desk = RefundDesk(it.pool, it.clock)
    suspensions = SuspensionDesk(it.pool, it.tariffs.stored.newest, it.clock)
    async with asyncio.TaskGroup() as group:
        for name, once, pace in (
            ("rates", publisher.once, _RATES),
            ("clearing", clearer.once, None),
            ("notifications", notices.once, None),
            ("refund_requests", desk.once, _SLOW),
            ("tariffs", it.tariffs.once, _TARIFFS),
            ("suspensions", suspensions.once, _SLOW),
        ):
            group.create_task(run_worker(name, once, it.stop, it.metrics, pace))
        group.create_task(_charge_wallets(service, group))


async def _charge_wallets(service: Service, group: asyncio.TaskGroup) -> None:
    """Start workers for each wallet as it becomes known; keep addresses and keys fresh."""
    it = service
    partners = Partners(it.settings.home, it.session, it.clock)
    away = False
    while not it.stop.is_set():
        try:
            fresh = await partners.refresh(it.pool)
            away = False
        except TemporarilyUnavailable as problem:
            if not away:
                _log.warning("unavailable", worker="partners", why=problem.message)
            away, fresh = True, []
        for wallet in fresh:
            port, circuit = partners.clients[wallet], Circuit()
            for n in range(WORKERS_PER_WALLET):
                worker = ChargeWorker(
                    wallet, port, it.pool, it.clock, it.terms, circuit, it.metrics
                )
                name = f"charges:{wallet}:{n}"
                group.create_task(run_worker(name, worker.once, it.stop, it.metrics))
            refunds = RefundWorker(wallet, port, it.pool, it.clock, it.terms, it.metrics)
            name = f"refunds:{wallet}"
            group.create_task(run_worker(name, refunds.once, it.stop, it.metrics, _SLOW))
            _log.info("wallet_found", wallet=wallet)
        await rest(it.stop, _REFRESH_S)


async def _pool(settings: Settings, stop: asyncio.Event) -> Pool | None:
    """A pool as soon as the database answers; None when we are stopped before that."""
    wait_s = 0.2
    while not stop.is_set():
        try:
            return await open_pool(
                settings, ROLE, min_size=2, max_size=_POOL, application_name="settlement"
            )
        except TemporarilyUnavailable as problem:
            if wait_s == 0.2:
                _log.warning("unavailable", worker="start", why=problem.message)
            await rest(stop, wait_s)
            wait_s = min(wait_s * 2, 5.0)
    return None


async def _register(desk: TariffDesk, book: TariffBook, stop: asyncio.Event) -> bool:
    """Store the tariffs that we come with, as soon as the database takes them."""
    tariffs = [it for network in book.networks for it in book.versions(network)]
    while not stop.is_set():
        try:
            await desk.register(tariffs)
        except TemporarilyUnavailable:
            await rest(stop, _REFRESH_S)
        else:
            return True
    return False


async def _close(pool: Pool) -> None:
    """Give connections back in peace; a database that is away is left as it is."""
    try:
        async with asyncio.timeout(5):
            await pool.close()
    except (TimeoutError, OSError):
        pool.terminate()


async def _listen(service: Service, port: int, stack: AsyncExitStack) -> None:
    async def health(_: web.Request) -> web.Response:
        try:
            async with transaction(service.pool) as conn:
                await conn.fetchval("select 1")
        except TemporarilyUnavailable as problem:
            return web.json_response({"ok": False, "why": problem.message}, status=503)
        return web.json_response({"ok": True})

    async def numbers(_: web.Request) -> web.Response:
        return web.Response(text=service.metrics.all.render(), content_type="text/plain")

    app = web.Application()
    app.add_routes([web.get("/healthz", health), web.get("/metrics", numbers)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", port).start()
