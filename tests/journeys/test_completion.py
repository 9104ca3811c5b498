"""What modes and statements say of a journey: its missing end, and what is not held against it."""

from __future__ import annotations

import pytest
from riding import A_SECOND, FAR, SECOND, after, board, entry, exit_, mode, run, said, tap

from transitpay.journeys.journey import Excuse, Filled, FilledBy
from transitpay.journeys.lifecycle import JourneyReason, JourneyState
from transitpay.journeys.statements import StatementKind
from transitpay.journeys.station_modes import Mode, StationMode
from transitpay.taps import Direction, Tap


def excuse(*taps: Tap, modes: list[StationMode]) -> Excuse | None:
    (journey,) = run(taps, FAR, modes=modes).journeys
    return journey.excuse


def filled(*taps: Tap, modes: list[StationMode]) -> Filled | None:
    (journey,) = run(taps, FAR, modes=modes).journeys
    assert journey.state is JourneyState.INCOMPLETE
    return journey.filled


def test_gates_that_stood_open_before_the_limit_fill_a_missing_exit_and_the_edges_count() -> None:
    def at_10(start: float, end: float | None) -> bool:
        return filled(entry(0), modes=[mode(Mode.GATES_OPEN, start, end, stop="10")]) is not None

    assert at_10(150, None) and not at_10(150 + A_SECOND, None)
    assert at_10(-60, A_SECOND) and not at_10(-60, 0)
    assert not at_10(30, 30)


def test_the_stops_that_stood_open_are_named_with_the_record_that_says_so() -> None:
    modes = [
        mode(Mode.GATES_OPEN, 60, 90, stop="10", id=8),
        mode(Mode.GATES_OPEN, 30, 90, stop="11", id=9),
        mode(Mode.GATES_OPEN, 30, 90, stop="12", id=10, network="shenzhen-metro"),
    ]
    assert filled(entry(0), modes=modes) == Filled(FilledBy.OPEN_GATES, ("10", "11"), "9")


def test_a_whole_network_that_stood_open_names_no_stop() -> None:
    modes = [mode(Mode.GATES_OPEN, 30, 90, id=8), mode(Mode.GATES_OPEN, 40, 90, stop="11", id=9)]
    assert filled(entry(0), modes=modes) == Filled(FilledBy.OPEN_GATES, (), "8")


def test_open_gates_fill_a_missing_entry_as_well() -> None:
    def entered(start: float, end: float) -> Filled | None:
        return filled(exit_(200), modes=[mode(Mode.GATES_OPEN, start, end, stop="10")])

    assert entered(0, 50 + A_SECOND) == Filled(FilledBy.OPEN_GATES, ("10",), "1")
    assert entered(0, 50) is None
    assert entered(200, 300) is not None and entered(200 + A_SECOND, 300) is None


def test_case_51_an_emergency_excuses_every_journey_that_it_left_without_an_exit() -> None:
    """Thousands of missing exits at once: none pays the maximum fare."""
    modes = [mode(Mode.EMERGENCY, 30, 35, stop="10"), mode(Mode.GATES_OPEN, 0, 60, stop="11", id=2)]
    for n in range(2000):
        (journey,) = run([entry(n / 60, rider=f"{n:016x}")], FAR, modes=modes).journeys
        assert (journey.reason, journey.excuse) == (JourneyReason.MISSING_EXIT, Excuse.EMERGENCY)
        assert journey.filled is None
    (whole,) = run([entry(0), exit_(40)], FAR, modes=modes).journeys
    assert whole.excuse is None


def test_a_mode_that_another_replaced_does_not_count() -> None:
    first = mode(Mode.EMERGENCY, 30, None, stop="10", id=1)
    ended = mode(Mode.EMERGENCY, 30, 30, stop="10", id=2, replaces="request 1")
    assert excuse(entry(0), modes=[first]) is Excuse.EMERGENCY
    assert excuse(entry(0), modes=[ended, first]) is None


def test_a_missing_exit_that_a_mode_fills_is_closed_no_sooner_than_another() -> None:
    modes = [mode(Mode.GATES_OPEN, 0, 60, stop="10")]
    assert run([entry(0)], after(300), modes=modes).journeys == ()
    assert len(run([entry(0)], after(300) + SECOND, modes=modes).journeys) == 1


@pytest.mark.parametrize("stop", [None, "2", "7"])
def test_case_52_a_stay_that_the_operator_made_long_is_no_overstay(stop: str | None) -> None:
    """At the entry, the exit or on the network, at some time of the stay, both ends included."""
    ride = [entry(0), exit_(200, stop="7")]

    def delay(start: float, end: float, reason: Mode = Mode.DATE_WAIVER) -> Excuse | None:
        (journey,) = run(ride, modes=[mode(reason, start, end, stop=stop)]).journeys
        assert journey.reason is JourneyReason.OVERSTAY
        return journey.excuse

    assert delay(-30, A_SECOND) is Excuse.DELAY
    assert delay(-30, 0) is None
    assert delay(200, 300) is Excuse.DELAY
    assert delay(200 + A_SECOND, 300) is None
    assert delay(100, 100) is None
    assert delay(-30, 300, Mode.GATES_OPEN) is None


def test_a_delay_elsewhere_or_of_a_ride_in_time_excuses_nothing() -> None:
    waiver = [mode(Mode.DATE_WAIVER, 0, 300, stop="11")]
    assert excuse(entry(0), exit_(200), modes=waiver) is None
    assert excuse(entry(0), exit_(150), modes=[mode(Mode.DATE_WAIVER, 0, 300)]) is None


