"""The statement that gives back journeys of taps which were refused after all.

A tap is priced within a second, and what the reader did may come later: nobody passed, the reader
had refused, another scan has the code. Whoever changes such a tap asks for its rider to be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import asyncpg

# The taps come by an index that holds refused ones alone, each rider's by a search of its own. A
# journey's id is that of its first tap: a good tap that is not the first can be cleared anew.
_GIVE_BACK = """
with found as materialized (
    select distinct on (j.journey_id) j.journey_id, t.reason
    from unnest($1::text[], $2::text[]) as w(issuer, rider_id)
    cross join lateral (
        select tap.tapped_day, tap.reader, tap.sequence, tap.at, tap.reason
        from tap
        where tap.issuer = w.issuer and tap.rider_id = w.rider_id and tap.decision <> 'accepted'
          and tap.at >= $3 and tap.tapped_day >= $4
        offset 0
    ) t
    cross join lateral (
        select journey_tap.journey_id from journey_tap
        where journey_tap.tapped_day = t.tapped_day and journey_tap.reader = t.reader
          and journey_tap.sequence = t.sequence
        limit 1
    ) j
    where not exists (select from refund_request r where r.id = 'no ride ' || j.journey_id)
    order by j.journey_id, t.at
), asked as (
    insert into refund_request (id, journey_id, reason, requested_by, requested_at)
    select 'no ride ' || journey_id, journey_id, coalesce(reason, 'refused'), null, $5
    from found order by journey_id
    on conflict (id) do nothing
    returning journey_id
), freed as (
    delete from journey_tap j
    using asked a, tap t
    where j.journey_id = a.journey_id
      and t.tapped_day = j.tapped_day and t.reader = j.reader and t.sequence = j.sequence
      and t.decision = 'accepted'
      and j.journey_id
          <> to_char(j.tapped_day, 'YYYY-MM-DD') || '/' || j.reader || '/' || j.sequence
)
select count(*) from asked
"""


async def give_back(
    conn: asyncpg.Connection,
    riders: Sequence[tuple[str, str]],
    since: datetime,
    since_day: date,
    at: datetime,
) -> int:
    """Ask for every such journey of these riders to be given back, once; how many were asked for.

    The good exit of one whose entry was refused is in no journey afterwards.
    """
    issuers, ids = [issuer for issuer, _ in riders], [rider_id for _, rider_id in riders]
    return int(await conn.fetchval(_GIVE_BACK, issuers, ids, since, since_day, at))
