"""Statements of what wallets told us: evidence, notifications, and who is to be denied.

Evidence is append-only, in the order we learnt it. A notification is weighed once: its row in
``notification_done`` stands in the same transaction as what it did.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One thing we were told of a request id, and its effect.

    ``effect`` is the state of the attempt and the charge afterwards (``CAPTURED/CAPTURED``), or
    ``break:<kind>``. ``counts`` marks an inquiry, which the attempt counts.
    """

    request_id: str
    kind: str
    content: Mapping[str, str | None]
    effect: str


_ADD = """
insert into charge_evidence (request_id, kind, at, content, effect)
select e.request_id, e.kind, $5, e.content::jsonb, e.effect
from unnest($1::text[], $2::text[], $3::text[], $4::text[])
     as e(request_id, kind, content, effect)
"""

_COUNT_INQUIRIES = """
update charge_attempt set inquiries = inquiries + 1 where request_id = any($1::text[])
"""


async def add(conn: asyncpg.Connection, rows: Sequence[EvidenceRow], at: datetime) -> None:
    """Keep what was told, and count inquiries."""
    if not rows:
        return
    await conn.execute(
        _ADD,
        [row.request_id for row in rows],
        [row.kind for row in rows],
        [json.dumps(dict(row.content), ensure_ascii=False) for row in rows],
        [row.effect for row in rows],
        at,
    )
    asked = [row.request_id for row in rows if row.kind == "inquiry"]
    if asked:
        await conn.execute(_COUNT_INQUIRIES, asked)


@dataclass(frozen=True, slots=True)
class NotificationRow:
    """A verified notification as the gateway stored it."""

    id: int
    wallet: str
    body: bytes


_LOCK_NOTIFICATIONS = """
select pg_try_advisory_xact_lock(7364, 1001)
"""


async def lock_notifications(conn: asyncpg.Connection) -> bool:
    """True when this transaction alone weighs notifications until it ends."""
    return bool(await conn.fetchval(_LOCK_NOTIFICATIONS))


_NEW_NOTIFICATIONS = """
select n.id, n.wallet, n.body
from notification n
where n.id > coalesce((select max(d.notification_id) from notification_done d), 0) - $1
  and not exists (select from notification_done d where d.notification_id = n.id)
order by n.id
limit $2
"""


async def new_notifications(
    conn: asyncpg.Connection, *, look_back: int, limit: int
) -> list[NotificationRow]:
    """Notifications that were not weighed yet, oldest first.

    Ids are given before they are committed, so the search begins ``look_back`` ids before the
    highest that is done.
    """
    rows = await conn.fetch(_NEW_NOTIFICATIONS, look_back, limit)
    return [NotificationRow(r["id"], r["wallet"], r["body"]) for r in rows]


_DONE = """
insert into notification_done (notification_id, effect, at)
select d.id, d.effect, $3 from unnest($1::bigint[], $2::text[]) as d(id, effect)
on conflict (notification_id) do nothing
"""


async def notifications_done(
    conn: asyncpg.Connection, done: Sequence[tuple[int, str]], at: datetime
) -> None:
    """Note what was made of notifications: (id, effect)."""
    if done:
        await conn.execute(_DONE, [i for i, _ in done], [effect for _, effect in done], at)


_LOCK_RIDER = """
select pg_advisory_xact_lock(7366, $1)
"""

_LAST_WORD = """
select action from deny_request
where issuer = $1 and rider_id = $2 and action <> 'revoke'
order by id desc
limit 1
"""

_IN_ARREARS = """
select exists (
    select from charge where issuer = $1 and rider_id = $2 and denies_rider
)
"""

_SUSPENDED = """
select exists (
    select from suspension where issuer = $1 and rider_id = $2 and ended_at is null
)
"""

_ASK = """
insert into deny_request (issuer, rider_id, action, reason, requested_at)
values ($1, $2, $3, $4, $5)
"""


async def settle_denial(
    conn: asyncpg.Connection, issuer: str, rider_id: str, lock_key: int, at: datetime
) -> str | None:
    """Ask for a rider to be denied or released if the last word differs from what is so.

    A rider is denied for a debt, a suspension, or both, until neither is left. Called in the
    transaction that saved the rider's charges or suspensions. Two transactions of one rider wait
    for each other on ``lock_key``. Returns ``deny``, ``release`` or None.
    """
    await conn.execute(_LOCK_RIDER, lock_key)
    owes = bool(await conn.fetchval(_IN_ARREARS, issuer, rider_id))
    suspended = bool(await conn.fetchval(_SUSPENDED, issuer, rider_id))
    denied = await conn.fetchval(_LAST_WORD, issuer, rider_id) == "deny"
    if (owes or suspended) == denied:
        return None
    if denied:
        action, reason = "release", "settled"
    else:
        action, reason = "deny", "arrears" if owes else "suspended"
    await conn.execute(_ASK, issuer, rider_id, action, reason, at)
    return action