def test_a_fare_waiver_holds_where_and_when_the_rider_goes_in_or_out() -> None:
    def free(start: float, end: float, stop: str | None) -> bool:
        waiver = [mode(Mode.FARE_WAIVER, start, end, stop=stop)]
        return excuse(entry(0), exit_(40, stop="7"), modes=waiver) is Excuse.FREE

    assert free(0, A_SECOND, "2") and free(40, 41, "7") and free(40, 41, None)
    assert not free(-1, 0, "2") and not free(40 + A_SECOND, 41, "7")
    assert not free(39, 41, "2") and not free(0, 1, "7") and not free(10, 20, None)


def test_a_fare_waiver_of_a_bus_route_is_that_of_its_boardings() -> None:
    waiver = [mode(Mode.FARE_WAIVER, 0, 60, stop="1A", network="kmb")]
    assert excuse(board(5, stop="3"), modes=waiver) is Excuse.FREE
    assert excuse(board(5, route="6"), modes=waiver) is None


def test_a_statement_fills_a_missing_end_and_the_journey_stays_incomplete() -> None:
    for missing, other in ((entry(0), "exit"), (exit_(40), "entry")):
        by_rider = said(StatementKind.DECLARED, missing, "7", id="d1")
        (journey,) = run([missing], FAR, statements=[by_rider]).journeys
        assert journey.filled == Filled(FilledBy.RIDER, ("7",), "d1")
        assert (journey.state, getattr(journey, other)) == (JourneyState.INCOMPLETE, None)


def test_the_operators_word_counts_before_the_riders_and_the_newer_before_the_older() -> None:
    tap = entry(0)
    declared = [
        said(StatementKind.DECLARED, tap, "7", id="d1", minutes=1),
        said(StatementKind.DECLARED, tap, "8", id="d2", minutes=2),
    ]
    corrected = [
        said(StatementKind.CORRECTED, tap, "9", id="c1", minutes=0),
        said(StatementKind.CORRECTED, tap, "10", id="c2", minutes=0.5),
    ]

    def named(*statements: object) -> str | None:
        (journey,) = run([tap], FAR, statements=statements).journeys  # type: ignore[arg-type]  # statements
        return journey.filled.ref if journey.filled else None

    assert named(*declared) == named(*reversed(declared)) == "d2"
    assert named(*corrected, *declared) == named(*declared, *corrected) == "c2"


def test_a_mode_counts_before_a_statement() -> None:
    tap = entry(0)
    statements = [said(StatementKind.CORRECTED, tap, "7")]
    modes = [mode(Mode.GATES_OPEN, 0, 60, stop="10")]
    (journey,) = run([tap], FAR, modes=modes, statements=statements).journeys
    assert journey.filled is not None and journey.filled.by is FilledBy.OPEN_GATES


def test_a_statement_changes_no_whole_journey_and_none_of_another_tap() -> None:
    taps = [entry(0), exit_(40)]
    (journey,) = run(taps, statements=[said(StatementKind.CORRECTED, taps[0], "7")]).journeys
    assert journey.filled is None
    (journey,) = run(
        [entry(0)], FAR, statements=[said(StatementKind.DECLARED, taps[1], "7")]
    ).journeys
    assert journey.filled is None


def test_what_is_given_back_is_excused_whatever_else_is_known() -> None:
    modes = [mode(Mode.FARE_WAIVER, 0, 60), mode(Mode.DATE_WAIVER, 0, 60, id=2)]
    for taps in ([entry(0), exit_(200)], [board(0)], [entry(0)]):
        for tap_ in taps:
            back = said(StatementKind.GIVEN_BACK, tap_)
            (journey,) = run(taps, FAR, modes=modes, statements=[back]).journeys
            assert journey.excuse is Excuse.GIVEN_BACK


def test_a_statement_holds_however_the_journey_is_made_again() -> None:
    back = said(StatementKind.GIVEN_BACK, exit_(40))
    first, second = run(
        [entry(0), entry(30, sequence=2), exit_(40)], FAR, statements=[back]
    ).journeys
    assert (first.excuse, second.excuse) == (None, Excuse.GIVEN_BACK)


def test_a_tap_that_is_set_aside_can_be_spoken_of_without_effect() -> None:
    strange = tap(Direction.BOARD, 1, network="tram")
    result = run([strange], statements=[said(StatementKind.GIVEN_BACK, strange)])
    assert (result.journeys, len(result.set_aside)) == ((), 1)


def test_case_52_a_delay_joins_an_exit_up_to_a_day_after_the_entry() -> None:
    day = 24 * 60
    waiver = [mode(Mode.DATE_WAIVER, 400, 500, stop="7")]

    def excuses(minutes: float, stop: str = "7") -> list[object]:
        journeys = run([entry(0), exit_(minutes, stop=stop)], FAR, modes=waiver).journeys
        return [(journey.reason, journey.excuse) for journey in journeys]

    apart: list[object] = [(JourneyReason.MISSING_EXIT, None), (JourneyReason.MISSING_ENTRY, None)]
    assert excuses(400) == excuses(day) == [(JourneyReason.OVERSTAY, Excuse.DELAY)]
    assert excuses(day + A_SECOND) == apart
    assert excuses(399) == excuses(400, stop="8") == apart


def test_an_entry_during_a_delay_waits_a_day_for_its_exit() -> None:
    waiver = [mode(Mode.DATE_WAIVER, 400, 500, stop="7")]
    day = after(24 * 60)
    assert run([entry(0)], day, modes=waiver).pending[0].due_at == day
    assert len(run([entry(0)], day + SECOND, modes=waiver).journeys) == 1
    assert len(run([entry(0)], after(300) + SECOND).journeys) == 1
