"""Statements of the closings: entries that no earlier closing holds, balances, net positions.

A closing's entries are in no other closing, whatever the order in which they were committed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import date

import asyncpg

from transitpay.ledger.digest import BookedPosting, Closing

_FETCHED = 2000


_CLOSINGS = """
select number, day, at, entries, previous_digest, digest from closing order by number
"""


async def closings(conn: asyncpg.Connection) -> list[Closing]:
    """All closings, oldest first."""
    return [
        Closing(r["number"], r["day"], r["at"], r["entries"], r["previous_digest"], r["digest"])
        for r in await conn.fetch(_CLOSINGS)
    ]


_LAST_CLOSING = """
select number, day, at, entries, previous_digest, digest from closing
order by number desc limit 1
"""


async def last_closing(conn: asyncpg.Connection) -> Closing | None:
    """The newest closing, or None before the first."""
    r = await conn.fetchrow(_LAST_CLOSING)
    if r is None:
        return None
    return Closing(r["number"], r["day"], r["at"], r["entries"], r["previous_digest"], r["digest"])


_OPEN_POSTINGS = """
select e.id, e.key, e.kind, e.at, e.journey_id, e.charge_id, p.n, p.debit, p.credit,
    p.amount_minor, p.currency
from entry e join posting p on p.entry_id = e.id
where not exists (select 1 from closed_entry c where c.entry_id = e.id)
order by e.id, p.n
"""


def open_postings(conn: asyncpg.Connection) -> AsyncIterator[BookedPosting]:
    """The postings that no closing holds, streamed; inside a transaction."""
    return _postings(conn, _OPEN_POSTINGS)


_CLOSED_POSTINGS = """
select e.id, e.key, e.kind, e.at, e.journey_id, e.charge_id, p.n, p.debit, p.credit,
    p.amount_minor, p.currency
from closed_entry c
join entry e on e.id = c.entry_id
join posting p on p.entry_id = e.id
where c.closing = $1
order by e.id, p.n
"""


def closed_postings(conn: asyncpg.Connection, number: int) -> AsyncIterator[BookedPosting]:
    """The postings of one closing, streamed; inside a transaction."""
    return _postings(conn, _CLOSED_POSTINGS, number)


async def _postings(
    conn: asyncpg.Connection, text: str, *values: object
) -> AsyncIterator[BookedPosting]:
    async for r in conn.cursor(text, *values, prefetch=_FETCHED):
        yield BookedPosting(
            entry_id=r["id"],
            key=r["key"],
            kind=r["kind"],
            at=r["at"],
            journey_id=r["journey_id"],
            charge_id=r["charge_id"],
            n=r["n"],
            debit=r["debit"],
            credit=r["credit"],
            amount_minor=r["amount_minor"],
            currency=r["currency"],
        )


_ADD_CLOSING = """
insert into closing (number, day, at, entries, previous_digest, digest)
values ($1, $2, $3, $4, $5, $6)
"""
_ADD_CLOSED_ENTRIES = """
insert into closed_entry (entry_id, closing)
select e.id, $1 from entry e
where not exists (select 1 from closed_entry c where c.entry_id = e.id)
"""
_ADD_BALANCES = """
with legs as (
    select p.debit as account, p.currency, p.amount_minor as debit, 0::bigint as credit
    from closed_entry c join posting p on p.entry_id = c.entry_id where c.closing = $1
    union all
    select p.credit, p.currency, 0, p.amount_minor
    from closed_entry c join posting p on p.entry_id = c.entry_id where c.closing = $1
    union all
    select b.account, b.currency, b.debit_minor, b.credit_minor
    from closing_balance b where b.closing = $1 - 1
)
insert into closing_balance (closing, account, currency, debit_minor, credit_minor)
select $1, account, currency, sum(debit), sum(credit) from legs group by account, currency
"""


async def add_closing(conn: asyncpg.Connection, closing: Closing) -> None:
    """Keep a closing with all entries that no other holds, and the balances after it."""
    c = closing
    await conn.execute(_ADD_CLOSING, c.number, c.day, c.at, c.entries, c.previous, c.digest)
    status = await conn.execute(_ADD_CLOSED_ENTRIES, c.number)
    assert int(status.split()[-1]) == c.entries, "the snapshot of a closing does not move"
    await conn.execute(_ADD_BALANCES, c.number)


_ADD_NET_POSITIONS = """
insert into net_position (day, participant, currency, amount_minor, detail)
select $1, n.participant, n.currency, n.amount_minor, n.detail
from unnest($2::text[], $3::char(3)[], $4::bigint[], $5::jsonb[])
    as n(participant, currency, amount_minor, detail)
"""


async def add_net_positions(
    conn: asyncpg.Connection, day: date, rows: Iterable[tuple[str, str, int, dict[str, int]]]
) -> None:
    """Keep (participant, currency, amount, parts) of a day."""
    kept = list(rows)
    if kept:
        await conn.execute(
            _ADD_NET_POSITIONS,
            day,
            [r[0] for r in kept],
            [r[1] for r in kept],
            [r[2] for r in kept],
            [r[3] for r in kept],
        )


_NET_POSITIONS = """
select participant, currency, amount_minor, detail from net_position
where day = $1 order by participant, currency
"""


async def net_positions(
    conn: asyncpg.Connection, day: date
) -> list[tuple[str, str, int, dict[str, int]]]:
    """(participant, currency, amount, parts) of a day."""
    return [
        (r["participant"], r["currency"], r["amount_minor"], r["detail"])
        for r in await conn.fetch(_NET_POSITIONS, day)
    ]


_FIRST_DAY = """
select least(
    (select min(day) from open_item),
    (select min((at at time zone 'Asia/Hong_Kong')::date) from entry)
) as day
"""


async def first_day(conn: asyncpg.Connection) -> date | None:
    """The earliest day on which anything was booked, before there is a closing."""
    day: date | None = await conn.fetchval(_FIRST_DAY)
    return day
