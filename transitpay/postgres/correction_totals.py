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


_STANDING = """
select key, network, state, reason, filled_by, fare_minor
from journey where ended_at is null
"""


async def standing(conn: Connection) -> list[Mapping[str, Any]]:
    """Every journey that stands, by its key."""
    return [dict(row) for row in await conn.fetch(_STANDING)]
