"""Statements of what readers say of themselves, and what is known of each: states and alarms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from transitpay.postgres.journeys.records import PagePosition, Row


@dataclass(frozen=True, slots=True)
class Report:
    """A heartbeat; None = the reader does not tell. ``clock_error_ms`` is its clock minus ours."""

    last_sequence: int
    through_at: datetime
    clock_error_ms: int | None = None
    uncertainty_s: int | None = None
    last_position: int | None = None
    store_held: int | None = None
    store_capacity: int | None = None
    trust_version: int | None = None
    deny_version: int | None = None
    config_version: int | None = None
    software: str | None = None


_PUT_REPORT = """
insert into reader_status as s (reader, last_sequence, through_at, seen_at, clock_error_ms,
    uncertainty_s, last_position, store_held, store_capacity, trust_version, deny_version,
    config_version, software)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
on conflict (reader) do update
set last_sequence = greatest(s.last_sequence, excluded.last_sequence),
    through_at = greatest(s.through_at, excluded.through_at),
    seen_at = greatest(s.seen_at, excluded.seen_at),
    clock_error_ms = coalesce(excluded.clock_error_ms, s.clock_error_ms),
    uncertainty_s = coalesce(excluded.uncertainty_s, s.uncertainty_s),
    last_position = coalesce(excluded.last_position, s.last_position),
    store_held = coalesce(excluded.store_held, s.store_held),
    store_capacity = coalesce(excluded.store_capacity, s.store_capacity),
    trust_version = coalesce(excluded.trust_version, s.trust_version),
    deny_version = coalesce(excluded.deny_version, s.deny_version),
    config_version = coalesce(excluded.config_version, s.config_version),
    software = coalesce(excluded.software, s.software)
"""


async def put_report(conn: asyncpg.Connection, reader: str, it: Report, seen_at: datetime) -> None:
    """Note a heartbeat; what says how far the reader has reported moves only forward."""
    await conn.execute(
        _PUT_REPORT, reader, it.last_sequence, it.through_at, seen_at, it.clock_error_ms,
        it.uncertainty_s, it.last_position, it.store_held, it.store_capacity, it.trust_version,
        it.deny_version, it.config_version, it.software,
    )  # fmt: skip


_NOTE_HEARD = """
insert into reader_status as s (reader, seen_at)
select reader, seen_at from unnest($1::text[], $2::timestamptz[]) as g (reader, seen_at)
order by reader
on conflict (reader) do update set seen_at = excluded.seen_at
where s.seen_at < excluded.seen_at
"""


async def note_heard(conn: asyncpg.Connection, heard: Mapping[str, datetime]) -> None:
    """Reader -> when it last called, whatever for; only forward."""
    await conn.execute(_NOTE_HEARD, list(heard), list(heard.values()))


_ACKNOWLEDGED = """
select coalesce((select acknowledged_through from reader_chain where reader = $1), 0)
"""


async def acknowledged_through(conn: asyncpg.Connection, reader: str) -> int:
    """The position up to which the reader's records are here."""
    return int(await conn.fetchval(_ACKNOWLEDGED, reader))


_SILENT = """
insert into reader_alarm (reader, kind, subject, detail, raised_at)
select s.reader, 'silent', to_char(s.seen_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    jsonb_build_object('seen_at', s.seen_at), $2
from reader_status s
join reader r on r.id = s.reader
where s.seen_at < $1 and r.decommissioned_at is null
order by s.reader
on conflict do nothing
"""

_HEARD = """
update reader_alarm a set ended_at = $2
from reader_status s
where a.kind = 'silent' and a.ended_at is null and s.reader = a.reader and s.seen_at >= $1
"""


async def note_silence(conn: asyncpg.Connection, since: datetime, at: datetime) -> None:
    """Raise an alarm for each reader in service not heard of ``since``; end those heard of."""
    await conn.execute(_SILENT, since, at)
    await conn.execute(_HEARD, since, at)


_STATES = """
select r.id as reader, r.network, r.stop, r.direction, r.decommissioned_at, k.number as key_number,
    k.software as enrolled_software, s.software, s.seen_at, s.through_at, s.last_sequence,
    s.clock_error_ms, s.uncertainty_s, s.last_position, s.store_held, s.store_capacity,
    s.trust_version, s.deny_version, s.config_version, c.acknowledged_through,
    c.highest_position,
    array(select array[(a.detail ->> 'from')::bigint, (a.detail ->> 'to')::bigint]
          from reader_alarm a
          where a.reader = r.id and a.kind = 'gap' and a.ended_at is null
          order by (a.detail ->> 'from')::bigint) as gaps,
    (select count(*) from reader_alarm a where a.reader = r.id and a.ended_at is null)
        + (select count(*) from clone_alarm a where a.reader = r.id) as alarms
from reader r
left join reader_key k on k.reader = r.id and k.retired_at is null
left join reader_status s on s.reader = r.id
left join reader_chain c on c.reader = r.id
where ($1::text is null or r.operator = $1) and ($2::text is null or r.id = $2)
  and r.id > $3
order by r.id
limit $4
"""


async def states(
    conn: asyncpg.Connection, operator: str | None, reader: str | None, after: str, limit: int
) -> list[Row]:
    """What is known of each reader of an operator (None = of all), by id."""
    return list(await conn.fetch(_STATES, operator, reader, after, limit))


_ALARMS = """
select a.kind, a.reader, a.subject, a.detail, a.raised_at, a.ended_at, a.id
from (
    select kind, reader, subject, detail, raised_at, ended_at, 'a' || id as id from reader_alarm
    union all
    select 'cloned_reader', reader, 'sequence ' || sequence,
        jsonb_build_object('day', tapped_day, 'sequence', sequence), received_at, null, 'c' || id
    from clone_alarm
) a
join reader r on r.id = a.reader
where ($1::text is null or r.operator = $1) and ($2::text is null or r.id = $2)
  and ($3::timestamptz is null or (a.raised_at, a.id) < ($3, $4))
  and (not $5 or a.ended_at is null)
order by a.raised_at desc, a.id desc
limit $6
"""


async def alarms(
    conn: asyncpg.Connection,
    operator: str | None,
    reader: str | None,
    after: PagePosition | None,
    limit: int,
    *,
    standing_only: bool = False,
) -> list[Row]:
    """Alarms of an operator's readers (None = of all), newest first."""
    at, row_id = (after.at, after.id) if after else (None, "")
    return list(await conn.fetch(_ALARMS, operator, reader, at, row_id, standing_only, limit))
