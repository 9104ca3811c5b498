"""The dated travel minimums, as gateways read them; an operator of the database writes them."""

from __future__ import annotations

import asyncpg

from transitpay.travel import TravelMinimum, TravelMinimums

_ALL = """
select one, other, valid_from, minutes * interval '1 minute'
from travel_minimum
order by one, other, valid_from
"""


async def travel_minimums(conn: asyncpg.Connection) -> TravelMinimums:
    """All of them, those of the future too."""
    return TravelMinimums(tuple(TravelMinimum(*row) for row in await conn.fetch(_ALL)))
