"""What is charged where a tap is missing and the rider cannot be blamed for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from transitpay.fares.pricing import price
from transitpay.journeys.journey import (
    Excuse,
    Filled,
    FilledBy,
    Journey,
    boarding,
    excused,
    filled,
    without_alighting,
    without_entry,
    without_exit,
)
from transitpay.runtime.builtin import builtin_book
from transitpay.taps import Direction, RiderRef, Tap, TapKey

NOON = datetime(2026, 10, 5, 4, 0, tzinfo=UTC)
LIMIT = timedelta(minutes=150)
BOOK = builtin_book()


def tap(network: str, stop: str, direction: Direction, stage: int | None = None) -> Tap:
    rider = RiderRef("alipayhk", "00000000000000a1")
    key = TapKey(NOON.date(), stop, 1)
    return Tap(key, rider, network, network, stop, direction, NOON, stage_fare_minor=stage)


def amount(journey: Journey) -> tuple[int, list[str]]:
    fare = price(journey, BOOK.latest(journey.network), journey.rider.issuer)
    return fare.amount.minor, [line.code for line in fare.lines]


ENTRY = without_exit(tap("mtr", "78", Direction.ENTRY), LIMIT)


def test_where_the_whole_network_stood_open_the_cheapest_ride_of_all_counts() -> None:
    everywhere = filled(ENTRY, Filled(FilledBy.OPEN_GATES, (), "7"))
    assert amount(everywhere) == (2650, ["fare", "filled"])
    at_two = filled(ENTRY, Filled(FilledBy.OPEN_GATES, ("1", "68"), "7"))
    assert amount(at_two)[0] == 3300
    back = without_entry(tap("mtr", "78", Direction.EXIT))
    assert amount(filled(back, Filled(FilledBy.OPEN_GATES, (), "7")))[0] == 2650


@pytest.mark.parametrize("excuse", [Excuse.LATE, Excuse.EMERGENCY, Excuse.FREE, Excuse.GIVEN_BACK])
def test_an_excused_missing_tap_costs_nothing(excuse: Excuse) -> None:
    assert amount(excused(ENTRY, excuse)) == (0, ["missing_exit", str(excuse)])


def test_a_late_tap_that_stays_alone_is_told_once() -> None:
    entry = tap("mtr", "78", Direction.ENTRY)
    late = excused(without_exit(entry, LIMIT, late=True), Excuse.LATE)
    assert amount(late) == (0, ["missing_exit", "late"])


def test_a_forgotten_alighting_scan_costs_the_whole_fare_without_discount() -> None:
    board = tap("shenzhen-bus", "M462", Direction.BOARD)
    assert amount(boarding(board))[0] == 240
    forgotten = without_alighting(board, timedelta(minutes=120))
    assert amount(forgotten) == (300, ["fare", "no_alighting"])
    stage = tap("shenzhen-bus", "M462", Direction.BOARD, 800)
    assert amount(without_alighting(stage, timedelta(minutes=120)))[0] == 800
