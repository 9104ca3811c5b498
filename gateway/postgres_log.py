"""Groups of scans into PostgreSQL: partitions first, one transaction, bad scans set apart.

A scan that no partition takes, or that the database refuses by itself, goes to the quarantine
with its reason; the rest of its group is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import asyncpg

from gateway.database import Database
from gateway.partitions import Partitions
from gateway.scans import JudgedScan, Outcome, Stored
from gateway.tap_log import store_group
from transitpay.postgres import taps
from transitpay.postgres.code_uses import not_before_at
from transitpay.runtime.observe import EventLog

#: A group that takes longer is given up; its scans may be asked again.
GROUP_LIMIT_S = 3.0
_REFUSED_BY_DATABASE = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)


class PostgresLog:
    """The tap log of one database."""

    def __init__(
        self, database: Database, partitions: Partitions, debounce: timedelta, log: EventLog
    ) -> None:
        self._database = database
        self._partitions = partitions
        self._debounce = debounce
        self._log = log

    async def append(self, group: Sequence[JudgedScan]) -> list[Outcome]:
        """Store and decide the group; durable on return, in the order given.

        Raises: TemporarilyUnavailable (nothing may be assumed of the group; ask again).
        """
        fitting = [scan for scan in group if self._fits(scan)]
        answers = dict(zip(map(id, fitting), await self._append_fitting(fitting), strict=True))
        strays = [scan for scan in group if id(scan) not in answers]
        if strays:
            await self._set_apart([(scan, "day_out_of_range") for scan in strays])
        apart = Outcome(Stored.QUARANTINED, None, "day_out_of_range")
        return [answers.get(id(scan), apart) for scan in group]

    def _fits(self, scan: JudgedScan) -> bool:
        return self._partitions.takes(scan.key.day, scan.row.received_at)

    async def _append_fitting(self, group: Sequence[JudgedScan]) -> list[Outcome]:
        if not group:
            return []
        try:
            return await self._store(group)
        except _REFUSED_BY_DATABASE as error:
            self._partitions.forget()
            self._log.warning("group_refused", scans=len(group), error=type(error).__name__)
        return [await self._store_alone(scan) for scan in group]

    async def _store(self, group: Sequence[JudgedScan]) -> list[Outcome]:
        await self._partitions.ensure(day for scan in group for day in _days(scan))
        return await self._database.run(
            lambda conn: store_group(conn, group, self._debounce), GROUP_LIMIT_S
        )

    async def _store_alone(self, scan: JudgedScan) -> Outcome:
        try:
            return (await self._store([scan]))[0]
        except _REFUSED_BY_DATABASE as error:
            reason = f"refused_by_database:{type(error).__name__}"
            await self._set_apart([(scan, reason)])
            return Outcome(Stored.QUARANTINED, None, reason)

    async def _set_apart(self, scans: Sequence[tuple[JudgedScan, str]]) -> None:
        rows = {scan.key: (scan.key, reason, scan.request()) for scan, reason in scans}
        at = scans[0][0].row.received_at
        async with self._database.transaction(GROUP_LIMIT_S) as conn:
            await taps.quarantine(conn, list(rows.values()), at)
        self._log.warning("scans_quarantined", scans=len(rows))


def _days(scan: JudgedScan) -> list[date]:
    """The days whose partitions this scan needs."""
    accepted = scan.opening
    if accepted is None:
        return [scan.key.day]
    return [scan.key.day, not_before_at(accepted.replay_key).date()]
