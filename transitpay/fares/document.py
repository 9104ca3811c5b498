"""The tariff document: one canonical text of a whole tariff, and the tariff that it says.

Shape: one JSON object, UTF-8, names sorted, no blanks: equal tariffs have equal bytes and so one
SHA-256. A matrix is written as one text a row, in multiples of ``unit``, ``-`` for no fare; stops
whose rows are equal share one (``row_of``), those of one area its row and column (``area_of``).
When a tariff was recorded stands beside its document, not in it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from transitpay.errors import MalformedInput
from transitpay.fares.plain import Path, PlainReader, Unreadable, plain, read_amount, shown
from transitpay.fares.tariff import FlatFares, MatrixFares, Stop, Tariff
from transitpay.fares.tariff_files.json_value import read_json
from transitpay.fares.tariff_files.problem import Problem, SourceFile
from transitpay.fares.term_faults import faults
from transitpay.fares.term_ranges import MOST_MINOR, misfit
from transitpay.fares.terms import Terms
from transitpay.fares.version_rules import unfit_day, unfit_name, unfit_network
from transitpay.money import Currency, Money

FORMAT = "transitpay-tariff/1"
_TEXTS = ("network", "operator", "currency", "version", "source")
_NAMES = frozenset({"format", "valid_from", "stops", "fares", "terms", *_TEXTS})
_STOPS = ("stops", "boarding_stops")
_NO_FARE = "-"
#: Of the highest fare: no longer text is made a number.
_DIGITS = len(str(MOST_MINOR))
_MATRIX = frozenset({"kind", "unit", "ids", "rows", "row_of", "area_of"})
_FLAT = frozenset({"kind", "by_route", "default", "holiday_by_route", "by_boarding", "by_section"})

_BOARDING = tuple[tuple[str, str, int], ...]
_SECTION = tuple[tuple[str, str, str, int], ...]


def document_of(tariff: Tariff) -> bytes:
    """The canonical bytes."""
    written = {
        "format": FORMAT,
        "network": tariff.network,
        "operator": tariff.operator,
        "currency": tariff.currency.code,
        "version": tariff.version,
        "valid_from": tariff.valid_from.isoformat(),
        "source": tariff.source,
        "stops": plain(tariff.stops),
        "fares": _fares(tariff.fares),
        "terms": plain(tariff.terms),
    }
    if tariff.boarding_stops:
        written["boarding_stops"] = plain(tariff.boarding_stops)
    text = json.dumps(written, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode()


def sha256_of(document: bytes) -> bytes:
    """By which a version is known."""
    return hashlib.sha256(document).digest()


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """The tariff of a document, or every problem for which there is none."""

    tariff: Tariff | None
    problems: tuple[Problem, ...] = ()

    def __post_init__(self) -> None:
        assert (self.tariff is None) == bool(self.problems)


def tariff_of(document: bytes, recorded_at: datetime | None = None) -> Tariff:
    """The tariff that a document says.

    Raises: MalformedInput (``bad_tariff_document``) with the first problem.
    """
    read = read_document(SourceFile("document", document), recorded_at)
    if read.tariff is None:
        first = read.problems[0]
        raise MalformedInput("bad_tariff_document", first.reason, field=first.field)
    return read.tariff


def read_document(file: SourceFile, recorded_at: datetime | None = None) -> ReadDocument:
    """The tariff of a document that anybody wrote, or all its problems."""
    problems: list[Problem] = []
    json_file = read_json(file, problems)
    if problems:
        return ReadDocument(None, tuple(problems))
    reader = PlainReader(misfit=misfit)
    try:
        return ReadDocument(_read(reader, json_file.value, recorded_at))
    except Unreadable:
        found = [(json_file.line(at), ".".join(map(str, at)), why) for at, why in reader.problems]
        told = [Problem(file.name, line, name or "document", why) for line, name, why in found]
        return ReadDocument(None, tuple(told))


def _fares(fares: MatrixFares | FlatFares) -> dict[str, object]:
    if isinstance(fares, FlatFares):
        written: dict[str, object] = {"kind": "flat", "by_route": dict(fares.by_route)}
        if fares.default_minor is not None:
            written["default"] = fares.default_minor
        if fares.holiday_by_route:
            written["holiday_by_route"] = dict(fares.holiday_by_route)
        if fares.by_boarding:
            written["by_boarding"] = [[*k, v] for k, v in sorted(fares.by_boarding.items())]
        if fares.by_section:
            written["by_section"] = [[*k, v] for k, v in sorted(fares.by_section.items())]
        return written
    unit = math.gcd(*(it for row in fares.rows for it in row if it is not None)) or 1
    place: dict[tuple[int | None, ...], int] = {}
    row_of = [place.setdefault(row, len(place)) for row in fares.rows]
    rows = fares.rows if fares.area_of else tuple(place)
    written = {
        "kind": "matrix",
        "unit": unit,
        "ids": list(fares.ids),
        "rows": [
            " ".join(_NO_FARE if minor is None else str(minor // unit) for minor in row)
            for row in rows
        ],
    }
    if fares.area_of:
        return written | {"area_of": list(fares.area_of)}
    return written | ({} if len(place) == len(row_of) else {"row_of": row_of})


def _read(reader: PlainReader, value: object, recorded_at: datetime | None) -> Tariff:
    if not isinstance(value, dict):
        raise reader.refuse((), "is no table of names and values")
    if value.get("format") != FORMAT:
        raise reader.refuse(("format",), f"{shown(value.get('format'))} is not {FORMAT}")
    missing = [name for name in sorted(_NAMES) if name not in value]
    reader.problems += [((name,), "is missing") for name in missing]
    reader.refuse_unknown({n: v for n, v in value.items() if n not in _NAMES | {*_STOPS}}, ())
    texts = {name: _text(reader, value.get(name, ""), name) for name in _TEXTS}
    unit = _try(reader, Money, [0, texts["currency"]], "currency")
    begins = _try(reader, date, value.get("valid_from", ""), "valid_from")
    if isinstance(unit, Money):
        reader.amount = _amount_in(unit.currency)
    terms = _try(reader, Terms, value.get("terms", {}), "terms")
    fares = _read_fares(reader, value.get("fares", {}))
    stops, boarding_stops = (_stops(reader, value.get(name, []), name) for name in _STOPS)
    if not reader.problems and isinstance(fares, MatrixFares):
        _check_known(reader, stops, fares)
    if isinstance(terms, Terms) and isinstance(unit, Money):
        for at, reason in faults(terms, texts["network"], unit.currency):
            reader.refuse(("terms", *at), reason)
    _check_known_by(reader, texts, begins)
    if reader.problems:
        raise Unreadable
    assert isinstance(begins, date) and isinstance(terms, Terms) and isinstance(unit, Money)
    assert fares is not None
    return Tariff(
        texts["network"], texts["operator"], unit.currency, texts["version"], begins,
        texts["source"], stops, fares, terms, recorded_at, boarding_stops,
    )  # fmt: skip


def _check_known_by(reader: PlainReader, texts: Mapping[str, str], begins: object) -> None:
    """The names and the day under which the version is kept; what is missing is told already."""
    found = [(name, unfit_network(texts[name])) for name in ("network", "operator") if texts[name]]
    found += [("version", unfit_name(texts["version"]))] if texts["version"] else []
    found += [("valid_from", unfit_day(begins))] if isinstance(begins, date) else []
    for name, reason in found:
        if reason is not None:
            reader.refuse((name,), reason)


def _amount_in(unit: Currency) -> Callable[[object, Path], Money]:
    """Reads amounts of terms, which are in the tariff's currency and never below 0."""

    def read(value: object, at: Path) -> Money:
        amount = read_amount(value, at)
        if amount.currency != unit or amount.minor < 0:
            raise MalformedInput("bad_amount", f"{amount} is no amount in {unit} from 0 on")
        return amount

    return read


