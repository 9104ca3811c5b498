"""Rows of rides and refusals as riders see them: names of stations, reasons, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import asyncpg

from gateway.riders.ride_models import (
    Correction,
    Denial,
    DenialReason,
    Filled,
    Owed,
    Refusal,
    Revision,
    Ride,
    RideFareLine,
    RideFlag,
)
from gateway.riders.texts import awaits_text, bar_text, correction_text, owed_text, texts
from gateway.taps.places import Places
from gateway.taps.tap_models import Texts
from gateway.taps.texts import refusal_text
from transitpay.clock import service_day
from transitpay.fares.shown import StopName
from transitpay.fares.words import LANGUAGES
from transitpay.money import currency
from transitpay.postgres.journeys import records, rides, shown_tariffs
from transitpay.postgres.journeys.fare_lines import lines_from_json
from transitpay.postgres.journeys.records import PagePosition, Row
from transitpay.postgres.trust import bars
from transitpay.postgres.trust.bars import Bar


class Names:
    """The names of stops, in whatever spelling a reader has them."""

    def __init__(self, places: Places, known: dict[tuple[str, str], StopName]) -> None:
        self._places = places
        self._known = known

    @staticmethod
    async def of(
        conn: asyncpg.Connection, places: Places, stops: Iterable[tuple[str, str, datetime]]
    ) -> Names:
        """Names of (network, stop, instant)."""
        ids = {(network, _id(places, network, stop, at)) for network, stop, at in stops}
        return Names(places, await shown_tariffs.names_of(conn, ids))

    def text(self, network: str, stop: str, at: datetime) -> Texts:
        """The name in three languages; a stop that no tariff names is shown as it is spelled."""
        found = self._known.get((network, _id(self._places, network, stop, at)))
        if found is None:
            return texts(stop, stop, stop)
        return texts(found.zh_hant, found.zh_hans, found.en)


def _id(places: Places, network: str, stop: str, at: datetime) -> str:
    return places.fares.stop_id(network, stop, service_day(at))


async def page_of_rides(
    conn: asyncpg.Connection,
    places: Places,
    rider: tuple[str, str],
    after: PagePosition | None,
    limit: int,
) -> tuple[list[Ride], list[Row]]:
    """The rides of a page, and the rows they are made of, one more than the page where there is."""
    rows = await rides.rides(conn, *rider, after, limit + 1)
    names = await Names.of(conn, places, _stops(rows[:limit]))
    return [_ride(row, names) for row in rows[:limit]], rows


async def one_ride(
    conn: asyncpg.Connection, places: Places, rider: tuple[str, str], ride_id: str
) -> tuple[Ride, list[Revision]] | None:
    """A ride with its revisions; None = the rider has none of this id."""
    row = await rides.ride(conn, *rider, ride_id)
    if row is None:
        return None
    names = await Names.of(conn, places, _stops([row]))
    found = await rides.revisions(conn, *rider, row["key"])
    hidden = {"revision"}
    revisions = [
        Revision.model_validate(
            {k: v for k, v in it.items() if k not in hidden} | {"fare_lines": fare_lines_of(it)}
        )
        for it in found
    ]
    return _ride(row, names), revisions


async def refusals(
    conn: asyncpg.Connection, places: Places, rider: tuple[str, str], limit: int
) -> list[Refusal]:
    """The rider's last refused scans with the text of the gate."""
    rows = await records.refusals(conn, *rider, limit)
    names = await Names.of(conn, places, [(r["network"], r["stop"], r["at"]) for r in rows])
    return [
        Refusal.model_validate(
            {
                **row,
                "stop_name": names.text(row["network"], row["stop"], row["at"]),
                "text": refusal_text(row["reason"]),
            }
        )
        for row in rows
    ]


async def denial(conn: asyncpg.Connection, rider: tuple[str, str]) -> Denial | None:
    """Why the rider's codes are refused; None = they are not."""
    serial, found = await bars.bars(conn, *rider)
    if not serial and not found:
        return None
    return Denial(through_serial=serial, reasons=[_reason(bar) for bar in found])


def _reason(bar: Bar) -> DenialReason:
    return DenialReason(
        code=bar.kind.value,
        text=bar_text(bar),
        since=bar.since,
        until=bar.until,
        network=bar.network,
        owed=[Owed(minor=it.minor, currency=it.currency.code) for it in bar.owed],
        note=bar.reason,
    )


def _stops(rows: Sequence[Row]) -> Iterable[tuple[str, str, datetime]]:
    for row in rows:
        for stop in (row["entry_stop"], row["exit_stop"], *(row["filled_stops"] or ())):
            if stop is not None:
                yield row["network"], stop, row["priced_at"]


def _ride(row: Row, names: Names) -> Ride:
    network, at = row["network"], row["priced_at"]

    def name(stop: str | None) -> Texts | None:
        return None if stop is None else names.text(network, stop, at)

    shown = {k: row[k] for k in Ride.model_fields if k in row}
    return Ride.model_validate(
        {
            **shown,
            "fare_lines": fare_lines_of(row),
            "entry_name": name(row["entry_stop"]),
            "exit_name": name(row["exit_stop"]),
            "filled": _filled(row, names),
            "flags": flags_of(row),
            "correction": _correction(row),
            "owed_text": owed_text() if row["owed_to_rider_minor"] else None,
            "awaits_text": awaits_text() if row["awaits_refund"] else None,
        }
    )


def fare_lines_of(row: Row) -> list[RideFareLine]:
    """What explains a fare, in the words in which it was booked."""
    return [
        RideFareLine(
            code=line.code,
            text=texts(*(line.text(language) for language in LANGUAGES)),
            note=line.note or None,
            amount_minor=line.amount.minor,
        )
        for line in lines_from_json(row["fare_lines"], currency(row["fare_currency"]))
    ]


def flags_of(row: Row) -> list[RideFlag]:
    """What is unusual about a ride beside its reason."""
    flags: list[RideFlag] = []
    if row["late"]:
        flags.append("late")
    if row["crossed"]:
        flags.append("crossed_accounts")
    return flags


def _filled(row: Row, names: Names) -> Filled | None:
    if row["filled_by"] is None:
        return None
    stops = list(row["filled_stops"] or ())
    return Filled(
        by=row["filled_by"],
        stops=stops,
        names=[names.text(row["network"], stop, row["priced_at"]) for stop in stops],
    )


def _correction(row: Row) -> Correction | None:
    if row["corrected_why"] is None:
        return None
    before, now = row["corrected_from_charge_minor"], row["net_charge_minor"]
    owed: int = row["owed_to_rider_minor"] or 0
    owed_before: int = row["corrected_from_owed_minor"] or 0
    return Correction(
        why=row["corrected_why"],
        text=correction_text(row["corrected_why"], refused=owed > 0),
        at=row["corrected_at"],
        fare_minor=row["corrected_from_minor"],
        charge_minor=before,
        net_minor=None if before is None or now is None else now + owed - before - owed_before,
    )
