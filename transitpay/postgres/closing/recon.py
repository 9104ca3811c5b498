"""Statements of reconciliation: wallet files, and our side of a wallet's window."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import asyncpg


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A wallet's file as it is known; its content lies under its digest."""

    id: int
    kind: str
    name: str
    sha256: bytes
    size: int
    state: str
    problems: Sequence[str]


_ADD_FILE = """
insert into wallet_file (wallet, day, kind, name, sha256, size_bytes, state, received_at)
values ($1, $2, $3, $4, $5, $6, 'RECEIVED', $7)
on conflict (wallet, day, kind, sha256) do nothing
"""


async def add_file(
    conn: asyncpg.Connection,
    wallet: str,
    day: date,
    file: tuple[str, str, bytes, int],
    at: datetime,
) -> None:
    """Keep (kind, name, sha256, size); the same content again is the same file."""
    await conn.execute(_ADD_FILE, wallet, day, *file, at)


_FILES = """
select id, kind, name, sha256, size_bytes, state, problems
from wallet_file where wallet = $1 and day = $2 order by id
"""


async def files(conn: asyncpg.Connection, wallet: str, day: date) -> list[StoredFile]:
    """Everything that came for a wallet's day, in the order in which it came."""
    return [
        StoredFile(
            r["id"], r["kind"], r["name"], r["sha256"], r["size_bytes"], r["state"], r["problems"]
        )
        for r in await conn.fetch(_FILES, wallet, day)
    ]


_SET_STATE = """
update wallet_file set state = $2, problems = $3 where id = $1 and state <> $2
"""


async def set_file_state(
    conn: asyncpg.Connection, file_id: int, state: str, problems: Sequence[str] = ()
) -> None:
    """Move a file on; its problems are lines of text."""
    await conn.execute(_SET_STATE, file_id, state, list(problems))


_OURS = """
select i.item_kind, i.ref, i.amount_minor, i.currency, i.day, g.fee_rate, t.wallet_quote,
    coalesce(r.refunded_at, u.at, t.paid_at) as completed_at,
    i.item_kind = 'capture' and (exists (
        select 1 from window_item x
        where x.kind = 'wallet' and x.item = i.ref || '!cancel'
    ) or exists (
        select 1 from open_item o where o.kind = 'wallet' and o.item = i.ref || '!cancel'
    )) as cancelled
from closed_window w
join window_item i on i.window_id = w.id
left join refund r on r.request_id = i.ref and i.item_kind = 'refund'
left join charge_attempt t on t.request_id = coalesce(r.attempt_request_id, i.ref)
left join entry u on i.item_kind = 'cancel' and u.key = 'uncaptured:' || i.ref
left join charge c on c.id = t.charge_id
left join journey j on j.id = c.journey_id
left join lateral (
    select a.fee_rate from wallet_agreement a
    where a.wallet = w.participant and a.fare_currency = j.fare_currency
        and a.valid_from <= j.service_day
    order by a.valid_from desc limit 1
) g on true
where w.kind = 'wallet' and w.participant = $1 and w.day = $2
order by i.item_kind, i.item
"""


@dataclass(frozen=True, slots=True)
class OurItem:
    """One item of a wallet's window with what its row in the file should say."""

    item_kind: str
    ref: str
    amount_minor: int
    currency: str
    day: date
    fee_rate: Decimal | None
    wallet_quote: object
    completed_at: datetime | None
    cancelled: bool


async def our_items(conn: asyncpg.Connection, wallet: str, day: date) -> AsyncIterator[OurItem]:
    """The items of a wallet's closed window, streamed in a fixed order; inside a transaction."""
    async for r in conn.cursor(_OURS, wallet, day, prefetch=2000):
        yield OurItem(
            item_kind=r["item_kind"],
            ref=r["ref"],
            amount_minor=r["amount_minor"],
            currency=r["currency"],
            day=r["day"],
            fee_rate=r["fee_rate"],
            wallet_quote=r["wallet_quote"],
            completed_at=r["completed_at"],
            cancelled=r["cancelled"],
        )


_WINDOW_CLOSED = """
select id from closed_window where kind = 'wallet' and participant = $1 and day = $2
"""


async def window_is_closed(conn: asyncpg.Connection, wallet: str, day: date) -> bool:
    """Whether the wallet's window of the day is closed."""
    return await conn.fetchval(_WINDOW_CLOSED, wallet, day) is not None


_KNOWN = """
with asked as (
    select a.request_id, a.row_kind from unnest($2::text[], $3::text[]) as a(request_id, row_kind)
), ours as (
    select a.request_id, a.row_kind, t.state,
        case a.row_kind when 'cancel' then a.request_id || '!cancel' else a.request_id end as item
    from asked a join charge_attempt t on t.request_id = a.request_id
    join charge c on c.id = t.charge_id and c.wallet = $1
    where a.row_kind in ('payment', 'cancel')
    union all
    select a.request_id, a.row_kind, r.state, a.request_id
    from asked a join refund r on r.request_id = a.request_id
    join charge c on c.id = r.charge_id and c.wallet = $1
    where a.row_kind = 'refund'
)
select o.request_id, o.row_kind, o.state, w.day as window_day,
    exists (select 1 from open_item x where x.kind = 'wallet' and x.item = o.item) as is_open,
    exists (select 1 from recon_break b where b.wallet = $1 and b.request_id = o.request_id
        and b.kind = 'missing_external' and b.day < $4) as was_missing
from ours o
left join window_item i on i.kind = 'wallet' and i.item = o.item
left join closed_window w on w.id = i.window_id
order by o.row_kind, o.request_id
"""


@dataclass(frozen=True, slots=True)
class KnownId:
    """What the books know of an id that a file names. ``window_day`` None: in no closed window."""

    request_id: str
    row_kind: str
    state: str
    window_day: date | None
    is_open: bool
    was_missing: bool


async def known_ids(
    conn: asyncpg.Connection, wallet: str, ids: Sequence[tuple[str, str]], day: date
) -> list[KnownId]:
    """Those of the ids (row kind, request id) that are ours; the others are left out."""
    rows = await conn.fetch(_KNOWN, wallet, [i for _, i in ids], [kind for kind, _ in ids], day)
    return [
        KnownId(
            r["request_id"],
            r["row_kind"],
            r["state"],
            r["window_day"],
            r["is_open"],
            r["was_missing"],
        )
        for r in rows
    ]


_OPEN_ATTEMPTS = """
select t.request_id from charge_attempt t join charge c on c.id = t.charge_id
where c.wallet = $1 and t.state in ('UNKNOWN', 'CANCELLING') and t.first_sent_at < $2
  and not exists (select from charge_evidence e where e.request_id = t.request_id
                  and e.kind = 'file' and e.content ->> 'outcome' = 'in_file')
order by t.request_id
"""


async def unknown_attempts(conn: asyncpg.Connection, wallet: str, before: datetime) -> list[str]:
    """Request ids, first sent before an instant, of which nobody knows what came of them.

    What once stood in a file (with another amount, say) is people's: later files that lack it
    never prove that it was not paid.
    """
    return [r["request_id"] for r in await conn.fetch(_OPEN_ATTEMPTS, wallet, before)]


_KNOWN_KEYS = """
select key from entry where key = any($1::text[])
"""


async def booked_keys(conn: asyncpg.Connection, keys: Sequence[str]) -> set[str]:
    """Those of the entry keys that are booked already."""
    return {r["key"] for r in await conn.fetch(_KNOWN_KEYS, list(keys))}
