"""A second tap of one direction at one stop within the passback is the same passage."""

from __future__ import annotations

from datetime import date

from riding import A_SECOND, BY_NETWORK, FAR, after, alight, board, entry, exit_, run

from transitpay.journeys.journey import JourneyKind
from transitpay.journeys.lifecycle import JourneyReason
from transitpay.journeys.rules import RuleBook


def test_case_50_a_second_entry_within_the_passback_is_the_same_journey_and_the_first_counts() -> (
    None
):
    again = entry(5 - A_SECOND, sequence=2)
    (journey,) = run([entry(0), again, exit_(40)]).journeys
    assert (journey.entry, journey.doubled) == (entry(0), (again,))
    assert (journey.reason, journey.taps) == (None, (entry(0), again, exit_(40)))


def test_case_50_a_second_entry_at_the_passback_is_another_journey_and_the_first_incomplete() -> (
    None
):
    first, second = run([entry(0), entry(5, sequence=2), exit_(40)], FAR).journeys
    assert (first.reason, first.doubled) == (JourneyReason.MISSING_EXIT, ())
    assert (second.entry, second.reason) == (entry(5, sequence=2), None)


def test_case_50_a_second_exit_within_the_passback_is_the_same_journey_and_the_first_counts() -> (
    None
):
    again = exit_(45 - A_SECOND, sequence=2)
    (journey,) = run([entry(0), exit_(40), again], FAR).journeys
    assert (journey.exit, journey.doubled) == (exit_(40), (again,))
    assert journey.priced_at == after(40)
    first, second = run([entry(0), exit_(40), exit_(45, sequence=2)], FAR).journeys
    assert (first.reason, second.reason) == (None, JourneyReason.MISSING_ENTRY)


def test_an_exit_alone_is_repeated_as_well() -> None:
    (journey,) = run([exit_(40), exit_(42, sequence=2)], FAR).journeys
    assert (journey.exit, len(journey.doubled)) == (exit_(40), 1)


def test_another_station_repeats_nothing() -> None:
    first, second = run([entry(0), entry(1, stop="3"), exit_(40)], FAR).journeys
    assert (first.reason, second.reason) == (JourneyReason.MISSING_EXIT, None)


def test_the_passback_runs_from_the_tap_that_counts() -> None:
    taps = [entry(0), entry(4, sequence=2), entry(8, sequence=3), exit_(40)]
    first, second = run(taps, FAR).journeys
    assert [tap.at for tap in first.taps] == [after(0), after(4)]
    assert second.entry == taps[2]


def test_going_in_again_after_leaving_is_a_new_journey_however_soon() -> None:
    taps = [entry(0), exit_(1), entry(2, sequence=2), exit_(40, sequence=2)]
    assert [len(journey.taps) for journey in run(taps).journeys] == [2, 2]


def test_without_a_passback_every_tap_is_a_passage_of_its_own() -> None:
    taps = [entry(0, network="shenzhen-metro"), entry(0, network="shenzhen-metro", sequence=2)]
    assert [len(journey.taps) for journey in run(taps, FAR).journeys] == [1, 1]


def test_a_station_is_the_same_by_all_its_names() -> None:
    def stop_id(network: str, day: date, text: str) -> str:
        return {"Admiralty": "2"}.get(text, text)

    rules = RuleBook({"mtr": [(date.min, BY_NETWORK["mtr"])]}, stop_id)
    taps = [entry(0), entry(1, stop="Admiralty"), exit_(40)]
    assert [len(journey.taps) for journey in run(taps, rules=rules).journeys] == [3]
    assert len(run(taps, FAR).journeys) == 2


def test_a_boarding_is_repeated_on_the_same_route_and_stop_and_in_the_same_vehicle() -> None:
    def journeys(*taps: object) -> list[int]:
        return [len(journey.taps) for journey in run([board(0, vehicle="V1"), *taps]).journeys]  # type: ignore[list-item]  # taps

    soon = 5 - A_SECOND
    assert journeys(board(soon, sequence=2, vehicle="V1")) == [2]
    assert journeys(board(soon, sequence=2)) == [2]
    assert journeys(board(5, sequence=2, vehicle="V1")) == [1, 1]
    assert journeys(board(soon, sequence=2, vehicle="V2")) == [1, 1]
    assert journeys(board(soon, route="6", sequence=2)) == [1, 1]
    assert journeys(board(soon, stop="7", sequence=2)) == [1, 1]


def test_an_alighting_scan_is_repeated_too_and_the_next_boarding_is_a_new_ride() -> None:
    taps = [board(0), alight(3), alight(4, sequence=2), board(4.5, sequence=2)]
    first, second = run(taps).journeys
    assert (first.kind, first.exit, len(first.doubled)) == (JourneyKind.SECTIONAL, alight(3), 1)
    assert second.kind is JourneyKind.SINGLE
