"""What people say of journeys: written by the gateway, read by the clearing.

A statement names the journey by a tap that is known of it. Whoever makes one asks in the same
transaction for its rider to be read again from that tap on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import asyncpg

from transitpay.journeys.statements import Statement, StatementKind
from transitpay.postgres.gates.taps import shard_of
from transitpay.taps import TapKey

Rider = tuple[str, str]


# A correction counts once it is approved. "offset 0" keeps each rider's search an index search.
_STATEMENTS = """
select w.issuer, w.rider_id, s.stated_for || '/' || s.request_id as id, s.kind, s.stop, s.stated_at,
       s.tapped_day, s.reader, s.sequence, null as journey_id
from unnest($1::text[], $2::text[]) as w(issuer, rider_id)
cross join lateral (
    select j.stated_for, j.request_id, j.kind, j.stop, j.tapped_day, j.reader, j.sequence,
           case when j.approval is null then j.stated_at
                else (select a.approved_at from approval a where a.id = j.approval) end as stated_at
    from journey_statement j
    where j.issuer = w.issuer and j.rider_id = w.rider_id and j.tapped_at >= $3
    offset 0
) s
where s.stated_at is not null
union all
select w.issuer, w.rider_id, g.id, 'given_back', null, g.requested_at, null, null, null,
       g.journey_id
from unnest($1::text[], $2::text[]) as w(issuer, rider_id)
cross join lateral (
    select r.id, r.journey_id, r.requested_at
    from journey j
    join refund_request r on r.journey_id = j.id
    where j.issuer = w.issuer and j.rider_id = w.rider_id and j.priced_at >= $3
    offset 0
) g
order by 1, 2, 6, 3
"""


async def statements_of(
    conn: asyncpg.Connection, riders: Sequence[Rider], since: datetime
) -> dict[Rider, tuple[Statement, ...]]:
    """What counts of the journeys of these riders that have a tap from ``since`` on.

    Declarations, approved corrections, and what operators gave back, in the order in which they
    were made (a correction: approved); riders of whom nothing is said are absent.
    """
    issuers, ids = [issuer for issuer, _ in riders], [rider_id for _, rider_id in riders]
    found: dict[Rider, list[Statement]] = {}
    for row in await conn.fetch(_STATEMENTS, issuers, ids, since):
        if row["journey_id"] is None:
            key = TapKey(row["tapped_day"], row["reader"], row["sequence"])
        else:
            key = tap_of_journey(row["journey_id"])
        said = Statement(row["id"], key, StatementKind(row["kind"]), row["stop"], row["stated_at"])
        found.setdefault((row["issuer"], row["rider_id"]), []).append(said)
    return {rider: tuple(said) for rider, said in found.items()}


def tap_of_journey(journey_id: str) -> TapKey:
    """The first tap of a journey, which its id names; also of a later revision (``~2``)."""
    day, _, rest = journey_id.partition("/")
    reader, _, number = rest.rpartition("/")
    return TapKey(date.fromisoformat(day), reader, int(number.partition("~")[0]))


@dataclass(frozen=True, slots=True)
class JourneyStatement:
    """A statement as it is kept. ``stated_for`` is the wallet or operator that speaks.

    ``approval`` is the number of the proposal that a second person approves, of a correction.
    """

    stated_for: str
    request_id: str
    kind: StatementKind
    rider: Rider
    tap: TapKey
    tapped_at: datetime
    network: str
    service_day: date
    stop: str
    reason: str
    stated_by: str
    stated_at: datetime
    approval: int | None = None


_INSERT = """
insert into journey_statement (stated_for, request_id, kind, issuer, rider_id, tapped_day, reader,
    sequence, tapped_at, network, service_day, stop, reason, stated_by, stated_at, approval)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
"""


async def insert_statement(conn: asyncpg.Connection, it: JourneyStatement) -> None:
    """Keep a statement that was not made before.

    Raises: asyncpg.UniqueViolationError for one that was.
    """
    await conn.execute(
        _INSERT, it.stated_for, it.request_id, str(it.kind), *it.rider, *it.tap, it.tapped_at,
        it.network, it.service_day, it.stop, it.reason, it.stated_by, it.stated_at, it.approval,
    )  # fmt: skip


_READ_AGAIN = """
insert into tap_inbox (shard, issuer, rider_id, due_at, since) values ($1, $2, $3, $4, $5)
"""


async def read_again(conn: asyncpg.Connection, rider: Rider, since: datetime, at: datetime) -> None:
    """Ask for a rider to be read again from ``since`` on, now."""
    await conn.execute(_READ_AGAIN, shard_of(*rider), *rider, at, since)
