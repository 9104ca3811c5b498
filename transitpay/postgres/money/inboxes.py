"""What the gateway passes on to settlement: wallets' notifications, operators' refund requests.

Append-only. A row is stored and committed before the sender gets its answer; the same again is
no new row.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

import asyncpg

_INSERT_NOTIFICATION = """
insert into notification (wallet, body_sha256, body, received_at) values ($1, $2, $3, $4)
on conflict (wallet, body_sha256) do nothing
returning id
"""


async def insert_notification(
    conn: asyncpg.Connection, wallet: str, body: bytes, at: datetime
) -> bool:
    """Keep a verified notification, byte for byte; False = it came before."""
    digest = hashlib.sha256(body).digest()
    return await conn.fetchval(_INSERT_NOTIFICATION, wallet, digest, body, at) is not None


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """A wish that a journey be given back; ``id`` is the operator's own key."""

    id: str
    journey_id: str
    reason: str
    requested_by: str
    requested_at: datetime


_INSERT_REFUND = """
insert into refund_request (id, journey_id, reason, requested_by, requested_at)
values ($1, $2, $3, $4, $5)
on conflict (id) do nothing
returning id
"""


async def insert_refund_request(conn: asyncpg.Connection, it: RefundRequest) -> bool:
    """Keep a refund request; False = this id was used before."""
    found = await conn.fetchval(
        _INSERT_REFUND, it.id, it.journey_id, it.reason, it.requested_by, it.requested_at
    )
    return found is not None


_REFUND = """
select id, journey_id, reason, requested_by, requested_at from refund_request where id = $1
"""


async def refund_request(conn: asyncpg.Connection, request_id: str) -> RefundRequest | None:
    """The request stored under this id."""
    row = await conn.fetchrow(_REFUND, request_id)
    return None if row is None else RefundRequest(*row.values())
