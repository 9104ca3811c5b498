"""Pairs the taps at gates of one rider, slot and network: entries with their exits.

An exit belongs to the entry before it, unless another entry lies between them or the stay is
longer than the longest, which is much longer where the operator caused a delay. What stays alone
is an incomplete journey.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from transitpay.journeys.drafts import Draft, RuledTap, Wait
from transitpay.journeys.journey import (
    Excuse,
    Journey,
    excused,
    passage,
    repeated,
    without_entry,
    without_exit,
)
from transitpay.journeys.modes_there import was_delayed
from transitpay.journeys.rules import RuleBook
from transitpay.journeys.station_modes import Mode, StationMode
from transitpay.taps import Direction, Tap


def passages(
    line: Sequence[RuledTap], book: RuleBook, modes: Sequence[StationMode], *, late: bool
) -> list[Draft]:
    """The journeys of one line, whose taps are in order; each tap is in one of them.

    ``modes`` are the records of the network that stand.

    A second tap of one direction at one station within the passback repeats the first, which
    counts; the passback runs from the first. ``late``: all these taps came after the late window.
    One of them that stays alone is excused: the rider has paid for it, or nobody knew of it.
    """
    drafts: list[Draft] = []
    inside: RuledTap | None = None  # the entry that has no exit yet
    again: list[Tap] = []  # what repeats it
    left: RuledTap | None = None  # the exit by which the draft before ended
    delays = [mode for mode in modes if mode.mode is Mode.DATE_WAIVER]
    for it in line:
        if it.tap.direction is Direction.ENTRY:
            if inside is not None:
                if _repeats(it, inside, book):
                    again.append(it.tap)
                    continue
                # An exit after the second entry would belong to that one: no need to wait longer.
                drafts.append(_missing_exit(inside, again, it.tap.at, delays, late))
            inside, again, left = it, [], None
        elif inside is not None and _in_reach(inside, it.tap, delays, book):
            drafts.append(Draft(_whole(inside, it.tap, again, late)))
            inside, again, left = None, [], it
        elif inside is None and left is not None and _repeats(it, left, book):
            drafts[-1] = drafts[-1]._replace(journey=repeated(drafts[-1].journey, it.tap))
        else:
            if inside is not None:
                drafts.append(_missing_exit(inside, again, None, delays, late))
            drafts.append(_missing_entry(it, late))
            inside, again, left = None, [], it
    if inside is not None:
        drafts.append(_missing_exit(inside, again, None, delays, late))
    return drafts


def _repeats(it: RuledTap, first: RuledTap, book: RuleBook) -> bool:
    """Whether a tap of the direction of ``first`` repeats it; the gate would have refused it."""
    tap, other = it.tap, first.tap
    if tap.at - other.at >= first.rules.passback:
        return False
    network = tap.network
    return tap.stop == other.stop or (
        book.stop_id(network, it.day, tap.stop) == book.stop_id(network, first.day, other.stop)
    )


def _in_reach(inside: RuledTap, exit: Tap, delays: Sequence[StationMode], book: RuleBook) -> bool:
    """Whether the exit can end the entry; where the operator caused the delay even much later."""
    entry, rules = inside.tap, inside.rules
    assert rules.longest_stay is not None
    stay = exit.at - entry.at
    if stay <= rules.longest_stay:
        return True
    return stay <= rules.longest_delayed and was_delayed(entry, exit, inside.day, delays, book)


def _whole(inside: RuledTap, exit: Tap, again: Iterable[Tap], late: bool) -> Journey:
    assert inside.rules.limit is not None
    return repeated(passage(inside.tap, exit, inside.rules.limit, late=late), *again)


def _missing_exit(
    inside: RuledTap,
    again: Iterable[Tap],
    next_entry: datetime | None,
    delays: Sequence[StationMode],
    late: bool,
) -> Draft:
    entry, rules = inside.tap, inside.rules
    assert rules.limit is not None and rules.longest_stay is not None
    due_at, at_most = entry.at + rules.longest_stay, entry.at + rules.longest_delayed
    if any(it.overlaps(entry.at, at_most) for it in delays):
        due_at = at_most
    if next_entry is not None:
        due_at = min(due_at, next_entry)
    wait = Wait(frozenset({entry.network}), due_at, True, entry.at + rules.limit + rules.max_wait)
    return Draft(_alone(repeated(without_exit(entry, rules.limit, late=late), *again)), wait)


def _missing_entry(it: RuledTap, late: bool) -> Draft:
    exit = it.tap
    wait = Wait(frozenset({exit.network}), exit.at, False, exit.at + it.rules.max_wait)
    return Draft(_alone(without_entry(exit, late=late)), wait)


def _alone(journey: Journey) -> Journey:
    return excused(journey, Excuse.LATE) if journey.late else journey
