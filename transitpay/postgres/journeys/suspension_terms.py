"""Statements of the terms that suspend riders: what holds now, and who is still to be judged by it.

When the terms of a network change, whoever they may concern is read again, a batch at a time; the
row says how far that has come.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg

Rider = tuple[str, str]


@dataclass(frozen=True, slots=True)
class JudgedTerms:
    """A network's terms as one text. ``after`` is the last rider who was asked to be read again
    because of them; None: all were."""

    network: str
    terms: str
    after: Rider | None


_KNOWN = """
select network, terms, after_issuer, after_rider, done_at from suspension_terms
"""


async def known(conn: asyncpg.Connection) -> dict[str, JudgedTerms]:
    """The terms that were seen last, by network."""
    return {row["network"]: _judged(row) for row in await conn.fetch(_KNOWN)}


_ADD = """
insert into suspension_terms (network, terms, changed_at, done_at) values ($1, $2, $3, $3)
on conflict (network) do nothing
"""
_LOCK = """
select network, terms, after_issuer, after_rider, done_at from suspension_terms
where network = $1
for update skip locked
"""


async def lock(
    conn: asyncpg.Connection, network: str, nothing: str, at: datetime
) -> JudgedTerms | None:
    """A network's terms as they were seen last, locked; None: another process is at it.

    Of a network that was never seen they are ``nothing``, by which nobody is suspended.
    """
    await conn.execute(_ADD, network, nothing, at)
    row = await conn.fetchrow(_LOCK, network)
    return None if row is None else _judged(row)


def _judged(row: asyncpg.Record) -> JudgedTerms:
    after = None if row["done_at"] else (row["after_issuer"], row["after_rider"])
    return JudgedTerms(row["network"], row["terms"], after)


_SAVE = """
update suspension_terms
set changed_at = case when terms = $2 then changed_at else $5 end, terms = $2,
    after_issuer = $3, after_rider = $4, done_at = case when $3::text is null then $5 end
where network = $1
"""


async def save(conn: asyncpg.Connection, it: JudgedTerms, at: datetime) -> None:
    """How far it has come, of a row that the caller has locked."""
    await conn.execute(_SAVE, it.network, it.terms, *(it.after or (None, None)), at)


_CONCERNED = """
select issuer, rider_id from (
    (select issuer, rider_id from journey
     where reason = 'missing_exit' and ended_at is null and network = $1 and priced_at > $2
       and (issuer, rider_id) > ($3, $4)
     group by issuer, rider_id
     having count(*) > $5
     order by issuer, rider_id
     limit $6)
    union
    (select issuer, rider_id from suspension
     where ended_at is null and network = $1 and (issuer, rider_id) > ($3, $4)
     order by issuer, rider_id
     limit $6)
) concerned
order by issuer, rider_id
limit $6
"""


async def concerned(
    conn: asyncpg.Connection,
    network: str,
    since: datetime,
    more_than: int | None,
    after: Rider,
    most: int,
) -> list[Rider]:
    """The next riders with more than so many exits missing after ``since``, or suspended, in order.

    ``more_than`` None: those who are suspended alone.
    """
    least = 2**31 if more_than is None else more_than
    rows = await conn.fetch(_CONCERNED, network, since, *after, least, most)
    return [(row["issuer"], row["rider_id"]) for row in rows]
