"""What a reader is made of when it starts: who it is, and what its store has kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from transitpay.ride_code.record import Record

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

    ``records`` are the newest ones, oldest first, down to the window's length where there are as
    many. ``capacity`` is how many unacknowledged records the store takes.
    """

    boot: int
    ended_clean: bool
    last_position: int
    acknowledged: int
    capacity: int
    records: Sequence[Record] = ()
