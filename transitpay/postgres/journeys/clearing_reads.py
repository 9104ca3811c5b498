"""Statements by which the clearing reads: riders who are due, their taps, and the terms.

A shard of riders has one clearer at a time (``lock_shard``), so what is read here stays as it is
until the transaction ends; new taps come with inbox rows of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import asyncpg

from transitpay.fx.agreement import Agreement, BadDebt, FxMode
from transitpay.money import currency
from transitpay.postgres.gates.taps import key_columns
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
    """A wish that a rider be read; nothing before ``since`` is concerned, None is not known."""

    id: int
    rider: Rider
    due_at: datetime
    since: datetime | None


_DUE = """
select id, issuer, rider_id, due_at, since
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
    return [InboxRow(r["id"], (r["issuer"], r["rider_id"]), r["due_at"], r["since"]) for r in rows]


# "offset 0" keeps each rider's search an index search of its own, whatever the statistics say.
_TAPS = """
select t.tapped_day, t.reader, t.sequence, t.issuer, t.rider_id, t.slot, t.operator, t.network,
       t.stop, t.direction, t.at, t.route, t.stage_fare_minor, t.vehicle, t.received_at,
       a.reason as aside
from unnest($1::text[], $2::text[], $3::timestamptz[]) as w(issuer, rider_id, since)
cross join lateral (
    select tap.tapped_day, tap.reader, tap.sequence, tap.issuer, tap.rider_id, tap.slot,
           tap.operator, tap.network, tap.stop, tap.direction, tap.at, tap.route,
           tap.stage_fare_minor, tap.vehicle, tap.received_at
    from tap
    where tap.issuer = w.issuer and tap.rider_id = w.rider_id and tap.decision = 'accepted'
      and tap.at >= w.since and tap.tapped_day >= $4
    offset 0
) t
left join tap_set_aside a on a.tapped_day = t.tapped_day and a.reader = t.reader
    and a.sequence = t.sequence
"""


@dataclass(frozen=True, slots=True)
class ReadTaps:
    """The accepted taps of each rider, and why some were set aside when they were last read."""

    of: dict[Rider, list[Tap]]
    aside: dict[TapKey, str]


async def taps_since(
    conn: asyncpg.Connection, riders: Sequence[tuple[Rider, datetime]], first_day: date
) -> ReadTaps:
    """All accepted taps of (rider, since) from that instant on; none is before ``first_day``."""
    who = _columns([rider for rider, _ in riders])
    rows = await conn.fetch(_TAPS, *who, [since for _, since in riders], first_day)
    taps: dict[Rider, list[Tap]] = {}
    aside: dict[TapKey, str] = {}
    for r in rows:
        key = TapKey(r["tapped_day"], r["reader"], r["sequence"])
        tap = Tap(
            key,
            RiderRef(r["issuer"], r["rider_id"], r["slot"]),
            r["operator"],
            r["network"],
            r["stop"],
            Direction(r["direction"]),
            r["at"],
            r["route"],
            r["stage_fare_minor"],
            r["vehicle"],
            r["received_at"],
        )
        taps.setdefault((r["issuer"], r["rider_id"]), []).append(tap)
        if r["aside"] is not None:
            aside[key] = r["aside"]
    return ReadTaps(taps, aside)


_REFUSALS = """
select t.tapped_day, t.reader, t.sequence, coalesce(t.reason, 'refused') as reason
from unnest($1::date[], $2::text[], $3::bigint[]) as k(tapped_day, reader, sequence)
join tap t using (tapped_day, reader, sequence)
where t.decision <> 'accepted'
"""


async def refusals(conn: asyncpg.Connection, keys: Sequence[TapKey]) -> dict[TapKey, str]:
    """Why these taps are refused; those that are accepted are absent."""
    rows = await conn.fetch(_REFUSALS, *key_columns(keys))
    return {TapKey(r["tapped_day"], r["reader"], r["sequence"]): r["reason"] for r in rows}


_COMPLETE_THROUGH = """
select r.network, case when bool_and(s.through_at is not null) then min(s.through_at) end
    as through_at
from reader r
left join reader_status s on s.reader = r.id
where r.decommissioned_at is null
group by r.network
"""


async def complete_through(conn: asyncpg.Connection) -> dict[str, datetime | None]:
    """The instant up to which every reader of a network has reported all its scans.

    None where a reader never reported; a network without readers is absent.
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
