"""Taps become journeys by their times alone; arrival, order and duplicates do not matter."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from riding import (
    A_SECOND,
    BY_NETWORK,
    DAY,
    FAR,
    MINUTE,
    RIDER,
    SECOND,
    after,
    board,
    entry,
    exit_,
    run,
    tap,
)

from transitpay.fares.pricing import price
from transitpay.fares.rules import rule_book
from transitpay.journeys.assembly import AsideReason
from transitpay.journeys.journey import Journey, JourneyKind
from transitpay.journeys.lifecycle import JourneyReason, JourneyState
from transitpay.journeys.rules import RuleBook
from transitpay.runtime.builtin import builtin_book
from transitpay.taps import Direction


def test_an_entry_and_its_exit_are_one_journey_without_waiting_for_any_report() -> None:
    result = run([entry(0), exit_(40)])
    (journey,) = result.journeys
    assert (journey.state, journey.reason) == (JourneyState.COMPLETE, None)
    assert journey.kind is JourneyKind.ENTRY_EXIT
    assert journey.priced_at == after(40)
    assert journey.key == entry(0).key
    assert journey.service_day == date(2026, 10, 1)
    assert result.pending == ()


def test_a_boarding_is_a_journey_at_once() -> None:
    for direction in (Direction.BOARD, Direction.SINGLE):
        (journey,) = run([tap(direction, 7, network="kmb", stop="B1")]).journeys
        assert (journey.kind, journey.state) == (JourneyKind.SINGLE, JourneyState.COMPLETE)
        assert journey.priced_at == after(7)


@pytest.mark.parametrize(("network", "limit"), [("mtr", 150), ("shenzhen-metro", 210)])
def test_case_48_the_limit_itself_is_in_time_and_a_second_more_is_an_overstay(
    network: str, limit: int
) -> None:
    def stay(minutes: float) -> Journey:
        pair = [entry(0, network=network), exit_(minutes, network=network)]
        (journey,) = run(pair, FAR).journeys
        assert (journey.state, journey.priced_at) == (JourneyState.COMPLETE, after(minutes))
        return journey

    assert stay(limit - A_SECOND).reason is None
    assert stay(limit).reason is None
    assert stay(limit + A_SECOND).reason is JourneyReason.OVERSTAY


def test_case_49_leaving_where_one_entered_is_a_ride_of_which_the_fare_follows_from_the_stay() -> (
    None
):
    """Twenty minutes and a second more; at Lo Wu the lowest fare from there, however long."""
    book = builtin_book()
    rules = rule_book(book)

    def fare(stop: str, minutes: float) -> int:
        pair = [entry(0, stop=stop), exit_(minutes, stop=stop)]
        (journey,) = run(pair, rules=rules).journeys
        return price(journey, book.latest("mtr"), "alipayhk").amount.minor

    assert (fare("2", 20), fare("2", 20 + A_SECOND), fare("2", 150)) == (400, 1000, 1000)
    assert fare("2", 150 + A_SECOND) == 1000 + 6600
    assert {fare("76", 20), fare("76", 20 + A_SECOND), fare("78", 150)} == {2650}


def test_an_exit_later_than_the_longest_stay_belongs_to_no_entry() -> None:
    (together,) = run([entry(0), exit_(300)], FAR).journeys
    assert together.reason is JourneyReason.OVERSTAY
    first, second = run([entry(0), exit_(300 + 1 / 60)], FAR).journeys
    assert (first.reason, first.priced_at) == (JourneyReason.MISSING_EXIT, after(150))
    assert second.reason is JourneyReason.MISSING_ENTRY


def test_an_entry_alone_waits_until_every_reader_has_reported_past_the_longest_stay() -> None:
    waiting = run([entry(0)], after(300))
    assert waiting.journeys == ()
    assert waiting.pending[0].due_at == after(300)
    (journey,) = run([entry(0)], after(300) + SECOND).journeys
    assert (journey.state, journey.reason) == (
        JourneyState.INCOMPLETE,
        JourneyReason.MISSING_EXIT,
    )
    assert journey.priced_at == after(150)


def test_silent_readers_are_waited_for_72_hours_after_the_limit() -> None:
    deadline = after(150) + timedelta(hours=72)
    assert run([entry(0)], None, deadline).pending[0].give_up_at == deadline
    (journey,) = run([entry(0)], None, deadline + SECOND).journeys
    assert journey.reason is JourneyReason.MISSING_EXIT


def test_a_second_entry_leaves_the_first_incomplete_once_no_exit_can_still_arrive() -> None:
    taps = [entry(0), entry(30, sequence=2), exit_(60)]
    waiting = run(taps, after(30))
    assert [journey.key.sequence for journey in waiting.journeys] == [2]
    assert waiting.pending[0].tap == entry(0)
    first, second = run(taps, after(30) + SECOND).journeys
    assert first.reason is JourneyReason.MISSING_EXIT
    assert second.reason is None


def test_an_exit_that_arrives_late_completes_the_first_of_two_entries() -> None:
    before = run([entry(0), entry(30, sequence=2), exit_(60)], after(29))
    left = [waiting.tap for waiting in before.pending]
    late = run([*left, exit_(20, sequence=9)], after(61))
    assert [(j.entry, j.reason) for j in late.journeys] == [(entry(0), None)]


def test_an_exit_alone_waits_for_reports_up_to_itself_and_then_misses_its_entry() -> None:
    waiting = run([exit_(60)], after(60) - SECOND)
    assert waiting.pending[0].due_at == after(60)
    (journey,) = run([exit_(60)], after(60)).journeys
    assert journey.reason is JourneyReason.MISSING_ENTRY
    assert (journey.priced_at, journey.entry) == (after(60), None)
    assert journey.key == exit_(60).key


def test_an_exit_alone_is_given_up_after_72_hours_of_silence() -> None:
    deadline = after(60) + timedelta(hours=72)
    assert run([exit_(60)], None, deadline).journeys == ()
    assert len(run([exit_(60)], None, deadline + SECOND).journeys) == 1


def test_slots_are_separate_riders_of_one_wallet() -> None:
    taps = [entry(0), entry(0.1, slot=1, sequence=2), exit_(30, slot=1), exit_(31, sequence=2)]
    pairs = {(j.rider.slot, j.exit.at if j.exit else None) for j in run(taps).journeys}
    assert pairs == {(0, after(31)), (1, after(30))}


def test_networks_are_never_joined() -> None:
    result = run([entry(0), exit_(30, network="shenzhen-metro", stop="0101")], FAR)
    assert {j.reason for j in result.journeys} == {
        JourneyReason.MISSING_EXIT,
        JourneyReason.MISSING_ENTRY,
    }


def test_the_service_day_begins_at_four_and_is_that_of_the_entry() -> None:
    # START is 10:00 local; 03:59:59 the next morning still belongs to the first of October.
    for minutes, day in ((18 * 60 - 1 / 60, 1), (18 * 60, 2)):
        (journey,) = run([entry(minutes), exit_(minutes + 20)]).journeys
        assert journey.service_day == date(2026, 10, day)


def test_taps_that_make_no_journey_are_set_aside_with_their_reason() -> None:
    taps = [
        tap(Direction.ALIGHT, 1, network="guangzhou-bus"),
        tap(Direction.ENTRY, 2, network="kmb"),
        tap(Direction.SINGLE, 3, network="mtr"),
        tap(Direction.BOARD, 4, network="tram"),
        entry(5),
        exit_(6),
    ]
    result = run(taps)
    assert [one.reason for one in result.set_aside] == [
        AsideReason.ALIGHTING,
        AsideReason.WRONG_DIRECTION,
        AsideReason.WRONG_DIRECTION,
        AsideReason.UNKNOWN_NETWORK,
    ]
    assert len(result.journeys) == 1


def test_case_53_in_with_one_wallet_and_out_with_another_is_an_incomplete_journey_in_each() -> None:
    both = [entry(0), exit_(40, issuer="shenzhen-tong", rider=RIDER)]
    first, second = run(both, FAR).journeys
    assert (first.rider.issuer, first.reason) == ("alipayhk", JourneyReason.MISSING_EXIT)
    assert (second.rider.issuer, second.reason) == ("shenzhen-tong", JourneyReason.MISSING_ENTRY)
    assert (first.exit, second.entry) == (None, None)


def test_companions_ride_apart_from_the_holder_and_each_pays() -> None:
    taps = [entry(0.1 * slot, slot=slot, sequence=slot) for slot in (0, 1, 2)]
    taps += [exit_(40 - slot, slot=slot, sequence=slot) for slot in (0, 1, 2)]
    taps += [board(60 + slot, slot=slot, sequence=slot) for slot in (0, 1, 2)]
    journeys = run(taps).journeys
    assert [journey.rider.slot for journey in journeys] == [0, 1, 2, 0, 1, 2]
    assert all(len({one.rider for one in journey.taps}) == 1 for journey in journeys)


def test_rules_are_those_of_the_day_of_the_entry() -> None:
    old, new = BY_NETWORK["mtr"], replace(BY_NETWORK["mtr"], limit=120 * MINUTE)
    rules = RuleBook({"mtr": [(date(2026, 10, 2), new), (date(2026, 9, 1), old)]})
    midnight = 18 * 60  # 04:00, when service days begin
    for start, reason in ((midnight - A_SECOND, None), (midnight, JourneyReason.OVERSTAY)):
        (journey,) = run([entry(start), exit_(start + 130)], rules=rules).journeys
        assert journey.reason is reason


def test_a_tap_before_the_first_tariff_is_set_aside_as_such() -> None:
    rules = RuleBook({"mtr": [(date(2026, 10, 2), BY_NETWORK["mtr"])]})
    (aside,) = run([entry(0)], rules=rules).set_aside
    assert aside.reason is AsideReason.NO_TARIFF


def test_a_tap_that_comes_twice_counts_as_it_was_known_first() -> None:
    late, in_time = entry(0, received=8 * DAY), entry(0, received=SECOND)
    for twice in ([late, in_time], [in_time, late]):
        assert run([*twice, exit_(40)]).journeys == run([in_time, exit_(40)]).journeys


def test_case_41_an_exit_that_comes_before_its_entry_waits_and_is_then_a_whole_ride() -> None:
    waiting = run([exit_(40)], after(40) - SECOND)
    assert (waiting.journeys, [it.tap for it in waiting.pending]) == ((), [exit_(40)])
    assert run([exit_(40), entry(0)]) == run([entry(0), exit_(40)])


def test_case_41_an_entry_that_comes_after_its_exit_was_charged_alone_makes_it_another_ride() -> (
    None
):
    (charged,) = run([exit_(40)], after(40)).journeys
    assert charged.reason is JourneyReason.MISSING_ENTRY
    (ride,) = run([exit_(40), entry(0)], after(40)).journeys
    assert (ride.reason, ride.key) == (None, entry(0).key)


def test_case_41_an_exit_that_comes_after_the_missing_one_was_charged_makes_the_ride_whole() -> (
    None
):
    (charged,) = run([entry(0)], after(300) + SECOND).journeys
    assert (charged.reason, charged.priced_at) == (JourneyReason.MISSING_EXIT, after(150))
    (ride,) = run([entry(0), exit_(40)], after(300) + SECOND).journeys
    assert (ride.reason, ride.key, ride.priced_at) == (None, charged.key, after(40))
