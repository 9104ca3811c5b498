"""Hong Kong buses: the route list of the Transport Department (ROUTE_BUS XML) as flat full fares.

Source: Transport Department on DATA.GOV.HK, "Routes and fares of public transport". One row is one
variant of a route. Every variant is a stop of the tariff under its ROUTE_ID; a route number is one
too where all its variants cost the same. Where they differ the number alone is refused as
ambiguous, so that nobody is charged the fare of another variant. Joint routes belong to both
operators. FULL_FARE is the highest adult fare; fares by boarding stop are not in the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from xml.parsers import expat

from transitpay.errors import MalformedInput
from transitpay.fares.published import hk_bus_terms
from transitpay.fares.tariff import FlatFares, Stop, Tariff
from transitpay.fares.tariff_files.problem import Parsed, Problem, SourceFile
from transitpay.money import HKD, parse_major

#: network -> the company codes that it stands for (LWB is Long Win, run by KMB).
COMPANIES: Mapping[str, frozenset[str]] = {
    "kmb": frozenset({"KMB", "LWB"}),
    "citybus": frozenset({"CTB"}),
}
_NEEDED = ("ROUTE_ID", "COMPANY_CODE", "ROUTE_NAMEE", "FULL_FARE")
_NAMES = (
    ("LOC_START_NAMEE", "LOC_END_NAMEE"),
    ("LOC_START_NAMEC", "LOC_END_NAMEC"),
    ("LOC_START_NAMES", "LOC_END_NAMES"),
)


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of the file: a variant of a route and its full adult fare in minor units."""

    id: str
    companies: frozenset[str]
    number: str
    names: tuple[str, ...]
    fare_minor: int


def read_route_bus(file: SourceFile, network: str, valid_from: date) -> Parsed:
    """The tariff of one operator (a key of ``COMPANIES``) from the file."""
    problems: list[Problem] = []
    variants: dict[str, Variant] = {}
    for line, row in _rows(file, problems):
        variant = _variant(file.name, line, row, problems)
        if variant is None:
            continue
        if variant.id in variants:
            problems.append(Problem(file.name, line, "ROUTE_ID", f"{variant.id} a second time"))
        variants[variant.id] = variant
    own = [v for v in variants.values() if v.companies & COMPANIES[network]]
    clash = {v.number for v in own} & variants.keys()
    problems += [Problem(file.name, None, "ROUTE_ID", f"{c} is a route too") for c in sorted(clash)]
    if not own and not problems:
        problems.append(Problem(file.name, None, "COMPANY_CODE", f"no route of {network}"))
    if problems:
        return Parsed(None, tuple(problems))
    stops, fares = _stops(own)
    tariff = Tariff(
        network=network,
        operator=network,
        currency=HKD,
        version=file.version,
        valid_from=valid_from,
        source=f"Transport Department on DATA.GOV.HK, {file.name}, full adult fare",
        stops=stops,
        fares=FlatFares(fares),
        terms=hk_bus_terms(),
    )
    return Parsed(tariff, ())


def _stops(variants: Iterable[Variant]) -> tuple[tuple[Stop, ...], Mapping[str, int]]:
    numbers: dict[str, list[Variant]] = {}
    for variant in variants:
        numbers.setdefault(variant.number, []).append(variant)
    stops: list[Stop] = []
    fares: dict[str, int] = {}
    for number, several in numbers.items():
        one_fare = len({variant.fare_minor for variant in several}) == 1
        if one_fare:
            stops.append(Stop(number, (number,)))
            fares[number] = several[0].fare_minor
        for variant in several:
            # Only an ambiguous number is a name of its variants: asking for it lists them all.
            names = variant.names if one_fare else (*variant.names, number)
            stops.append(Stop(variant.id, names))
            fares[variant.id] = variant.fare_minor
    return tuple(stops), fares


def _variant(
    file: str, line: int, row: Mapping[str, str], problems: list[Problem]
) -> Variant | None:
    absent = [name for name in _NEEDED if not row.get(name)]
    if absent:
        problems += [Problem(file, line, name, "missing or empty") for name in absent]
        return None
    try:
        fare = parse_major(row["FULL_FARE"], HKD).minor
    except MalformedInput as error:
        problems.append(Problem(file, line, "FULL_FARE", error.message))
        return None
    if fare == 0 or fare % 10:
        text = f"{row['FULL_FARE']} is not a multiple of 0.10 above 0"
        problems.append(Problem(file, line, "FULL_FARE", text))
        return None
    number = row["ROUTE_NAMEE"]
    names = [
        f"{number} {row[start]} - {row[end]}"
        for start, end in _NAMES
        if row.get(start) and row.get(end)
    ]
    return Variant(
        id=row["ROUTE_ID"],
        companies=frozenset(row["COMPANY_CODE"].split("+")),
        number=number,
        names=tuple(dict.fromkeys(names)) or (f"{number} ({row['ROUTE_ID']})",),
        fare_minor=fare,
    )


@dataclass(slots=True)
class _Reader:
    """Collects the children of each ROUTE element with the line where the element begins."""

    parser: expat.XMLParserType
    rows: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    row: dict[str, str] | None = None
    text: list[str] = field(default_factory=list)

    def start(self, tag: str, _: Mapping[str, str]) -> None:
        if tag == "ROUTE":
            self.row = {}
            self.rows.append((self.parser.CurrentLineNumber, self.row))
        self.text.clear()

    def end(self, tag: str) -> None:
        if tag == "ROUTE":
            self.row = None
        elif self.row is not None:
            self.row[tag] = "".join(self.text).strip()
        self.text.clear()


def _rows(file: SourceFile, problems: list[Problem]) -> list[tuple[int, dict[str, str]]]:
    parser = expat.ParserCreate()
    reader = _Reader(parser)
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text.append
    try:
        parser.Parse(file.content, True)
    except expat.ExpatError as error:
        problems.append(Problem(file.name, error.lineno, "xml", expat.ErrorString(error.code)))
    return reader.rows
