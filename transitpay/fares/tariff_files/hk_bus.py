"""Hong Kong buses: the route list of the Transport Department (ROUTE_BUS XML) as flat full fares.

Source: Transport Department on DATA.GOV.HK, "Routes and fares of public transport". One row is one
variant of a route. Every variant is a stop of the tariff under its ROUTE_ID; a route number is one
too where all its variants cost the same. Where they differ the number alone is refused as
ambiguous, so that nobody is charged the fare of another variant. Joint routes belong to both
operators. FULL_FARE is the highest adult fare: with New Lantao Bus that of Sundays and holidays.
Fares by boarding stop are not in the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from xml.parsers import expat

from transitpay.errors import MalformedInput
from transitpay.fares.tariff import FlatFares, Stop, Tariff
from transitpay.fares.tariff_files.amounts import read_amount
from transitpay.fares.tariff_files.beside import terms_beside
from transitpay.fares.tariff_files.csv_table import table, unfit
from transitpay.fares.tariff_files.problem import Parsed, Problem, SourceFile, on_one_line
from transitpay.fares.terms import Terms
from transitpay.fares.terms_file import TermsFile
from transitpay.money import HKD, Money

#: network -> the company codes that it stands for (LWB is Long Win, run by KMB).
COMPANIES: Mapping[str, frozenset[str]] = {
    "kmb": frozenset({"KMB", "LWB"}),
    "citybus": frozenset({"CTB"}),
    "nlb": frozenset({"NLB"}),
}
#: The networks whose FULL_FARE is that of Sundays and general holidays.
_HOLIDAY_FARES = frozenset({"nlb"})
_WEEKDAY_COLUMNS = ("route", "amount")
#: What is said of a network whose weekday fares no file gives.
WEEKDAY_UNKNOWN = (
    "Weekday fares of New Lantao Bus: the Transport Department's list holds the fare of Sundays "
    "and holidays alone, which is charged on every day"
)
_SOME_WEEKDAYS_UNKNOWN = (
    "Weekday fares of the routes that the weekday file does not name: the fare of Sundays and "
    "holidays is charged on every day"
)
_NEEDED = ("ROUTE_ID", "COMPANY_CODE", "ROUTE_NAMEE", "FULL_FARE")
_NAMES = (
    ("LOC_START_NAMEE", "LOC_END_NAMEE"),
    ("LOC_START_NAMEC", "LOC_END_NAMEC"),
    ("LOC_START_NAMES", "LOC_END_NAMES"),
)


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of the file: a variant of a route and its full adult fare in minor units.

    ``names`` are in English, traditional and simplified characters, empty where there is none.
    """

    id: str
    companies: frozenset[str]
    number: str
    names: tuple[str, str, str]
    fare_minor: int

    def stop(self) -> Stop:
        """The variant as a stop of a tariff; the number is the last of its names."""
        known = tuple(dict.fromkeys(name for name in self.names if name))
        known = known or (f"{self.number} ({self.id})",)
        return Stop(self.id, (*known, self.number), *self.names)


def read_route_bus(
    file: SourceFile,
    network: str,
    valid_from: date,
    terms: TermsFile,
    weekdays: SourceFile | None = None,
) -> Parsed:
    """The tariff of one operator (a key of ``COMPANIES``) from the file, beside its ``terms``.

    ``weekdays`` is a CSV file of our own (``route``, ``amount``) with the full fares from Monday
    to Saturday that are below FULL_FARE; it is for networks whose FULL_FARE is that of holidays.
    """
    problems: list[Problem] = []
    own = _own(file, network, problems)
    with_holidays = network in _HOLIDAY_FARES
    lower: Mapping[str, int] = {}
    if weekdays is not None and not with_holidays:
        reason = f"{network} has one fare for all days"
        problems.append(Problem(weekdays.name, None, "route", reason))
    elif weekdays is not None and not problems:
        lower = _weekday_fares(weekdays, own, problems)
    if problems:
        return Parsed(None, tuple(problems))
    stops, full, plain = _stops(own, lower)
    fares = FlatFares(plain, holiday_by_route=full if with_holidays else {})
    made = terms_beside(fares, terms)
    if not isinstance(made, Terms):
        return Parsed(None, made)
    if with_holidays:
        known = lower.keys() >= {variant.id for variant in own}
        said = _SOME_WEEKDAYS_UNKNOWN if lower else WEEKDAY_UNKNOWN
        unknown = made.unknown if known else (*made.unknown, said)
        made = replace(made, unknown=unknown)
    tariff = Tariff(
        network=network,
        operator=network,
        currency=HKD,
        version=file.version if weekdays is None else f"{file.version}+{weekdays.version}",
        valid_from=valid_from,
        source=f"Transport Department on DATA.GOV.HK, {file.name}, full adult fare",
        stops=stops,
        fares=fares,
        terms=made,
    )
    return Parsed(tariff, ())


def _own(file: SourceFile, network: str, problems: list[Problem]) -> tuple[Variant, ...]:
    """The variants of one operator; every row of the file is checked."""
    variants: dict[str, Variant] = {}
    lines: dict[str, int] = {}
    for line, row in _rows(file, problems):
        variant = _variant(file.name, line, row, problems)
        if variant is None:
            continue
        if variant.id in variants:
            problems.append(Problem(file.name, line, "ROUTE_ID", f"{variant.id} a second time"))
        variants[variant.id], lines[variant.id] = variant, line
    own = tuple(v for v in variants.values() if v.companies & COMPANIES[network])
    clash = {v.number for v in own} & variants.keys()
    problems += [
        Problem(file.name, lines[c], "ROUTE_ID", f"{c} is a route number too")
        for c in sorted(clash)
    ]
    if not own and not problems:
        problems.append(Problem(file.name, None, "COMPANY_CODE", f"no route of {network}"))
    return own


