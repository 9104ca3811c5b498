"""A journey is what a rider pays one fare for: an entry with its exit, or one boarding.

A ``Journey`` is always final. Its natural key is the key of its first tap, so that the same tap
can never start two journeys.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from transitpay.clock import service_day
from transitpay.journeys.lifecycle import JourneyEvent, JourneyReason, JourneyState, advance
from transitpay.taps import RiderRef, Tap, TapKey


class JourneyKind(StrEnum):
    """How many taps a whole journey of this kind has."""

    ENTRY_EXIT = "entry_exit"
    SINGLE = "single"
    SECTIONAL = "sectional"


class FilledBy(StrEnum):
    """Who or what said where a rider left (or entered) whose tap is missing."""

    OPEN_GATES = "open_gates"
    RIDER = "rider"
    OPERATOR = "operator"
    HABIT = "habit"


@dataclass(frozen=True, slots=True)
class Filled:
    """The end of a journey for which there is no tap; ``stops`` are the places it may have been.

    More than one only where gates stood open: the cheapest of them counts; none: the gates of the
    whole network did, it may have been any stop. ``ref`` is the id of the record that says so (a
    station mode, a statement), empty for a habit.
    """

    by: FilledBy
    stops: tuple[str, ...]
    ref: str = ""


class Excuse(StrEnum):
    """Why something that costs a rider is not held against this journey.

    ``delay`` takes away the surcharge for the long stay, each other one the whole fare.
    """

    DELAY = "delay"  #: a date waiver: the operator caused the long stay
    FREE = "free"  #: a fare waiver
    EMERGENCY = "emergency"  #: went through gates that an emergency had opened
    GIVEN_BACK = "given_back"  #: the operator gave the fare back
    LATE = "late"  #: a tap at a gate that came after the late window, and no other with it


@dataclass(frozen=True, slots=True)
class Journey:
    """One finished journey of one rider and slot in one network.

    A boarding is kept as the entry, an alighting scan as the exit. ``priced_at`` chooses the rate:
    the exit; the boarding of a bus, but where the fare waits for the alighting scan that one;
    entry + limit where the exit or that scan is missing; the exit where the entry is missing.
    ``service_day`` chooses the tariff: the day of the entry, or of the exit where the entry is
    missing (it begins at 04:00 local time). ``filled`` names the missing end of an incomplete
    journey. ``doubled`` are taps that repeat one of the two; ``late`` taps came after the late
    window and are priced alone.
    """

    rider: RiderRef
    network: str
    operator: str
    kind: JourneyKind
    state: JourneyState
    entry: Tap | None
    exit: Tap | None
    reason: JourneyReason | None
    priced_at: datetime
    service_day: date
    doubled: tuple[Tap, ...] = ()
    filled: Filled | None = None
    excuse: Excuse | None = None
    late: bool = False

    def __post_init__(self) -> None:
        assert self.state.is_final, "only final states are journeys"
        assert self.entry is not None or self.exit is not None, "a journey has a tap"

    @property
    def first_tap(self) -> Tap:
        """The tap that names the journey."""
        tap = self.entry or self.exit
        assert tap is not None
        return tap

    @property
    def key(self) -> TapKey:
        """The natural key: that of the first tap."""
        return self.first_tap.key

    @property
    def taps(self) -> tuple[Tap, ...]:
        """The taps that this journey uses up, in order."""
        ends = [tap for tap in (self.entry, self.exit) if tap is not None]
        return tuple(sorted((*ends, *self.doubled), key=lambda tap: tap.order))


def boarding(tap: Tap, *, late: bool = False) -> Journey:
    """The journey that one boarding is, where its fare is known at once; priced then."""
    return _journey(tap, None, None, JourneyEvent.BOARDED, JourneyKind.SINGLE, tap.at, late)


def section(board: Tap, alight: Tap, *, waited: bool, late: bool = False) -> Journey:
    """The journey of a boarding with its alighting scan.

    Priced when the fare became known: at the alighting on routes that wait for it (``waited``),
    otherwise at the boarding, where the whole fare is charged of which a part is given back.
    """
    before = JourneyState.WAITING_ALIGHTING if waited else JourneyState.COMPLETE
    at = alight.at if waited else board.at
    kind = JourneyKind.SECTIONAL
    return _journey(board, alight, before, JourneyEvent.ALIGHTED, kind, at, late)


def without_alighting(board: Tap, ride_limit: timedelta) -> Journey:
    """A boarding whose alighting scan never came, on a route that waits for it.

    Priced at boarding + ``ride_limit``, as an entry whose exit never came.
    """
    return _journey(
        board,
        None,
        JourneyState.WAITING_ALIGHTING,
        JourneyEvent.ALIGHTING_NEVER_CAME,
        JourneyKind.SINGLE,
        board.at + ride_limit,
    )


def passage(entry: Tap, exit: Tap, limit: timedelta, *, late: bool = False) -> Journey:
    """The journey from ``entry`` to ``exit``; a stay of exactly ``limit`` is still in time."""
    over = exit.at - entry.at > limit
    event = JourneyEvent.EXITED_LATE if over else JourneyEvent.EXITED_IN_TIME
    before, kind = JourneyState.WAITING_EXIT, JourneyKind.ENTRY_EXIT
    return _journey(entry, exit, before, event, kind, exit.at, late)


def without_exit(entry: Tap, limit: timedelta, *, late: bool = False) -> Journey:
    """The incomplete journey of an entry whose exit never came; priced at entry + ``limit``."""
    return _journey(
        entry,
        None,
        JourneyState.WAITING_EXIT,
        JourneyEvent.EXIT_NEVER_CAME,
        JourneyKind.ENTRY_EXIT,
        entry.at + limit,
        late,
    )


def without_entry(exit: Tap, *, late: bool = False) -> Journey:
    """The incomplete journey of an exit whose entry never came; priced at the exit."""
    return _journey(
        None,
        exit,
        JourneyState.WAITING_ENTRY,
        JourneyEvent.ENTRY_NEVER_CAME,
        JourneyKind.ENTRY_EXIT,
        exit.at,
        late,
    )


def repeated(journey: Journey, *taps: Tap) -> Journey:
    """The journey with more taps that repeat one of its own."""
    if not taps:
        return journey
    advance(journey.state, JourneyEvent.REPEATED)
    return replace(journey, doubled=(*journey.doubled, *taps))


def filled(journey: Journey, by: Filled) -> Journey:
    """The incomplete journey with its missing end named; the journey stays what it is."""
    advance(journey.state, JourneyEvent.FILLED)
    return replace(journey, filled=by)


def excused(journey: Journey, excuse: Excuse) -> Journey:
    """The journey with what is not held against its rider."""
    advance(journey.state, JourneyEvent.EXCUSED)
    return replace(journey, excuse=excuse)


def _journey(
    entry: Tap | None,
    exit: Tap | None,
    before: JourneyState | None,
    event: JourneyEvent,
    kind: JourneyKind,
    priced_at: datetime,
    late: bool = False,
) -> Journey:
    first = entry or exit
    assert first is not None
    outcome = advance(before, event)
    return Journey(
        rider=first.rider,
        network=first.network,
        operator=first.operator,
        kind=kind,
        state=outcome.state,
        entry=entry,
        exit=exit,
        reason=outcome.reason,
        priced_at=priced_at,
        service_day=service_day(first.at),
        late=late,
    )
