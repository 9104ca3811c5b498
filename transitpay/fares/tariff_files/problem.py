"""A file that somebody else wrote, and the problems found in it, each with its place."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from transitpay.fares.tariff import Tariff


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file; ``line`` counts from 1, None where a line means nothing."""

    file: str
    line: int | None
    field: str
    reason: str

    def __str__(self) -> str:
        place = f" line {self.line}" if self.line is not None else ""
        return f"{self.file}{place}, {self.field}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Parsed:
    """A tariff, or the problems for which there is none: nothing is half loaded.

    ``left_out`` are parts of the file that are known to be wrong or that the tariff cannot hold,
    each whole, so that the rest stands without them. ``warnings`` are what a person should look
    at, and is loaded as published.
    """

    tariff: Tariff | None
    problems: tuple[Problem, ...]
    left_out: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    def __post_init__(self) -> None:
        assert (self.tariff is None) == bool(self.problems)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file's name and its unpacked bytes."""

    name: str
    content: bytes

    @property
    def version(self) -> str:
        """The name without endings, and the first digits of the SHA-256 of the content."""
        stem = self.name.removesuffix(".gz")
        stem = stem.rsplit(".", 1)[0] if "." in stem else stem
        return f"{stem}#{hashlib.sha256(self.content).hexdigest()[:8]}"

    def text(self, problems: list[Problem]) -> str | None:
        """The content as UTF-8 with or without a byte order mark; None adds a problem."""
        try:
            return self.content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = self.content.count(b"\n", 0, error.start) + 1
            problems.append(Problem(self.name, line, "text", "not UTF-8"))
            return None

    def json(self, problems: list[Problem]) -> object:
        """The content as JSON; None adds a problem (JSON null is a problem too)."""
        text = self.text(problems)
        if text is None:
            return None
        try:
            value: object = json.loads(text)
        except json.JSONDecodeError as error:
            problems.append(Problem(self.name, error.lineno, "json", error.msg))
            return None
        if value is None:
            problems.append(Problem(self.name, 1, "json", "null"))
        return value
