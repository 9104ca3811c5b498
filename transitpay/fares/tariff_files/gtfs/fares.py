"""The fares of the part of a feed that is read: a matrix of its stations, or fares of routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from transitpay.fares.tariff import FlatFares, MatrixFares
from transitpay.fares.tariff_files.gtfs.days import Days
from transitpay.fares.tariff_files.gtfs.feed import Row
from transitpay.fares.tariff_files.gtfs.legs import NO_RULE, LegRules
from transitpay.fares.tariff_files.gtfs.stations import OTHER, Station
from transitpay.fares.tariff_files.pairs import MOST_STATIONS
from transitpay.fares.tariff_files.problem import Problem

_NOWHERE: frozenset[str] = frozenset()
_RULES = "fare_leg_rules.txt"
_MOST_BOARDINGS = 500_000
_HOLIDAY_STOPS = Problem(
    _RULES,
    None,
    "fare_product_id",
    "fares by boarding stop, other ones on Sundays and holidays",
)
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


def matrix_of(part: Part, problems: list[Problem], left_out: list[Problem]) -> MatrixFares | None:
    """The fares between the areas of all stations; None adds problems, one for each reason.

    Where no rule prices a ride the matrix has no fare; stations without any are left out.
    """
    stations: dict[frozenset[str], list[str]] = {}
    for station in part.stations:
        stations.setdefault(station.areas, []).append(station.stop.id)
    if len(part.stations) < 2 or len(stations) > MOST_STATIONS:
        reason = (
            f"{len(part.stations)} stations in {len(stations)} groups of areas, where 2 stations "
            f"to {MOST_STATIONS} groups are a network"
        )
        problems.append(Problem("stops.txt", None, "stop_id", reason))
        return None
    table = {
        (start, end): _pair(part, start, end)
        for start in stations
        for end in stations
        if start != end or len(stations[start]) > 1
    }
    reasons = _Reasons()
    for (start, end), fare in table.items():
        if isinstance(fare, Problem):
            pair = f"{_named(start, stations[start])} to {_named(end, stations[end])}"
            reasons.add(fare, pair)
    problems += reasons.told()
    served = {areas for pair, fare in table.items() if isinstance(fare, int) for areas in pair}
    if not served and not problems:
        problems.append(Problem(_RULES, None, "fare_product_id", f"{NO_RULE} between stations"))
    if problems:
        return None
    kinds = tuple(areas for areas in stations if areas in served)
    lost = [stop for areas, stops in stations.items() if areas not in served for stop in stops]
    left_out += [Problem("stops.txt", None, "stop_id", f"{NO_RULE}: {_some(lost)}")] if lost else []
    for start in kinds:
        to = [_named(end, stations[end]) for end in kinds if table.get((start, end), 0) is None]
        if to:
            reason = f"{NO_RULE}, so no fare, from {_named(start, stations[start])} to {_some(to)}"
            left_out.append(Problem(_RULES, None, "to_area_id", reason))
    place = {areas: i for i, areas in enumerate(kinds)}
    known = [station for station in part.stations if station.areas in served]
    return MatrixFares(
        tuple(station.stop.id for station in known),
        tuple(tuple(_minor(table.get((a, b), 0)) for b in kinds) for a in kinds),
        tuple(place[it.areas] for it in known) if len(kinds) < len(known) else (),
    )


def _pair(part: Part, start: frozenset[str], end: frozenset[str]) -> int | Problem | None:
    """The fare between two kinds of stations, the same in all networks and on all days."""
    legs = [(network, start, end, days) for network in part.networks for days in part.days]
    fares = {part.legs.minor(*leg) for leg in legs}
    if len(fares) == 1:
        return fares.pop()
    rule = next(row for leg in legs for row in part.legs.match(*leg))
    reason = "other fares in another network, or on Sundays and holidays: name one network"
    return rule.problem("fare_product_id", reason)


def _minor(fare: int | Problem | None) -> int | None:
    assert not isinstance(fare, Problem), "problems end the reading before"
    return fare


def _named(areas: frozenset[str], stops: Sequence[str]) -> str:
    """The areas of some stations, or the first of these where they lie in none."""
    named = areas - {OTHER}
    return f"area {'+'.join(sorted(named))}" if named else f"stop {stops[0]}, in no area of a rule"


@dataclass(frozen=True, slots=True)
class _RouteFares:
    """What a route costs where the boarding stop is not known, and at stops that cost another."""

    plain: int
    by_stop: Mapping[str, int]


def flat_of(part: Part, problems: list[Problem], left_out: list[Problem]) -> FlatFares | None:
    """Fares by route, and by boarding stop where rules name boarding areas; None adds problems.

    Routes that no rule prices are left out.
    """
    by_area = any(row["from_area_id"] for row in part.rules)
    stations = tuple(station for station in part.stations if by_area and station.areas)
    found = {
        (network, days): _of_network(part, network, stations, days)
        for network in part.networks
        for days in part.days
    }
    if _boardings(part, found) > _MOST_BOARDINGS:
        reason = f"more than {_MOST_BOARDINGS} fares by route and boarding stop"
        problems.append(Problem("stop_areas.txt", None, "stop_id", reason))
        return None
    by_route: dict[str, int] = {}
    holidays: dict[str, int] = {}
    by_boarding: dict[tuple[str, str], int] = {}
    reasons = _Reasons()
    lost: list[str] = []
    for row in part.routes:
        route, network = row["route_id"], part.network_of.get(row["route_id"], "")
        plain, holiday = found[network, Days.PLAIN], found[network, part.days[-1]]
        if plain is None and holiday is None:
            lost.append(route)
        elif not isinstance(plain, _RouteFares):
            reasons.add(plain or _without(Days.PLAIN), f"route {route}")
        elif not isinstance(holiday, _RouteFares):
            reasons.add(holiday or _without(Days.HOLIDAYS), f"route {route}")
        else:
            by_route[route] = plain.plain
            by_boarding |= {(route, stop): minor for stop, minor in plain.by_stop.items()}
            if holiday != plain:
                holidays[route] = holiday.plain
                if plain.by_stop or holiday.by_stop:
                    reasons.add(_HOLIDAY_STOPS, f"route {route}")
    problems += reasons.told()
    if lost:
        told = Problem(_RULES, None, "network_id", f"{NO_RULE}: route {_some(lost)}")
        (left_out if by_route else problems).append(told)
    return None if problems else FlatFares(by_route, None, holidays, by_boarding)


def _boardings(part: Part, found: Mapping[tuple[str, Days], _RouteFares | Problem | None]) -> int:
    """How many fares from single stops there are, of all routes together."""
    plain = {network: found[network, Days.PLAIN] for network in part.networks}
    networks = (part.network_of.get(row["route_id"], "") for row in part.routes)
    fares = (plain[network] for network in networks)
    return sum(len(of.by_stop) for of in fares if isinstance(of, _RouteFares))


def _without(days: Days) -> Problem:
    return Problem(_RULES, None, "fare_product_id", f"{NO_RULE} on {days}, and one on others")


def _of_network(
    part: Part, network: str, stations: tuple[Station, ...], days: Days
) -> _RouteFares | Problem | None:
    """The fares of a network's routes, why there is not one, or None where no rule has one."""
    by_stop: dict[str, int] = {}
    for station in stations:
        fare = part.legs.minor(network, station.areas, _NOWHERE, days)
        if isinstance(fare, Problem):
            return fare
        if fare is not None:
            by_stop[station.stop.id] = fare
    plain = part.legs.minor(network, _NOWHERE, _NOWHERE, days)
    if plain is None and by_stop:
        plain = max(by_stop.values())
    if not isinstance(plain, int):
        return plain
    return _RouteFares(plain, {s: minor for s, minor in by_stop.items() if minor != plain})


class _Reasons:
    """Reasons why rides have no one fare: each once, by its first rule, with where it holds."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[str, tuple[Problem, list[str]]] = {}

    def add(self, problem: Problem, place: str) -> None:
        self._found.setdefault(problem.reason, (problem, []))[1].append(place)

    def told(self) -> list[Problem]:
        return [
            replace(first, reason=f"{reason}: {_some(places)}")
            for reason, (first, places) in self._found.items()
        ]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
