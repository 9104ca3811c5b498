"""Statements that tell what is known of the scans of an upload: taps, uses of codes, outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

import asyncpg

from transitpay.postgres.gates.taps import key_columns
from transitpay.ride_code.reasons import Reason
from transitpay.ride_code.records.record import Decision, Passage
from transitpay.ride_code.records.rejudgement import Difference, Liable, Rejudged
from transitpay.ride_code.verdict import ReplayKey
from transitpay.taps import TapKey

_REASONS = frozenset(Reason)


@dataclass(frozen=True, slots=True)
class KnownTap:
    """A scan that is here; ``opened`` is what the reader did, None = it has not told."""

    request_digest: bytes
    word: Rejudged
    opened: bool | None
    has_record: bool
    rider: tuple[str, str] | None


class SpentCode(NamedTuple):
    """The scan that has a code. ``yields``: to an earlier scan, no gate was opened by our answer;
    ``normal``: it was not read at open gates; ``ignored``: the gate opened against our answer."""

    tap: TapKey
    at: datetime
    content: bytes
    yields: bool = False
    normal: bool = True
    rider: tuple[str, str] | None = None
    ignored: bool = False


@dataclass(slots=True)
class KnownScans:
    """What the database holds of the scans of an upload. ``apart``: (key, digest of the request)
    of a scan that was set apart -> why."""

    taps: dict[TapKey, KnownTap] = field(default_factory=dict)
    uses: dict[ReplayKey, SpentCode] = field(default_factory=dict)
    passages: dict[int, Passage] = field(default_factory=dict)
    apart: dict[tuple[TapKey, bytes], str] = field(default_factory=dict)


_READ_TAPS = """
select t.tapped_day, t.reader, t.sequence, t.request_digest, t.issuer, t.rider_id, t.decision,
    t.reason, t.flags, t.reader_opened, r.sequence is not null, r.difference, r.liable
from unnest($1::date[], $2::text[], $3::bigint[]) as g (tapped_day, reader, sequence)
cross join lateral (
    select * from tap t
    where t.tapped_day = g.tapped_day and t.reader = g.reader and t.sequence = g.sequence
    limit 1
) t
left join lateral (
    select * from tap_record r
    where r.tapped_day = g.tapped_day and r.reader = g.reader and r.sequence = g.sequence
    limit 1
) r on true
"""


async def read_taps(conn: asyncpg.Connection, keys: Sequence[TapKey]) -> dict[TapKey, KnownTap]:
    """The scans of these keys that are here."""
    rows = await conn.fetch(_READ_TAPS, *key_columns(keys))
    return {TapKey(*row[:3]): _known_tap(row) for row in rows}


def _known_tap(row: asyncpg.Record) -> KnownTap:
    difference = None if row[11] is None else Difference(row[11])
    liable = None if row[12] is None else Liable(row[12])
    flags = tuple(Reason(flag) for flag in row[8] if flag in _REASONS)
    word = Rejudged(Decision(row[6]), row[7], flags, difference, liable)
    rider = None if row[4] is None else (row[4], row[5])
    return KnownTap(row[3], word, row[9], row[10], rider)


_READ_APART = """
select q.tapped_day, q.reader, q.sequence, q.request_digest, q.reason
from unnest($1::date[], $2::text[], $3::bigint[]) as g (tapped_day, reader, sequence)
join tap_quarantine q using (tapped_day, reader, sequence)
where q.reason <> 'sequence_conflict'
"""


async def read_apart(
    conn: asyncpg.Connection, keys: Sequence[TapKey]
) -> dict[tuple[TapKey, bytes], str]:
    """(key, digest of the request) of the scans that were set apart for themselves -> why."""
    rows = await conn.fetch(_READ_APART, *key_columns(keys))
    return {(TapKey(*row[:3]), row[3]): row[4] for row in rows}


_READ_USES = """
select u.device_key, extract(epoch from u.not_before)::bigint, u.serial, u.counter, u.tapped_day,
    u.reader, u.sequence, u.at, u.content, not u.answered,
    coalesce(r.mode, 'normal') = 'normal', t.issuer, t.rider_id, r.difference
from unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::int[])
    as g (device_key, not_before, serial, counter)
cross join lateral (
    select * from code_use u
    where u.not_before = to_timestamp(g.not_before) and u.device_key = g.device_key
      and u.serial = g.serial and u.counter = g.counter
    limit 1
) u
left join tap t on t.tapped_day = u.tapped_day and t.reader = u.reader and t.sequence = u.sequence
left join tap_record r
    on r.tapped_day = u.tapped_day and r.reader = u.reader and r.sequence = u.sequence
"""


async def read_uses(
    conn: asyncpg.Connection, codes: Sequence[ReplayKey]
) -> dict[ReplayKey, SpentCode]:
    """The uses of those codes that are spent."""
    rows = await conn.fetch(
        _READ_USES,
        [c.device_key for c in codes],
        [c.not_before for c in codes],
        [c.serial for c in codes],
        [c.counter for c in codes],
    )
    return {
        ReplayKey(*row[:4]): SpentCode(
            TapKey(*row[4:7]),
            row[7],
            row[8],
            bool(row[9]),
            bool(row[10]),
            None if row[11] is None else (row[11], row[12]),
            row[13] == Difference.ANSWER_IGNORED,
        )
        for row in rows
    }


_READ_PASSAGES = """
select distinct on (sequence) sequence, detail ->> 'passage'
from reader_event
where reader = $1 and sequence = any($2::bigint[])
order by sequence, position
"""


async def read_passages(
    conn: asyncpg.Connection, reader: str, sequences: Sequence[int]
) -> dict[int, Passage]:
    """The outcomes of these scans of a reader that came before their scans; the first counts."""
    rows = await conn.fetch(_READ_PASSAGES, reader, sequences)
    return {row[0]: Passage(row[1]) for row in rows}


_FIND_SCANS = """
select r.tapped_day, r.sequence
from tap_record r
where r.reader = $1 and r.sequence = any($2::bigint[]) and r.tapped_day between $3 and $4
"""


async def find_scans(
    conn: asyncpg.Connection, reader: str, sequences: Sequence[int], first: date, last: date
) -> list[TapKey]:
    """The recorded scans of these sequences, whose days lie between both (included)."""
    rows = await conn.fetch(_FIND_SCANS, reader, sequences, first, last)
    return [TapKey(row[0], reader, row[1]) for row in rows]
