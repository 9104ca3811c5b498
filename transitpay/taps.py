"""A scan is what a reader sends; a tap is a scan whose code was accepted and names a rider.

The natural key of both is (day of the scan, reader, sequence): the reader assigns the sequence
before it asks, and the request under it never changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple


class Direction(StrEnum):
    """What a scan at this reader means for a journey."""

    ENTRY = "entry"
    EXIT = "exit"
    BOARD = "board"
    ALIGHT = "alight"
    SINGLE = "single"


#: Directions in which a rider leaves.
EXITS = frozenset({Direction.EXIT, Direction.ALIGHT})


class RiderRef(NamedTuple):
    """A rider as every tier behind the gate knows one: issuing wallet, opaque id, slot 0-2.

    ``rider_id`` is 16 lower-case hexadecimal digits (8 opaque bytes, unique per issuer).
    """

    issuer: str
    rider_id: str
    slot: int = 0


class TapKey(NamedTuple):
    """(local calendar day of the scan, reader id, sequence); sorts in that order.

    A tuple, because each scan is looked up by it many times.
    """

    day: date
    reader: str
    sequence: int


class Scan(NamedTuple):
    """One scan as the reader recorded it, before anybody judged it.

    ``at`` is the reader's stamp (aware UTC), ``uncertainty_s`` its own doubt of it. ``stop`` is
    the station or stop id of the network; ``route`` stands for buses. ``stage_fare_minor`` is the
    undiscounted fare that an on-board reader set for this boarding, where the driver or the stage
    decides it; None where the tariff does.
    """

    reader: str
    sequence: int
    at: datetime
    code: str
    direction: Direction
    network: str
    stop: str
    uncertainty_s: int = 0
    route: str | None = None
    vehicle: str | None = None
    stage_fare_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Tap:
    """One accepted tap: the fact from which journeys are made.

    ``received_at`` is when the gateway learnt of it, None where that does not matter.
    """

    key: TapKey
    rider: RiderRef
    operator: str
    network: str
    stop: str
    direction: Direction
    at: datetime
    route: str | None = None
    stage_fare_minor: int | None = None
    vehicle: str | None = None
    received_at: datetime | None = None

    @property
    def order(self) -> tuple[datetime, str, int]:
        """The total order of taps: (tap at, reader, sequence)."""
        return (self.at, self.key.reader, self.key.sequence)
