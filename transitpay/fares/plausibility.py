"""What a person should look at before a tariff counts, although it can be loaded as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from transitpay.fares.tariff import FlatFares, MatrixFares, Tariff
from transitpay.money import Money

#: A fare that grows to more than so many times is rather a slip of a pen.
_TIMES = 3


def doubts(tariff: Tariff) -> list[str]:
    """One line for each kind of thing that is unlikely in a tariff as a whole."""
    fares, step = tariff.fares, tariff.terms.step_minor
    found: list[str] = []
    odd = [(minor, count) for minor, count in _all(fares) if minor % step]
    if odd:
        unit = Money(step, tariff.currency)
        several, (least, _) = sum(count for _, count in odd), min(odd)
        text = f"fares that are no multiple of {unit}: {several:,}, the least is"
        found.append(f"{text} {Money(least, tariff.currency)}")
    if isinstance(fares, MatrixFares):
        found += _doubts_of_pairs(tariff, fares)
    else:
        free = [route for route, minor in fares.by_route.items() if minor == 0]
        found += [f"routes that cost nothing: {len(free):,}, e.g. {free[0]}"] if free else []
        found += _doubts_of_routes(tariff, fares)
    return found


def doubts_beside(tariff: Tariff, former: Tariff) -> list[str]:
    """What is unlikely in a version that follows a former one of its network."""
    highest, before = (
        max((minor for minor, _ in _all(it.fares)), default=0) for it in (tariff, former)
    )
    found: list[str] = []
    if before and highest > _TIMES * before:
        one, other = (Money(it, tariff.currency) for it in (highest, before))
        found.append(f"the highest fare is {one}, more than {_TIMES} times {other} before")
    many = _Pairs()
    old = _fares_of(former)
    for name, minor, rides in _named(tariff.fares):
        was = old(name)
        if was and minor > _TIMES * was:
            now, then = (Money(it, tariff.currency).major() for it in (minor, was))
            many.add(rides, f"{' - '.join(name)} {now} and {then} before")
    return found + many.told(f"fares more than {_TIMES} times those before")


def _named(fares: MatrixFares | FlatFares) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """Each fare with the route, or two stops of its areas, and of how many rides it is the fare."""
    if isinstance(fares, FlatFares):
        yield from (((route,), minor, 1) for route, minor in fares.by_route.items())
        return
    for i, j, minor in fares.priced():
        yield (fares.areas[i][0], fares.areas[j][-1]), minor, fares.rides(i, j)


def _fares_of(tariff: Tariff) -> Callable[[tuple[str, ...]], int | None]:
    """The fare of a route or of two stops; None where the tariff has none."""
    fares = tariff.fares
    if isinstance(fares, FlatFares):
        return lambda name: fares.by_route.get(name[0]) if len(name) == 1 else None
    known = frozenset(fares.ids)
    return lambda name: fares.minor(*name) if len(name) == 2 and known.issuperset(name) else None


def _doubts_of_routes(tariff: Tariff, fares: FlatFares) -> Iterator[str]:
    boarding, section, holiday = _Pairs(), _Pairs(), _Pairs()
    for dear, table in ((boarding, fares.by_boarding), (section, fares.by_section)):
        for key, minor in table.items():
            full = fares.by_route.get(key[0], fares.default_minor)
            if full is not None and minor > full:
                one, other = (Money(it, tariff.currency).major() for it in (minor, full))
                dear.add(1, f"route {' '.join(key)} {one} and {other} in full")
    for route, minor in fares.holiday_by_route.items():
        full = fares.by_route.get(route, fares.default_minor)
        if full is not None and minor < full:
            one, other = (Money(it, tariff.currency).major() for it in (minor, full))
            holiday.add(1, f"route {route} {one} and {other} on weekdays")
    yield from boarding.told("boarding fares above the full fare of the route")
    yield from section.told("section fares above the full fare of the route")
    yield from holiday.told("holiday fares below those of weekdays")


def _all(fares: MatrixFares | FlatFares) -> Iterator[tuple[int, int]]:
    """Every fare in minor units, and of how many rides it is the fare."""
    if isinstance(fares, MatrixFares):
        yield from ((minor, fares.rides(i, j)) for i, j, minor in fares.priced())
        return
    for table in (fares.by_route, fares.holiday_by_route, fares.by_boarding, fares.by_section):
        yield from ((minor, 1) for minor in table.values())
    if fares.default_minor is not None:
        yield fares.default_minor, 1


def _doubts_of_pairs(tariff: Tariff, fares: MatrixFares) -> Iterable[str]:
    names = {stop.id: stop.label for stop in tariff.stops}
    other_way, free, without = _Pairs(), _Pairs(), _Pairs()
    for i, row in enumerate(fares.rows):
        for j in range(i + 1):
            pairs = fares.rides(i, j) if i != j else fares.rides(i, i) // 2
            if not pairs:
                continue
            start, end = fares.areas[i][0], fares.areas[j][-1]
            pair = f"{names[start]} - {names[end]}"
            there, back = row[j], fares.rows[j][i]
            if there is None or back is None:
                without.add(pairs, pair if there is back else f"{pair} (one way)")
            elif there != back:
                one, other = (Money(it, tariff.currency).major() for it in (there, back))
                other_way.add(pairs, f"{pair} {one} and {other} back")
            elif not there and (pairs > 1 or frozenset({start, end}) not in tariff.terms.walks):
                free.add(pairs, pair)
    yield from other_way.told("pairs that cost another fare the other way")
    yield from free.told("pairs that cost nothing and are no walking links")
    yield from without.told("pairs without a fare")


@dataclass(slots=True)
class _Pairs:
    """How many pairs or fares there are of one kind, and the first."""

    count: int = 0
    first: str = ""

    def add(self, count: int, pair: str) -> None:
        self.count += count
        self.first = self.first or pair

    def told(self, what: str) -> list[str]:
        return [f"{what}: {self.count:,}, e.g. {self.first}"] if self.count else []
