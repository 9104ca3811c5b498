"""Statements of a group of scans: taps, clone alarms, quarantine, the clearing's inbox.

Each statement takes a whole group as arrays, rows sorted by key, so that two groups lock in one
order. Nothing is decided here: who calls these, and in which order, is the gateway's tap log.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import asyncpg

from transitpay.taps import Direction, RiderRef, TapKey

SHARDS = 64


def shard_of(issuer: str, rider_id: str) -> int:
    """The inbox shard of a rider, 0 to 63; the same for ever and in every process."""
    return zlib.crc32(f"{issuer}:{rider_id}".encode()) % SHARDS


@dataclass(frozen=True, slots=True)
class TapRow:
    """A scan as it is stored. ``decision`` is accepted, refused or already_answered.

    ``rider`` is None where the code did not prove one; ``code`` is the text received, as bytes;
    ``mode`` is set where the gates stood open, and written by ``mark_modes``.
    """

    key: TapKey
    at: datetime
    received_at: datetime
    uncertainty_s: int
    operator: str
    network: str
    stop: str
    direction: Direction
    route: str | None
    vehicle: str | None
    stage_fare_minor: int | None
    tier: str
    reader_opened: bool | None
    request_digest: bytes
    code: bytes = field(repr=False)
    rider: RiderRef | None
    decision: str
    reason: str | None
    flags: tuple[str, ...]
    mode: str | None = None


_INSERT = """
insert into tap (tapped_day, reader, sequence, at, received_at, uncertainty_s, operator, network,
    stop, direction, route, vehicle, stage_fare_minor, tier, reader_opened, request_digest, code,
    issuer, rider_id, slot, decision, reason, flags)
select tapped_day, reader, sequence, at, received_at, uncertainty_s, operator, network,
    stop, direction, route, vehicle, stage_fare_minor, tier, reader_opened, request_digest, code,
    issuer, rider_id, slot, decision, reason, string_to_array(flags, ',')
from unnest($1::date[], $2::text[], $3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::int[],
    $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[],
    $14::text[], $15::boolean[], $16::bytea[], $17::bytea[], $18::text[], $19::text[],
    $20::smallint[], $21::text[], $22::text[], $23::text[])
    as g (tapped_day, reader, sequence, at, received_at, uncertainty_s, operator, network,
    stop, direction, route, vehicle, stage_fare_minor, tier, reader_opened, request_digest, code,
    issuer, rider_id, slot, decision, reason, flags)
on conflict do nothing
returning tapped_day, reader, sequence
"""


async def insert_taps(conn: asyncpg.Connection, rows: Sequence[TapRow]) -> set[TapKey]:
    """Store those of ``rows`` (sorted, keys distinct) that are not there; returns their keys."""
    found = await conn.fetch(
        _INSERT,
        [r.key.day for r in rows],
        [r.key.reader for r in rows],
        [r.key.sequence for r in rows],
        [r.at for r in rows],
        [r.received_at for r in rows],
        [r.uncertainty_s for r in rows],
        [r.operator for r in rows],
        [r.network for r in rows],
        [r.stop for r in rows],
        [r.direction for r in rows],
        [r.route for r in rows],
        [r.vehicle for r in rows],
        [r.stage_fare_minor for r in rows],
        [r.tier for r in rows],
        [r.reader_opened for r in rows],
        [r.request_digest for r in rows],
        [r.code for r in rows],
        [r.rider.issuer if r.rider else None for r in rows],
        [r.rider.rider_id if r.rider else None for r in rows],
        [r.rider.slot if r.rider else None for r in rows],
        [r.decision for r in rows],
        [r.reason for r in rows],
        [",".join(r.flags) for r in rows],
    )
    return {TapKey(day, reader, sequence) for day, reader, sequence in found}


_MARK_MODES = """
update tap t
set mode = g.mode
from unnest($1::date[], $2::text[], $3::bigint[], $4::text[])
    as g (tapped_day, reader, sequence, mode)
where t.tapped_day = g.tapped_day and t.reader = g.reader and t.sequence = g.sequence
"""


async def mark_modes(conn: asyncpg.Connection, rows: Sequence[TapRow]) -> None:
    """Note at which of these new scans (sorted) gates stood open; mostly there is none."""
    marked = [row for row in rows if row.mode is not None]
    if marked:
        keys = key_columns([row.key for row in marked])
        await conn.execute(_MARK_MODES, *keys, [row.mode for row in marked])


@dataclass(frozen=True, slots=True)
class StoredTap:
    """What is known of a scan that came before."""

    request_digest: bytes
    tier: str
    reader_opened: bool | None
    rider: RiderRef | None
    decision: str
    reason: str | None
    flags: tuple[str, ...]


_STORED = """
select t.tapped_day, t.reader, t.sequence, t.request_digest, t.tier, t.reader_opened, t.issuer,
       t.rider_id, t.slot, t.decision, t.reason, t.flags
