"""From a rider's taps to journeys: a pure function that does not mind order or duplicates.

Which taps belong together follows from the taps alone; ``complete_through`` and ``at`` only decide
whether that is certain yet. A missing tap may still be on its way from a reader that is offline, so
nothing is called missing before every reader that could hold it has reported past the instant.

A whole pair of entry and exit is certain at once: riders are charged when they leave. A tap that
arrives later and lies inside such a pair needs a correction, which is not made here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from transitpay.clock import service_day
from transitpay.journeys.journey import (
    Journey,
    boarding,
    passage,
    without_entry,
    without_exit,
)
from transitpay.journeys.rules import JourneyRules, RuleBook
from transitpay.journeys.statements import Statement
from transitpay.journeys.station_modes import StationMode
from transitpay.taps import Direction, RiderRef, Tap, TapKey


@dataclass(frozen=True, slots=True)
class Pending:
    """A tap that still waits for its counterpart.

    It is decided once ``complete_through`` of its network has passed ``due_at``, or, if readers
    stay silent, once the clock has passed ``give_up_at``.
    """

    tap: Tap
    due_at: datetime
    give_up_at: datetime


class AsideReason(StrEnum):
    """Why a tap makes no journey and waits for nothing."""

    UNKNOWN_NETWORK = "unknown_network"
    NO_TARIFF = "no_tariff"
    WRONG_DIRECTION = "wrong_direction"
    ALIGHTING = "alighting"


@dataclass(frozen=True, slots=True)
class SetAside:
    """A tap that makes no journey, with its reason; it never stops the others."""

    tap: Tap
    reason: AsideReason


@dataclass(frozen=True, slots=True)
class Assembly:
    """Every tap is in exactly one of the three; each is in the order of (tap at, reader, seq)."""

    journeys: tuple[Journey, ...]
    pending: tuple[Pending, ...]
    set_aside: tuple[SetAside, ...] = ()


def assemble(
    taps: Sequence[Tap],
    rules: RuleBook,
    complete_through: Mapping[str, datetime],
    at: datetime,
    *,
    modes: Sequence[StationMode] = (),
    statements: Sequence[Statement] = (),
) -> Assembly:
    """Make journeys of the taps that are in no journey yet.

    ``taps`` are one rider's, of all slots and networks; slots and networks are never joined.
    ``complete_through[network]`` is the instant up to which every tap of that network is known;
    a network that is absent has reported nothing.
    """
    journeys: list[Journey] = []
    pending: list[Pending] = []
    aside: list[SetAside] = []
    gated: dict[tuple[RiderRef, str], list[Tap]] = {}
    for tap in _in_order(taps):
        rule = rules.on(tap.network, service_day(tap.at))
        reason = _aside_reason(tap, rule, rules)
        if reason is not None:
            aside.append(SetAside(tap, reason))
        elif rule is not None and rule.gated:
            gated.setdefault((tap.rider, tap.network), []).append(tap)
        else:
            journeys.append(boarding(tap))
    for (_, network), line in gated.items():
        known = complete_through.get(network)
        rule = rules.on(network, service_day(line[0].at))
        assert rule is not None
        for found in _pair(line, rule):
            if isinstance(found, Journey):
                journeys.append(found)
            elif _decided(found, known, at):
                journeys.append(_closed(found.tap, rule))
            else:
                pending.append(found)
    return Assembly(
        journeys=tuple(sorted(journeys, key=lambda journey: journey.first_tap.order)),
        pending=tuple(sorted(pending, key=lambda waiting: waiting.tap.order)),
        set_aside=tuple(aside),
    )


def _in_order(taps: Iterable[Tap]) -> list[Tap]:
    unique: dict[TapKey, Tap] = {}
    for tap in sorted(taps, key=lambda tap: tap.order):
        unique.setdefault(tap.key, tap)
    return list(unique.values())


def _aside_reason(tap: Tap, rule: JourneyRules | None, rules: RuleBook) -> AsideReason | None:
    if rule is None:
        known = tap.network in rules.networks
        return AsideReason.NO_TARIFF if known else AsideReason.UNKNOWN_NETWORK
    if tap.direction is Direction.ALIGHT:
        return AsideReason.ALIGHTING
    at_gate = tap.direction in (Direction.ENTRY, Direction.EXIT)
    return None if at_gate == rule.gated else AsideReason.WRONG_DIRECTION


def _pair(line: Sequence[Tap], rule: JourneyRules) -> list[Journey | Pending]:
    """Pair the taps of one rider, slot and network; what stays alone is due at its own instant."""
    limit, longest = rule.limit, rule.longest_stay
    assert limit is not None and longest is not None
    found: list[Journey | Pending] = []
    inside: Tap | None = None
    for tap in line:
        if tap.direction is Direction.ENTRY:
            if inside is not None:
                # An exit after the second entry would belong to that one: no need to wait longer.
                due_at = min(tap.at, inside.at + longest)
                found.append(_waiting_exit(inside, due_at, limit + rule.max_wait))
            inside = tap
        elif inside is not None and tap.at - inside.at <= longest:
            found.append(passage(inside, tap, limit))
            inside = None
        else:
            if inside is not None:
                found.append(_waiting_exit(inside, inside.at + longest, limit + rule.max_wait))
                inside = None
            found.append(Pending(tap, tap.at, tap.at + rule.max_wait))
    if inside is not None:
        found.append(_waiting_exit(inside, inside.at + longest, limit + rule.max_wait))
    return found


def _waiting_exit(entry: Tap, due_at: datetime, patience: timedelta) -> Pending:
    return Pending(entry, due_at, entry.at + patience)


def _decided(waiting: Pending, known: datetime | None, at: datetime) -> bool:
    if at > waiting.give_up_at:
        return True
    if known is None:
        return False
    if waiting.tap.direction is Direction.EXIT:
        return known >= waiting.due_at
    return known > waiting.due_at


def _closed(tap: Tap, rule: JourneyRules) -> Journey:
    if tap.direction is Direction.EXIT:
        return without_entry(tap)
    assert rule.limit is not None
    return without_exit(tap, rule.limit)
