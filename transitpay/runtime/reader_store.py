"""The record store of a Linux reader: files of chained records in a folder of its own.

``append`` returns when the record is on the disk, so what a driver does afterwards (open the gate)
has its record whatever the power does. What was decided and not yet appended when the power went
was not carried out: the gate stayed shut, and where the gateway had been asked its answer stands.
The number of the boot is on the disk before the first scan, so no sequence is used twice.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from transitpay.errors import Conflict, TemporarilyUnavailable
from transitpay.ride_code.reader.memory import Memory
from transitpay.ride_code.reader.window import WINDOW
from transitpay.ride_code.records.record import BootRecord
from transitpay.ride_code.records.record_bytes import parse
from transitpay.ride_code.records.sealed_batch import MAX_LENGTH, RECORDS_OFFSET, chain_start
from transitpay.runtime import record_segments as segments
from transitpay.runtime.record_segments import Segment

#: Unacknowledged records that the store takes: about 25 MB.
CAPACITY = 50_000
_SEGMENT_RECORDS = 2_000
#: Each key has boot numbers of its own, so that a reader that lost its disk uses no sequence again.
_BOOTS_PER_KEY = 1 << 15


@dataclass(frozen=True, slots=True)
class StoreKey:
    """The reader's key under which records are chained; ``first_position`` as its enrolment
    said, for a store that is empty."""

    reader: str
    number: int
    public_key: bytes
    first_position: int = 1


@dataclass(frozen=True, slots=True)
class Chunk:
    """Records in a row, and the hash before the first."""

    first_position: int
    before: bytes
    records: list[bytes]


@dataclass(slots=True)
class ReaderStore:
    """An open store; made by ``open_store``. One process uses a folder, one thread a store."""

    folder: Path
    capacity: int
    boot: int
    ended_clean: bool
    acknowledged: int
    _lock: int
    _segments: list[Segment]
    _keep: int = WINDOW
    _segment_records: int = _SEGMENT_RECORDS
    _durable: bool = True
    _file: int | None = field(default=None)

    @property
    def last_position(self) -> int:
        """The position of the newest record."""
        return self._segments[-1].last_position

    def memory(self) -> Memory:
        """What a reader starts from."""
        unsent = self.chunk(self.acknowledged + 1, 1)
        return Memory(
            self.boot, self.ended_clean, self.last_position, self.acknowledged, self.capacity,
            (parse(data) for data in self._from(self.last_position - self._keep + 1)),
            None if unsent is None else parse(unsent.records[0]).at,
        )  # fmt: skip

    def append(self, position: int, record: bytes) -> None:
        """Write a record behind the last one; it is on the disk when this returns.

        Raises: TemporarilyUnavailable (``record_not_written``); nothing has changed then.
        """
        assert position == self.last_position + 1, "positions have no gap"
        try:
            segment = self._writable()
            file = self._opened(segment)
            frame = segment.added(record)
            if os.write(file, frame) != len(frame):
                raise OSError("the disk took a part of it")
            if self._durable:
                os.fdatasync(file)
        except OSError as error:
            self._close_file()
            raise TemporarilyUnavailable(
                "record_not_written", f"the disk does not take a record: {error}"
            ) from error
        segment.grow(record)

    def chunk(self, first_position: int, limit: int) -> Chunk | None:
        """At most ``limit`` records of one key from a position on, as many as a batch holds."""
        segment = next((s for s in self._segments if s.last_position >= first_position), None)
        if segment is None:
            return None
        found: list[bytes] = []
        before, room = b"", MAX_LENGTH - RECORDS_OFFSET
        skipped = first_position - segment.first_position
        assert skipped >= 0, "acknowledged records are not sent again"
        for index, (record, hash_before) in enumerate(segment.frames()):
            if index < skipped:
                continue
            room -= len(record)
            if len(found) == limit or room < 0:
                break
            before = before or hash_before
            found.append(record)
        return Chunk(first_position, before, found)

    def acknowledge(self, position: int) -> None:
        """The gateway has everything up to here; files that nobody needs any more are deleted.

        The newest records stay in any case: the window of spent codes is made of them.
        """
        if not self.acknowledged < position <= self.last_position:
            return
        self.acknowledged = position
        with contextlib.suppress(OSError):  # told again, the gateway takes them again
            _replace(self.folder / "acknowledged", f"{position}\n", durable=self._durable)
            while len(self._segments) > 1 and self._is_done(self._segments[0]):
                self._segments[0].path.unlink()
                del self._segments[0]

    def close(self) -> None:
        """End in good order: the next start knows that no power was lost."""
        self._close_file()
        _replace(self.folder / "boot", f"{self.boot} 1\n")
        os.close(self._lock)

    def _is_done(self, segment: Segment) -> bool:
        last = segment.last_position
        return last <= self.acknowledged and self.last_position - last >= self._keep

    def _from(self, position: int) -> Iterator[bytes]:
        for segment in self._segments:
            if segment.last_position >= position:
                for index, (record, _) in enumerate(segment.frames()):
                    if segment.first_position + index >= position:
                        yield record

    def _writable(self) -> Segment:
        """The newest segment, or a new one where that has enough."""
        newest = self._segments[-1]
        if newest.last_position - newest.first_position + 1 < self._segment_records:
            return newest
        self._close_file()
        made = segments.create(
            self.folder, newest.key_number, newest.last_position + 1, newest.after
        )
        self._segments.append(made)
        return made

    def _opened(self, segment: Segment) -> int:
        """The file to append to; what a failed write may have left behind is cut first."""
        if self._file is None:
            self._file = os.open(segment.path, os.O_WRONLY | os.O_APPEND)
            os.ftruncate(self._file, segment.length)
        return self._file

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def open_store(
    folder: Path,
    key: StoreKey,
    *,
    capacity: int = CAPACITY,
    keep: int = WINDOW,
    segment_records: int = _SEGMENT_RECORDS,
    existing: bool = False,
    durable: bool = True,
) -> ReaderStore:
    """Open a store, or make one: the torn end is cut, the chain checked, the boot counted.

    ``existing``: this key had a store here. If it is gone, its positions must not be given out
    again: a new key has to be enrolled. Not ``durable``: records survive the end of the process,
    not of the power; for readers that are simulated, never for a gate.

    Raises: MalformedInput (``store_damaged``), Conflict (``store_in_use``, ``store_lost``,
    ``records_of_old_key``, ``store_of_other_key``), OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = _locked(folder)
    try:
        found = _load_all(folder)
        _check_chain(found)
        if existing and not found:
            raise Conflict("store_lost", "the records of this key are gone: enrol a new key")
        acknowledged = _number(folder / "acknowledged", 0)
        start = found[0].first_position if found else key.first_position
        acknowledged = max(acknowledged, start - 1)
        _begin_key(folder, key, found, acknowledged)
        current = next(s for s in found if s.key_number == key.number)
        acknowledged = min(max(acknowledged, current.first_position - 1), found[-1].last_position)
        known = _number(folder / "boot", 0)
        boot = max(known, _highest_boot(found), (key.number - 1) * _BOOTS_PER_KEY) + 1
        is_new = known == 0 and found[-1].last_position < found[0].first_position
        clean = is_new or _number(folder / "boot", 1) == 1
        _replace(folder / "boot", f"{boot} 0\n")
    except BaseException:
        os.close(lock)
        raise
    return ReaderStore(
        folder, capacity, boot, clean, acknowledged, lock, found, keep, segment_records, durable
    )


