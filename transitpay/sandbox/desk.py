"""What is said over HTTP beside scans: operators of their stations, riders of their exits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import date, datetime, timedelta

import aiohttp

from transitpay.clock import day_start
from transitpay.errors import TemporarilyUnavailable
from transitpay.journeys.statements import Statement, StatementKind
from transitpay.journeys.station_modes import Mode, StationMode
from transitpay.sandbox.night import sleep_until
from transitpay.sandbox.riders import PlannedRider
from transitpay.sandbox.town import Town
from transitpay.sandbox.trips import OPEN_FROM_H, OPEN_UNTIL_H, open_station
from transitpay.sandbox.wire import HttpWire
from transitpay.taps import TapKey

#: How long after the gates were opened the desk has written it down.
_DECLARED_AFTER = timedelta(minutes=5)
#: Every reader has a network by then; the night closes the day at 00:30.
_DECLARES_FROM = timedelta(hours=21, minutes=45)
#: When nobody asks any more.
_UNTIL = timedelta(hours=30)
_RETRY_S = 0.3


async def open_gates(town: Town, session: aiohttp.ClientSession) -> StationMode:
    """Declare that the gates of a station stand open for a while; asked until it is taken.

    Raises: TemporarilyUnavailable (``mode_not_taken``).
    """
    stop, way_in, _ = open_station(town.places)
    start = day_start(town.plan.first_day)
    mode = StationMode(
        0, way_in.operator, "sandbox-open-1", way_in.network, stop, Mode.GATES_OPEN,
        start + timedelta(hours=OPEN_FROM_H), start + timedelta(hours=OPEN_UNTIL_H),
        "a crowd after a concert", None, "", start,
    )  # fmt: skip
    await sleep_until(town.clock, mode.valid_from + _DECLARED_AFTER)
    wish = {
        "request_id": mode.request_id,
        "network": mode.network,
        "stop": mode.stop,
        "mode": str(mode.mode),
        "valid_from": mode.valid_from.isoformat(),
        "valid_until": (mode.valid_until or start).isoformat(),
        "reason": mode.reason,
    }
    wire = HttpWire(session, town.gateway_url)
    token = town.tokens.operators[mode.operator]
    status = 0
    while town.clock.now() < start + _UNTIL and (status == 0 or status >= 500):
        status, _ = await wire.post("/v1/operator/station-modes", token, wish)
        if status == 200:
            return mode
        await asyncio.sleep(_RETRY_S)
    raise TemporarilyUnavailable("mode_not_taken", f"a station mode was answered {status}")


async def declare_exits(
    town: Town, riders: Iterable[PlannedRider], session: aiohttp.ClientSession
) -> tuple[Statement, ...]:
    """Those who know where they left without a scan tell their wallet, once the ride shows it."""
    await sleep_until(town.clock, day_start(town.plan.first_day) + _DECLARES_FROM)
    telling = [_declare(town, it, it.declares, session) for it in riders if it.declares]
    return tuple(it for it in await asyncio.gather(*telling) if it is not None)


async def _declare(
    town: Town, rider: PlannedRider, stop: str, session: aiohttp.ClientSession
) -> Statement | None:
    """The statement; None where the rider did not ride, so that no exit is missing."""
    url = f"{town.sandbox.wallet_url(rider.wallet)}/app/missing-station"
    until = day_start(town.plan.first_day) + _UNTIL
    while town.clock.now() < until:
        try:
            async with session.post(url, json={"account": rider.account, "stop": stop}) as answer:
                if answer.status == 200:
                    told = await answer.json()
                    return Statement(
                        told["ride_id"], _tap_of(told["ride_id"]), StatementKind.DECLARED,
                        told["stop"], datetime.fromisoformat(told["declared_at"]),
                    )  # fmt: skip
        except (aiohttp.ClientError, TimeoutError):
            pass  # the wallet or the gateway is away; asked again below
        await asyncio.sleep(_RETRY_S)
    return None


def _tap_of(ride_id: str) -> TapKey:
    """The first tap of a journey, by which it is named."""
    day, reader, sequence = ride_id.split("~")[0].split("/")
    return TapKey(date.fromisoformat(day), reader, int(sequence))
