"""Statements of alarms about readers: raised once under their natural key, ended when over."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import asyncpg

from transitpay.postgres.gates.uploads import as_json


class AlarmKind(StrEnum):
    """What can be wrong with a reader, or with what it read."""

    GAP = "gap"
    CLONED_READER = "cloned_reader"
    BROKEN_CHAIN = "broken_chain"
    CLONED_DEVICE = "cloned_device"
    CLOCK_FAULT = "clock_fault"
    SILENT = "silent"
    AFTER_DECOMMISSIONING = "after_decommissioning"
    UNRECORDED_SCANS = "unrecorded_scans"
    STORE_FULL = "store_full"


@dataclass(frozen=True, slots=True)
class Alarm:
    """A fault; ``subject`` is its natural key within reader and kind."""

    reader: str
    kind: AlarmKind
    subject: str
    detail: Mapping[str, object]


_RAISE = """
insert into reader_alarm (reader, kind, subject, detail, raised_at)
select reader, kind, subject, detail::jsonb, $5
from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as g (reader, kind, subject, detail)
order by reader, kind, subject
on conflict (reader, kind, subject) do update
set detail = excluded.detail, ended_at = null
where reader_alarm.ended_at is not null
"""


async def raise_alarms(conn: asyncpg.Connection, alarms: Sequence[Alarm], at: datetime) -> None:
    """Raise what is not raised yet; an alarm that had ended stands again."""
    first = {(it.reader, it.kind, it.subject): it for it in alarms}
    await conn.execute(
        _RAISE,
        [it.reader for it in first.values()],
        [it.kind for it in first.values()],
        [it.subject for it in first.values()],
        [as_json(it.detail) for it in first.values()],
        at,
    )


_END = """
update reader_alarm set ended_at = $4
where reader = $1 and kind = $2 and ended_at is null and not (subject = any($3::text[]))
"""


async def end_alarms(
    conn: asyncpg.Connection, reader: str, kind: AlarmKind, standing: Collection[str], at: datetime
) -> None:
    """End the alarms of a kind whose subject is not among those that still stand."""
    await conn.execute(_END, reader, kind, list(standing), at)


_END_BY_EVENT = """
update reader_alarm a set ended_at = $4
where a.reader = $1 and a.kind = $2 and a.ended_at is null and a.detail ? 'position'
  and exists (select from reader_event e
              where e.reader = $1 and e.kind = $3
                and e.position > (a.detail ->> 'position')::bigint)
"""


async def end_by_event(
    conn: asyncpg.Connection, reader: str, alarm: AlarmKind, event: str, at: datetime
) -> None:
    """End the alarms of records that a later record of this kind has put right."""
    await conn.execute(_END_BY_EVENT, reader, alarm, event, at)


_END_ONE = """
update reader_alarm set ended_at = $4
where reader = $1 and kind = $2 and subject = $3 and ended_at is null
"""


async def end_alarm(
    conn: asyncpg.Connection, reader: str, kind: AlarmKind, subject: str, at: datetime
) -> None:
    """End one alarm, if it stands."""
    await conn.execute(_END_ONE, reader, kind, subject, at)
