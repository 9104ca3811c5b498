"""A GTFS feed with Fares v2 as one tariff: routes of a flat fare, or a matrix of stations.

Rules without areas, or with the boarding area alone, make flat fares of routes; rules with both
areas make a matrix. A rule of our network that a tariff cannot say is a problem of the feed.
Transfers that it cannot say are left out, and the tariff's terms name them as not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from transitpay.fares.tariff import FlatFares, MatrixFares, Stop, Tariff
from transitpay.fares.tariff_files.beside import terms_beside
from transitpay.fares.tariff_files.gtfs.archive import unpack
from transitpay.fares.tariff_files.gtfs.choice import GtfsChoice, check_choice, chosen_routes
from transitpay.fares.tariff_files.gtfs.days import Days, days_of
from transitpay.fares.tariff_files.gtfs.fares import Part, flat_of, matrix_of
from transitpay.fares.tariff_files.gtfs.feed import TABLES, Feed, Row, read_feed
from transitpay.fares.tariff_files.gtfs.legs import LegRules
from transitpay.fares.tariff_files.gtfs.products import Products
from transitpay.fares.tariff_files.gtfs.stations import Station, Translations, stations_of
from transitpay.fares.tariff_files.gtfs.transfers import Transfers
from transitpay.fares.tariff_files.problem import Parsed, Problem, SourceFile
from transitpay.fares.terms import Terms, Transfer
from transitpay.fares.terms_file import TermsFile

_RULES = "fare_leg_rules.txt"
_FRAMES = ("from_timeframe_group_id", "to_timeframe_group_id")
_NAMED = 3


def read_gtfs(
    feed: SourceFile | Mapping[str, SourceFile],
    valid_from: date,
    terms: TermsFile,
    choice: GtfsChoice | None = None,
) -> Parsed:
    """The tariff of a zipped feed, or of its files by name."""
    problems: list[Problem] = []
    choice = choice or GtfsChoice()
    files = unpack(feed, TABLES.keys(), problems) if isinstance(feed, SourceFile) else feed
    tables = read_feed(files, problems) if not problems else Feed()
    if not problems:
        check_choice(tables, choice, problems)
    if problems:
        return Parsed(None, tuple(problems))
    products = Products(tables, choice, terms, problems)
    part = _part(tables, choice, products, problems)
    is_matrix = any(row["to_area_id"] for row in part.rules)
    left_out = [*part.left_out]
    fares = None if problems else (matrix_of if is_matrix else flat_of)(part, problems, left_out)
    transfers = Transfers(tables, products, part.rules, terms.network, terms.currency, choice)
    offers = transfers.read(is_matrix=is_matrix)
    if fares is None or problems:
        return Parsed(None, tuple(problems))
    made = _terms(terms, fares, offers, transfers.left_out)
    if not isinstance(made, Terms):
        return Parsed(None, made)
    tariff = Tariff(
        network=terms.network,
        operator=terms.network,
        currency=terms.currency,
        version=_version(feed, files),
        valid_from=valid_from,
        source=f"GTFS with Fares v2, {_named(feed, files)}",
        stops=_stops(tables, part, fares),
        fares=fares,
        terms=made,
        boarding_stops=_boarding_stops(part, fares),
    )
    warnings = (*_free_rides(part, products), *transfers.warnings)
    return Parsed(tariff, (), (*left_out, *transfers.left_out), warnings)


def _terms(
    terms: TermsFile,
    fares: MatrixFares | FlatFares,
    offers: Sequence[Transfer],
    left_out: Sequence[Problem],
) -> Terms | tuple[Problem, ...]:
    """The operator's terms with the transfers of the feed; those left out are not known."""
    made = terms_beside(fares, terms)
    if not isinstance(made, Terms):
        return made
    unknown = tuple(f"a transfer that this tariff cannot say: {p.reason}" for p in left_out)
    return replace(made, transfers=(*made.transfers, *offers), unknown=(*made.unknown, *unknown))


