"""Fares by the rules of each network, at both edges, with lines that sum to the amount."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from luck import examples

from transitpay.errors import MalformedInput
from transitpay.fares import line_texts
from transitpay.fares.fare import Fare, FareLine
from transitpay.fares.names import Language
from transitpay.fares.pricing import price
from transitpay.fares.rules import rules_of
from transitpay.fares.tariff import FlatFares, MatrixFares, Stop, Tariff
from transitpay.journeys.journey import (
    Filled,
    FilledBy,
    Journey,
    boarding,
    filled,
    passage,
    section,
    without_entry,
    without_exit,
)
from transitpay.money import CNY, HKD, Money
from transitpay.runtime.builtin import builtin_book
from transitpay.taps import Direction, RiderRef, Tap, TapKey

BOOK = builtin_book()
NOON = datetime(2026, 10, 1, 4, 0, tzinfo=UTC)


def tap(
    network: str,
    stop: str,
    direction: Direction,
    at: datetime = NOON,
    stage_fare_minor: int | None = None,
) -> Tap:
    return Tap(
        key=TapKey(date(2026, 10, 1), f"{stop}-{direction}", 1),
        rider=RiderRef("alipayhk", "00000000000000a1"),
        operator=network,
        network=network,
        stop=stop,
        direction=direction,
        at=at,
        stage_fare_minor=stage_fare_minor,
    )


def ride(network: str, start: str, end: str, stay: timedelta, at: datetime = NOON) -> Journey:
    limit = rules_of(BOOK.latest(network)).limit
    assert limit is not None
    return passage(
        tap(network, start, Direction.ENTRY, at),
        tap(network, end, Direction.EXIT, at + stay),
        limit,
    )


def priced(journey: Journey, wallet: str = "alipayhk", tariff: Tariff | None = None) -> Fare:
    return price(journey, tariff or BOOK.tariff(journey.network, journey.service_day), wallet)


def bus(network: str, route: str, stage: int | None = None) -> Journey:
    return boarding(tap(network, route, Direction.BOARD, stage_fare_minor=stage))


def codes(fare: Fare) -> list[str]:
    return [line.code for line in fare.lines]


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def test_admiralty_to_lok_ma_chau_is_52_20_in_both_directions() -> None:
    for start, end in (("2", "78"), ("78", "2")):
        fare = priced(ride("mtr", start, end, minutes(50)))
        assert fare.amount == Money(5220, HKD)
        assert codes(fare) == ["fare"]
        assert fare.tariff_version == "builtin-mtr-2024-06-30"


def test_150_minutes_are_in_time_and_a_second_more_adds_66_in_the_same_fare() -> None:
    assert priced(ride("mtr", "2", "78", minutes(150))).amount == Money(5220, HKD)
    late = priced(ride("mtr", "2", "78", minutes(150) + timedelta(seconds=1)))
    assert late.amount == Money(11820, HKD)
    assert codes(late) == ["fare", "overstay"]
    assert late.lines[1].amount == Money(6600, HKD)


def test_the_same_mtr_station_is_the_lowest_fare_to_20_minutes_and_then_10() -> None:
    for stay, minor in ((0.0, 400), (20, 400), (20 + 1 / 60, 1000), (150, 1000)):
        fare = priced(ride("mtr", "2", "2", minutes(stay)))
        assert (fare.amount, codes(fare)) == (Money(minor, HKD), ["same_station"])
    assert priced(ride("mtr", "2", "2", minutes(151))).amount == Money(1000 + 6600, HKD)


@pytest.mark.parametrize("station", ["76", "78"])
@pytest.mark.parametrize("stay", [5, 60])
def test_the_same_border_station_is_the_lowest_fare_from_there(station: str, stay: int) -> None:
    assert priced(ride("mtr", station, station, minutes(stay))).amount == Money(2650, HKD)


def test_a_missing_tap_is_the_maximum_fare_and_says_so() -> None:
    entry = tap("mtr", "75", Direction.ENTRY)
    no_exit = priced(without_exit(entry, minutes(150)))
    no_entry = priced(without_entry(tap("shenzhen-metro", "0101", Direction.EXIT)))
    assert (no_exit.amount, codes(no_exit)) == (Money(6080, HKD), ["missing_exit"])
    assert (no_entry.amount, codes(no_entry)) == (Money(1500, CNY), ["missing_entry"])
    assert "Sheung Shui" in no_exit.lines[0].text(Language.EN)
    assert "our reading" in no_exit.lines[0].text(Language.EN)


def test_shenzhen_metro_raises_the_fare_to_15_after_210_minutes() -> None:
    assert priced(ride("shenzhen-metro", "0101", "0410", minutes(210))).amount.minor == 500
    late = priced(ride("shenzhen-metro", "0101", "0410", minutes(210) + timedelta(seconds=1)))
    assert late.amount == Money(1500, CNY)
    assert [line.amount.minor for line in late.lines] == [500, 1000]


def test_the_same_shenzhen_station_is_2_by_any_of_its_codes() -> None:
    fare = priced(ride("shenzhen-metro", "0103", "0311", minutes(40)))
    assert (fare.amount, codes(fare)) == (Money(200, CNY), ["same_station"])


@pytest.mark.parametrize(
    ("wallet", "day", "minor"),
    [
        ("alipay", date(2021, 12, 31), 475),
        ("shenzhen-tong", date(2018, 8, 31), 475),
        ("alipay", date(2022, 1, 1), 500),
        ("alipayhk", date(2021, 12, 31), 500),
    ],
)
def test_the_code_discount_ends_with_2021_and_belongs_to_its_wallets(
    wallet: str, day: date, minor: int
) -> None:
    at = datetime(day.year, day.month, day.day, 4, 0, tzinfo=UTC)
    fare = priced(ride("shenzhen-metro", "0101", "0410", minutes(30), at), wallet)
    assert fare.amount == Money(minor, CNY)
    assert codes(fare) == (["fare"] if minor == 500 else ["fare", "code_discount"])


def test_an_overstay_after_a_discount_is_still_15() -> None:
    at = datetime(2020, 6, 1, 4, 0, tzinfo=UTC)
    fare = priced(ride("shenzhen-metro", "0101", "0410", minutes(211), at), "alipay")
    assert [line.amount.minor for line in fare.lines] == [500, -25, 1025]


@pytest.mark.parametrize(
    ("stage", "minor"), [(100, 80), (200, 160), (300, 240), (500, 390), (600, 465), (800, 595)]
)
def test_shenzhen_bus_tiers(stage: int, minor: int) -> None:
    fare = priced(bus("shenzhen-bus", "103路", stage))
    assert fare.amount == Money(minor, CNY)
    assert fare.lines[0] == FareLine(line_texts.STAGE_FARE, Money(stage, CNY), ("103路",))


def test_a_second_scan_never_takes_away_what_codes_pay_less() -> None:
    bus = BOOK.latest("shenzhen-bus")
    sections = {("M462", "M462", "near"): 400, ("M462", "M462", "end"): 500}
    fares = FlatFares({"M462": 500}, by_section=sections)
    terms = replace(bus.terms, forgotten_alighting_full=False)
    gives_back = replace(bus, fares=fares, terms=terms)
    board = tap("shenzhen-bus", "M462", Direction.BOARD)
    for stop, lines in (("near", [500, -100, -60, -25]), ("end", [500, -60, -50])):
        alight = tap("shenzhen-bus", stop, Direction.ALIGHT, NOON + minutes(20))
        fare = priced(section(board, alight, waited=False), tariff=gives_back)
        assert [line.amount.minor for line in fare.lines] == lines


def test_shenzhen_bus_routes_have_their_fare_and_others_the_default() -> None:
    assert priced(bus("shenzhen-bus", "74")).amount == Money(200, CNY)  # 80 % of 2.50
    other = priced(bus("shenzhen-bus", "M999"))
    assert (other.amount, other.lines[0].code) == (Money(160, CNY), "default_fare")


def test_hong_kong_buses_take_the_full_fare_of_the_operators_own_route() -> None:
    assert priced(bus("kmb", "B1")).amount == Money(1530, HKD)
    assert priced(bus("kmb", "6")).amount == Money(580, HKD)
    assert priced(bus("citybus", "6")).amount == Money(1140, HKD)
    assert priced(bus("kmb", "B1", 760)).lines[0].code == "stage_fare"


def test_the_route_of_a_boarding_counts_before_its_stop() -> None:
    board = tap("kmb", "some-stop", Direction.BOARD)
    named = Tap(**{name: getattr(board, name) for name in Tap.__slots__} | {"route": "N73"})
    assert priced(boarding(named)).amount == Money(2260, HKD)


def test_what_a_tariff_cannot_price_is_refused() -> None:
    refused = [
        (bus("kmb", "B1", -1), "bad_stage_fare"),
        (bus("kmb", "no-such-route"), "unknown_stop"),
        (ride("mtr", "2", "999", minutes(9)), "unknown_stop"),
        (bus("mtr", "2"), "not_priceable"),
        (
            passage(
                tap("kmb", "B1", Direction.ENTRY), tap("kmb", "B1", Direction.EXIT), minutes(9)
            ),
            "not_priceable",
        ),
        (without_entry(tap("kmb", "B1", Direction.EXIT)), "not_priceable"),
    ]
    for journey, code in refused:
        with pytest.raises(MalformedInput) as refusal:
            priced(journey)
        assert refusal.value.code == code


@settings(max_examples=examples(200))
@given(
    st.sampled_from(["mtr", "shenzhen-metro"]),
    st.integers(0, 10),
    st.integers(0, 10),
    st.integers(0, 400),
    st.integers(0, 2500),
    st.sampled_from(["alipay", "alipayhk", "shenzhen-tong"]),
)
def test_lines_sum_to_the_amount_and_no_fare_is_off_its_step(
    network: str, start: int, end: int, stay: int, days: int, wallet: str
) -> None:
    tariff = BOOK.latest(network)
    at = datetime(2019, 1, 1, tzinfo=UTC) + timedelta(days=days)
    journey = ride(network, tariff.stops[start].id, tariff.stops[end].id, minutes(stay), at)
    fare = priced(journey, wallet, tariff)
    assert sum(line.amount.minor for line in fare.lines) == fare.amount.minor
    assert fare.amount.minor >= 0
    assert fare.amount.minor % tariff.terms.step_minor == 0


@given(st.integers(0, 5000))
def test_tiers_never_raise_a_fare_and_keep_its_order(stage: int) -> None:
    lower = priced(bus("shenzhen-bus", "x", stage)).amount.minor
    assert lower <= stage
    assert lower <= priced(bus("shenzhen-bus", "x", stage + 1)).amount.minor


def test_a_fare_that_is_the_highest_already_is_not_raised_and_has_no_line_of_it() -> None:
    metro = BOOK.latest("shenzhen-metro")
    assert metro.terms.overstay is not None
    overstay = replace(metro.terms.overstay, amount=Money(500, CNY))
    for amount, expected in ((500, ["fare"]), (501, ["fare", "overstay"])):
        terms = replace(metro.terms, overstay=replace(overstay, amount=Money(amount, CNY)))
        journey = ride("shenzhen-metro", "0101", "0410", minutes(211))
        fare = priced(journey, tariff=replace(metro, terms=terms))
        assert (codes(fare), fare.amount.minor) == (expected, amount)


def test_a_filled_end_is_priced_in_its_direction_and_the_line_says_which_end_it_is() -> None:
    mtr = BOOK.latest("mtr")
    assert isinstance(mtr.fares, MatrixFares)
    one_way = tuple(
        tuple(minor + 10 * (i < j) for j, minor in enumerate(row))
        for i, row in enumerate(mtr.fares.rows)
    )
    tariff = replace(mtr, fares=MatrixFares(mtr.fares.ids, one_way))
    end = Filled(FilledBy.RIDER, ("78",), "s-1")
    out = priced(
        filled(without_exit(tap("mtr", "2", Direction.ENTRY), minutes(150)), end), tariff=tariff
    )
    back = priced(filled(without_entry(tap("mtr", "2", Direction.EXIT)), end), tariff=tariff)
    assert (out.amount.minor, back.amount.minor) == (5230, 5220)
    there, no_exit = (line.text(Language.EN) for line in out.lines)
    home, no_entry = (line.text(Language.EN) for line in back.lines)
    assert there.startswith("Admiralty to") and "no exit" in no_exit
    assert home.startswith("Lok Ma Chau to") and "no entry" in no_entry


def test_a_route_that_has_fares_from_some_stops_alone_is_refused_from_any_other() -> None:
    kmb = replace(
        BOOK.latest("kmb"),
        fares=FlatFares({}, by_boarding={("268C", "a"): 1840}),
        stops=(Stop("268C", ("268C",)),),
    )
    for stop, code in (("a", None), ("b", "not_priceable")):
        board = replace(tap("kmb", stop, Direction.BOARD), route="268C")
        if code is None:
            assert priced(boarding(board), tariff=kmb).amount.minor == 1840
            continue
        with pytest.raises(MalformedInput) as refusal:
            priced(boarding(board), tariff=kmb)
        assert refusal.value.code == code


def test_a_route_of_which_one_fare_is_known_for_all_days_says_so_on_weekdays() -> None:
    nlb = BOOK.latest("nlb")
    assert isinstance(nlb.fares, FlatFares)
    told = priced(bus("nlb", "B2"), tariff=nlb).lines[0].text(Language.EN)
    assert told.endswith("no lower fare of weekdays is known")
    lower = replace(nlb.fares, by_route={**nlb.fares.by_route, "B2": 1200})
    told = priced(bus("nlb", "B2"), tariff=replace(nlb, fares=lower)).lines[0].text(Language.EN)
    assert told == "route B2, adult full fare"
