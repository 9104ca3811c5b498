"""Whether the fares of Shenzhen Metro are plausible by distance; the published matrix is the truth.

Source: the tariff in prose, 2 CNY for 4 km, then 1 more for each begun 4 km to 12 km, each begun
6 km to 24 km, and each begun 8 km beyond. Distances are those between neighbours of each line,
summed along the shortest way; changing trains adds none.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass

from transitpay.fares.names import fold
from transitpay.fares.tariff import MatrixFares, Tariff
from transitpay.fares.tariff_files.json_value import items, member, read_json, text_of
from transitpay.fares.tariff_files.problem import Problem, SourceFile
from transitpay.money import CNY, Money

_FIRST_MINOR, _MORE_MINOR = 200, 100
#: (from metres, to metres, metres of each step), the last without an end.
_STEPS = ((4_000, 12_000, 4_000), (12_000, 24_000, 6_000), (24_000, None, 8_000))
_NAMED = 3

#: Folded name -> neighbour -> metres.
Neighbours = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Difference:
    """A pair whose published fare is not that of its distance."""

    from_id: str
    to_id: str
    metres: int
    published_minor: int
    expected_minor: int


@dataclass(frozen=True, slots=True)
class DistanceCheck:
    """What the comparison of all pairs, one direction each, has found."""

    pairs: int
    differences: tuple[Difference, ...]
    unreachable: tuple[tuple[str, str], ...]

    @property
    def cheaper(self) -> tuple[Difference, ...]:
        """The pairs that cost less than their distance says."""
        return tuple(d for d in self.differences if d.published_minor < d.expected_minor)

    @property
    def dearer(self) -> tuple[Difference, ...]:
        """The pairs that cost more than their distance says."""
        return tuple(d for d in self.differences if d.published_minor > d.expected_minor)


def fare_by_distance(metres: int) -> int:
    """The fare in minor units. Worked: 4,000 m is 2.00, 4,001 m 3.00, 24,001 m 7.00."""
    minor = _FIRST_MINOR
    for first, last, step in _STEPS:
        if metres > first:
            within = (metres if last is None else min(metres, last)) - first
            minor += _MORE_MINOR * -(-within // step)
    return minor


def check_distances(tariff: Tariff, neighbours: Neighbours) -> DistanceCheck:
    """Every pair of the tariff against the fare of its distance."""
    assert isinstance(tariff.fares, MatrixFares), "Shenzhen Metro has fares of pairs"
    differences: list[Difference] = []
    unreachable: list[tuple[str, str]] = []
    pairs = 0
    for i, one in enumerate(tariff.stops):
        metres = _distances(neighbours, fold(one.label))
        for other in tariff.stops[i + 1 :]:
            pairs += 1
            far = metres.get(fold(other.label))
            if far is None:
                unreachable.append((one.id, other.id))
                continue
            published, expected = tariff.plain_fare(one, other).minor, fare_by_distance(far)
            if published != expected:
                differences.append(Difference(one.id, other.id, far, published, expected))
    return DistanceCheck(pairs, tuple(differences), tuple(unreachable))


def read_neighbours(file: SourceFile, problems: list[Problem]) -> Neighbours:
    """The distances between neighbours of ``metro-line-metrics``."""
    found: dict[str, dict[str, int]] = {}
    document = read_json(file, problems)
    edges = items(member(document.value, "edges"))
    for i, edge in enumerate(edges):
        one, other = (fold(text_of(member(edge, end))) for end in ("from", "to"))
        metres = member(edge, "distanceMeters")
        if not one or not other or type(metres) is not int or not 0 < metres < 1_000_000:
            problems.append(document.problem(("edges", i), "no two names and a distance"))
            continue
        for start, end in ((one, other), (other, one)):
            shortest = found.setdefault(start, {})
            shortest[end] = min(metres, shortest.get(end, metres))
    if not edges:
        problems.append(document.problem(("edges",), "no distances"))
    return found


def distance_warnings(tariff: Tariff, file: SourceFile, problems: list[Problem]) -> list[Problem]:
    """The check in words: one line each for the cheaper, the dearer and the unreachable pairs."""
    before = len(problems)
    neighbours = read_neighbours(file, problems)
    if len(problems) > before:
        return []
    check = check_distances(tariff, neighbours)
    names = {stop.id: stop.label for stop in tariff.stops}
    told: list[str] = []
    for several, what in ((check.cheaper, "less"), (check.dearer, "more")):
        if several:
            shown = "; ".join(
                f"{names[d.from_id]} - {names[d.to_id]}, {d.metres} m: "
                f"{Money(d.published_minor, CNY)}, not {Money(d.expected_minor, CNY)}"
                for d in several[:_NAMED]
            )
            count = f"{len(several)} of {check.pairs} pairs"
            told.append(f"{count} cost {what} than their distance says: {shown}")
    if check.unreachable:
        one, other = check.unreachable[0]
        pair = f"{names[one]} - {names[other]}"
        told.append(f"{len(check.unreachable)} pairs have no way between them: {pair}")
    return [Problem(file.name, None, "edges", text) for text in told]


def _distances(neighbours: Neighbours, start: str) -> Mapping[str, int]:
    """The shortest ways from one station in metres."""
    found: dict[str, int] = {}
    ahead = [(0, start)]
    while ahead:
        metres, place = heapq.heappop(ahead)
        if place in found:
            continue
        found[place] = metres
        for other, more in neighbours.get(place, {}).items():
            if other not in found:
                heapq.heappush(ahead, (metres + more, other))
    return found
