"""Taps of one rider by the minute, and rules of every kind of network, for tests of journeys."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from transitpay.journeys.assembly import Assembly, assemble
from transitpay.journeys.rules import Habit, JourneyRules, RuleBook
from transitpay.journeys.statements import Statement, StatementKind
from transitpay.journeys.station_modes import Mode, StationMode
from transitpay.taps import Direction, RiderRef, Tap, TapKey

#: 10:00 local time on a Thursday.
START = datetime(2026, 10, 1, 2, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
#: A second in minutes.
A_SECOND = 1 / 60
LIMIT = 150 * MINUTE
LONGEST = 300 * MINUTE
RIDER = "00000000000000a1"

#: Gates with passback and habit, gates of a longer stay, buses with a partial refund on alighting,
#: buses whose sectional routes wait, and plain buses that are cheaper after other rides.
BY_NETWORK = {
    "mtr": JourneyRules(
        limit=LIMIT, longest_stay=LONGEST, passback=5 * MINUTE, habit=Habit(3, 28, 2)
    ),
    "shenzhen-metro": JourneyRules(
        limit=210 * MINUTE,
        longest_stay=420 * MINUTE,
        discount_wait=frozenset({"shenzhen-bus"}),
    ),
    "kmb": JourneyRules(passback=5 * MINUTE, ride_limit=120 * MINUTE),
    "shenzhen-bus": JourneyRules(
        ride_limit=120 * MINUTE,
        waiting=frozenset({"M462"}),
        discount_wait=frozenset({"shenzhen-bus", "shenzhen-metro"}),
    ),
    "foshan-bus": JourneyRules(discount_wait=frozenset({"foshan-bus"})),
    "guangzhou-bus": JourneyRules(),
}
RULES = RuleBook.always(BY_NETWORK)


def after(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


FAR = after(60 * 24 * 60)


def tap(
    direction: Direction,
    minutes: float,
    *,
    sequence: int | None = None,
    network: str = "mtr",
    slot: int = 0,
    stop: str = "2",
    route: str | None = None,
    vehicle: str | None = None,
    rider: str = RIDER,
    issuer: str = "alipayhk",
    received: timedelta | None = None,
) -> Tap:
    at = after(minutes)
    number = round(minutes * 60) + 1_000_000 if sequence is None else sequence
    return Tap(
        key=TapKey(at.date(), f"{network}-{stop}-{direction}", number),
        rider=RiderRef(issuer, rider, slot),
        operator=network,
        network=network,
        stop=stop,
        direction=direction,
        at=at,
        route=route,
        vehicle=vehicle,
        received_at=None if received is None else at + received,
    )


def entry(minutes: float, **more: object) -> Tap:
    return tap(Direction.ENTRY, minutes, **more)  # type: ignore[arg-type]  # keywords of tap()


def exit_(minutes: float, **more: object) -> Tap:
    return tap(Direction.EXIT, minutes, **more)  # type: ignore[arg-type]  # keywords of tap()


def board(minutes: float, route: str = "1A", network: str = "kmb", **more: object) -> Tap:
    keywords = {"stop": route, **more}
    return tap(Direction.BOARD, minutes, route=route, network=network, **keywords)  # type: ignore[arg-type]  # keywords of tap()


def alight(minutes: float, route: str = "1A", network: str = "kmb", **more: object) -> Tap:
    keywords = {"stop": "9", **more}
    return tap(Direction.ALIGHT, minutes, route=route, network=network, **keywords)  # type: ignore[arg-type]  # keywords of tap()


def run(
    taps: Iterable[Tap],
    known: datetime | None = None,
    at: datetime | None = None,
    *,
    rules: RuleBook = RULES,
    modes: Iterable[StationMode] = (),
    statements: Iterable[Statement] = (),
) -> Assembly:
    """Assemble with every network complete through ``known``, at the start or at ``at``."""
    through = {} if known is None else dict.fromkeys(rules.networks, known)
    moment = at or START
    found = assemble(taps, rules, through, moment, modes=tuple(modes), statements=tuple(statements))
    return found


def mode(
    kind: Mode,
    start: float,
    end: float | None,
    *,
    stop: str | None = None,
    network: str = "mtr",
    id: int = 1,
    replaces: str | None = None,
) -> StationMode:
    return StationMode(
        id, network, f"request {id}", network, stop, kind, after(start),
        None if end is None else after(end), "test", replaces, "operator", after(start),
    )  # fmt: skip


def said(
    kind: StatementKind, of: Tap, stop: str | None = None, *, id: str = "s1", minutes: float = 0
) -> Statement:
    return Statement(id, of.key, kind, stop, after(minutes))
