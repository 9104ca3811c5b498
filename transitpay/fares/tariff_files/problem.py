"""A file that somebody else wrote, and the problems found in it, each with its place."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass

from transitpay.fares.tariff import Tariff
from transitpay.fares.version_rules import fit_stem

#: A problem is for people to read: of a longer text, its two ends.
LONGEST_TEXT = 1000


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file; ``line`` counts from 1, None where a line means nothing.

    What stands in the file may be of any length and comes into all three texts: they are cut.
    """

    file: str
    line: int | None
    field: str
    reason: str

    def __post_init__(self) -> None:
        for name in ("file", "field", "reason"):
            object.__setattr__(self, name, _two_ends(getattr(self, name)))

    def __str__(self) -> str:
        place = f" line {self.line}" if self.line is not None else ""
        return f"{self.file}{place}, {self.field}: {self.reason}"


def _two_ends(text: str) -> str:
    if len(text) <= LONGEST_TEXT:
        return text
    half = LONGEST_TEXT // 2
    return f"{text[:half]} ... {text[-half:]}"


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
        """The name without endings and odd signs, and how the SHA-256 of the content begins."""
        stem = self.name.removesuffix(".gz")
        stem = stem.rsplit(".", 1)[0] if "." in stem else stem
        return f"{fit_stem(stem)}#{hashlib.sha256(self.content).hexdigest()[:8]}"

    def text(self, problems: list[Problem]) -> str | None:
        """The content as UTF-8 with or without a byte order mark; None adds a problem."""
        try:
            return self.content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = self.content.count(b"\n", 0, error.start) + 1
            problems.append(Problem(self.name, line, "text", "not UTF-8"))
            return None


#: Half characters, control characters, and the ones that turn the direction of what follows.
_HIDDEN = frozenset({"Cc", "Cs"})
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


_ENDS = re.compile(r"[ \t\r\n]*[\t\r\n][ \t\r\n]*")


def on_one_line(text: str) -> str:
    """A text without blanks around it, each end of a line or tab within it one blank."""
    return _ENDS.sub(" ", text.strip())


def readable(text: str) -> bool:
    """Whether a text shows what it holds; tabs and ends of lines are blanks."""
    if text.isprintable():
        return True
    return not any(
        c in _TURNING or (c not in "\t\r\n" and unicodedata.category(c) in _HIDDEN) for c in text
    )
