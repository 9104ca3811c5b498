"""A reader of the tests: it keeps a chain of records and seals batches with its own key."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from gateway_world import World

from transitpay.ride_code import keys, signing
from transitpay.ride_code.reasons import Reason
from transitpay.ride_code.records.record import (
    BootRecord,
    DecidedBy,
    Decision,
    EventKind,
    EventRecord,
    ListVersions,
    Mode,
    OutcomeRecord,
    Passage,
    Place,
    Record,
    ScanRecord,
)
from transitpay.ride_code.records.record_bytes import encode
from transitpay.ride_code.records.sealed_batch import (
    chain_next,
    chain_start,
    encode_head,
    head_of,
    seal,
)
from transitpay.ride_code.signing import DevicePrivateKey
from transitpay.taps import Direction


@dataclass
class SealingReader:
    """``hashes[n]`` is the hash of record n; before the first it is the start of the chain."""

    world: World
    id: str
    direction: Direction = Direction.ENTRY
    key: DevicePrivateKey = field(default_factory=keys.generate_device_key)
    key_number: int = 1
    first_position: int = 1
    sequence: int = 2**32
    records: list[bytes] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)
    versions: ListVersions = field(default_factory=lambda: ListVersions(3, 1, 1))

    async def enrol(self, client: Any) -> SealingReader:
        public = keys.public_bytes(self.key)
        body = {
            "public_key": public.hex(),
            "proof": signing.prove_reader_key(self.id, self.key).hex(),
            "software": "gate 2.1",
        }
        headers = self.world.auth(self.id)
        async with client.post("/v1/readers/enrol", json=body, headers=headers) as answer:
            found = await answer.json()
            assert answer.status == 200, found
        self.key_number, self.first_position = found["key_number"], found["first_position"]
        self.records, self.hashes = [], [chain_start(self.id, public)]
        self.world.starts[self.id] = self.hashes[0]
        return self

    def copy(self) -> SealingReader:
        """A reader with the same key and the same records: a clone."""
        return replace(self, records=list(self.records), hashes=list(self.hashes))

    @property
    def position(self) -> int:
        """The position of the next record."""
        return self.first_position + len(self.records)

    def write(self, record: Record) -> Record:
        data = encode(record)
        self.records.append(data)
        self.hashes.append(chain_next(self.hashes[-1], data))
        return record

    def scan(self, code: str | bytes, at: datetime | None = None, **changes: Any) -> ScanRecord:
        """Write down a scan for which the gate opened, unless ``changes`` say otherwise."""
        if "sequence" not in changes:
            self.sequence += 1
        reason: Reason | None = changes.pop("reason", None)
        refused = Decision.ACCEPTED if reason is None else Decision.REFUSED
        made = ScanRecord(
            self.position, at or self.world.clock.at, changes.pop("uncertainty_s", 0),
            changes.pop("sequence", self.sequence), changes.pop("direction", self.direction),
            DecidedBy.READER, refused, reason, (), Mode.NORMAL, self.versions,
            Place(), None, code.encode() if isinstance(code, str) else code,
        )  # fmt: skip
        made = made._replace(**changes)
        self.write(made)
        return made

    def outcome(self, sequence: int, passage: Passage, at: datetime | None = None) -> None:
        at = at or self.world.clock.at
        self.write(OutcomeRecord(self.position, at, 0, sequence, passage))

    def event(self, kind: EventKind, count: int = 0) -> None:
        self.write(EventRecord(self.position, self.world.clock.at, 0, kind, count))

    def boot(self) -> None:
        self.write(BootRecord(self.position, self.world.clock.at, 0, 1, True, "gate 2.1"))

    def sealed(self, first: int | None = None, last: int | None = None, **changes: Any) -> bytes:
        """The records from ``first`` to ``last`` (both included) as a batch."""
        first = first or self.first_position
        start = first - self.first_position
        end = len(self.records) if last is None else last - self.first_position + 1
        head = head_of(
            self.id, self.key_number, first, self.hashes[start], self.records[start:end],
            changes.pop("sealed_at", self.world.clock.at), 0,
        )  # fmt: skip
        key = changes.pop("key", self.key)
        raw = encode_head(replace(head, **changes))
        return seal(raw, signing.sign_batch(raw, key), self.records[start:end])

    async def upload(self, client: Any, body: bytes | None = None, status: int = 200) -> Any:
        """Send a batch, all records if none is given."""
        headers = {**self.world.auth(self.id), "Content-Type": "application/octet-stream"}
        data = self.sealed() if body is None else body
        async with client.post("/v1/readers/records", data=data, headers=headers) as answer:
            found = await answer.json()
            assert answer.status == status, found
            return found
