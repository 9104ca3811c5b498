"""Keeps the tariffs of the database: registers what is new at the start, tells gateways of changes.

Gateways compare a code's ceiling with the highest fares of stops and show riders the names of
stops; both are told again whenever a version begins to count.
"""

from __future__ import annotations

from collections.abc import Iterable

from transitpay.clock import Clock
from transitpay.fares.highest import highest_fares
from transitpay.fares.shown import journey_terms, stop_names
from transitpay.fares.tariff import Tariff
from transitpay.postgres.gates import stop_fares
from transitpay.postgres.journeys import shown_tariffs, tariff_versions
from transitpay.postgres.pool import Pool, transaction
from transitpay.runtime.calendars import known_calendars
from transitpay.runtime.observe import EventLog
from transitpay.runtime.tariff_versions import StoredTariffs, register_tariffs

_log = EventLog("settlement.tariffs")


class TariffDesk:
    """The stored tariffs of one settlement process."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool, self._clock = pool, clock
        self._told = 0
        self.stored = StoredTariffs(known_calendars())

    async def register(self, tariffs: Iterable[Tariff]) -> None:
        """Store what comes with the package or the data folder, where it may count.

        Raises: TemporarilyUnavailable when the database is away.
        """
        async with transaction(self._pool) as conn:
            recorded, left_out = await register_tariffs(conn, tariffs, self._clock.now())
        if recorded:
            _log.info("tariffs_registered", versions=[it.version for it in recorded])
        for it in left_out:
            # It would change what is booked, or what is stored: that is a person's to decide.
            _log.warning("tariff_left_out", network=it.network, version=it.version)

    async def once(self) -> int:
        """Tell gateways what is new; returns how many lists changed.

        Raises: TemporarilyUnavailable when the database is away.
        """
        async with transaction(self._pool) as conn:
            version = await tariff_versions.list_version(conn)
            if version == self._told:
                return 0
            book = await self.stored.newest(conn)
            fares = highest_fares(book)
            changed = await stop_fares.put_stop_fares(conn, fares, self._clock.now())
            names, terms = stop_names(book), journey_terms(book)
            changed |= await shown_tariffs.put_shown(conn, names, terms, self._clock.now())
        self._told = version
        _log.info("tariffs_told", version=version, stops=len(fares), changed=changed)
        return int(changed)
