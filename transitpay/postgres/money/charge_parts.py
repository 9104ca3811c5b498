"""Statements of charge parts: which part of which charge pays for which standing journey."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import asyncpg

from transitpay.charging.allotment import Part
from transitpay.charging.correcting import Tied
from transitpay.charging.refund import Refund
from transitpay.postgres.money import charges, refunds
from transitpay.postgres.money.charges import StoredCharge

_ADD = """
insert into charge_part (charge_id, journey_id, amount_minor)
select p.charge_id, p.journey_id, p.amount_minor
from unnest($1::text[], $2::text[], $3::bigint[]) as p(charge_id, journey_id, amount_minor)
"""


async def add(conn: asyncpg.Connection, parts: Sequence[Part]) -> None:
    """Say what charges pay for; theirs must be new, or their old parts removed."""
    if parts:
        await conn.execute(
            _ADD,
            [p.charge_id for p in parts],
            [p.journey for p in parts],
            [p.minor for p in parts],
        )


_REMOVE = """
delete from charge_part where charge_id = any($1::text[])
"""


async def replace(
    conn: asyncpg.Connection, charge_ids: Iterable[str], parts: Sequence[Part]
) -> None:
    """These charges pay for nothing but ``parts`` from now on; they are locked by the caller."""
    gone = sorted(charge_ids)
    if gone:
        await conn.execute(_REMOVE, gone)
    await add(conn, parts)


@dataclass(frozen=True, slots=True)
class TiedCharge:
    """A charge as it is stored, and what a correction must know of it."""

    stored: StoredCharge
    tied: Tied


_CHARGES_OF = """
with paying as (
    select charge_id from charge_part where journey_id = any($1::text[])
    union
    select r.charge_id
    from unnest($1::text[]) as j(id)
    cross join lateral with_those_before(j.id) k(id)
    join charge c on c.journey_id = k.id and c.state = 'CAPTURED'
    join refund r on r.charge_id = c.id and r.state <> 'REFUNDED'
), refunding as (
    select charge_id from paying
    union
    select r.charge_id from paying p join charge w on w.id = p.charge_id
    join refund r on r.request_id = w.awaits_refund
)
select charge_id from refunding
union
select w.id from refunding p join refund r on r.charge_id = p.charge_id
join charge w on w.awaits_refund = r.request_id
order by charge_id
"""

_PARTS = """
select charge_id, journey_id, amount_minor from charge_part
where charge_id = any($1::text[])
order by charge_id, journey_id
"""


async def lock_of_journeys(
    conn: asyncpg.Connection, journey_ids: Sequence[str]
) -> dict[str, TiedCharge]:
    """All charges that pay for one of the journeys, with all of their parts and refunds.

    With them come those made for what stood before of which a refund is refused or in doubt, and
    whatever debt awaits a refund of any of them. They are locked in the order of their ids. What a
    cancel replaced while its lock was waited for is read again.
    """
    wanted = await _charges_of(conn, journey_ids)
    while wanted:
        locked = await lock_tied(conn, wanted)
        now = await _charges_of(conn, journey_ids)
        if now == wanted:
            return locked
        wanted = now
    return {}


async def _charges_of(conn: asyncpg.Connection, journey_ids: Sequence[str]) -> list[str]:
    return [row["charge_id"] for row in await conn.fetch(_CHARGES_OF, list(journey_ids))]


_REFUSED = """
select distinct r.charge_id
from with_those_before($1) k(id)
join charge c on c.journey_id = k.id
join refund r on r.charge_id = c.id and r.state = 'REFUSED'
"""


async def lock_refused(conn: asyncpg.Connection, journey_id: str) -> dict[str, TiedCharge]:
    """The charges of a journey, and of what stood before, of which a refund was refused."""
    found = await conn.fetch(_REFUSED, journey_id)
    return await lock_tied(conn, [row["charge_id"] for row in found])


_AWAITING = """
select id from charge where awaits_refund = any($1::text[]) order by id
"""


async def lock_of_refund(
    conn: asyncpg.Connection, refund_id: str, charge_id: str
) -> dict[str, TiedCharge]:
    """The charge of a refund and the debt that awaits it, where there is one.

    Whoever makes a debt await a refund holds the lock of the refund's charge.
    """
    wanted = sorted({charge_id, *await _awaiting(conn, [refund_id])})
    while True:
        locked = await lock_tied(conn, wanted)
        now = sorted({charge_id, *await _awaiting(conn, [refund_id])})
        if now == wanted:
            return locked
        wanted = now


async def lock_awaiting(
    conn: asyncpg.Connection, refund_ids: Sequence[str]
) -> dict[str, TiedCharge]:
    """The debts that await one of these refunds; the caller has locked the refunds' charges."""
    return await lock_tied(conn, await _awaiting(conn, refund_ids))


async def _awaiting(conn: asyncpg.Connection, refund_ids: Sequence[str]) -> list[str]:
    return [row["id"] for row in await conn.fetch(_AWAITING, list(refund_ids))]


async def lock_tied(conn: asyncpg.Connection, charge_ids: Sequence[str]) -> dict[str, TiedCharge]:
    """These charges as they are now, locked, with all of their parts and refunds."""
    if not charge_ids:
        return {}
    locked = await charges.lock(conn, charge_ids)
    parts: dict[str, list[Part]] = {}
    for row in await conn.fetch(_PARTS, list(locked)):
        part = Part(row["charge_id"], row["journey_id"], row["amount_minor"])
        parts.setdefault(part.charge_id, []).append(part)
    back: dict[str, list[Refund]] = {}
    for refund in await refunds.of_charges(conn, list(locked)):
        back.setdefault(refund.charge_id, []).append(refund)
    return {
        i: TiedCharge(it, Tied(it.charge, tuple(parts.get(i, ())), tuple(back.get(i, ()))))
        for i, it in locked.items()
    }
