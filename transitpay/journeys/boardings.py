"""Makes journeys of the boardings and alighting scans of one rider, slot and network.

A boarding is a journey. On a network with a ride limit an alighting scan belongs to the last
boarding of the same route, and of the same vehicle where both say one, if it comes within the
limit; a reader whose taps are ``single`` knows no alighting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from transitpay.journeys.drafts import Draft, Lone, RuledTap, Wait
from transitpay.journeys.journey import boarding, repeated, section, without_alighting
from transitpay.journeys.rules import RuleBook
from transitpay.taps import Direction, Tap


@dataclass(slots=True)
class _Ride:
    """A boarding, with what has been found to belong to it so far."""

    board: RuledTap
    route: str
    alight: Tap | None = None
    again: list[Tap] = field(default_factory=list)


def rides(
    line: Sequence[RuledTap], book: RuleBook, *, late: bool
) -> tuple[list[Draft], list[Lone]]:
    """The journeys of one line, whose taps are in order, and the alighting scans without one.

    A second tap of one direction on one route, at one stop and not in another vehicle, within the
    passback repeats the first. ``late``: all these taps came after the late window; what waits for
    an alighting scan then waits no more, and nobody says that it was forgotten.
    """
    found: list[_Ride] = []
    lone: list[Lone] = []
    of_route: dict[str, list[_Ride]] = {}
    for it in line:
        tap = it.tap
        route = book.stop_id(tap.network, it.day, tap.route or tap.stop)
        last = _last(of_route.get(route, ()), tap)
        if tap.direction is Direction.ALIGHT:
            if last is None or not _alighted(last, tap):
                wait = Wait(frozenset({tap.network}), tap.at, False, tap.at + it.rules.max_wait)
                lone.append(Lone(tap, wait))
        elif last is not None and last.alight is None and _repeats(tap, last.board.tap, last):
            last.again.append(tap)
        else:
            ride = _Ride(it, route)
            found.append(ride)
            of_route.setdefault(route, []).append(ride)
    return [_draft(ride, late) for ride in found], lone


def _last(before: Sequence[_Ride], tap: Tap) -> _Ride | None:
    """The last ride of the route that may be in the vehicle of ``tap``, if it may still go on."""
    for ride in reversed(before):
        board, rules = ride.board.tap, ride.board.rules
        if tap.at - board.at > (rules.ride_limit or timedelta(0)) + rules.passback:
            return None
        if tap.vehicle is None or board.vehicle is None or board.vehicle == tap.vehicle:
            return ride
    return None


def _alighted(ride: _Ride, tap: Tap) -> bool:
    """Whether the alighting scan belongs to the ride, and if so notes it."""
    board, limit = ride.board.tap, ride.board.rules.ride_limit
    if board.direction is not Direction.BOARD or limit is None:
        return False
    if ride.alight is None and tap.at - board.at <= limit:
        ride.alight = tap
        return True
    if ride.alight is not None and _repeats(tap, ride.alight, ride):
        ride.again.append(tap)
        return True
    return False


def _repeats(tap: Tap, first: Tap, ride: _Ride) -> bool:
    return (
        tap.direction is first.direction
        and tap.stop == first.stop
        and tap.at - first.at < ride.board.rules.passback
    )


def _draft(ride: _Ride, late: bool) -> Draft:
    board, rules, wait = ride.board.tap, ride.board.rules, None
    waits = board.direction is Direction.BOARD and rules.waits(ride.route)
    if ride.alight is not None:
        journey = section(board, ride.alight, waited=waits, late=late)
    elif waits and not late:
        assert rules.ride_limit is not None
        due_at = board.at + rules.ride_limit
        wait = Wait(frozenset({board.network}), due_at, True, due_at + rules.max_wait)
        journey = without_alighting(board, rules.ride_limit)
    else:
        journey = boarding(board, late=late)
    return Draft(repeated(journey, *ride.again), wait)
