"""What one tariff says otherwise than another, in plain words: fares, stops, terms.

Routes are counted by the ids of their file. A number of which all variants cost the same is a
name of them: what it costs is told with them, and it is neither new nor gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from transitpay.fares.plain import plain
from transitpay.fares.tariff import FlatFares, MatrixFares, Tariff, TariffKind
from transitpay.money import Currency, Money

#: What a fare is the fare of: its kind, then the ids that it depends on.
_Key = tuple[str, ...]
_PAIR, _ROUTE, _HOLIDAY = "fares", "fares of routes", "holiday fares of routes"
_BOARDING, _SECTION = "fares by boarding stop", "fares of sections"
_DEFAULT = "fares of routes that no list names"
_NAMED = 3


class Way(StrEnum):
    """Where fares went."""

    ROSE = "rose"
    FELL = "fell"


@dataclass(frozen=True, slots=True)
class FareChange:
    """One fare before and after."""

    label: str
    before: Money
    after: Money

    def __str__(self) -> str:
        return f"{self.label} {self.before.major()} -> {self.after.major()}"


@dataclass(frozen=True, slots=True)
class FareMove:
    """All fares of one kind that went one way: how many, by how much, and the widest change."""

    kind: str
    way: Way
    count: int
    least: Money
    most: Money
    example: FareChange

    def __str__(self) -> str:
        by = str(self.least.major())
        if self.most != self.least:
            by += f" to {self.most.major()}"
        told = str(self.example) if self.count == 1 else f"e.g. {self.example}"
        return f"{_several(self.count, self.kind)} {self.way} by {by}, {told}"


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that differs; two versions that differ by name and day alone are ``same``.

    ``stop`` is what a stop is called here, a station or a route; ``counts`` are kinds of fares
    that came or went: (kind, new, gone).
    """

    stop: str
    moves: tuple[FareMove, ...] = ()
    counts: tuple[tuple[str, int, int], ...] = ()
    new_stops: tuple[str, ...] = ()
    gone_stops: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether both price every journey alike and name every stop alike."""
        return not self.words()

    @property
    def changed_fares(self) -> int:
        """How many fares that both have are not the same."""
        return sum(move.count for move in self.moves)

    def words(self) -> list[str]:
        """One line a fact."""
        lines = [*self.others, *(str(move) for move in self.moves)]
        for kind, new, gone in self.counts:
            for count, what in ((new, "new"), (gone, "gone")):
                verb = "is" if count == 1 else "are"
                lines += [f"{_several(count, kind)} {verb} {what}"] if count else []
        for what, names in (("new", self.new_stops), ("gone", self.gone_stops)):
            if names:
                noun = self.stop if len(names) == 1 else f"{self.stop}s"
                lines.append(f"{len(names):,} {noun} {what}: {_some(names)}")
        if self.renamed:
            lines.append(f"{len(self.renamed):,} renamed: {_some(self.renamed)}")
        return [*lines, *(f"terms: {text}" for text in self.terms)]


def difference(old: Tariff, new: Tariff) -> Difference:
    """What ``new`` says otherwise than ``old``."""
    numbers = _only_numbers(old, new)
    changes = [it for it in _changes(old, new) if not numbers & set(it.key[1:2])]
    labels = _Labels(old, new)
    stops_before, stops_after = (
        {stop.id: stop for stop in of.stops if stop.id not in numbers} for of in (old, new)
    )
    both = [stop for stop in stops_before if stop in stops_after]
    return Difference(
        "station" if new.kind is TariffKind.MATRIX else "route",
        _moves(changes, labels, new.currency),
        _counts(changes),
        tuple(stops_after[it].label for it in stops_after if it not in stops_before),
        tuple(stops_before[it].label for it in stops_before if it not in stops_after),
        tuple(
            f"{stops_before[it].label} -> {stops_after[it].label}"
            for it in both
            if stops_before[it].label != stops_after[it].label
        ),
        tuple(_terms(labels.with_names(plain(old.terms)), labels.with_names(plain(new.terms)))),
        tuple(
            f"{name} {getattr(old, name)} -> {getattr(new, name)}"
            for name in ("network", "operator", "currency")
            if getattr(old, name) != getattr(new, name)
        ),
    )


def _only_numbers(old: Tariff, new: Tariff) -> frozenset[str]:
    """The numbers of variants that are not routes of their own in the other tariff."""
    ids = [{stop.id for stop in of.stops} for of in (old, new)]
    return frozenset(
        it
        for it in old.numbers | new.numbers
        if all(
            it in of.numbers or it not in known for of, known in zip((old, new), ids, strict=True)
        )
    )


@dataclass(frozen=True, slots=True)
class _Change:
    """What one fare was and is, None where there is none; ``count`` pairs of stops share it."""

    key: _Key
    before: int | None
    after: int | None
    count: int = 1


def _changes(old: Tariff, new: Tariff) -> list[_Change]:
    if isinstance(old.fares, MatrixFares) and isinstance(new.fares, MatrixFares):
        return list(_of_pairs(old.fares, new.fares))
    before, after = dict(_of_routes(old.fares)), dict(_of_routes(new.fares))
    return [
        _Change(key, before.get(key), after.get(key))
        for key in dict.fromkeys((*before, *after))
        if before.get(key) != after.get(key)
    ]


def _of_pairs(old: MatrixFares, new: MatrixFares) -> Iterator[_Change]:
    """Stops that both have, those of one area in both at once."""
    alike: dict[tuple[int, int], list[str]] = {}
    known = set(new.ids)
    for stop in old.ids:
        if stop in known:
            alike.setdefault((old.area(stop), new.area(stop)), []).append(stop)
    for (i, k), starts in alike.items():
        for (j, m), ends in alike.items():
            before, after = old.rows[i][j], new.rows[k][m]
            within = starts is ends
            count = len(starts) * (len(ends) - within)
            if count and before != after:
                yield _Change((_PAIR, starts[0], ends[within]), before, after, count)


def _of_routes(fares: MatrixFares | FlatFares) -> Iterator[tuple[_Key, int]]:
    if isinstance(fares, MatrixFares):
        return
    yield from (((_ROUTE, route), minor) for route, minor in fares.by_route.items())
    yield from (((_HOLIDAY, route), minor) for route, minor in fares.holiday_by_route.items())
    yield from (((_BOARDING, *key), minor) for key, minor in fares.by_boarding.items())
    yield from (((_SECTION, *key), minor) for key, minor in fares.by_section.items())
    if fares.default_minor is not None:
        yield (_DEFAULT,), fares.default_minor


class _Labels:
    """How the stops of both tariffs are called, by the newer one first."""

    def __init__(self, old: Tariff, new: Tariff) -> None:
        known = (*old.boarding_stops, *old.stops, *new.boarding_stops, *new.stops)
        self._names = {stop.id: stop.en or stop.label for stop in known}

    def with_names(self, terms: object) -> object:
        """Terms whose amounts at single stations are told by the names of these."""
        assert isinstance(terms, dict)
        at = terms.get("same_station_at", ())
        return terms | {"same_station_at": {self._names.get(it, it): amount for it, amount in at}}

    def of(self, key: _Key) -> str:
        kind, *ids = key
        names = [self._names.get(it, it) for it in ids]
        match kind:
            case "fares of sections":
                return f"{names[0]}, {names[1]} - {names[2]}"
            case "fares by boarding stop":
                return f"{names[0]} from {names[1]}"
            case "fares of routes that no list names":
                return "any other route"
        return " - ".join(names)


def _moves(changes: Iterable[_Change], labels: _Labels, unit: Currency) -> tuple[FareMove, ...]:
    changed: dict[tuple[str, Way], list[tuple[int, int, _Change]]] = {}
    for it in changes:
        if it.before is not None and it.after is not None:
            way = Way.ROSE if it.after > it.before else Way.FELL
            changed.setdefault((it.key[0], way), []).append((it.before, it.after, it))
    made: list[FareMove] = []
    for (kind, way), moved in changed.items():
        by = [abs(after - before) for before, after, _ in moved]
        before, after, widest = moved[by.index(max(by))]
        label = labels.of(widest.key)
        example = FareChange(label, Money(before, unit), Money(after, unit))
        least, most = (Money(of(by), unit) for of in (min, max))
        count = sum(it.count for _, _, it in moved)
        made.append(FareMove(kind, way, count, least, most, example))
    return tuple(made)


def _counts(changes: Iterable[_Change]) -> tuple[tuple[str, int, int], ...]:
    """Kinds of fares that came or went; those of new and gone stops are told by the stops."""
    counts: dict[str, list[int]] = {}
    for it in changes:
        if it.key[0] != _ROUTE and None in (it.before, it.after):
            counts.setdefault(it.key[0], [0, 0])[it.after is None] += it.count
    return tuple((kind, new, gone) for kind, (new, gone) in counts.items())


def _terms(old: object, new: object, path: str = "") -> Iterable[str]:
    """Each value that differs, by the words that lead to it; whence values are is left out."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            if name not in ("sources", "source", "unknown"):
                word = _word(name).replace("same station at", "same station,")
                yield from _terms(old.get(name), new.get(name), f"{path} {word}".strip())
        return
    if _is_records(old) and _is_records(new):
        assert isinstance(old, list) and isinstance(new, list)
        for place in range(max(len(old), len(new))):
            one, other = (it[place] if place < len(it) else None for it in (old, new))
            yield from _terms(one, other, f"{path} {place + 1}")
        return
    path = path.replace("overstay amount", "overstay surcharge")
    yield f"{path} {_shown(old)} -> {_shown(new)}"


def _word(name: str) -> str:
    """A field's name as a word."""
    return name.removesuffix("_minor").replace("_", " ")


def _is_records(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(it, dict) for it in value)


def _shown(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case [int(minor), "HKD" | "CNY"] if type(minor) is int:
            return f"{minor // 100}.{minor % 100:02}"
        case list():
            return "(" + ", ".join(_shown(item) for item in value) + ")"
        case dict():
            shown = (f"{_word(n)} {_shown(v)}" for n, v in value.items() if n != "source")
            return "(" + ", ".join(shown) + ")"
    return str(value)


def _several(count: int, kind: str) -> str:
    if count == 1:
        for many, one in (("fares", "fare"), ("routes", "a route"), ("sections", "a section")):
            kind = kind.replace(many, one)
    return f"{count:,} {kind}"


def _some(names: Sequence[str]) -> str:
    left = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {left:,} more" if left > 0 else "")
