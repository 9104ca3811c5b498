"""The reader's own time and its doubt of it.

After the last sync the reader counts on its monotonic clock, so a wall clock that is set forward
or back, by whomever, moves nothing; how far it has gone astray is only a reason to doubt. Nothing
that a phone says is ever a source of time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from transitpay.ride_code.reader.effects import Now
from transitpay.ride_code.records.record_bytes import MAX_UNCERTAINTY_S, whole_ms
from transitpay.ride_code.verdict import UNCERTAINTY_CAP_S

#: What a cheap quartz may gain or lose: 8.6 s a day.
DRIFT_PPM = 100
#: A wall clock this near to our own time has not been set.
_WALL_TOLERANCE_MS = 1000
_MILLISECOND = timedelta(milliseconds=1)
_UNKNOWN_MS = MAX_UNCERTAINTY_S * 1000


@dataclass(frozen=True, slots=True)
class Reading:
    """Our time, in whole milliseconds, and the doubt of it in whole seconds, rounded up."""

    at: datetime
    uncertainty_s: int


@dataclass(frozen=True, slots=True)
class OwnClock:
    """Our time was ``at`` when the monotonic clock showed ``monotonic_ms``, within ``error_ms``."""

    at: datetime
    monotonic_ms: int
    error_ms: int

    @staticmethod
    def synced(now: Now, true_at: datetime, error_ms: int) -> OwnClock:
        """The clock after a time source said that it is ``true_at`` now, within ``error_ms``."""
        return OwnClock(true_at, now.monotonic_ms, error_ms)

    @staticmethod
    def after_start(now: Now, last: Reading | None) -> OwnClock:
        """The clock of a reader that starts: its battery-kept wall clock, as long as that has not
        fallen behind the last record. Then, and without any record, nothing is known."""
        if last is None:
            return OwnClock(now.utc, now.monotonic_ms, _UNKNOWN_MS)
        away_ms = (now.utc - last.at) // _MILLISECOND
        if away_ms < 0:
            return OwnClock(last.at, now.monotonic_ms, _UNKNOWN_MS)
        error_ms = last.uncertainty_s * 1000 + _drift_ms(away_ms)
        return OwnClock(now.utc, now.monotonic_ms, error_ms)

    def is_helped_by(self, now: Now, error_ms: int) -> bool:
        """Whether a time within this error is worth taking: not where ours is nearer already, nor
        beyond the cap, where it could not tell a fresh code from an old one."""
        doubt_s = min(self.read(now).uncertainty_s, UNCERTAINTY_CAP_S)
        return error_ms <= max(doubt_s, 1) * 1000

    def read(self, now: Now) -> Reading:
        """Our time now. The doubt: that of the last sync and the drift since then, or how far the
        wall clock was set away from our time where that is more."""
        elapsed_ms = max(now.monotonic_ms - self.monotonic_ms, 0)
        at = self.at + elapsed_ms * _MILLISECOND
        astray_ms = abs(now.utc - at) // _MILLISECOND
        doubt_ms = self.error_ms + _drift_ms(elapsed_ms)
        if astray_ms > _WALL_TOLERANCE_MS:
            doubt_ms = max(doubt_ms, astray_ms)
        return Reading(whole_ms(at), min(-(-doubt_ms // 1000), MAX_UNCERTAINTY_S))


def _drift_ms(elapsed_ms: int) -> int:
    return elapsed_ms * DRIFT_PPM // 1_000_000
