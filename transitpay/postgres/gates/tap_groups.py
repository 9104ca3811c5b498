"""A group of scans reads what is known of it in one statement, and is written in one other.

Between the two the gateway decides, holding no lock. The second statement refuses itself when
anything that was read has changed since: a tap or a code's use that came meanwhile breaks its
unique key, a rider who was seen meanwhile breaks ``since``. Who is refused reads again.

Rows are written in the order of their keys, so that two groups wait for each other in one order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import asyncpg

from transitpay.postgres.gates.taps import StoredTap, TapRow, shard_of
from transitpay.ride_code.verdict import ReplayKey
from transitpay.taps import Direction, RiderRef, TapKey


class Asked(NamedTuple):
    """What is looked up of one scan: its key, and the rider and code that its bytes proved."""

    key: TapKey
    rider: RiderRef | None
    code: ReplayKey | None


class CodeUse(NamedTuple):
    """The tap that a ride code was spent on, what it was told, and a digest of what was signed."""

    tap: TapKey
    at: datetime
    content: bytes
    flags: tuple[str, ...] = ()


class Presence(NamedTuple):
    """Where a rider's slot was seen last on a network.

    ``destination`` is the region; ``online`` says that the gateway decided and the reader's clock
    was right.
    """

    at: datetime
    stop: str
    direction: Direction
    reader: str
    destination: int
    online: bool


@dataclass(slots=True)
class Known:
    """What the database holds of a group: earlier taps, uses of codes, places by network."""

    taps: dict[TapKey, StoredTap]
    uses: dict[ReplayKey, CodeUse]
    places: dict[RiderRef, dict[str, Presence]]


class NewTap(NamedTuple):
    """A tap to be stored with its final decision.

    An accepted one spends ``code``. One with a ``place`` puts its rider's slot there,
    provided that the rider still stands where he stood at ``since`` (None = nowhere yet).
    """

    row: TapRow
    code: ReplayKey | None = None
    content: bytes = b""
    place: Presence | None = None
    since: datetime | None = None


# Each lookup is limited, so that it stays one by its key whatever the planner believes.
_READ = """
select g.n, t.request_digest, t.tier, t.reader_opened, t.issuer, t.rider_id, t.slot, t.decision,
    t.reason, t.flags, u.tapped_day, u.reader, u.sequence, u.at, u.content, u.flags,
    p.network, p.at, p.stop, p.direction, p.reader, p.destination, p.online
