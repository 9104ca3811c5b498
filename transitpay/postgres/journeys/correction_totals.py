"""What stands of each network, what was corrected and why, what went back to riders. Read-only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Connection = Any  # asyncpg has no type information

_NETWORKS = """
select network, fare_currency as currency,
       count(*) filter (where ended_at is null) as journeys,
       count(*) filter (where ended_at is null and state = 'incomplete') as incomplete,
       coalesce(sum(fare_minor) filter (where ended_at is null), 0)::bigint as fare_minor,
       count(*) filter (where ended_at is not null) as corrected,
       count(filled_by) filter (where ended_at is null) as filled
from journey
group by 1, 2
order by 1, 2
"""


async def networks(conn: Connection) -> list[Mapping[str, Any]]:
    """Standing journeys and their fares, corrected ones, and those with an end that has no tap."""
    return [dict(row) for row in await conn.fetch(_NETWORKS)]


_WHY = """
select ended_why as why, count(*) as journeys from journey where ended_at is not null
group by 1 order by 1
"""


async def corrections(conn: Connection) -> dict[str, int]:
    """Journeys that no longer stand, by why."""
    return {row["why"]: row["journeys"] for row in await conn.fetch(_WHY)}


_REFUNDS = """
select c.wallet, r.state, r.currency, count(*) as refunds,
       sum(r.amount_minor)::bigint as amount_minor
from refund r
join charge c on c.id = r.charge_id
group by 1, 2, 3
order by 1, 2, 3
"""


async def refunds(conn: Connection) -> list[Mapping[str, Any]]:
    """Refunds by wallet and state."""
    return [dict(row) for row in await conn.fetch(_REFUNDS)]


_OWED = """
with standing as (
    select issuer, rider_id, sum(charge_minor)::bigint as minor
    from journey where ended_at is null and charge_minor is not null group by 1, 2
), unpaid as (
    select c.issuer, c.rider_id, sum(p.amount_minor)::bigint as minor
    from charge c join charge_part p on p.charge_id = c.id
    where c.state in ('DUE', 'IN_FLIGHT', 'ARREARS') group by 1, 2
), surplus as (
    select distinct c.issuer, c.rider_id
    from charge_attempt a join charge c on c.id = a.charge_id where a.state = 'SURPLUS'
)
select s.issuer, s.rider_id, s.minor - coalesce(u.minor, 0) as minor
from standing s
left join unpaid u using (issuer, rider_id)
where not exists (select from surplus x where x.issuer = s.issuer and x.rider_id = s.rider_id)
"""
_ON_THE_WAY = """
select r.request_id, c.issuer, c.rider_id, r.amount_minor
from refund r join charge c on c.id = r.charge_id
where r.state in ('PREPARED', 'UNKNOWN')
"""


async def paid_by_rider(conn: Connection) -> dict[tuple[str, str], int]:
    """What the standing rides of each (wallet, rider) cost, less what is not paid yet.

    Riders of whom money was taken twice are left out: that is a matter of its own.
    """
    return {(row["issuer"], row["rider_id"]): row["minor"] for row in await conn.fetch(_OWED)}


async def refunds_on_the_way(conn: Connection) -> list[Mapping[str, Any]]:
    """Refunds of which the wallet's word is not known yet."""
    return [dict(row) for row in await conn.fetch(_ON_THE_WAY)]


_STANDING = """
select key, network, state, reason, filled_by, fare_minor
from journey where ended_at is null
"""


async def standing(conn: Connection) -> list[Mapping[str, Any]]:
    """Every journey that stands, by its key."""
    return [dict(row) for row in await conn.fetch(_STANDING)]
