"""Taps that came after the late window are apart from all that came in time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from riding import DAY, FAR, MINUTE, SECOND, alight, board, entry, exit_, run, said

from transitpay.journeys.journey import Excuse, JourneyKind
from transitpay.journeys.lifecycle import JourneyReason
from transitpay.journeys.statements import StatementKind

WINDOW = 7 * DAY


def test_a_tap_that_came_when_the_window_ended_still_counts_in_full() -> None:
    (journey,) = run([entry(0), exit_(40, received=WINDOW)]).journeys
    assert (journey.reason, journey.late) == (None, False)


def test_an_exit_that_came_a_second_later_joins_no_entry_and_costs_nothing_more() -> None:
    first, second = run([entry(0), exit_(40, received=WINDOW + SECOND)], FAR).journeys
    assert (first.reason, first.late) == (JourneyReason.MISSING_EXIT, False)
    assert first.excuse is None
    assert (second.reason, second.late) == (JourneyReason.MISSING_ENTRY, True)
    assert second.excuse is Excuse.LATE


def test_two_late_taps_are_a_ride_of_their_own() -> None:
    late = WINDOW + SECOND
    taps = [entry(0), entry(10, received=late), exit_(30, received=late), exit_(40)]
    first, second = run(taps, FAR).journeys
    assert (first.entry, first.exit, first.late) == (taps[0], taps[3], False)
    assert (second.entry, second.exit, second.late) == (taps[1], taps[2], True)
    assert (second.reason, second.excuse) == (None, None)


def test_a_late_ride_that_took_too_long_is_an_overstay() -> None:
    (journey,) = run([entry(0, received=9 * DAY), exit_(200, received=9 * DAY)]).journeys
    assert (journey.reason, journey.late) == (JourneyReason.OVERSTAY, True)


def test_a_late_tap_repeats_no_tap_that_came_in_time() -> None:
    taps = [entry(0), entry(1, sequence=2, received=9 * DAY), exit_(40)]
    journeys = run(taps, FAR).journeys
    assert [(len(journey.taps), journey.late) for journey in journeys] == [(2, False), (1, True)]


def test_a_late_boarding_is_a_ride_and_a_late_alighting_scan_lowers_no_fare() -> None:
    late = 9 * DAY
    result = run([board(0), alight(20, received=late), board(30, received=late, sequence=2)], FAR)
    assert [(j.kind, j.late) for j in result.journeys] == [
        (JourneyKind.SINGLE, False),
        (JourneyKind.SINGLE, True),
    ]
    assert len(result.set_aside) == 1
    (both,) = run([board(0, received=late), alight(20, received=late)], FAR).journeys
    assert (both.kind, both.late) == (JourneyKind.SECTIONAL, True)


def test_nobody_says_that_the_alighting_of_a_late_boarding_was_forgotten() -> None:
    tap = board(0, route="M462", network="shenzhen-bus", received=9 * DAY)
    (journey,) = run([tap]).journeys
    assert (journey.reason, journey.late) == (None, True)


@pytest.mark.parametrize("received", [-MINUTE, timedelta(0), WINDOW])
def test_a_tap_in_time_is_never_late_however_its_clock_went(received: timedelta) -> None:
    (journey,) = run([board(0, received=received)]).journeys
    assert not journey.late


def test_what_is_said_of_a_late_tap_fills_nothing_but_can_give_it_back() -> None:
    tap = exit_(40, received=9 * DAY)
    (journey,) = run([tap], FAR, statements=[said(StatementKind.DECLARED, tap, "3")]).journeys
    assert (journey.filled, journey.excuse) == (None, Excuse.LATE)
    (journey,) = run([tap], FAR, statements=[said(StatementKind.GIVEN_BACK, tap)]).journeys
    assert journey.excuse is Excuse.GIVEN_BACK
