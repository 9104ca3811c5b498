"""Our own CSV files, for operators that publish none: stops.csv and fares.csv, one or several.

A row says what it is in ``kind``. Stops: ``station``, ``route``, ``stop`` (of buses). Fares:
``matrix`` (from, to), ``flat`` (route; without one the fare of every route that no row names),
``holiday`` (route), ``boarding`` (route, from) and ``section`` (route, from, to). A network has
either ``matrix`` fares or the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from transitpay.fares.tariff import FlatFares, MatrixFares, Stop, Tariff
from transitpay.fares.tariff_files.amounts import read_amount
from transitpay.fares.tariff_files.beside import terms_beside
from transitpay.fares.tariff_files.csv_table import table
from transitpay.fares.tariff_files.pairs import PairFares
from transitpay.fares.tariff_files.problem import Parsed, Problem, SourceFile
from transitpay.fares.terms import Terms
from transitpay.fares.terms_file import TermsFile
from transitpay.money import Money

_STOP_COLUMNS = ("kind", "id", "en")
_STOP_OPTIONAL = ("network", "zh_hant", "zh_hans", "other")
_FARE_COLUMNS = ("kind", "amount")
_FARE_OPTIONAL = ("network", "from", "to", "route", "currency")
_STOP_KINDS = ("station", "route", "stop")
#: kind of fare -> the columns that it needs; all others of the three are empty.
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "matrix": ("from", "to"),
    "flat": (),
    "holiday": ("route",),
    "boarding": ("route", "from"),
    "section": ("route", "from", "to"),
}
_MAY: Mapping[str, tuple[str, ...]] = {"flat": ("route",)}


@dataclass(frozen=True, slots=True)
class _FareRow:
    """One fare of the network that is asked for."""

    file: str
    line: int
    key: tuple[str, ...]
    minor: int


@dataclass(slots=True)
class _Found:
    """What the files hold of the network that is asked for."""

    stops: dict[str, dict[str, Stop]] = field(default_factory=lambda: {k: {} for k in _STOP_KINDS})
    fares: dict[str, dict[tuple[str, ...], _FareRow]] = field(
        default_factory=lambda: {kind: {} for kind in _NEEDS}
    )
    #: Where each route stands among the stops.
    routes: dict[str, tuple[str, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def table_of(self, kind: str) -> dict[tuple[str, ...], int]:
        """The amounts of one kind."""
        return {key: row.minor for key, row in self.fares[kind].items()}


def read_plain_csv(
    stops: Sequence[SourceFile], fares: Sequence[SourceFile], valid_from: date, terms: TermsFile
) -> Parsed:
    """The tariff of the network of ``terms``; rows of other networks are checked and not taken."""
    found = _Found()
    for file in stops:
        _read_stops(file, terms, found)
    for file in fares:
        _read_fares(file, terms, found)
    problems = found.problems
    is_matrix = bool(found.fares["matrix"])
    if not any(found.fares.values()) and not problems:
        names = ", ".join(file.name for file in fares)
        problems.append(Problem(names, None, "network", f"no fare of {terms.network}"))
    if not problems:
        _check_links(found, is_matrix)
    if problems:
        return Parsed(None, tuple(problems))
    warnings: list[Problem] = []
    made = _matrix(found, terms, warnings) if is_matrix else _flat(found)
    if problems:
        return Parsed(None, tuple(problems))
    with_facts = terms_beside(made, terms)
    if not isinstance(with_facts, Terms):
        return Parsed(None, with_facts)
    tariff = Tariff(
        network=terms.network,
        operator=terms.network,
        currency=terms.currency,
        version="+".join(file.version for file in (*fares, *stops)),
        valid_from=valid_from,
        source=f"plain files {', '.join(file.name for file in (*fares, *stops))}",
        stops=tuple(found.stops["station" if is_matrix else "route"].values()),
        fares=made,
        terms=with_facts,
        boarding_stops=tuple(found.stops["stop"].values()),
    )
    return Parsed(tariff, (), (), tuple(warnings))


def _read_stops(file: SourceFile, terms: TermsFile, found: _Found) -> None:
    problems = found.problems
    for line, row in table(file, _STOP_COLUMNS, problems, optional=_STOP_OPTIONAL):
        kind, stop_id = row["kind"], row["id"]
        empty = [Problem(file.name, line, name, "empty") for name in ("id", "en") if not row[name]]
        problems += empty
        if kind not in _STOP_KINDS:
            reason = f"{kind!r} is none of {', '.join(_STOP_KINDS)}"
            problems.append(Problem(file.name, line, "kind", reason))
        elif row["network"] not in ("", terms.network) or empty:
            continue
        elif stop_id in found.stops[kind]:
            problems.append(Problem(file.name, line, "id", f"{kind} {stop_id} a second time"))
        else:
            others = [name.strip() for name in row["other"].split("|")]
            three = (row["en"], row["zh_hant"], row["zh_hans"])
            names = tuple(name for name in dict.fromkeys((*three, *others)) if name)
            found.stops[kind][stop_id] = Stop(stop_id, names, *three)
            if kind == "route":
                found.routes[stop_id] = (file.name, line)


def _read_fares(file: SourceFile, terms: TermsFile, found: _Found) -> None:
    problems = found.problems
    for line, row in table(file, _FARE_COLUMNS, problems, optional=_FARE_OPTIONAL):
        kind = row["kind"]
        before = len(problems)
        if kind not in _NEEDS:
            reason = f"{kind!r} is none of {', '.join(_NEEDS)}"
            problems.append(Problem(file.name, line, "kind", reason))
            continue
        for name in ("from", "to", "route"):
            wanted = name in _NEEDS[kind]
            if wanted and not row[name]:
                problems.append(Problem(file.name, line, name, f"empty in a {kind} fare"))
            elif row[name] and not wanted and name not in _MAY.get(kind, ()):
                problems.append(Problem(file.name, line, name, f"means nothing in a {kind} fare"))
        if row["network"] not in ("", terms.network):
            continue
        minor = _amount(file.name, line, row, terms, problems)
        if minor is None or len(problems) > before:
            continue
        key = tuple(row[name] for name in (_NEEDS[kind] or ("route",)))
        first = found.fares[kind].get(key)
        if first is not None:
            reason = f"a second {kind} fare, the first is {first.file} line {first.line}"
            problems.append(Problem(file.name, line, "amount", reason))
        else:
            found.fares[kind][key] = _FareRow(file.name, line, key, minor)


def _amount(
    file: str, line: int, row: Mapping[str, str], terms: TermsFile, problems: list[Problem]
) -> int | None:
    if row["currency"] not in ("", terms.currency.code):
        reason = f"{row['currency']!r} where {terms.network} has {terms.currency}"
        problems.append(Problem(file, line, "currency", reason))
        return None
    minor = read_amount(row["amount"], terms.currency)
    if isinstance(minor, str):
        problems.append(Problem(file, line, "amount", minor))
        return None
    is_walk = row["kind"] == "matrix" and {row["from"], row["to"]} in terms.likely.walks
    if minor == 0 and not is_walk:
        reason = "0 is a fare between walking links of the terms alone"
        problems.append(Problem(file, line, "amount", reason))
        return None
    if minor % terms.likely.step_minor:
        step = Money(terms.likely.step_minor, terms.currency)
        problems.append(Problem(file, line, "amount", f"not a multiple of {step}"))
        return None
    return minor


def _check_links(found: _Found, is_matrix: bool) -> None:
    """Every stop that a fare names is there, and every route has a flat fare."""
    problems, stops = found.problems, found.stops
    for kind, rows in found.fares.items():
        places = stops["station" if kind == "matrix" else "stop"]
        for row in rows.values():
            if is_matrix and kind != "matrix":
                reason = f"a {kind} fare in a network with fares of pairs"
                problems.append(Problem(row.file, row.line, "kind", reason))
            for name, value in zip(_NEEDS[kind], row.key, strict=False):
                if name != "route" and value not in places:
                    reason = f"{value!r} is in no file of stops"
                    problems.append(Problem(row.file, row.line, name, reason))
                elif name == "route" and (value,) not in found.fares["flat"]:
                    reason = f"route {value!r} has no flat fare"
                    problems.append(Problem(row.file, row.line, name, reason))
            if kind == "matrix" and row.key[0] == row.key[1]:
                reason = "leaving where one entered is a rule of the terms, no fare"
                problems.append(Problem(row.file, row.line, "to", reason))


def _matrix(found: _Found, terms: TermsFile, warnings: list[Problem]) -> MatrixFares:
    """The matrix; an empty one where pairs are missing."""
    rows = found.fares["matrix"].values()
    pairs = PairFares(next(iter(rows)).file, "amount")
    for row in rows:
        pairs.add(row.file, row.line, row.key[0], row.key[1], row.minor)
    ids = tuple(found.stops["station"])
    missing = pairs.missing(ids)
    found.problems += missing
    warnings += pairs.asymmetric(terms.currency)
    return MatrixFares((), ()) if missing else pairs.matrix(ids)


def _flat(found: _Found) -> FlatFares:
    by_route = {key[0]: minor for key, minor in found.table_of("flat").items()}
    default = by_route.pop("", None)
    routes = found.stops["route"]
    for route in by_route:
        routes.setdefault(route, Stop(route, (route,)))
    for route in routes:
        if route not in by_route and default is None:
            reason = f"route {route!r} of the stops has no fare"
            found.problems.append(Problem(*found.routes[route], "id", reason))
    return FlatFares(
        by_route,
        default,
        {key[0]: minor for key, minor in found.table_of("holiday").items()},
        {(key[0], key[1]): minor for key, minor in found.table_of("boarding").items()},
        {(key[0], key[1], key[2]): minor for key, minor in found.table_of("section").items()},
    )
