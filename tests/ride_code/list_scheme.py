"""Two roots, a list key and its certificate made at run time, and lists signed with them."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from transitpay.ride_code import keys
from transitpay.ride_code.lists.list_signing import ListSigner, certify, kinds_bitmap
from transitpay.ride_code.lists.list_taking import Refused, Taken, Unchanged, Wanted, take
from transitpay.ride_code.lists.record_table import changes_between, changes_over
from transitpay.ride_code.lists.signed_list import (
    Delta,
    ListCertificate,
    ListHead,
    ListKind,
    SignedList,
    scope_of,
)
from transitpay.ride_code.signing import DevicePrivateKey

AT = datetime(2026, 7, 1, 4, 0, tzinfo=UTC)
_YEAR = timedelta(365)


def deny_bytes(entries: Mapping[int, int]) -> bytes:
    """Deny records of issuer 1: rider number -> serial."""
    return b"".join(struct.pack(">HQI", 1, rider, entries[rider]) for rider in sorted(entries))


@dataclass
class ListScheme:
    """Signs lists; every maker takes what a test changes."""

    roots: dict[int, DevicePrivateKey] = field(
        default_factory=lambda: {1: keys.generate_device_key(), 2: keys.generate_device_key()}
    )
    list_keys: dict[int, DevicePrivateKey] = field(default_factory=dict)

    def wanted(self, kind: ListKind = ListKind.DENY, scope: str = "") -> Wanted:
        public = {number: keys.public_bytes(key) for number, key in self.roots.items()}
        return Wanted(kind, public, scope_of(scope))

    def signer(self, key_id: int = 1, *, root: int = 1, **changes: object) -> ListSigner:
        key = self.list_keys.setdefault(key_id, keys.generate_device_key())
        unsigned = ListCertificate(
            root, kinds_bitmap(ListKind), key_id, keys.public_bytes(key), AT - _YEAR, AT + _YEAR
        )
        unsigned = replace(unsigned, **changes)  # type: ignore[arg-type] # fields of the test
        return ListSigner(key, certify(unsigned, self.roots.get(root, self.roots[1])))

    def head(
        self, records: bytes, version: int = 1, *, signer: ListSigner | None = None,
        kind: ListKind = ListKind.DENY, scope: str = "", issued_at: datetime = AT,
    ) -> ListHead:  # fmt: skip
        use_by = issued_at + timedelta(days=1)
        return (signer or self.signer()).head(kind, version, records, issued_at, use_by, scope)

    def whole(self, records: bytes, version: int = 1, **changes: object) -> bytes:
        head = self.head(records, version, **changes)  # type: ignore[arg-type] # as above
        return head.encode() + records

    def held(self, records: bytes, version: int = 1, **changes: object) -> SignedList:
        return SignedList.parse(self.whole(records, version, **changes))

    def delta(self, old: SignedList, records: bytes, version: int, **changes: object) -> bytes:
        head = self.head(records, version, **changes)  # type: ignore[arg-type] # as above
        new = old.head.kind.table(records)
        found = changes_over(changes_between(old.table, new), old.table)
        return Delta(old.head.version, head, found).encode()


def told(
    received: bytes, held: SignedList | None, wanted: Wanted, at: datetime = AT, u: int = 0
) -> str:
    """What becomes of a list, in one word; what is held never changes."""
    before = None if held is None else b"".join(held.chunks())
    found = take(received, held, wanted, at, u)
    assert before is None or (held is not None and b"".join(held.chunks()) == before)
    match found:
        case Taken():
            return "taken"
        case Unchanged():
            return "unchanged"
        case Refused(reason):
            return str(reason)
