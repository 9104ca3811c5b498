"""Statements that store the scans of an upload, and all that follows from them.

New scans are written without a look, rows in the order of their keys. The writing refuses itself
where a tap or a use of a code is there already: then what is known is read and decided upon again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import asyncpg

from transitpay.postgres.gates.known_scans import SpentCode
from transitpay.postgres.gates.taps import TapRow, key_columns, shard_of
from transitpay.ride_code.records.record import Passage, ScanRecord
from transitpay.ride_code.records.rejudgement import Rejudged
from transitpay.ride_code.verdict import ReplayKey
from transitpay.taps import RiderRef, TapKey


class Recorded(NamedTuple):
    """What the reader did with a scan, and our word on it. ``record_hash`` is its place in the
    chain, None for a reader without a key; ``own_word`` a reason of the reader's own making."""

    key: TapKey
    record: ScanRecord
    record_hash: bytes | None
    own_word: str | None
    word: Rejudged
    passage: Passage | None = None


class NewUpload(NamedTuple):
    """A scan as it is stored: the request of ``row``, with the decision of ``recorded.word``.

    ``code`` is spent; one that ``moves`` puts its rider's slot where it was read.
    """

    row: TapRow
    recorded: Recorded
    reason: str | None
    rider: RiderRef | None
    code: ReplayKey | None
    content: bytes
    moves: bool


@dataclass(frozen=True, slots=True)
class TapChange:
    """What becomes of a tap whose record has come; ``opened`` None leaves it as it is."""

    key: TapKey
    decision: str
    reason: str | None
    flags: tuple[str, ...]
    opened: bool | None


@dataclass(frozen=True, slots=True)
class Displaced:
    """A tap whose code belongs to an earlier scan, or whose outcome has come."""

    key: TapKey
    word: Rejudged
    passage: Passage | None = None


_TAP = (
    *("tapped_day", "reader", "sequence", "at", "uncertainty_s", "operator", "network", "stop"),
    *("direction", "route", "vehicle", "stage_fare_minor", "reader_opened", "request_digest"),
    *("code", "issuer", "rider_id", "slot", "decision", "reason", "flags", "mode"),
    *("received_at", "tier"),
)
_RECORD = (
    *("tapped_day", "reader", "sequence", "at", "received_at", "position", "record_hash"),
    *("decided_by", "decision", "reason", "flags", "mode", "trust_version", "deny_version"),
    *("config_version", "variant", "trip", "stop_index", "outcome", "difference", "liable"),
)

_FOLLOW = """
with g as materialized (
    select * from unnest($1::date[], $2::bigint[], $3::timestamptz[], $4::bigint[], $5::bytea[],
        $6::bigint[], $7::int[], $8::bytea[], $9::smallint[], $10::text[], $11::text[],
        $12::smallint[], $13::text[], $14::text[])
    as g (tapped_day, sequence, at, not_before, device_key, serial, counter, content, shard,
        issuer, rider_id, slot, stop, direction)
), spent as (
    insert into code_use (not_before, device_key, serial, counter, content, tapped_day, reader,
        sequence, at, answered)
    select to_timestamp(not_before), device_key, serial, counter, content, tapped_day, $15,
        sequence, at, false
    from g where device_key is not null order by not_before, device_key, serial, counter
), moved as (
    insert into presence as p (issuer, rider_id, slot, network, at, stop, direction, reader,
        destination, online)
    select distinct on (issuer, rider_id, slot) issuer, rider_id, slot, $16, at, stop,
        direction, $15, $18, false
    from g where shard is not null order by issuer, rider_id, slot, at desc
    on conflict (issuer, rider_id, slot, network) do update
    set at = excluded.at, stop = excluded.stop, direction = excluded.direction,
        reader = excluded.reader, destination = excluded.destination, online = false,
        since = p.at
    where p.at < excluded.at
)
insert into tap_inbox (shard, issuer, rider_id, due_at, since)
select shard, issuer, rider_id, $17::timestamptz, min(at)
from g where shard is not null group by shard, issuer, rider_id
"""

_NOBODY = (None, None, None)
_NO_CODE = (None, None, None, None, None)


