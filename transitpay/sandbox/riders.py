"""Who rides where and when: the sandbox's demand, a pure function of seed, riders and places.

Hong Kong wallets ride in Shenzhen, Shenzhen wallets in Hong Kong, one to three journeys a day.
A share of riders also does what a gate must refuse. Instants are whole seconds of the day, so
that the same seed gives the same journeys at any speed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from transitpay.clock import day_start
from transitpay.sandbox.places import HONG_KONG, SHENZHEN, Place, Places


class Case(StrEnum):
    """What a rider shows at a reader."""

    FRESH = "fresh"  #: a code drawn a moment ago
    STALE = "stale"  #: a picture of a code, minutes old
    REPLAYED = "replayed"  #: the code of the rider's last entry, shown by somebody else
    FORGED = "forged"  #: signed by another key than the device's
    EXCLUDED = "excluded"  #: a fresh code at a service that takes none
    ELSEWHERE = "elsewhere"  #: a code for the other side of the border


@dataclass(frozen=True, slots=True)
class PlannedScan:
    """One scan: when, where, what is shown. An exit is scanned only after an entry that opened."""

    at: datetime
    place: Place
    case: Case = Case.FRESH
    leaves: bool = False


@dataclass(frozen=True, slots=True)
class PlannedRider:
    """One rider's day, its scans in order of time."""

    account: str
    wallet: str
    destination: int
    opening_minor: int
    scans: tuple[PlannedScan, ...]


@dataclass(slots=True)
class _Day:
    rng: random.Random
    places: Places
    start: datetime
    destination: int
    scans: list[PlannedScan] = field(default_factory=list)

    @property
    def stations(self) -> Sequence[tuple[str, Place, Place]]:
        return self.places.metro[self.destination]


#: wallet, its riders' destination, and its share of all riders in per cent.
WALLETS = (("alipayhk", SHENZHEN, 40), ("alipay", HONG_KONG, 30), ("shenzhen-tong", HONG_KONG, 30))
#: Parts of a thousand riders that do each of these; of any number of riders at least one does.
_PERMILLE = {
    "stale": 30, "replayed": 20, "forged": 15, "excluded": 15, "elsewhere": 15,
    "missing_exit": 25, "poor": 15,
}  # fmt: skip
_POOR_MINOR = 350
_RICH_MINOR = 200_000
FIRST_RIDE_H, LAST_RIDE_H = 6.25, 20.75
#: A ride without an exit begins before this, so that its limit passes on the same day.
_MISSING_EXIT_BEFORE_H = 13.0


def plan_day(riders: int, seed: int, places: Places, day: date) -> tuple[PlannedRider, ...]:
    """The riders of a day in the order of their first scan."""
    rng = random.Random(f"{seed}:{riders}:demand")
    cases = _cases(rng, riders)
    planned = [_rider(rng, i, places, day, cases) for i in range(riders)]
    return tuple(sorted(planned, key=lambda rider: (rider.scans[0].at, rider.account)))


def _cases(rng: random.Random, riders: int) -> dict[str, set[int]]:
    """Which riders do what; distinct riders as long as there are enough of them."""
    order = list(range(riders))
    rng.shuffle(order)
    cases: dict[str, set[int]] = {}
    taken = 0
    for name, permille in _PERMILLE.items():
        number = max(1, riders * permille // 1000)
        cases[name] = {order[(taken + i) % riders] for i in range(number)}
        taken += number
    return cases


def _rider(
    rng: random.Random, number: int, places: Places, day: date, cases: dict[str, set[int]]
) -> PlannedRider:
    wallet, destination = _wallet(number)
    mine = {name for name, riders in cases.items() if number in riders}
    made = _Day(rng, places, day_start(day), destination)
    for start_h in _starts(rng, mine):
        _journey(made, made.start + timedelta(seconds=round(start_h * 3600)), mine)
        mine -= {"stale", "replayed", "missing_exit"}
    for case in (Case.FORGED, Case.EXCLUDED, Case.ELSEWHERE):
        if case.value in mine:
            made.scans.append(_oddity(made, case))
    opening = _POOR_MINOR if "poor" in mine else _RICH_MINOR
    scans = tuple(sorted(made.scans, key=lambda scan: scan.at))
    return PlannedRider(f"{wallet}-{number:06d}", wallet, destination, opening, scans)


def _wallet(number: int) -> tuple[str, int]:
    place = number * 37 % 100
    for wallet, destination, share in WALLETS:
        if place < share:
            return wallet, destination
        place -= share
    raise AssertionError("the shares sum to 100")


def _starts(rng: random.Random, mine: set[str]) -> list[float]:
    """The local hours at which journeys begin, at least 1.6 h apart; half of them at the peaks."""
    wanted = rng.choice((1, 2, 2, 2, 3, 3))
    starts: list[float] = []
    while len(starts) < wanted:
        if rng.random() < 0.5:
            hour = rng.uniform(FIRST_RIDE_H, LAST_RIDE_H)
        else:
            hour = rng.choice((rng.triangular(6.5, 10, 8), rng.triangular(16, 20.5, 18)))
        if "missing_exit" in mine and not starts:
            hour = rng.uniform(FIRST_RIDE_H, _MISSING_EXIT_BEFORE_H)
        if all(abs(hour - other) >= 1.6 for other in starts):
            starts.append(hour)
    return starts if "missing_exit" in mine else sorted(starts)


def _journey(day: _Day, at: datetime, mine: set[str]) -> None:
    metro = day.rng.random() < 0.72 or bool(mine & {"missing_exit", "replayed", "stale"})
    if not metro:
        bus = day.rng.choice(day.places.buses[day.destination])
        day.scans.append(PlannedScan(at, bus))
        return
    (_, way_in, _), (_, _, out) = day.rng.sample(day.stations, 2)
    if "stale" in mine:
        day.scans.append(PlannedScan(at - timedelta(seconds=15), way_in, Case.STALE))
    day.scans.append(PlannedScan(at, way_in))
    if "replayed" in mine:
        elsewhere = day.rng.choice([s for s in day.stations if s[1] is not way_in])
        day.scans.append(PlannedScan(at + timedelta(seconds=35), elsewhere[1], Case.REPLAYED))
    if "missing_exit" not in mine:
        ride_s = day.rng.randrange(8 * 60, 65 * 60)
        day.scans.append(PlannedScan(at + timedelta(seconds=ride_s), out, leaves=True))


def _oddity(day: _Day, case: Case) -> PlannedScan:
    """A scan that opens nothing, at some other time of the day."""
    at = day.start + timedelta(seconds=round(day.rng.uniform(7, 21) * 3600))
    if case is Case.EXCLUDED:
        return PlannedScan(at, day.places.airport_express, case)
    side = day.destination
    if case is Case.ELSEWHERE:
        side = SHENZHEN if side == HONG_KONG else HONG_KONG
    station = day.rng.choice(day.places.metro[side])
    return PlannedScan(at, station[1], case)


def all_scans(riders: Sequence[PlannedRider]) -> Iterator[PlannedScan]:
    """Every planned scan."""
    return (scan for rider in riders for scan in rider.scans)
