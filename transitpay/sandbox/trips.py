"""The scans of one rider's day, drawn from a seed. Instants are whole seconds of the day, so that
the same seed gives the same journeys at any speed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from transitpay.sandbox.places import BUSES, HONG_KONG, SHENZHEN, Bus, Place, Places
from transitpay.sandbox.riders import Case, Deed, PlannedScan

FIRST_RIDE_H, LAST_RIDE_H = 6.25, 20.75
#: A ride without an exit begins before this, so that its limit passes on the same day.
_MISSING_EXIT_BEFORE_H = 13.0
#: Between these hours the gates of ``open_station`` stand open.
OPEN_FROM_H, OPEN_UNTIL_H = 18.0, 18.75
_BEFORE_OPEN_H = (17.4, 17.8)
_MESSENGER_FROM_H, _MESSENGER_RIDES, _MESSENGER_EACH_H = 7.0, 48, 0.28
_FORGETS = {Deed.MISSING_EXIT, Deed.DECLARES}
#: Of a hundred rides on buses where riders may scan again when they alight so many do.
_ALIGHTS_PERCENT = 25


def open_station(places: Places) -> tuple[str, Place, Place]:
    """The station of Hong Kong whose gates stand open for a while in the evening."""
    return places.metro[HONG_KONG][1]


@dataclass(slots=True)
class Trips:
    """One rider's day; ``deeds`` are done once, on the first ride that allows it.

    ``declares``, once ``scans`` are made, is the station of an exit that was not scanned.
    """

    rng: random.Random
    places: Places
    start: datetime
    destination: int
    deeds: frozenset[Deed]
    declares: str | None = None
    _made: list[PlannedScan] = field(default_factory=list)

    def scans(self) -> tuple[PlannedScan, ...]:
        """All scans, in order of time."""
        if Deed.MESSENGER in self.deeds:
            self._messenger()
        elif Deed.OPEN_GATES in self.deeds:
            self._through_open_gates()
        else:
            for number, start_h in enumerate(self._starts()):
                self._journey(self._at(start_h), self.deeds if number == 0 else frozenset())
        for case in (Case.FORGED, Case.EXCLUDED, Case.ELSEWHERE):
            if Deed(case) in self.deeds:
                self._oddity(case)
        if Deed.COMPANION in self.deeds:
            self._made += [_beside(scan) for scan in self._made if scan.case is Case.FRESH]
        return tuple(sorted(self._made, key=lambda scan: scan.at))

    def _at(self, hours: float) -> datetime:
        return self.start + timedelta(seconds=round(hours * 3600))

    def _starts(self) -> list[float]:
        """The local hours at which journeys begin, 1.6 h apart; half of them at the peaks."""
        rng, starts = self.rng, list[float]()
        forgets = bool(self.deeds & _FORGETS)
        wanted = rng.choice((1, 2, 2, 2, 3, 3))
        while len(starts) < wanted:
            if rng.random() < 0.5:
                hour = rng.uniform(FIRST_RIDE_H, LAST_RIDE_H)
            else:
                hour = rng.choice((rng.triangular(6.5, 10, 8), rng.triangular(16, 20.5, 18)))
            if forgets and not starts:
                hour = rng.uniform(FIRST_RIDE_H, _MISSING_EXIT_BEFORE_H)
            if all(abs(hour - other) >= 1.6 for other in starts):
                starts.append(hour)
        return starts if forgets else sorted(starts)

    def _journey(self, at: datetime, deeds: frozenset[Deed]) -> None:
        gated = {Deed.STALE, Deed.REPLAYED, Deed.COMPANION, *_FORGETS}
        if Deed.CHANGES in deeds:
            self._change(at)
        elif Deed.ALIGHTS in deeds:
            self._bus(at, self.rng.choice([it for it in self._buses if it.alight]), alights=True)
        elif self.destination in self.places.metro and (deeds & gated or self.rng.random() < 0.72):
            self._passage(at, deeds)
        else:
            network = self.rng.choice(BUSES[self.destination])
            bus = self.rng.choice([it for it in self._buses if it.board.network == network])
            self._bus(at, bus, alights=self.rng.randrange(100) < _ALIGHTS_PERCENT)

    @property
    def _stations(self) -> Sequence[tuple[str, Place, Place]]:
        return self.places.metro[self.destination]

    @property
    def _buses(self) -> Sequence[Bus]:
        return self.places.buses[self.destination]

    def _passage(self, at: datetime, deeds: frozenset[Deed] = frozenset()) -> datetime:
        """Through the gates of two stations; returns when the rider left."""
        (_, way_in, _), (stop, _, out) = self.rng.sample(self._stations, 2)
        ride_s = self.rng.randrange(8 * 60, 65 * 60)
        if Deed.STALE in deeds:
            self._scan(at - timedelta(seconds=15), way_in, Case.STALE)
        self._scan(at, way_in)
        if Deed.REPLAYED in deeds:
            others = [it for _, it, _ in self._stations if it is not way_in]
            self._scan(at + timedelta(seconds=35), self.rng.choice(others), Case.REPLAYED)
        left_at = at + timedelta(seconds=ride_s)
        if Deed.DECLARES in deeds:
            self.declares = stop
        if not deeds & _FORGETS:
            self._made.append(PlannedScan(left_at, out, leaves=True))
        return left_at

    def _bus(self, at: datetime, bus: Bus, alights: bool = False) -> None:
        self._scan(at, bus.board)
        if alights and bus.alight is not None:
            ride_s = self.rng.randrange(4 * 60, 40 * 60)
            alighted_at = at + timedelta(seconds=ride_s)
            self._made.append(PlannedScan(alighted_at, bus.alight, leaves=True))

    def _change(self, at: datetime) -> None:
        """From the metro, where there is one, or a bus to a bus, within the hour."""
        first, second = self.rng.sample(self._buses, 2)
        if self.destination in self.places.metro:
            at = self._passage(at)
        else:
            self._bus(at, first)
        self._bus(at + timedelta(minutes=self.rng.randrange(8, 55)), second)

    def _messenger(self) -> None:
        for number in range(_MESSENGER_RIDES):
            hour = _MESSENGER_FROM_H + number * _MESSENGER_EACH_H
            self._bus(self._at(hour), self.rng.choice(self._buses))

    def _through_open_gates(self) -> None:
        """A whole ride in the morning, and in the evening one that ends at open gates."""
        self._passage(self._at(self.rng.uniform(7, 10)))
        stood_open = open_station(self.places)
        others = [way_in for station in self._stations if station is not stood_open
                  for way_in in station[1:2]]  # fmt: skip
        self._scan(self._at(self.rng.uniform(*_BEFORE_OPEN_H)), self.rng.choice(others))

    def _oddity(self, case: Case) -> None:
        """A scan that opens nothing, at some other time of the day."""
        at = self._at(self.rng.uniform(7, 21))
        if case is Case.EXCLUDED:
            self._scan(at, self.places.airport_express, case)
            return
        side = self.destination
        if case is Case.ELSEWHERE:
            side = SHENZHEN if side == HONG_KONG else HONG_KONG
        self._scan(at, self.rng.choice(self.places.metro[side])[1], case)

    def _scan(self, at: datetime, place: Place, case: Case = Case.FRESH) -> None:
        self._made.append(PlannedScan(at, place, case))


def _beside(scan: PlannedScan) -> PlannedScan:
    """The companion's scan, some seconds after the holder's."""
    at = scan.at + timedelta(seconds=6)
    return PlannedScan(at, scan.place, scan.case, scan.leaves, slot=1)
