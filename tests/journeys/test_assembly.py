"""Taps become journeys by their times alone; arrival, order and duplicates do not matter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from transitpay.journeys.assembly import AsideReason, Assembly, assemble
from transitpay.journeys.journey import Journey, JourneyKind
from transitpay.journeys.lifecycle import JourneyReason, JourneyState
from transitpay.journeys.rules import JourneyRules, RuleBook
from transitpay.taps import Direction, RiderRef, Tap, TapKey

START = datetime(2026, 10, 1, 2, 0, tzinfo=UTC)
LIMIT = timedelta(minutes=150)
LONGEST = timedelta(minutes=300)
NETWORKS = ("mtr", "shenzhen-metro", "kmb")
RULES = RuleBook.always(
    {
        "mtr": JourneyRules(limit=LIMIT, longest_stay=LONGEST),
        "shenzhen-metro": JourneyRules(
            limit=timedelta(minutes=210), longest_stay=timedelta(minutes=420)
        ),
        "kmb": JourneyRules(),
    }
)
SECOND = timedelta(seconds=1)
FAR = {network: START + timedelta(days=9) for network in NETWORKS}


def tap(
    direction: Direction,
    minutes: float,
    *,
    sequence: int = 1,
    network: str = "mtr",
    slot: int = 0,
    stop: str = "2",
) -> Tap:
    at = START + timedelta(minutes=minutes)
    return Tap(
        key=TapKey(at.date(), f"{network}-{stop}-{direction}", sequence),
        rider=RiderRef("alipayhk", "00000000000000a1", slot),
        operator=network,
        network=network,
        stop=stop,
        direction=direction,
        at=at,
    )


def entry(minutes: float, **more: object) -> Tap:
    return tap(Direction.ENTRY, minutes, **more)  # type: ignore[arg-type]  # keywords of tap()


def exit_(minutes: float, **more: object) -> Tap:
    return tap(Direction.EXIT, minutes, **more)  # type: ignore[arg-type]  # keywords of tap()


def run(taps: Sequence[Tap], known: datetime | None = None, at: datetime | None = None) -> Assembly:
    through = {} if known is None else {network: known for network in NETWORKS}
    return assemble(taps, RULES, through, at or START)


def after(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


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


def test_the_limit_itself_is_in_time_and_a_second_more_is_an_overstay() -> None:
    (plain,) = run([entry(0), exit_(150)]).journeys
    (late,) = run([entry(0), exit_(150 + 1 / 60)]).journeys
    assert plain.reason is None
    assert (late.state, late.reason) == (JourneyState.COMPLETE, JourneyReason.OVERSTAY)
    assert late.priced_at == after(150 + 1 / 60)


def test_shenzhen_metro_has_its_own_limit_of_210_minutes() -> None:
    for minutes, reason in ((210, None), (210 + 1 / 60, JourneyReason.OVERSTAY)):
        pair = [
            entry(0, network="shenzhen-metro"),
            exit_(minutes, network="shenzhen-metro"),
        ]
        (journey,) = run(pair).journeys
        assert journey.reason is reason


def test_an_exit_later_than_the_longest_stay_belongs_to_no_entry() -> None:
    (together,) = run([entry(0), exit_(300)], FAR["mtr"]).journeys
    assert together.reason is JourneyReason.OVERSTAY
    first, second = run([entry(0), exit_(300 + 1 / 60)], FAR["mtr"]).journeys
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
    result = run([entry(0), exit_(30, network="shenzhen-metro", stop="0101")], FAR["mtr"])
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
        tap(Direction.ALIGHT, 1, network="kmb"),
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


@st.composite
def rides(draw: st.DrawFn) -> list[Tap]:
    """Up to a dozen taps of one rider within two days, on gates and buses."""
    found = []
    for sequence in range(draw(st.integers(0, 12))):
        network = draw(st.sampled_from(["mtr", "mtr", "shenzhen-metro", "kmb"]))
        gate = st.sampled_from([Direction.ENTRY, Direction.EXIT])
        direction = Direction.BOARD if network == "kmb" else draw(gate)
        minutes = draw(st.integers(0, 2880))
        slot = draw(st.integers(0, 1))
        found.append(tap(direction, minutes, sequence=sequence, network=network, slot=slot))
    return found


@settings(max_examples=150, deadline=None)
@given(rides(), st.randoms(use_true_random=False), st.integers(0, 3000))
def test_order_and_duplicates_change_nothing_and_every_tap_is_used_once(
    taps: list[Tap], chance: object, minutes: int
) -> None:
    known = {network: after(minutes) for network in NETWORKS}
    expected = assemble(taps, RULES, known, START)
    mixed = taps + taps[::2]
    chance.shuffle(mixed)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    assert assemble(mixed, RULES, known, START) == expected
    used = [one for journey in expected.journeys for one in journey.taps]
    used += [waiting.tap for waiting in expected.pending]
    used += [one.tap for one in expected.set_aside]
    assert sorted(used, key=lambda one: one.key) == sorted(taps, key=lambda one: one.key)


@settings(max_examples=150, deadline=None)
@given(rides(), st.lists(st.integers(0, 3300), max_size=8))
def test_clearing_in_steps_gives_the_journeys_of_clearing_once(
    taps: list[Tap], steps: list[int]
) -> None:
    """As long as readers report in time, it does not matter when the worker runs."""
    made: list[Journey] = []
    used: set[TapKey] = set()
    for minutes in [*sorted(steps), 9000]:
        now = after(minutes)
        left = [one for one in taps if one.at <= now and one.key not in used]
        result = assemble(left, RULES, {network: now for network in NETWORKS}, now)
        made += result.journeys
        used |= {one.key for journey in result.journeys for one in journey.taps}
    once = assemble(taps, RULES, {network: after(9000) for network in NETWORKS}, after(9000))
    assert sorted(made, key=lambda j: j.first_tap.order) == list(once.journeys)
