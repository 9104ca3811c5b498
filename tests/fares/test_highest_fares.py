"""The highest plain fare from a stop, found in any spelling, by the version in force."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from transitpay.fares.highest import ANY_ROUTE, HighestFare, StopFares, highest_fares
from transitpay.fares.tariff import FlatFares, Stop, TariffBook
from transitpay.fx.ceiling import SAFETY_MARGINS, fare_at_most, safety_margin
from transitpay.money import CNY, HKD, Money
from transitpay.runtime.builtin import builtin_book
from transitpay.runtime.tariff_folder import load_book

DAY = date(2026, 10, 30)
BUILT_IN = StopFares(tuple(highest_fares(builtin_book())))


@pytest.mark.parametrize(
    ("network", "stop", "fare"),
    [
        ("mtr", "64", Money(4160, HKD)),
        ("mtr", "HUH", Money(4160, HKD)),
        ("mtr", "Hung Hom Station", Money(4160, HKD)),
        ("mtr", "1", Money(5220, HKD)),
        ("shenzhen-metro", "0101", Money(800, CNY)),
        ("shenzhen-metro", "101", Money(800, CNY)),
        ("kmb", "276B", Money(1050, HKD)),
        ("kmb", "6", Money(580, HKD)),
        ("citybus", "6", Money(1140, HKD)),
        ("shenzhen-bus", "M462", Money(300, CNY)),
        ("shenzhen-bus", "a route of no list", Money(200, CNY)),
    ],
)
def test_the_highest_fare_of_a_stop_or_route(network: str, stop: str, fare: Money) -> None:
    found = BUILT_IN.find(network, stop, DAY)
    assert found is not None and found.fare == fare


def test_no_fare_is_told_where_no_tariff_knows_the_stop() -> None:
    assert BUILT_IN.find("mtr", "Atlantis", DAY) is None
    assert BUILT_IN.find("ferry", "1", DAY) is None
    assert BUILT_IN.find("mtr", "1", date(2000, 1, 1)) is None
    assert BUILT_IN.stop_id("mtr", "中環", DAY) == "1"
    assert BUILT_IN.stop_id("mtr", "Atlantis", DAY) == "Atlantis"
    assert BUILT_IN.stop_id("shenzhen-bus", "X1", DAY) == "X1"


def test_the_version_in_force_decides_on_both_sides_of_its_first_day() -> None:
    def version(begins: date, minor: int) -> HighestFare:
        return HighestFare("mtr", "1", begins, ("central",), Money(minor, HKD))

    fares = StopFares((version(DAY, 700), version(DAY - timedelta(days=90), 600)))
    for day, minor in ((DAY - timedelta(days=1), 600), (DAY, 700)):
        found = fares.find("mtr", "Central", day)
        assert found is not None and found.fare.minor == minor


def test_the_highest_fare_of_a_bus_route_is_that_of_any_day_and_any_boarding_stop() -> None:
    kmb = builtin_book().latest("kmb")
    fares = FlatFares(
        {"1": 500, "2": 500, "3": 500, "4": 500},
        holiday_by_route={"2": 900},
        by_boarding={("3", "a"): 700, ("3", "b"): 400},
        by_section={("4", "a", "b"): 300, ("4", "a", "c"): 800},
    )
    stops = tuple(Stop(route, (route,)) for route in fares.by_route)
    highest = highest_fares(TariffBook([replace(kmb, fares=fares, stops=stops)]))
    assert [it.fare.minor for it in highest] == [500, 900, 700, 800]


def test_a_name_of_two_stops_stands_for_the_dearer_one_and_an_id_for_itself() -> None:
    fares = StopFares(
        (
            HighestFare("bus", "a", DAY, ("pier",), Money(900, HKD)),
            HighestFare("bus", "b", DAY, ("pier", "a"), Money(1200, HKD)),
        )
    )
    by_name, by_id = fares.find("bus", "Pier", DAY), fares.find("bus", "a", DAY)
    assert by_name is not None and by_name.fare.minor == 1200
    assert by_id is not None and by_id.fare.minor == 900


def test_real_files_give_each_stop_the_highest_of_its_row(data_dir: Path) -> None:
    book = load_book(data_dir)
    found = highest_fares(book)
    fares = StopFares(tuple(found))
    for network in ("mtr", "shenzhen-metro"):
        tariff = book.tariff(network, DAY)
        start = tariff.stops[5]
        others = [stop for stop in tariff.stops if stop.id != start.id]
        highest = max(tariff.plain_fare(start, stop).minor for stop in others)
        at_stop = fares.find(network, start.id, DAY)
        assert at_stop is not None and at_stop.fare.minor == highest
    assert {it.network for it in found} == set(book.networks)
    assert any(it.stop == ANY_ROUTE for it in found)


@pytest.mark.parametrize(
    ("minor", "rate", "expected"),
    [(5220, "0.92", 5000), (10000, "1", 10300), (10001, "1", 10400), (0, "0.92", 0)],
)
def test_a_fare_in_the_other_currency_is_rounded_up_to_whole_units(
    minor: int, rate: str, expected: int
) -> None:
    assert fare_at_most(Money(minor, HKD), CNY, Decimal(rate), DAY) == Money(expected, CNY)


def test_the_safety_margin_is_dated() -> None:
    begins, margin = SAFETY_MARGINS[-1]
    assert safety_margin(begins) == margin
    assert safety_margin(date(2000, 1, 1)) == SAFETY_MARGINS[0][1]
