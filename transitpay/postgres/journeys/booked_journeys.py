"""Statements that read journeys as they are booked: those that stand, and how often each was."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import asyncpg

from transitpay.comparison import Booked
from transitpay.fares.fare import Fare
from transitpay.fx.quote import Quote
from transitpay.journeys.journey import Excuse, Filled, FilledBy, Journey, JourneyKind
from transitpay.journeys.lifecycle import JourneyReason, JourneyState
from transitpay.money import Money, currency
from transitpay.postgres.journeys.fare_lines import lines_from_json
from transitpay.taps import Direction, RiderRef, Tap, TapKey

Rider = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of whom what is read: all journeys priced from ``since`` on, and from ``history_from`` on
    those of networks in which earlier rides of a month or a week change a fare."""

    rider: Rider
    since: datetime
    history_from: datetime


@dataclass(frozen=True, slots=True)
class BookedJourneys:
    """``standing`` of each rider; ``revisions`` of each key the highest, ended ones too."""

    standing: dict[Rider, list[Booked]]
    revisions: dict[TapKey, int]


# "offset 0" keeps each rider's search an index search of its own, whatever the statistics say.
_BOOKED = """
select j.id, j.key, j.revision, j.issuer, j.rider_id, j.slot, j.network, j.operator, j.kind,
       j.state, j.reason, j.route, j.entry_stop, j.exit_stop, j.entry_at, j.exit_at, j.filled_by,
       j.filled_stops, j.filled_ref, j.excuse, j.late, j.priced_at, j.service_day, j.fare_minor,
       j.fare_currency, j.fare_lines, j.tariff_version, j.charge_minor, j.charge_currency,
       j.ended_at is null as stands, q.charge_minor as quoted_minor, q.charge_currency as quoted,
       q.mid, q.margin, q.customer_rate, q.mid_value_minor, q.spread_minor, q.remainder,
       q.effective_at, t.days, t.readers, t.sequences
from unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[])
     as w(issuer, rider_id, since, history_from)
cross join lateral (
    select journey.*
    from journey
    where journey.issuer = w.issuer and journey.rider_id = w.rider_id
      and journey.priced_at >= w.history_from
      and (journey.priced_at >= w.since
           or (journey.ended_at is null and journey.network = any($5::text[])))
    offset 0
) j
left join quote q on q.id = j.quote_id
left join lateral (
    select array_agg(journey_tap.tapped_day) as days, array_agg(journey_tap.reader) as readers,
           array_agg(journey_tap.sequence) as sequences
    from journey_tap where journey_tap.journey_id = j.id
) t on true
"""


async def booked_journeys(
    conn: asyncpg.Connection, wanted: Sequence[Wanted], networks: Collection[str]
) -> BookedJourneys:
    """The booked journeys of these riders; ``networks`` are those that need the history."""
    rows = await conn.fetch(
        _BOOKED,
        [it.rider[0] for it in wanted],
        [it.rider[1] for it in wanted],
        [it.since for it in wanted],
        [it.history_from for it in wanted],
        sorted(networks),
    )
    standing: dict[Rider, list[Booked]] = {}
    revisions: dict[TapKey, int] = {}
    for row in rows:
        key = tap_key(row["key"])
        revisions[key] = max(row["revision"], revisions.get(key, 0))
        if row["stands"]:
            standing.setdefault((row["issuer"], row["rider_id"]), []).append(_booked(row, key))
    return BookedJourneys(standing, revisions)


def tap_key(text: str) -> TapKey:
    """The key in a journey's text, as ``clearing.journey_key`` writes it."""
    day, _, rest = text.partition("/")
    reader, _, sequence = rest.rpartition("/")
    return TapKey(date.fromisoformat(day), reader, int(sequence))


def _booked(row: asyncpg.Record, key: TapKey) -> Booked:
    amount = Money(row["fare_minor"], currency(row["fare_currency"]))
    lines = lines_from_json(row["fare_lines"], amount.currency)
    owed = None
    if row["charge_minor"] is not None:
        owed = Money(row["charge_minor"], currency(row["charge_currency"]))
    keys = zip(row["days"] or (), row["readers"] or (), row["sequences"] or (), strict=True)
    return Booked(
        row["id"],
        row["revision"],
        journey_of(row, key),
        frozenset(TapKey(*found) for found in keys),
        Fare(amount, lines, row["tariff_version"]),
        _quote(row, amount),
        owed,
    )


def journey_of(row: asyncpg.Record, key: TapKey) -> Journey:
    """The journey of a row; its taps have the place, time and route that the row tells."""
    kind = JourneyKind(row["kind"])
    gated = kind is JourneyKind.ENTRY_EXIT
    filled = None
    if row["filled_by"] is not None:
        by, stops = FilledBy(row["filled_by"]), tuple(row["filled_stops"])
        filled = Filled(by, stops, row["filled_ref"])
    return Journey(
        rider=RiderRef(row["issuer"], row["rider_id"], row["slot"]),
        network=row["network"],
        operator=row["operator"],
        kind=kind,
        state=JourneyState(row["state"]),
        entry=_end(row, key, "entry", Direction.ENTRY if gated else Direction.BOARD),
        exit=_end(row, key, "exit", Direction.EXIT if gated else Direction.ALIGHT),
        reason=None if row["reason"] is None else JourneyReason(row["reason"]),
        priced_at=row["priced_at"],
        service_day=row["service_day"],
        filled=filled,
        excuse=None if row["excuse"] is None else Excuse(row["excuse"]),
        late=row["late"],
    )


def _end(row: asyncpg.Record, key: TapKey, end: str, direction: Direction) -> Tap | None:
    at = row[f"{end}_at"]
    if at is None:
        return None
    rider = RiderRef(row["issuer"], row["rider_id"], row["slot"])
    stop = row[f"{end}_stop"]
    return Tap(key, rider, row["operator"], row["network"], stop, direction, at, row["route"])


def _quote(row: asyncpg.Record, fare: Money) -> Quote | None:
    if row["quoted"] is None:
        return None
    unit = currency(row["quoted"])
    return Quote(
        fare,
        Money(row["quoted_minor"], unit),
        row["mid"],
        row["margin"],
        row["customer_rate"],
        Money(row["mid_value_minor"], unit),
        Money(row["spread_minor"], unit),
        row["remainder"],
        row["effective_at"],
    )
