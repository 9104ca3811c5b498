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
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import uvloop
from _world import World, cpu_s, serving

from transitpay.postgres.server.embedded import EmbeddedPostgres
from transitpay.ride_code import keys, layout, signing
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
from transitpay.runtime.config import Settings
from transitpay.runtime.supervisor import free_port
from transitpay.taps import Direction

TARGET = 0.75
RECORDS = 500
_ROUND_LIMIT_S = 120
_STORED = """
select count(*)
from tap t join tap_record r using (tapped_day, reader, sequence)
where t.decision = 'accepted' and r.difference is null
"""


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


async def enrol_keys(world: World, session: aiohttp.ClientSession) -> list[Reader]:
    """The world's readers, each with a key that the gateway knows."""
    readers = [Reader(name, token) for name, token in world.tokens.items()]
    for it in readers:
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
    return readers


Batches = list[tuple[Reader, list[str], bytes]]


@dataclass
class Round:
    """Records a second, and processor time for each."""

    per_s: float
    cpu_us: float


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
        readers = await enrol_keys(world, session)
        for n in range(rounds + 1):
            now = whole_ms(datetime.now(UTC))
            batches = []
            for reader in readers:
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
            with serving(port, settings) as pid:
                found = uvloop.run(measure(world, port, pid, rounds, per_reader))
            stored = asyncio.run(world.number(_STORED))
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
