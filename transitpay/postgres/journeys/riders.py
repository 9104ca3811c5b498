"""Riders and the destinations they switched on.

A rider is known by an opaque id; the wallet's account reference and access token stand in one
mutable row, so that erasing that row erases the person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg


@dataclass(frozen=True, slots=True)
class Rider:
    """A rider of a wallet with the bit numbers of the enrolled destinations, rising."""

    issuer: str
    rider_id: str
    destinations: tuple[int, ...]


_INSERT_RIDER = """
insert into rider (issuer, rider_id, account_ref, access_token, enrolled_at)
values ($1, $2, $3, $4, $5)
on conflict (issuer, account_ref) do update set access_token = excluded.access_token
returning rider_id
"""


async def enrol(
    conn: asyncpg.Connection,
    issuer: str,
    new_rider_id: str,
    account_ref: str,
    access_token: str,
    at: datetime,
) -> str:
    """The rider id of this account: ``new_rider_id``, or the one that it has already."""
    found = await conn.fetchval(_INSERT_RIDER, issuer, new_rider_id, account_ref, access_token, at)
    return str(found)


_ADD_DESTINATION = """
insert into enrolment (issuer, rider_id, destination, enrolled_at) values ($1, $2, $3, $4)
on conflict (issuer, rider_id, destination) do update set ended_at = null
where enrolment.ended_at is not null
"""


async def add_destination(
    conn: asyncpg.Connection, issuer: str, rider_id: str, destination: int, at: datetime
) -> None:
    """Switch a destination on; the rider must exist."""
    await conn.execute(_ADD_DESTINATION, issuer, rider_id, destination, at)


_RIDER = """
select r.rider_id,
       array(select e.destination from enrolment e
             where e.issuer = r.issuer and e.rider_id = r.rider_id and e.ended_at is null
             order by e.destination) as destinations
from rider r
where r.issuer = $1 and r.rider_id = $2
"""


async def rider(conn: asyncpg.Connection, issuer: str, rider_id: str) -> Rider | None:
    """This wallet's rider; None = there is none with this id."""
    row = await conn.fetchrow(_RIDER, issuer, rider_id)
    return None if row is None else Rider(issuer, rider_id, tuple(row["destinations"]))


_LOCK_RIDER = """
select rider_id from rider where issuer = $1 and rider_id = $2 for update
"""


async def lock_rider(conn: asyncpg.Connection, issuer: str, rider_id: str) -> Rider | None:
    """The same, locked until the transaction ends: serials are given one after another."""
    if await conn.fetchval(_LOCK_RIDER, issuer, rider_id) is None:
        return None
    return await rider(conn, issuer, rider_id)


_SET_TOKEN = """
update rider set access_token = $3 where issuer = $1 and rider_id = $2 returning rider_id
"""


async def set_token(
    conn: asyncpg.Connection, issuer: str, rider_id: str, access_token: str
) -> bool:
    """Replace what the wallet is charged by; False = there is no such rider."""
    return await conn.fetchval(_SET_TOKEN, issuer, rider_id, access_token) is not None
