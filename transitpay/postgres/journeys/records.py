"""Reads of what happened, for wallets, operators and the console; nothing here writes.

Settlement owns these facts; the gateway shows them. Lists are read in pages by (instant, id).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import asyncpg

#: A row as it is shown: column -> value. Any: the columns have many types, JSON among them.
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PagePosition:
    """The last row of the page before; rows come newest first."""

    at: datetime
    id: str


_JOURNEYS = """
select id, network, kind, journey_state, reason, route, entry_stop, exit_stop, entry_at, exit_at,
       filled_by, excuse, late, priced_at, service_day, fare_minor, fare_currency, fare_lines,
       tariff_version, corrected_why, refund_state, given_back,
       exists (select from crossed_accounts x where x.journey_id = ride_record.id) as crossed
from ride_record
where operator = $1 and service_day = $2
  and ($3::timestamptz is null or (priced_at, id) < ($3, $4))
order by priced_at desc, id desc
limit $5
"""


async def operator_journeys(
    conn: asyncpg.Connection, operator: str, day: date, after: PagePosition | None, limit: int
) -> list[Row]:
    """An operator's journeys of a service day, newest first; no rider, no wallet."""
    at, id_ = (after.at, after.id) if after else (None, None)
    return [dict(row) for row in await conn.fetch(_JOURNEYS, operator, day, at, id_, limit)]


_REFUSALS = """
select at, network, stop, direction, reason
from tap
where issuer = $1 and rider_id = $2 and decision = 'refused'
order by at desc, reader, sequence desc
limit $3
"""


async def refusals(conn: asyncpg.Connection, issuer: str, rider_id: str, limit: int) -> list[Row]:
    """The rider's last refused scans, newest first, of codes proved to be the rider's."""
    return [dict(row) for row in await conn.fetch(_REFUSALS, issuer, rider_id, limit)]


@dataclass(frozen=True, slots=True)
class KnownJourney:
    """Whose a journey is, and since when it matters: the instant of its first tap."""

    rider: tuple[str, str]
    since: datetime


_JOURNEY_OF_OPERATOR = """
select issuer, rider_id, coalesce(entry_at, exit_at) as since
from journey
where id = $1 and operator = $2
"""


async def journey_of_operator(
    conn: asyncpg.Connection, operator: str, journey_id: str
) -> KnownJourney | None:
    """The journey of this id; None = the operator has none."""
    row = await conn.fetchrow(_JOURNEY_OF_OPERATOR, journey_id, operator)
    return None if row is None else KnownJourney((row["issuer"], row["rider_id"]), row["since"])


_STATEMENTS = """
select day, name, encode(sha256, 'hex') as sha256, size_bytes, written_at
from statement_file
where participant = $1
order by day desc, name
limit 400
"""


async def statements(conn: asyncpg.Connection, participant: str) -> list[Row]:
    """The files written for a participant, newest day first."""
    return [dict(row) for row in await conn.fetch(_STATEMENTS, participant)]


_TAPS = """
select operator, network, tier, decision, coalesce(reason, '') as reason, count(*) as taps
from tap
where tapped_day = $1
group by operator, network, tier, decision, reason
order by operator, network, tier, decision, reason
"""


async def taps_by_decision(conn: asyncpg.Connection, day: date) -> list[Row]:
    """Counts of the scans of a local day by operator, network, tier, decision and reason."""
    return [dict(row) for row in await conn.fetch(_TAPS, day)]


_LATEST_DAY = """
select max(service_day) as day from journey where service_day <= $1
"""


async def latest_journey_day(conn: asyncpg.Connection, until: date) -> date | None:
    """The last service day up to ``until`` that has a journey; None if there is none."""
    day: date | None = await conn.fetchval(_LATEST_DAY, until)
    return day


_JOURNEY_SUMS = """
select operator, state, fare_currency, count(*) as journeys, sum(fare_minor)::bigint as fare_minor
from journey
where service_day = $1 and ended_at is null
group by operator, state, fare_currency
order by operator, state, fare_currency
"""


async def journey_sums(conn: asyncpg.Connection, day: date) -> list[Row]:
    """Journeys and fares of a service day by operator and state."""
    return [dict(row) for row in await conn.fetch(_JOURNEY_SUMS, day)]


_CHARGE_SUMS = """
select c.wallet, c.state, c.currency, count(*) as charges, sum(c.amount_minor)::bigint as minor
from charge c
join journey j on j.id = c.journey_id
where j.service_day = $1
group by c.wallet, c.state, c.currency
order by c.wallet, c.state, c.currency
"""


async def charge_sums(conn: asyncpg.Connection, day: date) -> list[Row]:
    """Charges for the journeys of a service day by wallet and state."""
    return [dict(row) for row in await conn.fetch(_CHARGE_SUMS, day)]


_NET = """
select participant, currency, amount_minor
from net_position
where day = $1
order by currency, participant
"""


async def net_positions(conn: asyncpg.Connection, day: date) -> list[Row]:
    """Who is owed what after a day; positive = the house pays. Sums to zero per currency."""
    return [dict(row) for row in await conn.fetch(_NET, day)]


_BREAKS = """
select wallet, kind, state, count(*) as breaks
from recon_break
where day = $1
  and run_id in (select max(id) from recon_run where day = $1 group by wallet)
group by wallet, kind, state
order by wallet, kind, state
"""


async def breaks(conn: asyncpg.Connection, day: date) -> list[Row]:
    """Differences found by the newest run of each wallet's day."""
    return [dict(row) for row in await conn.fetch(_BREAKS, day)]


_STEPS = """
select step, participant, state, coalesce(reason, '') as reason, updated_at
from night_step
where day = $1
order by updated_at, step, participant
"""


async def night_steps(conn: asyncpg.Connection, day: date) -> list[Row]:
    """What the night has done for a day and what it waits for."""
    return [dict(row) for row in await conn.fetch(_STEPS, day)]


_BALANCES = """
select account, currency, debit_minor::bigint as debit_minor, credit_minor::bigint as credit_minor
from account_balance
order by currency, account
"""


async def balances(conn: asyncpg.Connection) -> list[Row]:
    """Debits and credits of every account since the first entry."""
    return [dict(row) for row in await conn.fetch(_BALANCES)]


_CLOSING = """
select number, day, at, entries, encode(digest, 'hex') as digest
from closing
order by number desc
limit 1
"""


async def last_closing(conn: asyncpg.Connection) -> Row | None:
    """The newest closing of the books."""
    row = await conn.fetchrow(_CLOSING)
    return None if row is None else dict(row)
