"""A sorted table of records of one size over any buffer, a memory-mapped file included.

A record is found by bisection, and nothing but its key is copied. Two versions of a table differ
by a *delta*: changes sorted by key, each 1 byte (put, remove) and a record. A delta is applied as
a stream of the runs between its changes, so that neither version need be in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from mmap import mmap
from struct import Struct

#: What a table may lie in.
Bytes = bytes | bytearray | memoryview | mmap

PUT = 1
REMOVE = 2
#: So many records are looked at, or compared, at once.
_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class RecordTable:
    """Records of ``record_size`` bytes one after another, by their key.

    The key is ``key_size`` bytes from ``key_offset`` of a record. The length of ``records`` is a
    multiple of the record size.
    """

    records: memoryview
    record_size: int
    key_size: int
    key_offset: int = 0
    _key_at: Callable[[memoryview, int], tuple[bytes]] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        # The cheapest way to the key bytes of a record in any buffer.
        object.__setattr__(self, "_key_at", Struct(f"{self.key_size}s").unpack_from)

    @staticmethod
    def over(records: Bytes, record_size: int, key_size: int, key_offset: int = 0) -> RecordTable:
        """The table that lies in ``records``, which is not copied."""
        view = memoryview(records).cast("B")
        assert len(view) % record_size == 0, "a table holds whole records"
        return RecordTable(view, record_size, key_size, key_offset)

    def __len__(self) -> int:
        return len(self.records) // self.record_size

    def record(self, index: int) -> memoryview:
        """The record at a place, not copied."""
        start = index * self.record_size
        return self.records[start : start + self.record_size]

    def key(self, index: int) -> bytes:
        """The key at a place."""
        return self._key_at(self.records, index * self.record_size + self.key_offset)[0]

    def __iter__(self) -> Iterator[memoryview]:
        return (self.record(index) for index in range(len(self)))

    def place(self, key: bytes, start: int = 0) -> int:
        """Where a record of this key stands or would stand, looking from ``start`` on."""
        records, size, offset, key_at = (
            self.records, self.record_size, self.key_offset, self._key_at
        )  # fmt: skip
        end = len(self)
        while start < end:
            middle = (start + end) // 2
            if key_at(records, middle * size + offset)[0] < key:
                start = middle + 1
            else:
                end = middle
        return start

    def find(self, key: bytes) -> memoryview | None:
        """The record of this key, not copied; None where there is none."""
        index = self.place(key)
        found = index < len(self) and self.key(index) == key
        return self.record(index) if found else None

    def is_sorted(self) -> bool:
        """Whether the keys rise from record to record, so that each stands once."""
        size, begin, end = self.record_size, self.key_offset, self.key_offset + self.key_size
        last = b""
        for start in range(0, len(self.records), size * _BLOCK):
            block = bytes(self.records[start : start + size * _BLOCK])
            for at in range(0, len(block), size):
                key = block[at + begin : at + end]
                if key <= last and (start or at):
                    return False
                last = key
        return True


def changes_over(changes: Bytes, base: RecordTable) -> RecordTable:
    """The changes of a delta as a table by the same keys; its records have the operation before."""
    return RecordTable.over(changes, 1 + base.record_size, base.key_size, 1)


def apply(base: RecordTable, changes: RecordTable) -> Iterator[memoryview]:
    """The records of the next version, in runs: untouched ones as they lie, and those put.

    A put replaces the record of its key or adds it. A removal of a key that is not there changes
    nothing. ``changes`` are sorted.
    """
    size, done = base.record_size, 0
    for change in changes:
        key = bytes(change[1 : 1 + base.key_size])
        at = base.place(key, done)
        if at > done:
            yield base.records[done * size : at * size]
        if change[0] == PUT:
            yield change[1:]
        done = at + (at < len(base) and base.key(at) == key)
    if done < len(base):
        yield base.records[done * size :]


def changes_between(old: RecordTable, new: RecordTable) -> bytes:
    """The changes that make ``new`` of ``old``; both are sorted and of one shape."""
    found = bytearray()
    padding = bytes(old.record_size - old.key_size)
    i = j = 0
    while i < len(old) or j < len(new):
        if _same_block(old, i, new, j):
            i, j = i + _BLOCK, j + _BLOCK
            continue
        before = old.key(i) if i < len(old) else None
        after = new.key(j) if j < len(new) else None
        if after is None or (before is not None and before < after):
            assert before is not None, "one of the tables goes on"
            found += bytes((REMOVE,)) + before + padding
            i += 1
            continue
        if before != after or old.record(i) != new.record(j):
            found += bytes((PUT,)) + new.record(j)
        i, j = i + (before == after), j + 1
    return bytes(found)


def _same_block(old: RecordTable, i: int, new: RecordTable, j: int) -> bool:
    """Whether a whole block is the same in both, so that it need not be looked at one by one."""
    if i + _BLOCK > len(old) or j + _BLOCK > len(new):
        return False
    size, length = old.record_size, old.record_size * _BLOCK
    before = bytes(old.records[i * size : i * size + length])
    return before == bytes(new.records[j * size : j * size + length])
