"""What became of replayed taps: fares by tap, journeys by reason, taps set aside, what still waits.

Read-only. Sums are integer minor units beside their currency.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Connection = Any  # asyncpg has no type information
Row = Mapping[str, Any]  # one row of a report, by column

_JOURNEYS = """
select network, state, coalesce(reason, '') as reason, fare_currency as currency,
       count(*) as journeys, sum(fare_minor)::bigint as fare_minor
from journey
where ended_at is null
group by 1, 2, 3, 4
order by 1, 2, 3, 4
"""


async def journeys(conn: Connection) -> list[Row]:
    """Journeys and their fares by network, state and reason."""
    return [dict(row) for row in await conn.fetch(_JOURNEYS)]


_SET_ASIDE = """
select reason, count(*) as taps from tap_set_aside group by 1 order by 1
"""


async def set_aside(conn: Connection) -> dict[str, int]:
    """Taps that make no journey, by reason."""
    return {row["reason"]: row["taps"] for row in await conn.fetch(_SET_ASIDE)}


@dataclass(frozen=True, slots=True)
class LastTap:
    """The tap that ended a passage through gates, and its fare; ``reason``: not a plain one."""

    reader: str
    sequence: int
    reason: str | None
    entry_stop: str | None
    exit_stop: str | None
    fare_minor: int


_WHOLE = """
select t.reader, t.sequence, j.reason, j.entry_stop, j.exit_stop, j.fare_minor
from journey j
join journey_tap jt on jt.journey_id = j.id
join tap t on t.tapped_day = jt.tapped_day and t.reader = jt.reader and t.sequence = jt.sequence
where j.network = $1 and j.ended_at is null and j.state = 'complete' and t.direction = 'exit'
order by t.reader, t.sequence
"""


async def whole_passages(conn: Connection, network: str) -> list[LastTap]:
    """The complete journeys of a network with gates, by the tap that ended each."""
    return [LastTap(*row.values()) for row in await conn.fetch(_WHOLE, network)]


@dataclass(frozen=True, slots=True)
class Waiting:
    """What settlement has still to do: riders to be read, charges without an outcome."""

    riders: int
    charges: int

    @property
    def nothing(self) -> bool:
        """Whether all is done."""
        return not self.riders and not self.charges


_WAITING = """
select (select count(*) from tap_inbox) as riders,
       (select count(*) from charge where state in ('DUE', 'IN_FLIGHT')) as charges
"""


async def waiting(conn: Connection) -> Waiting:
    """How much is still to be cleared and charged."""
    return Waiting(*(await conn.fetchrow(_WAITING)).values())


_PLACES = """
select (j.reader is not null)::int + (a.reader is not null)::int as places, count(*) as taps
from tap t
left join journey_tap j using (tapped_day, reader, sequence)
left join tap_set_aside a using (tapped_day, reader, sequence)
where t.decision = 'accepted'
group by 1
order by 1
"""


async def places(conn: Connection) -> dict[int, int]:
    """Accepted taps by the number of places they ended in: 0 pending, 1 booked or set aside."""
    return {row["places"]: row["taps"] for row in await conn.fetch(_PLACES)}
