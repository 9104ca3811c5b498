"""The breaker: whether the gateway is worth asking, so that riders do not wait for a dead network.

CLOSED --- failure, the nth in a row ---> OPEN --- pause over: one probe ---> PROBING
  ^                                        ^                                    |
  |                                        +------------- failure --------------+
  +------------------------------- success -------------------------------------+
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """``probing``: one scan asks for all; the others are decided alone meanwhile."""

    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"


class Word(StrEnum):
    """What the breaker hears. ``last_failure`` is the nth in a row."""

    SUCCESS = "success"
    FAILURE = "failure"
    LAST_FAILURE = "last_failure"
    PAUSE_OVER = "pause_over"


#: Complete; what an open breaker hears is of scans that asked before it opened.
TRANSITIONS: dict[tuple[State, Word], State] = {
    (State.CLOSED, Word.SUCCESS): State.CLOSED,
    (State.CLOSED, Word.FAILURE): State.CLOSED,
    (State.CLOSED, Word.LAST_FAILURE): State.OPEN,
    (State.CLOSED, Word.PAUSE_OVER): State.CLOSED,
    (State.OPEN, Word.SUCCESS): State.CLOSED,
    (State.OPEN, Word.FAILURE): State.OPEN,
    (State.OPEN, Word.LAST_FAILURE): State.OPEN,
    (State.OPEN, Word.PAUSE_OVER): State.PROBING,
    (State.PROBING, Word.SUCCESS): State.CLOSED,
    (State.PROBING, Word.FAILURE): State.OPEN,
    (State.PROBING, Word.LAST_FAILURE): State.OPEN,
    (State.PROBING, Word.PAUSE_OVER): State.PROBING,
}


@dataclass(slots=True)
class Breaker:
    """Opens after ``after`` failures in a row and lets one probe through each ``pause_ms``."""

    after: int
    pause_ms: int
    state: State = State.CLOSED
    failures: int = 0
    opened_ms: int = 0

    def may_ask(self, monotonic_ms: int) -> bool:
        """Whether the next scan asks; when an open breaker says yes, that scan is its probe."""
        if self.state is State.OPEN and monotonic_ms - self.opened_ms >= self.pause_ms:
            self._hear(Word.PAUSE_OVER, monotonic_ms)
            return True
        return self.state is State.CLOSED

    def succeeded(self, monotonic_ms: int) -> None:
        """The gateway answered in time."""
        self.failures = 0
        self._hear(Word.SUCCESS, monotonic_ms)

    def failed(self, monotonic_ms: int) -> None:
        """There was no answer in time, or none that decides."""
        self.failures += 1
        last = self.failures >= self.after
        self._hear(Word.LAST_FAILURE if last else Word.FAILURE, monotonic_ms)

    def _hear(self, word: Word, monotonic_ms: int) -> None:
        before, self.state = self.state, TRANSITIONS[self.state, word]
        if self.state is State.OPEN and before is not State.OPEN:
            self.opened_ms = monotonic_ms
