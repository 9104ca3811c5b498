"""Reads of what wallets owe us because they gave riders money back twice. Read-only."""

from __future__ import annotations

import asyncpg

from transitpay.charging.refund import WalletClaim

_CLAIMS = """
select request_id, attempt_request_id, charge_id, journey_id, wallet, rider_id, amount_minor,
       currency, why, since
from wallet_claim
order by since, request_id
"""


async def wallet_claims(conn: asyncpg.Connection) -> list[WalletClaim]:
    """All claims, oldest first."""
    return [WalletClaim(*row.values()) for row in await conn.fetch(_CLAIMS)]
