"""The clock of a reader or phone: an offset, a drift, jumps, and what its owner believes of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from .scheduler import Scheduler


class BadClock:
    """Shows true time + offset + drift since the last synchronisation.

    ``drift_ppm`` is what it does; ``believed_ppm`` what its maker promises, from which the owner
    computes its doubt. An honest clock drifts at most as much as its maker promises.
    """

    def __init__(
        self, scheduler: Scheduler, *, offset_s: float = 0, drift_ppm: float = 0,
        believed_ppm: float = 100,
    ) -> None:  # fmt: skip
        self._scheduler = scheduler
        self._offset_s = offset_s
        self._drift_ppm = drift_ppm
        self._believed_ppm = believed_ppm
        self._synchronised_at = scheduler.now
        self._error_s = 0.0
        self._started_at = scheduler.now
        #: Seconds by which a manipulated or broken clock shows more than its owner knows.
        self.jump_s = 0.0

    @property
    def now(self) -> datetime:
        """What the clock shows."""
        elapsed_s = (self._scheduler.now - self._synchronised_at).total_seconds()
        wrong_s = self._offset_s + elapsed_s * self._drift_ppm / 1e6 + self.jump_s
        return self._scheduler.now + timedelta(milliseconds=round(wrong_s * 1000))

    @property
    def monotonic_ms(self) -> int:
        """Milliseconds since its owner's making; no jump moves it."""
        return (self._scheduler.now - self._started_at) // timedelta(milliseconds=1)

    @property
    def uncertainty_s(self) -> int:
        """What its owner says of its doubt: rounded up, never less than the truth if honest."""
        elapsed_s = (self._scheduler.now - self._synchronised_at).total_seconds()
        return int(self._error_s + elapsed_s * self._believed_ppm / 1e6) + 1

    def synchronise(self, error_s: float, wrong_s: float) -> None:
        """Take the true time, ``wrong_s`` off; ``error_s`` is the most it may be off."""
        self._synchronised_at = self._scheduler.now
        self._offset_s, self._error_s, self.jump_s = wrong_s, error_s, 0.0
