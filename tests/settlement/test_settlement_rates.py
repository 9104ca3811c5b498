"""Rates: sources are asked over HTTP, guarded, and published a minute at a time by one writer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from settlement.fx.rate_feeds import BUILTIN_ANCHOR, RateFeed, read_observation
from settlement.fx.rates import PAIR, RatePublisher, rate_terms
from transitpay.clock import ManualClock
from transitpay.errors import MalformedInput
from transitpay.fx.rate import NotYet
from transitpay.money import CNY, HKD
from transitpay.postgres.money import rates

NOON = datetime(2026, 10, 30, 4, 0, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Market:
    """Two feeds on one server; ``mids`` may hold anything, an HTML page too."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.mids = {"a": "0.8479670000", "b": "0.8480120000"}
        self.urls: list[str] = []

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/{name}/rates", self._rates)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        self.urls = [f"http://{host}:{port}/{name}" for name in ("a", "b")]
        return runner

    async def _rates(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        mid = self.mids[name]
        if mid == "in two parts":
            return await self._in_two_parts(request)
        if mid == "the year 1":
            return web.json_response(self._said(name, request, "0.8479670000", "0001-01-01T00:00Z"))
        if mid.startswith("<"):
            return web.Response(text=mid, content_type="text/html")
        return web.json_response(self._said(name, request, mid, self.clock.at.isoformat()))

    async def _in_two_parts(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        said = self._said(name, request, "0.8480120000", self.clock.at.isoformat())
        raw = json.dumps(said).encode()
        response = web.StreamResponse()
        await response.prepare(request)
        for part in (raw[:20], raw[20:]):
            await response.write(part)
            await asyncio.sleep(0.05)
        return response

    def _said(self, name: str, request: web.Request, mid: str, at: str) -> dict[str, str]:
        return {
            "source": f"feed-{name}",
            "base": request.query["base"],
            "quote": request.query["quote"],
            "mid": mid,
            "observed_at": at,
        }


class Desk:
    def __init__(self, db: Any, market: Market, pool: Any, conn: Any, session: Any) -> None:
        self.market, self.pool, self.conn, self.session = market, pool, conn, session

    def publisher(self) -> RatePublisher:
        clock = self.market.clock
        feeds = [RateFeed(url, self.session, clock) for url in self.market.urls]
        return RatePublisher(self.pool, clock, feeds, rate_terms(30, 1, BUILTIN_ANCHOR))

    async def rows(self) -> list[tuple[Any, ...]]:
        found = await self.conn.fetch(
            "select effective_at, mid, source from rate where base = 'HKD' order by 1"
        )
        return [tuple(row) for row in found]


@pytest.fixture
async def desk(db: Any) -> AsyncIterator[Desk]:
    market = Market(ManualClock(NOON))
    runner = await market.start()
    pool, conn = await db.pool("transitpay_settlement"), await db.connect()
    async with aiohttp.ClientSession() as session:
        yield Desk(db, market, pool, conn, session)
    await runner.cleanup()


async def test_a_minute_is_published_ahead_in_both_directions(desk: Desk) -> None:
    assert await desk.publisher().once() == 1
    minute = NOON.replace(second=0) + MINUTE
    assert await desk.rows() == [(minute, Decimal("0.8480120000"), "feed-b")]
    back = await desk.conn.fetchval("select mid from rate where base = 'CNY'")
    assert back == Decimal("1.1792285958")
    assert await desk.publisher().once() == 0


async def test_two_publishers_never_write_a_minute_twice(desk: Desk) -> None:
    done = await asyncio.gather(*(desk.publisher().once() for _ in range(4)))
    assert sum(done) == 1 and len(await desk.rows()) == 1


async def test_a_dead_source_does_not_stop_the_other(desk: Desk) -> None:
    desk.market.mids["b"] = "<html>busy</html>"
    await desk.publisher().once()
    assert [row[2] for row in await desk.rows()] == ["feed-a"]


async def test_a_source_with_an_impossible_time_does_not_stop_the_other(desk: Desk) -> None:
    desk.market.mids["b"] = "the year 1"
    await desk.publisher().once()
    assert [row[2] for row in await desk.rows()] == ["feed-a"]


async def test_an_answer_that_comes_in_two_parts_is_read_whole(desk: Desk) -> None:
    desk.market.mids["b"] = "in two parts"
    await desk.publisher().once()
    assert [row[2] for row in await desk.rows()] == ["feed-b"]


async def test_a_rate_in_other_units_is_never_published(desk: Desk) -> None:
    publisher = desk.publisher()
    for _ in range(8):
        desk.market.mids["b"] = "84.8012000000"
        await publisher.once()
        desk.market.clock.advance(timedelta(seconds=20))
    assert {row[2] for row in await desk.rows()} == {"feed-a"}
    refused = await desk.conn.fetch(
        "select distinct refusal from rate_observation where refusal is not null"
    )
    assert [row[0] for row in refused] == ["other_unit"]


async def test_a_true_jump_is_live_within_five_minutes(desk: Desk) -> None:
    publisher = desk.publisher()
    await publisher.once()
    desk.market.mids = {"a": "0.8734060000", "b": "0.8734110000"}
    for _ in range(5):
        desk.market.clock.advance(MINUTE)
        await publisher.once()
    assert (await desk.rows())[-1][1] in (Decimal("0.8734060000"), Decimal("0.8734110000"))


async def test_when_every_source_is_dead_the_minutes_are_gaps_and_the_log_goes_on(
    desk: Desk,
) -> None:
    publisher = desk.publisher()
    await publisher.once()
    desk.market.mids = {"a": "<html>", "b": "NaN"}
    desk.market.clock.advance(timedelta(minutes=11))
    assert await publisher.once() == 11
    mids = [row[1] for row in await desk.rows()]
    assert mids[0] is not None and mids[1:] == [None] * 11


async def test_a_missed_minute_is_a_gap_even_if_the_rate_is_known(desk: Desk) -> None:
    publisher = desk.publisher()
    await publisher.once()
    desk.market.clock.advance(timedelta(minutes=3))
    await publisher.once()
    assert [row[1] is None for row in await desk.rows()] == [False, True, True, False]


async def test_an_instant_is_priced_only_when_the_log_has_passed_it(desk: Desk) -> None:
    await desk.publisher().once()
    minute = NOON.replace(second=0) + MINUTE
    found = await rates.rates_at(desk.conn, [(HKD, CNY, minute), (HKD, CNY, minute - MINUTE)])
    assert isinstance(found[HKD, CNY, minute], NotYet)
    assert found[HKD, CNY, minute - MINUTE] is None
    assert PAIR == (HKD, CNY)


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b"<html>", None),
        (b"[]", None),
        (b'{"source":"a","base":"HKD","quote":"CNY","mid":0.84}', "mid"),
        (b'{"source":"a","base":"CNY","quote":"HKD","mid":"0.84","observed_at":"x"}', "base"),
        (
            b'{"source":"a","base":"HKD","quote":"CNY","mid":"0.84","observed_at":"x"}',
            "observed_at",
        ),
        (
            b'{"source":"a","base":"HKD","quote":"CNY","mid":"1,234.5",'
            b'"observed_at":"2026-10-30T04:00:00+00:00"}',
            "mid",
        ),
        (
            b'{"source":"a","base":"HKD","quote":"CNY","mid":"0.84",'
            b'"observed_at":"0001-01-01T00:00:00+08:00"}',
            "observed_at",
        ),
        (
            b'{"source":"a\\u0000","base":"HKD","quote":"CNY","mid":"0.84",'
            b'"observed_at":"2026-10-30T04:00:00+00:00"}',
            "source",
        ),
    ],
)
def test_what_is_not_a_rate_is_no_observation(raw: bytes, field: str | None) -> None:
    with pytest.raises(MalformedInput) as caught:
        read_observation(raw, HKD, CNY, NOON)
    assert caught.value.field == field
