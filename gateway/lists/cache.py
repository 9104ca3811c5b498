"""The trust and deny lists as this process knows them, polled by version each second.

The same task turns deny requests into list entries and has due lists signed; with several gateways,
one at a time does it. The deny list is a table of records that only changes are merged into.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import asyncpg

from gateway.database import Database
from gateway.http.problems import list_key_missing, starting
from gateway.lists.publishing import Publisher
from transitpay.clock import Clock
from transitpay.errors import MalformedInput
from transitpay.postgres.trust import denials, deny_table, lists, published_lists
from transitpay.ride_code.deny_list import Denials, DenyTable
from transitpay.ride_code.lists.record_table import RecordTable, apply, changes_over
from transitpay.ride_code.lists.signed_list import ListKind, SignedList
from transitpay.ride_code.trust_list import TrustList
from transitpay.runtime.observe import EventLog

#: A round may have to read the whole deny list, or to merge and sign it.
_ROUND_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class DenyRecords:
    """The records of the deny list at one version."""

    version: int
    table: RecordTable


class ListCache:
    """The lists last seen; until the first ``refresh`` there are none."""

    def __init__(
        self, database: Database, clock: Clock, publisher: Publisher, events: EventLog
    ) -> None:
        self._database = database
        self._clock = clock
        self._publisher = publisher
        self._events = events
        self._trust: TrustList | None = None
        self._deny: DenyRecords | None = None
        self._denials: Denials | None = None
        self._published: dict[ListKind, SignedList] = {}
        self._round = asyncio.Lock()
        self._trust_fault: str | None = None
        #: Whether this machine has a list key; None before the first look.
        self.has_list_key: bool | None = None

    @property
    def trust(self) -> TrustList:
        """The trust list. Raises: TemporarilyUnavailable before the first refresh."""
        if self._trust is None:
            raise starting()
        return self._trust

    @property
    def deny(self) -> Denials:
        """The deny list. Raises: TemporarilyUnavailable before the first refresh."""
        if self._denials is None:
            raise starting()
        return self._denials

    def published(self, kind: ListKind) -> SignedList:
        """The signed trust or deny list.

        Raises: TemporarilyUnavailable (``list_key_missing`` where nobody has signed one).
        """
        found = self._published.get(kind)
        if found is not None:
            return found
        raise list_key_missing() if self.has_list_key is False else starting()

    def signed_version(self, kind: ListKind) -> int:
        """The version of the signed trust or deny list; 0 = nobody has signed one."""
        found = self._published.get(kind)
        return 0 if found is None else found.head.version

    async def refresh(self) -> None:
        """Apply deny requests, have due lists signed, then fetch what moved.

        Raises: TemporarilyUnavailable; the lists stay as they were.
        """
        async with self._round:
            self._look_for_keys()
            signed = None
            async with self._database.transaction(_ROUND_LIMIT_S) as conn:
                await denials.apply_deny_requests(conn, self._clock.now())
                if await lists.is_our_turn(conn):
                    signed = await self._publish_deny(conn)
            self._deny = signed or self._deny
            await self._publish_trust()
            async with self._database.transaction(_ROUND_LIMIT_S) as conn:
                await self._fetch(conn)

    async def _publish_deny(self, conn: asyncpg.Connection) -> DenyRecords | None:
        """Have the deny list signed if it is due; its records, which others have after commit."""
        now = self._clock.now()
        version = await self._publisher.deny_version(conn, now)
        if not version:
            return None
        current = await _advanced(conn, self._deny)
        await self._publisher.deny(conn, version, current.table.records, now)
        return current

    async def _publish_trust(self) -> None:
        try:
            async with self._database.transaction() as conn:
                if await lists.is_our_turn(conn):
                    await self._publisher.trust(conn, self._clock.now())
            self._trust_fault = None
        except MalformedInput as error:  # one bad key stops no other list
            if error.field != self._trust_fault:
                self._events.error("trust_list_not_signed", code=error.code, field=error.field)
            self._trust_fault = error.field

    async def _fetch(self, conn: asyncpg.Connection) -> None:
        signed = await published_lists.latest_versions(conn)
        versions = await lists.versions(conn)
        if self._trust is None or self._trust.version != versions["trust"]:
            self._trust = await lists.trust_list(conn)
        if self._deny is None or self._deny.version != versions["deny"]:
            self._deny = await _advanced(conn, self._deny)
        numbers = self._trust.issuer_numbers()
        self._denials = DenyTable(self._deny.version, self._deny.table, numbers)
        for kind, version in signed.items():
            known = self._published.get(kind)
            if known is None or known.head.version < version:
                await self._take(conn, kind)

    async def _take(self, conn: asyncpg.Connection, kind: ListKind) -> None:
        """Hold what is published; a deny list only where its records are those we have."""
        found = await published_lists.latest(conn, kind)
        if found is None:
            return
        if found.records is not None:
            self._published[kind] = SignedList(found.head, kind.table(found.records))
        elif self._deny is not None and self._deny.version == found.head.version:
            self._published[kind] = SignedList(found.head, self._deny.table)

    def _look_for_keys(self) -> None:
        has_key = self._publisher.look_for_keys(self._clock.now())
        if has_key is not self.has_list_key and not has_key:
            self._events.warning("list_key_missing")
        self.has_list_key = has_key


async def _advanced(conn: asyncpg.Connection, known: DenyRecords | None) -> DenyRecords:
    """The records now: all of them at first, then what is known with the changes merged in."""
    if known is None:
        version, records = await deny_table.records(conn)
        return DenyRecords(version, ListKind.DENY.table(records))
    version, _, found = await deny_table.changes_since(conn, known.version)
    if not found:
        return DenyRecords(version, known.table)
    changes = changes_over(found, known.table)
    merged = await asyncio.to_thread(lambda: b"".join(apply(known.table, changes)))
    return DenyRecords(version, ListKind.DENY.table(merged))
