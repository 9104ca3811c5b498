"""The life of a journey is the table, and nothing beside it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from transitpay.journeys.assembly import AsideReason
from transitpay.journeys.journey import Excuse
from transitpay.journeys.lifecycle import (
    TRANSITIONS,
    JourneyEvent,
    JourneyReason,
    JourneyState,
    advance,
)
from transitpay.journeys.station_modes import Mode

DOCS = Path(__file__).parent.parent.parent / "docs"


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


def test_the_reference_shows_the_table_as_it_is() -> None:
    text = (DOCS / "reference" / "journeys.md").read_text(encoding="utf-8")
    told = re.findall(
        r"^\| (-|`\w+`) \| `(\w+)` \| `(\w+)` \| (?:`(\w+)`)? \|$", text, re.MULTILINE
    )
    assert told == [
        (f"`{before}`" if before else "-", event, outcome.state, outcome.reason or "")
        for (before, event), outcome in TRANSITIONS.items()
    ]
    for name in (*AsideReason, *Excuse, *JourneyReason, *Mode):
        assert name in (AsideReason.UNKNOWN_NETWORK, AsideReason.NO_TARIFF) or f"`{name}`" in text
