"""Signed versions of lists as the gateways serve them; whoever signs the next one puts it here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from transitpay.ride_code.lists.signed_list import ListHead, ListKind

#: So many versions of a small list are kept, for deltas.
KEPT_VERSIONS = 16


@dataclass(frozen=True, slots=True)
class Published:
    """A signed version; ``records`` is None for the deny list, whose records stand elsewhere."""

    head: ListHead
    records: bytes | None


_LATEST = """
select head, records from published_list
where list = $1 and scope = $2
order by version desc
limit 1
"""


async def latest(conn: asyncpg.Connection, kind: ListKind, reader: str = "") -> Published | None:
    """The newest version of a list; of a config that of its reader."""
    row = await conn.fetchrow(_LATEST, str(kind), reader)
    return None if row is None else Published(ListHead.parse(row["head"]), row["records"])


_LATEST_VERSIONS = """
select list, max(version) as version from published_list
where list in ('trust', 'deny') and scope = ''
group by list
"""


async def latest_versions(conn: asyncpg.Connection) -> dict[ListKind, int]:
    """The newest published versions of the lists that are the same for all readers."""
    return {ListKind(r["list"]): r["version"] for r in await conn.fetch(_LATEST_VERSIONS)}


_RECORDS_AT = """
select records from published_list where list = $1 and scope = $2 and version = $3
"""


async def records_at(
    conn: asyncpg.Connection, kind: ListKind, reader: str, version: int
) -> bytes | None:
    """The records of an older version, while it is kept."""
    found = await conn.fetchval(_RECORDS_AT, str(kind), reader, version)
    return None if found is None else bytes(found)


_PUT = """
with p as (
    insert into published_list (list, scope, version, head, records, published_at)
    values ($1, $2, $3, $4, $5, $6)
    on conflict do nothing
    returning version
), i as (
    insert into list_issue (list, version, published_at, use_by)
    select $1, p.version, $6, $7 from p where $2 = ''
)
select version from p
"""
_FORGET = """
delete from published_list where list = $1 and scope = $2 and version <= $3
"""


async def put(
    conn: asyncpg.Connection, head: ListHead, reader: str, records: bytes | None, at: datetime
) -> bool:
    """Publish a version; False = another gateway has published it."""
    kind, version = str(head.kind), head.version
    done = await conn.fetchval(_PUT, kind, reader, version, head.encode(), records, at, head.use_by)
    if done is not None:
        await conn.execute(_FORGET, kind, reader, version - KEPT_VERSIONS)
    return done is not None
