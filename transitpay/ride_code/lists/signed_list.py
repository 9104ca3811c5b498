"""Signed lists (trust, deny, config) as bytes: head, certificate, whole form and delta.

Source: docs/reader-protocol.md, "Lists". What is read here is only readable, not yet believed:
``transitpay.ride_code.lists.list_taking`` decides that.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from transitpay.errors import MalformedInput
from transitpay.ride_code.id_field import ID_LENGTH, write_id
from transitpay.ride_code.lists.record_table import Bytes, RecordTable, changes_over


class ListKind(StrEnum):
    """What a list is about."""

    TRUST = "trust"
    DENY = "deny"
    CONFIG = "config"

    @property
    def number(self) -> int:
        """Its number in a head; bit number of a certificate's kinds."""
        return _SHAPES[self][0]

    def table(self, records: Bytes) -> RecordTable:
        """A table of this kind over its records."""
        _, record_size, key_size = _SHAPES[self]
        return RecordTable.over(records, record_size, key_size)


#: kind -> number, record size, key size.
_SHAPES: Mapping[ListKind, tuple[int, int, int]] = {
    ListKind.TRUST: (1, 88, 2),
    ListKind.DENY: (2, 14, 10),
    ListKind.CONFIG: (3, 128, 32),
}

_CERTIFICATE = struct.Struct(">4sBBH33sBII4s64s")
_HEAD = struct.Struct(">4sBBHHHQIII32s32s")
_DELTA = struct.Struct(">4s4sQI4s")
_CERTIFICATE_SIGNED = 54
_HEAD_SIGNED = _HEAD.size
CERTIFICATE_LENGTH = _CERTIFICATE.size
HEAD_LENGTH = _HEAD.size + CERTIFICATE_LENGTH + 64


@dataclass(frozen=True, slots=True)
class ListCertificate:
    """A root key's word that a list key may sign these kinds, at ``not_before <= t < not_after``.

    ``kinds`` is a bitmap: bit n is kind n.
    """

    root: int
    kinds: int
    key_id: int
    public_key: bytes
    not_before: datetime
    not_after: datetime
    signature: bytes = bytes(64)

    def may_sign(self, kind: ListKind) -> bool:
        """Whether lists of this kind are this key's business."""
        return bool(self.kinds >> kind.number & 1)

    def signed_bytes(self) -> bytes:
        """What the root key signs, under the tag of list keys."""
        return self.encode()[:_CERTIFICATE_SIGNED]

    def encode(self) -> bytes:
        """The 118 bytes."""
        return _CERTIFICATE.pack(
            b"TPC1", self.root, self.kinds, self.key_id, self.public_key, 0,
            seconds(self.not_before), seconds(self.not_after), bytes(4), self.signature,
        )  # fmt: skip

    @staticmethod
    def parse(data: Bytes) -> ListCertificate:
        """Read 118 bytes. Raises: MalformedInput (``list_unreadable``)."""
        if len(data) != CERTIFICATE_LENGTH:
            raise unreadable("a certificate has 118 bytes")
        magic, root, kinds, key_id, key, zero, since, until, zeros, mark = _CERTIFICATE.unpack(data)
        if magic != b"TPC1" or zero or any(zeros):
            raise unreadable("no certificate of a list key")
        return ListCertificate(root, kinds, key_id, key, instant(since), instant(until), mark)


