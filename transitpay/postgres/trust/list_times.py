"""Statements that tell when a list said what: since when a denial stands, when versions came out.

The one place where a version of a list is given its times.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import asyncpg

from transitpay.ride_code.records.rejudgement import HeldList

_DENIED_SINCE = """
select g.issuer, g.rider_id, g.serial, least(
    (select d.at from deny_entry e join deny_request_done d on d.request = e.barred_request
     where e.issuer = g.issuer and e.rider_id = g.rider_id and e.barred_serial >= g.serial),
    (select min(d.at) from deny_request r join deny_request_done d on d.request = r.id
     where r.issuer = g.issuer and r.rider_id = g.rider_id and r.through_serial >= g.serial))
from unnest($1::text[], $2::text[], $3::bigint[]) as g (issuer, rider_id, serial)
"""


async def denied_since(
    conn: asyncpg.Connection, authorisations: Sequence[tuple[str, str, int]], at: datetime
) -> dict[tuple[str, str, int], datetime]:
    """(issuer, rider id, serial) -> when its denial came into the list; ``at`` if it has not."""
    rows = await conn.fetch(_DENIED_SINCE, *map(list, zip(*authorisations, strict=True)))
    return {(row[0], row[1], row[2]): row[3] or at for row in rows}


_ISSUED = """
select g.named, i.published_at, i.use_by
from unnest($2::bigint[]) as g (named)
cross join (select max(version) as newest from list_issue where list = $1) n
join list_issue i
    on i.list = $1 and i.version = n.newest - ((n.newest - g.named) & 4294967295)
"""


async def issued(
    conn: asyncpg.Connection, name: str, versions: Collection[int]
) -> dict[int, HeldList]:
    """Version of a list, as records name it (its low 32 bits) -> when it was published and how
    long it is good; without those that never were."""
    rows = await conn.fetch(_ISSUED, name, sorted(versions))
    return {row[0]: HeldList(row[1], row[2]) for row in rows}