async def write_new(
    conn: asyncpg.Connection,
    uploads: Sequence[NewUpload],
    destination: int,
    received_at: datetime,
) -> None:
    """Store scans of one reader (sorted, keys distinct) with all that follows from them.

    ``destination`` is the region of the reader. Taps and records are copied, which costs half of
    what arrays cost; the rest is one statement.

    Raises: asyncpg's UniqueViolationError where a tap or a use of a code is there already; its
    other data errors where a row cannot be stored.
    """
    taps = [(*_tap_columns(it), received_at, "batch") for it in uploads]
    await conn.copy_records_to_table("tap", records=taps, columns=_TAP)
    records = [
        (*it.row.key, it.row.at, received_at, *_record_columns(it.recorded)) for it in uploads
    ]
    await conn.copy_records_to_table("tap_record", records=records, columns=_RECORD)
    followed = [_follow_columns(it) for it in uploads if it.code is not None or it.moves]
    if followed:
        row = uploads[0].row
        columns = zip(*followed, strict=True)
        await conn.execute(_FOLLOW, *columns, row.key.reader, row.network, received_at, destination)


def _tap_columns(it: NewUpload) -> tuple[object, ...]:
    row, rider, word = it.row, it.rider, it.recorded.word
    return (
        *row.key, row.at, row.uncertainty_s, row.operator, row.network, row.stop, row.direction,
        row.route, row.vehicle, row.stage_fare_minor, row.reader_opened, row.request_digest,
        row.code, *((rider.issuer, rider.rider_id, rider.slot) if rider else _NOBODY),
        word.decision, it.reason, word.flags, row.mode,
    )  # fmt: skip


def _follow_columns(it: NewUpload) -> tuple[object, ...]:
    row, rider, code = it.row, it.rider, it.code
    moved = rider if it.moves else None
    return (
        row.key.day, row.key.sequence, row.at,
        *((code.not_before, code.device_key, code.serial, code.counter, it.content)
          if code else _NO_CODE),
        shard_of(moved.issuer, moved.rider_id) if moved else None,
        *((moved.issuer, moved.rider_id, moved.slot) if moved else _NOBODY),
        row.stop, row.direction,
    )  # fmt: skip


def _record_columns(it: Recorded) -> tuple[object, ...]:
    record, place, versions, word = it.record, it.record.place, it.record.versions, it.word
    return (
        record.position if it.record_hash else None, it.record_hash, record.decided_by,
        record.decision, record.reason or it.own_word, record.flags, record.mode,
        versions.trust, versions.deny, versions.config, place.variant, place.trip,
        place.stop_index, it.passage, word.difference, word.liable,
    )  # fmt: skip


_ADD_RECORDS = """
insert into tap_record (tapped_day, reader, sequence, at, position, record_hash, decided_by,
    decision, reason, flags, mode, trust_version, deny_version, config_version, variant, trip,
    stop_index, outcome, difference, liable, received_at)
select tapped_day, reader, sequence, at, position, record_hash, decided_by, did, why,
    string_to_array(did_flags, ','), did_mode, trust_version, deny_version, config_version,
    variant, trip, stop_index, outcome, difference, liable, $21
from unnest($1::date[], $2::text[], $3::bigint[], $4::timestamptz[], $5::bigint[], $6::bytea[],
    $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[],
    $14::bigint[], $15::text[], $16::text[], $17::smallint[], $18::text[], $19::text[],
    $20::text[])
    as g (tapped_day, reader, sequence, at, position, record_hash, decided_by, did, why, did_flags,
    did_mode, trust_version, deny_version, config_version, variant, trip, stop_index, outcome,
    difference, liable)
on conflict do nothing
"""


async def add_records(
    conn: asyncpg.Connection, records: Sequence[Recorded], received_at: datetime
) -> None:
    """Store what the reader did with scans that are here already, because it had asked."""
    rows = [(*it.key, it.record.at, *_record_columns(it)) for it in records]
    columns = list(zip(*rows, strict=True))
    columns[9] = tuple(",".join(it.record.flags) for it in records)
    await conn.execute(_ADD_RECORDS, *columns, received_at)


