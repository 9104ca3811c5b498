"""The numbers of a process, counted in memory and shown in Prometheus' text format."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

_F = TypeVar("_F", "Counter", "Gauge", "Histogram")
_Labels = tuple[tuple[str, str], ...]
#: Seconds; fine where a gate's answer lies, coarse where a night's step does.
LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)


class Metrics:
    """The numbers of one process; made by its composition root and handed to who counts."""

    def __init__(self) -> None:
        self._families: dict[str, Counter | Gauge | Histogram] = {}

    def counter(self, name: str, text: str) -> Counter:
        """A number that only rises."""
        return self._add(Counter(name, text))

    def gauge(self, name: str, text: str) -> Gauge:
        """A number that is what it is now."""
        return self._add(Gauge(name, text))

    def histogram(
        self, name: str, text: str, buckets: Sequence[float] = LATENCY_BUCKETS_S
    ) -> Histogram:
        """How values are spread; ``buckets`` are upper ends, rising."""
        return self._add(Histogram(name, text, buckets))

    def render(self) -> str:
        """Everything, in Prometheus' text format 0.0.4."""
        lines: list[str] = []
        for family in self._families.values():
            lines += [f"# HELP {family.name} {family.text}", f"# TYPE {family.name} {family.kind}"]
            lines += family.lines()
        return "\n".join(lines) + "\n"

    def _add(self, family: _F) -> _F:
        if family.name in self._families:
            raise ValueError(f"{family.name} is counted already")
        self._families[family.name] = family
        return family


class _Family:
    kind = "untyped"

    def __init__(self, name: str, text: str) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise ValueError(f"{name!r} is no metric name")
        self.name = name
        self.text = text


class Counter(_Family):
    """Counts events, by labels."""

    kind = "counter"

    def __init__(self, name: str, text: str) -> None:
        super().__init__(name, text)
        self._values: dict[_Labels, int] = {}

    def inc(self, by: int = 1, **labels: str) -> None:
        assert by >= 0, "a counter only rises"
        key = _key(labels)
        self._values[key] = self._values.get(key, 0) + by

    def value(self, **labels: str) -> int:
        return self._values.get(_key(labels), 0)

    def lines(self) -> Iterator[str]:
        for key, value in sorted(self._values.items()):
            yield f"{self.name}{_written(key)} {value}"


class Gauge(_Family):
    """Holds the last value set, by labels."""

    kind = "gauge"

    def __init__(self, name: str, text: str) -> None:
        super().__init__(name, text)
        self._values: dict[_Labels, float] = {}

    def set(self, value: float, **labels: str) -> None:
        self._values[_key(labels)] = value

    def value(self, **labels: str) -> float | None:
        return self._values.get(_key(labels))

    def lines(self) -> Iterator[str]:
        for key, value in sorted(self._values.items()):
            yield f"{self.name}{_written(key)} {value}"


class Histogram(_Family):
    """Counts values by upper end, with their sum, by labels."""

    kind = "histogram"

    def __init__(self, name: str, text: str, buckets: Sequence[float]) -> None:
        super().__init__(name, text)
        self._ends = tuple(buckets)
        assert list(self._ends) == sorted(set(self._ends)), "upper ends rise"
        self._counts: dict[_Labels, list[int]] = {}
        self._sums: dict[_Labels, float] = {}

    def observe(self, value: float, **labels: str) -> None:
        key = _key(labels)
        counts = self._counts.setdefault(key, [0] * (len(self._ends) + 1))
        counts[bisect_left(self._ends, value)] += 1
        self._sums[key] = self._sums.get(key, 0) + value

    def count(self, **labels: str) -> int:
        return sum(self._counts.get(_key(labels), ()))

    def lines(self) -> Iterator[str]:
        for key, counts in sorted(self._counts.items()):
            so_far = 0
            for end, count in zip((*map(str, self._ends), "+Inf"), counts, strict=True):
                so_far += count
                yield f"{self.name}_bucket{_written((*key, ('le', end)))} {so_far}"
            yield f"{self.name}_sum{_written(key)} {self._sums[key]}"
            yield f"{self.name}_count{_written(key)} {so_far}"


def _key(labels: Mapping[str, str]) -> _Labels:
    return _in_order(tuple(labels.items()))


@lru_cache(maxsize=4096)
def _in_order(labels: _Labels) -> _Labels:
    return tuple(sorted(labels))


def _written(labels: _Labels) -> str:
    if not labels:
        return ""
    escape = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
    return "{" + ",".join(f'{name}="{value.translate(escape)}"' for name, value in labels) + "}"
