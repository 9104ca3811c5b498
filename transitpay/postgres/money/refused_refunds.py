"""Reads of what wallets refused to give back to riders: people have to see to it. Read-only."""

from __future__ import annotations

import asyncpg

from transitpay.charging.refund import RefusedRefund

_REFUSED = """
select request_id, charge_id, journey_id, wallet, rider_id, amount_minor::bigint as amount_minor,
       currency, coalesce(result_code, '') as code, since
from owed_to_rider
order by since, request_id
"""


async def refused_refunds(conn: asyncpg.Connection) -> list[RefusedRefund]:
    """All that is owed to riders since a wallet refused to give it back, oldest first."""
    return [RefusedRefund(*row.values()) for row in await conn.fetch(_REFUSED)]
