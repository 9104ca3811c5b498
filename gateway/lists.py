"""The trust and deny lists as this process knows them, polled by version each second.

The same task turns deny requests into list entries; with several gateways, one at
a time does it.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.database import Database
from gateway.problems import starting
from transitpay.clock import Clock
from transitpay.postgres import denials, lists
from transitpay.ride_code.deny_list import DenyList
from transitpay.ride_code.trust_list import TrustList


@dataclass(frozen=True, slots=True)
class PublishedList:
    """A list as readers fetch it: JSON bytes under an entity tag."""

    version: int
    etag: str
    body: bytes


class ListCache:
    """The lists last seen; until the first ``refresh`` there are none."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._trust: TrustList | None = None
        self._deny: DenyList | None = None
        self._published: dict[str, PublishedList] = {}

    @property
    def trust(self) -> TrustList:
        """The trust list. Raises: TemporarilyUnavailable before the first refresh."""
        if self._trust is None:
            raise starting()
        return self._trust

    @property
    def deny(self) -> DenyList:
        """The deny list. Raises: TemporarilyUnavailable before the first refresh."""
        if self._deny is None:
            raise starting()
        return self._deny

    def published(self, name: str) -> PublishedList:
        """The list ``trust`` or ``deny`` for readers. Raises: as above."""
        current = self.trust if name == "trust" else self.deny
        known = self._published.get(name)
        if known is None or known.version != current.version:
            text = current.to_json()
            known = PublishedList(current.version, f'"{name}-{current.version}"', text.encode())
            self._published[name] = known
        return known

    async def refresh(self) -> None:
        """Apply deny requests, then fetch the lists whose version moved.

        Raises: TemporarilyUnavailable; the lists stay as they were.
        """
        async with self._database.transaction() as conn:
            await denials.apply_deny_requests(conn, self._clock.now())
        async with self._database.transaction() as conn:
            versions = await lists.versions(conn)
            if self._trust is None or self._trust.version != versions["trust"]:
                self._trust = await lists.trust_list(conn)
            if self._deny is None or self._deny.version != versions["deny"]:
                self._deny = await lists.deny_list(conn)
