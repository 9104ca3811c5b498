"""The world's tap log and PostgreSQL give the same answers and hold the same rows afterwards."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from luck import seeds

from gateway.database import Database
from gateway.readers.record_log import RecordLog
from gateway.readers.uploads import Told, Upload
from gateway.taps.deciding import StateRules
from gateway.taps.partitions import Partitions
from gateway.taps.scans import JudgedScan, Stored, Tier, judged_scan, request_digest
from gateway.taps.tap_log import store_group
from transitpay.money import HKD
from transitpay.postgres import reference
from transitpay.postgres.gates import taps
from transitpay.postgres.gates.taps import TapRow
from transitpay.postgres.reference import Actor, Participant, ReaderRegistration, Role
from transitpay.ride_code.layout import Authorisation, RideCode
from transitpay.ride_code.reasons import Reason
from transitpay.ride_code.records.record import DecidedBy, Decision, ListVersions, Place, ScanRecord
from transitpay.ride_code.records.rejudgement import Deed, Judged
from transitpay.ride_code.verdict import Accepted, Rejected, ReplayKey
from transitpay.runtime.observe import EventLog
from transitpay.taps import Direction, RiderRef, Scan, TapKey

from .memory_log import MemoryTapLog

AT = datetime(2026, 10, 30, 1, 0, tzinfo=UTC)
DEBOUNCE = timedelta(seconds=2)
READERS = [
    ReaderRegistration("in-1", "mtr", "mtr", 0, 0, "HUH", Direction.ENTRY, passback_s=300),
    ReaderRegistration("in-2", "mtr", "mtr", 0, 0, "LOW", Direction.ENTRY, passback_s=300),
    ReaderRegistration("out-1", "mtr", "mtr", 0, 0, "LMC", Direction.EXIT, passback_s=300),
    ReaderRegistration("bus-1", "kmb", "kmb", 0, 1, "B1", Direction.BOARD, passback_s=5),
]

DEEDS = [
    Deed(Decision.ACCEPTED, None),
    Deed(Decision.ACCEPTED, None),
    Deed(Decision.ACCEPTED, None, DecidedBy.GATEWAY),
    Deed(Decision.REFUSED, Reason.PASSBACK),
    Deed(Decision.REFUSED, Reason.REPLAY),
    Deed(Decision.ALREADY_ANSWERED, Reason.ALREADY_ANSWERED),
]


class RandomScans:
    """Scans of few riders, codes, readers, sequences and seconds, so that everything collides."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.made: list[tuple[Scan, ReaderRegistration, Accepted | Rejected]] = []

    def group(self) -> list[JudgedScan]:
        return [self.scan() for _ in range(self.chance.randint(1, 14))]

    def scan(self) -> JudgedScan:
        """A new request, or an old one asked again."""
        again = self.made and self.chance.random() < 0.35
        scan, reader, verdict = self.chance.choice(self.made) if again else self.new_request()
        who = verdict.rider if isinstance(verdict, Accepted) else None
        key = TapKey(scan.at.date(), reader.id, scan.sequence)
        return judged_scan(scan, key, reader, verdict, who, AT, dict)

    def uploads(self) -> list[Upload]:
        """What one reader uploads: its scans that were asked online, and others; some twice."""
        reader = self.chance.choice(READERS)
        number = self.chance.randint(1, 10)
        mine = [it for it in self.made if it[1] is reader]
        found = []
        for _ in range(number):
            again = mine and self.chance.random() < 0.5
            found.append(self.chance.choice(mine) if again else self.new_request(reader))
        return [self.upload(*it) for it in found]

    def upload(
        self, scan: Scan, reader: ReaderRegistration, verdict: Accepted | Rejected
    ) -> Upload:
        # What a reader did with a scan is written once: it follows from the request.
        did = random.Random(f"{reader.id} {scan.sequence}").choice(DEEDS)
        key = TapKey(scan.at.date(), reader.id, scan.sequence)
        row = TapRow(
            key, scan.at, AT, 0, reader.operator, reader.network, reader.stop, reader.direction,
            None, None, None, Tier.BATCH, did.opened, request_digest(scan), scan.code.encode(),
            None, did.decision, None, (),
        )  # fmt: skip
        record = ScanRecord(
            1, scan.at, 0, scan.sequence, reader.direction, did.decided_by, did.decision,
            did.reason, (), did.mode, ListVersions(), Place(), None, scan.code.encode(),
        )  # fmt: skip
        return Upload(row, record, None, did, Judged(verdict))

    def new_request(
        self, reader: ReaderRegistration | None = None
    ) -> tuple[Scan, ReaderRegistration, Accepted | Rejected]:
        chance = self.chance
        reader = reader or chance.choice(READERS)
        at = AT + timedelta(seconds=chance.choice([0, 1, 2, 3, 4, 6, 200, 299, 300, 301, 900]))
        rider, slot, counter = chance.randrange(3), chance.randrange(2), chance.randrange(1, 9)
        verdict = self.verdict(rider, slot, counter)
        scan = Scan(
            reader.id, chance.randrange(1, 60), at, f"{rider} {slot} {counter}", reader.direction,
            reader.network, reader.stop,
        )  # fmt: skip
        self.made.append((scan, reader, verdict))
        return self.made[-1]

    def verdict(self, rider: int, slot: int, counter: int) -> Accepted | Rejected:
        if self.chance.random() < 0.1:
            return Rejected(Reason.CODE_STALE)
        device, rider_id = bytes([2, *([rider] * 32)]), f"{rider:016x}"
        allowed = Authorisation(
            1, rider_id, 1, device, int(AT.timestamp()) - 60, 24, 60, 200, HKD, 3, 3, 0, 2, 2000
        )
        code = RideCode(allowed, bytes(64), int(AT.timestamp()), counter, 0, slot, bytes(64))
        replay_key = ReplayKey(device, allowed.not_before, 1, counter)
        flags = (Reason.DENIED,) if self.chance.random() < 0.1 else ()
        return Accepted(code, "alipayhk", RiderRef("alipayhk", rider_id, slot), replay_key, flags)


