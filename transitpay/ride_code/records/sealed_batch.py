"""The record chain, and the sealed batch in which a reader sends a part of it.

A hash binds each record to all before it, from the reader's id and key on; a signature over the
head of a batch, which names the hashes at both ends, binds the reader to every record in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from struct import Struct

from transitpay.errors import MalformedInput
from transitpay.ride_code.id_field import read_id, write_id
from transitpay.ride_code.records.record_bytes import HEADER_LENGTH, read_ms, write_ms

RECORD_TAG = b"TransitPay/record/v1\x00"
MAGIC = b"TPB1"
#: What the reader signs, after its tag.
HEAD_LENGTH = 128
SIGNATURE_LENGTH = 64
RECORDS_OFFSET = HEAD_LENGTH + SIGNATURE_LENGTH
MAX_RECORDS = 500
MAX_LENGTH = 1024 * 1024
_HEAD = Struct(">4sHHQQHHI32s32s32s")
assert _HEAD.size == HEAD_LENGTH


def chain_start(reader: str, public_key: bytes) -> bytes:
    """Hash 0: what stands before the first record under this key (33 bytes) of this reader.

    Raises: MalformedInput (``bad_id``).
    """
    assert len(public_key) == 33, "a reader key is a compressed P-256 point"
    return hashlib.sha256(RECORD_TAG + write_id(reader) + public_key).digest()


def chain_next(before: bytes, record: bytes) -> bytes:
    """The hash of a record, given the hash before it."""
    return hashlib.sha256(RECORD_TAG + before + record).digest()


def chain_end(before: bytes, records: Iterable[bytes]) -> bytes:
    """The hash of the last of these records, given the hash before the first."""
    for record in records:
        before = chain_next(before, record)
    return before


@dataclass(frozen=True, slots=True)
class BatchHead:
    """What the reader signs of a batch; ``key_number`` is that of its key, from 1.

    ``before`` is the hash before the first record, ``after`` the hash of the last one.
    """

    reader: str
    key_number: int
    first_position: int
    count: int
    sealed_at: datetime
    uncertainty_s: int
    records_length: int
    before: bytes
    after: bytes


@dataclass(frozen=True, slots=True)
class SealedBatch:
    """A batch as received. Neither its signature nor its chain has been checked, nor was any of
    the records read beyond its length and position."""

    head: BatchHead
    signed: bytes
    signature: bytes
    records: tuple[bytes, ...]

    @property
    def last_position(self) -> int:
        """The position of the last record."""
        return self.head.first_position + self.head.count - 1

    def chain_holds(self) -> bool:
        """Whether the records lead from the first hash of the head to the last."""
        return chain_end(self.head.before, self.records) == self.head.after


def encode_head(it: BatchHead) -> bytes:
    """The 128 bytes that the reader signs (after its tag).

    Raises: MalformedInput (``bad_batch``, ``bad_id``, ``bad_record``).
    """
    _check(it)
    return _HEAD.pack(
        MAGIC, it.key_number, it.count, it.first_position, write_ms(it.sealed_at),
        it.uncertainty_s, 0, it.records_length, write_id(it.reader), it.before, it.after,
    )  # fmt: skip


def head_of(
    reader: str,
    key_number: int,
    first_position: int,
    before: bytes,
    records: list[bytes],
    sealed_at: datetime,
    uncertainty_s: int,
) -> BatchHead:
    """The head of a batch of these records, the first of which stands after ``before``."""
    return BatchHead(
        reader, key_number, first_position, len(records), sealed_at, uncertainty_s,
        sum(map(len, records)), before, chain_end(before, records),
    )  # fmt: skip


def seal(head: bytes, signature: bytes, records: Iterable[bytes]) -> bytes:
    """The body of ``POST /v1/readers/records``."""
    assert len(head) == HEAD_LENGTH and len(signature) == SIGNATURE_LENGTH
    return b"".join((head, signature, *records))


def parse_batch(body: bytes) -> SealedBatch:
    """Read a batch and cut it into its records; each record itself is read by ``record_bytes``.

    Raises: MalformedInput (``bad_batch``) naming the field.
    """
    if not RECORDS_OFFSET < len(body) <= MAX_LENGTH:
        raise _refusal("length", f"a batch has more than {RECORDS_OFFSET} bytes and at most 1 MiB")
    (
        magic, key_number, count, first, sealed_ms, doubt, zero, length, reader, before, after,
    ) = _HEAD.unpack_from(body)  # fmt: skip
    if magic != MAGIC:
        raise _refusal("magic", "a batch begins with TPB1")
    if zero:
        raise _refusal("zero", "must be zero")
    if length != len(body) - RECORDS_OFFSET:
        raise _refusal("records_length", f"says {length}; {len(body) - RECORDS_OFFSET} follow")
    try:
        head = BatchHead(
            read_id(reader), key_number, first, count, read_ms(sealed_ms), doubt, length,
            before, after,
        )  # fmt: skip
    except MalformedInput as error:
        raise _refusal("reader" if error.code == "bad_id" else "sealed_at", error.message) from None
    _check(head)
    records = _cut(body[RECORDS_OFFSET:], head)
    return SealedBatch(head, body[:HEAD_LENGTH], body[HEAD_LENGTH:RECORDS_OFFSET], records)


def _cut(data: bytes, head: BatchHead) -> tuple[bytes, ...]:
    """The records, each of the length that it says, at consecutive positions."""
    found, offset = [], 0
    for position in range(head.first_position, head.first_position + head.count):
        field = f"records[{position - head.first_position}]"
        length = int.from_bytes(data[offset + 2 : offset + 4])
        if not HEADER_LENGTH <= length <= len(data) - offset:
            raise _refusal(field, "is shorter than a record, or ends after the batch")
        record = data[offset : offset + length]
        if int.from_bytes(record[4:12]) != position:
            raise _refusal(field, f"does not stand at position {position}")
        found.append(record)
        offset += length
    if offset != len(data):
        raise _refusal("count", f"{len(data) - offset} bytes follow the last record")
    return tuple(found)


def _check(it: BatchHead) -> None:
    ranges = {
        "key_number": (it.key_number, 1, 0xFFFF),
        "count": (it.count, 1, MAX_RECORDS),
        "first_position": (it.first_position, 1, 2**63 - MAX_RECORDS),
        "uncertainty_s": (it.uncertainty_s, 0, 0xFFFF),
        "records_length": (it.records_length, HEADER_LENGTH, MAX_LENGTH - RECORDS_OFFSET),
    }
    for name, (value, low, high) in ranges.items():
        if not low <= value <= high:
            raise _refusal(name, f"{value} is not within {low} to {high}")
    if len(it.before) != 32 or len(it.after) != 32:
        raise _refusal("before", "a hash has 32 bytes")


def _refusal(field: str, why: str) -> MalformedInput:
    return MalformedInput("bad_batch", why, field=field)
