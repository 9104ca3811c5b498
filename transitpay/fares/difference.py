"""What one tariff says otherwise than another, in plain words: fares, stops, terms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from transitpay.fares.plain import plain
from transitpay.fares.tariff import FlatFares, Tariff, TariffKind
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
    before, after = dict(_priced(old)), dict(_priced(new))
    labels = _Labels(old, new)
    stops_before, stops_after = ({stop.id: stop for stop in of.stops} for of in (old, new))
    both = [stop for stop in stops_before if stop in stops_after]
    return Difference(
        "station" if new.kind is TariffKind.MATRIX else "route",
        _moves(before, after, labels, new.currency),
        _counts(before, after),
        tuple(stops_after[it].label for it in stops_after if it not in stops_before),
        tuple(stops_before[it].label for it in stops_before if it not in stops_after),
        tuple(
            f"{stops_before[it].label} -> {stops_after[it].label}"
            for it in both
            if stops_before[it].label != stops_after[it].label
        ),
        tuple(_terms(plain(old.terms), plain(new.terms))),
        tuple(
            f"{name} {getattr(old, name)} -> {getattr(new, name)}"
            for name in ("network", "operator", "currency")
            if getattr(old, name) != getattr(new, name)
        ),
    )


def _priced(tariff: Tariff) -> Iterable[tuple[_Key, int]]:
    fares = tariff.fares
    if not isinstance(fares, FlatFares):
        for i, (start, row) in enumerate(zip(fares.ids, fares.rows, strict=True)):
            for j, (end, minor) in enumerate(zip(fares.ids, row, strict=True)):
                if i != j:
                    yield (_PAIR, start, end), minor
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


def _moves(
    before: Mapping[_Key, int], after: Mapping[_Key, int], labels: _Labels, unit: Currency
) -> tuple[FareMove, ...]:
    changed: dict[tuple[str, Way], list[_Key]] = {}
    for key, minor in before.items():
        new = after.get(key, minor)
        if new != minor:
            way = Way.ROSE if new > minor else Way.FELL
            changed.setdefault((key[0], way), []).append(key)
    made: list[FareMove] = []
    for (kind, way), keys in changed.items():
        by = {key: abs(after[key] - before[key]) for key in keys}
        widest = max(keys, key=lambda key: by[key])
        example = FareChange(
            labels.of(widest), Money(before[widest], unit), Money(after[widest], unit)
        )
        least, most = (Money(of(by.values()), unit) for of in (min, max))
        made.append(FareMove(kind, way, len(keys), least, most, example))
    return tuple(made)


def _counts(before: Mapping[_Key, int], after: Mapping[_Key, int]) -> tuple[
    tuple[str, int, int], ...
]:  # fmt: skip
    """Kinds of fares that came or went; pairs of new and gone stations are told by those."""
    counts: dict[str, list[int]] = {}
    for place, one, other in ((0, after, before), (1, before, after)):
        for key in one:
            if key[0] not in (_PAIR, _ROUTE) and key not in other:
                counts.setdefault(key[0], [0, 0])[place] += 1
    return tuple((kind, new, gone) for kind, (new, gone) in counts.items())


def _terms(old: object, new: object, path: str = "") -> Iterable[str]:
    """Each value that differs, by the words that lead to it; whence values are is left out."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            if name not in ("sources", "source", "unknown"):
                yield from _terms(old.get(name), new.get(name), f"{path} {_word(name)}".strip())
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
