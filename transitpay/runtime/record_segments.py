"""One file of a reader's records: a header, then each record with the beginning of its chain hash.

The chain itself is the check sum: a frame whose 8 bytes are not those of the hash of its record
after the one before is not a frame. Only the end of the newest file can be torn, by at most the
one frame that was being written when the power went.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import Struct

from transitpay.errors import MalformedInput
from transitpay.ride_code.records.record_bytes import (
    HEADER_LENGTH,
    MAX_CODE_LENGTH,
    MAX_TEXT_LENGTH,
)
from transitpay.ride_code.records.sealed_batch import chain_next

_HEADER = Struct(">4sHHQ32s16s")
_MAGIC = b"TPS1"
_MARK = 8
#: No frame is longer: the fixed part of a scan, five texts, a code, the mark.
MAX_FRAME = 58 + 5 * (1 + MAX_TEXT_LENGTH) + MAX_CODE_LENGTH + _MARK
SUFFIX = ".records"


@dataclass(slots=True)
class Segment:
    """A file whose records follow ``before`` under the key with this number.

    ``last_position``, ``after`` and ``length`` (bytes) are those of its sound part.
    """

    path: Path
    key_number: int
    first_position: int
    before: bytes
    last_position: int
    after: bytes
    length: int

    def frames(self) -> Iterator[tuple[bytes, bytes]]:
        """(record, the hash before it), as the file has them."""
        data = self.path.read_bytes()[: self.length]
        return _frames(data, self.first_position, self.before)

    def added(self, record: bytes) -> bytes:
        """The frame of a record at the end; ``grow`` follows when it is on the disk."""
        return record + chain_next(self.after, record)[:_MARK]

    def grow(self, record: bytes) -> None:
        """The record stands in the file."""
        self.after = chain_next(self.after, record)
        self.last_position += 1
        self.length += len(record) + _MARK


def create(folder: Path, key_number: int, first_position: int, before: bytes) -> Segment:
    """A new file without records; it is on the disk when this returns.

    Raises: OSError.
    """
    head = _HEADER.pack(_MAGIC, key_number, 0, first_position, before, bytes(16))[:-16]
    path = folder / f"{first_position:020d}{SUFFIX}"
    with path.open("wb") as file:
        file.write(head + hashlib.sha256(head).digest()[:16])
        file.flush()
        os.fsync(file.fileno())
    sync_folder(folder)
    return Segment(
        path, key_number, first_position, before, first_position - 1, before, _HEADER.size
    )  # fmt: skip


def load(path: Path) -> Segment | None:
    """What a file holds, up to the first frame that is none; None if it has no whole header."""
    data = path.read_bytes()
    head = data[: _HEADER.size]
    if len(head) < _HEADER.size or hashlib.sha256(head[:-16]).digest()[:16] != head[-16:]:
        return None
    magic, key_number, _, first, before, _ = _HEADER.unpack(head)
    if magic != _MAGIC or path.name != f"{first:020d}{SUFFIX}":
        raise damaged(path, "is no file of records of this name")
    found = Segment(path, key_number, first, before, first - 1, before, _HEADER.size)
    for record, _ in _frames(data, first, before):
        found.grow(record)
    return found


def cut_torn_tail(segment: Segment) -> None:
    """Cut what follows the sound part; it was being written when the power went.

    Raises: MalformedInput (``store_damaged``) if it is more than one frame can be; OSError.
    """
    torn = segment.path.stat().st_size - segment.length
    if torn == 0:
        return
    if torn > MAX_FRAME:
        raise damaged(segment.path, f"{torn} bytes after record {segment.last_position} are none")
    with segment.path.open("r+b") as file:
        file.truncate(segment.length)
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Raises: OSError."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def damaged(path: Path, why: str) -> MalformedInput:
    """The error of a store that no power cut can have left."""
    return MalformedInput("store_damaged", why, field=path.name)


def _frames(data: bytes, position: int, before: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The sound frames from the start on."""
    offset = _HEADER.size
    while offset + HEADER_LENGTH + _MARK <= len(data):
        length = int.from_bytes(data[offset + 2 : offset + 4])
        record = data[offset : offset + length]
        mark = data[offset + length : offset + length + _MARK]
        after = chain_next(before, record)
        if length < HEADER_LENGTH or mark != after[:_MARK]:
            return
        if int.from_bytes(record[4:12]) != position:
            return
        yield record, before
        before, position, offset = after, position + 1, offset + length + _MARK
