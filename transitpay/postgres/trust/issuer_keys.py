"""Issuer keys that wallets propose: their numbers, and who asked for which rights."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from transitpay.ride_code.signing import Algorithm


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """A proposed key; ``approval`` is the number of its proposal."""

    key_id: int
    issuer: str
    algorithm: Algorithm
    public_key: bytes
    destinations: int
    modes: int
    approval: int
    requested_at: datetime


_LOCK = """
select pg_advisory_xact_lock(7364005)
"""


async def lock_requests(conn: asyncpg.Connection) -> None:
    """Issuer keys get their numbers and change their status one after another."""
    await conn.execute(_LOCK)


_COLUMNS = """
select key_id, issuer, algorithm, public_key, destinations, modes, approval, requested_at
from issuer_key_request
"""

_BY_PUBLIC_KEY = f"""{_COLUMNS}
where public_key = $1
"""


async def request_of_public_key(conn: asyncpg.Connection, public_key: bytes) -> KeyRequest | None:
    """The proposal of this key."""
    return _request(await conn.fetchrow(_BY_PUBLIC_KEY, public_key))


_BY_KEY_ID = f"""{_COLUMNS}
where key_id = $1
"""


async def request_of_key_id(conn: asyncpg.Connection, key_id: int) -> KeyRequest | None:
    """The proposal that was given this number."""
    return _request(await conn.fetchrow(_BY_KEY_ID, key_id))


_OF_ISSUER = f"""{_COLUMNS}
where $1::text is null or issuer = $1
order by key_id
"""


async def requests_of(conn: asyncpg.Connection, issuer: str | None) -> list[KeyRequest]:
    """A wallet's proposals (None: of all), activated ones too."""
    rows = await conn.fetch(_OF_ISSUER, issuer)
    return [found for row in rows if (found := _request(row)) is not None]


_FREE = """
select 1 + greatest(
    (select coalesce(max(key_id), 0) from issuer_key),
    (select coalesce(max(key_id), 0) from issuer_key_request))
"""


async def free_key_id(conn: asyncpg.Connection) -> int:
    """The next number that neither a key nor a proposal has; ``lock_requests`` is held."""
    return int(await conn.fetchval(_FREE))


_INSERT = """
insert into issuer_key_request (key_id, issuer, algorithm, public_key, destinations, modes,
    approval, requested_at)
values ($1, $2, $3, $4, $5, $6, $7, $8)
"""


async def insert_request(conn: asyncpg.Connection, it: KeyRequest) -> None:
    """Note a proposal."""
    await conn.execute(
        _INSERT, it.key_id, it.issuer, str(it.algorithm), it.public_key, it.destinations, it.modes,
        it.approval, it.requested_at,
    )  # fmt: skip


_IS_ACTIVE = """
select status = 'active' from issuer_key where key_id = $1 for share
"""


async def is_active(conn: asyncpg.Connection, key_id: int) -> bool:
    """Whether the key may sign now, which stays so until the transaction ends.

    Lists in memory are a second old; a key that was just compromised signs nothing more.
    """
    return bool(await conn.fetchval(_IS_ACTIVE, key_id))


def _request(row: asyncpg.Record | None) -> KeyRequest | None:
    if row is None:
        return None
    found = dict(row)
    return KeyRequest(**{**found, "algorithm": Algorithm(found["algorithm"])})
