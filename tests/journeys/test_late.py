"""A tap that comes after its journey was closed is late; others are parted by closed journeys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from transitpay.journeys.late import ClosedJourney, part
from transitpay.journeys.lifecycle import JourneyReason
from transitpay.journeys.rules import JourneyRules, RuleBook
from transitpay.taps import Direction, RiderRef, Tap, TapKey

NOON = datetime(2026, 10, 30, 4, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RIDER = RiderRef("alipayhk", "00000000000000aa")
RULES = RuleBook.always({"mtr": JourneyRules(limit=150 * MINUTE, longest_stay=300 * MINUTE)})


def tap(direction: str, minute: int, network: str = "mtr") -> Tap:
    at = NOON + minute * MINUTE
    key = TapKey(at.date(), "r", minute + 10_000)
    return Tap(key, RIDER, network, network, "2", Direction(direction), at)


def closed(entry: int | None, exit: int | None) -> ClosedJourney:
    reason = None
    if exit is None:
        reason = JourneyReason.MISSING_EXIT
    if entry is None:
        reason = JourneyReason.MISSING_ENTRY
    entry_at = None if entry is None else NOON + entry * MINUTE
    exit_at = None if exit is None else NOON + exit * MINUTE
    return ClosedJourney(RIDER, "mtr", reason, entry_at, exit_at)


def minutes(taps: tuple[Tap, ...]) -> list[int]:
    return [int((it.at - NOON) / MINUTE) for it in taps]


def test_without_closed_journeys_all_taps_are_one_segment() -> None:
    taps = [tap("exit", 30), tap("entry", 0)]
    found = part(taps, [], RULES)
    assert found.segments == (tuple(taps),) and found.late == ()


@pytest.mark.parametrize(
    ("journey", "direction", "minute", "is_late"),
    [
        (closed(0, 40), "exit", 0, True),
        (closed(0, 40), "entry", 40, True),
        (closed(0, 40), "entry", 41, False),
        (closed(0, 40), "exit", 41, False),
        (closed(0, None), "exit", 300, True),
        (closed(0, None), "exit", 301, False),
        (closed(0, None), "entry", 300, False),
        (closed(None, 300), "entry", 0, True),
        (closed(None, 301), "entry", 0, False),
        (closed(None, 300), "exit", 0, False),
    ],
)
def test_a_tap_is_late_up_to_the_edges_of_what_was_closed(
    journey: ClosedJourney, direction: str, minute: int, is_late: bool
) -> None:
    found = part([tap(direction, minute)], [journey], RULES)
    assert bool(found.late) is is_late


def test_an_exit_belongs_to_the_open_entry_before_it_and_not_to_a_closed_one() -> None:
    found = part([tap("entry", 10), tap("exit", 60)], [closed(0, None)], RULES)
    assert found.late == () and [minutes(s) for s in found.segments] == [[10, 60]]


def test_no_segment_runs_across_a_closed_journey() -> None:
    found = part([tap("entry", 0), tap("exit", 90)], [closed(30, 60)], RULES)
    assert [minutes(s) for s in found.segments] == [[0], [90]]


def test_other_networks_are_not_parted() -> None:
    found = part([tap("board", 30, "kmb"), tap("exit", 30)], [closed(0, 60)], RULES)
    assert minutes(found.late) == [30]
    assert [[it.network for it in s] for s in found.segments] == [["kmb"]]