from unnest($1::date[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::smallint[],
    $7::bytea[], $8::bigint[], $9::bigint[], $10::int[]) with ordinality
    as g (tapped_day, reader, sequence, issuer, rider_id, slot, device_key, not_before, serial,
    counter, n)
left join lateral (
    select * from tap t
    where t.tapped_day = g.tapped_day and t.reader = g.reader and t.sequence = g.sequence
    limit 1
) t on true
left join lateral (
    select c.*, coalesce(f.flags, '{}') as flags
    from (
        select * from code_use c
        where c.not_before = to_timestamp(g.not_before) and c.device_key = g.device_key
          and c.serial = g.serial and c.counter = g.counter
        limit 1
    ) c
    left join lateral (
        select flags from tap f
        where f.tapped_day = c.tapped_day and f.reader = c.reader and f.sequence = c.sequence
        limit 1
    ) f on true
) u on true
left join lateral (
    select * from presence p
    where p.issuer = g.issuer and p.rider_id = g.rider_id and p.slot = g.slot
    limit 64
) p on true
where t.reader is not null or u.reader is not null or p.reader is not null
"""


async def read_group(conn: asyncpg.Connection, asked: Sequence[Asked]) -> Known:
    """What is known of these scans, as committed now."""
    rows = await conn.fetch(_READ, *zip(*map(_key_row, asked), strict=True))
    known = Known({}, {}, {})
    for row in rows:
        one = asked[row[0] - 1]
        if row[1] is not None:
            rider = RiderRef(row[4], row[5], row[6]) if row[4] is not None else None
            flags = tuple(row[9])
            known.taps[one.key] = StoredTap(row[1], row[2], row[3], rider, row[7], row[8], flags)
        if row[10] is not None and one.code is not None:
            known.uses[one.code] = CodeUse(TapKey(*row[10:13]), row[13], row[14], tuple(row[15]))
        if row[16] is not None and one.rider is not None:
            place = Presence(row[17], row[18], Direction(row[19]), *row[20:23])
            known.places.setdefault(one.rider, {})[row[16]] = place
    return known


_NOBODY = (None, None, None)
_NO_CODE = (None, None, None, None)


def _key_row(it: Asked) -> tuple[object, ...]:
    key, rider, code = it.key, it.rider, it.code
    return (
        key.day, key.reader, key.sequence,
        *((rider.issuer, rider.rider_id, rider.slot) if rider else _NOBODY),
        *((code.device_key, code.not_before, code.serial, code.counter) if code else _NO_CODE),
    )  # fmt: skip


_WRITE = """
with g as materialized (
    select * from unnest($1::date[], $2::text[], $3::bigint[], $4::timestamptz[], $5::int[],
        $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[],
        $13::text[], $14::boolean[], $15::bytea[], $16::bytea[], $17::text[], $18::text[],
        $19::smallint[], $20::text[], $21::text[], $22::text[], $23::bytea[], $24::bigint[],
        $25::bigint[], $26::int[], $27::bytea[], $28::smallint[], $29::smallint[],
        $30::boolean[], $31::timestamptz[], $32::text[])
    as g (tapped_day, reader, sequence, at, uncertainty_s, operator, network, stop, direction,
        route, vehicle, stage_fare_minor, tier, reader_opened, request_digest, code, issuer,
        rider_id, slot, decision, reason, flags, device_key, not_before, serial, counter, content,
        shard, destination, online, since, mode)
), stored as (
    insert into tap (tapped_day, reader, sequence, at, received_at, uncertainty_s, operator,
        network, stop, direction, route, vehicle, stage_fare_minor, tier, reader_opened,
        request_digest, code, issuer, rider_id, slot, decision, reason, flags, mode)
    select tapped_day, reader, sequence, at, $33, uncertainty_s, operator,
        network, stop, direction, route, vehicle, stage_fare_minor, tier, reader_opened,
        request_digest, code, issuer, rider_id, slot, decision, reason,
        string_to_array(flags, ','), mode
    from g order by tapped_day, reader, sequence
), spent as (
    insert into code_use (not_before, device_key, serial, counter, content, tapped_day, reader,
        sequence, at)
    select to_timestamp(not_before), device_key, serial, counter, content, tapped_day, reader,
        sequence, at
    from g where device_key is not null order by not_before, device_key, serial, counter
), moved as (
    insert into presence as p (issuer, rider_id, slot, network, at, stop, direction, reader,
        destination, online, since)
    select issuer, rider_id, slot, network, at, stop, direction, reader, destination, online, since
    from g where destination is not null order by issuer, rider_id, slot, network
    on conflict (issuer, rider_id, slot, network) do update
    set at = case when p.at = excluded.since then excluded.at else seen_meanwhile() end,
        stop = excluded.stop, direction = excluded.direction, reader = excluded.reader,
        destination = excluded.destination, online = excluded.online, since = excluded.since
)
insert into tap_inbox (shard, issuer, rider_id, due_at, since)
select shard, issuer, rider_id, $33, at from g where shard is not null
"""


async def write_group(
    conn: asyncpg.Connection, taps: Sequence[NewTap], received_at: datetime
) -> None:
    """Store taps (keys distinct) with all that follows from them, or nothing.

    Raises: asyncpg's UniqueViolationError or SerializationError where what was read has changed;
    its other data errors where a row cannot be stored.
    """
    await conn.execute(_WRITE, *zip(*map(_tap_row, taps), strict=True), received_at)


def _tap_row(it: NewTap) -> tuple[object, ...]:
    row, code, place = it.row, it.code, it.place
    key, rider = row.key, row.rider
    return (
        key.day, key.reader, key.sequence, row.at, row.uncertainty_s, row.operator, row.network,
        row.stop, row.direction, row.route, row.vehicle, row.stage_fare_minor, row.tier,
        row.reader_opened, row.request_digest, row.code,
        *((rider.issuer, rider.rider_id, rider.slot) if rider else _NOBODY),
        row.decision, row.reason, ",".join(row.flags),
        *((code.device_key, code.not_before, code.serial, code.counter) if code else _NO_CODE),
        it.content if code else None,
        shard_of(rider.issuer, rider.rider_id) if rider and code else None,
        place.destination if place else None, place.online if place else None, it.since, row.mode,
    )  # fmt: skip
