"""From all of a rider's taps to journeys: a pure function that does not mind order or duplicates.

The input is every tap of the rider in a horizon: of all slots and networks, in any order, some of
them twice, those of journeys that are booked among them. What it gives is what ought to stand; who
keeps books compares it with what stands and corrects the difference. So a tap that arrives late, a
statement, a station mode or a tariff need no road of their own: the same function is called again.

Which taps belong together follows from the taps and the dated rules alone. Slots and networks are
separate lines, never joined, and neither are two riders: who enters with one wallet and leaves with
another has an incomplete journey in each. Taps that reached us after the late window of their
network are lines of their own, whatever came in time. Then station modes, statements and habits
name missing ends and excuses (``completion``).

``complete_through`` and ``at`` only decide what is certain yet; the rest is pending. A missing tap
may still be on its way from a reader that is offline, so nothing is called missing before every
reader that could hold it has reported past the instant, or ``max_wait`` has passed. Likewise a ride
that an earlier one would make cheaper (``discount_wait``) waits until the readers of those networks
have reported up to its first tap, and for whole rides on those networks that wait themselves. A
pair of entry and exit waits for nothing else: riders are charged when they leave.

An alighting scan can only make a ride cheaper. One without a boarding is set aside, once no
boarding can come any more, and costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from transitpay.clock import service_day
from transitpay.journeys.boardings import rides
from transitpay.journeys.completion import complete
from transitpay.journeys.drafts import Draft, Lone, RuledTap, Wait
from transitpay.journeys.gates import passages
from transitpay.journeys.journey import Journey
from transitpay.journeys.lifecycle import JourneyState
from transitpay.journeys.rules import JourneyRules, RuleBook
from transitpay.journeys.statements import Statement
from transitpay.journeys.station_modes import StationMode, standing
from transitpay.taps import Direction, RiderRef, Tap, TapKey


@dataclass(frozen=True, slots=True)
class Pending:
    """A tap of which it is not certain yet what it becomes.

    It is decided once ``complete_through`` of all ``networks`` has passed ``due_at``, or, if
    readers stay silent, once the clock has passed ``give_up_at``.
    """

    tap: Tap
    due_at: datetime
    give_up_at: datetime
    networks: frozenset[str] = frozenset()


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
    taps: Iterable[Tap],
    rules: RuleBook,
    complete_through: Mapping[str, datetime],
    at: datetime,
    *,
    modes: Sequence[StationMode] = (),
    statements: Sequence[Statement] = (),
) -> Assembly:
    """The journeys that ought to stand, by what is known at the instant ``at``.

    ``complete_through[network]`` is the instant up to which every tap of that network is known; a
    network that is absent has reported nothing, so one without any reader must be told as ``at``.
    ``modes`` are all records of the horizon; one that another replaces does not count.
    """
    lines, aside = _lines(taps, rules)
    by_network: dict[str, list[StationMode]] = {}
    for mode in standing(modes) if modes else ():
        by_network.setdefault(mode.network, []).append(mode)
    drafts: list[Draft] = []
    lone: list[Lone] = []
    for (_, network, gated, late), line in lines.items():
        if gated:
            drafts += passages(line, rules, by_network.get(network, ()), late=late)
        else:
            found, without = rides(line, rules, late=late)
            drafts += found
            lone += without
    if len(lines) > 1:
        drafts.sort(key=lambda draft: draft.journey.first_tap.order)
    known = complete([draft.journey for draft in drafts], rules, by_network, statements)
    journeys, pending = _settled(known, drafts, rules, complete_through, at)
    for tap, wait in lone:
        if wait.is_over(complete_through, at):
            aside.append(SetAside(tap, AsideReason.ALIGHTING))
        else:
            pending.append(_pending(tap, wait))
    return Assembly(
        journeys=tuple(journeys),
        pending=tuple(sorted(pending, key=lambda waiting: waiting.tap.order)),
        set_aside=tuple(sorted(aside, key=lambda it: it.tap.order)),
    )


#: One rider and slot, one network, with gates or without, in time or late.
_Line = tuple[RiderRef, str, bool, bool]


def _lines(
    taps: Iterable[Tap], rules: RuleBook
) -> tuple[dict[_Line, list[RuledTap]], list[SetAside]]:
    """The taps once each, in order, on the lines of which none is ever joined with another."""
    lines: dict[_Line, list[RuledTap]] = {}
    aside: list[SetAside] = []
    for tap in sorted(_unique(taps), key=lambda tap: tap.order):
        day = service_day(tap.at)
        of_day = rules.on(tap.network, day)
        if of_day is None:
            known = tap.network in rules.networks
            reason = AsideReason.NO_TARIFF if known else AsideReason.UNKNOWN_NETWORK
            aside.append(SetAside(tap, reason))
            continue
        unfit = _unfit(tap.direction, of_day)
        if unfit is not None:
            aside.append(SetAside(tap, unfit))
            continue
        received_at = tap.received_at
        late = received_at is not None and received_at - tap.at > of_day.late_window
        line = lines.setdefault((tap.rider, tap.network, of_day.gated, late), [])
        line.append(RuledTap(tap, day, of_day))
    return lines, aside


def _unique(taps: Iterable[Tap]) -> Iterable[Tap]:
    """Each tap once: as it was known first, where it came twice."""
    unique: dict[TapKey, Tap] = {}
    for tap in taps:
        other = unique.setdefault(tap.key, tap)
        if other is not tap and _is_earlier(tap.received_at, other.received_at):
            unique[tap.key] = tap
    return unique.values()


def _is_earlier(received_at: datetime | None, other: datetime | None) -> bool:
    if received_at is None or other is None:
        return other is not None
    return received_at < other


def _unfit(direction: Direction, rules: JourneyRules) -> AsideReason | None:
    """Why a tap of this direction can be in no journey of the network, if so."""
    if direction in (Direction.ENTRY, Direction.EXIT):
        return None if rules.gated else AsideReason.WRONG_DIRECTION
    if direction is Direction.ALIGHT:
        return None if rules.ride_limit is not None else AsideReason.ALIGHTING
    return AsideReason.WRONG_DIRECTION if rules.gated else None


#: Issuer, rider id and network of whole rides that wait themselves.
_Holder = tuple[str, str, str]


def _settled(
    journeys: Sequence[Journey],
    drafts: Sequence[Draft],
    rules: RuleBook,
    complete_through: Mapping[str, datetime],
    at: datetime,
) -> tuple[list[Journey], list[Pending]]:
    """What is certain, and the taps of what is not; both in the order of first taps."""
    certain: list[Journey] = []
    pending: list[Pending] = []
    held: dict[_Holder, Wait] = {}
    for journey, draft in zip(journeys, drafts, strict=True):
        waits = [draft.wait] if draft.wait is not None else []
        waits += _discount_waits(journey, rules, held)
        open_waits = [wait for wait in waits if not wait.is_over(complete_through, at)]
        if not open_waits:
            certain.append(journey)
            continue
        wait = max(open_waits, key=lambda it: it.give_up_at)
        pending += [_pending(tap, wait) for tap in journey.taps]
        if journey.state is JourneyState.COMPLETE:
            holder = (*journey.rider[:2], journey.network)
            held[holder] = max(wait, held.get(holder, wait), key=lambda it: it.give_up_at)
    return certain, pending


def _discount_waits(journey: Journey, rules: RuleBook, held: Mapping[_Holder, Wait]) -> list[Wait]:
    """What must be known before it is certain that no earlier ride makes this one cheaper."""
    of_day = rules.on(journey.network, journey.service_day)
    assert of_day is not None
    if not of_day.discount_wait or journey.late:
        return []
    if journey.rider.slot != 0 and not of_day.companions_wait:
        return []
    first = journey.first_tap
    holders = ((*journey.rider[:2], network) for network in of_day.discount_wait)
    waits = [held[holder] for holder in holders if holder in held]
    return [*waits, Wait(of_day.discount_wait, first.at, False, first.at + of_day.max_wait)]


def _pending(tap: Tap, wait: Wait) -> Pending:
    return Pending(tap, wait.due_at, wait.give_up_at, wait.networks)
