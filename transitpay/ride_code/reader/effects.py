"""What a reader tells its driver to do, as values; the driver does them in the order given.

The order is the promise: a ``Write`` is on the disk before anything after it is done, so no gate
opens without its record.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from transitpay.money import Money
from transitpay.ride_code.reasons import Language, Reason


@dataclass(frozen=True, slots=True)
class Now:
    """One moment on the machine's two clocks.

    ``utc`` is its wall clock (aware). ``monotonic_ms`` is never set, and runs on while the
    machine sleeps (CLOCK_BOOTTIME on Linux).
    """

    utc: datetime
    monotonic_ms: int


class Signal(StrEnum):
    """The light. Amber: open, and the rider should read the text."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"


class Sound(IntEnum):
    """The number of the sound: pass, pass and read, try again, stop."""

    PASS = 1
    READ = 2
    TRY_AGAIN = 3
    STOP = 4


@dataclass(frozen=True, slots=True)
class Text:
    """What the rider reads in one language; ``short`` is the same on 2 lines of 16 cells."""

    language: Language
    full: str
    short: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Show:
    """Signal, sound and texts of one scan, in the configured order of languages.

    ``fare`` only where it is final at this reader; never a balance, a name or a rate.
    """

    sequence: int
    signal: Signal
    sound: Sound
    reason: Reason | None
    texts: tuple[Text, ...]
    fare: Money | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """``POST /v1/taps`` with this JSON, for so long at most; then say ``answered`` or
    ``unanswered``, or just go on: the reader notices the time at its next call."""

    sequence: int
    body: bytes
    timeout_ms: int


@dataclass(frozen=True, slots=True)
class Write:
    """Append this record to the store and wait until it is on the disk.

    If it cannot be written, do nothing that follows it and say ``not_written``.
    """

    position: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Open:
    """Open the gate once, for this scan; on a bus, this boarding is good."""

    sequence: int


@dataclass(frozen=True, slots=True)
class HoldOpen:
    """Keep the gate open from now on, or end that."""

    open: bool


@dataclass(frozen=True, slots=True)
class Send:
    """Take at most ``limit`` records from ``first_position`` on out of the store, ``seal`` them,
    ``POST /v1/readers/records``, and say ``sent``."""

    first_position: int
    limit: int


@dataclass(frozen=True, slots=True)
class Beat:
    """``POST /v1/readers/heartbeat`` with this JSON, and say ``beaten``."""

    body: bytes


class ListName(StrEnum):
    """The lists of a reader."""

    TRUST = "trust"
    DENY = "deny"
    CONFIG = "config"


@dataclass(frozen=True, slots=True)
class Fetch:
    """``GET /v1/lists/...`` of this list, of which this version is held (0 = none)."""

    name: ListName
    have_version: int


Effect = Ask | Write | Open | HoldOpen | Show | Send | Beat | Fetch
Effects = tuple[Effect, ...]
