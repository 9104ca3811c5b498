"""The offline reader SDK: a turnstile or bus reader as a state machine without any I/O.

``Reader`` is told what happened (a code was read, the gateway answered, time passed) and answers
with effects (write, open, show, ask) that a driver carries out in order. It imports no network, no
database, no event loop, and runs wherever Python 3.11 and ``cryptography`` do.
"""

from transitpay.ride_code.reader.codes import scanned
from transitpay.ride_code.reader.effects import (
    Ask,
    Beat,
    Effect,
    Effects,
    Fetch,
    HoldOpen,
    ListName,
    Now,
    Open,
    Send,
    Show,
    Signal,
    Sound,
    Text,
    Write,
)
from transitpay.ride_code.reader.held_lists import HeldLists
from transitpay.ride_code.reader.memory import Identity, Memory
from transitpay.ride_code.reader.reader import Reader
from transitpay.ride_code.reader.settings import ReaderSettings
from transitpay.ride_code.reader.upkeep import Pace

__all__ = [
    "Ask", "Beat", "Effect", "Effects", "Fetch", "HeldLists", "HoldOpen", "Identity", "ListName",
    "Memory", "Now", "Open", "Pace", "Reader", "ReaderSettings", "Send", "Show", "Signal",
    "Sound", "Text", "Write", "scanned",
]  # fmt: skip
