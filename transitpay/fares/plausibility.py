"""What a person should look at before a tariff counts, although it can be loaded as it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from transitpay.fares.tariff import FlatFares, MatrixFares, Tariff
from transitpay.money import Money


def doubts(tariff: Tariff) -> list[str]:
    """One line for each kind of thing that is unlikely in a tariff as a whole."""
    fares, step = tariff.fares, tariff.terms.step_minor
    found: list[str] = []
    odd = [minor for minor in _all(fares) if minor % step]
    if odd:
        unit = Money(step, tariff.currency)
        text = f"fares that are no multiple of {unit}: {len(odd):,}, the least is"
        found.append(f"{text} {Money(min(odd), tariff.currency)}")
    if isinstance(fares, MatrixFares):
        found += _doubts_of_pairs(tariff, fares)
    else:
        free = [route for route, minor in fares.by_route.items() if minor == 0]
        found += [f"routes that cost nothing: {len(free):,}, e.g. {free[0]}"] if free else []
    return found


def _all(fares: MatrixFares | FlatFares) -> Iterator[int]:
    if isinstance(fares, MatrixFares):
        for i, row in enumerate(fares.rows):
            yield from (minor for j, minor in enumerate(row) if i != j)
        return
    for table in (fares.by_route, fares.holiday_by_route, fares.by_boarding, fares.by_section):
        yield from table.values()
    if fares.default_minor is not None:
        yield fares.default_minor


def _doubts_of_pairs(tariff: Tariff, fares: MatrixFares) -> Iterable[str]:
    names = {stop.id: stop.label for stop in tariff.stops}
    other_way: list[str] = []
    free: list[str] = []
    for i, start in enumerate(fares.ids):
        for j, end in enumerate(fares.ids[:i]):
            there, back = (Money(m, tariff.currency) for m in (fares.rows[i][j], fares.rows[j][i]))
            pair = f"{names[start]} - {names[end]}"
            if there != back:
                other_way.append(f"{pair} {there.major()} and {back.major()} back")
            elif not there.minor and frozenset({start, end}) not in tariff.terms.walks:
                free.append(pair)
    if other_way:
        yield f"pairs that cost another fare the other way: {len(other_way):,}, e.g. {other_way[0]}"
    if free:
        yield f"pairs that cost nothing and are no walking links: {len(free):,}, e.g. {free[0]}"