def _try(reader: PlainReader, hint: object, value: object, name: str) -> object:
    try:
        return reader.read(hint, value, (name,))
    except Unreadable:
        return None


def _text(reader: PlainReader, value: object, name: str) -> str:
    text = _try(reader, str, value, name)
    return text if isinstance(text, str) else ""


def _stops(reader: PlainReader, value: object, name: str) -> tuple[Stop, ...]:
    made = _try(reader, tuple[Stop, ...], value, name)
    assert made is None or isinstance(made, tuple)
    seen: set[str] = set()
    for i, stop in enumerate(made or ()):
        if not stop.names:
            reader.refuse((name, i), "needs at least one name")
        if stop.id in seen:
            reader.refuse((name, i), f"{stop.id!r} a second time")
        seen.add(stop.id)
    return made or ()


def _read_fares(reader: PlainReader, value: object) -> MatrixFares | FlatFares | None:
    if not isinstance(value, dict) or value.get("kind") not in ("matrix", "flat"):
        reader.refuse(("fares",), "is neither a matrix nor flat")
        return None
    names = _MATRIX if value["kind"] == "matrix" else _FLAT
    reader.refuse_unknown({n: v for n, v in value.items() if n not in names}, ("fares",))
    try:
        return _matrix(reader, value) if value["kind"] == "matrix" else _flat(reader, value)
    except Unreadable:
        return None


