"""When a list gets its next signed version, and its signing: one gateway at a time, only forward.

A list is signed anew when its content changed, when half of its life is over, or when a newer list
key is here. Without a list key nothing is published and taps are decided as before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

import asyncpg

from gateway.lists.list_keys import ListKeys
from transitpay.postgres.trust import lists, published_lists
from transitpay.postgres.trust.published_lists import Published
from transitpay.ride_code.lists.config_list import config_records
from transitpay.ride_code.lists.list_signing import ListSigner
from transitpay.ride_code.lists.record_table import Bytes
from transitpay.ride_code.lists.signed_list import ListHead, ListKind, SignedList
from transitpay.ride_code.lists.trust_records import trust_records

#: How long a version is to be used; it is replaced when half of that is over.
LIFE: Mapping[ListKind, timedelta] = {
    ListKind.TRUST: timedelta(days=7),
    ListKind.DENY: timedelta(days=1),
    ListKind.CONFIG: timedelta(days=7),
}


def is_due(held: ListHead | None, signer: ListSigner, at: datetime, *, changed: bool) -> bool:
    """Whether the list is to be signed anew with this key; never with an older key than before."""
    if held is None:
        return True
    ours, theirs = signer.certificate.key_id, held.certificate.key_id
    if ours != theirs:
        return ours > theirs
    return changed or at >= held.issued_at + (held.use_by - held.issued_at) / 2


def next_head(
    kind: ListKind, version: int, records: Bytes, signer: ListSigner, at: datetime, reader: str = ""
) -> ListHead:
    """The signed head of the next version."""
    issued_at = at.replace(microsecond=0)
    return signer.head(kind, version, records, issued_at, issued_at + LIFE[kind], reader)


class Publisher:
    """Signs lists with the keys of this machine; each call runs in the caller's transaction."""

    def __init__(self, keys: ListKeys) -> None:
        self._keys = keys

    def look_for_keys(self, at: datetime) -> bool:
        """See which keys are here now; whether lists of all kinds can be signed."""
        self._keys.look()
        return all(self._keys.signer(kind, at) is not None for kind in ListKind)

    def is_old(self, one: SignedList, at: datetime) -> bool:
        """Whether a list is to be signed anew though nothing in it changed."""
        signer = self._keys.signer(one.head.kind, at)
        return signer is not None and is_due(one.head, signer, at, changed=False)

    async def trust(self, conn: asyncpg.Connection, at: datetime) -> bool:
        """Publish the trust list if it is due; whether it was."""
        signer = self._keys.signer(ListKind.TRUST, at)
        if signer is None:
            return False
        version = await lists.lock_version(conn, "trust")
        held = await published_lists.latest(conn, ListKind.TRUST)
        version = await _due_version(conn, "trust", held, version, signer, at)
        if not version:
            return False
        records = trust_records(await lists.trust_list(conn))
        head = next_head(ListKind.TRUST, version, records, signer, at)
        return await published_lists.put(conn, head, "", records, at)

    async def deny_version(self, conn: asyncpg.Connection, at: datetime) -> int:
        """The version under which the deny list is to be published now; 0 = it is not due.

        Nobody changes the list before this transaction ends.
        """
        signer = self._keys.signer(ListKind.DENY, at)
        if signer is None:
            return 0
        version = await lists.lock_version(conn, "deny")
        held = await published_lists.latest(conn, ListKind.DENY)
        return await _due_version(conn, "deny", held, version, signer, at)

    async def deny(
        self, conn: asyncpg.Connection, version: int, records: Bytes, at: datetime
    ) -> bool:
        """Publish the deny list, which has these records; whether it was."""
        signer = self._keys.signer(ListKind.DENY, at)
        if signer is None:
            return False
        # A digest of megabytes: no tap waits for it.
        head = await asyncio.to_thread(next_head, ListKind.DENY, version, records, signer, at)
        return await published_lists.put(conn, head, "", None, at)

    async def config(
        self, conn: asyncpg.Connection, reader: str, values: Mapping[str, str], at: datetime
    ) -> Published | None:
        """The config of a reader with these settings, published if it is due; None = no list key.

        Raises: MalformedInput (``bad_id``, ``bad_field``) if a setting does not fit a record.
        """
        records = config_records(values)
        held = await published_lists.latest(conn, ListKind.CONFIG, reader)
        changed = held is None or held.records != records
        signer = self._keys.signer(ListKind.CONFIG, at)
        if signer is None:
            return None if changed else held
        if not is_due(held.head if held else None, signer, at, changed=changed):
            return None if changed else held
        version = held.head.version + 1 if held else 1
        head = next_head(ListKind.CONFIG, version, records, signer, at, reader)
        await published_lists.put(conn, head, reader, records, at)
        return await published_lists.latest(conn, ListKind.CONFIG, reader)


async def _due_version(
    conn: asyncpg.Connection,
    name: str,
    held: Published | None,
    version: int,
    signer: ListSigner,
    at: datetime,
) -> int:
    """The version to publish under, raised where the last one has it; 0 = nothing is due."""
    head = held.head if held else None
    if not is_due(head, signer, at, changed=head is None or head.version < version):
        return 0
    if head is not None and head.version >= version:
        return await lists.raise_version(conn, name, at)
    return version
