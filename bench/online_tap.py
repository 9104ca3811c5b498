"""Measures online taps through one gateway process, durable before the answer, against a floor.

The floor is the same HTTP server and middleware with the same body, model, reader login, key load
and two verifications, without a tap log. An empty handler is printed beside it. Every code is of
an authorisation never seen before. Floor and figure alternate in one run on the same machine, each
is the median of the rounds, over as many connections; PostgreSQL is the embedded one with fsync
on. At the end taps come at even moments, half as many a second as the gateway took, first to the
gateway, then to the floor, whose p99 tells what the machine makes of it. Where other
work shares the machine, the processor time of a tap in each server tells more than the rates: it
is printed too.

    python bench/online_tap.py [--json] [--quick] [--connections 96]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import uvloop
from _world import World, cpu_s, serving
from aiohttp import web

from gateway.__main__ import keep_what_is_loaded
from gateway.app import SERVICES, build_app
from gateway.http.web import Call, Route, serve
from gateway.taps.reader_api import ROUTES as READER_ROUTES
from gateway.taps.reader_api import tap_answer
from gateway.taps.scans import Decision, Outcome, Stored
from gateway.taps.tap_models import TapAnswer, TapRequest
from transitpay.postgres.server.embedded import EmbeddedPostgres
from transitpay.ride_code import layout, signing
from transitpay.runtime.config import Settings
from transitpay.runtime.supervisor import free_port

TARGET = 0.85
HALF_LOAD_P99_MS = 25
READERS = 8
_ROUND_LIMIT_S = 120
_STORED = "select count(*) from tap where decision = 'accepted'"
TAP = next(route for route in READER_ROUTES if route.path == "/v1/taps")
PATHS = {"empty": "/empty", "floor": "/floor", "gateway": "/v1/taps"}


@dataclass
class Round:
    """What one round of one server gave."""

    taps_per_s: float
    latencies_ms: list[float] = field(repr=False)
    cpu_us: float = 0.0


# -- the floor's server ------------------------------------------------------------------------


async def floor(call: Call) -> TapAnswer:
    """Key load and two verifications, as every tap needs them; nothing is remembered."""
    asked = call.body_as(TapRequest)
    raw = layout.read_text(asked.code)
    key = call.services.lists.trust.keys[int.from_bytes(raw[1:3], "big")]
    issued = key.verifier.accepts(raw[65:129], raw[:65])
    device = signing.load_point(raw[15:48])
    assert issued and device and signing.device_accepts(device, raw[136:], raw[:136])
    return tap_answer(asked.sequence, Outcome(Stored.NEW, Decision.ACCEPTED, None))


async def empty(call: Call) -> TapAnswer:
    """Login, body and model only."""
    sequence = call.body_as(TapRequest).sequence
    return tap_answer(sequence, Outcome(Stored.NEW, Decision.ACCEPTED, None))


async def serve_floor(port: int) -> None:
    """The gateway's own application with two routes more."""
    app = build_app(Settings.from_environment())
    for path, handler in (("/floor", floor), ("/empty", empty)):
        route = Route("POST", path, handler, path, TAP.roles, body=TapRequest, answer=TapAnswer)
        app.router.add_route("POST", path, serve(route, app[SERVICES]))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    keep_what_is_loaded()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    await asyncio.Event().wait()


# -- the load ----------------------------------------------------------------------------------


