"""Where time comes from; everywhere else an aware UTC ``at`` is a parameter.

``SystemClock`` is the only place of the project that reads the machine's time. The sandbox runs
a whole day in a minute on ``ScaledClock``, of which every process gets the same epoch and speed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from transitpay.errors import MalformedInput

#: Between these years, both left out, lies every instant that somebody may tell us.
FIRST_YEAR, LAST_YEAR = 2020, 2100
#: Hong Kong and Shenzhen keep the same time, UTC+8 without summer time.
LOCAL_ZONE = ZoneInfo("Asia/Hong_Kong")


class Clock(Protocol):
    """Business time. ``speed`` is business seconds per real second (1 outside the sandbox)."""

    @property
    def speed(self) -> int: ...

    def now(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The machine's clock."""

    speed: int = 1

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC)


@dataclass(slots=True)
class ManualClock:
    """A clock that stands still until it is moved; for tests."""

    at: datetime
    speed: int = 1

    def now(self) -> datetime:
        return self.at

    def advance(self, by: timedelta) -> datetime:
        self.at += by
        return self.at


@dataclass(frozen=True, slots=True)
class ScaledClock:
    """Business time that started at ``business_epoch`` when the machine showed ``real_epoch``.

    From the instant ``turn_at`` of its own time on it runs at ``turn_speed``. Written in settings
    as ``<business epoch ISO>@<real epoch ISO>x<speed>``, then ``,<turn ISO>x<speed>`` if it turns.
    """

    business_epoch: datetime
    real_epoch: datetime
    speed: int
    turn_at: datetime | None = None
    turn_speed: int = 1
    system: Clock = SystemClock()

    def now(self) -> datetime:
        at = self.business_epoch + (self.system.now() - self.real_epoch) * self.speed
        if self.turn_at is None or at <= self.turn_at:
            return at
        return self.turn_at + (at - self.turn_at) * self.turn_speed / self.speed

    def __str__(self) -> str:
        text = f"{self.business_epoch.isoformat()}@{self.real_epoch.isoformat()}x{self.speed}"
        if self.turn_at is None:
            return text
        return f"{text},{self.turn_at.isoformat()}x{self.turn_speed}"


def parse_clock(text: str) -> Clock:
    """The clock that a setting names: ``system``, or the form of ``str(ScaledClock)``.

    Raises: MalformedInput (``bad_clock``).
    """
    if text == "system":
        return SystemClock()
    first, _, then = text.partition(",")
    business, _, rest = first.partition("@")
    real, _, speed = rest.rpartition("x")
    turn, _, turn_speed = then.rpartition("x")
    try:
        clock = ScaledClock(
            datetime.fromisoformat(business),
            datetime.fromisoformat(real),
            int(speed),
            datetime.fromisoformat(turn) if then else None,
            int(turn_speed) if then else 1,
        )
        instants = (clock.business_epoch, clock.real_epoch, clock.turn_at or clock.real_epoch)
        if min(clock.speed, clock.turn_speed) < 1 or any(at.tzinfo is None for at in instants):
            raise ValueError
    except ValueError:
        raise MalformedInput(
            "bad_clock", f"{text!r} is not 'system' or 'ISO@ISOxSPEED[,ISOxSPEED]' with time zones"
        ) from None
    return clock


def service_day(at: datetime, zone: ZoneInfo = LOCAL_ZONE, cutoff_h: int = 4) -> date:
    """The operator's day of an instant: it begins at ``cutoff_h`` local time (04:00)."""
    return (at.astimezone(zone) - timedelta(hours=cutoff_h)).date()


def wallet_day(at: datetime) -> date:
    """The wallet's day of an instant: 00:00:00-23:59:59 UTC+8 by completion time."""
    return at.astimezone(LOCAL_ZONE).date()


def day_start(day: date, hour: int = 0, minute: int = 0) -> datetime:
    """The UTC instant of a local wall-clock time on ``day``."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=LOCAL_ZONE).astimezone(UTC)


def instant_text(at: datetime | None) -> str | None:
    """An instant as commands print it, in UTC+8 from whatever zone it came; None as it is."""
    return None if at is None else at.astimezone(LOCAL_ZONE).isoformat()


def waited(since: datetime, now: datetime) -> str:
    """How long something waits, for people, cut: ``2 d 3 h``, ``3 h 7 min``, ``7 min``."""
    span = max(now - since, timedelta())
    hours, rest = divmod(span - timedelta(span.days), timedelta(hours=1))
    minutes = rest // timedelta(minutes=1)
    if span.days:
        return f"{span.days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
