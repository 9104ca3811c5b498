"""Statements of readers' keys and of the chain that each key begins.

Who enrols a key holds the reader's row locked, so that a reader has one key in use and positions
that no two keys give out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg


@dataclass(frozen=True, slots=True)
class ReaderKey:
    """A key of a reader: number, compressed point, the lowest position of its first record."""

    number: int
    public_key: bytes
    first_position: int
    retired_at: datetime | None = None


_LOCK_READER = """
select new_key_allowed from reader where id = $1 for update
"""

_KEYS = """
select number, public_key, first_position, retired_at from reader_key where reader = $1
order by number
"""


async def keys(conn: asyncpg.Connection, reader: str) -> list[ReaderKey]:
    """Every key that this reader ever had, by number."""
    return [
        ReaderKey(r["number"], r["public_key"], r["first_position"], r["retired_at"])
        for r in await conn.fetch(_KEYS, reader)
    ]


async def lock_keys(conn: asyncpg.Connection, reader: str) -> tuple[list[ReaderKey], bool]:
    """The reader's keys, and whether it may enrol another one; held until the transaction ends."""
    allowed = await conn.fetchval(_LOCK_READER, reader)
    return await keys(conn, reader), bool(allowed)


_ALLOW = """
update reader set new_key_allowed = $2 where id = $1
"""


async def allow_new_key(conn: asyncpg.Connection, reader: str, allowed: bool) -> None:
    """Let the reader enrol one key that replaces its own, or end that."""
    await conn.execute(_ALLOW, reader, allowed)


_HIGHEST = """
select highest_position from reader_chain where reader = $1 for update
"""


async def highest_position(conn: asyncpg.Connection, reader: str) -> int:
    """The highest position of a record of this reader that is here; 0 = none is."""
    return int(await conn.fetchval(_HIGHEST, reader) or 0)


_RETIRE = """
update reader_key set retired_at = $2 where reader = $1 and retired_at is null
"""

_ADD_KEY = """
insert into reader_key (reader, number, public_key, first_position, software, enrolled_at)
values ($1, $2, $3, $4, $5, $6)
"""

_BEGIN_CHAIN = """
insert into reader_chain (reader, acknowledged_through, acknowledged_hash, key_number,
    highest_position)
values ($1, $2, $3, $4, $2)
on conflict (reader) do update
set acknowledged_through = excluded.acknowledged_through,
    acknowledged_hash = excluded.acknowledged_hash, key_number = excluded.key_number
"""


async def add_key(
    conn: asyncpg.Connection,
    reader: str,
    key: ReaderKey,
    software: str,
    chain_start: bytes,
    at: datetime,
) -> None:
    """Put a key in use in place of the one before, and begin its chain behind all records here."""
    await conn.execute(_RETIRE, reader, at)
    await conn.execute(
        _ADD_KEY, reader, key.number, key.public_key, key.first_position, software, at
    )
    await conn.execute(_BEGIN_CHAIN, reader, key.first_position - 1, chain_start, key.number)


_OUT_OF_SERVICE = """
select decommissioned_at from reader where id = $1
"""


async def decommissioned_at(conn: asyncpg.Connection, reader: str) -> datetime | None:
    """Since when the reader is out of service, as it is now; None = it is not."""
    found: datetime | None = await conn.fetchval(_OUT_OF_SERVICE, reader)
    return found


_HAS_KEY = """
select exists (select from reader_key where reader = $1)
"""


async def has_key(conn: asyncpg.Connection, reader: str) -> bool:
    """Whether the reader ever enrolled a key."""
    return bool(await conn.fetchval(_HAS_KEY, reader))