def _matrix(reader: PlainReader, value: Mapping[str, object]) -> MatrixFares:
    at = ("fares",)
    unit = reader.read(int, value.get("unit"), (*at, "unit"))
    ids = reader.read(tuple[str, ...], value.get("ids"), (*at, "ids"))
    texts = reader.read(tuple[str, ...], value.get("rows"), (*at, "rows"))
    assert isinstance(unit, int) and isinstance(ids, tuple) and isinstance(texts, tuple)
    if not 1 <= unit <= MOST_MINOR:
        raise reader.refuse((*at, "unit"), f"{unit} is outside of 1 to {MOST_MINOR}")
    _refuse_twice(reader, ids, (*at, "ids"))
    by_area = "area_of" in value
    width, what = (len(texts), "areas") if by_area else (len(ids), "stops")
    rows: list[tuple[int | None, ...]] = []
    for i, text in enumerate(texts):
        cells = text.split(" ")
        if not all(it == _NO_FARE or (it.isascii() and it.isdigit()) for it in cells):
            raise reader.refuse((*at, "rows", i), "holds what is no whole number")
        if any(len(it) > _DIGITS or (it != _NO_FARE and int(it) * unit > MOST_MINOR)
               for it in cells):  # fmt: skip
            raise reader.refuse((*at, "rows", i), f"holds more than {MOST_MINOR} minor units")
        if len(cells) != width:
            raise reader.refuse((*at, "rows", i), f"{len(cells)} fares for {width} {what}")
        rows.append(tuple(None if it == _NO_FARE else int(it) * unit for it in cells))
    shared = "area_of" if by_area else "row_of"
    places = reader.read(tuple[int, ...], value.get(shared, list(range(len(rows)))), (*at, shared))
    assert isinstance(places, tuple)
    if len(places) != len(ids) or not all(0 <= row < len(rows) for row in places):
        raise reader.refuse((*at, shared), "does not give each stop one of the rows")
    if not by_area:
        return MatrixFares(ids, tuple(rows[row] for row in places))
    if "row_of" in value or len(set(places)) != len(rows):
        raise reader.refuse((*at, shared), "an area without stops, or beside row_of")
    return MatrixFares(ids, tuple(rows), places)


def _flat(reader: PlainReader, value: Mapping[str, object]) -> FlatFares:
    default = value.get("default")
    if default is not None:
        reader.read(int, default, ("fares", "default"))
        _refuse_amount(reader, default, ("fares", "default"))
    assert default is None or isinstance(default, int)
    at = ("fares",)
    boarding = reader.read(_BOARDING, value.get("by_boarding", []), (*at, "by_boarding"))
    section = reader.read(_SECTION, value.get("by_section", []), (*at, "by_section"))
    assert isinstance(boarding, tuple) and isinstance(section, tuple)
    for name, rows in (("by_boarding", boarding), ("by_section", section)):
        for i, row in enumerate(rows):
            _refuse_amount(reader, row[-1], (*at, name, i))
        _refuse_twice(reader, [row[:-1] for row in rows], (*at, name))
    return FlatFares(
        _by_route(reader, value.get("by_route"), "by_route"),
        default,
        _by_route(reader, value.get("holiday_by_route", {}), "holiday_by_route"),
        {(route, stop): minor for route, stop, minor in boarding},
        {(route, start, end): minor for route, start, end, minor in section},
    )


def _by_route(reader: PlainReader, value: object, name: str) -> dict[str, int]:
    if not isinstance(value, dict):
        raise reader.refuse(("fares", name), "is no table of routes")
    for route, minor in value.items():
        _refuse_amount(reader, minor, ("fares", name, route))
    return value


def _refuse_twice(reader: PlainReader, keys: Sequence[Hashable], at: Path) -> None:
    for key, count in Counter(keys).items():
        if count > 1:
            raise reader.refuse(at, f"{shown(key)} a second time")


def _refuse_amount(reader: PlainReader, minor: object, at: Path) -> None:
    if type(minor) is not int or not 0 <= minor <= MOST_MINOR:
        raise reader.refuse(at, f"{shown(minor)} is no amount in minor units")


def _check_known(reader: PlainReader, stops: tuple[Stop, ...], fares: MatrixFares) -> None:
    """Every stop of a matrix has a name, and every named one a fare."""
    named = {stop.id for stop in stops}
    for stop in sorted(named.symmetric_difference(fares.ids)):
        what = "has no fare" if stop in named else "has a fare and no name"
        reader.refuse(("stops",), f"{stop!r} {what}")
