"""Lists, records and batches as bytes, written out field by field, signed with TEST ONLY keys.

Nothing of our own encoders is used here, so that the vectors hold them to the page.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.asymmetric import ec
from make_ride_code_vectors import NOW, p256, sign

from transitpay.ride_code import keys

DAY = 86400
ROOTS = {1: p256("root 1"), 2: p256("root 2")}
LIST_KEYS = {n: p256(f"list key {n}") for n in (1, 2, 3)}
READER = "gate-1"
#: When key 2 replaced key 1.
RETIRED_MS = (NOW + DAY) * 1000
READER_KEYS = {n: p256(f"reader gate-1 key {n}") for n in (1, 2)}
#: kind -> number, record size, key size.
SHAPES = {"trust": (1, 88, 2), "deny": (2, 14, 10), "config": (3, 128, 32)}
Edit = Callable[[bytearray], None] | None


def tag(name: str) -> bytes:
    """The tag of a kind of message."""
    return f"TransitPay/{name}/v1\0".encode()


def id_field(text: str) -> bytes:
    """32 bytes."""
    return text.encode().ljust(32, b"\0")


def put(offset: int, value: bytes | int) -> Callable[[bytearray], None]:
    """Overwrites bytes, or one byte."""
    new = bytes([value]) if isinstance(value, int) else value

    def edit(data: bytearray) -> None:
        data[offset : offset + len(new)] = new

    return edit


def _edited(data: bytes, edit: Edit) -> bytes:
    changed = bytearray(data)
    if edit is not None:
        edit(changed)
    return bytes(changed)


def certificate(
    key_id: int = 1, root: int = 1, kinds: int = 0b1110, since: int = NOW - 30 * DAY,
    until: int = NOW + 30 * DAY, *, by: ec.EllipticCurvePrivateKey | None = None,
    under: str = "list-key", edit: Edit = None,
) -> bytes:  # fmt: skip
    """118 bytes; ``edit`` acts before the root signs."""
    public = keys.public_bytes(LIST_KEYS[key_id])
    front = struct.pack(">4sBBH33sBII4x", b"TPC1", root, kinds, key_id, public, 0, since, until)
    front = _edited(front, edit)
    return front + sign(by or ROOTS[root], tag(under) + front)


def head(
    kind: str, version: int, records: Sequence[bytes], *, key_id: int = 1, scope: str = "",
    issued: int = NOW - 60, use_by: int = NOW + DAY, cert: bytes | None = None,
    by: ec.EllipticCurvePrivateKey | None = None, under: str = "list", edit: Edit = None,
) -> bytes:  # fmt: skip
    """278 bytes; ``edit`` acts on the first 96 before the list key signs."""
    number, record_size, key_size = SHAPES[kind]
    digest = hashlib.sha256(b"".join(records)).digest()
    front = struct.pack(
        ">4sBxHH2xQIII32s32s", b"TPL1", number, record_size, key_size, version, issued, use_by,
        len(records), id_field(scope), digest,
    )  # fmt: skip
    front = _edited(front, edit)
    cert = cert or certificate(key_id)
    return front + cert + sign(by or LIST_KEYS[key_id], tag(under) + front)


def whole(kind: str, version: int, records: Sequence[bytes], **given: object) -> bytes:
    """A whole list."""
    return head(kind, version, records, **given) + b"".join(records)  # type: ignore[arg-type] # passed on


def delta(base: int, new_head: bytes, changes: Sequence[bytes]) -> bytes:
    """A delta; a change is 1 byte and a record."""
    front = struct.pack(">4s4xQI4x", b"TPD1", base, len(changes))
    return front + new_head + b"".join(changes)


def deny(number: int, rider: int, serial: int) -> bytes:
    """14 bytes."""
    return struct.pack(">HQI", number, rider, serial)


def removed(record: bytes, key_size: int) -> bytes:
    """The change that removes a record."""
    return b"\x02" + record[:key_size].ljust(len(record), b"\0")


def config(name: str, value: bytes | str) -> bytes:
    """128 bytes."""
    data = value if isinstance(value, bytes) else value.encode()
    return id_field(name) + data.ljust(96, b"\0")


def trust(
    key_id: int, key: bytes, issuer: str, *, algorithm: int = 1, status: int = 1, flags: int = 0,
    since: int = NOW - 30 * DAY, until: int = NOW + 30 * DAY, lost: int = 0, number: int = 1,
) -> bytes:  # fmt: skip
    """88 bytes."""
    return struct.pack(
        ">HBBBBHIIIH33sx32s", key_id, algorithm, status, flags, 3, 3, since, until, lost, number,
        key.ljust(33, b"\0"), id_field(issuer),
    )  # fmt: skip


def record(kind: int, position: int, body: bytes, at_ms: int = NOW * 1000, doubt: int = 0) -> bytes:
    """A record from its body, which begins at offset 22."""
    return struct.pack(">BxHQQH", kind, 22 + len(body), position, at_ms, doubt) + body


def text(value: str | bytes) -> bytes:
    """A length byte and the text."""
    data = value if isinstance(value, bytes) else value.encode()
    return bytes([len(data)]) + data


def scan(
    position: int, sequence: int, *, direction: int = 1, decided_by: int = 1, decision: int = 1,
    reason: int = 0, flags: int = 0, mode: int = 0, stop_index: int = 255,
    versions: tuple[int, int, int] = (7, 41, 3), fare: int = 0xFFFFFFFF,
    texts: Sequence[str | bytes] = ("HUH", "", "", "", ""), code: bytes = b"",
    at_ms: int = NOW * 1000, doubt: int = 2, code_length: int | None = None,
) -> bytes:  # fmt: skip
    """A scan record."""
    body = struct.pack(
        ">QBBBBIBBIIII", sequence, direction, decided_by, decision, reason, flags, mode, stop_index,
        *versions, fare,
    )  # fmt: skip
    body += b"".join(text(value) for value in texts)
    length = len(code) if code_length is None else code_length
    return record(1, position, body + struct.pack(">H", length) + code, at_ms, doubt)


def outcome(position: int, sequence: int, number: int) -> bytes:
    """An outcome record."""
    return record(2, position, struct.pack(">QB", sequence, number))


def boot(position: int, number: int, clean: int = 1, software: str | bytes = "1.0.0") -> bytes:
    """A boot record."""
    return record(3, position, struct.pack(">IB", number, clean) + text(software))


def event(position: int, number: int, count: int = 0) -> bytes:
    """An event record."""
    return record(4, position, struct.pack(">BI", number, count))


def chain_start(key_number: int = 1) -> bytes:
    """Hash 0 of the reader."""
    public = keys.public_bytes(READER_KEYS[key_number])
    return hashlib.sha256(tag("record") + id_field(READER) + public).digest()


def chained(before: bytes, records: Sequence[bytes]) -> bytes:
    """The hash of the last record."""
    for one in records:
        before = hashlib.sha256(tag("record") + before + one).digest()
    return before


def batch(
    records: Sequence[bytes], *, key_number: int = 1, first: int | None = None,
    before: bytes | None = None, by: ec.EllipticCurvePrivateKey | None = None, under: str = "batch",
    edit: Edit = None, after_signing: Edit = None, sealed_ms: int = NOW * 1000 + 500,
) -> bytes:  # fmt: skip
    """A sealed batch; ``edit`` acts on the 128 bytes that are signed, ``after_signing`` on all."""
    before = (
        chain_start(key_number if key_number in READER_KEYS else 1) if before is None else before
    )
    if first is None:
        first = int.from_bytes(records[0][4:12], "big")
    front = struct.pack(
        ">4sHHQQHxxI32s32s32s", b"TPB1", key_number, len(records), first, sealed_ms, 2,
        sum(map(len, records)), id_field(READER), before, chained(before, records),
    )  # fmt: skip
    front = _edited(front, edit)
    signature = sign(by or READER_KEYS.get(key_number, READER_KEYS[1]), tag(under) + front)
    return _edited(front + signature + b"".join(records), after_signing)
