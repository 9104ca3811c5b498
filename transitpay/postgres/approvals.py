"""Actors who decide, and what needs a second pair of eyes: proposals and how they end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from transitpay.postgres.reference import Actor, Role

_ACTOR = """
select id, name, role, participant from actor where id = $1
"""


async def actor(conn: asyncpg.Connection, actor_id: str) -> Actor | None:
    """The actor of this id; None = there is none."""
    row = await conn.fetchrow(_ACTOR, actor_id)
    if row is None:
        return None
    return Actor(row["id"], row["name"], Role(row["role"]), row["participant"])


_PROPOSE = """
insert into approval (subject, content_sha256, proposed_by, proposed_at)
values ($1, $2, $3, $4)
returning id
"""


async def propose(
    conn: asyncpg.Connection, subject: str, content_sha256: bytes, by: str, at: datetime
) -> int:
    """Put a content up for approval; returns the number of the proposal."""
    return int(await conn.fetchval(_PROPOSE, subject, content_sha256, by, at))


_APPROVE = """
update approval set approved_by = $2, approved_at = $3
where id = $1 and approved_by is null
"""


async def approve(conn: asyncpg.Connection, proposal: int, by: str, at: datetime) -> None:
    """Approve it; an approval that stands stays.

    Raises: asyncpg.CheckViolationError (``approval_four_eyes``) for the one who proposed it,
    asyncpg.RestrictViolationError for one that was withdrawn.
    """
    await conn.execute(_APPROVE, proposal, by, at)


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Who took a proposal back, when, and why."""

    by: str
    at: datetime
    why: str


def withdrawal_of(row: asyncpg.Record) -> Withdrawal | None:
    """That of a row with ``withdrawn_by``, ``withdrawn_at`` and ``withdrawn_why``."""
    if row["withdrawn_by"] is None:
        return None
    return Withdrawal(row["withdrawn_by"], row["withdrawn_at"], row["withdrawn_why"])


_WITHDRAW = """
update approval set withdrawn_by = $2, withdrawn_at = $3, withdrawn_why = $4 where id = $1
"""


async def withdraw(conn: asyncpg.Connection, proposal: int, it: Withdrawal) -> None:
    """Take a proposal back.

    Raises: asyncpg.RestrictViolationError for one that was approved or withdrawn.
    """
    await conn.execute(_WITHDRAW, proposal, it.by, it.at, it.why)


@dataclass(frozen=True, slots=True)
class OpenProposal:
    """What waits for a second person; ``operator`` is whose people may approve it, if theirs."""

    subject: str
    operator: str | None
    proposed_by: str
    proposed_at: datetime


_OPEN = """
select a.subject, coalesce(j.stated_for, t.document::json ->> 'operator') as operator,
       a.proposed_by, a.proposed_at
from approval a
left join journey_statement j on j.approval = a.id
left join tariff_version t on t.approval = a.id
where a.approved_by is null and a.withdrawn_by is null
order by a.proposed_at, a.id
limit $1
"""


async def open_proposals(conn: asyncpg.Connection, limit: int) -> list[OpenProposal]:
    """Proposals that nobody has approved or withdrawn, of every kind, the oldest first."""
    return [OpenProposal(**row) for row in await conn.fetch(_OPEN, limit)]


_AUDIT = """
insert into audit_log (at, actor, action, subject, detail) values ($1, $2, $3, $4, $5)
"""


async def note(
    conn: asyncpg.Connection,
    at: datetime,
    by: str,
    action: str,
    subject: str,
    detail: dict[str, object],
) -> None:
    """Write into the audit log who did what."""
    await conn.execute(_AUDIT, at, by, action, subject, detail)
