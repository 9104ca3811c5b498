"""Taps as they are stored, and what is rarely written beside a group of them.

Each statement takes arrays, rows sorted by key, so that two groups lock in one order. Nothing is
decided here: who calls these, and in which order, is the gateway's tap log.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

import asyncpg

from transitpay.taps import Direction, RiderRef, TapKey

SHARDS = 64


def shard_of(issuer: str, rider_id: str) -> int:
    """The inbox shard of a rider, 0 to 63; the same for ever and in every process."""
    return zlib.crc32(f"{issuer}:{rider_id}".encode()) % SHARDS


class TapRow(NamedTuple):
    """A scan as it is stored. ``decision`` is accepted, refused or already_answered.

    ``rider`` is None where the code did not prove one; ``code`` is the text received, as bytes;
    ``mode`` is set where the gates stood open.
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
    code: bytes
    rider: RiderRef | None
    decision: str
    reason: str | None
    flags: tuple[str, ...]
    mode: str | None = None


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


def key_columns(keys: Sequence[TapKey]) -> tuple[list[date], list[str], list[int]]:
    """Three arrays for a statement: days, readers, sequences."""
    return [k.day for k in keys], [k.reader for k in keys], [k.sequence for k in keys]


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
insert into tap_inbox (shard, issuer, rider_id, due_at, since)
select shard, issuer, rider_id, $4, $5
from unnest($1::smallint[], $2::text[], $3::text[]) as g (shard, issuer, rider_id)
"""


async def note_riders(
    conn: asyncpg.Connection,
    riders: Iterable[tuple[str, str]],
    due_at: datetime,
    since: datetime | None = None,
) -> None:
    """Ask the clearing to read these riders (issuer, rider id), once ``due_at`` has come.

    ``since`` is the earliest instant that is concerned: that of a tap, or from which a mode or a
    tariff holds. None is not known, and makes the clearing read weeks.
    """
    them = sorted(set(riders))
    await conn.execute(
        _NOTE_RIDERS,
        [shard_of(issuer, rider_id) for issuer, rider_id in them],
        [issuer for issuer, _ in them],
        [rider_id for _, rider_id in them],
        due_at,
        since,
    )


_QUARANTINE = """
insert into tap_quarantine (tapped_day, reader, sequence, received_at, reason, request,
    request_digest)
select tapped_day, reader, sequence, $4, reason, request::jsonb, request_digest
from unnest($1::date[], $2::text[], $3::bigint[], $5::text[], $6::text[], $7::bytea[])
    as g (tapped_day, reader, sequence, reason, request, request_digest)
on conflict do nothing
"""


async def quarantine(
    conn: asyncpg.Connection,
    rows: Mapping[tuple[TapKey, bytes], tuple[str, Mapping[str, object]]],
    at: datetime,
) -> None:
    """Keep scans that no partition takes: (key, digest of the request) -> (reason, the request)."""
    ordered = sorted(rows)
    await conn.execute(
        _QUARANTINE,
        *key_columns([key for key, _ in ordered]),
        at,
        [rows[it][0] for it in ordered],
        [json.dumps(rows[it][1]) for it in ordered],
        [digest for _, digest in ordered],
    )


_ENSURE = """
select ensure_partitions($1, $2)
"""


async def ensure_partitions(conn: asyncpg.Connection, first: date, last: date) -> int:
    """Make the partitions of these days, both included; returns how many were missing."""
    return int(await conn.fetchval(_ENSURE, first, last))
