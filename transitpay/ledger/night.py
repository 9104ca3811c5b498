"""What a night leaves behind: its steps, the runs of reconciliation, and their breaks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class StoredStep:
    """One step of one day and participant."""

    day: date
    step: str
    participant: str
    state: str
    reason: str | None
    wait_until: datetime | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run with its result."""

    id: int
    wallet: str
    day: date
    revision: int
    result_digest: bytes
    counts: dict[str, object]
    at: datetime


@dataclass(frozen=True, slots=True)
class RunKey:
    """What a run is made from: the same again is the same run."""

    wallet: str
    day: date
    file_digest: bytes
    rules_version: str
    internal_digest: bytes
    carried_digest: bytes


@dataclass(frozen=True, slots=True)
class StoredBreak:
    """One break of a run."""

    n: int
    day: date
    wallet: str
    kind: str
    request_id: str
    internal_minor: int | None
    external_minor: int | None
    currency: str | None
    detail: dict[str, object]
    state: str
