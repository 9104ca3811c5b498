"""The clock of a sandbox: business time at a speed, and at another one from some instant on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from transitpay.clock import Clock, ManualClock, ScaledClock, instant_text, parse_clock, waited

MORNING = datetime(2026, 10, 29, 22, tzinfo=UTC)
EVENING = MORNING + timedelta(hours=16)
REAL = datetime(2026, 1, 1, tzinfo=UTC)


def turning(machine: Clock) -> ScaledClock:
    return ScaledClock(MORNING, REAL, 600, EVENING, 3600, machine)


@pytest.mark.parametrize(
    ("real_s", "business_s"),
    [
        (-10, -6000),
        (0, 0),
        (95, 57_000),
        (96, 57_600),
        (97, 57_600 + 3600),
        (106, 57_600 + 36_000),
    ],
)
def test_business_time_runs_at_the_second_speed_from_the_turn_on(
    real_s: int, business_s: int
) -> None:
    clock = turning(ManualClock(REAL + timedelta(seconds=real_s)))
    assert clock.now() == MORNING + timedelta(seconds=business_s)
    assert clock.speed == 600


def test_the_text_of_a_clock_names_the_same_clock() -> None:
    for clock in (ScaledClock(MORNING, REAL, 600), ScaledClock(MORNING, REAL, 600, EVENING, 3600)):
        assert parse_clock(str(clock)) == clock


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 min"), (59, "0 min"), (60, "1 min"), (3599, "59 min"), (3600, "1 h 0 min"),
        (86399, "23 h 59 min"), (86400, "1 d 0 h"), (183600, "2 d 3 h"), (187199, "2 d 3 h"),
    ],
)  # fmt: skip
def test_how_long_something_waits_is_cut_to_two_units(seconds: int, text: str) -> None:
    at = datetime(2026, 11, 2, tzinfo=UTC)
    assert waited(at, at + timedelta(seconds=seconds)) == text


def test_an_instant_is_printed_the_same_from_whatever_zone_it_came() -> None:
    at = datetime(2026, 3, 27, 16, 30, 5, 120_000, tzinfo=UTC)
    assert instant_text(at) == "2026-03-28T00:30:05.120000+08:00"
    assert instant_text(at.astimezone(timezone(timedelta(hours=-3)))) == instant_text(at)
    assert instant_text(None) is None
