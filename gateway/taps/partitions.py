"""Which days have partitions, and making those that a scan may need before its transaction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from gateway.database import Database
from transitpay.clock import LOCAL_ZONE
from transitpay.postgres.gates import taps

#: A record older than this is too late to be booked.
LATE_LIMIT_DAYS = 35
#: The longest life of an authorisation, and a day for its edges.
_LIFE_DAYS = 8
_AHEAD_DAYS = 2


class Partitions:
    """The days that are known to be ready; forgotten each hour, for old days are dropped."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ready: frozenset[date] = frozenset()

    def bookable(self, at: datetime) -> tuple[date, date]:
        """The first and last local day whose scans can be booked at ``at``."""
        today = at.astimezone(LOCAL_ZONE).date()
        return today - timedelta(LATE_LIMIT_DAYS), today + timedelta(1)

    async def refresh(self, at: datetime) -> None:
        """Make the window around ``at`` and forget all other days.

        Raises: TemporarilyUnavailable.
        """
        today = at.astimezone(UTC).date()
        first, last = today - timedelta(_LIFE_DAYS), today + timedelta(_AHEAD_DAYS)
        async with self._database.transaction() as conn:
            await taps.ensure_partitions(conn, first, last)
        count = (last - first).days + 1
        self._ready = frozenset(first + timedelta(n) for n in range(count))

    async def ensure(self, days: Iterable[date]) -> None:
        """Make what is missing of these days.

        Raises: TemporarilyUnavailable.
        """
        missing = sorted(set(days) - self._ready)
        if not missing:
            return
        async with self._database.transaction() as conn:
            for day in missing:
                await taps.ensure_partitions(conn, day, day)
        self._ready |= frozenset(missing)

    def forget(self) -> None:
        """Believe nothing until asked again."""
        self._ready = frozenset()
