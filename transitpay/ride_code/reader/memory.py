"""What a reader is made of when it starts: who it is, and what its store has kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from transitpay.ride_code.reader.own_clock import Reading
from transitpay.ride_code.reader.window import Window
from transitpay.ride_code.record import Record
from transitpay.ride_code.trust_list import TrustList

#: Signs a batch head with the reader's key: 128 bytes -> 64 (``signing.sign_batch``).
Signer = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the reader is to the gateway, and what software it runs."""

    reader: str
    key_number: int
    sign: Signer
    software: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """What the store knows when the reader starts. ``boot`` is new and already on the disk.

    ``records`` are read once: those that are not acknowledged and at least as many of the newest
    as the window holds, oldest first. ``capacity`` is how many unacknowledged ones the store takes.
    """

    boot: int
    ended_clean: bool
    last_position: int
    acknowledged: int
    capacity: int
    records: Iterable[Record] = ()

    def recalled(self, trust: TrustList) -> Past:
        """What the records say, gone through once."""
        window, last, unsent_at = Window(), None, None
        for record in self.records:
            window.take(record, trust)
            last = Reading(record.at, record.uncertainty_s)
            if unsent_at is None and record.position > self.acknowledged:
                unsent_at = record.at
        return Past(window, last, unsent_at)


@dataclass(frozen=True, slots=True)
class Past:
    """``last`` is the time of the newest record, ``unsent_at`` that of the oldest one that the
    gateway does not have."""

    window: Window
    last: Reading | None
    unsent_at: datetime | None
