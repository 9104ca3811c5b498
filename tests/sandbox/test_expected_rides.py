"""The sandbox knows what must be booked at the end of its day, from its readers alone."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta

import pytest

from transitpay.clock import day_start
from transitpay.journeys.station_modes import Mode, StationMode
from transitpay.runtime.tariff_folder import load_book
from transitpay.sandbox.demand import plan_day
from transitpay.sandbox.diary import Shown
from transitpay.sandbox.expected import Ride, Said, Scan, expected_rides
from transitpay.sandbox.outcome import paid_at_wallet
from transitpay.sandbox.places import (
    FOSHAN,
    HONG_KONG,
    SCANNED_AGAIN,
    SHENZHEN,
    Place,
    Places,
    make_places,
)
from transitpay.sandbox.riders import Case, Deed
from transitpay.sandbox.sections import section_tariffs, with_versions
from transitpay.sandbox.trips import Trips, open_station

DAY = date(2026, 10, 30)
PUBLISHED = load_book(None)
BOOK = with_versions(PUBLISHED, section_tariffs(PUBLISHED, SCANNED_AGAIN, DAY))
LATER = day_start(DAY) + timedelta(days=3)


@pytest.fixture(scope="module")
def places() -> Places:
    return make_places(BOOK, 1)


def at(hour: int, minute: int = 0) -> datetime:
    return day_start(DAY, hour, minute)


def rides(
    *taps: tuple[Place, datetime], slot: int = 0, wallet: str = "alipayhk", said: Said | None = None
) -> list[Ride]:
    shown: dict[Scan, Shown] = {
        (place.reader, number): Shown(wallet, "0" * 16, slot, place, when)
        for number, (place, when) in enumerate(taps)
    }
    found = expected_rides(shown, set(shown), BOOK, said or Said(), LATER)
    return [found[key] for key in sorted(found)]


def test_a_second_scan_on_alighting_costs_the_section(places: Places) -> None:
    bus = places.buses[HONG_KONG][0]
    assert bus.alight is not None
    [alone] = rides((bus.board, at(9)))
    [again] = rides((bus.board, at(9)), (bus.alight, at(9, 20)))
    assert (alone.fare_minor, again.fare_minor) == (1530, 1140)


def test_a_bus_after_the_metro_is_cheaper_within_the_time_of_a_transfer(places: Places) -> None:
    (_, way_in, _), (_, _, out) = places.metro[SHENZHEN][:2]
    bus = places.buses[SHENZHEN][0].board
    alone, *_ = [it for it in rides((bus, at(10))) if it.network == "shenzhen-bus"]
    after = rides((way_in, at(9)), (out, at(9, 20)), (bus, at(10)))
    [transferred] = [it for it in after if it.network == "shenzhen-bus"]
    assert alone.fare_minor - transferred.fare_minor == 40


def test_gates_that_stood_open_name_the_exit_that_was_not_scanned(places: Places) -> None:
    stop, _, _ = open_station(places)
    _, way_in, _ = places.metro[HONG_KONG][7]
    opened = at(18)
    mode = StationMode(
        1, "mtr", "r", "mtr", stop, Mode.GATES_OPEN, opened, opened + timedelta(minutes=30), "c",
        None, "desk", opened,
    )  # fmt: skip
    [closed] = rides((way_in, at(17, 30)))
    [filled] = rides((way_in, at(17, 30)), said=Said((mode,)))
    assert (closed.reason, closed.filled_by) == ("missing_exit", None)
    assert filled.filled_by == "open_gates"
    assert filled.fare_minor < closed.fare_minor


def test_who_does_what_is_planned_where_it_can_be_done(places: Places) -> None:
    planned = plan_day(60, 1, places, DAY)
    assert any(it.companions for it in planned)
    assert any(scan.slot == 1 and scan.leaves for it in planned for scan in it.scans)
    busiest = max(planned, key=lambda it: len(it.scans))
    assert len(busiest.scans) == 48
    assert {scan.place.network for scan in busiest.scans} == {"guangzhou-bus"}
    alighted = [scan for it in planned for scan in it.scans if scan.place.direction == "alight"]
    assert alighted and all(scan.leaves for scan in alighted)


def test_a_change_is_made_within_the_hour(places: Places) -> None:
    trips = Trips(random.Random(1), places, day_start(DAY), FOSHAN, frozenset({Deed.CHANGES}))
    first, second, *_ = trips.scans()
    assert second.at - first.at <= timedelta(minutes=60)
    assert (first.case, first.place.network) == (Case.FRESH, "foshan-bus")


def test_what_a_rider_paid_is_less_what_came_back_or_is_on_its_way_once() -> None:
    book = {
        "payments": [
            {"rider_id": "a", "state": "SUCCESS", "amount_minor": 1530},
            {"rider_id": "a", "state": "FAILED", "amount_minor": 900},
            {"rider_id": "b", "state": "SUCCESS", "amount_minor": 500},
        ],
        "refunds": [{"rider_id": "a", "request_id": "r1", "amount_minor": 390}],
    }
    on_the_way = [
        {"issuer": "alipay", "rider_id": "a", "request_id": "r1", "amount_minor": 390},
        {"issuer": "alipay", "rider_id": "b", "request_id": "r2", "amount_minor": 100},
        {"issuer": "other", "rider_id": "b", "request_id": "r3", "amount_minor": 100},
    ]
    assert paid_at_wallet("alipay", book, on_the_way) == {
        ("alipay", "a"): 1140,
        ("alipay", "b"): 400,
    }
