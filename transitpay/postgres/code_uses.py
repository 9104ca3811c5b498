"""Which ride codes are spent, and on which tap: the replay protection.

The unique key is the whole rule; whoever inserts first has the code, in any process. Rows lie in
partitions by the not-before instant inside the signed bytes, so a code always meets its own use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg

from transitpay.postgres.taps import key_columns
from transitpay.ride_code.verdict import ReplayKey
from transitpay.taps import TapKey


@dataclass(frozen=True, slots=True)
class CodeUse:
    """The tap that a ride code was spent on."""

    tap: TapKey
    at: datetime


_USES = """
select u.device_key, u.not_before, u.serial, u.counter, u.tapped_day, u.reader, u.sequence, u.at
from unnest($1::bytea[], $2::timestamptz[], $3::bigint[], $4::int[])
    as k (device_key, not_before, serial, counter)
join code_use u using (not_before, device_key, serial, counter)
"""


async def code_uses(
    conn: asyncpg.Connection, codes: Sequence[ReplayKey]
) -> dict[ReplayKey, CodeUse]:
    """The uses of those codes that are spent."""
    return {
        ReplayKey(
            row["device_key"], int(row["not_before"].timestamp()), row["serial"], row["counter"]
        ): CodeUse(TapKey(row["tapped_day"], row["reader"], row["sequence"]), row["at"])
        for row in await conn.fetch(_USES, *_code_columns(codes))
    }


_SPEND = """
insert into code_use (device_key, not_before, serial, counter, tapped_day, reader, sequence, at)
select device_key, not_before, serial, counter, tapped_day, reader, sequence, at
from unnest($1::bytea[], $2::timestamptz[], $3::bigint[], $4::int[], $5::date[], $6::text[],
    $7::bigint[], $8::timestamptz[])
    as g (device_key, not_before, serial, counter, tapped_day, reader, sequence, at)
on conflict do nothing
returning tapped_day, reader, sequence
"""


async def spend_codes(
    conn: asyncpg.Connection, uses: Sequence[tuple[ReplayKey, CodeUse]]
) -> set[TapKey]:
    """Spend each code on its tap, once in the world; returns the taps that won theirs."""
    ordered = sorted(uses, key=_code_order)
    rows = await conn.fetch(
        _SPEND,
        *_code_columns([code for code, _ in ordered]),
        *key_columns([use.tap for _, use in ordered]),
        [use.at for _, use in ordered],
    )
    return {TapKey(row["tapped_day"], row["reader"], row["sequence"]) for row in rows}


def not_before_at(code: ReplayKey) -> datetime:
    """The instant that partitions the uses of this code."""
    return datetime.fromtimestamp(code.not_before, UTC)


def _code_order(it: tuple[ReplayKey, CodeUse]) -> tuple[int, bytes, int, int, datetime, TapKey]:
    code, use = it
    return (code.not_before, code.device_key, code.serial, code.counter, use.at, use.tap)


def _code_columns(
    codes: Sequence[ReplayKey],
) -> tuple[list[bytes], list[datetime], list[int], list[int]]:
    return (
        [c.device_key for c in codes],
        [not_before_at(c) for c in codes],
        [c.serial for c in codes],
        [c.counter for c in codes],
    )
