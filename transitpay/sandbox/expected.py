"""What ought to be booked at the end of a sandbox day, from what its readers know by themselves.

The public pure functions, called with everything that was tapped, everything declared and nothing
of the database: in which order records arrived makes no difference here, so what is booked must be
the same after all its corrections.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from transitpay.clearing import journey_key
from transitpay.clock import LOCAL_ZONE
from transitpay.fares.fare import Priced
from transitpay.fares.rider_pricing import price_all
from transitpay.fares.rules import rule_book
from transitpay.fares.tariff import TariffBook
from transitpay.journeys.assembly import assemble
from transitpay.journeys.statements import Statement
from transitpay.journeys.station_modes import StationMode
from transitpay.sandbox.diary import Shown
from transitpay.taps import RiderRef, Tap, TapKey

#: (reader, sequence) of a scan.
Scan = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Ride:
    """A journey as it stands: what of it can be compared with the books."""

    network: str
    state: str
    reason: str | None
    filled_by: str | None
    fare_minor: int


@dataclass(frozen=True, slots=True)
class Said:
    """What operators declared of stations and riders of their journeys."""

    modes: tuple[StationMode, ...] = ()
    statements: tuple[Statement, ...] = ()


def tap_of(scan: Scan, shown: Shown) -> Tap:
    """The tap that an accepted scan is."""
    reader, sequence = scan
    place = shown.place
    fare = place.stage_fare
    return Tap(
        TapKey(shown.at.astimezone(LOCAL_ZONE).date(), reader, sequence),
        RiderRef(shown.wallet, shown.rider_id, shown.slot),
        place.operator, place.network, place.stop, place.direction, shown.at, place.route,
        None if fare is None else fare.minor,
    )  # fmt: skip


def expected_rides(
    shown: Mapping[Scan, Shown],
    accepted: Collection[Scan],
    book: TariffBook,
    said: Said,
    at: datetime,
) -> dict[str, Ride]:
    """The journeys of all riders by key, when every reader has told everything before ``at``."""
    lines: dict[tuple[str, str], list[Tap]] = {}
    for scan in accepted:
        tap = tap_of(scan, shown[scan])
        lines.setdefault((tap.rider.issuer, tap.rider.rider_id), []).append(tap)
    rules = rule_book(book)
    known = dict.fromkeys(book.networks, at)
    found: dict[str, Ride] = {}
    for taps in lines.values():
        made = assemble(taps, rules, known, at, modes=said.modes, statements=said.statements)
        for it in price_all(made.journeys, book):
            journey = it.journey
            found[journey_key(journey.key)] = Ride(
                journey.network,
                str(journey.state),
                None if journey.reason is None else str(journey.reason),
                None if journey.filled is None else str(journey.filled.by),
                it.fare.amount.minor if isinstance(it, Priced) else -1,
            )
    return found
