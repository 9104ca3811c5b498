"""MTR open data: the fare matrix of heavy rail and the list of its stations, as CSV.

Source: MTR Corporation on DATA.GOV.HK, "MTR Routes, Fares and Barrier-free Facilities". Ride codes
pay the adult Octopus column; the highest single journey ticket is the surcharge for an overstay.
Old copies write some column names in other case, end lines with CR LF, or start with a byte order
mark; the list of stations ends with blank rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from transitpay.fares.names import fold, simplified
from transitpay.fares.tariff import Stop, Tariff
from transitpay.fares.tariff_files.amounts import read_amount
from transitpay.fares.tariff_files.csv_table import table
from transitpay.fares.tariff_files.pairs import PairFares
from transitpay.fares.tariff_files.problem import Parsed, Problem, SourceFile
from transitpay.fares.terms import Terms
from transitpay.fares.terms_file import TermsFile, facts_of
from transitpay.money import HKD, Money

_FROM, _FROM_NAME = "SRC_STATION_ID", "SRC_STATION_NAME"
_TO, _TO_NAME = "DEST_STATION_ID", "DEST_STATION_NAME"
_OCTOPUS, _SINGLE = "OCT_ADT_FARE", "SINGLE_ADT_FARE"
_FARE_COLUMNS = (_FROM_NAME, _FROM, _TO_NAME, _TO, _OCTOPUS, _SINGLE)
_STATION_COLUMNS = ("STATION CODE", "STATION ID", "CHINESE NAME", "ENGLISH NAME")

#: Hong Kong, Kowloon, Tsing Yi, Airport and AsiaWorld-Expo of the Airport Express. The first three
#: are stations of heavy rail too, by the same names and other ids: names tell nothing apart.
_AIRPORT_EXPRESS = frozenset({"44", "45", "46", "47", "56"})

#: In the fares, and in no list of stations: opened on race days only.
_UNLISTED: Mapping[str, Stop] = {
    "70": Stop("70", ("Racecourse", "馬場", "马场", "RAC"), "Racecourse", "馬場", "马场")
}


@dataclass(slots=True)
class _Rows:
    """What one pass over the fare file has found so far."""

    pairs: PairFares
    names: dict[str, str] = field(default_factory=dict)
    highest_single: int = 0
    dear: list[Problem] = field(default_factory=list)


def read_station_names(file: SourceFile) -> tuple[Mapping[str, Stop], tuple[Problem, ...]]:
    """(station id -> its names in three languages and its three-letter code, problems)."""
    problems: list[Problem] = []
    names: dict[str, Stop] = {}
    for line, row in table(file, _STATION_COLUMNS, problems):
        code, station, chinese, english = (row[column] for column in _STATION_COLUMNS)
        empty = [column for column in _STATION_COLUMNS if not row[column]]
        if empty:
            problems += [Problem(file.name, line, column, "empty") for column in empty]
        else:
            zh_hans = simplified(chinese)
            every = tuple(dict.fromkeys((english, chinese, zh_hans, code)))
            found = Stop(station, every, english, chinese, zh_hans)
            if names.setdefault(station, found) != found:
                text = f"station {station} is {names[station].label!r} above"
                problems.append(Problem(file.name, line, "STATION ID", text))
    return names, tuple(problems)


def read_mtr_fares(
    file: SourceFile, valid_from: date, names: Mapping[str, Stop], terms: TermsFile
) -> Parsed:
    """The tariff of one version of the fare file; ``names`` come from ``read_station_names``.

    Only the walking links of ``terms`` may cost 0.00.
    """
    problems: list[Problem] = []
    rows = _Rows(PairFares(file.name, _OCTOPUS))
    for line, row in table(file, _FARE_COLUMNS, problems):
        _read_row(file.name, line, row, rows, terms.likely.walks, problems)
    ids = tuple(rows.names)
    if not problems:
        problems += rows.pairs.missing(ids)
        if len(ids) < 2:
            problems.append(Problem(file.name, None, _FROM, "no fares in the file"))
    if problems:
        return Parsed(None, tuple(problems))
    stops = tuple(_stop(i, rows.names[i], names) for i in ids)
    warnings = [*rows.pairs.asymmetric(HKD), *rows.dear]
    first = {start: line for (start, _), (_, line) in reversed(rows.pairs.places.items())}
    warnings += [
        Problem(
            file.name,
            first[s.id],
            _FROM_NAME,
            f"{s.id} is {s.label!r}, in the list {listed.label!r}",
        )
        for s in stops
        if (listed := names.get(s.id)) is not None and fold(listed.label) != fold(s.label)
    ]
    return _parsed(file, valid_from, stops, rows, terms, tuple(warnings))


def _stop(station: str, own: str, listed: Mapping[str, Stop]) -> Stop:
    """The station under the name that the fare file gives it, with all that the list knows."""
    found = listed.get(station, _UNLISTED.get(station))
    if found is None:
        return Stop(station, (own,), own)
    return replace(found, names=tuple(dict.fromkeys((own, *found.names))), en=own)


def _parsed(
    file: SourceFile,
    valid_from: date,
    stops: tuple[Stop, ...],
    rows: _Rows,
    terms: TermsFile,
    warnings: tuple[Problem, ...],
) -> Parsed:
    fares = rows.pairs.matrix([stop.id for stop in stops])
    made = terms.terms(facts_of(fares, HKD, Money(rows.highest_single, HKD)))
    if not isinstance(made, Terms):
        return Parsed(None, made)
    tariff = Tariff(
        network="mtr",
        operator="mtr",
        currency=HKD,
        version=file.version,
        valid_from=valid_from,
        source=f"MTR Corporation on DATA.GOV.HK, {file.name}, adult Octopus",
        stops=stops,
        fares=fares,
        terms=made,
    )
    return Parsed(tariff, (), warnings=warnings)


def _read_row(
    file: str,
    line: int,
    row: Mapping[str, str],
    rows: _Rows,
    walks: frozenset[frozenset[str]],
    problems: list[Problem],
) -> None:
    start, end = row[_FROM], row[_TO]
    before = len(problems)
    for column, name_column in ((_FROM, _FROM_NAME), (_TO, _TO_NAME)):
        station, name = row[column], row[name_column]
        if station in _AIRPORT_EXPRESS:
            text = f"station {station} is of the Airport Express, which takes no ride codes"
            problems.append(Problem(file, line, column, text))
        elif not (station.isascii() and station.isdigit()) or station.startswith("0"):
            problems.append(Problem(file, line, column, f"{station!r} is not a station number"))
        elif not name:
            problems.append(Problem(file, line, name_column, "empty"))
        elif rows.names.setdefault(station, name) != name:
            text = f"station {station} is {name!r} here and {rows.names[station]!r} above"
            problems.append(Problem(file, line, name_column, text))
    octopus = _amount(file, line, _OCTOPUS, row, problems)
    single = _amount(file, line, _SINGLE, row, problems)
    if octopus is None or single is None or len(problems) > before:
        return
    reason = _refuse_fare(start, end, octopus, walks)
    if reason is not None:
        problems.append(Problem(file, line, _OCTOPUS, reason))
    elif start != end and (twice := rows.pairs.add(file, line, start, end, octopus)):
        problems.append(twice)
    if octopus > single > 0:
        one, other = (Money(it, HKD).major() for it in (octopus, single))
        rows.dear.append(Problem(file, line, _OCTOPUS, f"{one}, and a single ticket {other}"))
    rows.highest_single = max(rows.highest_single, single)


def _refuse_fare(start: str, end: str, minor: int, walks: frozenset[frozenset[str]]) -> str | None:
    if minor % 10:
        return "not a multiple of 0.10"
    if minor == 0 and start != end and frozenset({start, end}) not in walks:
        return f"0.00 from station {start} to station {end}, which are no walking link"
    return None


def _amount(
    file: str, line: int, column: str, row: Mapping[str, str], problems: list[Problem]
) -> int | None:
    minor = read_amount(row[column], HKD)
    if isinstance(minor, str):
        problems.append(Problem(file, line, column, minor))
        return None
    return minor
