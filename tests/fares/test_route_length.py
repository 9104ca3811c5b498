"""Fares by the length of a route, and the business car: small rules at both edges."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import combinations_with_replacement
from pathlib import Path

import pytest

from transitpay.errors import MalformedInput, RuleViolation
from transitpay.fares.business_car import price_business_car
from transitpay.fares.route_length import fare_by_length
from transitpay.fares.tariff import Tariff
from transitpay.fares.terms import BusinessCar, LengthFares, LengthStep, LongRoutes
from transitpay.money import CNY, Money
from transitpay.runtime.builtin import builtin_book
from transitpay.runtime.tariff_folder import load_book


def yuan(amount: int) -> Money:
    return Money(amount * 100, CNY)


FOSHAN = LengthFares(
    (LengthStep(17, yuan(2)), LengthStep(30, yuan(3)), LengthStep(None, yuan(4))),
    LongRoutes(45, yuan(3), 15, 10, yuan(1), yuan(5)),
    "a rule",
)


@pytest.mark.parametrize(
    ("route_km", "minor"),
    [
        ("0.001", 200),
        ("17", 200),
        ("17.0001", 300),
        ("30", 300),
        ("30.0001", 400),
        ("44.9999", 400),
    ],
)
def test_the_length_of_a_route_sets_its_fare(route_km: str, minor: int) -> None:
    assert fare_by_length(FOSHAN, Decimal(route_km)) == Money(minor, CNY)
    assert fare_by_length(FOSHAN, Decimal(route_km), Decimal("0.001")) == Money(minor, CNY)


@pytest.mark.parametrize(
    ("ridden_km", "minor"),
    [
        ("0.001", 300),
        ("15", 300),
        ("15.0001", 400),
        ("25", 400),
        ("25.0001", 500),
        ("45", 500),
    ],
)
def test_routes_of_45_km_and_more_go_by_the_distance_ridden(ridden_km: str, minor: int) -> None:
    ridden = Decimal(ridden_km)
    assert fare_by_length(FOSHAN, Decimal(45), ridden) == Money(minor, CNY)
    assert fare_by_length(FOSHAN, Decimal(90), ridden) == Money(minor, CNY)
    assert fare_by_length(FOSHAN, Decimal(45)) == yuan(5)
    assert fare_by_length(replace(FOSHAN, long=None), Decimal(45), ridden) == yuan(4)


HALF_AN_HOUR = timedelta(minutes=30)


@pytest.fixture
def metro() -> Tariff:
    tariff = builtin_book().latest("shenzhen-metro")
    car = BusinessCar(2, frozenset({"0221", "0111", "1113"}), "a rule")
    return replace(tariff, terms=replace(tariff.terms, business_car=car))


def test_the_business_car_costs_the_whole_path_and_twice_its_part(metro: Tariff) -> None:
    luohu, futian, airport = (metro.find_stop(name) for name in ("罗湖", "福田", "机场"))
    fare = price_business_car((luohu, airport), (futian, airport), HALF_AN_HOUR, metro)
    whole, part = metro.plain_fare(luohu, airport).minor, metro.plain_fare(futian, airport).minor
    assert [line.amount.minor for line in fare.lines] == [whole, 2 * part]
    alone = price_business_car((futian, airport), (futian, airport), HALF_AN_HOUR, metro)
    assert alone.amount.minor == 3 * part


def test_what_a_long_stay_adds_in_the_business_car_is_not_known_and_said(metro: Tariff) -> None:
    futian, airport = metro.find_stop("福田"), metro.find_stop("机场")
    for stay, codes in (
        (timedelta(minutes=210), ["fare", "business_car"]),
        (timedelta(minutes=210, seconds=1), ["fare", "business_car", "overstay_unknown"]),
    ):
        fare = price_business_car((futian, airport), (futian, airport), stay, metro)
        assert [line.code for line in fare.lines] == codes
        assert fare.amount.minor == 3 * metro.plain_fare(futian, airport).minor


def test_a_part_that_is_not_on_the_path_by_its_fares_has_no_fare(metro: Tariff) -> None:
    luohu, guomao, futian, airport = map(metro.find_stop, ("罗湖", "国贸", "福田", "机场"))
    for path, part in (
        ((luohu, guomao), (futian, airport)),  # dearer than the whole path
        ((luohu, airport), (airport, futian)),  # the other way
        ((luohu, futian), (futian, airport)),  # beyond its end
    ):
        with pytest.raises(MalformedInput, match="is no part of") as refusal:
            price_business_car(path, part, HALF_AN_HOUR, metro)
        assert refusal.value.code == "part_off_path"


def test_the_business_car_is_refused_off_its_line_and_where_there_is_none(metro: Tariff) -> None:
    luohu, futian, airport = (metro.find_stop(name) for name in ("罗湖", "福田", "机场"))
    with pytest.raises(MalformedInput, match="does not call at 罗湖"):
        price_business_car((luohu, airport), (luohu, airport), HALF_AN_HOUR, metro)
    with pytest.raises(MalformedInput, match="two different ends"):
        price_business_car((luohu, airport), (airport, airport), HALF_AN_HOUR, metro)
    without = replace(metro, terms=replace(metro.terms, business_car=None))
    with pytest.raises(RuleViolation, match="has no business car"):
        price_business_car((luohu, airport), (futian, airport), HALF_AN_HOUR, without)


_LINE_11 = (
    *("碧头", "松岗", "后亭", "沙井", "马安山", "塘尾", "桥头", "福永", "机场北", "机场", "碧海湾"),
    *(
        "宝安",
        "前海湾",
        "南山",
        "后海",
        "红树湾南",
        "车公庙",
        "福田",
        "岗厦北",
        "福星",
        "华强南",
        "红岭南",
    ),
)


def test_every_part_of_a_ride_along_line_11_is_on_its_path(data_dir: Path) -> None:
    metro = load_book(data_dir, networks=["shenzhen-metro"]).latest("shenzhen-metro")
    for names in (_LINE_11, _LINE_11[::-1]):
        line = [metro.find_stop(name) for name in names]
        for places in combinations_with_replacement(range(len(line)), 4):
            start, take, leave, end = (line[i] for i in places)
            if take != leave:
                price_business_car((start, end), (take, leave), HALF_AN_HOUR, metro)
