"""Versioned lists: the version row of each, issuer keys (trust), and the numbers of issuers.

Whoever changes a list raises its version in the same transaction; whoever keeps a list polls the
versions and fetches what moved.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import asyncpg

from transitpay.ride_code.id_field import write_id
from transitpay.ride_code.signing import Algorithm
from transitpay.ride_code.trust_list import IssuerKey, KeyStatus, TrustList

_VERSIONS = """
select list, version from list_version
"""


async def versions(conn: asyncpg.Connection) -> dict[str, int]:
    """List name (trust, deny, config, modes, fares, tariffs) -> its version."""
    return {row["list"]: row["version"] for row in await conn.fetch(_VERSIONS)}


_RAISE_VERSION = """
update list_version set version = version + 1, changed_at = $2 where list = $1 returning version
"""


async def raise_version(conn: asyncpg.Connection, name: str, at: datetime) -> int:
    """The next version of the list; call it after the change, in its transaction."""
    return int(await conn.fetchval(_RAISE_VERSION, name, at))


_LOCK_VERSION = """
select version from list_version where list = $1 for update
"""


async def lock_version(conn: asyncpg.Connection, name: str) -> int:
    """The version of the list, which nobody else raises before this transaction ends."""
    return int(await conn.fetchval(_LOCK_VERSION, name))


_OUR_TURN = """
select pg_try_advisory_xact_lock(7364002)
"""


async def is_our_turn(conn: asyncpg.Connection) -> bool:
    """Whether this transaction alone may turn requests into entries and publish lists."""
    return bool(await conn.fetchval(_OUR_TURN))


_NUMBER_ISSUERS = """
insert into issuer_number (issuer)
select p.id from participant p
where p.id = any($1::text[]) and p.id ~ '^[!-~]{1,32}$'
  and not exists (select from issuer_number n where n.issuer = p.id)
order by p.id
on conflict (issuer) do nothing
"""


async def number_issuers(conn: asyncpg.Connection, issuers: Iterable[str]) -> None:
    """Give a number to each of these participants that has none."""
    await conn.execute(_NUMBER_ISSUERS, sorted(issuers))


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
    """Add a key or change its rights and status; False = the id names another key.

    Raises: MalformedInput (``bad_id``) if records cannot name the issuer.
    """
    write_id(it.issuer)
    async with conn.transaction():
        done = await conn.fetchval(
            _PUT_ISSUER_KEY, it.key_id, it.issuer, str(it.algorithm), it.public_key,
            it.destinations, it.modes, it.not_before, it.not_after, str(it.status), it.test,
            it.compromised_at,
        )  # fmt: skip
        if done is not None:
            await number_issuers(conn, [it.issuer])
            await raise_version(conn, "trust", at)
        return done is not None


_ISSUER_KEYS = """
select k.key_id, k.issuer, k.algorithm, k.public_key, k.destinations, k.modes, k.not_before,
       k.not_after, k.status, k.is_test, k.compromised_at, n.number
from issuer_key k
join issuer_number n on n.issuer = k.issuer
order by k.key_id
"""


async def trust_list(conn: asyncpg.Connection) -> TrustList:
    """The trust list; its version is never newer than its keys."""
    version = (await versions(conn))["trust"]
    return TrustList.of(version, [_issuer_key(row) for row in await conn.fetch(_ISSUER_KEYS)])


def _issuer_key(row: asyncpg.Record) -> IssuerKey:
    return IssuerKey(
        row["key_id"], Algorithm(row["algorithm"]), row["public_key"], row["issuer"],
        row["destinations"], row["modes"], row["not_before"], row["not_after"],
        KeyStatus(row["status"]), row["is_test"], row["compromised_at"], row["number"],
    )  # fmt: skip
