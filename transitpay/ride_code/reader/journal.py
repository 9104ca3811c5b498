"""The end of the record chain: gives each record its position and keeps the count of the store."""

from __future__ import annotations

from dataclasses import dataclass

from transitpay.ride_code.reader.effects import Write
from transitpay.ride_code.reader.own_clock import Reading
from transitpay.ride_code.reader.store_level import StoreLevel
from transitpay.ride_code.records.record import EventKind, EventRecord, Record
from transitpay.ride_code.records.record_bytes import encode


@dataclass(slots=True)
class Journal:
    """``position`` is that of the next record."""

    position: int
    level: StoreLevel
    _told_unrecorded: tuple[int, int] = (0, 0)  # the position of the last such event, its count

    def write(self, record: Record) -> Write:
        """The effect that makes this record, made for our position, durable."""
        assert record.position == self.position, "positions have no gap"
        self.position += 1
        self.level.waiting += 1
        return Write(record.position, encode(record))

    def take_back(self, failed: Write) -> None:
        """This record could not be written: its position, and those after it, are free again."""
        self.level.waiting -= self.position - failed.position
        self.level.failed = True
        told_at, count = self._told_unrecorded
        if told_at >= failed.position:
            self.level.unrecorded += count
            self._told_unrecorded = (0, 0)
        self.position = failed.position

    def event(self, kind: EventKind, clock: Reading, count: int = 0) -> tuple[Write, ...]:
        """The effect of an event, where the store has room for one."""
        if not self.level.has_room_for_event():
            return ()
        record = EventRecord(self.position, clock.at, clock.uncertainty_s, kind, count)
        return (self.write(record),)

    def level_events(self, clock: Reading) -> tuple[Write, ...]:
        """What is to be said of the store since it was last said."""
        changed = self.level.changed()
        found = () if changed is None else self.event(changed, clock)
        if self.level.unrecorded and not self.level.is_full:
            self._told_unrecorded = (self.position, self.level.unrecorded)
            found += self.event(EventKind.UNRECORDED_SCANS, clock, self.level.unrecorded)
            self.level.unrecorded = 0
        return found
