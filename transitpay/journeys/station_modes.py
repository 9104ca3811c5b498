"""Station modes: what an operator declared for a stop or a network, and when it holds.

A record is never changed. A later record that replaces it corrects or ends it; what was known at
an instant are the records of before, without those that another of before had replaced.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Mode(StrEnum):
    """``gates_open``, ``emergency``: riders pass without a scan; waivers: what they are charged."""

    GATES_OPEN = "gates_open"
    EMERGENCY = "emergency"
    DATE_WAIVER = "date_waiver"
    FARE_WAIVER = "fare_waiver"


#: Modes in which gates stand open, the stronger first.
OPEN_GATES = (Mode.EMERGENCY, Mode.GATES_OPEN)


@dataclass(frozen=True, slots=True)
class StationMode:
    """One record. ``stop`` None is the whole network, ``valid_until`` None is until further notice.

    In force at ``valid_from <= at < valid_until``: a record that begins when it ends never held.
    ``replaces`` is the operator's request id of the record that this one corrects.
    """

    id: int
    operator: str
    request_id: str
    network: str
    stop: str | None
    mode: Mode
    valid_from: datetime
    valid_until: datetime | None
    reason: str
    replaces: str | None
    recorded_by: str
    recorded_at: datetime

    def overlaps(self, start: datetime, end: datetime) -> bool:
        """Whether it is in force at some instant from ``start`` to ``end``, both included."""
        if self.valid_until is None:
            return self.valid_from <= end
        return self.valid_from <= end and start < self.valid_until > self.valid_from

    def holds(self, network: str, stop: str, at: datetime) -> bool:
        """Whether it is in force there and then; ``stop`` is spelled as in the record."""
        return (
            self.network == network
            and self.stop in (None, stop)
            and self.valid_from <= at
            and (self.valid_until is None or at < self.valid_until)
        )


def standing(records: Iterable[StationMode]) -> list[StationMode]:
    """The records that no other of them replaces, in the order in which they begin."""
    known = list(records)
    replaced = {(it.operator, it.replaces) for it in known if it.replaces is not None}
    stand = [it for it in known if (it.operator, it.request_id) not in replaced]
    return sorted(stand, key=lambda it: (it.valid_from, it.id))


def open_gates(
    records: Iterable[StationMode], network: str, stop: str, at: datetime
) -> Mode | None:
    """The mode by which the gates of a stop stand open; an emergency is told before the rest."""
    modes = {it.mode for it in records if it.holds(network, stop, at)}
    return next((mode for mode in OPEN_GATES if mode in modes), None)
