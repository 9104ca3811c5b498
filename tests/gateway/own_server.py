"""A PostgreSQL that a test may stop, kill and freeze, and gateways that are real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from gateway_world import World

from transitpay.clock import ManualClock
from transitpay.postgres import pool, schema
from transitpay.postgres.server.embedded import EmbeddedPostgres
from transitpay.runtime.config import Settings, child_environment
from transitpay.runtime.supervisor import free_port


@dataclass
class OwnServer:
    """A cluster of its own, durable as in production, in the place of the test's database."""

    server: EmbeddedPostgres
    settings: Settings
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def connect(self, role: str = "postgres") -> Any:
        made = await pool.connect(self.server.dsn(role), application_name="test")
        self.closing.push_async_callback(made.close)
        return made

    def processes(self) -> list[int]:
        """The postmaster and its children."""
        postmaster = self.server.pid
        assert postmaster is not None
        found = [postmaster]
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                stat = _stat(entry)
                if stat and int(stat[1]) == postmaster:
                    found.append(int(entry.name))
        return found

    def kill(self) -> None:
        """Power loss of the server: every process at once, nothing written on the way out."""
        for pid in self.processes():
            _send(pid, signal.SIGKILL)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """No process of the server moves while the block runs."""
        stopped = self.processes()
        for pid in stopped:
            _send(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                _send(pid, signal.SIGCONT)


def _stat(entry: Path) -> list[str]:
    try:
        return (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # a backend that has ended by itself
        os.kill(pid, number)


@asynccontextmanager
async def own_world(home: Path, at: datetime | None = None) -> AsyncIterator[World]:
    """An enrolled world on a server of its own, by the machine's clock unless ``at`` is given."""
    settings = Settings(home=home, env="sandbox", log_level="error")
    with EmbeddedPostgres(home) as server:
        await schema.init(server.dsn(), at=datetime.now(UTC))
        made = OwnServer(server, settings)
        world = World(made, ManualClock(at or datetime.now(UTC)))
        async with made.closing:
            await world.enrol()
            yield world
            await world.close()


@dataclass
class GatewayProcess:
    """``python -m gateway`` of its own, and a way to ask it."""

    port: int
    process: asyncio.subprocess.Process
    session: aiohttp.ClientSession

    async def tap(self, world: World, reader: str, body: dict[str, Any]) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.port}/v1/taps"
        async with self.session.post(url, json=body, headers=world.auth(reader)) as answer:
            found: dict[str, Any] = await answer.json()
            assert answer.status == 200, found
            return found


@asynccontextmanager
async def gateway_process(world: World) -> AsyncIterator[GatewayProcess]:
    """A gateway process that is ready; killed at the end."""
    port = free_port()
    env = child_environment(world.settings) | {"TRANSITPAY_GATEWAY_PORT": str(port)}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "gateway", env=env)
    try:
        async with aiohttp.ClientSession() as session:
            made = GatewayProcess(port, process, session)
            await _ready(made, world)
            yield made
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _ready(gateway: GatewayProcess, world: World) -> None:
    """Until it knows the lists."""
    for _ in range(400):
        try:
            url = f"http://127.0.0.1:{gateway.port}/healthz"
            async with gateway.session.get(url) as answer:
                if answer.status == 200 and await _has_lists(gateway, world):
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.05)
    raise AssertionError("the gateway did not start")


async def _has_lists(gateway: GatewayProcess, world: World) -> bool:
    url = f"http://127.0.0.1:{gateway.port}/v1/lists/trust"
    async with gateway.session.get(url, headers=world.auth("mtr-in-1")) as answer:
        return answer.status == 200
