"""Stops new payments to a wallet that does not say yes or no, and tries it again after a while.

Charges wait meanwhile and nothing is lost; questions and cancels go on. Seconds are those of a
stopwatch, never of a clock.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Circuit:
    """Closed until ``limit`` unknown answers follow one another; any definite answer closes it.

    While it is open one payment at a time is tried after each ``pause_s``.
    """

    limit: int = 12
    pause_s: float = 5.0
    unknowns: int = 0
    tried_at_s: float = 0.0

    @property
    def is_open(self) -> bool:
        return self.unknowns >= self.limit

    def note(self, *, unknown: bool, now_s: float) -> None:
        """Count an answer."""
        was_open = self.is_open
        self.unknowns = self.unknowns + 1 if unknown else 0
        if self.is_open and not was_open:
            self.tried_at_s = now_s

    def allowed(self, wanted: int, now_s: float) -> int:
        """How many new payments may begin now, of ``wanted``."""
        if not self.is_open:
            return wanted
        if now_s - self.tried_at_s < self.pause_s:
            return 0
        self.tried_at_s = now_s
        return min(wanted, 1)
