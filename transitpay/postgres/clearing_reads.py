"""Statements by which the clearing reads: riders who are due, their taps, what is closed, terms.

A shard of riders has one clearer at a time (``lock_shard``), so what is read here stays as it is
until the transaction ends; new taps come with inbox rows of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import asyncpg

from transitpay.fx.agreement import Agreement, BadDebt, FxMode
from transitpay.journeys.late import ClosedJourney
from transitpay.journeys.lifecycle import JourneyReason
from transitpay.money import currency
from transitpay.taps import Direction, RiderRef, Tap, TapKey

Rider = tuple[str, str]

_DUE_SHARDS = """
select s.shard
from generate_series(0, 63) as s(shard)
where exists (select from tap_inbox i where i.shard = s.shard::smallint and i.due_at <= $1)
"""


async def due_shards(conn: asyncpg.Connection, at: datetime) -> list[int]:
    """The shards that hold a rider who is due."""
    return [row["shard"] for row in await conn.fetch(_DUE_SHARDS, at)]


_LOCK_SHARD = """
select pg_try_advisory_xact_lock(7365, $1)
"""


async def lock_shard(conn: asyncpg.Connection, shard: int) -> bool:
    """True when this transaction is the shard's only clearer until it ends."""
    return bool(await conn.fetchval(_LOCK_SHARD, shard))


@dataclass(frozen=True, slots=True)
class InboxRow:
    """A wish that a rider be read."""

    id: int
    rider: Rider
    due_at: datetime


_DUE = """
select id, issuer, rider_id, due_at
from tap_inbox
where shard = $1 and due_at <= $2
order by due_at, id
limit $3
"""


async def due_rows(
    conn: asyncpg.Connection, shard: int, at: datetime, limit: int
) -> list[InboxRow]:
    """The inbox rows of a shard that are due, the longest waiting first."""
    rows = await conn.fetch(_DUE, shard, at, limit)
    return [InboxRow(r["id"], (r["issuer"], r["rider_id"]), r["due_at"]) for r in rows]


# "offset 0" keeps each rider's search an index search of its own, whatever the statistics say.
_TAPS = """
select t.tapped_day, t.reader, t.sequence, t.issuer, t.rider_id, t.slot, t.operator, t.network,
       t.stop, t.direction, t.at, t.route, t.stage_fare_minor
from unnest($1::text[], $2::text[]) as w(issuer, rider_id)
cross join lateral (
    select tap.tapped_day, tap.reader, tap.sequence, tap.issuer, tap.rider_id, tap.slot,
           tap.operator, tap.network, tap.stop, tap.direction, tap.at, tap.route,
           tap.stage_fare_minor
    from tap
    where tap.issuer = w.issuer and tap.rider_id = w.rider_id and tap.decision = 'accepted'
      and tap.at >= $3 and tap.tapped_day >= $4
    offset 0
) t
where not exists (select from journey_tap j where j.tapped_day = t.tapped_day
                  and j.reader = t.reader and j.sequence = t.sequence)
  and not exists (select from tap_set_aside a where a.tapped_day = t.tapped_day
                  and a.reader = t.reader and a.sequence = t.sequence)
"""


async def open_taps(
    conn: asyncpg.Connection, riders: Sequence[Rider], since: datetime, since_day: date
) -> list[Tap]:
    """The accepted taps of these riders that are in no journey and not set aside."""
    rows = await conn.fetch(_TAPS, *_columns(riders), since, since_day)
    return [
        Tap(
            TapKey(r["tapped_day"], r["reader"], r["sequence"]),
            RiderRef(r["issuer"], r["rider_id"], r["slot"]),
            r["operator"],
            r["network"],
            r["stop"],
            Direction(r["direction"]),
            r["at"],
            r["route"],
            r["stage_fare_minor"],
        )
        for r in rows
    ]


_CLOSED = """
select j.issuer, j.rider_id, j.slot, j.network, j.reason, j.entry_at, j.exit_at
from unnest($1::text[], $2::text[], $3::timestamptz[]) as w(issuer, rider_id, since)
cross join lateral (
    select journey.id, journey.issuer, journey.rider_id, journey.slot, journey.network,
           journey.reason, journey.entry_at, journey.exit_at
    from journey
    where journey.issuer = w.issuer and journey.rider_id = w.rider_id
      and journey.priced_at >= w.since and journey.kind = 'entry_exit'
    offset 0
) j
where not exists (select from refund_request g where g.id = 'no ride ' || j.id)
"""


async def closed_journeys(
    conn: asyncpg.Connection, riders: Sequence[tuple[Rider, datetime]]
) -> list[ClosedJourney]:
    """The gated journeys of (rider, since) that were cleared before, from that instant on.

    Those that are given back, because a tap was refused after all, close nothing.
    """
    if not riders:
        return []
    rows = await conn.fetch(
        _CLOSED, *_columns([rider for rider, _ in riders]), [since for _, since in riders]
    )
    return [
        ClosedJourney(
            RiderRef(r["issuer"], r["rider_id"], r["slot"]),
            r["network"],
            None if r["reason"] is None else JourneyReason(r["reason"]),
            r["entry_at"],
            r["exit_at"],
        )
        for r in rows
    ]


_COMPLETE_THROUGH = """
select r.network, min(s.through_at) as through_at
from reader r
left join reader_status s on s.reader = r.id
where r.decommissioned_at is null
group by r.network
having bool_and(s.through_at is not null)
"""


async def complete_through(conn: asyncpg.Connection) -> dict[str, datetime]:
    """The instant up to which every reader of a network has reported all its scans.

    A network with a reader that never reported is absent.
    """
    rows = await conn.fetch(_COMPLETE_THROUGH)
    return {r["network"]: r["through_at"] for r in rows}


_AGREEMENTS = """
select wallet, fare_currency, valid_from, fx_mode, charge_currency, settlement_currency, margin,
       fee_rate, bad_debt
from wallet_agreement
order by wallet, fare_currency, valid_from
"""


async def agreements(conn: asyncpg.Connection) -> tuple[Agreement, ...]:
    """All dated agreements with wallets."""
    return tuple(
        Agreement(
            r["wallet"],
            currency(r["fare_currency"]),
            r["valid_from"],
            FxMode(r["fx_mode"]),
            currency(r["charge_currency"]),
            currency(r["settlement_currency"]),
            r["margin"],
            r["fee_rate"],
            BadDebt(r["bad_debt"]),
        )
        for r in await conn.fetch(_AGREEMENTS)
    )


def _columns(riders: Iterable[Rider]) -> tuple[list[str], list[str]]:
    them = list(riders)
    return [issuer for issuer, _ in them], [rider_id for _, rider_id in them]
