"""What a reader writes down: scans, outcomes, boots and events, each at its place in one chain.

Their bytes are made and read in ``record_bytes``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from transitpay.ride_code.reasons import Reason
from transitpay.taps import Direction


class DecidedBy(StrEnum):
    """Whose decision the gate carried out."""

    READER = "reader"
    GATEWAY = "gateway"


class Decision(StrEnum):
    """What became of a scan at the gate."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    ALREADY_ANSWERED = "already_answered"


class Mode(StrEnum):
    """How the station was run; ``local``: fire, or gates opened by key at the station itself."""

    NORMAL = "normal"
    OPEN = "open"
    EMERGENCY = "emergency"
    LOCAL = "local"


class Passage(StrEnum):
    """What the rider did; who did not pass has no journey."""

    PASSED = "passed"
    NOT_PASSED = "not_passed"
    TIMED_OUT = "timed_out"
    FORCED_OPEN = "forced_open"


class EventKind(StrEnum):
    """What else is worth a record, in the order of their numbers."""

    STORE_NEARLY_FULL = "store_nearly_full"
    STORE_FULL = "store_full"
    UNRECORDED_SCANS = "unrecorded_scans"
    CLOCK_FAULT_BEGINS = "clock_fault_begins"
    CLOCK_FAULT_ENDS = "clock_fault_ends"
    LOCAL_OPEN_BEGINS = "local_open_begins"
    LOCAL_OPEN_ENDS = "local_open_ends"
    LIST_REFUSED = "list_refused"
    STORE_HAS_ROOM = "store_has_room"


class Place(NamedTuple):
    """Where a scan was made, as far as the reader says; texts of at most 64 bytes of UTF-8."""

    stop: str | None = None
    route: str | None = None
    variant: str | None = None
    vehicle: str | None = None
    trip: str | None = None
    stop_index: int | None = None


class ListVersions(NamedTuple):
    """The low 32 bits of the versions of the lists that the reader held; 0 = none."""

    trust: int = 0
    deny: int = 0
    config: int = 0


class ScanRecord(NamedTuple):
    """One scan: the request, which never changes, and what the gate made of it.

    ``at`` is aware UTC in whole milliseconds; ``code`` is what the scanner gave. ``reason`` is
    None exactly where the decision is ``accepted``; ``flags`` stand in the order of Reason.
    """

    position: int
    at: datetime
    uncertainty_s: int
    sequence: int
    direction: Direction
    decided_by: DecidedBy
    decision: Decision
    reason: Reason | None
    flags: tuple[Reason, ...]
    mode: Mode
    versions: ListVersions
    place: Place
    stage_fare_minor: int | None
    code: bytes


@dataclass(frozen=True, slots=True)
class OutcomeRecord:
    """What followed the scan with this sequence."""

    position: int
    at: datetime
    uncertainty_s: int
    sequence: int
    passage: Passage


@dataclass(frozen=True, slots=True)
class BootRecord:
    """The reader started; ``clean``: it had been shut down in good order."""

    position: int
    at: datetime
    uncertainty_s: int
    boot: int
    clean: bool
    software: str


@dataclass(frozen=True, slots=True)
class EventRecord:
    """Something happened to the reader itself; ``count`` where the kind counts, else 0."""

    position: int
    at: datetime
    uncertainty_s: int
    kind: EventKind
    count: int = 0


Record = ScanRecord | OutcomeRecord | BootRecord | EventRecord
