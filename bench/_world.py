"""A gateway process over an embedded PostgreSQL with enrolled readers, for benches that ask it.

Every code is of a rider and a phone never seen before.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from transitpay.destinations import bitmap
from transitpay.money import HKD
from transitpay.postgres import pool, schema
from transitpay.postgres.reference import Participant, ReaderRegistration
from transitpay.ride_code import keys, layout, signing
from transitpay.ride_code.layout import Authorisation, RideCode
from transitpay.runtime import access
from transitpay.runtime.config import Settings, child_environment
from transitpay.taps import Direction

GATEWAY = ("-m", "gateway")


@dataclass
class World:
    """An enrolled database, the token of each of its ``count`` readers, and codes for them."""

    settings: Settings
    count: int
    tokens: dict[str, str] = field(default_factory=dict)

    async def enrol(self) -> None:
        """A wallet with its issuer key, an operator and its readers."""
        await schema.init(self.settings.admin_dsn(), at=datetime.now(UTC))
        conn = await pool.connect(self.settings.dsn("transitpay_gateway"))
        at, folder = datetime.now(UTC), self.settings.home / "keys"
        for it in (
            Participant("alipayhk", "wallet", "Wallet", "HKD"),
            Participant("mtr", "operator", "Operator", "HKD"),
        ):
            await access.enrol_participant(conn, it, at)
        for n in range(self.count):
            reader = ReaderRegistration(f"gate-{n}", "mtr", "mtr", 0, 0, "HUH", Direction.ENTRY)
            made = await access.register_reader(conn, reader, at)
            self.tokens[reader.id] = made.token or ""
        await access.enrol_issuer_key(
            conn, "alipayhk", 1, folder, at, destinations=bitmap([0]), modes=bitmap([0])
        )
        self.issuer = keys.load_issuer_pem((folder / "issuer-1.pem").read_bytes())
        await conn.close()

    def code(self, now: datetime) -> str:
        """The code of a new rider with a new phone."""
        device, second = keys.generate_device_key(), int(now.timestamp())
        it = Authorisation(
            1, os.urandom(8).hex(), 1, keys.public_bytes(device), second - 60, 72, 60, 500, HKD,
            1, 1, 0, 0, 2000,
        )  # fmt: skip
        code = RideCode(it, signing.sign_authorisation(it, self.issuer), second, 1, 0)
        return layout.write_text(layout.encode(signing.sign_code(code, device)))

    async def number(self, query: str) -> int:
        """The one number that the gateway's role reads by this query."""
        conn = await pool.connect(self.settings.dsn("transitpay_gateway"))
        found = await conn.fetchval(query)
        await conn.close()
        return int(found)


def cpu_s(pid: int) -> float:
    """The processor time that a process has used."""
    told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(port: int, settings: Settings, command: tuple[str, ...] = GATEWAY) -> Iterator[int]:
    """The id of a server's own process that listens there, until the block ends."""
    env = child_environment(settings) | {"TRANSITPAY_GATEWAY_PORT": str(port)}
    process = subprocess.Popen([sys.executable, *command], env=env)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        time.sleep(1.5)  # the lists are polled each second
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
