"""Shenzhen Metro: the fare matrix of ordinary cars, its stations, and the operator's map feed.

Source: the operator's fare workbook of 2026 as JSON (``metro-fares-standard``,
``metro-fare-stations``) and its map (``metro-network``). A station that several lines share has a
record for each line; it becomes one stop, whose id is the lowest of its four-digit codes; its
other codes and the ids of its records ("1号线:1") are names. The matrix of business cars and the
distances between stations may come with them: neither makes a fare of ride codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from transitpay.fares.names import fold
from transitpay.fares.tariff import MatrixFares, Stop, Tariff
from transitpay.fares.tariff_files.json_value import (
    JsonFile,
    items,
    member,
    read_json,
    shown,
)
from transitpay.fares.tariff_files.problem import Parsed, Problem, SourceFile
from transitpay.fares.tariff_files.shenzhen_business import business_car
from transitpay.fares.tariff_files.shenzhen_distance import distance_warnings
from transitpay.fares.tariff_files.shenzhen_matrix import Station, merge, read_matrix
from transitpay.fares.terms import Terms
from transitpay.fares.terms_file import TermsFile, facts_of
from transitpay.money import CNY


def read_shenzhen_metro(
    stations: SourceFile,
    fares: SourceFile,
    network: SourceFile,
    valid_from: date,
    terms: TermsFile,
    business: SourceFile | None = None,
    distances: SourceFile | None = None,
) -> Parsed:
    """The tariff of the three files together, beside the operator's ``terms``.

    ``business`` gives the terms of the business car; ``distances`` only warnings.
    """
    problems: list[Problem] = []
    records = _read_stations(stations, problems)
    matrix = read_matrix(fares, "standard", len(records), problems)
    the_map = read_json(network, problems)
    known = _read_map(the_map, problems)
    stops = tuple(_stop(station, known, the_map, problems) for station in records.values())
    if problems:
        return Parsed(None, tuple(problems))
    grouped = tuple(records.values())
    rows = merge(matrix, grouped, problems)
    if len({stop.id for stop in stops}) != len(stops):
        problems.append(the_map.problem(("l",), "two stations share a code (poiid)"))
    if problems:
        return Parsed(None, tuple(problems))
    table = MatrixFares(tuple(stop.id for stop in stops), rows)
    made = terms.terms(facts_of(table, CNY))
    if not isinstance(made, Terms):
        return Parsed(None, made)
    warnings: list[Problem] = []
    if business is not None:
        car = business_car(business, grouped, table, made.business_car, problems, warnings)
        made = replace(made, business_car=car)
    tariff = Tariff(
        network="shenzhen-metro",
        operator="shenzhen-metro",
        currency=CNY,
        version=fares.version,
        valid_from=valid_from,
        source=f"Shenzhen Metro Group, fare table of ordinary cars, {fares.name}",
        stops=stops,
        fares=table,
        terms=made,
    )
    if distances is not None:
        warnings = [*distance_warnings(tariff, distances, problems), *warnings]
    return Parsed(None if problems else tariff, tuple(problems), warnings=tuple(warnings))


def _read_stations(file: SourceFile, problems: list[Problem]) -> Mapping[str, Station]:
    """Folded name -> station, in the order of the file; no records where there are problems."""
    found: dict[str, list[int]] = {}
    names: dict[str, str] = {}
    ids: dict[str, list[str]] = {}
    document = read_json(file, problems)
    records = items(member(document.value, "stations"))
    for place, record in enumerate(records):
        name, index = member(record, "name"), member(record, "index")
        if not isinstance(name, str) or not fold(name):
            problems.append(document.problem(("stations", place, "name"), shown(name)))
        elif index != place:
            text = f"{shown(index)} is not its place in the list"
            problems.append(document.problem(("stations", place, "index"), text))
        else:
            found.setdefault(fold(name), []).append(place)
            names.setdefault(fold(name), name)
            own = member(record, "id")
            if isinstance(own, str) and fold(own):
                ids.setdefault(fold(name), []).append(own)
    if not records:
        problems.append(document.problem(("stations",), "no list of stations"))
    return {
        key: Station(names[key], tuple(rows), tuple(ids.get(key, ())))
        for key, rows in found.items()
    }


def _read_map(file: JsonFile, problems: list[Problem]) -> Mapping[str, tuple[tuple[str, str], ...]]:
    """Folded Chinese name -> (four-digit code, English name) on each line, lowest code first."""
    found: dict[str, list[tuple[str, str]]] = {}
    for i, line in enumerate(items(member(file.value, "l"))):
        for j, station in enumerate(items(member(line, "st"))):
            name, code, english = (member(station, key) for key in ("n", "poiid", "en"))
            place = ("l", i, "st", j)
            if not isinstance(name, str) or not isinstance(english, str):
                problems.append(file.problem(place, "no name (n, en)"))
            elif not isinstance(code, str) or not (len(code) == 4 and code.isdigit()):
                text = f"{shown(code)} is not four digits"
                problems.append(file.problem((*place, "poiid"), text))
            else:
                # One English name holds a thin space that nobody would type.
                spaced = " ".join(english.replace("\u2006", "").split())
                found.setdefault(fold(name), []).append((code, spaced))
    return {name: tuple(sorted(several)) for name, several in found.items()}


def _stop(
    station: Station,
    known: Mapping[str, tuple[tuple[str, str], ...]],
    file: JsonFile,
    problems: list[Problem],
) -> Stop:
    codes = known.get(fold(station.name), ())
    if not codes:
        problems.append(file.problem(("l",), f"no station named {station.name!r}"))
        return Stop(station.name, (station.name,), zh_hans=station.name)
    names = [station.name, *(english for _, english in codes), *(code for code, _ in codes)]
    return Stop(
        codes[0][0],
        tuple(dict.fromkeys([*names, *station.ids])),
        en=codes[0][1],
        zh_hans=station.name,
    )
