"""Makes the next rows of the published rate log: one for every minute, strictly in order.

A row says the rate from its minute on; a gap says that there was none. Rows are aimed ahead of
their minute. A minute that cannot be met in time becomes a gap and the rate takes effect at a
later one, so nobody is charged by a rate that was chosen after the ride.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from transitpay.fx.guard import GuardPolicy
from transitpay.fx.rate import Observation, PublishedRate, invert, quantise
from transitpay.money import CNY, HKD, Currency

MINUTE = timedelta(minutes=1)
#: The source that a gap row names.
NO_SOURCE = "none"


def next_rows(
    last_effective: datetime | None,
    observations: Sequence[Observation],
    at: datetime,
    lead_s: int = 30,
    *,
    pair: tuple[Currency, Currency] = (HKD, CNY),
    commit_s: int = 5,
    policy: GuardPolicy | None = None,
    limit_minutes: int = 1440,
) -> list[PublishedRate]:
    """The rows to append now, both directions of each minute together, in order.

    ``observations`` have passed the guard; the newest that is still fresh by its source's own
    cadence gives the rate. Rows run from the minute after ``last_effective`` (None: an empty log)
    to the first whole minute at least ``lead_s`` ahead. A minute less than ``commit_s`` ahead is
    missed: a gap. At most ``limit_minutes`` minutes are made in one call; the next call goes on.

    Worked: at 12:00:25 with a lead of 30 s the log is filled to 12:01; at 12:00:31 to 12:02.
    """
    assert last_effective is None or last_effective == _ceil_minute(last_effective)
    target = _ceil_minute(at + timedelta(seconds=lead_s))
    first = target if last_effective is None else last_effective + MINUTE
    chosen = _newest(observations, at, pair, policy or GuardPolicy())
    rows: list[PublishedRate] = []
    minute = first
    while minute <= target and len(rows) < 2 * limit_minutes:
        missed = minute < at + timedelta(seconds=commit_s)
        rows += _both(pair, minute, None if missed else chosen, at)
        minute += MINUTE
    return rows


def _both(
    pair: tuple[Currency, Currency], minute: datetime, chosen: Observation | None, at: datetime
) -> list[PublishedRate]:
    """The row and its inverse. The inverse is computed here, once; nothing divides later."""
    base, quote = pair
    rate: Decimal | None = None
    back: Decimal | None = None
    source = NO_SOURCE
    if chosen is not None:
        rate, source = quantise(chosen.mid), chosen.source
        back = invert(rate)
    return [
        PublishedRate(base, quote, minute, rate, source, at),
        PublishedRate(quote, base, minute, back, source, at),
    ]


def _newest(
    observations: Sequence[Observation],
    at: datetime,
    pair: tuple[Currency, Currency],
    policy: GuardPolicy,
) -> Observation | None:
    usable = [
        seen
        for seen in observations
        if (seen.base, seen.quote) == pair and policy.is_fresh(seen, at)
    ]
    return max(usable, key=lambda seen: (seen.observed_at, seen.source), default=None)


def _ceil_minute(at: datetime) -> datetime:
    floor = at.replace(second=0, microsecond=0)
    return floor if floor == at else floor + MINUTE
