"""Versioned lists: issuer keys (trust), denied riders (deny), and the version row of each.

Whoever changes a list raises its version in the same transaction; readers of a list poll the
versions and fetch what moved.
"""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType

import asyncpg

from transitpay.ride_code.deny_list import DenyList
from transitpay.ride_code.signing import Algorithm
from transitpay.ride_code.trust_list import IssuerKey, KeyStatus, TrustList

_VERSIONS = """
select list, version from list_version
"""


async def versions(conn: asyncpg.Connection) -> dict[str, int]:
    """List name (trust, deny, config) -> its version."""
    return {row["list"]: row["version"] for row in await conn.fetch(_VERSIONS)}


_RAISE_VERSION = """
update list_version set version = version + 1, changed_at = $2 where list = $1 returning version
"""


async def raise_version(conn: asyncpg.Connection, name: str, at: datetime) -> int:
    """The next version of the list; call it after the change, in its transaction."""
    return int(await conn.fetchval(_RAISE_VERSION, name, at))


_PUT_ISSUER_KEY = """
insert into issuer_key (key_id, issuer, algorithm, public_key, destinations, modes, not_before,
    not_after, status, is_test, compromised_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
on conflict (key_id) do update
set destinations = excluded.destinations, modes = excluded.modes,
    not_before = excluded.not_before, not_after = excluded.not_after,
    status = excluded.status, compromised_at = excluded.compromised_at
where issuer_key.issuer = excluded.issuer and issuer_key.algorithm = excluded.algorithm
  and issuer_key.public_key = excluded.public_key and issuer_key.is_test = excluded.is_test
returning key_id
"""


async def put_issuer_key(conn: asyncpg.Connection, it: IssuerKey, at: datetime) -> bool:
    """Add a key or change its rights and status; False = the id names another key."""
    async with conn.transaction():
        done = await conn.fetchval(
            _PUT_ISSUER_KEY, it.key_id, it.issuer, str(it.algorithm), it.public_key,
            it.destinations, it.modes, it.not_before, it.not_after, str(it.status), it.test,
            it.compromised_at,
        )  # fmt: skip
        if done is not None:
            await raise_version(conn, "trust", at)
        return done is not None


_ISSUER_KEYS = """
select key_id, issuer, algorithm, public_key, destinations, modes, not_before, not_after, status,
       is_test, compromised_at
from issuer_key
order by key_id
"""


async def trust_list(conn: asyncpg.Connection) -> TrustList:
    """The trust list; its version is never newer than its keys."""
    version = (await versions(conn))["trust"]
    return TrustList.of(version, [_issuer_key(row) for row in await conn.fetch(_ISSUER_KEYS)])


def _issuer_key(row: asyncpg.Record) -> IssuerKey:
    return IssuerKey(
        row["key_id"], Algorithm(row["algorithm"]), row["public_key"], row["issuer"],
        row["destinations"], row["modes"], row["not_before"], row["not_after"],
        KeyStatus(row["status"]), row["is_test"], row["compromised_at"],
    )  # fmt: skip


_DENIED = """
select issuer, rider_id, serial from deny_entry where serial is not null
"""


async def deny_list(conn: asyncpg.Connection) -> DenyList:
    """The deny list; its version is never newer than its entries."""
    version = (await versions(conn))["deny"]
    rows = await conn.fetch(_DENIED)
    serials = {(row["issuer"], row["rider_id"]): row["serial"] for row in rows}
    return DenyList(version, MappingProxyType(serials))
