"""A ride that an earlier one would make cheaper is certain once that one would be known."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from riding import BY_NETWORK, DAY, RULES, SECOND, START, after, board, entry, exit_

from transitpay.journeys.assembly import Assembly, assemble
from transitpay.journeys.rules import RuleBook
from transitpay.taps import Tap


def bus(minutes: float, route: str = "22", **more: object) -> Tap:
    return board(minutes, route=route, network="shenzhen-bus", **more)


def metro(start: float, end: float) -> list[Tap]:
    return [entry(start, network="shenzhen-metro"), exit_(end, network="shenzhen-metro")]


def told(taps: list[Tap], at: datetime = START, **known: datetime) -> Assembly:
    through = {network.replace("_", "-"): until for network, until in known.items()}
    return assemble(taps, RULES, through, at)


def test_a_boarding_waits_for_the_reports_of_both_networks_up_to_itself() -> None:
    taps = [bus(10)]
    before, there = after(10) - SECOND, after(10)
    assert told(taps, shenzhen_bus=there).journeys == ()
    assert told(taps, shenzhen_bus=there, shenzhen_metro=before).journeys == ()
    (waiting,) = told(taps, shenzhen_bus=before, shenzhen_metro=there).pending
    assert (waiting.due_at, waiting.give_up_at) == (after(10), after(10) + 3 * DAY)
    assert waiting.networks == {"shenzhen-bus", "shenzhen-metro"}
    assert len(told(taps, shenzhen_bus=there, shenzhen_metro=there).journeys) == 1


def test_both_taps_of_a_ride_at_gates_wait_for_reports_up_to_the_entry() -> None:
    result = told(metro(0, 30), shenzhen_bus=after(0) - SECOND)
    assert [waiting.tap for waiting in result.pending] == metro(0, 30)
    assert len(told(metro(0, 30), shenzhen_bus=after(0)).journeys) == 1


def test_silent_readers_are_waited_for_72_hours() -> None:
    give_up_at = after(10) + 3 * DAY
    assert told([bus(10)], give_up_at).journeys == ()
    assert len(told([bus(10)], give_up_at + SECOND).journeys) == 1


def test_a_ride_waits_for_an_earlier_one_that_waits_itself() -> None:
    """The fare of a section is known when the rider alights; the bus after it may be cheaper."""
    taps = [bus(0, route="M462"), bus(20, sequence=2)]
    known = {"shenzhen_bus": after(30), "shenzhen_metro": after(30)}
    assert told(taps, **known).journeys == ()
    known = dict.fromkeys(known, after(120) + SECOND)
    assert len(told(taps, **known).journeys) == 2


def test_an_entry_that_waits_for_its_exit_holds_up_nothing() -> None:
    taps = [metro(0, 1)[0], bus(20)]
    known = {"shenzhen_bus": after(20), "shenzhen_metro": after(20)}
    result = told(taps, **known)
    assert [journey.first_tap for journey in result.journeys] == [bus(20)]


def test_other_networks_and_late_taps_wait_for_no_discount() -> None:
    assert len(told([board(0), *(entry(1), exit_(40))]).journeys) == 2
    assert len(told([bus(10, received=9 * DAY)]).journeys) == 1


def test_a_companion_waits_only_where_companions_have_discounts() -> None:
    companion = [bus(10, slot=1)]
    assert len(told(companion).journeys) == 1
    waiting = replace(BY_NETWORK["shenzhen-bus"], companions_wait=True)
    rules = RuleBook.always({"shenzhen-bus": waiting})
    assert assemble(companion, rules, {}, START).journeys == ()
