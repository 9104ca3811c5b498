"""Authorisations of phones: as issued, as reported by wallets, what must be renewed or re-signed.

Whoever adds one holds its rider locked, so that serials rise one after another. The newest serial
of a device key counts; the older ones of that device are no concern of anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import asyncpg

from transitpay.ride_code.issuing import IssuedAuthorisation

_COLUMNS = """
select a.issuer, a.rider_id, a.serial, a.request_id, a.device_key, a.issuer_part, a.signature,
       a.not_before, a.not_after, a.issued_at, a.replaces
from authorisation a
"""

_BY_REQUEST = f"""{_COLUMNS}
where a.issuer = $1 and a.request_id = $2
"""


async def of_request(
    conn: asyncpg.Connection, issuer: str, request_id: str
) -> IssuedAuthorisation | None:
    """What this wallet's request got before."""
    row = await conn.fetchrow(_BY_REQUEST, issuer, request_id)
    return None if row is None else IssuedAuthorisation(*row.values())


_BY_SERIAL = f"""{_COLUMNS}
where a.issuer = $1 and a.rider_id = $2 and a.serial = $3
"""


async def of_serial(
    conn: asyncpg.Connection, issuer: str, rider_id: str, serial: int
) -> IssuedAuthorisation | None:
    """The rider's authorisation with this serial."""
    row = await conn.fetchrow(_BY_SERIAL, issuer, rider_id, serial)
    return None if row is None else IssuedAuthorisation(*row.values())


_HIGHEST_SERIAL = """
select max(serial) from authorisation where issuer = $1 and rider_id = $2
"""


async def highest_serial(conn: asyncpg.Connection, issuer: str, rider_id: str) -> int:
    """The last serial given to the rider, 0 where none was."""
    return await conn.fetchval(_HIGHEST_SERIAL, issuer, rider_id) or 0


_INSERT = """
insert into authorisation (issuer, rider_id, serial, request_id, device_key, issuer_part,
    signature, not_before, not_after, issued_at, replaces)
select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bytea[], $6::bytea[],
    $7::bytea[], $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::bigint[])
"""


async def insert(conn: asyncpg.Connection, given: Sequence[IssuedAuthorisation]) -> None:
    """Record authorisations before they are given out; the riders are locked."""
    await conn.execute(
        _INSERT,
        [it.issuer for it in given],
        [it.rider_id for it in given],
        [it.serial for it in given],
        [it.request_id for it in given],
        [it.device_key for it in given],
        [it.issuer_part for it in given],
        [it.signature for it in given],
        [it.not_before for it in given],
        [it.not_after for it in given],
        [it.issued_at for it in given],
        [it.replaces for it in given],
    )


_CURRENT = """
select distinct on (a.device_key) a.issuer, a.rider_id, a.serial, a.request_id, a.device_key,
       a.issuer_part, a.signature, a.not_before, a.not_after, a.issued_at, a.replaces
from authorisation a
join issuer_key k on k.key_id = a.key_id
left join deny_entry d on d.issuer = a.issuer and d.rider_id = a.rider_id
where a.issuer = $1 and a.rider_id = $2 and a.not_after > $3
  and k.status <> 'compromised' and k.not_after > $3
  and a.serial > coalesce(d.serial, 0)
order by a.device_key, a.serial desc
"""


async def current(
    conn: asyncpg.Connection, issuer: str, rider_id: str, at: datetime
) -> list[IssuedAuthorisation]:
    """The newest of each device that opens gates at ``at``: not over, not denied, its key good."""
    rows = await conn.fetch(_CURRENT, issuer, rider_id, at)
    found = [IssuedAuthorisation(*row.values()) for row in rows]
    return sorted(found, key=lambda it: it.serial)


Reason = Literal["reissued", "key_compromised", "ends"]


@dataclass(frozen=True, slots=True)
class Renewal:
    """An authorisation that a phone should replace, and why."""

    rider_id: str
    serial: int
    device_key: bytes
    not_after: datetime
    reason: Reason


