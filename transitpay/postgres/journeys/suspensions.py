"""Statements of suspensions: the missing exits that count, what stands, and whom a person lets go.

Settlement opens and ends suspensions; a person's word that one ends is a row of the gateway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from transitpay.journeys.suspension import Suspended, Why

Rider = tuple[str, str]
#: A rider in one network.
RiderThere = tuple[Rider, str]


_MISSING_EXITS = """
select w.issuer, w.rider_id, j.network, j.priced_at
from unnest($1::text[], $2::text[]) as w(issuer, rider_id)
cross join lateral (
    select journey.network, journey.priced_at
    from journey
    where journey.issuer = w.issuer and journey.rider_id = w.rider_id
      and journey.reason = 'missing_exit' and journey.ended_at is null
      and journey.filled_by is null and journey.excuse is null and not journey.late
      and journey.priced_at > $3
    offset 0
) j
order by j.priced_at
"""


async def missing_exits(
    conn: asyncpg.Connection, riders: Sequence[Rider], since: datetime
) -> dict[RiderThere, list[datetime]]:
    """The instants after ``since`` at which exits of these riders were missing, oldest first.

    None of a journey that is excused or came too late to find its exit, or whose exit somebody or
    something filled.
    """
    found: dict[RiderThere, list[datetime]] = {}
    for row in await conn.fetch(_MISSING_EXITS, *_columns(riders), since):
        found.setdefault(((row["issuer"], row["rider_id"]), row["network"]), []).append(
            row["priced_at"]
        )
    return found


@dataclass(frozen=True, slots=True)
class Standing:
    """A suspension that has not ended; ``let_go_at`` is when a person said that it ends."""

    id: int
    rider: Rider
    it: Suspended
    let_go_at: datetime | None


_STANDING = """
select s.id, s.issuer, s.rider_id, s.network, s.why, s.counted, s.more_than, s.days, s.since,
       s.until, e.at as let_go_at
from unnest($1::text[], $2::text[]) as w(issuer, rider_id)
join suspension s on s.issuer = w.issuer and s.rider_id = w.rider_id and s.ended_at is null
left join suspension_end e on e.suspension = s.id
order by s.id
"""


async def standing(conn: asyncpg.Connection, riders: Sequence[Rider]) -> list[Standing]:
    """The suspensions of these riders that have not ended yet."""
    return [
        Standing(
            r["id"],
            (r["issuer"], r["rider_id"]),
            Suspended(
                r["network"], Why(r["why"]), r["counted"], r["more_than"], r["days"], r["since"],
                r["until"],
            ),
            r["let_go_at"],
        )
        for r in await conn.fetch(_STANDING, *_columns(riders))
    ]  # fmt: skip


_FORGIVEN = """
select s.issuer, s.rider_id, s.network, max(e.at) as at
from unnest($1::text[], $2::text[]) as w(issuer, rider_id)
join suspension s on s.issuer = w.issuer and s.rider_id = w.rider_id
join suspension_end e on e.suspension = s.id
group by s.issuer, s.rider_id, s.network
"""


async def forgiven(conn: asyncpg.Connection, riders: Sequence[Rider]) -> dict[RiderThere, datetime]:
    """Up to when a person forgave what was missing, of riders of whom one did."""
    rows = await conn.fetch(_FORGIVEN, *_columns(riders))
    return {((r["issuer"], r["rider_id"]), r["network"]): r["at"] for r in rows}


_OPEN = """
insert into suspension (issuer, rider_id, network, why, counted, more_than, days, since, until,
    noticed_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""


async def begin(conn: asyncpg.Connection, rider: Rider, it: Suspended, at: datetime) -> None:
    """Suspend a rider."""
    await conn.execute(
        _OPEN, *rider, it.network, str(it.why), it.counted, it.more_than, it.days, it.since,
        it.until, at,
    )  # fmt: skip


_CHANGE = """
update suspension set counted = $2, more_than = $3, days = $4, until = $5 where id = $1
"""


async def change(conn: asyncpg.Connection, number: int, it: Suspended) -> None:
    """Another count, and so another end."""
    await conn.execute(_CHANGE, number, it.counted, it.more_than, it.days, it.until)


_END = """
update suspension set ended_at = $2 where id = $1
"""


async def end(conn: asyncpg.Connection, number: int, at: datetime) -> None:
    """The suspension is over."""
    await conn.execute(_END, number, at)


def _columns(riders: Sequence[Rider]) -> tuple[list[str], list[str]]:
    return [issuer for issuer, _ in riders], [rider_id for _, rider_id in riders]


@dataclass(frozen=True, slots=True)
class ListedSuspension:
    """A suspension as operators and the house see it."""

    id: int
    rider: Rider
    network: str
    why: str
    counted: int
    more_than: int
    days: int
    since: datetime
    until: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    let_go_by: str | None


_LISTED = """
select s.id, s.issuer, s.rider_id, s.network, s.why, s.counted, s.more_than, s.days, s.since,
       s.until, s.ended_at, e.reason as end_reason, e.ended_by as let_go_by
from suspension s
left join suspension_end e on e.suspension = s.id
where ($1::text is null or exists (
          select from reader r where r.operator = $1 and r.network = s.network))
  and ($2::bigint is null or s.id = $2)
  and ($3::bigint is null or s.id < $3)
order by s.id desc
limit $4
"""


async def listed(
    conn: asyncpg.Connection,
    operator: str | None,
    *,
    number: int | None = None,
    before: int | None = None,
    limit: int = 1,
) -> list[ListedSuspension]:
    """Suspensions in the networks of an operator (None: all), newest first."""
    return [
        ListedSuspension(
            r["id"], (r["issuer"], r["rider_id"]), r["network"], r["why"], r["counted"],
            r["more_than"], r["days"], r["since"], r["until"], r["ended_at"], r["end_reason"],
            r["let_go_by"],
        )
        for r in await conn.fetch(_LISTED, operator, number, before, limit)
    ]  # fmt: skip


_LET_GO = """
insert into suspension_end (suspension, reason, ended_by, at) values ($1, $2, $3, $4)
on conflict (suspension) do nothing
"""


async def let_go(conn: asyncpg.Connection, number: int, reason: str, by: str, at: datetime) -> None:
    """A person's word that a suspension ends; the first one stays."""
    await conn.execute(_LET_GO, number, reason, by, at)
