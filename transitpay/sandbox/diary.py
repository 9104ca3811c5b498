"""What happened at the sandbox's readers on a day: scans, decisions, deliveries, lists."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from transitpay.sandbox.places import Place

#: A scan whose record takes longer to the gateway, in business time, was delivered late.
LATE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class TapAnswer:
    """What the gateway has of one scan, for the last check; ``decision`` is None where it was set
    apart."""

    at: datetime
    reader: str
    sequence: int
    decision: str | None


class Shown(NamedTuple):
    """Whose code was shown at a scan, and where; ``slot`` 1 is a companion's."""

    wallet: str
    rider_id: str
    slot: int
    place: Place
    at: datetime


@dataclass(slots=True)
class Diary:
    """``decided`` counts who decided at the gate (gateway, reader), ``lists`` what was taken by
    (list, whole | delta), ``longest`` the longest way of a record to the gateway. ``answers`` and
    ``shown`` are by (reader, sequence)."""

    scans: int = 0
    codes: int = 0
    latest_lag_s: float = 0.0
    answers: dict[tuple[str, int], TapAnswer] = field(default_factory=dict)
    shown: dict[tuple[str, int], Shown] = field(default_factory=dict)
    cases: Counter[str] = field(default_factory=Counter)
    decided: Counter[str] = field(default_factory=Counter)
    lists: Counter[str] = field(default_factory=Counter)
    batches: int = 0
    late: int = 0
    longest: timedelta = timedelta(0)

    def acknowledged(self, answer: TapAnswer) -> None:
        """The gateway has this scan on its disk."""
        self.answers[(answer.reader, answer.sequence)] = answer

    def delivered(self, after: timedelta) -> None:
        """The record of a scan that was decided alone arrived so long after the scan."""
        self.late += after >= LATE
        self.longest = max(self.longest, after)

    def gates(self) -> dict[str, Any]:
        """The numbers of the gates."""
        return {
            "decided_by": dict(sorted(self.decided.items())),
            "batches": self.batches,
            "delivered_late": self.late,
            "longest_delivery_minutes": round(self.longest.total_seconds() / 60),
            "lists_taken": dict(sorted(self.lists.items())),
        }
