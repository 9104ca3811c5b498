"""What people say of a journey after it: where it began or ended, or that it is given back.

Statements are facts like taps: they are kept for ever, in the order in which they were made, and
name a journey by the tap that is known of it, so that they hold however the journey is made again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from transitpay.taps import TapKey


class StatementKind(StrEnum):
    """``declared``: the rider names the missing station. ``corrected``: the operator does, two
    people of it. ``given_back``: the operator takes no fare for the journey."""

    DECLARED = "declared"
    CORRECTED = "corrected"
    GIVEN_BACK = "given_back"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement on the journey that holds the tap ``tap``; ``stop`` None: given back.

    The newest of the strongest kind counts: given back before corrected before declared.
    """

    id: str
    tap: TapKey
    kind: StatementKind
    stop: str | None
    stated_at: datetime

    def __post_init__(self) -> None:
        assert (self.stop is None) == (self.kind is StatementKind.GIVEN_BACK)
