"""The life of one journey as a table: which event may follow which state, and what it leads to.

A journey is made of one tap or two. The waiting states are never stored as journeys: they are the
pending taps of an assembly. The two final states are facts that are priced. What may still follow
one leads to no other state: made again from all taps, the journey is the same one with more known
of it, and what was booked before is corrected by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class JourneyState(StrEnum):
    """Where a journey stands."""

    WAITING_EXIT = "waiting_exit"
    WAITING_ENTRY = "waiting_entry"
    WAITING_ALIGHTING = "waiting_alighting"
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
    BOARDED = "boarded"  #: the fare is known at once
    BOARDED_SECTION = "boarded_section"  #: the fare is known when the rider alights
    EXITED_IN_TIME = "exited_in_time"
    EXITED_LATE = "exited_late"
    ALIGHTED = "alighted"
    EXIT_NEVER_CAME = "exit_never_came"
    ENTRY_NEVER_CAME = "entry_never_came"
    ALIGHTING_NEVER_CAME = "alighting_never_came"
    REPEATED = "repeated"  #: a second tap of one direction at one stop within the passback
    FILLED = "filled"  #: open gates, a statement or a habit name the missing end
    EXCUSED = "excused"  #: something that costs a rider is not held against it


class JourneyReason(StrEnum):
    """Why a journey is not a plain one."""

    MISSING_EXIT = "missing_exit"
    MISSING_ENTRY = "missing_entry"
    OVERSTAY = "overstay"
    NO_ALIGHTING = "no_alighting"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state after an event, and the reason that the event adds to the journey, if any."""

    state: JourneyState
    reason: JourneyReason | None = None


_S, _E, _R = JourneyState, JourneyEvent, JourneyReason

#: (state before, event) -> outcome. The state before the first event is None.
TRANSITIONS: Mapping[tuple[JourneyState | None, JourneyEvent], Outcome] = {
    (None, _E.ENTERED): Outcome(_S.WAITING_EXIT),
    (None, _E.LEFT): Outcome(_S.WAITING_ENTRY),
    (None, _E.BOARDED): Outcome(_S.COMPLETE),
    (None, _E.BOARDED_SECTION): Outcome(_S.WAITING_ALIGHTING),
    (_S.WAITING_EXIT, _E.EXITED_IN_TIME): Outcome(_S.COMPLETE),
    (_S.WAITING_EXIT, _E.EXITED_LATE): Outcome(_S.COMPLETE, _R.OVERSTAY),
    (_S.WAITING_EXIT, _E.EXIT_NEVER_CAME): Outcome(_S.INCOMPLETE, _R.MISSING_EXIT),
    (_S.WAITING_EXIT, _E.REPEATED): Outcome(_S.WAITING_EXIT),
    (_S.WAITING_ENTRY, _E.ENTRY_NEVER_CAME): Outcome(_S.INCOMPLETE, _R.MISSING_ENTRY),
    (_S.WAITING_ENTRY, _E.REPEATED): Outcome(_S.WAITING_ENTRY),
    (_S.WAITING_ALIGHTING, _E.ALIGHTED): Outcome(_S.COMPLETE),
    (_S.WAITING_ALIGHTING, _E.ALIGHTING_NEVER_CAME): Outcome(_S.COMPLETE, _R.NO_ALIGHTING),
    (_S.WAITING_ALIGHTING, _E.REPEATED): Outcome(_S.WAITING_ALIGHTING),
    (_S.COMPLETE, _E.ALIGHTED): Outcome(_S.COMPLETE),
    (_S.COMPLETE, _E.REPEATED): Outcome(_S.COMPLETE),
    (_S.COMPLETE, _E.EXCUSED): Outcome(_S.COMPLETE),
    (_S.INCOMPLETE, _E.REPEATED): Outcome(_S.INCOMPLETE),
    (_S.INCOMPLETE, _E.FILLED): Outcome(_S.INCOMPLETE),
    (_S.INCOMPLETE, _E.EXCUSED): Outcome(_S.INCOMPLETE),
}


def advance(state: JourneyState | None, event: JourneyEvent) -> Outcome:
    """The outcome of ``event`` in ``state``; one that the table does not name is our mistake."""
    outcome = TRANSITIONS.get((state, event))
    assert outcome is not None, f"{event} cannot follow {state}"
    return outcome