_CHANGE = """
update tap t
set decision = g.decision, reason = g.reason, flags = string_to_array(g.flags, ','),
    reader_opened = coalesce(g.opened, t.reader_opened)
from unnest($1::date[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[],
    $7::boolean[]) as g (tapped_day, reader, sequence, decision, reason, flags, opened)
where t.tapped_day = g.tapped_day and t.reader = g.reader and t.sequence = g.sequence
"""


async def change_taps(conn: asyncpg.Connection, changes: Sequence[TapChange]) -> None:
    """Write what becomes of taps that are here."""
    ordered = sorted(changes, key=lambda change: change.key)
    await conn.execute(
        _CHANGE,
        *key_columns([c.key for c in ordered]),
        [c.decision for c in ordered],
        [c.reason for c in ordered],
        [",".join(c.flags) for c in ordered],
        [c.opened for c in ordered],
    )


_CHANGE_RECORDS = """
update tap_record r
set outcome = coalesce(r.outcome, g.outcome), difference = g.difference, liable = g.liable
from unnest($1::date[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[])
    as g (tapped_day, reader, sequence, outcome, difference, liable)
where r.tapped_day = g.tapped_day and r.reader = g.reader and r.sequence = g.sequence
"""


async def displace(conn: asyncpg.Connection, displaced: Sequence[Displaced]) -> None:
    """Write what becomes of taps after all, and of their records."""
    ordered = sorted(displaced, key=lambda it: it.key)
    changes = [
        TapChange(d.key, d.word.decision, d.word.reason, d.word.flags, None) for d in ordered
    ]
    await change_taps(conn, changes)
    await conn.execute(
        _CHANGE_RECORDS,
        *key_columns([d.key for d in ordered]),
        [d.passage for d in ordered],
        [d.word.difference for d in ordered],
        [d.word.liable for d in ordered],
    )


_TAKE_BACK = """
update presence p
set direction = 'exit', online = false
from unnest($1::date[], $2::text[], $3::bigint[]) as g (tapped_day, reader, sequence)
join tap t on t.tapped_day = g.tapped_day and t.reader = g.reader and t.sequence = g.sequence
where p.issuer = t.issuer and p.rider_id = t.rider_id and p.slot = t.slot
  and p.network = t.network and p.at = t.at and p.reader = t.reader
"""


async def take_entries_back(conn: asyncpg.Connection, keys: Sequence[TapKey]) -> None:
    """Whoever was seen last by one of these taps did not enter: he may enter with a fresh code.

    The instant stays, by which scans on their way are decided.
    """
    await conn.execute(_TAKE_BACK, *key_columns(sorted(keys)))


_TAKE_TURNS = """
select pg_advisory_xact_lock(7366001)
"""

_MOVE_CODES = """
insert into code_use (not_before, device_key, serial, counter, content, tapped_day, reader,
    sequence, at, answered)
select to_timestamp(not_before), device_key, serial, counter, content, tapped_day, reader,
    sequence, at, false
from unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::int[], $5::bytea[], $6::date[],
    $7::text[], $8::bigint[], $9::timestamptz[])
    as g (not_before, device_key, serial, counter, content, tapped_day, reader, sequence, at)
order by not_before, device_key, serial, counter
on conflict (not_before, device_key, serial, counter) do update
set content = excluded.content, tapped_day = excluded.tapped_day, reader = excluded.reader,
    sequence = excluded.sequence, at = excluded.at, answered = false
"""


async def take_turns(conn: asyncpg.Connection) -> None:
    """Only one transaction at a time gives codes to other scans."""
    await conn.execute(_TAKE_TURNS)


async def move_codes(conn: asyncpg.Connection, moved: Mapping[ReplayKey, SpentCode]) -> None:
    """Give codes to other scans than had them."""
    codes = list(moved)
    await conn.execute(
        _MOVE_CODES,
        [c.not_before for c in codes],
        [c.device_key for c in codes],
        [c.serial for c in codes],
        [c.counter for c in codes],
        [moved[c].content for c in codes],
        *key_columns([moved[c].tap for c in codes]),
        [moved[c].at for c in codes],
    )


def as_json(told: Mapping[str, object]) -> str:
    """A detail as it goes into an array of a statement."""
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))
