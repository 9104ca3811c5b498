"""Publishes signed lists and keeps every version, so that an old one can still be in flight."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from transitpay.ride_code import keys
from transitpay.ride_code.deny_list import DenyTable, deny_record
from transitpay.ride_code.lists.config_list import config_records
from transitpay.ride_code.lists.list_signing import ListSigner, certify, kinds_bitmap
from transitpay.ride_code.lists.record_table import changes_between, changes_over
from transitpay.ride_code.lists.signed_list import (
    Delta,
    ListCertificate,
    ListKind,
    SignedList,
    scope_of,
)
from transitpay.ride_code.lists.trust_records import trust_records
from transitpay.ride_code.trust_list import TrustList

from .issuers import Issuer
from .key_pool import repeatable_key
from .scheduler import Scheduler

ListName = tuple[ListKind, bytes]
#: Root number -> public key, as built into each reader.
ROOTS: Mapping[int, bytes] = {
    number: keys.public_bytes(repeatable_key(f"root {number}")) for number in (1, 2)
}


@dataclass(slots=True)
class ListOffice:
    """All versions of all lists, the newest last; ``use_by_s`` after its issue a list is stale."""

    scheduler: Scheduler
    issuers: Mapping[str, Issuer]
    use_by_s: int = 24 * 3600
    versions: dict[ListName, list[SignedList]] = field(default_factory=dict)
    _signer: ListSigner = field(init=False)
    _list_key: int = 0

    def __post_init__(self) -> None:
        self.new_list_key()

    def new_list_key(self) -> None:
        """Sign with another list key from now on, certified by the other root."""
        self._list_key += 1
        key = repeatable_key(f"list key {self._list_key}")
        root = 1 + self._list_key % 2
        begin = self.scheduler.now.replace(microsecond=0) - timedelta(days=1)
        unsigned = ListCertificate(
            root, kinds_bitmap(ListKind), self._list_key, keys.public_bytes(key), begin,
            begin + timedelta(days=60),
        )  # fmt: skip
        self._signer = ListSigner(key, certify(unsigned, repeatable_key(f"root {root}")))

    def publish_trust(self) -> int:
        """The issuers' keys as they are now."""
        found = [key for it in self.issuers.values() for key in it.records.values()]
        return self._publish(ListKind.TRUST, "", trust_records(TrustList.of(0, found)))

    def publish_deny(self) -> int:
        """The riders who are denied now."""
        found = sorted(
            deny_record(it.number, rider, serial)
            for it in self.issuers.values()
            for rider, serial in it.denied.items()
        )
        return self._publish(ListKind.DENY, "", b"".join(found))

    def publish_config(self, reader: str, settings: Mapping[str, str]) -> int:
        """The settings of one reader."""
        return self._publish(ListKind.CONFIG, reader, config_records(settings))

    def newest(self, kind: ListKind, scope: str = "") -> SignedList:
        """The newest version."""
        return self.versions[kind, scope_of(scope)][-1]

    def history(self, kind: ListKind) -> list[SignedList]:
        """All versions, the oldest first."""
        return self.versions[kind, scope_of()]

    def body(self, wanted: SignedList, held_version: int) -> bytes:
        """What a reader with this version is given of the list ``wanted``: a delta if it fits."""
        head = wanted.head
        old = next(
            (v for v in self.versions[head.kind, head.scope] if v.head.version == held_version),
            None,
        )
        if old is None or old.head.version >= head.version:
            return b"".join(bytes(chunk) for chunk in wanted.chunks())
        changes = changes_over(changes_between(old.table, wanted.table), old.table)
        return Delta(held_version, head, changes).encode()

    def _publish(self, kind: ListKind, scope: str, records: bytes) -> int:
        known = self.versions.setdefault((kind, scope_of(scope)), [])
        version = 1 + (known[-1].head.version if known else 0)
        issued_at = self.scheduler.now.replace(microsecond=0)
        use_by = issued_at + timedelta(seconds=self.use_by_s)
        head = self._signer.head(kind, version, records, issued_at, use_by, scope)
        known.append(SignedList.parse(head.encode() + records))
        return version


def deny_table(found: SignedList, issuers: Iterable[Issuer]) -> DenyTable:
    """The deny list of these records as ``judge`` takes it."""
    numbers = {it.name: it.number for it in issuers}
    return DenyTable(found.head.version, found.table, numbers)
