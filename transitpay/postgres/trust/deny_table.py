"""The deny list as records: all of it, or what changed since a version, in the form of the wire.

One statement reads a version and what belongs to it. Source: docs/reader-protocol.md, "Lists".
"""

from __future__ import annotations

import asyncpg

_RECORDS = """
select v.version,
       coalesce((select string_agg(r.record, ''::bytea order by r.record)
                 from (select substring(int4send(n.number) from 3) || decode(d.rider_id, 'hex')
                              || substring(int8send(d.serial) from 5) as record
                       from deny_entry d
                       join issuer_number n on n.issuer = d.issuer
                       where d.serial is not null) r), ''::bytea) as records
from list_version v
where v.list = 'deny'
"""


async def records(conn: asyncpg.Connection) -> tuple[int, bytes]:
    """(version, the records of the whole list, sorted)."""
    row = await conn.fetchrow(_RECORDS)
    return int(row["version"]), bytes(row["records"])


_CHANGES = r"""
select v.version,
       p.head,
       coalesce((select string_agg(c.operation || c.key || c.serial, ''::bytea order by c.key)
                 from (select case when d.serial is null then '\x02' else '\x01' end::bytea
                                  as operation,
                              substring(int4send(n.number) from 3) || decode(d.rider_id, 'hex')
                                  as key,
                              substring(int8send(coalesce(d.serial, 0)) from 5) as serial
                       from deny_entry d
                       join issuer_number n on n.issuer = d.issuer
                       where d.version > $1) c), ''::bytea) as changes
from list_version v
left join published_list p on p.list = 'deny' and p.scope = '' and p.version = v.version
where v.list = 'deny'
"""


async def changes_since(conn: asyncpg.Connection, version: int) -> tuple[int, bytes | None, bytes]:
    """(version now, its signed head if it is published, the changes since ``version``, sorted)."""
    row = await conn.fetchrow(_CHANGES, version)
    head = row["head"]
    return int(row["version"]), None if head is None else bytes(head), bytes(row["changes"])


_HOW_MANY = """
select count(*) from (select from deny_entry where version > $1 limit $2) as c
"""


async def changed_since(conn: asyncpg.Connection, version: int, limit: int) -> int:
    """How many entries changed since a version, counted up to ``limit``."""
    return int(await conn.fetchval(_HOW_MANY, version, limit))
