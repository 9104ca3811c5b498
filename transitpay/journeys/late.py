"""Finds taps that came after the journey they belong to was closed, and parts the others by it.

A closed journey is charged: a tap that would have made it another journey needs a correction and
must not make a second journey. What is left is assembled between the closed journeys, never
across one, so that the order of arrival does not matter.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from transitpay.clock import service_day
from transitpay.journeys.lifecycle import JourneyReason
from transitpay.journeys.rules import RuleBook
from transitpay.taps import Direction, RiderRef, Tap


@dataclass(frozen=True, slots=True)
class ClosedJourney:
    """What is known of a gated journey that was cleared before; one of the instants may miss."""

    rider: RiderRef
    network: str
    reason: JourneyReason | None
    entry_at: datetime | None
    exit_at: datetime | None

    @property
    def start(self) -> datetime:
        at = self.entry_at or self.exit_at
        assert at is not None, "a journey has a tap"
        return at


@dataclass(frozen=True, slots=True)
class Parted:
    """``segments`` are assembled one by one; ``late`` taps are set aside."""

    segments: tuple[tuple[Tap, ...], ...]
    late: tuple[Tap, ...]


def part(taps: Sequence[Tap], closed: Iterable[ClosedJourney], rules: RuleBook) -> Parted:
    """Part the taps of one rider, all in no journey yet, by the rider's closed journeys."""
    known: dict[tuple[RiderRef, str], list[ClosedJourney]] = {}
    for journey in closed:
        known.setdefault((journey.rider, journey.network), []).append(journey)
    if not known:
        return Parted((tuple(taps),), ())
    plain: list[Tap] = []
    lines: dict[tuple[RiderRef, str], list[Tap]] = {}
    for tap in sorted(taps, key=lambda tap: tap.order):
        line = (tap.rider, tap.network)
        (lines.setdefault(line, []) if line in known else plain).append(tap)
    segments: list[tuple[Tap, ...]] = [tuple(plain)] if plain else []
    late: list[Tap] = []
    for line, of in lines.items():
        rule = rules.on(line[1], service_day(of[0].at))
        longest = None if rule is None else rule.longest_stay
        found = _part_line(of, sorted(known[line], key=lambda j: j.start), longest)
        segments += found.segments
        late += found.late
    return Parted(tuple(segments), tuple(late))


def _part_line(
    line: Sequence[Tap], closed: Sequence[ClosedJourney], longest: timedelta | None
) -> Parted:
    starts = [journey.start for journey in closed]
    segments: dict[int, list[Tap]] = {}
    late: list[Tap] = []
    for i, tap in enumerate(line):
        place = bisect_right(starts, tap.at)
        before = closed[place - 1] if place else None
        after = closed[place] if place < len(closed) else None
        alone_before = i == 0 or (before is not None and line[i - 1].at < before.start)
        alone_after = i + 1 == len(line) or (after is not None and line[i + 1].at > after.start)
        if (
            _inside(tap, before)
            or (alone_before and _missed_exit(tap, before, longest))
            or (alone_after and _missed_entry(tap, after, longest))
        ):
            late.append(tap)
        else:
            segments.setdefault(place, []).append(tap)
    return Parted(tuple(tuple(of) for _, of in sorted(segments.items())), tuple(late))


def _inside(tap: Tap, before: ClosedJourney | None) -> bool:
    """The tap lies within a closed pair."""
    if before is None or before.entry_at is None or before.exit_at is None:
        return False
    return tap.at <= before.exit_at


def _missed_exit(tap: Tap, before: ClosedJourney | None, longest: timedelta | None) -> bool:
    """The tap is the exit for want of which the journey before it was closed."""
    if tap.direction is not Direction.EXIT or longest is None or before is None:
        return False
    if before.reason is not JourneyReason.MISSING_EXIT:
        return False
    return tap.at - before.start <= longest


def _missed_entry(tap: Tap, after: ClosedJourney | None, longest: timedelta | None) -> bool:
    """The tap is the entry for want of which the journey after it was closed."""
    if tap.direction is not Direction.ENTRY or longest is None or after is None:
        return False
    if after.reason is not JourneyReason.MISSING_ENTRY:
        return False
    return after.start - tap.at <= longest