class Lane(asyncio.Protocol):
    """One keep-alive connection; ``answered`` is told of each answer, and how long it took."""

    def __init__(self, answered: Callable[[Lane, float], None]) -> None:
        self._answered = answered
        self._buffer = b""
        self._due_at = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError("the server hung up"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, mark, body = self._buffer.partition(b"\r\n\r\n")
        if not mark:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        took_ms = 1000 * (time.perf_counter() - self._due_at)
        self._buffer = b""
        if b'"open":true' not in body:
            self.done.set_exception(AssertionError(body[:300].decode()))
            self._transport.close()
            return
        self._answered(self, took_ms)

    def send(self, request: bytes, due_at: float | None = None) -> None:
        """Send a request; its time counts from when it was due."""
        self._due_at = due_at or time.perf_counter()
        self._transport.write(request)

    def end(self) -> None:
        self.done.set_result(None)
        self._transport.close()


async def connect(port: int, count: int, answered: Callable[[Lane, float], None]) -> list[Lane]:
    loop = asyncio.get_running_loop()
    return [
        (await loop.create_connection(lambda: Lane(answered), "127.0.0.1", port))[1]
        for _ in range(count)
    ]


async def load(port: int, requests: list[bytes], connections: int) -> Round:
    """Send all requests over so many connections, each waiting for its answer."""
    latencies: list[float] = []
    queue = iter(requests)

    def go_on(lane: Lane) -> None:
        request = next(queue, None)
        lane.end() if request is None else lane.send(request)

    def answered(lane: Lane, took_ms: float) -> None:
        latencies.append(took_ms)
        go_on(lane)

    lanes = await connect(port, connections, answered)
    started = time.perf_counter()
    async with asyncio.timeout(_ROUND_LIMIT_S):
        for lane in lanes:
            go_on(lane)
        await asyncio.gather(*(lane.done for lane in lanes))
    return Round(len(requests) / (time.perf_counter() - started), latencies)


async def paced(port: int, requests: list[bytes], connections: int, per_s: float) -> Round:
    """Send requests at even moments, whatever has been answered; late ones count from when due."""
    latencies: list[float] = []
    free: deque[Lane] = deque()
    all_answered = asyncio.Event()
    waiting: deque[tuple[bytes, float]] = deque()

    def answered(lane: Lane, took_ms: float) -> None:
        latencies.append(took_ms)
        if waiting:
            lane.send(*waiting.popleft())
        else:
            free.append(lane)
        if len(latencies) == len(requests):
            all_answered.set()

    lanes = await connect(port, connections, answered)
    free.extend(lanes)
    started = time.perf_counter()
    async with asyncio.timeout(_ROUND_LIMIT_S):
        for n, request in enumerate(requests):
            due_at = started + n / per_s
            await asyncio.sleep(max(0.0, due_at - time.perf_counter()))
            if free:
                free.popleft().send(request, due_at)
            else:
                waiting.append((request, due_at))
        await all_answered.wait()
    for lane in lanes:
        lane.end()
    return Round(len(requests) / (time.perf_counter() - started), latencies)


# -- the figure --------------------------------------------------------------------------------


@dataclass
class Taps:
    """Requests for taps, of one reader after the other."""

    world: World
    sequence: int = 0

    def requests(self, path: str, count: int) -> list[bytes]:
        """So many taps, each of a new rider with a new phone."""
        now = datetime.now(UTC)
        found = []
        for _ in range(count):
            self.sequence += 1
            body = json.dumps(
                {"sequence": self.sequence, "at": now.isoformat(), "code": self.world.code(now)}
            ).encode()
            token = self.world.tokens[f"gate-{self.sequence % READERS}"]
            head = (
                f"POST {path} HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer {token}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            found.append(head.encode() + body)
        return found


async def measure(
    taps: Taps,
    ports: dict[str, int],
    pids: dict[str, int],
    rounds: int,
    count: int,
    connections: int,
) -> dict[str, list[Round]]:
    """Rounds of all three in turn, the first of each uncounted; then half the gateway's load."""
    found: dict[str, list[Round]] = {name: [] for name in PATHS}
    for n in range(rounds + 1):
        for name, path in PATHS.items():
            requests = taps.requests(path, count if n else count // 4)
            used = cpu_s(pids[name])
            result = await load(ports[name], requests, connections)
            result.cpu_us = 1e6 * (cpu_s(pids[name]) - used) / len(requests)
            if n:
                found[name].append(result)
            print(
                f"  {name}: {result.taps_per_s:,.0f}/s, {result.cpu_us:.0f} us each",
                file=sys.stderr,
            )
    half = statistics.median(r.taps_per_s for r in found["gateway"]) / 2
    requests = taps.requests(PATHS["gateway"], count)
    found["half"] = [await paced(ports["gateway"], requests, connections, half)]
    requests = taps.requests(PATHS["floor"], count)
    found["floor at half"] = [await paced(ports["floor"], requests, connections, half)]
    return found


def percentile(latencies: list[float], percent: int) -> float:
    return round(sorted(latencies)[len(latencies) * percent // 100], 2)


def summary(
    found: dict[str, list[Round]], sent: int, stored: int, connections: int
) -> dict[str, object]:
    rates = {n: statistics.median(r.taps_per_s for r in rounds) for n, rounds in found.items()}
    used = {n: statistics.median(r.cpu_us for r in rounds) for n, rounds in found.items()}
    full = [ms for r in found["gateway"] for ms in r.latencies_ms]
    half = found["half"][0].latencies_ms
    return {
        "bench": "online_tap",
        "connections": connections,
        "taps_per_s": round(rates["gateway"]),
        "floor_per_s": round(rates["floor"]),
        "empty_per_s": round(rates["empty"]),
        "ratio": round(rates["gateway"] / rates["floor"], 3),
        "target": TARGET,
        "gateway_cpu_us": round(used["gateway"]),
        "floor_cpu_us": round(used["floor"]),
        "p50_ms": percentile(full, 50),
        "p99_ms": percentile(full, 99),
        "half_load_per_s": round(rates["half"]),
        "half_load_p50_ms": percentile(half, 50),
        "half_load_p99_ms": percentile(half, 99),
        "half_load_floor_p99_ms": percentile(found["floor at half"][0].latencies_ms, 99),
        "half_load_p99_target_ms": HALF_LOAD_P99_MS,
        "answered": sent,
        "stored": stored,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--connections", type=int, default=96)
    parser.add_argument("--serve-floor", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve_floor:
        uvloop.run(serve_floor(given.serve_floor))
        return 0
    rounds, count = (2, 800) if given.quick else (7, 3000)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder), log_level="warning")
        world = World(settings, READERS)
        with EmbeddedPostgres(settings.home):
            asyncio.run(world.enrol())
            gateway_port, floor_port = free_port(), free_port()
            ports = {"empty": floor_port, "floor": floor_port, "gateway": gateway_port}
            floor_command = (__file__, "--serve-floor", str(floor_port))
            with (
                serving(gateway_port, settings) as gateway,
                serving(floor_port, settings, floor_command) as floors,
            ):
                pids = {"empty": floors, "floor": floors, "gateway": gateway}
                found = uvloop.run(
                    measure(Taps(world), ports, pids, rounds, count, given.connections)
                )
            stored = asyncio.run(world.number(_STORED))
    sent = count // 4 + (rounds + 1) * count
    result = summary(found, sent, stored, given.connections)
    print(json.dumps(result, indent=None if given.json else 2))
    return 0 if stored == sent else 1


if __name__ == "__main__":
    sys.exit(main())
