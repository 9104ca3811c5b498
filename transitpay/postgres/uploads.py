"""Statements that store the scans of an upload, and all that follows from them.

New scans are written in one statement, rows in the order of their keys. It refuses itself where
a tap or a use of a code is there already: then what is known is read and decided upon again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from transitpay.postgres.known_scans import SpentCode
from transitpay.postgres.taps import TapRow, key_columns, shard_of
from transitpay.ride_code.record import Passage
from transitpay.ride_code.rejudgement import Difference, Liable, Rejudged
from transitpay.ride_code.verdict import ReplayKey
from transitpay.taps import TapKey


@dataclass(frozen=True, slots=True)
class RecordRow:
    """What the reader did with a scan; position and hash are None for a reader without a key."""

    key: TapKey
    position: int | None
    record_hash: bytes | None
    at: datetime
    decided_by: str
    decision: str
    reason: str | None
    flags: tuple[str, ...]
    mode: str
    versions: tuple[int, int, int]
    variant: str | None
    trip: str | None
    stop_index: int | None
    passage: Passage | None = None
    difference: Difference | None = None
    liable: Liable | None = None


@dataclass(frozen=True, slots=True)
class NewUpload:
    """A tap with its final decision and its record; ``code`` is spent, ``moves`` presence."""

    row: TapRow
    record: RecordRow
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


_WRITE = """
with g as materialized (
    select * from unnest($1::date[], $2::text[], $3::bigint[], $4::timestamptz[], $5::int[],
        $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[],
        $13::boolean[], $14::bytea[], $15::bytea[], $16::text[], $17::text[], $18::smallint[],
        $19::text[], $20::text[], $21::text[], $22::text[], $23::bytea[], $24::bigint[],
        $25::bigint[], $26::int[], $27::bytea[], $28::smallint[], $29::boolean[], $30::bigint[],
        $31::bytea[], $32::text[], $33::text[], $34::text[], $35::text[], $36::text[],
        $37::bigint[], $38::bigint[], $39::bigint[], $40::text[], $41::text[], $42::smallint[],
        $43::text[], $44::text[], $45::text[])
    as g (tapped_day, reader, sequence, at, uncertainty_s, operator, network, stop, direction,
        route, vehicle, stage_fare_minor, reader_opened, request_digest, code, issuer,
        rider_id, slot, decision, reason, flags, mode, device_key, not_before, serial, counter,
        content, shard, moves, position, record_hash, decided_by, did, why, did_flags, did_mode,
        trust_version, deny_version, config_version, variant, trip, stop_index, outcome,
        difference, liable)
), stored as (
    insert into tap (tapped_day, reader, sequence, at, received_at, uncertainty_s, operator,
        network, stop, direction, route, vehicle, stage_fare_minor, tier, reader_opened,
        request_digest, code, issuer, rider_id, slot, decision, reason, flags, mode)
    select tapped_day, reader, sequence, at, $46, uncertainty_s, operator,
        network, stop, direction, route, vehicle, stage_fare_minor, 'batch', reader_opened,
        request_digest, code, issuer, rider_id, slot, decision, reason,
        string_to_array(flags, ','), mode
    from g
), recorded as (
    insert into tap_record (tapped_day, reader, sequence, position, record_hash, at, received_at,
        decided_by, decision, reason, flags, mode, trust_version, deny_version, config_version,
        variant, trip, stop_index, outcome, difference, liable)
    select tapped_day, reader, sequence, position, record_hash, at, $46, decided_by, did, why,
        string_to_array(did_flags, ','), did_mode, trust_version, deny_version, config_version,
        variant, trip, stop_index, outcome, difference, liable
    from g
), spent as (
    insert into code_use (not_before, device_key, serial, counter, content, tapped_day, reader,
        sequence, at)
    select to_timestamp(not_before), device_key, serial, counter, content, tapped_day, reader,
        sequence, at
    from g where device_key is not null order by not_before, device_key, serial, counter
), moved as (
    insert into presence as p (issuer, rider_id, slot, network, at, stop, direction, reader,
        destination, online)
    select distinct on (g.issuer, g.rider_id, g.slot, g.network)
        g.issuer, g.rider_id, g.slot, g.network, g.at, g.stop, g.direction, g.reader,
        r.destination, false
    from g join reader r on r.id = g.reader
    where moves order by g.issuer, g.rider_id, g.slot, g.network, g.at desc
    on conflict (issuer, rider_id, slot, network) do update
    set at = excluded.at, stop = excluded.stop, direction = excluded.direction,
        reader = excluded.reader, destination = excluded.destination, online = excluded.online,
        since = p.at
    where p.at < excluded.at
)
insert into tap_inbox (shard, issuer, rider_id, due_at)
select distinct shard, issuer, rider_id, $46 from g where shard is not null
"""

_NOBODY = (None, None, None)
_NO_CODE = (None, None, None, None)


async def write_new(
    conn: asyncpg.Connection, uploads: Sequence[NewUpload], received_at: datetime
) -> None:
    """Store scans (sorted, keys distinct) with all that follows from them, or nothing.

    Raises: asyncpg's UniqueViolationError where a tap or a use of a code is there already; its
    other data errors where a row cannot be stored.
    """
    await conn.execute(_WRITE, *zip(*map(_upload_row, uploads), strict=True), received_at)


def _upload_row(it: NewUpload) -> tuple[object, ...]:
    row, did, code = it.row, it.record, it.code
    key, rider = row.key, row.rider
    return (
        key.day, key.reader, key.sequence, row.at, row.uncertainty_s, row.operator, row.network,
        row.stop, row.direction, row.route, row.vehicle, row.stage_fare_minor,
        row.reader_opened, row.request_digest, row.code,
        *((rider.issuer, rider.rider_id, rider.slot) if rider else _NOBODY),
        row.decision, row.reason, ",".join(row.flags), row.mode,
        *((code.device_key, code.not_before, code.serial, code.counter) if code else _NO_CODE),
        it.content if code else None,
        shard_of(rider.issuer, rider.rider_id) if rider and it.moves else None, it.moves,
        did.position, did.record_hash, did.decided_by, did.decision, did.reason,
        ",".join(did.flags), did.mode, *did.versions, did.variant, did.trip, did.stop_index,
        did.passage, did.difference, did.liable,
    )  # fmt: skip


_ADD_RECORDS = """
insert into tap_record (tapped_day, reader, sequence, position, record_hash, at, received_at,
    decided_by, decision, reason, flags, mode, trust_version, deny_version, config_version,
    variant, trip, stop_index, outcome, difference, liable)
