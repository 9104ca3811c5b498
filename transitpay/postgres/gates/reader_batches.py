"""Statements of sealed batches: the chain of a reader, what stands at its positions, its events.

Who uploads holds the reader's chain row locked, so that batches of one reader come one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from transitpay.postgres.gates.uploads import as_json
from transitpay.ride_code.records.record_chain import Acknowledged, Link
from transitpay.ride_code.records.sealed_batch import MAX_RECORDS


@dataclass(frozen=True, slots=True)
class Chain:
    """How far a reader's records are here, the highest position of any, the first one of the key in
    use, and the lowest that is known to be missing."""

    acknowledged: Acknowledged
    highest: int
    begins: int
    lowest_gap: int | None = None


_LOCK_CHAIN = """
select key_number, acknowledged_through, acknowledged_hash, highest_position,
    (select k.first_position from reader_key k
     where k.reader = $1 and k.number = reader_chain.key_number),
    (select min((a.detail ->> 'from')::bigint) from reader_alarm a
     where a.reader = $1 and a.kind = 'gap' and a.ended_at is null)
from reader_chain where reader = $1 for update
"""


async def lock_chain(conn: asyncpg.Connection, reader: str) -> Chain:
    """The reader's chain, locked until the transaction ends; every reader with a key has one."""
    row = await conn.fetchrow(_LOCK_CHAIN, reader)
    return Chain(Acknowledged(row[0], row[1], row[2]), row[3], row[4], row[5])


_ACKNOWLEDGED = """
select key_number, acknowledged_through, acknowledged_hash from reader_chain where reader = $1
"""


async def acknowledged(conn: asyncpg.Connection, reader: str) -> Acknowledged | None:
    """How far the reader's records are here; None = it has no key."""
    row = await conn.fetchrow(_ACKNOWLEDGED, reader)
    return None if row is None else Acknowledged(*row)


_IS_HERE = """
select agrees from reader_batch
where reader = $1 and first_position = $2 and last_position = $3 and hash_after = $4
"""


async def is_here(conn: asyncpg.Connection, reader: str, link: Link) -> bool:
    """Whether this very batch was stored before."""
    return await conn.fetchval(_IS_HERE, reader, link.first, link.last, link.after) is not None


_LINKS = """
select key_number, first_position, last_position, hash_before, hash_after, agrees
from reader_batch where reader = $1 and last_position > $2
order by first_position
"""


async def links_after(conn: asyncpg.Connection, reader: str, position: int) -> list[Link]:
    """The batches that reach beyond a position."""
    return [Link(*row) for row in await conn.fetch(_LINKS, reader, position)]


_HASHES = """
select first_position, hashes, agrees from reader_batch
where reader = $1 and key_number = $2 and first_position between $3 and $5
  and last_position >= $4
"""
_HASH_BYTES = 32


async def hashes(
    conn: asyncpg.Connection, reader: str, link: Link
) -> list[tuple[int, bytes, bool]]:
    """(position, hash, whether its batch agrees) of the records under the same key that stand at
    the positions of this batch; several at one position where a second chain was uploaded."""
    lowest = link.first - MAX_RECORDS + 1
    rows = await conn.fetch(_HASHES, reader, link.key_number, lowest, link.first, link.last)
    return [
        (first + n, joined[n * _HASH_BYTES : (n + 1) * _HASH_BYTES], agrees)
        for first, joined, agrees in rows
        for n in range(
            max(0, link.first - first), min(len(joined) // _HASH_BYTES, link.last - first + 1)
        )
    ]


_ADD_BATCH = """
with b as (
    insert into reader_batch (reader, key_number, first_position, last_position, hash_before,
        hash_after, sealed_at, received_at, agrees, body, hashes)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $21)
    on conflict do nothing
), e as (
    insert into reader_event (reader, position, record_hash, at, received_at, kind, sequence,
        detail)
    select $1, position, record_hash, at, $8, kind, sequence, detail::jsonb
    from unnest($15::bigint[], $16::bytea[], $17::timestamptz[], $18::text[], $19::bigint[],
        $20::text[]) as g (position, record_hash, at, kind, sequence, detail)
    on conflict do nothing
)
update reader_chain
set key_number = $11, acknowledged_through = $12, acknowledged_hash = $13,
    highest_position = greatest(highest_position, $14)
where reader = $1
"""


@dataclass(frozen=True, slots=True)
class EventRow:
    """A record that is no scan; ``sequence`` is that of the scan of an outcome."""

    position: int
    record_hash: bytes
    at: datetime
    kind: str
    sequence: int | None
    detail: dict[str, object]


async def add_batch(
    conn: asyncpg.Connection,
    reader: str,
    link: Link,
    record_hashes: Sequence[bytes],
    sealed_at: datetime,
    received_at: datetime,
    body: bytes | None,
    chain: Chain,
    events: Sequence[EventRow],
) -> None:
    """Store a batch with its events, and how far the chain has come; ``body`` only where the
    batch does not agree with what stands at its positions."""
    at = chain.acknowledged
    await conn.execute(
        _ADD_BATCH, reader, link.key_number, link.first, link.last, link.before, link.after,
        sealed_at, received_at, link.agrees, body, at.key_number, at.through, at.hash,
        chain.highest, [e.position for e in events], [e.record_hash for e in events],
        [e.at for e in events], [e.kind for e in events], [e.sequence for e in events],
        [as_json(e.detail) for e in events], b"".join(record_hashes),
    )  # fmt: skip


_OPEN_GAPS = """
select (detail ->> 'from')::bigint, (detail ->> 'to')::bigint from reader_alarm
where reader = $1 and kind = 'gap' and ended_at is null
order by 1
"""


async def open_gaps(conn: asyncpg.Connection, reader: str) -> list[tuple[int, int]]:
    """The positions, from and to, that are known to be missing."""
    return [(row[0], row[1]) for row in await conn.fetch(_OPEN_GAPS, reader)]
