"""The life of a journey is the table, and nothing beside it."""

from __future__ import annotations

import pytest

from transitpay.journeys.lifecycle import (
    TRANSITIONS,
    JourneyEvent,
    JourneyReason,
    JourneyState,
    advance,
)


def test_every_event_and_every_state_occurs_in_the_table() -> None:
    assert {event for _, event in TRANSITIONS} == set(JourneyEvent)
    reached = {outcome.state for outcome in TRANSITIONS.values()}
    assert reached == set(JourneyState)
    assert {outcome.reason for outcome in TRANSITIONS.values()} - {None} == set(JourneyReason)


def test_nothing_follows_a_final_state_and_something_follows_every_other() -> None:
    for state in JourneyState:
        assert state.is_final is not any(before is state for before, _ in TRANSITIONS)


def test_an_incomplete_journey_always_has_a_reason() -> None:
    for outcome in TRANSITIONS.values():
        if outcome.state is JourneyState.INCOMPLETE:
            assert outcome.reason is not None


def test_an_event_outside_the_table_is_our_mistake() -> None:
    with pytest.raises(AssertionError, match="cannot follow"):
        advance(JourneyState.COMPLETE, JourneyEvent.EXITED_IN_TIME)