select tapped_day, reader, sequence, position, record_hash, at, $20, decided_by, did, why,
    string_to_array(did_flags, ','), did_mode, trust_version, deny_version, config_version,
    variant, trip, stop_index, outcome, difference, liable
from unnest($1::date[], $2::text[], $3::bigint[], $4::bigint[], $5::bytea[], $6::timestamptz[],
    $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[],
    $14::bigint[], $15::text[], $16::text[], $17::smallint[], $18::text[], $19::text[],
    $21::text[])
    as g (tapped_day, reader, sequence, position, record_hash, at, decided_by, did, why, did_flags,
    did_mode, trust_version, deny_version, config_version, variant, trip, stop_index, outcome,
    difference, liable)
on conflict do nothing
"""


async def add_records(
    conn: asyncpg.Connection, records: Sequence[RecordRow], received_at: datetime
) -> None:
    """Store what the reader did with scans that are here already, because it had asked."""
    rows = [
        (
            *(r.key.day, r.key.reader, r.key.sequence), r.position, r.record_hash, r.at,
            r.decided_by, r.decision, r.reason, ",".join(r.flags), r.mode, *r.versions, r.variant,
            r.trip, r.stop_index, r.passage, r.difference, r.liable,
        )
        for r in records
    ]  # fmt: skip
    columns = list(zip(*rows, strict=True))
    await conn.execute(_ADD_RECORDS, *columns[:19], received_at, columns[19])


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


_TAKE_TURNS = """
select pg_advisory_xact_lock(7366001)
"""

_MOVE_CODES = """
insert into code_use (not_before, device_key, serial, counter, content, tapped_day, reader,
    sequence, at)
select to_timestamp(not_before), device_key, serial, counter, content, tapped_day, reader,
    sequence, at
from unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::int[], $5::bytea[], $6::date[],
    $7::text[], $8::bigint[], $9::timestamptz[])
    as g (not_before, device_key, serial, counter, content, tapped_day, reader, sequence, at)
order by not_before, device_key, serial, counter
on conflict (not_before, device_key, serial, counter) do update
set content = excluded.content, tapped_day = excluded.tapped_day, reader = excluded.reader,
    sequence = excluded.sequence, at = excluded.at
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
