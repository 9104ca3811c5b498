"""Measures sealed batches through one gateway process, durable before the answer, against a floor.

The floor is the bare cryptography of the same batches in the same run: of each record, whose
authorisation was never seen before, two verifications and one key load; of each batch the
verification of its seal. Floor and figure alternate, each is the median of the rounds. The gateway
parses, chains, judges again, decides and stores in PostgreSQL (embedded, fsync on). Where other
work shares the machine, the processor time of both tells more than the rates: it is printed too.

    python bench/upload.py [--json] [--quick] [--readers 4]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import uvloop

from transitpay.destinations import bitmap
from transitpay.money import HKD
from transitpay.postgres import pool, schema
from transitpay.postgres.embedded import EmbeddedPostgres
from transitpay.postgres.reference import Participant, ReaderRegistration
from transitpay.ride_code import keys, layout, signing
from transitpay.ride_code.layout import Authorisation, RideCode
from transitpay.ride_code.records.record import (
    DecidedBy,
    Decision,
    ListVersions,
    Mode,
    Place,
    ScanRecord,
)
from transitpay.ride_code.records.record_bytes import encode, whole_ms
from transitpay.ride_code.records.sealed_batch import (
    chain_end,
    chain_start,
    encode_head,
    head_of,
    parse_batch,
    seal,
)
from transitpay.runtime import access
from transitpay.runtime.config import Settings, child_environment
from transitpay.taps import Direction

TARGET = 0.75
RECORDS = 500
_ROUND_LIMIT_S = 120


@dataclass
class Reader:
    """A reader with its key and the end of its chain."""

    id: str
    token: str
    key: signing.DevicePrivateKey = field(default_factory=keys.generate_device_key)
    position: int = 1
    end: bytes = b""

    def batch(self, codes: list[str], now: datetime) -> bytes:
        """These codes as the reader's next sealed batch."""
        records = [
            encode(
                ScanRecord(
                    self.position + n, now, 0, 2**32 + self.position + n, Direction.ENTRY,
                    DecidedBy.READER, Decision.ACCEPTED, None, (), Mode.NORMAL,
                    ListVersions(2, 1, 0), Place("HUH"), None, code.encode(),
                )
            )
            for n, code in enumerate(codes)
        ]  # fmt: skip
        head = encode_head(head_of(self.id, 1, self.position, self.end, records, now, 0))
        self.position += len(records)
        self.end = chain_end(self.end, records)
        return seal(head, signing.sign_batch(head, self.key), records)


@dataclass
class World:
    """An enrolled database, its readers, and codes for them."""

    settings: Settings
    count: int
    readers: list[Reader] = field(default_factory=list)

    async def enrol(self) -> None:
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
            self.readers.append(Reader(reader.id, made.token or ""))
        await access.enrol_issuer_key(
            conn, "alipayhk", 1, folder, at, destinations=bitmap([0]), modes=bitmap([0])
        )
        self.issuer = keys.load_issuer_pem((folder / "issuer-1.pem").read_bytes())
        await conn.close()

    async def enrol_keys(self, session: aiohttp.ClientSession) -> None:
        for it in self.readers:
            public = keys.public_bytes(it.key)
            it.end = chain_start(it.id, public)
            body = {
                "public_key": public.hex(),
                "proof": signing.prove_reader_key(it.id, it.key).hex(),
                "software": "bench",
            }
            headers = {"Authorization": f"Bearer {it.token}"}
            async with session.post("/v1/readers/enrol", json=body, headers=headers) as answer:
                assert answer.status == 200, await answer.text()

    def code(self, now: datetime) -> str:
        device, second = keys.generate_device_key(), int(now.timestamp())
        it = Authorisation(
            1, os.urandom(8).hex(), 1, keys.public_bytes(device), second - 60, 72, 60, 500, HKD,
            1, 1, 0, 0, 2000,
        )  # fmt: skip
        code = RideCode(it, signing.sign_authorisation(it, self.issuer), second, 1, 0)
        return layout.write_text(layout.encode(signing.sign_code(code, device)))

    async def stored(self) -> int:
        conn = await pool.connect(self.settings.dsn("transitpay_gateway"))
        found = await conn.fetchval(
            "select count(*) from tap t join tap_record r using (tapped_day, reader, sequence)"
            " where t.decision = 'accepted' and r.difference is null"
        )
        await conn.close()
        return int(found)


Batches = list[tuple[Reader, list[str], bytes]]


@dataclass
class Round:
    """Records a second, and processor time for each."""

    per_s: float
    cpu_us: float


