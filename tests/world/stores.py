"""The record store of a reader on the world's disk: framed records, a boot number, a mark.

A record counts once it is synced. What a power cut tore at the end is cut off at the next start.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from transitpay.ride_code.reader import Memory
from transitpay.ride_code.records.record_bytes import parse

from .disks import Disk

_RECORDS, _BOOT, _MARK = "records", "boot", "acknowledged"


@dataclass(slots=True)
class RecordStore:
    """Positions begin at 1; position p is the p-th record of the file."""

    disk: Disk
    capacity: int
    records: list[bytes]
    clean: bool = True
    #: Records up to this position survive a power cut.
    synced: int = 0

    @staticmethod
    def opened(disk: Disk, capacity: int) -> RecordStore:
        """The store as the disk holds it, with a new boot number already on it."""
        found = RecordStore(disk, capacity, [])
        data, offset = disk.read(_RECORDS), 0
        while (record := _record_at(data, offset)) is not None:
            found.records.append(record)
            offset += 8 + len(record)
        if offset != len(data):
            disk.replace(_RECORDS, data[:offset])
        found.synced = len(found.records)
        disk.replace(_BOOT, (found.boot + 1).to_bytes(4, "big"))
        return found

    @property
    def boot(self) -> int:
        """The number of this start."""
        return int.from_bytes(self.disk.read(_BOOT), "big")

    @property
    def acknowledged(self) -> int:
        """Every record up to this position has reached the gateway."""
        return int.from_bytes(self.disk.read(_MARK), "big")

    def memory(self, ended_clean: bool) -> Memory:
        """What the reader is told when it starts."""
        records = [parse(it) for it in self.records]
        unsent = next((r.at for r in records if r.position > self.acknowledged), None)
        return Memory(
            boot=self.boot,
            ended_clean=ended_clean,
            last_position=len(self.records),
            acknowledged=self.acknowledged,
            capacity=self.capacity,
            records=records,
            unsent_at=unsent,
        )

    def append(self, data: bytes) -> None:
        """Write a record; durable only after ``sync``."""
        self.disk.append(_RECORDS, len(data).to_bytes(4, "big") + _sum(data) + data)
        self.records.append(data)

    def sync(self) -> None:
        """Everything written is durable."""
        self.disk.sync(_RECORDS)
        self.synced = len(self.records)

    def acknowledge(self, position: int) -> None:
        """The gateway has everything up to here."""
        self.disk.replace(_MARK, position.to_bytes(8, "big"))

    def part(self, first: int, limit: int) -> list[bytes]:
        """Records from a position on."""
        return self.records[first - 1 : first - 1 + limit]


def _record_at(data: bytes, offset: int) -> bytes | None:
    length = int.from_bytes(data[offset : offset + 4], "big")
    record = data[offset + 8 : offset + 8 + length]
    whole = length > 0 and len(record) == length
    return record if whole and data[offset + 4 : offset + 8] == _sum(record) else None


def _sum(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "big")
