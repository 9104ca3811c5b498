"""Statements of station modes: append-only records of operators, and who may make one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import asyncpg

from transitpay.clock import service_day
from transitpay.fares.names import fold
from transitpay.journeys.station_modes import Mode, StationMode
from transitpay.postgres.trust import lists

_COLUMNS = """
select id, operator, request_id, network, stop, mode, valid_from, valid_until, reason, replaces,
       recorded_by, recorded_at
from station_mode
"""


_OF_OPERATOR = """
select exists (select from reader where operator = $1 and network = $2)
"""


async def has_network(conn: asyncpg.Connection, operator: str, network: str) -> bool:
    """Whether the operator has a reader on this network."""
    return bool(await conn.fetchval(_OF_OPERATOR, operator, network))


_STOPS = """
select stop, null::text[] as names from reader where network = $1
union
select stop, names from stop_fare where network = $1
"""


async def has_stop(conn: asyncpg.Connection, network: str, stop: str) -> bool:
    """Whether a reader of the network or a tariff knows the stop, in any spelling."""
    spelled = fold(stop)
    return any(
        stop == row["stop"] or spelled == fold(row["stop"]) or spelled in (row["names"] or ())
        for row in await conn.fetch(_STOPS, network)
    )


_BY_REQUEST = f"""{_COLUMNS}
where operator = $1 and request_id = $2
"""


async def mode_of_request(
    conn: asyncpg.Connection, operator: str, request_id: str
) -> StationMode | None:
    """The record that this request made."""
    row = await conn.fetchrow(_BY_REQUEST, operator, request_id)
    return None if row is None else _mode(row)


_LOCK = """
select pg_advisory_xact_lock(7364004)
"""


async def lock_modes(conn: asyncpg.Connection) -> None:
    """Station modes are recorded one after another: ids and versions rise as they are committed."""
    await conn.execute(_LOCK)


_REPLACED = """
select exists (select from station_mode where operator = $1 and replaces = $2)
"""


async def is_replaced(conn: asyncpg.Connection, operator: str, request_id: str) -> bool:
    """Whether a later record has taken this one's place."""
    return bool(await conn.fetchval(_REPLACED, operator, request_id))


_INSERT = """
insert into station_mode (operator, request_id, network, stop, mode, valid_from, valid_until,
    reason, replaces, recorded_by, recorded_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
returning id
"""


async def insert_mode(conn: asyncpg.Connection, it: StationMode) -> StationMode:
    """Record it and raise the version; ``lock_modes`` is held. Returns it with its id."""
    made = await conn.fetchval(
        _INSERT, it.operator, it.request_id, it.network, it.stop, str(it.mode), it.valid_from,
        it.valid_until, it.reason, it.replaces, it.recorded_by, it.recorded_at,
    )  # fmt: skip
    await lists.raise_version(conn, "modes", it.recorded_at)
    return replace(it, id=made)


_RIDERS_THERE = """
select distinct issuer, rider_id
from journey
where network = $1 and service_day between $2 and $3 and ended_at is null
  and priced_at >= $4 and ($5::timestamptz is null or coalesce(entry_at, exit_at) <= $5)
order by issuer, rider_id
"""


async def riders_there(
    conn: asyncpg.Connection, network: str, first_at: datetime, last_at: datetime | None
) -> list[tuple[str, str]]:
    """Who has a standing journey of the network that began or ended between the two instants."""
    first_day = service_day(first_at) - timedelta(days=1)
    last_day = date.max if last_at is None else service_day(last_at)
    rows = await conn.fetch(_RIDERS_THERE, network, first_day, last_day, first_at, last_at)
    return [(row["issuer"], row["rider_id"]) for row in rows]


_SINCE = f"""{_COLUMNS} m
where (valid_until is null or valid_until >= $1)
  and not exists (
      select from station_mode r where r.operator = m.operator and r.replaces = m.request_id)
order by id
"""


async def modes_since(conn: asyncpg.Connection, since: datetime) -> list[StationMode]:
    """The records that stand now and end after ``since``, of all networks."""
    return [_mode(row) for row in await conn.fetch(_SINCE, since)]


_HISTORY = f"""{_COLUMNS} m
where ($1::text is null or operator = $1)
  and ($2::text is null or network = $2)
  and recorded_at <= $3
  and not ($4 and exists (
      select from station_mode r
      where r.operator = m.operator and r.replaces = m.request_id and r.recorded_at <= $3))
  and ($5::bigint is null or id < $5)
order by id desc
limit $6
"""


async def modes(
    conn: asyncpg.Connection,
    operator: str | None,
    network: str | None,
    as_of: datetime,
    *,
    standing: bool,
    before: int | None,
    limit: int,
) -> list[StationMode]:
    """Records as they were known at ``as_of``, newest first, from below the id ``before``.

    ``operator`` None is all of them; ``standing``: without those that were replaced by then.
    """
    rows = await conn.fetch(_HISTORY, operator, network, as_of, standing, before, limit)
    return [_mode(row) for row in rows]


def _mode(row: asyncpg.Record) -> StationMode:
    found = dict(row)
    return StationMode(**{**found, "mode": Mode(found["mode"])})
