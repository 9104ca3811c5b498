"""Judges whether an observed rate may be published; a refusal is a value with its reason.

A candidate stands near the median of what was accepted lately and of what the other fresh
sources say. A true jump is accepted when 3 successive observations of 2 independent sources
agree on it; an inverse or a rate in other units never is, however often it is repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from transitpay.fx.rate import Observation
from transitpay.money import CONTEXT


class Refusal(StrEnum):
    """Why a rate is refused, in order of precedence."""

    NOT_A_NUMBER = "not_a_number"
    ZERO = "zero"
    NEGATIVE = "negative"
    FUTURE = "future"
    STALE = "stale"
    NO_REFERENCE = "no_reference"
    OTHER_UNIT = "other_unit"
    INVERSE = "inverse"
    OUTLIER = "outlier"


@dataclass(frozen=True, slots=True)
class Passed:
    """The rate may be published. ``by_persistence`` says that it was a jump that proved true."""

    by_persistence: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The rate may not be published; ``detail`` is one line for people."""

    reason: Refusal
    detail: str


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """The guard's settings; ratios are fractions of the median.

    ``max_age`` names a source's own cadence, ``default_age`` stands for all others. A rate
    ``unit_factor`` times above or below the median is in other units, not a market move.
    ``inverse_band``: how near to 1 / median a rate outside the normal band counts as an inverse.
    """

    k: Decimal = Decimal(3)
    floor: Decimal = Decimal("0.005")
    unit_factor: Decimal = Decimal(5)
    inverse_band: Decimal = Decimal("0.01")
    anchor_band: Decimal = Decimal("0.1")
    successive: int = 3
    sources: int = 2
    history: int = 5
    clock_skew: timedelta = timedelta(seconds=5)
    default_age: timedelta = timedelta(minutes=10)
    max_age: Mapping[str, timedelta] = field(default_factory=dict)

    def is_fresh(self, seen: Observation, at: datetime) -> bool:
        """True up to and including the age that the source's cadence allows, not in the future."""
        age = at - seen.observed_at
        return -self.clock_skew <= age <= self.max_age.get(seen.source, self.default_age)


def check(
    candidate: Observation,
    recent: Sequence[Decimal],
    fresh: Sequence[Observation],
    at: datetime,
    policy: GuardPolicy | None = None,
    anchor: Decimal | None = None,
) -> Passed | Refused:
    """Judge one observation at the instant ``at``.

    ``recent``: mids accepted for the pair, oldest first; the last ``policy.history`` count.
    ``fresh``: what live sources said for the pair lately, refused ones included, in any order;
    those stale at ``at`` are left out here. ``anchor``: a daily reference (ECB, CFETS) that is
    never mixed into the median; the only thing to stand by when nothing else is known.
    """
    rules = policy or GuardPolicy()
    broken = _broken(candidate, at, rules)
    if broken is not None:
        return broken
    others = [
        seen
        for seen in fresh
        if (seen.base, seen.quote) == (candidate.base, candidate.quote)
        and seen != candidate
        and seen.mid.is_finite()
        and seen.mid > 0
        and rules.is_fresh(seen, at)
    ]
    latest = {s.source: s.mid for s in sorted(others, key=_order) if s.source != candidate.source}
    values = [*recent[-rules.history :], *latest.values()]
    if not recent and anchor is not None:
        return _by_anchor(candidate, anchor, rules)
    if not values:
        return Refused(Refusal.NO_REFERENCE, "nothing accepted, no other fresh source, no anchor")
    median = _low_median(values)
    spread = _low_median([abs(CONTEXT.subtract(v, median)) for v in values])
    band = max(CONTEXT.multiply(rules.k, spread), CONTEXT.multiply(rules.floor, median))
    distance = abs(CONTEXT.subtract(candidate.mid, median))
    if distance <= band:
        return Passed()
    look = _look_alike(candidate.mid, median, rules)
    if look is not None:
        return look
    if _persists(candidate, others, rules):
        return Passed(by_persistence=True)
    return Refused(
        Refusal.OUTLIER,
        f"{candidate.mid} is {distance} from the median {median}; at most {band} is allowed",
    )


def _broken(candidate: Observation, at: datetime, rules: GuardPolicy) -> Refused | None:
    """What is wrong with the observation by itself."""
    mid = candidate.mid
    if not mid.is_finite():
        return Refused(Refusal.NOT_A_NUMBER, f"{mid} is not a finite number")
    if mid == 0:
        return Refused(Refusal.ZERO, "the rate is zero")
    if mid < 0:
        return Refused(Refusal.NEGATIVE, f"{mid} is below zero")
    if candidate.observed_at > at + rules.clock_skew:
        return Refused(Refusal.FUTURE, f"observed at {candidate.observed_at.isoformat()}")
    if not rules.is_fresh(candidate, at):
        return Refused(Refusal.STALE, f"observed at {candidate.observed_at.isoformat()}")
    return None


def _by_anchor(candidate: Observation, anchor: Decimal, rules: GuardPolicy) -> Passed | Refused:
    """The first rate of all has only the daily reference to stand by."""
    if abs(CONTEXT.subtract(candidate.mid, anchor)) <= CONTEXT.multiply(rules.anchor_band, anchor):
        return Passed()
    look = _look_alike(candidate.mid, anchor, rules)
    return look or Refused(Refusal.OUTLIER, f"{candidate.mid} is far from the reference {anchor}")


def _look_alike(mid: Decimal, median: Decimal, rules: GuardPolicy) -> Refused | None:
    """An error that repetition never heals: per 100 or per 10 units, or the pair the other way."""
    if mid >= CONTEXT.multiply(median, rules.unit_factor) or median >= CONTEXT.multiply(
        mid, rules.unit_factor
    ):
        return Refused(Refusal.OTHER_UNIT, f"{mid} against {median}: another unit")
    if abs(CONTEXT.subtract(CONTEXT.multiply(mid, median), Decimal(1))) <= rules.inverse_band:
        return Refused(Refusal.INVERSE, f"{mid} is about 1 / {median}")
    return None


def _persists(candidate: Observation, others: Sequence[Observation], rules: GuardPolicy) -> bool:
    """True when the last observations of the pair, this one included, agree within the floor."""
    earlier = [seen for seen in others if _order(seen) < _order(candidate)]
    last = [*sorted(earlier, key=_order), candidate][-rules.successive :]
    if len(last) < rules.successive or len({seen.source for seen in last}) < rules.sources:
        return False
    low, high = min(seen.mid for seen in last), max(seen.mid for seen in last)
    return CONTEXT.subtract(high, low) <= CONTEXT.multiply(rules.floor, low)


def _order(seen: Observation) -> tuple[datetime, str]:
    return (seen.observed_at, seen.source)


def _low_median(values: Sequence[Decimal]) -> Decimal:
    """The middle value, of two the lower: always a value that somebody gave, never a quotient."""
    return sorted(values)[(len(values) - 1) // 2]
