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


def test_something_follows_every_waiting_state_and_a_final_one_leads_to_no_other() -> None:
    for state in JourneyState:
        reached = {outcome.state for (before, _), outcome in TRANSITIONS.items() if before is state}
        assert reached == {state} if state.is_final else reached - {state}


def test_what_follows_a_final_state_adds_no_reason() -> None:
    for (before, _), outcome in TRANSITIONS.items():
        assert before is None or not before.is_final or outcome.reason is None


def test_a_journey_becomes_incomplete_for_a_reason() -> None:
    for (before, _), outcome in TRANSITIONS.items():
        if outcome.state is JourneyState.INCOMPLETE and before is not outcome.state:
            assert outcome.reason is not None


def test_an_event_outside_the_table_is_our_mistake() -> None:
    with pytest.raises(AssertionError, match="cannot follow"):
        advance(JourneyState.COMPLETE, JourneyEvent.EXITED_IN_TIME)
