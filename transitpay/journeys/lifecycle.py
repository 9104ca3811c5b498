"""The life of one journey as a table: which event may follow which state, and what it leads to.

A journey is made of one or two taps. The two waiting states are never stored as journeys: they
are the pending taps of an assembly. The two final states are facts that are priced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class JourneyState(StrEnum):
    """Where a journey stands."""

    WAITING_EXIT = "waiting_exit"
    WAITING_ENTRY = "waiting_entry"
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"

    @property
    def is_final(self) -> bool:
        """True for a journey that can be priced."""
        return self in (JourneyState.COMPLETE, JourneyState.INCOMPLETE)


class JourneyEvent(StrEnum):
    """What can happen to a journey."""

    ENTERED = "entered"
    LEFT = "left"
    BOARDED = "boarded"
    EXITED_IN_TIME = "exited_in_time"
    EXITED_LATE = "exited_late"
    EXIT_NEVER_CAME = "exit_never_came"
    ENTRY_NEVER_CAME = "entry_never_came"


class JourneyReason(StrEnum):
    """Why a journey is not a plain one."""

    MISSING_EXIT = "missing_exit"
    MISSING_ENTRY = "missing_entry"
    OVERSTAY = "overstay"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state after an event, and the reason that stays with the journey."""

    state: JourneyState
    reason: JourneyReason | None = None


_S, _E, _R = JourneyState, JourneyEvent, JourneyReason

#: (state before, event) -> outcome. The state before the first event is None.
TRANSITIONS: Mapping[tuple[JourneyState | None, JourneyEvent], Outcome] = {
    (None, _E.ENTERED): Outcome(_S.WAITING_EXIT),
    (None, _E.LEFT): Outcome(_S.WAITING_ENTRY),
    (None, _E.BOARDED): Outcome(_S.COMPLETE),
    (_S.WAITING_EXIT, _E.EXITED_IN_TIME): Outcome(_S.COMPLETE),
    (_S.WAITING_EXIT, _E.EXITED_LATE): Outcome(_S.COMPLETE, _R.OVERSTAY),
    (_S.WAITING_EXIT, _E.EXIT_NEVER_CAME): Outcome(_S.INCOMPLETE, _R.MISSING_EXIT),
    (_S.WAITING_ENTRY, _E.ENTRY_NEVER_CAME): Outcome(_S.INCOMPLETE, _R.MISSING_ENTRY),
}


def advance(state: JourneyState | None, event: JourneyEvent) -> Outcome:
    """The outcome of ``event`` in ``state``; one that the table does not name is our mistake."""
    outcome = TRANSITIONS.get((state, event))
    assert outcome is not None, f"{event} cannot follow {state}"
    return outcome