# The half of a life is the rule of ride_code.issuing.renew_at.
_RENEWALS = """
select a.rider_id, a.serial, a.device_key, a.not_after,
       case when k.status = 'compromised' then 'key_compromised'
            when a.replaces is not null and $4 < r.renew_at then 'reissued'
            else 'ends' end as reason
from authorisation a
join issuer_key k on k.key_id = a.key_id
left join deny_entry d on d.issuer = a.issuer and d.rider_id = a.rider_id
cross join lateral (
    select a.not_before
        + (greatest(a.not_before, least(a.not_after, k.not_after)) - a.not_before) / 2
        as renew_at) r
where a.issuer = $1 and (a.rider_id, a.serial) > ($2, $3) and a.not_after > $4
  and a.serial > coalesce(d.serial, 0) and d.barred_serial is null
  and not exists (
      select from authorisation n
      where n.issuer = a.issuer and n.rider_id = a.rider_id and n.device_key = a.device_key
        and n.serial > a.serial)
  and (k.status = 'compromised' or a.replaces is not null or $4 >= r.renew_at)
order by a.rider_id, a.serial
limit $5
"""


async def renewals(
    conn: asyncpg.Connection, issuer: str, after: tuple[str, int], at: datetime, limit: int
) -> list[Renewal]:
    """Live authorisations whose time has come, in the order of (rider id, serial) after ``after``.

    Reasons: key_compromised (nobody has signed it again), reissued (signed again: fetch it), ends.
    Barred riders are left out: they get none before it ends.
    """
    return [
        Renewal(*row.values()) for row in await conn.fetch(_RENEWALS, issuer, *after, at, limit)
    ]


_TO_REISSUE = """
from authorisation a
left join deny_entry d on d.issuer = a.issuer and d.rider_id = a.rider_id
where a.issuer = r.issuer and a.rider_id = r.rider_id and a.key_id = $2 and a.not_after > $3
  and a.serial > coalesce(d.serial, 0) and d.barred_serial is null
  and not exists (
      select from authorisation n
      where n.issuer = a.issuer and n.rider_id = a.rider_id and n.device_key = a.device_key
        and n.serial > a.serial)
"""

_COUNT = f"""
select count(*) from rider r where r.issuer = $1 and exists (select {_TO_REISSUE})
"""


async def count_riders_to_reissue(
    conn: asyncpg.Connection, issuer: str, key_id: int, at: datetime
) -> int:
    """Riders with a live authorisation of this key that no newer one of its device replaces."""
    return int(await conn.fetchval(_COUNT, issuer, key_id, at))


_LOCK_RIDERS = f"""
select r.rider_id from rider r
where r.issuer = $1 and r.rider_id > $4 and exists (select {_TO_REISSUE})
order by r.rider_id
limit $5
for update of r
"""


async def lock_riders_to_reissue(
    conn: asyncpg.Connection, issuer: str, key_id: int, at: datetime, after: str, limit: int
) -> list[str]:
    """The next such riders after ``after``, locked until the transaction ends."""
    rows = await conn.fetch(_LOCK_RIDERS, issuer, key_id, at, after, limit)
    return [row["rider_id"] for row in rows]


_REISSUED_ROWS = f"""
select a.issuer, a.rider_id, a.serial, a.request_id, a.device_key, a.issuer_part, a.signature,
       a.not_before, a.not_after, a.issued_at, a.replaces,
       (select max(h.serial) from authorisation h
        where h.issuer = r.issuer and h.rider_id = r.rider_id) as highest
from (select $1::text as issuer, unnest($4::text[]) as rider_id) r
cross join lateral (select a.* {_TO_REISSUE}) a
order by a.rider_id, a.serial
"""


async def to_reissue(
    conn: asyncpg.Connection, issuer: str, key_id: int, at: datetime, riders: Sequence[str]
) -> list[tuple[IssuedAuthorisation, int]]:
    """What must be signed again for these locked riders, each with its rider's highest serial."""
    rows = await conn.fetch(_REISSUED_ROWS, issuer, key_id, at, list(riders))
    return [(IssuedAuthorisation(*list(row.values())[:-1]), row["highest"]) for row in rows]