def _part(tables: Feed, choice: GtfsChoice, products: Products, problems: list[Problem]) -> Part:
    """The chosen part; rules for other riders, media or products are none of it."""
    routes = tuple(chosen_routes(tables, choice))
    network_of = tables.network_of()
    own = {network_of.get(row["route_id"], "") for row in routes}
    rules = tuple(
        row
        for row in tables[_RULES]
        if (not row["network_id"] or row["network_id"] in own)
        and products.minor(row["fare_product_id"]) is not None
    )
    days = days_of(tables)
    frames = [(row, row[name]) for row in rules for name in _FRAMES if row[name]]
    on = {frame: days.get(frame, "days that are not there") for _, frame in frames}
    problems += [
        row.problem(_FRAMES[0], f"{frame}: {on[frame]}")
        for row, frame in frames
        if not isinstance(on[frame], Days)
    ]
    for row in tables["fare_leg_join_rules.txt"]:
        both = {row["from_network_id"], row["to_network_id"]}
        if both & own and not both <= own:
            reason = "legs of this network and another are one: our journeys stay in a network"
            problems.append(row.problem("from_network_id", reason))
    legs = LegRules(tables[_RULES], products, days, with_priority=tables.with_priority)
    stations, left_out = _own_stations(stations_of(tables, problems), rules)
    problems += [station.split for station in stations if station.split is not None]
    by_day = any(of is not Days.ALL for of in on.values())
    return Part(routes, network_of, stations, legs, rules, by_day, left_out)


def _own_stations(
    stations: tuple[Station, ...], rules: tuple[Row, ...]
) -> tuple[tuple[Station, ...], tuple[Problem, ...]]:
    """Those in an area that the rules can mean; the stops of other networks lie in none of them."""
    named = {row[side] for row in rules for side in ("from_area_id", "to_area_id")}
    if "" in named:
        return stations, ()
    own = tuple(station for station in stations if station.areas & named)
    others = [station.stop.id for station in stations if not station.areas & named]
    if not others or not named:
        return own, ()
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    reason = f"in no area of the rules: {', '.join(others[:_NAMED])}{more}"
    return own, (Problem("stops.txt", None, "stop_id", reason),)


def _free_rides(part: Part, products: Products) -> tuple[Problem, ...]:
    """A warning for each product of 0.00, by the first of its rules: as a fare it is free."""
    free: dict[str, list[Row]] = {}
    for row in part.rules:
        if products.minor(row["fare_product_id"]) == 0:
            free.setdefault(row["fare_product_id"], []).append(row)
    return tuple(
        rows[0].problem(
            "fare_product_id", f"rides for {products.shown(name)} are free; rules: {len(rows)}"
        )
        for name, rows in free.items()
    )


def _stops(tables: Feed, part: Part, fares: MatrixFares | FlatFares) -> tuple[Stop, ...]:
    """The stations or routes that have a fare."""
    if isinstance(fares, FlatFares):
        return tuple(stop for stop in _routes(tables, part) if stop.id in fares.by_route)
    known = set(fares.ids)
    return tuple(station.stop for station in part.stations if station.stop.id in known)


def _routes(tables: Feed, part: Part) -> tuple[Stop, ...]:
    names = Translations(tables, "routes", "route_long_name")
    found: list[Stop] = []
    for row in part.routes:
        short, long = row["route_short_name"], row["route_long_name"]
        stop = names.stop(row["route_id"], long or short or row["route_id"], [short])
        first = tuple(dict.fromkeys(name for name in (short, *stop.names) if name))
        found.append(replace(stop, names=first))
    return tuple(found)


def _boarding_stops(part: Part, fares: MatrixFares | FlatFares) -> tuple[Stop, ...]:
    used = {stop for _, stop in fares.by_boarding} if isinstance(fares, FlatFares) else set()
    return tuple(station.stop for station in part.stations if station.stop.id in used)


def _version(feed: SourceFile | Mapping[str, SourceFile], files: Mapping[str, SourceFile]) -> str:
    if isinstance(feed, SourceFile):
        return feed.version
    whole = b"".join(
        name.encode() + b"\0" + file.content + b"\0" for name, file in sorted(files.items())
    )
    return SourceFile("gtfs", whole).version


def _named(feed: SourceFile | Mapping[str, SourceFile], files: Mapping[str, SourceFile]) -> str:
    return feed.name if isinstance(feed, SourceFile) else ", ".join(sorted(files))
