"""Buses on which riders scan again when they alight: at once and corrected, or waited for."""

from __future__ import annotations

import pytest
from riding import A_SECOND, FAR, SECOND, after, alight, board, run, tap

from transitpay.journeys.assembly import AsideReason
from transitpay.journeys.journey import JourneyKind
from transitpay.journeys.lifecycle import JourneyReason, JourneyState
from transitpay.taps import Direction, Tap


def test_a_boarding_is_a_journey_at_once_where_a_part_is_given_back_later() -> None:
    (journey,) = run([board(0)]).journeys
    assert (journey.kind, journey.state) == (JourneyKind.SINGLE, JourneyState.COMPLETE)
    assert (journey.priced_at, journey.reason) == (after(0), None)


def test_the_alighting_scan_makes_it_sectional_up_to_the_limit_at_the_rate_of_the_boarding() -> (
    None
):
    (journey,) = run([board(0), alight(120)]).journeys
    assert (journey.kind, journey.exit) == (JourneyKind.SECTIONAL, alight(120))
    assert (journey.key, journey.priced_at) == (board(0).key, after(0))


def test_an_alighting_scan_after_the_limit_is_set_aside_and_changes_nothing() -> None:
    result = run([board(0), alight(120 + A_SECOND)], FAR)
    assert [journey.kind for journey in result.journeys] == [JourneyKind.SINGLE]
    assert [aside.reason for aside in result.set_aside] == [AsideReason.ALIGHTING]


@pytest.mark.parametrize(
    "other",
    [
        alight(20, route="6", vehicle="V1"),
        alight(20, vehicle="V2"),
        alight(20, vehicle="V1", slot=1),
        alight(20, vehicle="V1", network="shenzhen-bus"),
    ],
)
def test_another_route_vehicle_slot_or_network_is_another_ride(other: Tap) -> None:
    result = run([board(0, vehicle="V1"), other], FAR)
    assert [journey.kind for journey in result.journeys] == [JourneyKind.SINGLE]
    assert len(result.set_aside) == 1


def test_a_scan_that_says_no_vehicle_fits_any() -> None:
    for first, second in (("V1", None), (None, "V1"), ("V1", "V1")):
        (journey,) = run([board(0, vehicle=first), alight(20, vehicle=second)]).journeys
        assert journey.kind is JourneyKind.SECTIONAL


def test_an_alighting_scan_belongs_to_the_last_boarding_of_its_route() -> None:
    taps = [board(0), board(30, sequence=2), board(40, route="6"), alight(50)]
    first, second, third = run(taps).journeys
    assert (first.exit, second.exit, third.exit) == (None, alight(50), None)


def test_in_two_vehicles_of_a_route_each_scan_finds_its_own() -> None:
    taps = [board(0, vehicle="V1"), board(10, vehicle="V2", sequence=2), alight(15, vehicle="V1")]
    first, second = run(taps).journeys
    assert (first.exit, second.exit) == (taps[2], None)


def test_a_reader_that_knows_no_alighting_has_none() -> None:
    result = run([tap(Direction.SINGLE, 0, network="kmb", route="1A"), alight(20)], FAR)
    assert [journey.kind for journey in result.journeys] == [JourneyKind.SINGLE]
    assert len(result.set_aside) == 1


def test_an_alighting_scan_alone_waits_for_its_boarding_and_is_then_set_aside() -> None:
    for known in (None, after(20) - SECOND):
        result = run([alight(20)], known)
        assert [waiting.tap for waiting in result.pending] == [alight(20)]
    result = run([alight(20)], after(20))
    assert (result.pending, result.journeys) == ((), ())
    assert [aside.reason for aside in result.set_aside] == [AsideReason.ALIGHTING]
    after_all = run([alight(20), board(0)], after(20))
    assert [journey.kind for journey in after_all.journeys] == [JourneyKind.SECTIONAL]


def section(minutes: float, **more: object) -> Tap:
    return board(minutes, route="M462", network="shenzhen-bus", **more)


def leaving(minutes: float) -> Tap:
    return alight(minutes, route="M462", network="shenzhen-bus")


def test_on_a_route_that_waits_the_ride_is_known_when_the_rider_alights() -> None:
    result = run([section(0)], after(60))
    assert (result.journeys, [it.tap for it in result.pending]) == ((), [section(0)])
    (journey,) = run([section(0), leaving(120)], after(60)).journeys
    assert (journey.kind, journey.reason) == (JourneyKind.SECTIONAL, None)
    assert journey.priced_at == after(120)


def test_a_forgotten_alighting_scan_is_waited_for_until_the_limit_has_passed_everywhere() -> None:
    assert run([section(0)], after(120)).pending[0].due_at == after(120)
    (journey,) = run([section(0)], after(120) + SECOND).journeys
    assert (journey.kind, journey.state) == (JourneyKind.SINGLE, JourneyState.COMPLETE)
    assert (journey.reason, journey.priced_at) == (JourneyReason.NO_ALIGHTING, after(120))


def test_silent_readers_of_a_route_that_waits_are_given_up_after_72_hours() -> None:
    give_up_at = after(120 + 72 * 60)
    assert run([section(0)], None, give_up_at).pending[0].give_up_at == give_up_at
    assert len(run([section(0)], None, give_up_at + SECOND).journeys) == 1


def test_other_routes_of_the_network_do_not_wait() -> None:
    (journey,) = run([board(0, route="22", network="shenzhen-bus")], after(0)).journeys
    assert (journey.reason, journey.priced_at) == (None, after(0))
