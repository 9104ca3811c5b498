"""What a reader is made of when it starts: who it is, and what its store has kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from transitpay.ride_code.reader.own_clock import Reading
from transitpay.ride_code.reader.window import Window
from transitpay.ride_code.records.record import Record
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

    ``records`` are the newest ones, as many as the window holds, oldest first; they are gone
    through once. ``unsent_at`` is the time of the oldest record that is not acknowledged.
    ``capacity`` is how many of those the store takes.
    """

    boot: int
    ended_clean: bool
    last_position: int
    acknowledged: int
    capacity: int
    records: Iterable[Record] = ()
    unsent_at: datetime | None = None

    def recalled(self, trust: TrustList) -> tuple[Window, Reading | None]:
        """The window that the records make, and the time of the newest one."""
        window, last = Window(), None
        for record in self.records:
            window.take(record, trust)
            last = Reading(record.at, record.uncertainty_s)
        return window, last
