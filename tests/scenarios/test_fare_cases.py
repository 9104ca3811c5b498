"""The abuse cases of journeys that fares and rates decide, each told in rows at its edges."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from scenarios.books import scenario_books
from scenarios.scenario import Scenario, read_row, run
from transitpay.fares.tariff import TariffBook
from transitpay.fx.rate import NotYet, PublishedRate, rate_at
from transitpay.journeys.journey import boarding, passage, without_exit
from transitpay.money import CNY, HKD
from transitpay.taps import Direction, RiderRef, Tap, TapKey


@pytest.fixture(scope="module")
def books() -> Mapping[str, TariffBook]:
    return scenario_books()


def told(row: str, books: Mapping[str, TariffBook]) -> list[str]:
    scenario: Scenario = read_row("a case", row, "here")
    return run(scenario, books)


@pytest.mark.parametrize(
    ("network", "ends", "limit", "fare", "dearer"),
    [
        ("mtr", ("Admiralty", "Lok_Ma_Chau"), "14:30", "52.20", "118.20"),
        ("shenzhen-metro", ("0101", "0410"), "15:30", "5.00", "15.00"),
    ],
)
def test_case_48_a_second_past_150_or_210_minutes_costs_what_the_rules_say(
    network: str,
    ends: tuple[str, str],
    limit: str,
    fare: str,
    dearer: str,
    books: Mapping[str, TariffBook],
) -> None:
    hour, minute = limit.split(":")
    before = f"{int(hour) - (minute == '00')}:{(int(minute) - 1) % 60:02}:59"
    for out, amount in ((before, fare), (f"{limit}:00", fare), (f"{limit}:01", dearer)):
        row = f"12:00 in {network} {ends[0]}; {out} out {network} {ends[1]}"
        assert told(row, books)[0].split()[0] == amount


@pytest.mark.parametrize(
    ("station", "within", "beyond"),
    [("Admiralty", "4.00", "10.00"), ("Lo_Wu", "26.50", "26.50"), ("78", "26.50", "26.50")],
)
def test_case_49_the_same_station_after_20_minutes_costs_more_but_not_at_the_border(
    station: str, within: str, beyond: str, books: Mapping[str, TariffBook]
) -> None:
    for out, amount in (("12:19:59", within), ("12:20:00", within), ("12:20:01", beyond)):
        row = f"12:00 in mtr {station}; {out} out mtr {station}"
        assert told(row, books)[0].split()[0] == amount


def test_case_52_the_amnesty_for_a_delay_takes_off_the_overstay_and_leaves_the_fare(
    books: Mapping[str, TariffBook],
) -> None:
    rides = "12:00 in mtr 2; 15:00 out mtr 78; 16:00 in shenzhen-metro 0101; "
    rides += "20:00 out shenzhen-metro 0410; mode date_waiver mtr * 13:00 14:00; "
    rides += "mode date_waiver shenzhen-metro 0410 17:00 18:00"
    assert told(rides, books) == [
        "52.20 fare 52.20 overstay 66.00 delay -66.00",
        "5.00 fare 5.00 overstay 10.00 delay -10.00",
    ]


@pytest.mark.parametrize(
    ("enters", "leaves", "amount"),
    [
        ("on 2026-10-05; 23:30", "+1 00:30", "52.20"),  # over midnight: nothing changes
        ("on 2026-10-06; 03:59:59", "04:30", "52.20"),  # the table changes at 04:00
        ("on 2026-10-06; 04:00:00", "04:30", "53.20"),
    ],
)
def test_case_54_a_table_that_changes_on_the_way_is_that_of_the_entry_however_late_taps_come(
    enters: str, leaves: str, amount: str, books: Mapping[str, TariffBook]
) -> None:
    for came in ("", " late=2d", " late=7d"):
        row = f"book changes; {enters} in mtr 2{came}; {leaves} out mtr 78{came}"
        assert told(row, books) == [f"{amount} fare {amount}"]


def test_case_54_a_rate_that_changes_on_the_way_is_that_of_the_exit_whenever_it_is_asked_for() -> (
    None
):
    midnight = datetime(2026, 10, 5, 16, tzinfo=UTC)

    def rate(at: datetime, value: str) -> PublishedRate:
        return PublishedRate(HKD, CNY, at, Decimal(value), "feed", at)

    def tap(direction: Direction, at: datetime) -> Tap:
        key = TapKey(at.date(), f"gate-{direction}", 1)
        return Tap(key, RiderRef("alipay", "0" * 16), "mtr", "mtr", "2", direction, at)

    second, limit = timedelta(seconds=1), timedelta(minutes=150)
    entry = tap(Direction.ENTRY, midnight - timedelta(minutes=30))
    old, new = rate(midnight - timedelta(days=1), "0.91"), rate(midnight, "0.92")
    next_day = rate(midnight + timedelta(days=1), "0.93")
    for exit_at, expected in ((midnight - second, old), (midnight, new)):
        priced_at = passage(entry, tap(Direction.EXIT, exit_at), limit).priced_at
        assert rate_at([old, new, next_day], priced_at) == expected, "also long afterwards"
    assert rate_at([old, new], midnight) == NotYet(midnight)
    assert without_exit(entry, limit).priced_at == entry.at + limit
    assert boarding(tap(Direction.BOARD, midnight - second)).priced_at == midnight - second