def _weekday_fares(
    file: SourceFile, variants: Sequence[Variant], problems: list[Problem]
) -> Mapping[str, int]:
    """Variant -> its fare from Monday to Saturday; a route number stands for all its variants."""
    by_name: dict[str, list[Variant]] = {}
    for variant in variants:
        by_name.setdefault(variant.number, []).append(variant)
        by_name.setdefault(variant.id, []).append(variant)
    fares: dict[str, int] = {}
    for line, row in table(file, _WEEKDAY_COLUMNS, problems):
        route, minor = row["route"], _fare(file.name, line, "amount", row["amount"], problems)
        for variant in by_name.get(route, []):
            if variant.id in fares:
                problems.append(Problem(file.name, line, "route", f"{variant.id} a second time"))
            elif minor is not None and minor > variant.fare_minor:
                full = Money(variant.fare_minor, HKD)
                reason = f"more than the highest fare of {variant.id}, {full}"
                problems.append(Problem(file.name, line, "amount", reason))
            elif minor is not None:
                fares[variant.id] = minor
        if route not in by_name:
            problems.append(Problem(file.name, line, "route", f"{route!r} is no route"))
    return fares


def _stops(
    variants: Iterable[Variant], lower: Mapping[str, int]
) -> tuple[tuple[Stop, ...], Mapping[str, int], Mapping[str, int]]:
    """(variants, and the numbers whose variants all cost the same; full fares; plain fares)."""
    numbers: dict[str, list[Variant]] = {}
    for variant in variants:
        numbers.setdefault(variant.number, []).append(variant)
    stops: list[Stop] = []
    full: dict[str, int] = {}
    plain: dict[str, int] = {}
    for number, several in numbers.items():
        fares = {(v.fare_minor, lower.get(v.id, v.fare_minor)) for v in several}
        if len(fares) == 1:
            stops.append(Stop(number, (number,)))
            full[number], plain[number] = fares.pop()
        # Asking for a number that is no stop of its own lists all its variants.
        stops += [variant.stop() for variant in several]
        full |= {v.id: v.fare_minor for v in several}
        plain |= {v.id: lower.get(v.id, v.fare_minor) for v in several}
    return tuple(stops), full, plain


def _variant(
    file: str, line: int, row: Mapping[str, str], problems: list[Problem]
) -> Variant | None:
    bad = {name: "missing or empty" for name in _NEEDED if not row.get(name)}
    used = (*_NEEDED, *(name for both in _NAMES for name in both))
    bad |= {name: why for name in used if (why := unfit(row.get(name, "")))}
    if bad:
        problems += [Problem(file, line, name, why) for name, why in bad.items()]
        return None
    fare = _fare(file, line, "FULL_FARE", row["FULL_FARE"], problems)
    if fare is None:
        return None
    number = row["ROUTE_NAMEE"]
    en, zh_hant, zh_hans = (
        f"{number} {row[start]} - {row[end]}" if row.get(start) and row.get(end) else ""
        for start, end in _NAMES
    )
    return Variant(
        id=row["ROUTE_ID"],
        companies=frozenset(row["COMPANY_CODE"].split("+")),
        number=number,
        names=(en, zh_hant, zh_hans),
        fare_minor=fare,
    )


def _fare(file: str, line: int, field: str, text: str, problems: list[Problem]) -> int | None:
    """A bus fare in minor units; None adds a problem."""
    minor = read_amount(text, HKD)
    if isinstance(minor, str):
        problems.append(Problem(file, line, field, minor))
        return None
    if minor == 0 or minor % 10:
        reason = f"{text} is not a multiple of 0.10 above 0"
        problems.append(Problem(file, line, field, reason))
        return None
    return minor


@dataclass(slots=True)
class _Reader:
    """Collects the children of each ROUTE element with the line where the element begins."""

    file: str
    parser: expat.XMLParserType
    problems: list[Problem]
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
            if tag in self.row:
                line = self.parser.CurrentLineNumber
                self.problems.append(Problem(self.file, line, tag, "a second time in its route"))
            self.row[tag] = on_one_line("".join(self.text))
        self.text.clear()

    def refuse(self, *_: object) -> None:
        raise MalformedInput("bad_tariff_file", "a document type, which could hold entities")


def _rows(file: SourceFile, problems: list[Problem]) -> list[tuple[int, dict[str, str]]]:
    parser = expat.ParserCreate()
    reader = _Reader(file.name, parser, problems)
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text.append
    parser.StartDoctypeDeclHandler = reader.refuse
    try:
        parser.Parse(file.content, True)
    except expat.ExpatError as error:
        problems.append(Problem(file.name, error.lineno, "xml", expat.ErrorString(error.code)))
    except MalformedInput as error:
        problems.append(Problem(file.name, parser.CurrentLineNumber, "xml", error.message))
    except (LookupError, ValueError) as error:  # an encoding that Python has no table for
        problems.append(Problem(file.name, parser.CurrentLineNumber, "xml", str(error)))
    if reader.row is not None:  # read half: what is missing of it is no problem of its own
        reader.rows.pop()
    return reader.rows
