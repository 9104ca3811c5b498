"""When missing exits suspend a rider's codes: a pure function of their instants and dated terms.

A missing exit counts while it is younger than the days of the rule. So a suspension ends when
enough of them are too old, or are missing no longer because the rider named the station; one that
counts as evasion ends only by a person, whose word also forgives the exits up to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

#: No rule looks further back.
LONGEST = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Suspension:
    """More than ``more_than`` missing exits within ``days`` suspend the rider's codes.

    ``evasion``: it counts as evasion and ends only by a person.
    """

    more_than: int
    days: int
    evasion: bool
    source: str


class Why(StrEnum):
    """Why a rider's codes are suspended."""

    MISSING_EXITS = "missing_exits"
    EVASION = "evasion"


@dataclass(frozen=True, slots=True)
class Suspended:
    """``counted`` missing exits of a network within ``days``, where ``more_than`` are suffered.

    ``since`` is the one that was too many; ``until`` is when few enough are left, None where only
    a person ends it.
    """

    network: str
    why: Why
    counted: int
    more_than: int
    days: int
    since: datetime
    until: datetime | None


def suspended(
    network: str,
    missing: Iterable[datetime],
    rules: Sequence[Suspension],
    at: datetime,
    forgiven: datetime | None = None,
) -> tuple[Suspended, ...]:
    """What the missing exits of one rider in one network amount to at ``at``, one a reason.

    Exits up to and including ``forgiven`` do not count. Of two rules for one reason the one that
    holds longer counts.
    """
    instants = sorted(it for it in missing if it <= at and (forgiven is None or it > forgiven))
    found: dict[Why, Suspended] = {}
    for rule in rules:
        age = timedelta(days=rule.days)
        counted = [it for it in instants if at - it < age]
        if len(counted) <= rule.more_than:
            continue
        until = None if rule.evasion else counted[-rule.more_than - 1] + age
        why = Why.EVASION if rule.evasion else Why.MISSING_EXITS
        it = Suspended(
            network, why, len(counted), rule.more_than, rule.days, counted[rule.more_than], until
        )
        known = found.get(why)
        if known is None or (until and known.until and known.until < until):
            found[why] = it
    return tuple(found[why] for why in Why if why in found)
