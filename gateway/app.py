"""The composition root: everything the gateway is made of is put together here.

Started without a database the gateway answers 503, tries again by itself, and goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from importlib import metadata

from aiohttp import web

from gateway import health
from gateway.auth import Authenticator
from gateway.background import Background
from gateway.database import Database
from gateway.http import openapi
from gateway.http.middleware import refusals_as_problems
from gateway.http.web import Route, serve
from gateway.lists import api as lists_api
from gateway.lists.cache import ListCache
from gateway.lists.list_keys import ListKeys
from gateway.lists.publishing import Publisher
from gateway.lists.serving import ListServer
from gateway.operators import (
    console,
    correction_api,
    missing_ends_page,
    operator_api,
    rider_page,
    station_mode_api,
    suspension_api,
)
from gateway.readers import heartbeat, reader_keys, reader_reports, record_api
from gateway.readers.record_log import RecordLog
from gateway.riders import missing_station_api, ride_api
from gateway.services import Numbers, Services
from gateway.taps import reader_api
from gateway.taps.deciding import StateRules
from gateway.taps.intake import Intake
from gateway.taps.judging import Judging
from gateway.taps.partitions import Partitions
from gateway.taps.places import PlaceCache
from gateway.taps.tap_log import PostgresLog
from gateway.wallets import (
    authorisation_api,
    issuer_key_api,
    notifications,
    wallet_api,
)
from gateway.wallets.partner_keys import Partners
from transitpay.clock import Clock
from transitpay.runtime.config import SANDBOX, Settings
from transitpay.runtime.issuer_keys import IssuerKeys
from transitpay.runtime.metrics import Metrics
from transitpay.runtime.observe import EventLog

#: The same code at the same reader within this is the same showing of it.
DEBOUNCE = timedelta(seconds=2)
_LISTS_PAUSE_S = 1.0
_PARTITIONS_PAUSE_S = 3600.0
_SILENCE_PAUSE_S = 30.0
_DRAIN_S = 5.0

ROUTES: tuple[Route, ...] = (
    *reader_api.ROUTES,
    *reader_keys.ROUTES,
    *lists_api.ROUTES,
    *record_api.ROUTES,
    *heartbeat.ROUTES,
    *reader_reports.ROUTES,
    *wallet_api.ROUTES,
    *ride_api.ROUTES,
    *missing_station_api.ROUTES,
    *authorisation_api.ROUTES,
    *issuer_key_api.ROUTES,
    *operator_api.ROUTES,
    *station_mode_api.ROUTES,
    *correction_api.ROUTES,
    *suspension_api.ROUTES,
    *notifications.ROUTES,
    *console.ROUTES,
    *rider_page.ROUTES,
    *missing_ends_page.ROUTES,
    *health.ROUTES,
)
SERVICES = web.AppKey("services", Services)


def build_app(settings: Settings, clock: Clock | None = None) -> web.Application:
    """The gateway as an aiohttp application; it owns its database connections and its tasks."""
    clock = clock or settings.clock()
    events = EventLog("gateway")
    database = Database(settings)
    partitions = Partitions(database)
    services = _services(settings, clock, database, partitions, events)
    app = web.Application(middlewares=[refusals_as_problems])
    app[SERVICES] = services
    for route in ROUTES:
        app.router.add_route(route.method, route.path, serve(route, services))

    async def beside(app: web.Application) -> AsyncIterator[None]:
        background = Background(events)
        online = background.start(services.online.run(), "online")
        every = background.every
        background.start(every(_LISTS_PAUSE_S, services.lists.refresh, "lists"), "lists")
        background.start(every(_LISTS_PAUSE_S, services.places.refresh, "places"), "places")

        async def make_partitions() -> None:
            await partitions.refresh(clock.now())

        silence = heartbeat.Silence(database, clock, services.authenticator.heard)
        pause_s = max(1.0, _SILENCE_PAUSE_S / clock.speed)
        background.start(every(pause_s, silence.sweep, "silence"), "silence")
        pause_s = max(1.0, _PARTITIONS_PAUSE_S / clock.speed)
        background.start(every(pause_s, make_partitions, "partitions"), "partitions")
        yield
        services.online.close()
        await asyncio.wait([online], timeout=_DRAIN_S)
        await background.stop()
        await database.close()

    app.cleanup_ctx.append(beside)
    return app


def _services(
    settings: Settings, clock: Clock, database: Database, partitions: Partitions, events: EventLog
) -> Services:
    """What handlers work with."""
    debounce = DEBOUNCE * clock.speed
    metrics = Metrics()
    keys = settings.home / "keys"
    places = PlaceCache(database, clock)

    def state_rules() -> StateRules:
        return StateRules(debounce, places.current.travel)

    tap_log = PostgresLog(database, partitions, state_rules, events)
    publisher = Publisher(ListKeys(keys))
    lists = ListCache(database, clock, publisher, events)
    return Services(
        settings=settings,
        clock=clock,
        database=database,
        authenticator=Authenticator(database, clock),
        lists=lists,
        list_server=ListServer(database, clock, lists, publisher),
        places=places,
        judging=Judging(places, test_keys_allowed=settings.env == SANDBOX, speed=clock.speed),
        online=Intake(tap_log, events),
        record_log=RecordLog(database, partitions, debounce, events),
        partitions=partitions,
        issuer_keys=IssuerKeys(keys),
        partners=Partners(database, clock, keys),
        events=events,
        metrics=metrics,
        numbers=Numbers.of(metrics),
        openapi=openapi.document(ROUTES, metadata.version("transitpay")),
    )
