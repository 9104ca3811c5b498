"""A rider of the sandbox, and what is planned for a day: scans, and what is done beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from transitpay.sandbox.places import Place


class Case(StrEnum):
    """What a rider shows at a reader."""

    FRESH = "fresh"  #: a code drawn a moment ago
    STALE = "stale"  #: a picture of a code, minutes old
    REPLAYED = "replayed"  #: the code of the rider's last entry, shown by somebody else
    FORGED = "forged"  #: signed by another key than the device's
    EXCLUDED = "excluded"  #: a fresh code at a service that takes none
    ELSEWHERE = "elsewhere"  #: a code for the other side of the border


class Deed(StrEnum):
    """What a rider does beside plain riding; the first five as the case of the same name."""

    STALE = "stale"
    REPLAYED = "replayed"
    FORGED = "forged"
    EXCLUDED = "excluded"
    ELSEWHERE = "elsewhere"
    MISSING_EXIT = "missing_exit"
    POOR = "poor"
    ALIGHTS = "alights"  #: takes a bus and scans again on alighting
    CHANGES = "changes"  #: rides again within the time of a transfer
    DECLARES = "declares"  #: forgets to tap out, and tells the wallet where that was
    COMPANION = "companion"  #: travels with somebody who has no code
    OPEN_GATES = "open_gates"  #: leaves where the gates stand open
    MESSENGER = "messenger"  #: boards a bus all day long, so that the month's tiers are reached


@dataclass(frozen=True, slots=True)
class PlannedScan:
    """One scan: when, where, what is shown. An exit is scanned only after an entry that opened.

    ``slot`` 1 is a companion's code.
    """

    at: datetime
    place: Place
    case: Case = Case.FRESH
    leaves: bool = False
    slot: int = 0


@dataclass(frozen=True, slots=True)
class PlannedRider:
    """One rider's day, its scans in order of time.

    ``declares`` is the station where the rider left without a scan and says so in the evening.
    """

    account: str
    wallet: str
    destination: int
    opening_minor: int
    companions: int
    scans: tuple[PlannedScan, ...]
    declares: str | None = None


def all_scans(riders: Sequence[PlannedRider]) -> Iterator[PlannedScan]:
    """Every planned scan."""
    return (scan for rider in riders for scan in rider.scans)
