"""Starts named child processes, restarts what dies, and ends all of them with its own block.

A child's output goes to ``<home>/log/<name>.log`` and its pid to ``<home>/run/pids.json``. A
child that dies is started again after a back-off that grows from 0.2 s to 5 s; each restart is an
event told to the user. The embedded PostgreSQL is one more child, started by its own object.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import aiohttp

from transitpay.errors import TemporarilyUnavailable, TransitPayError
from transitpay.runtime.tied import stop_with_parent

FIRST_BACKOFF_S = 0.2
LAST_BACKOFF_S = 5.0
STOP_TIMEOUT_S = 8.0
DATABASE_POLL_S = 0.3
READY_POLL_S = 0.05
#: Below the range from which systems choose ports by themselves.
_UNASSIGNED_PORTS = range(20_000, 32_000)


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One process: its name, command line, environment, and where it says that it is ready."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    ready_url: str | None = None
    ready_timeout_s: float = 30.0


class Database(Protocol):
    """What the supervisor needs of an embedded PostgreSQL."""

    @property
    def pid(self) -> int | None: ...

    def start(self) -> None: ...

    def stop(self) -> bool: ...


@dataclass(slots=True)
class _Child:
    spec: ChildSpec
    process: asyncio.subprocess.Process
    watcher: asyncio.Task[None] | None = None
    stopping: bool = False


class Supervisor:
    """Owner of child processes; use as ``async with``, and all of them end with the block."""

    def __init__(self, home: Path, on_event: Callable[[str], None]) -> None:
        self._home = home
        self._on_event = on_event
        self._children: dict[str, _Child] = {}
        self._database: Database | None = None
        self._database_watcher: asyncio.Task[None] | None = None
        # PostgreSQL ends with the thread that started it, so that thread must stay.
        self._database_thread = ThreadPoolExecutor(1, thread_name_prefix="database")
        self.restarts = 0
        (home / "log").mkdir(parents=True, exist_ok=True)
        (home / "run").mkdir(parents=True, exist_ok=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.shield(self.stop_all())

    def pids(self) -> dict[str, int]:
        """The pid of each child that runs now, PostgreSQL as ``postgres``."""
        found = {name: child.process.pid for name, child in self._children.items()}
        if self._database is not None and self._database.pid is not None:
            found["postgres"] = self._database.pid
        return found

    async def start_database(self, database: Database) -> None:
        """Start PostgreSQL and start it again whenever its postmaster dies."""
        await self._on_database_thread(database.start)
        self._database = database
        self._write_pids()
        self._database_watcher = asyncio.create_task(self._watch_database(database))

    async def start(self, spec: ChildSpec) -> None:
        """Start one child and wait until it is ready.

        Raises: TemporarilyUnavailable (``child_failed``, ``child_not_ready``).
        """
        assert spec.name not in self._children, "one name, one child"
        child = _Child(spec, await self._spawn(spec))
        self._children[spec.name] = child
        self._write_pids()
        await self._wait_ready(child)
        child.watcher = asyncio.create_task(self._watch(child))

    async def stop(self, name: str) -> None:
        """End one child: SIGTERM, and SIGKILL if it does not listen."""
        child = self._children.pop(name, None)
        if child is None:
            return
        child.stopping = True
        if child.watcher is not None:
            child.watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await child.watcher
        await _end(child.process)
        self._write_pids()

    async def stop_all(self) -> None:
        """End every child, the newest first, and PostgreSQL last."""
        for name in reversed(list(self._children)):
            await self.stop(name)
        if self._database_watcher is not None:
            self._database_watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._database_watcher
        if self._database is not None:
            await self._on_database_thread(self._database.stop)
            self._database = None
        self._database_thread.shutdown(wait=False)
        self._write_pids()

    async def _on_database_thread(self, work: Callable[[], object]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._database_thread, work)

    async def _spawn(self, spec: ChildSpec) -> asyncio.subprocess.Process:
        # Its own session: a Ctrl-C of the terminal reaches us alone, and we end it in order.
        with (self._home / "log" / f"{spec.name}.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *spec.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(spec.env),
                start_new_session=True,
                preexec_fn=stop_with_parent(signal.SIGTERM),
            )

    async def _wait_ready(self, child: _Child) -> None:
        spec = child.spec
        if spec.ready_url is None:
            return
        try:
            async with asyncio.timeout(spec.ready_timeout_s), aiohttp.ClientSession() as session:
                while not await _answers(session, spec.ready_url):
                    code = child.process.returncode
                    if code is not None and code < 0:
                        # Killed from outside: no fault of its own, as at any later time.
                        self.restarts += 1
                        self._on_event(f"{spec.name} {_died(code)}; starting it again")
                        child.process = await self._spawn(spec)
                        self._write_pids()
                    elif code is not None:
                        raise TemporarilyUnavailable(
                            "child_failed",
                            f"{spec.name} ended with code {code}: {self._last_line(spec.name)}",
                        )
                    await asyncio.sleep(READY_POLL_S)
        except TimeoutError:
            raise TemporarilyUnavailable(
                "child_not_ready",
                f"{spec.name} was not ready within {spec.ready_timeout_s:.0f} s: "
                f"{self._last_line(spec.name)}",
            ) from None

    async def _watch(self, child: _Child) -> None:
        backoff_s = FIRST_BACKOFF_S
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        while not child.stopping:
            code = await child.process.wait()
            if loop.time() - started_s > 10:
                backoff_s = FIRST_BACKOFF_S
            self.restarts += 1
            self._on_event(f"{child.spec.name} {_died(code)}; starting it again")
            await asyncio.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, LAST_BACKOFF_S)
            child.process = await self._spawn(child.spec)
            started_s = loop.time()
            self._write_pids()

    async def _watch_database(self, database: Database) -> None:
        backoff_s = FIRST_BACKOFF_S
        while True:
            await asyncio.sleep(DATABASE_POLL_S)
            if database.pid is not None:
                backoff_s = FIRST_BACKOFF_S
                continue
            self.restarts += 1
            self._on_event("PostgreSQL died; starting it again")
            try:
                await self._on_database_thread(database.start)
                self._write_pids()
            except TransitPayError as error:
                self._on_event(f"PostgreSQL did not start: {error}")
                await asyncio.sleep(backoff_s)
                backoff_s = min(backoff_s * 2, LAST_BACKOFF_S)

    def _write_pids(self) -> None:
        target = self._home / "run" / "pids.json"
        if not target.parent.is_dir():
            return
        draft = target.with_suffix(".tmp")
        draft.write_text(json.dumps(self.pids(), indent=1) + "\n", encoding="utf-8")
        draft.replace(target)

    def _last_line(self, name: str) -> str:
        text = (self._home / "log" / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1][:300] if lines else "it wrote nothing"


def free_port(host: str = "127.0.0.1") -> int:
    """A port on which nobody listens now, and that the system gives to nobody who asks for any.

    Between this look and the child's own bind other processes open connections by the hundred.
    """
    for port in random.sample(_UNASSIGNED_PORTS, 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((host, port))
            return port
    raise TemporarilyUnavailable("port_busy", f"no port on {host} is free")


def require_port(host: str, port: int, *, field: str) -> None:
    """That we may listen there.

    Raises: TemporarilyUnavailable (``port_busy``) naming the port.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            raise TemporarilyUnavailable(
                "port_busy", f"port {port} on {host} cannot be used: {error.strerror}", field=field
            ) from None


async def wait_for_signal() -> None:
    """Return when this process gets SIGINT or SIGTERM."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        await stop.wait()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=2)) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _died(code: int) -> str:
    if code < 0:
        return f"was killed by signal {-code}"
    return f"ended with code {code}"
