"""A live gateway, a network that can be cut, and example readers that run as processes."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from transitpay.money import HKD
from transitpay.postgres.reference import Participant, ReaderRegistration
from transitpay.ride_code import keys, layout, signing
from transitpay.ride_code.layout import Authorisation, RideCode
from transitpay.runtime import access
from transitpay.taps import Direction

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
READERS = (
    ReaderRegistration("gate-1", "mtr", "mtr", 0, 0, "HUH", Direction.ENTRY),
    ReaderRegistration("bus-9", "kmb", "kmb", 0, 1, "DEPOT", Direction.SINGLE),
)


@dataclass
class Proxy:
    """A TCP road to the gateway; ``cut`` drops what is on it and refuses what comes.

    ``back_s`` holds up each answer; ``hanging`` swallows what is sent, and nothing comes back.
    """

    to_port: int
    back_s: float = 0.0
    hanging: bool = False
    port: int = 0
    roads: set[asyncio.StreamWriter] = field(default_factory=set)
    server: asyncio.Server | None = None

    async def mend(self) -> None:
        self.server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self.server is not None
        self.server.close()
        for road in list(self.roads):
            road.transport.abort()
        self.server = None

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.to_port)
        self.roads |= {writer, back}
        try:
            await asyncio.gather(self._there(reader, back), self._back(there, writer))
        finally:
            self.roads -= {writer, back}

    async def _there(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                if not self.hanging:
                    sink.write(data)
                    await sink.drain()
        sink.close()

    async def _back(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                await asyncio.sleep(self.back_s)
                sink.write(data)
                await sink.drain()
        sink.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass
class Example:
    """One run of an example; lines go in and come out."""

    child: asyncio.subprocess.Process

    @staticmethod
    async def run(script: str, token: str, *arguments: str) -> Example:
        child = await asyncio.create_subprocess_exec(
            sys.executable, str(EXAMPLES / script), *arguments,
            env={**os.environ, "TOKEN": token},
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        return Example(child)

    async def says(self) -> str:
        assert self.child.stdout is not None
        line = await asyncio.wait_for(self.child.stdout.readline(), 30)
        return line.decode().rstrip("\n")

    async def hears(self, line: str) -> str:
        """Put a line in; what comes out."""
        assert self.child.stdin is not None
        self.child.stdin.write(line.encode() + b"\n")
        await self.child.stdin.drain()
        return await self.says()

    async def end(self) -> tuple[int, str]:
        assert self.child.stdin is not None
        self.child.stdin.close()
        said = await self.says()
        return await asyncio.wait_for(self.child.wait(), 30), said

    async def kill(self) -> None:
        if self.child.returncode is None:
            self.child.kill()
        await self.child.wait()


@dataclass
class Riders:
    """Phones, each with one code, of the issuer key that the gateway hosts."""

    folder: Path

    def code(self, *, age_s: int = 0, rider: str | None = None, **changes: Any) -> str:
        issuer = keys.load_issuer_pem((self.folder / "issuer-1.pem").read_bytes())
        device, now = keys.generate_device_key(), int(datetime.now(UTC).timestamp())
        it = Authorisation(
            1, rider or os.urandom(8).hex(), 1, keys.public_bytes(device), now - 3600, 72, 60, 500,
            HKD, 3, 3, 0, 0, 2000,
        )  # fmt: skip
        code = RideCode(it, signing.sign_authorisation(it, issuer), now - age_s, 1, 0)
        return layout.write_text(layout.encode(signing.sign_code(code, device)))


async def enrol(db: Any) -> dict[str, str]:
    """A wallet, its issuer key, two operators and their readers; the readers' tokens."""
    conn, at = await db.connect("transitpay_gateway"), datetime.now(UTC)
    await access.enrol_participant(conn, Participant("alipayhk", "wallet", "W", "HKD"), at)
    await access.enrol_issuer_key(
        conn, "alipayhk", 1, db.settings.home / "keys", at, destinations=3, modes=3
    )
    tokens = {}
    for reader in READERS:
        it = Participant(reader.operator, "operator", reader.operator, "HKD")
        await access.enrol_participant(conn, it, at)
        made = await access.register_reader(conn, reader, at)
        assert made.token is not None
        tokens[reader.id] = made.token
    return tokens
