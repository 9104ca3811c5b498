"""The terms file: what an operator publishes in prose, as TOML that a person writes.

Every value has its source and grade beside it. An amount is text in the network's currency, or
follows from the fares beside which the terms will stand: "lowest fare", "highest fare", "highest
single ticket", "lowest fare from 76". All problems of a file are found in one run.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass

from transitpay.errors import MalformedInput
from transitpay.fares.plain import Path, PlainReader, Unreadable, shown
from transitpay.fares.tariff import FlatFares, MatrixFares
from transitpay.fares.tariff_files.problem import Problem, SourceFile
from transitpay.fares.term_faults import faults, spelled
from transitpay.fares.term_ranges import misfit
from transitpay.fares.terms import Terms, TermSource
from transitpay.fares.toml_lines import line_of, lines_of
from transitpay.fares.version_rules import unfit_network
from transitpay.money import HKD, Currency, Money, currency, parse_major

_GRADE = re.compile(r"[ABCD](, [ABCD])*|our reading")
_FROM = "lowest fare from "
_SINGLE = "highest single ticket"


@dataclass(frozen=True, slots=True)
class FareFacts:
    """The amounts of a table of fares that terms are written by.

    ``highest_single`` is the highest fare of single journey tickets, where a file has those.
    """

    lowest: Money
    highest: Money
    highest_single: Money | None = None
    lowest_from: Mapping[str, Money] = dataclasses.field(default_factory=dict)

    def named(self, text: str) -> Money | None:
        """What a text such as "lowest fare" stands for; None = the fares do not tell."""
        if text.startswith(_FROM):
            return self.lowest_from.get(text.removeprefix(_FROM))
        known = {"lowest fare": self.lowest, "highest fare": self.highest}
        return known.get(text, self.highest_single if text == _SINGLE else None)


def facts_of(
    fares: MatrixFares | FlatFares, unit: Currency, highest_single: Money | None = None
) -> FareFacts:
    """The facts of a table of fares; 0.00 is a walking link or a free ride, no lowest fare."""
    lowest_from: dict[str, Money] = {}
    if isinstance(fares, FlatFares):
        amounts = [*fares.by_route.values()]
        amounts += [] if fares.default_minor is None else [fares.default_minor]
        amounts = [minor for minor in amounts if minor]
    else:
        amounts = []
        least: dict[int, int] = {}
        for i, _, minor in fares.priced():
            if minor:
                amounts.append(minor)
                least[i] = min(minor, least.get(i, minor))
        areas = {stop: fares.area(stop) for stop in fares.ids}
        lowest_from = {s: Money(least[i], unit) for s, i in areas.items() if i in least}
    lowest, highest = (Money(of(amounts, default=0), unit) for of in (min, max))
    return FareFacts(lowest, highest, highest_single, lowest_from)


@dataclass(frozen=True, slots=True)
class TermsFile:
    """A terms file that was read without a problem; ``version`` names its content.

    ``likely`` are its terms where amounts that follow from fares are still stand-ins.
    """

    name: str
    version: str
    network: str
    currency: Currency
    likely: Terms
    _tables: Mapping[str, object]
    _lines: Mapping[Path, int]

    def line(self, at: Path) -> int | None:
        """On which line a value stands, or what is around it."""
        return line_of(self._lines, at)

    def terms(self, facts: FareFacts) -> Terms | tuple[Problem, ...]:
        """The terms beside these fares; stops that the fares do not know are left out."""
        if facts.lowest.currency != self.currency:
            reason = f"{self.currency} where the fares are in {facts.lowest.currency}"
            return (Problem(self.name, self.line(("currency",)), "currency", reason),)
        reader = _TermsReader(self.network, self.currency, facts)
        made = reader.terms(self._tables)
        return made or tuple(_problems(self.name, self._lines, reader.plain))


@dataclass(frozen=True, slots=True)
class ReadTerms:
    """The file, or the problems for which there is none."""

    file: TermsFile | None
    problems: tuple[Problem, ...] = ()

    def __post_init__(self) -> None:
        assert (self.file is None) == bool(self.problems)


def read_terms_file(file: SourceFile) -> ReadTerms:
    """The terms of a network as somebody wrote them."""
    problems: list[Problem] = []
    text = file.text(problems)
    if text is None:
        return ReadTerms(None, tuple(problems))
    try:
        tables: dict[str, object] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said, _, where = str(error).partition(" (at line ")
        line = int(where.split(",")[0]) if where else text.count("\n") + 1
        return ReadTerms(None, (Problem(file.name, line, "toml", said),))
    except RecursionError:
        return ReadTerms(None, (Problem(file.name, None, "toml", "nested too deep"),))
    except ValueError:
        return ReadTerms(None, (Problem(file.name, None, "toml", "a number of too many digits"),))
    lines = lines_of(text)
    network = tables.pop("network", None)
    reader = _TermsReader(network if isinstance(network, str) else "", *_standing_in(tables))
    network = reader.text(network, ("network",))
    reader.text(code := tables.pop("currency", None), ("currency",))
    made = reader.terms(tables)
    if made is None or reader.plain.problems:
        return ReadTerms(None, tuple(_problems(file.name, lines, reader.plain)))
    unit = currency(str(code))
    return ReadTerms(TermsFile(file.name, file.version, network, unit, made, tables, lines))


def _standing_in(tables: Mapping[str, object]) -> tuple[Currency | None, FareFacts]:
    """Amounts with which a file alone is read, before it is known beside which fares it stands."""
    code = tables.get("currency")
    try:
        unit = currency(str(code))
    except MalformedInput:
        unit = None
    nothing = Money(0, unit or HKD)
    return unit, FareFacts(nothing, nothing, nothing)


def _problems(name: str, lines: Mapping[Path, int], reader: PlainReader) -> list[Problem]:
    told: dict[Problem, None] = {}
    for at, reason in reader.problems:
        value, inner = (*at[:1], "value"), at[1:]
        written = value in lines and "not known" not in reason
        where = (*value, *inner) if written and all(type(it) is int for it in inner) else at
        field = ".".join(map(str, where)) or "terms"
        told[Problem(name, line_of(lines, where), field, reason)] = None
    return sorted(told, key=lambda problem: problem.line or 0)


class _TermsReader:
    """Reads the tables of one file beside some fares."""

    def __init__(self, network: str, unit: Currency | None, facts: FareFacts) -> None:
        self._network, self._unit, self._facts = network, unit, facts
        self._sources: list[TermSource] = []
        self.plain = PlainReader(self._amount, self._amount, misfit)

    def terms(self, tables: Mapping[str, object]) -> Terms | None:
        """The terms, or None where a problem was noted."""
        hints = typing.get_type_hints(Terms)
        known = {self.plain.spelled(it.name): hints[it.name] for it in dataclasses.fields(Terms)}
        del known["sources"]
        bare: dict[str, object] = {}
        for name, value in tables.items():
            bare[name] = value
            if name in known and name != "unknown":
                bare[name] = self._without_source(name, known[name], value)
        try:
            made = self.plain.record(Terms, bare, ())
        except Unreadable:
            return None
        assert isinstance(made, Terms)
        if self._unit is not None and (found := faults(made, self._network, self._unit)):
            for at, reason in found:
                self.plain.refuse(spelled(at, self.plain.spelled), reason)
            return None
        return dataclasses.replace(made, sources=tuple(self._sources))

    def text(self, value: object, at: Path) -> str:
        """``value``, noted as a problem where it is no text."""
        if not isinstance(value, str) or not value:
            self.plain.refuse(at, "is missing" if value is None else "is no text")
            return ""
        if at == ("currency",) and self._unit is None:
            self.plain.refuse(at, f"{shown(value)} is not known")
        if at == ("network",) and (reason := unfit_network(value)) is not None:
            self.plain.refuse(at, reason)
        return value

    def _without_source(self, name: str, hint: object, value: object) -> object:
        """The value alone; where it came from is noted, and told to records that keep it."""
        record = _record_of(hint)
        several = typing.get_origin(hint) is tuple and record is not None
        if not several:
            return self._one(name, (name,), record, value)
        if not isinstance(value, list):
            self.plain.refuse((name,), f"is written as tables [[{name}]]")
            return []
        return [self._one(f"{name} {i + 1}", (name, i), record, it) for i, it in enumerate(value)]

    def _one(self, term: str, at: Path, record: type | None, value: object) -> object:
        if not isinstance(value, dict):
            self.plain.refuse(at, "is written as a table with source and grade")
            return value
        left = dict(value)
        source = self.text(left.pop("source", None), (*at, "source"))
        grade = self.text(left.pop("grade", None), (*at, "grade"))
        if grade and not _GRADE.fullmatch(grade):
            told = f"{shown(grade)} is neither A, B, C, D nor our reading"
            self.plain.refuse((*at, "grade"), told)
        self._sources.append(TermSource(term, source, grade))
        if record is None:
            if "value" not in left:
                self.plain.refuse((*at, "value"), "is missing")
            self.plain.refuse_unknown({n: v for n, v in left.items() if n != "value"}, at)
            return self._known_stops(left.get("value"))
        if any(it.name == "source" for it in dataclasses.fields(record)):
            graded = grade if grade == "our reading" else f"grade {grade}"
            left["source"] = f"{source} ({graded})"
        return left

    def _known_stops(self, value: object) -> object:
        """Without the pairs of a stop and the lowest fare from it that these fares do not know."""
        known = self._facts.lowest_from
        if not isinstance(value, list) or not known:
            return value
        return [it for it in value if not (_asked_stop(it) and _asked_stop(it) not in known)]

    def _amount(self, value: object, at: Path) -> Money:
        if not isinstance(value, str):
            raise MalformedInput("bad_amount", f'{shown(value)} is not text such as "66.00"')
        found = self._facts.named(value)
        if found is None and value.startswith(_FROM) and not self._facts.lowest_from:
            found = self._facts.lowest
        if found is not None:
            return found
        if value == _SINGLE:
            raise MalformedInput("bad_amount", "the file of fares has no single journey tickets")
        return parse_major(value, self._unit or self._facts.lowest.currency)


def _asked_stop(item: object) -> str | None:
    match item:
        case [str(_), str(amount)] if amount.startswith(_FROM):
            return amount.removeprefix(_FROM)
    return None


def _record_of(hint: object) -> type | None:
    """The dataclass in a hint such as ``X``, ``X | None`` or ``tuple[X, ...]``."""
    for found in (hint, *typing.get_args(hint)):
        if isinstance(found, type) and dataclasses.is_dataclass(found) and found is not Money:
            return found
    return None
