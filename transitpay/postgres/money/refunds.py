"""Statements of refunds: requests, one row a refundRequestId, claimed under a lease."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from transitpay.charging.refund import Refund, RefundState
from transitpay.money import Money, currency
from transitpay.postgres.journeys.statements import tap_of_journey
from transitpay.postgres.money.inboxes import RefundRequest

_NEW_REQUESTS = """
select r.id, r.journey_id, r.reason, r.requested_by, r.requested_at
from refund_request r
where not exists (select from refund_request_done d where d.request = r.id)
order by r.requested_at, r.id
limit $1
"""


async def new_requests(conn: asyncpg.Connection, limit: int) -> list[RefundRequest]:
    """Requests that nothing was made of yet."""
    return [RefundRequest(*row.values()) for row in await conn.fetch(_NEW_REQUESTS, limit)]


_DONE = """
insert into refund_request_done (request, effect, at) values ($1, $2, $3)
on conflict (request) do nothing
returning request
"""


async def request_done(
    conn: asyncpg.Connection, request_id: str, effect: str, at: datetime
) -> bool:
    """Note what was made of a request; False = somebody else did."""
    return await conn.fetchval(_DONE, request_id, effect, at) is not None


@dataclass(frozen=True, slots=True)
class FareOf:
    """What stands for a journey: its rider, where it begins, and its fare; 0 if nothing stands.

    ``newest`` is the journey that holds its first tap; where none does, its last revision.
    ``is_given_back``: it stands as one that the operator has given back. ``asked_before``: an
    earlier request for it, or for what stood before, was granted.
    """

    rider: tuple[str, str]
    first_at: datetime
    newest: str
    standing_minor: int
    is_given_back: bool
    asked_before: bool


_FARE_OF = """
select j.issuer, j.rider_id, coalesce(j.entry_at, j.exit_at) as first_at, n.id as newest,
       case when n.ended_at is null then n.fare_minor else 0 end as standing_minor,
       n.ended_at is null and n.excuse is not distinct from 'given_back' as is_given_back,
       exists (select from with_those_before(n.id) k(id)
               join refund_request r on r.journey_id = k.id
               join refund_request_done d on d.request = r.id and d.effect = 'given_back'
       ) as asked_before
from journey j
left join journey_tap t on (t.tapped_day, t.reader, t.sequence) = ($2, $3, $4)
join lateral (
    select k.id, k.fare_minor, k.excuse, k.ended_at from journey k
    where k.id = t.journey_id or k.key = j.key
    order by (k.id is not distinct from t.journey_id) desc, k.revision desc
    limit 1
) n on true
where j.id = $1
"""


async def fare_of(conn: asyncpg.Connection, journey_id: str) -> FareOf | None:
    """What stands of the journey with this id, whichever revision it names."""
    try:
        first = tap_of_journey(journey_id)
    except ValueError:
        return None
    row = await conn.fetchrow(_FARE_OF, journey_id, *first)
    if row is None:
        return None
    issuer, rider_id, *rest = row.values()
    return FareOf((issuer, rider_id), *rest)


_ADD = """
insert into refund (request_id, charge_id, attempt_request_id, amount_minor, currency, reason,
    body, state, created_at, next_at, result_code)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""


async def add(conn: asyncpg.Connection, refund: Refund, reason: str, body: bytes) -> None:
    """Store a refund with its bytes, before it is first sent.

    Raises: Conflict (``refund_repeated``), through ``pool.database_errors``.
    """
    await conn.execute(
        _ADD,
        refund.id,
        refund.charge_id,
        refund.attempt_id,
        refund.amount.minor,
        refund.amount.currency.code,
        reason,
        body,
        str(refund.state),
        refund.created_at,
        refund.next_at,
        refund.code,
    )


@dataclass(frozen=True, slots=True)
class StoredRefund:
    """A refund with its wallet and the bytes that are sent, every time the same."""

    refund: Refund
    wallet: str
    body: bytes = field(repr=False)