def _locked(folder: Path) -> int:
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise Conflict("store_in_use", "another process uses this store", field="lock") from None
    return handle


def _load_all(folder: Path) -> list[Segment]:
    """Every file of records by position; the end of the newest is cut where it was torn."""
    paths = sorted(folder.glob(f"*{segments.SUFFIX}"))
    found = []
    for path in paths:
        segment = segments.load(path)
        if segment is None and path == paths[-1]:
            path.unlink()  # the power went while it was made: it holds no record
            continue
        if segment is None:
            raise segments.damaged(path, "has no header")
        found.append(segment)
    for segment in found[:-1]:
        if segment.path.stat().st_size != segment.length:
            raise segments.damaged(segment.path, f"ends after record {segment.last_position}")
    if found:
        segments.cut_torn_tail(found[-1])
    return found


def _check_chain(found: list[Segment]) -> None:
    for older, newer in pairwise(found):
        same_key = older.key_number == newer.key_number
        chained = newer.before == older.after if same_key else newer.key_number > older.key_number
        if newer.first_position != older.last_position + 1 or not chained:
            raise segments.damaged(newer.path, f"does not follow {older.path.name}")


def _begin_key(folder: Path, key: StoreKey, found: list[Segment], acknowledged: int) -> None:
    """Begin a chain for a key that has none here yet.

    Records of an older key must be acknowledged: only that key could seal them.
    """
    start = chain_start(key.reader, key.public_key)
    first = next((s for s in found if s.key_number == key.number), None)
    if first is not None:
        begins = first is not found[0] or first.first_position == key.first_position
        if found[-1].key_number != key.number or (begins and first.before != start):
            raise Conflict("store_of_other_key", "the store has a newer key or another reader's")
        return
    if found and acknowledged < found[-1].last_position:
        raise Conflict("records_of_old_key", "records of the older key are not acknowledged yet")
    position = found[-1].last_position + 1 if found else key.first_position
    found.append(segments.create(folder, key.number, position, start))


def _highest_boot(found: list[Segment]) -> int:
    boots = [0]
    for segment in found:
        for data, _ in segment.frames():
            if data[0] == 3:
                record = parse(data)
                assert isinstance(record, BootRecord)
                boots.append(record.boot)
    return max(boots)


def _number(path: Path, index: int) -> int:
    """A number of a small file; 0 where there is none."""
    try:
        return int(path.read_text(encoding="ascii").split()[index])
    except (FileNotFoundError, ValueError, IndexError):
        return 0


def _replace(path: Path, text: str, *, durable: bool = True) -> None:
    """Whole or not at all, and if ``durable`` on the disk when this returns. Raises: OSError."""
    beside = path.with_suffix(".new")
    with beside.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        if durable:
            os.fsync(file.fileno())
    os.replace(beside, path)
    if durable:
        segments.sync_folder(path.parent)
