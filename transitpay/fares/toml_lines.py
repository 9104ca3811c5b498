"""On which line of a TOML text each name stands; the parser of the language does not tell."""

from __future__ import annotations

import re
from collections.abc import Mapping

from transitpay.fares.plain import Path

_HEADER = re.compile(r"""\s*\[(\[)?\s*([\w.\s"'-]+?)\s*\]\]?\s*(?:#.*)?$""")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*[^=\s]+)?)\s*=""")


def lines_of(text: str) -> Mapping[Path, int]:
    """The line of each table and key, for a text that the parser takes.

    Values that go over several lines are not looked into: what is wrong there is told by the line
    where the value begins, or where a name seems to stand.
    """
    lines: dict[Path, int] = {}
    count: dict[str, int] = {}
    table: Path = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = tuple(_names(header[2]))
            if header[1]:
                place = count.setdefault(header[2], 0)
                count[header[2]] += 1
                lines.setdefault(table, number)
                table = (*table, place)
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault((*table, *_names(key[1])), number)
    return lines


def line_of(lines: Mapping[Path, int], at: Path) -> int | None:
    """The line of a value, or of the nearest thing around it; None for the whole text."""
    for length in range(len(at), 0, -1):
        if at[:length] in lines:
            return lines[at[:length]]
    return None


def _names(dotted: str) -> list[str]:
    return [name.strip().strip("\"'") for name in dotted.split(".")]
