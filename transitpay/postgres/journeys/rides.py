"""Reads of a rider's rides: pages, one ride, and what stood before it was corrected."""

from __future__ import annotations

import asyncpg

from transitpay.postgres.journeys.missing_ends import standing_journey
from transitpay.postgres.journeys.records import PagePosition, Row

_COLUMNS = """
       r.id, r.key, r.revision, r.slot, r.network, r.operator, r.kind, r.journey_state, r.reason,
       r.route, r.entry_stop, r.exit_stop, r.entry_at, r.exit_at, r.filled_by, r.filled_stops,
       r.excuse, r.late, r.priced_at, r.service_day, r.ended_at, r.fare_minor, r.fare_currency,
       r.fare_lines, r.tariff_version, r.customer_rate, r.rate_effective_at, r.charge_id,
       r.charge_minor, r.charge_currency, r.charge_state, r.net_charge_minor, r.captured_at,
       r.wallet_quote, r.refund_state, r.refund_minor, r.owed_to_rider_minor,
       r.awaits_refund, r.given_back, r.corrected_why,
       r.corrected_at, r.corrected_from_minor, r.corrected_from_charge_minor,
       r.corrected_from_owed_minor,
       (r.reason in ('missing_exit', 'missing_entry')
        and exists (select from crossed_accounts x where x.journey_id = r.id)) is true as crossed
"""

# The page is cut first: a pair of two accounts is looked for among its rides alone.
_RIDES = f"""
select {_COLUMNS}
from (
    select * from ride_record
    where issuer = $1 and rider_id = $2
      and ($3::timestamptz is null or (priced_at, id) < ($3, $4))
    order by priced_at desc, id desc
    limit $5
) r
order by r.priced_at desc, r.id desc
"""


async def rides(
    conn: asyncpg.Connection, issuer: str, rider_id: str, after: PagePosition | None, limit: int
) -> list[Row]:
    """A rider's journeys with fare, conversion, charge and correction, newest first."""
    at, id_ = (after.at, after.id) if after else (None, None)
    return [dict(row) for row in await conn.fetch(_RIDES, issuer, rider_id, at, id_, limit)]


_RIDE = f"""
select {_COLUMNS}
from ride_record r
where r.issuer = $1 and r.rider_id = $2 and r.key = $3
order by r.revision desc
limit 1
"""


async def ride(conn: asyncpg.Connection, issuer: str, rider_id: str, ride_id: str) -> Row | None:
    """What became of the ride of this id, of any revision; None = the rider has none."""
    now = await standing_journey(conn, ride_id)
    key = ride_id.partition("~")[0] if now is None else now.key
    row = await conn.fetchrow(_RIDE, issuer, rider_id, key)
    return None if row is None else dict(row)


_REVISIONS = """
with recursive chain as (
    select id from journey where issuer = $1 and rider_id = $2 and key = $3
    union
    select j.id from chain c join journey j on j.replaced_by = c.id
)
select j.id, j.revision, j.reason, j.entry_stop, j.exit_stop, j.entry_at, j.exit_at, j.filled_by,
       j.excuse, j.cleared_at, j.fare_minor, j.fare_currency, j.fare_lines, j.tariff_version,
       j.charge_minor, j.charge_currency, j.ended_at
from chain
join journey j on j.id = chain.id
order by j.cleared_at, j.revision, j.id
limit 100
"""


async def revisions(conn: asyncpg.Connection, issuer: str, rider_id: str, key: str) -> list[Row]:
    """All that was ever booked for the ride of this key, oldest first; at most 100."""
    return [dict(row) for row in await conn.fetch(_REVISIONS, issuer, rider_id, key)]
