"""Children are started, restarted with a word, and gone when their supervisor's block ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from transitpay.errors import TemporarilyUnavailable
from transitpay.runtime.supervisor import ChildSpec, Supervisor, free_port, require_port

SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"ok")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def server(port: int, name: str = "server") -> ChildSpec:
    return ChildSpec(
        name,
        (sys.executable, "-c", SERVER, str(port)),
        dict(os.environ),
        f"http://127.0.0.1:{port}/healthz",
    )


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def pid_of(supervisor: Supervisor, name: str, other_than: int | None = None) -> int:
    """The child's process once there is one; ``other_than`` has died."""
    for _ in range(3000):
        pid = supervisor.pids().get(name)
        if pid not in (None, other_than):
            return pid
        await asyncio.sleep(0.02)
    raise AssertionError(f"{name} was not started")


async def test_a_child_is_ready_when_start_returns_and_gone_after_the_block(tmp_path: Path) -> None:
    port = free_port()
    async with Supervisor(tmp_path, lambda _: None) as supervisor:
        await supervisor.start(server(port))
        pid = supervisor.pids()["server"]
        assert json.loads((tmp_path / "run" / "pids.json").read_text()) == {"server": pid}
        with socket.create_connection(("127.0.0.1", port)):
            pass
    assert not alive(pid)
    assert json.loads((tmp_path / "run" / "pids.json").read_text()) == {}
    assert (tmp_path / "log" / "server.log").exists()


async def test_a_killed_child_is_started_again_and_the_user_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    event = asyncio.Event()

    def tell(text: str) -> None:
        told.append(text)
        event.set()

    async with Supervisor(tmp_path, tell) as supervisor:
        await supervisor.start(server(free_port()))
        first = supervisor.pids()["server"]
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(60):
            await event.wait()
            again = await pid_of(supervisor, "server", first)
        assert alive(again)
        assert supervisor.restarts == 1
    assert told == ["server was killed by signal 9; starting it again"]
    assert not alive(again)


async def test_a_child_that_is_killed_before_it_is_ready_is_started_again(tmp_path: Path) -> None:
    told: list[str] = []
    port = free_port()
    slow = ChildSpec(
        "slow",
        (sys.executable, "-c", "import time; time.sleep(0.7)\n" + SERVER, str(port)),
        dict(os.environ),
        f"http://127.0.0.1:{port}/healthz",
    )
    async with Supervisor(tmp_path, told.append) as supervisor:
        starting = asyncio.create_task(supervisor.start(slow))
        async with asyncio.timeout(60):
            first = await pid_of(supervisor, "slow")
            os.kill(first, signal.SIGKILL)
            await starting
        assert supervisor.pids()["slow"] != first and supervisor.restarts == 1
    assert told == ["slow was killed by signal 9; starting it again"]


async def test_children_are_ended_also_when_the_block_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        async with Supervisor(tmp_path, lambda _: None) as supervisor:
            await supervisor.start(server(free_port()))
            pid = supervisor.pids()["server"]
            raise RuntimeError
    assert not alive(pid)


async def test_a_child_that_ends_at_once_is_one_error_with_its_last_line(tmp_path: Path) -> None:
    spec = ChildSpec(
        "broken",
        (sys.executable, "-c", "import sys; sys.exit('no such setting')"),
        dict(os.environ),
        f"http://127.0.0.1:{free_port()}/healthz",
    )
    async with Supervisor(tmp_path, lambda _: None) as supervisor:
        with pytest.raises(TemporarilyUnavailable, match="ended with code 1: no such setting"):
            await supervisor.start(spec)


SUPERVISE = """
import asyncio, os, sys
from pathlib import Path
from transitpay.runtime.supervisor import ChildSpec, Supervisor
async def main():
    async with Supervisor(Path(sys.argv[1]), lambda _: None) as it:
        await it.start(ChildSpec("sleeper", ("sleep", "60"), dict(os.environ)))
        print(it.pids()["sleeper"], flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_no_child_outlives_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SUPERVISE, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert supervisor.stdout is not None
    child = int(await supervisor.stdout.readline())
    assert alive(child)
    supervisor.kill()
    await supervisor.wait()
    for _ in range(200):
        if _state(child) == "Z":
            break
        await asyncio.sleep(0.05)
    assert _state(child) == "Z"


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


def test_a_free_port_is_free_and_none_that_systems_hand_out() -> None:
    ports = {free_port() for _ in range(20)}
    assert len(ports) > 10 and ports <= {*range(20_000, 32_000)}
    for port in ports:
        require_port("127.0.0.1", port, field="--port")


def test_a_busy_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        with pytest.raises(TemporarilyUnavailable, match=f"port {port}") as refused:
            require_port("127.0.0.1", port, field="--port")
    assert refused.value.field == "--port"
    require_port("127.0.0.1", port, field="--port")
