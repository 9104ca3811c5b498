"""The tap log: groups of scans are read, decided and written; durable before the answer.

A group is read in one statement, decided by one pure function, and written in one other that
refuses itself where anything has changed meanwhile; then it is read again. So replay, passback
and repeated requests are decided alike with any number of gateways, and no lock is held while
anybody thinks. A scan that no partition takes, or that the database refuses by itself, goes to
the quarantine with its reason; the rest of its group is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Protocol

import asyncpg

from gateway.database import Database
from gateway.taps.deciding import Decided, StateRules, decide_group
from gateway.taps.partitions import Partitions
from gateway.taps.scan_alarms import cloned_device
from gateway.taps.scans import JudgedScan, Outcome, Stored
from transitpay.errors import TemporarilyUnavailable
from transitpay.postgres.gates import reader_alarms, tap_groups, taps
from transitpay.postgres.gates.tap_groups import Asked
from transitpay.runtime.observe import EventLog

#: A group that takes longer is given up; its scans may be asked again.
GROUP_LIMIT_S = 3.0
#: Somebody else tapped with the same rider, code or sequence at the same time: read again.
_MET = (asyncpg.UniqueViolationError, asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
_ATTEMPTS = 8
_FIRST_DAY, _DAY_S = date(1970, 1, 1), 86_400
_REFUSED_BY_DATABASE = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)


class TapLog(Protocol):
    """Where scans become facts. The answers are durable when ``append`` returns."""

    async def append(self, group: Sequence[JudgedScan]) -> list[Outcome]: ...


class PostgresLog:
    """The tap log of one database."""

    def __init__(
        self,
        database: Database,
        partitions: Partitions,
        rules: Callable[[], StateRules],
        log: EventLog,
    ) -> None:
        self._database = database
        self._partitions = partitions
        self._rules = rules
        self._log = log

    async def append(self, group: Sequence[JudgedScan]) -> list[Outcome]:
        """Store and decide the group; durable on return, in the order given.

        Raises: TemporarilyUnavailable (nothing may be assumed of the group; ask again).
        """
        first, last = self._partitions.bookable(group[0].row.received_at)
        fitting = [scan for scan in group if first <= scan.key.day <= last]
        if len(fitting) == len(group):
            return await self._append_fitting(group)
        answers = dict(zip(map(id, fitting), await self._append_fitting(fitting), strict=True))
        await self._set_apart([(s, "day_out_of_range") for s in group if id(s) not in answers])
        apart = Outcome(Stored.QUARANTINED, None, "day_out_of_range")
        return [answers.get(id(scan), apart) for scan in group]

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
        await self._partitions.ensure(_days(group))
        rules = self._rules()
        return await self._database.run_again(
            lambda conn: store_group(conn, group, rules), GROUP_LIMIT_S
        )

    async def _store_alone(self, scan: JudgedScan) -> Outcome:
        try:
            return (await self._store([scan]))[0]
        except _REFUSED_BY_DATABASE as error:
            reason = f"refused_by_database:{type(error).__name__}"
            await self._set_apart([(scan, reason)])
            return Outcome(Stored.QUARANTINED, None, reason)

    async def _set_apart(self, scans: Sequence[tuple[JudgedScan, str]]) -> None:
        rows = {
            (scan.key, scan.row.request_digest): (reason, scan.request()) for scan, reason in scans
        }
        at = scans[0][0].row.received_at
        async with self._database.transaction(GROUP_LIMIT_S) as conn:
            await taps.quarantine(conn, rows, at)
        self._log.warning("scans_quarantined", scans=len(rows))


async def store_group(
    conn: asyncpg.Connection, group: Sequence[JudgedScan], rules: StateRules
) -> list[Outcome]:
    """Read, decide, write; again while others are met. One outcome a scan, in the order given.

    Raises: TemporarilyUnavailable (``database_busy``); asyncpg's errors of rows that cannot be.
    """
    asked = [_asked(scan) for scan in group]
    for _ in range(_ATTEMPTS):
        known = await tap_groups.read_group(conn, asked)
        decided = decide_group(group, known, rules)
        try:
            await _write(conn, decided, group[0])
        except _MET:
            continue
        return decided.outcomes
    raise TemporarilyUnavailable("database_busy", "too many writers met; try again")


async def _write(conn: asyncpg.Connection, decided: Decided, first: JudgedScan) -> None:
    """One statement commits by itself; what is rarely needed as well shares a transaction."""
    at = first.row.received_at
    if not (decided.alarms or decided.clones):
        if decided.new:
            await tap_groups.write_group(conn, decided.new, at)
        return
    async with conn.transaction():
        if decided.new:
            await tap_groups.write_group(conn, decided.new, at)
        if decided.alarms:
            await taps.raise_clone_alarms(conn, list(decided.alarms), at)
        if decided.clones:
            found = [alarm for clone in decided.clones for alarm in cloned_device(*clone)]
            await reader_alarms.raise_alarms(conn, found, at)


def _asked(scan: JudgedScan) -> Asked:
    accepted = scan.opening
    if accepted is None:
        return Asked(scan.key, None, None)
    return Asked(scan.key, accepted.rider, accepted.replay_key)


def _days(group: Sequence[JudgedScan]) -> set[date]:
    """The days whose partitions these scans need: of the taps, and of their codes."""
    begins = {s.opening.replay_key.not_before // _DAY_S for s in group if s.opening is not None}
    return {s.key.day for s in group} | {_FIRST_DAY + timedelta(days=n) for n in begins}