from unnest($1::date[], $2::text[], $3::bigint[]) as k (tapped_day, reader, sequence)
join tap t using (tapped_day, reader, sequence)
"""


async def stored_taps(conn: asyncpg.Connection, keys: Sequence[TapKey]) -> dict[TapKey, StoredTap]:
    """The stored scans of these keys."""
    rows = await conn.fetch(_STORED, *key_columns(keys))
    return {
        TapKey(row["tapped_day"], row["reader"], row["sequence"]): StoredTap(
            row["request_digest"],
            row["tier"],
            row["reader_opened"],
            RiderRef(row["issuer"], row["rider_id"], row["slot"]) if row["issuer"] else None,
            row["decision"],
            row["reason"],
            tuple(row["flags"]),
        )
        for row in rows
    }


def key_columns(keys: Sequence[TapKey]) -> tuple[list[date], list[str], list[int]]:
    """Three arrays for a statement: days, readers, sequences."""
    return [k.day for k in keys], [k.reader for k in keys], [k.sequence for k in keys]


@dataclass(frozen=True, slots=True)
class FinalOutcome:
    """What becomes of a stored scan after all; ``reader_opened`` None leaves it as it is."""

    key: TapKey
    decision: str
    reason: str | None
    flags: tuple[str, ...]
    reader_opened: bool | None = None


_SETTLE = """
update tap t
set decision = g.decision, reason = g.reason, flags = string_to_array(g.flags, ','),
    reader_opened = coalesce(g.reader_opened, t.reader_opened)
from unnest($1::date[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[],
    $7::boolean[]) as g (tapped_day, reader, sequence, decision, reason, flags, reader_opened)
where t.tapped_day = g.tapped_day and t.reader = g.reader and t.sequence = g.sequence
"""


async def settle_outcomes(conn: asyncpg.Connection, outcomes: Sequence[FinalOutcome]) -> None:
    """Write the outcomes that differ from what was inserted."""
    await conn.execute(
        _SETTLE,
        *key_columns([o.key for o in outcomes]),
        [o.decision for o in outcomes],
        [o.reason for o in outcomes],
        [",".join(o.flags) for o in outcomes],
        [o.reader_opened for o in outcomes],
    )


_ALARM = """
insert into clone_alarm (tapped_day, reader, sequence, request_digest, received_at)
select tapped_day, reader, sequence, request_digest, $5
from unnest($1::date[], $2::text[], $3::bigint[], $4::bytea[])
    as g (tapped_day, reader, sequence, request_digest)
on conflict do nothing
"""


async def raise_clone_alarms(
    conn: asyncpg.Connection, alarms: Sequence[tuple[TapKey, bytes]], at: datetime
) -> None:
    """Note readers that sent another request under a used sequence: (key, its digest)."""
    ordered = sorted(alarms)
    keys = key_columns([key for key, _ in ordered])
    await conn.execute(_ALARM, *keys, [digest for _, digest in ordered], at)


# -- inbox, quarantine, partitions -------------------------------------------------------------

_NOTE_RIDERS = """
insert into tap_inbox (shard, issuer, rider_id, due_at)
select shard, issuer, rider_id, $4
from unnest($1::smallint[], $2::text[], $3::text[]) as g (shard, issuer, rider_id)
"""


async def note_riders(
    conn: asyncpg.Connection, riders: Iterable[tuple[str, str]], due_at: datetime
) -> None:
    """Ask the clearing to read these riders (issuer, rider id) from ``due_at`` on."""
    them = sorted(set(riders))
    await conn.execute(
        _NOTE_RIDERS,
        [shard_of(issuer, rider_id) for issuer, rider_id in them],
        [issuer for issuer, _ in them],
        [rider_id for _, rider_id in them],
        due_at,
    )


_QUARANTINE = """
insert into tap_quarantine (tapped_day, reader, sequence, received_at, reason, request)
select tapped_day, reader, sequence, $4, reason, request::jsonb
from unnest($1::date[], $2::text[], $3::bigint[], $5::text[], $6::text[])
    as g (tapped_day, reader, sequence, reason, request)
on conflict do nothing
"""


async def quarantine(
    conn: asyncpg.Connection,
    rows: Sequence[tuple[TapKey, str, Mapping[str, object]]],
    at: datetime,
) -> None:
    """Keep scans that no partition takes: (key, reason, the request)."""
    ordered = sorted(rows, key=lambda row: row[0])
    await conn.execute(
        _QUARANTINE,
        *key_columns([key for key, _, _ in ordered]),
        at,
        [reason for _, reason, _ in ordered],
        [json.dumps(request) for _, _, request in ordered],
    )


_ENSURE = """
select ensure_partitions($1, $2)
"""


async def ensure_partitions(conn: asyncpg.Connection, first: date, last: date) -> int:
    """Make the partitions of these days, both included; returns how many were missing."""
    return int(await conn.fetchval(_ENSURE, first, last))