@dataclass(frozen=True, slots=True)
class ListHead:
    """The signed head of one version of a list. ``scope`` is ``scope_of`` its reader."""

    kind: ListKind
    scope: bytes
    version: int
    issued_at: datetime
    use_by: datetime
    count: int
    digest: bytes
    certificate: ListCertificate
    signature: bytes = bytes(64)

    @property
    def rank(self) -> tuple[int, int]:
        """(list key id, version): the higher one of two heads is the newer."""
        return (self.certificate.key_id, self.version)

    def is_stale(self, at: datetime) -> bool:
        """Whether the list is past its use by."""
        return at >= self.use_by

    def signed_bytes(self) -> bytes:
        """What the list key signs, under the tag of lists."""
        return self.encode()[:_HEAD_SIGNED]

    def encode(self) -> bytes:
        """The 278 bytes."""
        number, record_size, key_size = _SHAPES[self.kind]
        front = _HEAD.pack(
            b"TPL1", number, 0, record_size, key_size, 0, self.version, seconds(self.issued_at),
            seconds(self.use_by), self.count, self.scope, self.digest,
        )  # fmt: skip
        return front + self.certificate.encode() + self.signature

    @staticmethod
    def parse(data: Bytes) -> ListHead:
        """Read 278 bytes. Raises: MalformedInput (``list_unreadable``)."""
        if len(data) != HEAD_LENGTH:
            raise unreadable("a head has 278 bytes")
        (
            magic, number, zero, record_size, key_size, zeros, version, issued, use_by, count,
            scope, digest,
        ) = _HEAD.unpack_from(data)  # fmt: skip
        shape = (number, record_size, key_size)
        kind = next((k for k, known in _SHAPES.items() if known == shape), None)
        if magic != b"TPL1" or kind is None or zero or zeros or not version or use_by <= issued:
            raise unreadable("no head of a list")
        certificate = ListCertificate.parse(data[_HEAD.size : _HEAD.size + CERTIFICATE_LENGTH])
        return ListHead(
            kind, scope, version, instant(issued), instant(use_by), count, digest,
            certificate, bytes(data[HEAD_LENGTH - 64 :]),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SignedList:
    """A head and its records: the whole form, and that of a file that a reader keeps."""

    head: ListHead
    table: RecordTable

    @staticmethod
    def parse(data: Bytes) -> SignedList:
        """Read the whole form, without looking at order, digest or signatures.

        Raises: MalformedInput (``list_unreadable``).
        """
        view = memoryview(data)
        head = ListHead.parse(view[:HEAD_LENGTH])
        if len(view) != HEAD_LENGTH + head.count * _SHAPES[head.kind][1]:
            raise unreadable("the records are not as many as the head says")
        return SignedList(head, head.kind.table(view[HEAD_LENGTH:]))

    def is_sound(self) -> bool:
        """Whether the records have the digest of the head."""
        return hashlib.sha256(self.table.records).digest() == self.head.digest

    def chunks(self) -> Iterator[Bytes]:
        """The bytes of the whole form."""
        yield self.head.encode()
        yield self.table.records


@dataclass(frozen=True, slots=True)
class Delta:
    """The changes from the version ``base`` to that of the head."""

    base: int
    head: ListHead
    changes: RecordTable

    @staticmethod
    def parse(data: Bytes) -> Delta:
        """Read a delta, without looking at the order of its changes or at signatures.

        Raises: MalformedInput (``list_unreadable``).
        """
        view = memoryview(data)
        if len(view) < _DELTA.size + HEAD_LENGTH:
            raise unreadable("too short for a delta")
        magic, zeros, base, count, more_zeros = _DELTA.unpack_from(view)
        head = ListHead.parse(view[_DELTA.size : _DELTA.size + HEAD_LENGTH])
        rest = view[_DELTA.size + HEAD_LENGTH :]
        if magic != b"TPD1" or any(zeros) or any(more_zeros):
            raise unreadable("no delta of a list")
        if len(rest) != count * (1 + _SHAPES[head.kind][1]):
            raise unreadable("the changes are not as many as the delta says")
        return Delta(base, head, changes_over(rest, head.kind.table(b"")))

    def encode(self) -> bytes:
        """The bytes of the delta."""
        front = _DELTA.pack(b"TPD1", bytes(4), self.base, len(self.changes), bytes(4))
        return front + self.head.encode() + self.changes.records


def digest_of(records: Iterator[memoryview]) -> tuple[int, bytes]:
    """(length in bytes, SHA-256) of records that come in runs."""
    digest, length = hashlib.sha256(), 0
    for run in records:
        digest.update(run)
        length += len(run)
    return length, digest.digest()


def scope_of(reader: str = "") -> bytes:
    """The scope of a reader's config, and of other lists. Raises: MalformedInput (``bad_id``)."""
    return write_id(reader) if reader else bytes(ID_LENGTH)


def seconds(at: datetime) -> int:
    """UTC seconds since 1970, as lists carry instants; fractions are dropped."""
    return int(at.timestamp() // 1)


def instant(since_1970_s: int) -> datetime:
    """The instant of UTC seconds since 1970."""
    return datetime.fromtimestamp(since_1970_s, UTC)


def unreadable(why: str) -> MalformedInput:
    """The error of bytes that are no list of ours."""
    return MalformedInput("list_unreadable", why)
