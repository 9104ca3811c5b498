"""Where a rider's slot was last seen on a network: locked by a group, moved only forward.

Rows are created and locked in the order of their key, once a group. Settlement never reads them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from transitpay.taps import Direction


@dataclass(frozen=True, slots=True, order=True)
class PresenceKey:
    """A rider's slot on a network."""

    issuer: str
    rider_id: str
    slot: int
    network: str


@dataclass(frozen=True, slots=True)
class Presence:
    """Where that slot was seen last."""

    at: datetime
    stop: str
    direction: Direction
    reader: str


_CREATE_PRESENCE = """
insert into presence (issuer, rider_id, slot, network)
select issuer, rider_id, slot, network
from unnest($1::text[], $2::text[], $3::smallint[], $4::text[])
    as k (issuer, rider_id, slot, network)
on conflict do nothing
"""

_LOCK_PRESENCE = """
select p.issuer, p.rider_id, p.slot, p.network, p.at, p.stop, p.direction, p.reader
from unnest($1::text[], $2::text[], $3::smallint[], $4::text[])
    as k (issuer, rider_id, slot, network)
join presence p using (issuer, rider_id, slot, network)
order by p.issuer, p.rider_id, p.slot, p.network
for update of p
"""


async def lock_presence(
    conn: asyncpg.Connection, keys: Sequence[PresenceKey]
) -> dict[PresenceKey, Presence | None]:
    """Create and lock the rows of ``keys`` (sorted, distinct); None = never seen."""
    columns = _presence_columns(keys)
    await conn.execute(_CREATE_PRESENCE, *columns)
    return {
        PresenceKey(row["issuer"], row["rider_id"], row["slot"], row["network"]): (
            Presence(row["at"], row["stop"], Direction(row["direction"]), row["reader"])
            if row["at"] is not None
            else None
        )
        for row in await conn.fetch(_LOCK_PRESENCE, *columns)
    }


_MOVE_PRESENCE = """
update presence p
set at = g.at, stop = g.stop, direction = g.direction, reader = g.reader
from unnest($1::text[], $2::text[], $3::smallint[], $4::text[], $5::timestamptz[], $6::text[],
    $7::text[], $8::text[]) as g (issuer, rider_id, slot, network, at, stop, direction, reader)
where p.issuer = g.issuer and p.rider_id = g.rider_id and p.slot = g.slot
  and p.network = g.network and (p.at is null or p.at < g.at)
"""


async def move_presence(conn: asyncpg.Connection, moves: Mapping[PresenceKey, Presence]) -> None:
    """Move locked rows forward; a row that stands later already stays."""
    keys = list(moves)
    await conn.execute(
        _MOVE_PRESENCE,
        *_presence_columns(keys),
        [moves[k].at for k in keys],
        [moves[k].stop for k in keys],
        [moves[k].direction for k in keys],
        [moves[k].reader for k in keys],
    )


def _presence_columns(
    keys: Sequence[PresenceKey],
) -> tuple[list[str], list[str], list[int], list[str]]:
    return (
        [k.issuer for k in keys],
        [k.rider_id for k in keys],
        [k.slot for k in keys],
        [k.network for k in keys],
    )
