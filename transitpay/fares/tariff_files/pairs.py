"""Fares of pairs of stations as a file gives them, one by one: checked and made a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from transitpay.fares.tariff import MatrixFares
from transitpay.fares.tariff_files.problem import Problem
from transitpay.money import Currency, Money

#: So many stations no network of ours has; more are a broken file, and the square of them is big.
MOST_STATIONS = 2_000
_NAMED = 5


@dataclass(slots=True)
class PairFares:
    """The fares of one file or several, in the order of their lines; ``file`` is the first."""

    file: str
    column: str
    fares: dict[tuple[str, str], int] = field(default_factory=dict)
    places: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)

    def add(self, file: str, line: int, start: str, end: str, minor: int) -> Problem | None:
        """Keep one fare; a pair that is there already is a problem of its line."""
        if (start, end) in self.fares:
            first_file, first_line = self.places[start, end]
            first = (
                f"line {first_line}" if first_file == file else f"{first_file} line {first_line}"
            )
            reason = f"a second row from {start} to {end}, the first is {first}"
            return Problem(file, line, self.column, reason)
        self.fares[start, end] = minor
        self.places[start, end] = (file, line)
        return None

    def missing(self, ids: Sequence[str]) -> list[Problem]:
        """A problem for each station from which fares to others are missing."""
        if len(ids) > MOST_STATIONS:
            reason = f"{len(ids)} stations, more than {MOST_STATIONS}"
            return [Problem(self.file, None, self.column, reason)]
        found: list[Problem] = []
        for start in ids:
            to = [end for end in ids if end != start and (start, end) not in self.fares]
            if to:
                more = f" and {len(to) - _NAMED} more" if len(to) > _NAMED else ""
                reason = f"no fare from {start} to {', '.join(to[:_NAMED])}{more}"
                found.append(Problem(self.file, None, self.column, reason))
        return found

    def asymmetric(self, unit: Currency) -> list[Problem]:
        """A warning for each pair that costs another fare the other way round."""
        found: list[Problem] = []
        for (start, end), minor in self.fares.items():
            back = self.fares.get((end, start), minor)
            if back != minor and self.places[start, end] > self.places[end, start]:
                one, other = Money(minor, unit), Money(back, unit)
                reason = f"{one} from {start} to {end}, and {other} back"
                found.append(Problem(*self.places[start, end], self.column, reason))
        return found

    def matrix(self, ids: Sequence[str]) -> MatrixFares:
        """The fares of all pairs, of which none is missing."""
        rows = tuple(tuple(0 if a == b else self.fares[a, b] for b in ids) for a in ids)
        return MatrixFares(tuple(ids), rows)
