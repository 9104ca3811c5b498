"""Reads by which a missing end of a journey is named: the journey as it stands, what was said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import asyncpg

from transitpay.fares.highest import ANY_ROUTE, HighestFare, StopFares
from transitpay.fares.names import fold
from transitpay.journeys.journey import Excuse, FilledBy
from transitpay.journeys.lifecycle import JourneyReason
from transitpay.journeys.statements import StatementKind
from transitpay.money import Money, currency
from transitpay.postgres.journeys.records import Row
from transitpay.postgres.journeys.statements import JourneyStatement, Rider, tap_of_journey
from transitpay.taps import TapKey

_MISSING_ENDS = (JourneyReason.MISSING_EXIT, JourneyReason.MISSING_ENTRY)


@dataclass(frozen=True, slots=True)
class StandingJourney:
    """A journey as it stands now. ``key`` is its id in every revision, ``tap`` its first tap."""

    key: str
    rider: Rider
    network: str
    operator: str
    service_day: date
    since: datetime
    reason: JourneyReason | None
    filled_by: FilledBy | None
    excuse: Excuse | None

    @property
    def tap(self) -> TapKey:
        """The tap that names it."""
        return tap_of_journey(self.key)

    @property
    def has_missing_end(self) -> bool:
        """Whether the scan at one end never came."""
        return self.reason in _MISSING_ENDS


# The journey that holds the first tap of the one that is named, whatever became of that one.
_STANDING = """
select s.key, s.issuer, s.rider_id, s.network, s.operator, s.service_day,
       coalesce(s.entry_at, s.exit_at) as since, s.reason, s.filled_by, s.excuse
from journey j
join journey_tap t on (t.tapped_day, t.reader, t.sequence) = ($2, $3, $4)
join journey s on s.id = t.journey_id and s.ended_at is null
where j.id = $1
"""


async def standing_journey(conn: asyncpg.Connection, journey_id: str) -> StandingJourney | None:
    """What stands for the journey of this id, of any revision; None = nothing does."""
    try:
        tap = tap_of_journey(journey_id)
    except ValueError:
        return None
    row = await conn.fetchrow(_STANDING, journey_id, *tap)
    if row is None:
        return None
    return StandingJourney(
        row["key"],
        (row["issuer"], row["rider_id"]),
        row["network"],
        row["operator"],
        row["service_day"],
        row["since"],
        None if row["reason"] is None else JourneyReason(row["reason"]),
        None if row["filled_by"] is None else FilledBy(row["filled_by"]),
        None if row["excuse"] is None else Excuse(row["excuse"]),
    )


_CROSSED = """
select exists (
    select from crossed_accounts where issuer = $1 and rider_id = $2 and service_day = $3
)
"""


async def is_crossed(conn: asyncpg.Connection, rider: Rider, day: date) -> bool:
    """Whether a journey of the rider on that service day is half of a pair of two accounts."""
    return bool(await conn.fetchval(_CROSSED, *rider, day))


_COLUMNS = """
select stated_for, request_id, kind, issuer, rider_id, tapped_day, reader, sequence, tapped_at,
       network, service_day, stop, reason, stated_by, stated_at, approval
from journey_statement
"""
_DECLARED = f"""{_COLUMNS}
where tapped_day = $1 and reader = $2 and sequence = $3 and kind = 'declared'
"""


async def declared(conn: asyncpg.Connection, tap: TapKey) -> JourneyStatement | None:
    """What the rider declared of the journey with this tap."""
    row = await conn.fetchrow(_DECLARED, *tap)
    return None if row is None else statement_of(row)


def statement_of(row: asyncpg.Record) -> JourneyStatement:
    """A row of ``journey_statement`` as a value."""
    return JourneyStatement(
        row["stated_for"],
        row["request_id"],
        StatementKind(row["kind"]),
        (row["issuer"], row["rider_id"]),
        TapKey(row["tapped_day"], row["reader"], row["sequence"]),
        row["tapped_at"],
        row["network"],
        row["service_day"],
        row["stop"],
        row["reason"],
        row["stated_by"],
        row["stated_at"],
        row["approval"],
    )


_DECLARED_BETWEEN = """
select count(*) from journey_statement
where issuer = $1 and rider_id = $2 and network = $3 and kind = 'declared'
  and stated_at >= $4 and stated_at < $5
"""


async def declared_between(
    conn: asyncpg.Connection, rider: Rider, network: str, first: datetime, end: datetime
) -> int:
    """How many stations the rider declared on a network from ``first`` until before ``end``."""
    return int(await conn.fetchval(_DECLARED_BETWEEN, *rider, network, first, end))


_FARES = """
select network, stop, valid_from, names, highest_minor, currency
from stop_fare
where network = $1
"""
_NAMES = """
select stop, zh_hant, zh_hans, en from stop_name where network = $1
"""


async def known_stop(conn: asyncpg.Connection, network: str, text: str, day: date) -> str | None:
    """The id of a stop by any of its spellings; None = no tariff, or more than one, means it.

    On a network of routes the stops are the places where buses stop, not the routes.
    """
    fares = StopFares(
        tuple(
            HighestFare(
                r["network"], r["stop"], r["valid_from"], tuple(r["names"]),
                Money(r["highest_minor"], currency(r["currency"])),
            )
            for r in await conn.fetch(_FARES, network)
        )
    )  # fmt: skip
    names = await conn.fetch(_NAMES, network)
    routes = {it.stop for it in fares.fares} if not await _is_gated(conn, network, day) else set()
    if not routes:
        found = fares.find(network, text, day)
        if found is not None and found.stop != ANY_ROUTE:
            return found.stop
    spelled = fold(text)
    meant = {
        row["stop"]
        for row in names
        if row["stop"] not in routes
        and (row["stop"] == text or spelled in {fold(row[x]) for x in ("zh_hant", "zh_hans", "en")})
    }
    return meant.pop() if len(meant) == 1 else None


_GATED = """
select longest_stay is not null from journey_terms
where network = $1 and valid_from <= $2
order by valid_from desc
limit 1
"""


async def _is_gated(conn: asyncpg.Connection, network: str, day: date) -> bool:
    return bool(await conn.fetchval(_GATED, network, day))


_MISSING_ON = """
select j.id, j.network, j.reason, coalesce(j.entry_stop, j.exit_stop) as stop,
       coalesce(j.entry_at, j.exit_at) as at, j.filled_by, j.filled_stops, j.excuse, j.fare_minor,
       j.fare_currency,
       exists (select from crossed_accounts x where x.journey_id = j.id) as crossed
from journey j
where j.service_day = $2 and ($1::text is null or j.operator = $1) and j.ended_at is null
  and j.reason in ('missing_exit', 'missing_entry')
order by at, j.id
limit $3
"""


async def missing_on(
    conn: asyncpg.Connection, operator: str | None, day: date, limit: int
) -> list[Row]:
    """Journeys of a service day with a missing end, of one operator or all; no rider."""
    return [dict(row) for row in await conn.fetch(_MISSING_ON, operator, day, limit)]