_OF_CHARGES = """
select r.request_id, r.charge_id, r.attempt_request_id, r.amount_minor, r.currency, r.state,
       r.created_at, r.next_at, r.result_code, r.body, c.wallet
from refund r
join charge c on c.id = r.charge_id
where r.charge_id = any($1::text[])
order by r.charge_id, r.created_at, r.request_id
"""


async def of_charges(conn: asyncpg.Connection, charge_ids: Sequence[str]) -> tuple[Refund, ...]:
    """All refunds of these charges, each charge's oldest first."""
    rows = await conn.fetch(_OF_CHARGES, list(charge_ids))
    return tuple(_stored(row).refund for row in rows)


_CLAIM = """
update refund r
set lease_until = now() + make_interval(secs => $4)
from (
    select f.request_id from refund f
    join charge c on c.id = f.charge_id
    where c.wallet = $1 and f.next_at <= $2 and (f.lease_until is null or f.lease_until < now())
    order by f.next_at
    limit $3
    for update of f skip locked
) due
where r.request_id = due.request_id
returning r.request_id, r.charge_id, r.attempt_request_id, r.amount_minor, r.currency, r.state,
          r.created_at, r.next_at, r.result_code, r.body, $1 as wallet
"""


async def claim(
    conn: asyncpg.Connection, wallet: str, at: datetime, limit: int, lease_s: float
) -> list[StoredRefund]:
    """Refunds of a wallet that are due and that nobody has."""
    return [_stored(row) for row in await conn.fetch(_CLAIM, wallet, at, limit, lease_s)]


_FIND = """
select r.request_id, r.charge_id, r.attempt_request_id, r.amount_minor, r.currency, r.state,
       r.created_at, r.next_at, r.result_code, r.body, c.wallet
from refund r
join charge c on c.id = r.charge_id
where r.request_id = $1
"""


async def find(conn: asyncpg.Connection, request_id: str) -> Refund | None:
    """The refund of this id, as it is without its lock."""
    row = await conn.fetchrow(_FIND, request_id)
    return None if row is None else _stored(row).refund


_LOCK = """
select r.request_id, r.charge_id, r.attempt_request_id, r.amount_minor, r.currency, r.state,
       r.created_at, r.next_at, r.result_code, r.body, c.wallet
from refund r
join charge c on c.id = r.charge_id
where r.request_id = any($1::text[])
order by r.request_id
for update of r
"""


async def lock(conn: asyncpg.Connection, request_ids: Sequence[str]) -> list[StoredRefund]:
    """These refunds as they are now, locked in the order of their ids."""
    return [_stored(row) for row in await conn.fetch(_LOCK, list(request_ids))]


_SAVE = """
update refund
set state = $2, next_at = $3, result_code = $4, refunded_at = $5, lease_until = null
where request_id = $1
"""


async def save(conn: asyncpg.Connection, refund: Refund, refunded_at: datetime | None) -> None:
    """Write what became of a refund; ``refunded_at`` is the wallet's time of it."""
    await conn.execute(
        _SAVE, refund.id, str(refund.state), refund.next_at, refund.code, refunded_at
    )


_AWAIT = """
update refund set awaited_since = $2
where request_id = any($1::text[]) and awaited_since is null and state in ('PREPARED', 'UNKNOWN')
"""


async def note_awaited(conn: asyncpg.Connection, request_ids: Sequence[str], at: datetime) -> None:
    """Say that a correction waits for these refunds; their charges are locked by the caller."""
    if request_ids:
        await conn.execute(_AWAIT, sorted(request_ids), at)


def _stored(row: asyncpg.Record) -> StoredRefund:
    refund = Refund(
        row["request_id"],
        row["charge_id"],
        row["attempt_request_id"],
        Money(row["amount_minor"], currency(row["currency"])),
        RefundState(row["state"]),
        row["created_at"],
        row["next_at"],
        row["result_code"],
    )
    return StoredRefund(refund, row["wallet"], row["body"])
