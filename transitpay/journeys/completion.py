"""What is known of a journey beside its taps: station modes first, then statements, then habit.

They name the missing end of an incomplete journey, or say what is not held against its rider.
Taps that came after the late window are filled by nothing: nothing is charged for them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from transitpay.journeys.journey import (
    Excuse,
    Filled,
    FilledBy,
    Journey,
    excused,
    filled,
)
from transitpay.journeys.lifecycle import JourneyReason, JourneyState
from transitpay.journeys.modes_there import is_there, was_delayed
from transitpay.journeys.rules import RuleBook
from transitpay.journeys.statements import Statement, StatementKind
from transitpay.journeys.station_modes import OPEN_GATES, Mode, StationMode
from transitpay.taps import RiderRef, TapKey

_FILLS = {StatementKind.DECLARED: FilledBy.RIDER, StatementKind.CORRECTED: FilledBy.OPERATOR}


def complete(
    journeys: Sequence[Journey],
    book: RuleBook,
    modes: Mapping[str, Sequence[StationMode]],
    statements: Iterable[Statement],
) -> list[Journey]:
    """The journeys, given in the order of their first taps, with all that is known of them.

    ``modes`` are the records that stand, by network.
    """
    said = defaultdict(list)
    for statement in statements:
        said[statement.tap].append(statement)
    known = list(journeys)
    if modes or said:
        known = [_known(it, book, modes.get(it.network, ()), said) for it in known]
    return _by_habit(known, book)


def _known(
    journey: Journey,
    book: RuleBook,
    modes: Sequence[StationMode],
    said: Mapping[TapKey, Sequence[Statement]],
) -> Journey:
    """One journey with what modes and statements say of it; the strongest excuse counts."""
    if not modes and not said:
        return journey
    about = [it for tap in journey.taps for it in said.get(tap.key, ())] if said else []
    if journey.state is JourneyState.INCOMPLETE and not journey.late:
        journey = _filled(journey, book, modes, about)
    if any(it.kind is StatementKind.GIVEN_BACK for it in about):
        return excused(journey, Excuse.GIVEN_BACK)
    if _rides_free(journey, book, modes):
        return excused(journey, Excuse.FREE)
    if journey.reason is JourneyReason.OVERSTAY:
        entry, exit = journey.entry, journey.exit
        assert entry is not None and exit is not None
        if was_delayed(entry, exit, journey.service_day, modes, book):
            return excused(journey, Excuse.DELAY)
    return journey


def _filled(
    journey: Journey, book: RuleBook, modes: Sequence[StationMode], about: Sequence[Statement]
) -> Journey:
    start, end = _absence(journey, book)
    stood_open = [it for it in modes if it.mode in OPEN_GATES and it.overlaps(start, end)]
    if any(it.mode is Mode.EMERGENCY for it in stood_open):
        return excused(journey, Excuse.EMERGENCY)
    if stood_open:
        day, everywhere = journey.service_day, any(it.stop is None for it in stood_open)
        stops = {book.stop_id(it.network, day, it.stop) for it in stood_open if it.stop is not None}
        named = () if everywhere else tuple(sorted(stops))
        return filled(journey, Filled(FilledBy.OPEN_GATES, named, str(stood_open[0].id)))
    last = max((it for it in about if it.kind in _FILLS), key=_weight, default=None)
    if last is None or last.stop is None:
        return journey
    return filled(journey, Filled(_FILLS[last.kind], (last.stop,), last.id))


def _weight(statement: Statement) -> tuple[bool, datetime, str]:
    """The operator's word comes before the rider's, the newer before the older."""
    corrected = statement.kind is StatementKind.CORRECTED
    return (corrected, statement.stated_at, statement.id)


def _absence(journey: Journey, book: RuleBook) -> tuple[datetime, datetime]:
    """When the tap that is missing would have been made."""
    rules = book.on(journey.network, journey.service_day)
    assert rules is not None and rules.limit is not None
    at = journey.first_tap.at
    return (at - rules.limit, at) if journey.entry is None else (at, at + rules.limit)


def _rides_free(journey: Journey, book: RuleBook, modes: Iterable[StationMode]) -> bool:
    """Whether fares were waived where and when the rider went in or out."""
    taps = [tap for tap in (journey.entry, journey.exit) if tap is not None]
    return any(
        it.mode is Mode.FARE_WAIVER
        and any(
            it.overlaps(tap.at, tap.at) and is_there(it, [tap], journey.service_day, book)
            for tap in taps
        )
        for it in modes
    )


def _by_habit(journeys: list[Journey], book: RuleBook) -> list[Journey]:
    """Fill a missing exit by where the rider always left of late, a few times a month.

    Habits are those of whole rides between two stations that began within ``days`` before.
    """
    rides: dict[tuple[RiderRef, str, str], list[tuple[datetime, str]]] = defaultdict(list)
    months: dict[tuple[RiderRef, str, date], int] = defaultdict(int)
    for i, journey in enumerate(journeys):
        rules = book.on(journey.network, journey.service_day)
        entry, exit = journey.entry, journey.exit
        if rules is None or rules.habit is None or entry is None or journey.late:
            continue
        habit, network, day = rules.habit, journey.network, journey.service_day
        start = book.stop_id(network, day, entry.stop)
        line = rides[journey.rider, network, start]
        if exit is not None:
            stop = book.stop_id(network, day, exit.stop)
            if stop != start:
                line.append((entry.at, stop))
            continue
        month = (journey.rider, network, day.replace(day=1))
        if journey.filled or journey.excuse or months[month] >= habit.a_month:
            continue
        since = entry.at - timedelta(days=habit.days)
        lately = [stop for at, stop in line if at >= since]
        if len(lately) >= habit.times and len(set(lately)) == 1:
            journeys[i] = filled(journey, Filled(FilledBy.HABIT, (lately[0],)))
            months[month] += 1
    return journeys
