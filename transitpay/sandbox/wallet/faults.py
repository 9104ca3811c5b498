"""What goes wrong at a sandbox wallet, by a seeded plan: each payment's fate follows from its id.

A fault strikes the first time a payment is asked for, never its repetition, so everything heals
by the protocol's own means: resend, inquire, listen to the notification.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from transitpay.clock import LOCAL_ZONE


class Fault(StrEnum):
    """One thing that goes wrong."""

    LOST_REQUEST = "lost_request"  #: the connection ends before anything is charged
    LOST_ANSWER = "lost_answer"  #: charged, and the connection ends without an answer
    UNKNOWN = "unknown"  #: answered U; decided when it is asked about
    SLOW = "slow"  #: charged at once, answered late
    NOTICE_FIRST = "notice_first"  #: the notification overtakes the answer


_ORDER = tuple(Fault)
#: From this local hour on nothing is planned: what is open must be decided on its own day.
LAST_HOUR = 18


class FaultPlan:
    """Which payments meet which fault; ``permille`` of all payments meet one.

    What was struck is kept in the file ``struck``, so that a killed wallet strikes nobody twice.
    """

    def __init__(self, seed: int, wallet: str, permille: int, struck: Path) -> None:
        self._salt = f"{seed}:{wallet}:"
        self._permille = permille
        self._struck = struck
        self._seen = set(struck.read_text(encoding="utf-8").split() if struck.exists() else ())

    def strike(self, request_id: str, at: datetime) -> Fault | None:
        """The fault of this sending; None from the second sending on."""
        if request_id in self._seen or at.astimezone(LOCAL_ZONE).hour >= LAST_HOUR:
            return None
        digest = hashlib.sha256((self._salt + request_id).encode()).digest()
        if int.from_bytes(digest[:4], "big") % 1000 >= self._permille:
            return None
        self._seen.add(request_id)
        with self._struck.open("a", encoding="utf-8") as file:
            file.write(f"{request_id}\n")
        return _ORDER[digest[4] % len(_ORDER)]
