"""A missing exit is filled by where the rider always left of late: three times within 28 days."""

from __future__ import annotations

from dataclasses import replace

from riding import (
    A_SECOND,
    BY_NETWORK,
    DAY,
    FAR,
    RULES,
    after,
    entry,
    exit_,
    mode,
    run,
    said,
)

from transitpay.journeys.journey import Filled, FilledBy
from transitpay.journeys.rules import RuleBook
from transitpay.journeys.statements import StatementKind
from transitpay.journeys.station_modes import Mode
from transitpay.taps import Tap

A_DAY = 24 * 60
HOME = Filled(FilledBy.HABIT, ("7",))


def ride(day: float, to: str = "7", start: str = "2", **more: object) -> list[Tap]:
    return [
        entry(day * A_DAY, stop=start, **more),
        exit_(day * A_DAY + 30, stop=to, **more),
    ]


def fills(taps: list[Tap], **more: object) -> list[Filled | None]:
    journeys = run(taps, FAR, **more).journeys  # type: ignore[arg-type]  # keywords of run()
    return [journey.filled for journey in journeys if journey.exit is None]


def test_the_third_ride_makes_a_habit_and_two_do_not() -> None:
    two = [*ride(0), *ride(1)]
    assert fills([*two, entry(3 * A_DAY)]) == [None]
    assert fills([*two, *ride(2), entry(3 * A_DAY)]) == [HOME]


def test_one_ride_to_elsewhere_makes_it_no_habit() -> None:
    four = [*ride(0), *ride(0.5), *ride(1), *ride(2, to="8")]
    assert fills([*four, entry(3 * A_DAY)]) == [None]
    assert fills([*four, *ride(2.5, start="9", to="10"), entry(30.5 * A_DAY)]) == [None]


def test_rides_count_for_28_days() -> None:
    rides = [*ride(0), *ride(1), *ride(2)]
    assert fills([*rides, entry(28 * A_DAY)]) == [HOME]
    assert fills([*rides, entry(28 * A_DAY + A_SECOND)]) == [None]


def test_rides_after_it_and_of_another_slot_make_no_habit() -> None:
    assert fills([entry(0), *ride(1), *ride(2), *ride(3)]) == [None]
    other = [*ride(0, slot=1), *ride(1, slot=1), *ride(2, slot=1)]
    assert fills([*other, entry(3 * A_DAY)]) == [None]


def test_a_habit_fills_two_exits_a_month_and_begins_anew_with_the_next() -> None:
    # The first of October is the first day; the 32nd day is in November.
    taps = [one for day in range(28) for one in ride(day)]
    missing = [entry((day + 0.5) * A_DAY) for day in (10, 11, 12, 31)]
    assert fills([*taps, *missing]) == [HOME, HOME, None, HOME]


def test_a_station_is_left_where_it_was_entered_by_no_habit() -> None:
    rounds = [*ride(0, to="2"), *ride(1, to="2"), *ride(2, to="2")]
    assert fills([*rounds, entry(3 * A_DAY)]) == [None]


def test_a_missing_entry_is_filled_by_no_habit() -> None:
    taps = [*ride(0), *ride(1), *ride(2), exit_(3 * A_DAY, stop="7")]
    assert [j.filled for j in run(taps, FAR).journeys] == [None] * 4


def test_late_rides_neither_make_a_habit_nor_are_filled_by_one() -> None:
    late = 9 * DAY
    rides = [*ride(0), *ride(1), *ride(2, received=late)]
    assert fills([*rides, entry(3 * A_DAY)]) == [None]
    assert fills([*ride(0), *ride(1), *ride(2), entry(3 * A_DAY, received=late)]) == [None]


def test_modes_and_statements_come_before_habit_and_use_up_none_of_it() -> None:
    rides = [*ride(0), *ride(1), *ride(2)]
    missing = [entry(day * A_DAY) for day in (3, 4, 5, 6)]
    said_ = said(StatementKind.DECLARED, missing[0], "8")
    opened = mode(Mode.GATES_OPEN, 4 * A_DAY, 4 * A_DAY + 60, stop="9")
    found = fills([*rides, *missing], statements=[said_], modes=[opened])
    assert [it and it.by for it in found] == [
        FilledBy.RIDER,
        FilledBy.OPEN_GATES,
        FilledBy.HABIT,
        FilledBy.HABIT,
    ]


def test_a_network_without_habits_has_none() -> None:
    rules = RuleBook.always({"mtr": replace(BY_NETWORK["mtr"], habit=None)})
    assert fills([*ride(0), *ride(1), *ride(2), entry(3 * A_DAY)], rules=rules) == [None]
    assert RULES.on("mtr", after(0).date()) is not None