async def table(conn: Any, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await conn.fetch(query)]


async def rows_of_postgresql(conn: Any) -> list[list[tuple[Any, ...]]]:
    return [
        await table(
            conn,
            "select reader, sequence, decision, reason, array_to_string(flags, ','),"
            " reader_opened, tier from tap order by reader, sequence",
        ),
        await table(
            conn,
            "select device_key, counter, reader, sequence from code_use"
            " order by device_key, counter",
        ),
        await table(
            conn,
            "select rider_id, slot, network, at, reader, direction, online from presence"
            " order by rider_id, slot, network",
        ),
        await table(
            conn, "select reader, sequence, request_digest from clone_alarm order by 1, 2, 3"
        ),
    ]


def rows_of_memory(log: MemoryTapLog) -> list[list[tuple[Any, ...]]]:
    return [
        sorted(
            (k.reader, k.sequence, row.decision, row.reason, ",".join(row.flags),
             row.reader_opened, row.tier)
            for k, row in log.taps.items()
        ),
        sorted((c.device_key, c.counter, u.tap.reader, u.tap.sequence)
               for c, u in log.uses.items()),
        sorted(
            (rider.rider_id, rider.slot, network, p.at, p.reader, p.direction, p.online)
            for rider, places in log.places.items()
            for network, p in places.items()
        ),
        sorted((k.reader, k.sequence, digest) for k, digest in log.alarms),
    ]  # fmt: skip


@pytest.mark.parametrize("seed", seeds(*range(8)))
async def test_random_groups_have_the_same_outcomes_in_memory_and_in_postgresql(
    db: Any, seed: int
) -> None:
    conn = await db.connect("transitpay_gateway")
    await taps.ensure_partitions(conn, AT.date() - timedelta(2), AT.date() + timedelta(2))
    scans, memory = RandomScans(seed), MemoryTapLog(DEBOUNCE)
    seen: set[Stored] = set()
    for _ in range(30):
        group = scans.group()
        told = await store_group(conn, group, StateRules(DEBOUNCE))
        assert memory.append(group) == told
        seen |= {outcome.stored for outcome in told}
    assert seen == {Stored.NEW, Stored.KNOWN, Stored.CONFLICT}
    assert rows_of_memory(memory) == await rows_of_postgresql(await db.connect())


@pytest.mark.parametrize("seed", seeds(*range(8)))
async def test_random_uploads_between_them_have_the_same_outcomes_too(db: Any, seed: int) -> None:
    owner = await db.connect()
    for operator in ("mtr", "kmb"):
        await reference.put_participant(owner, Participant(operator, "operator", operator, "HKD"))
    for reader in READERS:
        actor = Actor(reader.id, reader.id, Role.READER, reader.operator)
        await reference.put_actor(owner, actor)
        await reference.put_reader(owner, reader)
    database = Database(db.settings)
    records = RecordLog(database, Partitions(database), DEBOUNCE, EventLog("test"))
    conn = await db.connect("transitpay_gateway")
    await taps.ensure_partitions(conn, AT.date() - timedelta(2), AT.date() + timedelta(2))
    scans, memory = RandomScans(seed), MemoryTapLog(DEBOUNCE)
    seen: set[Stored] = set()
    for _ in range(20):
        group = scans.group()
        assert memory.append(group) == await store_group(conn, group, StateRules(DEBOUNCE))
        uploads = scans.uploads()
        reader = next(it for it in READERS if it.id == uploads[0].key.reader)
        told = await records.store_loose(reader, uploads, Told(), AT)
        assert memory.upload(uploads, Told()) == told
        seen |= {outcome.stored for outcome in told}
    await database.close()
    assert seen == {Stored.NEW, Stored.KNOWN, Stored.CONFLICT}
    assert rows_of_memory(memory) == await rows_of_postgresql(owner)
    stored = await table(
        owner, "select reader, sequence, difference, liable from tap_record order by 1, 2"
    )
    assert stored == sorted(
        (k.reader, k.sequence, it.word.difference, it.word.liable)
        for k, it in memory.records.items()
    )