def cpu_s(pid: int) -> float:
    """The processor time that a process has used."""
    told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def floor(world: World, batches: Batches) -> Round:
    """The cryptography alone."""
    issuer = signing.IssuerVerifier(world.issuer.public_key())
    raws = [[layout.read_text(code) for code in codes] for _, codes, _ in batches]
    sealed = [(reader, parse_batch(body)) for reader, _, body in batches]
    loaded = {reader.id: reader.key.public_key() for reader, _ in sealed}
    started, used = time.perf_counter(), time.process_time()
    for (reader, batch), codes in zip(sealed, raws, strict=True):
        assert signing.batch_accepts(loaded[reader.id], batch.signature, batch.signed)
        for raw in codes:
            assert issuer.accepts(raw[65:129], raw[:65])
            device = signing.load_point(raw[15:48])
            assert device and signing.device_accepts(device, raw[136:], raw[:136])
    count = RECORDS * len(batches)
    used = time.process_time() - used
    return Round(count / (time.perf_counter() - started), 1e6 * used / count)


async def figure(session: aiohttp.ClientSession, batches: Batches, pid: int) -> Round:
    """Through the gateway: each reader sends its batches one after the other."""

    async def lane(reader: Reader) -> None:
        headers = {
            "Authorization": f"Bearer {reader.token}",
            "Content-Type": "application/octet-stream",
        }
        for other, _, body in batches:
            if other is not reader:
                continue
            async with session.post("/v1/readers/records", data=body, headers=headers) as answer:
                found = await answer.json()
                assert answer.status == 200 and not found["differences"], found
                assert found["acknowledged_through"] == found["last_position"]

    started, used = time.perf_counter(), cpu_s(pid)
    async with asyncio.timeout(_ROUND_LIMIT_S):
        await asyncio.gather(*map(lane, {id(r): r for r, _, _ in batches}.values()))
    count = RECORDS * len(batches)
    used = cpu_s(pid) - used
    return Round(count / (time.perf_counter() - started), 1e6 * used / count)


async def measure(
    world: World, port: int, pid: int, rounds: int, per_reader: int
) -> dict[str, list[Round]]:
    """Rounds of both in turn; the first warms up and is not counted."""
    found: dict[str, list[Round]] = {"floor": [], "gateway": []}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        await world.enrol_keys(session)
        for n in range(rounds + 1):
            now = whole_ms(datetime.now(UTC))
            batches = []
            for reader in world.readers:
                for _ in range(per_reader):
                    codes = [world.code(now) for _ in range(RECORDS)]
                    batches.append((reader, codes, reader.batch(codes, now)))
            for name, rate in (
                ("floor", floor(world, batches)),
                ("gateway", await figure(session, batches, pid)),
            ):
                if n:
                    found[name].append(rate)
                print(
                    f"  {name}: {rate.per_s:,.0f} records/s, {rate.cpu_us:.0f} us each",
                    file=sys.stderr,
                )
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def gateway(port: int, settings: Settings) -> Iterator[int]:
    """The id of one gateway process, until the block ends."""
    env = child_environment(settings) | {"TRANSITPAY_GATEWAY_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "gateway"], env=env)
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


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--readers", type=int, default=4, help="that upload at the same time")
    given = parser.parse_args()
    rounds, per_reader = (2, 1) if given.quick else (5, 2)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder), log_level="warning")
        world = World(settings, given.readers)
        with EmbeddedPostgres(settings.home):
            asyncio.run(world.enrol())
            port = free_port()
            with gateway(port, settings) as pid:
                found = uvloop.run(measure(world, port, pid, rounds, per_reader))
            stored = asyncio.run(world.stored())
    rates = {name: statistics.median(r.per_s for r in them) for name, them in found.items()}
    used = {name: statistics.median(r.cpu_us for r in them) for name, them in found.items()}
    sent = (rounds + 1) * per_reader * given.readers * RECORDS
    result = {
        "bench": "upload",
        "records_per_s": round(rates["gateway"]),
        "floor_per_s": round(rates["floor"]),
        "ratio": round(rates["gateway"] / rates["floor"], 3),
        "target": TARGET,
        "gateway_cpu_us": round(used["gateway"]),
        "floor_cpu_us": round(used["floor"]),
        "readers": given.readers,
        "records_sent": sent,
        "records_stored": stored,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    print(json.dumps(result, indent=None if given.json else 2))
    return 0 if stored == sent else 1


if __name__ == "__main__":
    sys.exit(main())
