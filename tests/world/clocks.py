"""The clocks of the world: a reader's quartz, which drifts and is set, and a phone's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from transitpay.ride_code.reader.effects import Now

from .scheduler import Scheduler


@dataclass(slots=True)
class ReaderClock:
    """One quartz behind a wall clock that anybody may set and a monotonic one that nobody can.

    An honest quartz drifts by at most 100 ppm, either way.
    """

    scheduler: Scheduler
    drift_ppm: float
    wall_offset_s: float
    _made_at: datetime
    _started_ms: int = 0

    @staticmethod
    def of(scheduler: Scheduler, drift_ppm: float, wall_offset_s: float) -> ReaderClock:
        """A clock that is so much off now."""
        return ReaderClock(scheduler, drift_ppm, wall_offset_s, scheduler.now)

    @property
    def now(self) -> Now:
        """What the machine shows."""
        elapsed_ms = self._elapsed_ms()
        wall = self._made_at + timedelta(milliseconds=elapsed_ms + self.wall_offset_s * 1000)
        return Now(wall, elapsed_ms - self._started_ms)

    def set_wall(self, by_s: float) -> None:
        """Somebody or something sets the wall clock."""
        self.wall_offset_s += by_s

    def restart(self) -> None:
        """The machine starts; its wall clock ran on by a battery."""
        self._started_ms = self._elapsed_ms()

    def _elapsed_ms(self) -> int:
        elapsed_s = (self.scheduler.now - self._made_at).total_seconds()
        return round(elapsed_s * (1000 + self.drift_ppm / 1000))


@dataclass(frozen=True, slots=True)
class PhoneClock:
    """A phone's idea of the time."""

    scheduler: Scheduler
    offset_s: float = 0.0

    @property
    def now(self) -> datetime:
        """What it writes into a code."""
        return self.scheduler.now + timedelta(seconds=self.offset_s)
