"""Statements of exchange rates: what sources said, the published log, and what prices an instant.

The log has one writer at a time (``lock_log``), rows are appended in order and never replaced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import asyncpg

from transitpay.fx.rate import NotYet, Observation, PublishedRate
from transitpay.money import Currency

#: base, quote, instant: what a fare needs to know.
Wanted = tuple[Currency, Currency, datetime]
Found = PublishedRate | NotYet | None

_LOCK_LOG = """
select pg_try_advisory_xact_lock(7364, 1000)
"""


async def lock_log(conn: asyncpg.Connection) -> bool:
    """True when this transaction is the only writer of the log until it ends."""
    return bool(await conn.fetchval(_LOCK_LOG))


_ADD_OBSERVATIONS = """
insert into rate_observation (base, quote, mid, source, observed_at, fetched_at, refusal)
select o.base, o.quote, o.mid, o.source, o.observed_at, o.fetched_at, o.refusal
from unnest($1::text[], $2::text[], $3::numeric[], $4::text[], $5::timestamptz[],
            $6::timestamptz[], $7::text[])
     as o(base, quote, mid, source, observed_at, fetched_at, refusal)
on conflict on constraint rate_observation_once do nothing
"""


async def add_observations(
    conn: asyncpg.Connection, judged: Sequence[tuple[Observation, str | None]]
) -> None:
    """Keep what sources said with the guard's refusal (None = passed); twice is once."""
    await conn.execute(
        _ADD_OBSERVATIONS,
        [seen.base.code for seen, _ in judged],
        [seen.quote.code for seen, _ in judged],
        [seen.mid if seen.mid.is_finite() else None for seen, _ in judged],
        [seen.source for seen, _ in judged],
        [seen.observed_at for seen, _ in judged],
        [seen.fetched_at for seen, _ in judged],
        [refusal for _, refusal in judged],
    )


_OBSERVATIONS_SINCE = """
select base, quote, mid, source, observed_at, fetched_at, refusal
from rate_observation
where base = $1::char(3) and quote = $2::char(3) and observed_at >= $3 and mid is not null
order by observed_at desc, source desc
limit $4
"""


async def observations_since(
    conn: asyncpg.Connection, base: Currency, quote: Currency, since: datetime, *, limit: int = 500
) -> list[tuple[Observation, bool]]:
    """What sources said of a pair from ``since`` on, oldest first, and whether it passed."""
    rows = await conn.fetch(_OBSERVATIONS_SINCE, base.code, quote.code, since, limit)
    return [
        (
            Observation(
                base, quote, row["mid"], row["source"], row["observed_at"], row["fetched_at"]
            ),
            row["refusal"] is None,
        )
        for row in reversed(rows)
    ]


_RECENT_MIDS = """
select mid
from rate_observation
where base = $1::char(3) and quote = $2::char(3) and refusal is null and mid is not null
order by observed_at desc, source desc
limit $3
"""


async def recent_mids(
    conn: asyncpg.Connection, base: Currency, quote: Currency, *, limit: int
) -> list[Decimal]:
    """The last accepted mids of a pair, oldest first."""
    rows = await conn.fetch(_RECENT_MIDS, base.code, quote.code, limit)
    return [row["mid"] for row in reversed(rows)]


_LAST_EFFECTIVE = """
select max(effective_at) from rate where base = $1::char(3) and quote = $2::char(3)
"""


async def last_effective(
    conn: asyncpg.Connection, base: Currency, quote: Currency
) -> datetime | None:
    """The minute of the newest row of a pair; None for an empty log."""
    found: datetime | None = await conn.fetchval(_LAST_EFFECTIVE, base.code, quote.code)
    return found


_APPEND = """
insert into rate (base, quote, effective_at, mid, source, published_at)
select r.base, r.quote, r.effective_at, r.mid, r.source, r.published_at
from unnest($1::text[], $2::text[], $3::timestamptz[], $4::numeric[], $5::text[],
            $6::timestamptz[])
     as r(base, quote, effective_at, mid, source, published_at)
"""


async def append(conn: asyncpg.Connection, rows: Sequence[PublishedRate]) -> None:
    """Append rows to the log; the caller holds ``lock_log``."""
    await conn.execute(
        _APPEND,
        [row.base.code for row in rows],
        [row.quote.code for row in rows],
        [row.effective_at for row in rows],
        [row.rate for row in rows],
        [row.source for row in rows],
        [row.published_at for row in rows],
    )


_RATES_AT = """
select w.n, r.effective_at, r.mid, r.source, r.published_at,
       exists (select 1 from rate later where later.base = w.base and later.quote = w.quote
               and later.effective_at > w.at) as passed
from unnest($1::char(3)[], $2::char(3)[], $3::timestamptz[])
     with ordinality as w(base, quote, at, n)
left join lateral (
    select effective_at, mid, source, published_at
    from rate
    where rate.base = w.base and rate.quote = w.quote and rate.effective_at <= w.at
    order by effective_at desc
    limit 1
) r on true
order by w.n
"""


async def rates_at(conn: asyncpg.Connection, wanted: Sequence[Wanted]) -> Mapping[Wanted, Found]:
    """For each pair and instant what ``fx.rate.rate_at`` says over the whole log, set-based."""
    if not wanted:
        return {}
    unique = list(dict.fromkeys(wanted))
    rows = await conn.fetch(
        _RATES_AT,
        [base.code for base, _, _ in unique],
        [quote.code for _, quote, _ in unique],
        [at for _, _, at in unique],
    )
    return {want: _found(want, row) for want, row in zip(unique, rows, strict=True)}


def _found(want: Wanted, row: asyncpg.Record) -> Found:
    base, quote, at = want
    if not row["passed"]:
        return NotYet(at)
    if row["effective_at"] is None:
        return None
    return PublishedRate(
        base, quote, row["effective_at"], row["mid"], row["source"], row["published_at"]
    )


_MIDS_KNOWN_AT = """
select coalesce(
    (select mid from rate
     where base = $1::char(3) and quote = $2::char(3) and mid is not null
       and effective_at <= w.at
     order by effective_at desc limit 1),
    (select mid from rate
     where base = $1::char(3) and quote = $2::char(3) and mid is not null
     order by effective_at limit 1)) as mid
from unnest($3::timestamptz[]) with ordinality as w (at, n)
order by w.n
"""


async def mids_known_at(
    conn: asyncpg.Connection, base: Currency, quote: Currency, instants: Sequence[datetime]
) -> list[Decimal | None]:
    """For each instant the last published mid by then, gaps passed over.

    Before the log began it is the log's first; None where the log has none. No fare is priced by
    this: it is for limits that must be told ahead.
    """
    rows = await conn.fetch(_MIDS_KNOWN_AT, base.code, quote.code, list(instants))
    return [row["mid"] for row in rows]
