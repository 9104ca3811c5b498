"""The fares of the part of a feed that is read: a matrix of its stations, or fares of routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transitpay.fares.tariff import FlatFares, MatrixFares
from transitpay.fares.tariff_files.gtfs.days import Days
from transitpay.fares.tariff_files.gtfs.feed import Row
from transitpay.fares.tariff_files.gtfs.legs import LegRules
from transitpay.fares.tariff_files.gtfs.stations import Station
from transitpay.fares.tariff_files.pairs import MOST_STATIONS
from transitpay.fares.tariff_files.problem import Problem
from transitpay.fares.terms_file import TermsFile

_NOWHERE: frozenset[str] = frozenset()
_RULES = "fare_leg_rules.txt"
_MOST_BOARDINGS = 500_000
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a feed that is read: its routes, their GTFS networks, its stations and rules."""

    routes: tuple[Row, ...]
    network_of: Mapping[str, str]
    stations: tuple[Station, ...]
    legs: LegRules
    rules: tuple[Row, ...]
    by_day: bool
    left_out: tuple[Problem, ...] = ()

    @property
    def networks(self) -> tuple[str, ...]:
        """The GTFS networks of the routes; empty text for routes that have none."""
        return tuple(sorted({self.network_of.get(row["route_id"], "") for row in self.routes}))

    @property
    def days(self) -> tuple[Days, ...]:
        """The kinds of days that the rules tell apart."""
        return (Days.PLAIN, Days.HOLIDAYS) if self.by_day else (Days.PLAIN,)


def matrix_of(part: Part, terms: TermsFile, problems: list[Problem]) -> MatrixFares | None:
    """The fares between all stations; None adds problems, one for each reason."""
    stations = part.stations
    if not 1 < len(stations) <= MOST_STATIONS:
        reason = f"{len(stations)} stations, where 2 to {MOST_STATIONS} are a network"
        problems.append(Problem("stops.txt", None, "stop_id", reason))
        return None
    kinds = tuple(dict.fromkeys(station.areas for station in stations))
    table = {(start, end): _pair(part, start, end) for start in kinds for end in kinds}
    reasons: dict[str, list[str]] = {}
    rows: list[tuple[int, ...]] = []
    for one in stations:
        row: list[int] = []
        for other in stations:
            fare = 0 if one is other else table[one.areas, other.areas]
            walk = one is other or {one.stop.id, other.stop.id} in terms.likely.walks
            if fare == 0 and not walk:
                fare = "0.00 between no walking link of the terms"
            if isinstance(fare, str):
                reasons.setdefault(fare, []).append(f"{one.stop.id} to {other.stop.id}")
            else:
                row.append(fare)
        rows.append(tuple(row))
    problems += _told(reasons)
    if reasons:
        return None
    return MatrixFares(tuple(station.stop.id for station in stations), tuple(rows))


def _pair(part: Part, start: frozenset[str], end: frozenset[str]) -> int | str:
    """The fare between two kinds of stations, the same in all networks and on all days."""
    fares = {
        part.legs.minor(network, start, end, days)
        for network in part.networks
        for days in part.days
    }
    if len(fares) > 1:
        return "other fares in another network, or on Sundays and holidays: name one network"
    return fares.pop()


@dataclass(frozen=True, slots=True)
class _RouteFares:
    """What a route costs where the boarding stop is not known, and at stops that cost another."""

    plain: int
    by_stop: Mapping[str, int]


def flat_of(part: Part, _: TermsFile, problems: list[Problem]) -> FlatFares | None:
    """Fares by route, and by boarding stop where rules name boarding areas; None adds problems."""
    by_area = any(row["from_area_id"] for row in part.rules)
    stations = tuple(station for station in part.stations if by_area and station.areas)
    if len(stations) * len(part.routes) > _MOST_BOARDINGS:
        reason = f"more than {_MOST_BOARDINGS} pairs of route and boarding stop"
        problems.append(Problem("stop_areas.txt", None, "stop_id", reason))
        return None
    found = {
        (network, days): _of_network(part, network, stations, days)
        for network in part.networks
        for days in part.days
    }
    by_route: dict[str, int] = {}
    holidays: dict[str, int] = {}
    by_boarding: dict[tuple[str, str], int] = {}
    reasons: dict[str, list[str]] = {}
    for row in part.routes:
        route, network = row["route_id"], part.network_of.get(row["route_id"], "")
        plain, holiday = found[network, Days.PLAIN], found[network, part.days[-1]]
        if isinstance(plain, str) or isinstance(holiday, str):
            reason = plain if isinstance(plain, str) else f"{holiday} ({Days.HOLIDAYS})"
            reasons.setdefault(reason, []).append(f"route {route}")
            continue
        by_route[route] = plain.plain
        by_boarding |= {(route, stop): minor for stop, minor in plain.by_stop.items()}
        if holiday == plain:
            continue
        holidays[route] = holiday.plain
        if plain.by_stop or holiday.by_stop:
            reason = "fares by boarding stop, other ones on Sundays and holidays"
            reasons.setdefault(reason, []).append(f"route {route}")
    problems += _told(reasons)
    return None if reasons else FlatFares(by_route, None, holidays, by_boarding)


def _of_network(
    part: Part, network: str, stations: tuple[Station, ...], days: Days
) -> _RouteFares | str:
    by_stop: dict[str, int] = {}
    for station in stations:
        fare = part.legs.minor(network, station.areas, _NOWHERE, days)
        if isinstance(fare, int) and fare > 0:
            by_stop[station.stop.id] = fare
    plain = part.legs.minor(network, _NOWHERE, _NOWHERE, days)
    if isinstance(plain, str) and by_stop:
        plain = max(by_stop.values())
    if isinstance(plain, str):
        return plain
    if plain == 0:
        return "a fare of 0"
    return _RouteFares(plain, {s: minor for s, minor in by_stop.items() if minor != plain})


def _told(reasons: Mapping[str, Sequence[str]]) -> list[Problem]:
    found: list[Problem] = []
    for reason, where in reasons.items():
        more = f" and {len(where) - _NAMED} more" if len(where) > _NAMED else ""
        told = f"{reason}: {', '.join(where[:_NAMED])}{more}"
        found.append(Problem(_RULES, None, "fare_product_id", told))
    return found
