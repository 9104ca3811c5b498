"""Statements that read booked journeys for a trial of another tariff; they write nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import asyncpg

from transitpay.fares.fare import Fare
from transitpay.fares.trial import BookedFare
from transitpay.money import Money, currency
from transitpay.postgres.journeys.booked_journeys import journey_of, tap_key
from transitpay.postgres.journeys.fare_lines import lines_from_json

Rider = tuple[str, str]

_RIDERS = """
select distinct issuer, rider_id
from journey
where network = $1 and service_day between $2 and $3 and ended_at is null
order by issuer, rider_id
"""


async def riders_between(
    conn: asyncpg.Connection, network: str, first_day: date, last_day: date
) -> list[Rider]:
    """Everybody with a standing journey on the network on these service days."""
    rows = await conn.fetch(_RIDERS, network, first_day, last_day)
    return [(row["issuer"], row["rider_id"]) for row in rows]


# The fare that a bus reader set is told by the tap alone.
_RIDES = """
select j.id, j.key, j.issuer, j.rider_id, j.slot, j.network, j.operator, j.kind, j.state, j.reason,
       j.route, j.entry_stop, j.exit_stop, j.entry_at, j.exit_at, j.filled_by, j.filled_stops,
       j.filled_ref, j.excuse, j.late, j.priced_at, j.service_day, j.fare_minor, j.fare_currency,
       j.fare_lines, j.tariff_version, t.stage_fare_minor
from unnest($1::text[], $2::text[]) as w(issuer, rider_id)
join journey j on j.issuer = w.issuer and j.rider_id = w.rider_id
left join lateral (
    select tap.stage_fare_minor
    from journey_tap k
    join tap on tap.tapped_day = k.tapped_day and tap.reader = k.reader
         and tap.sequence = k.sequence
    where k.journey_id = j.id and tap.stage_fare_minor is not null
    order by tap.at
    limit 1
) t on true
where j.ended_at is null and j.service_day between $3 and $4
order by j.issuer, j.rider_id, j.id
"""


async def rides_between(
    conn: asyncpg.Connection, riders: Sequence[Rider], first_day: date, last_day: date
) -> list[BookedFare]:
    """All standing journeys of these riders, on every network, with what they were booked at."""
    rows = await conn.fetch(
        _RIDES, [it[0] for it in riders], [it[1] for it in riders], first_day, last_day
    )
    return [_ride(row) for row in rows]


def _ride(row: asyncpg.Record) -> BookedFare:
    amount = Money(row["fare_minor"], currency(row["fare_currency"]))
    lines = lines_from_json(row["fare_lines"], amount.currency)
    journey = journey_of(row, tap_key(row["key"]))
    stage_fare = row["stage_fare_minor"]
    if journey.entry is not None and stage_fare is not None:
        journey = replace(journey, entry=replace(journey.entry, stage_fare_minor=stage_fare))
    return BookedFare(row["id"], journey, Fare(amount, lines, row["tariff_version"]))
