"""Reads of refunds that a wallet does not answer: people have to ask it. Read-only."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from transitpay.charging.refund import DoubtfulRefund

_DOUBTFUL = """
select request_id, charge_id, journey_id, wallet, rider_id, amount_minor, currency,
       coalesce(result_code, '') as code, since, awaited_since, awaiting_minor
from doubtful_refund
order by since, request_id
"""


async def doubtful_refunds(conn: asyncpg.Connection) -> list[DoubtfulRefund]:
    """All refunds to which a wallet has said neither yes nor no, oldest first."""
    return [DoubtfulRefund(*row.values()) for row in await conn.fetch(_DOUBTFUL)]


_OLDEST = """
select min(since) from doubtful_refund where wallet = $1
"""


async def oldest_doubt(conn: asyncpg.Connection, wallet: str) -> datetime | None:
    """When the oldest refund in doubt of this wallet was first asked for."""
    found: datetime | None = await conn.fetchval(_OLDEST, wallet)
    return found
