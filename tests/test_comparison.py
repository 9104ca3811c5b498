"""What is booked and what ought to stand: the difference is found once, and nothing else moves."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transitpay.clearing import revision_id
from transitpay.comparison import Booked, Changes, EndedWhy, compare
from transitpay.fares.fare import Fare, FareLine, Priced
from transitpay.fares.line_texts import as_told
from transitpay.journeys.journey import (
    Excuse,
    Filled,
    FilledBy,
    Journey,
    boarding,
    passage,
    without_entry,
    without_exit,
)
from transitpay.money import HKD, Money
from transitpay.taps import Direction, RiderRef, Tap, TapKey

NOON = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
RIDER = RiderRef("alipayhk", "00000000000000aa")


def tap(n: int, direction: Direction = Direction.ENTRY) -> Tap:
    key = TapKey(NOON.date(), "gate", n)
    return Tap(key, RIDER, "mtr", "mtr", "2", direction, NOON + n * timedelta(minutes=10))


def fare(minor: int, text: str = "a fare") -> Fare:
    amount = Money(minor, HKD)
    return Fare(amount, (FareLine(as_told("fare", text), amount),), "v1")


def ride(first: int, last: int, minor: int = 1000) -> Priced:
    journey = passage(tap(first), tap(last, Direction.EXIT), 2 * HOUR)
    return Priced(journey, fare(minor))


def booked(it: Priced, revision: int = 1) -> Booked:
    journey, keys = it.journey, frozenset(tap.key for tap in it.journey.taps)
    owed = it.fare.amount
    return Booked(revision_id(journey.key, revision), revision, journey, keys, it.fare, None, owed)


def differ(
    ought: list[Priced], stands: list[Booked], waiting: AbstractSet[int] = frozenset()
) -> Changes:
    known = {tap.key for it in ought for tap in it.journey.taps} | {tap(n).key for n in range(20)}
    return compare(ought, stands, known, {tap(n).key for n in waiting})


def test_a_journey_as_it_is_booked_is_left_alone_whatever_its_fare_is_called() -> None:
    was = booked(ride(1, 2))
    found = differ([replace(ride(1, 2), fare=fare(1000, "another word"))], [was])
    assert found == Changes(kept=(was,))


def test_what_has_no_tap_of_a_booked_journey_is_new() -> None:
    was = booked(ride(1, 2))
    found = differ([ride(1, 2), ride(3, 4)], [was])
    assert (found.kept, found.ended, found.replacing) == ((was,), (), ())
    assert found.new == (ride(3, 4),)


def test_an_exit_that_came_late_ends_the_journey_without_one() -> None:
    was = booked(Priced(without_exit(tap(1), 2 * HOUR), fare(6600)))
    found = differ([ride(1, 2)], [was])
    [ended] = found.ended
    assert (ended.booked, ended.why) == (was, EndedWhy.OTHER_TAPS)
    assert ended.successor == found.replacing[0].journey == ride(1, 2).journey
    assert found.new == ()


def test_a_tap_within_a_pair_replaces_it_by_both_and_neither_is_plainly_new() -> None:
    was = booked(ride(1, 6))
    alone = Priced(without_exit(tap(1), 2 * HOUR), fare(6600))
    found = differ([alone, ride(4, 6)], [was])
    assert [e.booked for e in found.ended] == [was]
    assert found.replacing == (alone, ride(4, 6)) and found.new == ()


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (replace(ride(1, 2), fare=fare(999)), EndedWhy.OTHER_FARE),
        (
            Priced(replace(ride(1, 2).journey, excuse=Excuse.GIVEN_BACK), fare(0)),
            EndedWhy.GIVEN_BACK,
        ),
        (
            Priced(replace(ride(1, 2).journey, filled=Filled(FilledBy.RIDER, ("78",))), fare(1000)),
            EndedWhy.OTHER_END,
        ),
        (Priced(replace(ride(1, 2).journey, excuse=Excuse.DELAY), fare(900)), EndedWhy.OTHER_FARE),
        (
            Priced(replace(ride(1, 2).journey, priced_at=NOON), fare(1000)),
            EndedWhy.OTHER_FARE,
        ),
    ],
)
def test_the_same_taps_with_something_else_booked_end_for_that_reason(
    now: Priced, why: EndedWhy
) -> None:
    found = differ([now], [booked(ride(1, 2))])
    assert [e.why for e in found.ended] == [why] and found.replacing == (now,)


def test_which_record_filled_an_end_makes_no_difference() -> None:
    filled = replace(ride(1, 2).journey, filled=Filled(FilledBy.OPEN_GATES, ("3", "4"), "mode-1"))
    again = replace(filled, filled=Filled(FilledBy.OPEN_GATES, ("3", "4"), "mode-2"))
    assert differ([Priced(again, fare(1000))], [booked(Priced(filled, fare(1000)))]).ended == ()


def test_a_tap_that_is_not_accepted_any_more_is_named_before_all_else() -> None:
    was = booked(ride(1, 2))
    left = Priced(without_entry(tap(2, Direction.EXIT)), fare(6600))
    found = compare([left], [was], {tap(2).key}, set())
    assert [(e.why, e.successor) for e in found.ended] == [(EndedWhy.TAP_REFUSED, None)]
    assert found.replacing == (left,)


def test_a_journey_of_which_all_taps_wait_again_is_kept_and_of_which_one_does_is_not() -> None:
    alone = booked(Priced(without_exit(tap(1), 2 * HOUR), fare(6600)))
    assert differ([], [alone], {1}).kept == (alone,)
    pair = booked(ride(1, 2))
    assert differ([], [pair], {1, 2}).kept == (pair,)
    assert [e.booked for e in differ([], [pair], {1}).ended] == [pair]


def test_a_journey_that_has_lost_its_price_is_kept_but_not_as_another_journey() -> None:
    was = booked(ride(1, 2))
    known = {tap(n).key for n in range(9)}
    same = compare([], [was], known, set(), [ride(1, 2).journey])
    other = compare([], [was], known, set(), [ride(1, 3).journey])
    assert same.kept == (was,) and [e.booked for e in other.ended] == [was]


def _some(random: Random) -> list[Priced]:
    """Journeys that part ten taps between them in some way."""
    numbers = list(range(10))
    found: list[Priced] = []
    while numbers:
        first = numbers.pop(0)
        journey: Journey
        match random.randrange(4):
            case 0:
                continue
            case 1:
                journey = boarding(tap(first, Direction.BOARD))
            case 2 if numbers:
                last = numbers.pop(random.randrange(min(3, len(numbers))))
                journey = passage(tap(first), tap(last, Direction.EXIT), HOUR)
            case _:
                journey = without_exit(tap(first), HOUR)
        found.append(Priced(journey, fare(random.choice((0, 500, 900)))))
    return found


@given(st.randoms(use_true_random=False), st.sets(st.integers(0, 9)))
def test_after_booking_the_difference_there_is_none(random: Random, waiting: set[int]) -> None:
    stands = [booked(it) for it in _some(random)]
    ought = _some(random)
    used = {tap.key for it in ought for tap in it.journey.taps}
    free = {n for n in waiting if tap(n).key not in used}
    found = differ(ought, stands, free)
    assert {id(it) for it in stands} == {id(it) for it in found.kept} | {
        id(e.booked) for e in found.ended
    }
    after = [*found.kept, *(booked(it, 2) for it in (*found.replacing, *found.new))]
    keys = [key for it in after for key in it.taps]
    assert len(keys) == len(set(keys)), "no tap is booked twice"
    again = differ(ought, after, free)
    assert (again.ended, again.replacing, again.new) == ((), (), ())
    assert set(again.kept) == set(after)
    shuffled = list(ought)
    random.shuffle(shuffled)
    mixed = differ(shuffled, list(reversed(stands)), free)
    assert {e.booked.id for e in mixed.ended} == {e.booked.id for e in found.ended}
