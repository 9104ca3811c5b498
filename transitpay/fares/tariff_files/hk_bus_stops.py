"""Hong Kong buses: fares by boarding stop, from the route list that a crawl made in 2021.

Source: an early crawl (forerunner of the hkbus project) that joined the stops of KMB, Citybus and
New World First Bus with the Transport Department's fares. ``fares[i]`` is the adult fare on
boarding at stop i + 1. A fare never rises along a route, so a list in which it does was joined
wrongly: such a route is left out whole and named, as is one whose fares the tariff cannot hold.
New World First Bus became Citybus in 2023, so that its routes count as Citybus's (our reading).
The prices are those of the day of the file; what lasts is the structure.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from transitpay.fares.tariff import FlatFares, Stop, Tariff
from transitpay.fares.tariff_files.amounts import read_amount
from transitpay.fares.tariff_files.beside import terms_beside
from transitpay.fares.tariff_files.json_value import (
    JsonFile,
    Path,
    items,
    member,
    read_json,
    text_of,
)
from transitpay.fares.tariff_files.problem import Parsed, Problem, SourceFile
from transitpay.fares.terms import Terms
from transitpay.fares.terms_file import TermsFile
from transitpay.money import HKD, Money

#: network -> the companies whose stops it uses, the first that a route has.
COMPANIES: Mapping[str, tuple[str, ...]] = {"kmb": ("kmb",), "citybus": ("ctb", "nwfb")}
_KNOWN = frozenset(company for several in COMPANIES.values() for company in several)
_SOURCE = {
    "kmb": "fares by boarding stop of the Transport Department, as joined by the crawl {file}",
    "citybus": "fares by boarding stop of the Transport Department, as joined by the crawl {file}; "
    "routes of New World First Bus, part of Citybus since 2023, among them",
}
_OLD_PRICES = "Fares by boarding stop since {day}: the list is of that day"


@dataclass(frozen=True, slots=True)
class RouteFares:
    """One route in one direction: its stops with each company, and its fares by boarding stop."""

    stop: Stop
    number: str
    stops: Mapping[str, tuple[str, ...]]
    companies: tuple[str, ...]
    fares: tuple[int, ...]
    count: int

    def boardings(self, network: str) -> tuple[tuple[str, int], ...] | str:
        """(stop, fare on boarding there) of all stops but the last; or why there are none."""
        if not self.fares:
            return "no fares"
        for place, (one, other) in enumerate(itertools.pairwise(self.fares), 2):
            if other > one:
                rise = f"from {Money(one, HKD)} to {Money(other, HKD)} at stop {place}"
                return f"the fare rises {rise}: stops and fares were joined wrongly"
        if self.fares[-1] == 0:
            return "a fare of 0"
        own = next((self.stops[c] for c in COMPANIES[network] if c in self.stops), ())
        if len(own) != self.count:
            return f"{len(own)} stops of {network} where the route has {self.count}"
        pairs = tuple(dict.fromkeys(zip(own, self.fares, strict=False)))
        if len({stop for stop, _ in pairs}) != len(pairs):
            return "two fares from one stop that the bus passes twice"
        return pairs


@dataclass(slots=True)
class _Loaded:
    """What the routes give that can be loaded, and those that are left out."""

    routes: dict[str, list[RouteFares]] = field(default_factory=dict)
    boardings: dict[tuple[str, str], int] = field(default_factory=dict)
    broken_numbers: set[str] = field(default_factory=set)
    left_out: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def read_boarding_fares(
    file: SourceFile, network: str, valid_from: date, terms: TermsFile
) -> Parsed:
    """The tariff of one operator (a key of ``COMPANIES``) from the file, beside its ``terms``."""
    problems: list[Problem] = []
    document = read_json(file, problems)
    places = _places(document, problems)
    routes = _routes(document, places, problems)
    loaded = _load(document, network, routes)
    if not loaded.routes and not problems:
        problems.append(document.problem(("routeList",), f"no route of {network}"))
    if problems:
        return Parsed(None, tuple(problems))
    stops, full = _stops(loaded)
    used = sorted({stop for _, stop in loaded.boardings})
    fares = FlatFares(full, by_boarding=loaded.boardings)
    made = terms_beside(fares, terms)
    if not isinstance(made, Terms):
        return Parsed(None, made)
    old = _OLD_PRICES.format(day=valid_from)
    tariff = Tariff(
        network=network,
        operator=network,
        currency=HKD,
        version=f"{file.version}/{network}",
        valid_from=valid_from,
        source=_SOURCE[network].format(file=file.name),
        stops=stops,
        fares=fares,
        terms=replace(made, unknown=(*made.unknown, old)),
        boarding_stops=tuple(places[stop] for stop in used),
    )
    return Parsed(tariff, (), tuple(loaded.left_out), tuple(loaded.warnings))


def _load(file: JsonFile, network: str, routes: Iterable[RouteFares]) -> _Loaded:
    loaded = _Loaded()
    for route in routes:
        if not set(route.companies) & set(COMPANIES[network]):
            continue
        if len(set(route.companies)) < len(route.companies):
            named = f"{list(route.companies)} names a company twice"
            loaded.warnings.append(file.problem(("routeList", route.stop.id, "co"), named))
        found = route.boardings(network)
        if isinstance(found, str):
            loaded.broken_numbers.add(route.number)
            loaded.left_out.append(file.problem(("routeList", route.stop.id), found))
        else:
            loaded.routes.setdefault(route.number, []).append(route)
            loaded.boardings |= {(route.stop.id, stop): minor for stop, minor in found}
    return loaded


def _stops(loaded: _Loaded) -> tuple[tuple[Stop, ...], Mapping[str, int]]:
    """(routes, and the numbers that say the same for all their variants; full fares).

    A number of which a route is left out, or whose routes differ anywhere, is not enough.
    """
    stops: list[Stop] = []
    full: dict[str, int] = {}
    for number, several in loaded.routes.items():
        full |= {route.stop.id: route.fares[0] for route in several}
        shared = _shared(several, loaded)
        if shared is not None:
            stops.append(Stop(number, (number,)))
        stops += [replace(r.stop, names=(*r.stop.names, number)) for r in several]
        if shared is None:
            continue
        full[number] = several[0].fares[0]
        loaded.boardings.update({(number, stop): minor for stop, minor in shared.items()})
    return tuple(stops), full


def _shared(several: list[RouteFares], loaded: _Loaded) -> Mapping[str, int] | None:
    if several[0].number in loaded.broken_numbers or len({r.fares[0] for r in several}) > 1:
        return None
    shared: dict[str, int] = {}
    for route in several:
        of_route = {s: loaded.boardings.get((route.stop.id, s)) for s in _all_stops(route)}
        for stop, minor in of_route.items():
            if minor is not None and shared.setdefault(stop, minor) != minor:
                return None
    return shared


def _all_stops(route: RouteFares) -> frozenset[str]:
    return frozenset(stop for stops in route.stops.values() for stop in stops)


def _places(file: JsonFile, problems: list[Problem]) -> Mapping[str, Stop]:
    places: dict[str, Stop] = {}
    value = member(file.value, "stopList")
    if not isinstance(value, dict):
        problems.append(file.problem(("stopList",), "no stops"))
        return places
    for key, entry in value.items():
        place = ("stopList", key)
        names = [text_of(member(entry, name)) for name in ("name_en", "name_tc", "name_sc")]
        if not key or member(entry, "stop") != key:
            problems.append(file.problem(place, "its id is another inside"))
        elif not all(names):
            problems.append(file.problem(place, "no name in three languages"))
        else:
            places[key] = Stop(key, tuple(dict.fromkeys(names)), *names)
    return places


def _routes(
    file: JsonFile, places: Mapping[str, Stop], problems: list[Problem]
) -> list[RouteFares]:
    value = member(file.value, "routeList")
    if not isinstance(value, dict) or not value:
        problems.append(file.problem(("routeList",), "no routes"))
        return []
    routes: list[RouteFares] = []
    for key, entry in value.items():
        place = ("routeList", key)
        wrong = len(problems)
        route = _route(file, place, entry, problems)
        unknown = sorted(_all_stops(route) - places.keys()) if len(problems) == wrong else []
        problems += [file.problem(place, f"stop {s!r} is not in stopList") for s in unknown]
        if len(problems) == wrong:
            routes.append(route)
    return routes


def _route(
    file: JsonFile, place: tuple[str, str], entry: object, problems: list[Problem]
) -> RouteFares:
    """The route of one entry; worth nothing where it has added problems."""
    _, key = place
    number = text_of(member(entry, "route"))
    ends = [member(entry, "orig"), member(entry, "dest")]
    en = [text_of(member(end, "en")) for end in ends]
    zh = [text_of(member(end, "zh")) for end in ends]
    service = member(entry, "serviceType")
    if type(service) is int:
        service = str(service)
    if key != "+".join([number, text_of(service), *en]):
        problems.append(file.problem(place, "its key is not that of its parts"))
    companies = tuple(text_of(company) for company in items(member(entry, "co")))
    if not companies or set(companies) - _KNOWN:
        problems.append(file.problem((*place, "co"), f"{list(companies)} is not known"))
    stops = member(entry, "stops")
    lists = {c: items(ids) for c, ids in stops.items()} if isinstance(stops, dict) else {}
    texts = {c: tuple(i for i in ids if isinstance(i, str)) for c, ids in lists.items()}
    count = member(entry, "seq")
    if not lists or type(count) is not int or any(len(texts[c]) != len(lists[c]) for c in lists):
        problems.append(file.problem((*place, "stops"), "no lists of stops, or no seq"))
        count = 0
    fares = _fares(file, (*place, "fares"), member(entry, "fares"), problems)
    if fares and len(fares) != count - 1:
        reason = f"{len(fares)} fares where {count} stops need {count - 1}"
        problems.append(file.problem((*place, "fares"), reason))
    names = [f"{number} {' - '.join(both)}" if all(both) else "" for both in (en, zh)]
    known = tuple(dict.fromkeys(name for name in names if name)) or (key,)
    return RouteFares(Stop(key, known, *names), number, texts, companies, fares, count)


def _fares(file: JsonFile, place: Path, value: object, problems: list[Problem]) -> tuple[int, ...]:
    """The fares in minor units; none where the file has null."""
    if value is not None and (not isinstance(value, list) or not value):
        problems.append(file.problem(place, "no list of fares"))
    fares: list[int] = []
    for i, cell in enumerate(items(value)):
        minor = read_amount(str(cell), HKD)
        if isinstance(minor, str):
            problems.append(file.problem((*place, i), minor))
            continue
        if minor % 10:
            problems.append(file.problem((*place, i), "not a multiple of 0.10"))
        fares.append(minor)
    return tuple(fares)
