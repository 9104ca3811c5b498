"""What a reader gets that asks for a list: the whole of it or a delta, whichever is shorter.

Deltas are kept for a while: a fleet of readers has the same few versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from gateway.database import Database
from gateway.http.problems import LIST_KEY_MISSING, list_key_missing
from gateway.lists.cache import ListCache
from gateway.lists.publishing import Publisher
from transitpay.clock import Clock
from transitpay.errors import MalformedInput, TemporarilyUnavailable
from transitpay.postgres.trust import deny_table, published_lists
from transitpay.ride_code.lists.record_table import Bytes, changes_between, changes_over
from transitpay.ride_code.lists.signed_list import Delta, ListHead, ListKind, SignedList

_K = TypeVar("_K")
_V = TypeVar("_V")
_DELTAS_LIMIT = 256
_CONFIGS_LIMIT = 5000


@dataclass(frozen=True, slots=True)
class ServedList:
    """The bytes of a list or of a delta, in pieces, and the head that they lead to."""

    head: ListHead
    pieces: tuple[Bytes, ...]

    @property
    def tag(self) -> str:
        """The entity tag, without quotes."""
        return f"{self.head.kind}-{self.head.certificate.key_id}-{self.head.version}"

    @property
    def length(self) -> int:
        """How many bytes there are."""
        return sum(len(piece) for piece in self.pieces)


class ListServer:
    """Serves the lists that are published; configs are published when they are asked for."""

    def __init__(
        self, database: Database, clock: Clock, cache: ListCache, publisher: Publisher
    ) -> None:
        self._database = database
        self._clock = clock
        self._cache = cache
        self._publisher = publisher
        self._deltas: dict[tuple[ListKind, str, int], ServedList] = {}
        self._configs: dict[str, tuple[dict[str, str], SignedList]] = {}

    async def shared(self, kind: ListKind, have: int | None) -> ServedList:
        """The trust or deny list for a reader that has a version of it.

        Raises: TemporarilyUnavailable (``list_key_missing``).
        """
        return await self._shortest(self._cache.published(kind), "", have)

    async def config(self, reader: str, values: dict[str, str], have: int | None) -> ServedList:
        """The config of a reader that has these settings.

        Raises: TemporarilyUnavailable (``list_key_missing``), MalformedInput if a setting does not
        fit a record.
        """
        return await self._shortest(await self._config(reader, values), reader, have)

    async def config_version(self, reader: str, values: dict[str, str]) -> int:
        """The version of a reader's config; 0 = it cannot be signed.

        Raises: TemporarilyUnavailable if the database is away.
        """
        try:
            return (await self._config(reader, values)).head.version
        except MalformedInput:
            return 0
        except TemporarilyUnavailable as error:
            if error.code == LIST_KEY_MISSING:
                return 0
            raise

    async def _config(self, reader: str, values: dict[str, str]) -> SignedList:
        now = self._clock.now()
        known = self._configs.get(reader)
        if known is not None and known[0] == values and not self._publisher.is_old(known[1], now):
            return known[1]
        async with self._database.transaction() as conn:
            found = await self._publisher.config(conn, reader, values, now)
        if found is None or found.records is None:
            raise list_key_missing()
        one = SignedList(found.head, ListKind.CONFIG.table(found.records))
        _remember(self._configs, reader, (values, one), _CONFIGS_LIMIT)
        return one

    async def _shortest(self, one: SignedList, reader: str, have: int | None) -> ServedList:
        whole = ServedList(one.head, tuple(one.chunks()))
        if not have or have > one.head.version:
            return whole
        key = (one.head.kind, reader, have)
        known = self._deltas.get(key)
        if known is None or known.head != one.head:
            known = await self._delta(one, reader, have)
            if known is None:
                return whole
            _remember(self._deltas, key, known, _DELTAS_LIMIT)
        return known if known.length < whole.length else whole

    async def _delta(self, one: SignedList, reader: str, have: int) -> ServedList | None:
        head, changes = one.head, b""
        if have < head.version and head.kind is ListKind.DENY:
            async with self._database.transaction() as conn:
                most = len(one.table)
                if await deny_table.changed_since(conn, have, most + 1) > most:
                    return None
                # Entries know their last change only: the delta leads to the version of now.
                _, head_bytes, changes = await deny_table.changes_since(conn, have)
            if head_bytes is None:
                return None
            head = ListHead.parse(head_bytes)
        elif have < head.version:
            async with self._database.transaction() as conn:
                old = await published_lists.records_at(conn, head.kind, reader, have)
            if old is None:
                return None
            changes = changes_between(head.kind.table(old), one.table)
        found = Delta(have, head, changes_over(changes, one.table))
        return ServedList(head, (found.encode(),))


def _remember(known: dict[_K, _V], key: _K, value: _V, limit: int) -> None:
    """Keep a value; the one kept longest goes where there are too many."""
    known.pop(key, None)
    known[key] = value
    if len(known) > limit:
        del known[next(iter(known))]
