"""A JSON file as plain values, each with its line, without what can be read in two ways."""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from transitpay.fares.tariff_files.problem import Problem, SourceFile, on_one_line, readable

#: Where a value stands: names of an object and places of a list, from the top.
Path = tuple[str | int, ...]

_LONGEST_SHOWN = 60
_FIELD = re.compile("[a-z][A-Za-z]*")
_BLANKS = re.compile(r"[ \t\n\r]*")
#: Finds where values end; numbers stay text.
_SKIP = json.JSONDecoder(parse_int=str, parse_float=str)


class _RefusedJson(ValueError):
    """What the grammar allows and we do not."""


class JsonFile:
    """A file's content: dict, list, str, int, Decimal or bool; None where it has added problems.

    Lines are looked up when a problem asks for one, a list or an object at a time.
    """

    __slots__ = ("_breaks", "_inside", "_text", "name", "value")

    def __init__(self, name: str, text: str = "", value: object = None) -> None:
        self.name, self.value, self._text = name, value, text
        self._breaks: list[int] | None = None
        self._inside: dict[Path, Mapping[str | int, int]] = {}

    def problem(self, path: Path, reason: str) -> Problem:
        """A problem of what stands at ``path``; what is missing is told where it should stand."""
        return Problem(self.name, self.line(path), _shown_path(path), reason)

    def line(self, path: Path) -> int:
        """The line on which the value at ``path`` begins."""
        if self._breaks is None:
            self._breaks = [found.start() for found in re.finditer("\n", self._text)]
        return bisect.bisect(self._breaks, self._start(path)) + 1

    def _start(self, path: Path) -> int:
        at = _skip(self._text, 0)
        for depth, part in enumerate(path):
            above = path[:depth]
            if above not in self._inside:
                self._inside[above] = dict(_members(self._text, at))
            if part not in self._inside[above]:
                break
            at = self._inside[above][part]
        return at


def read_json(file: SourceFile, problems: list[Problem]) -> JsonFile:
    """The file (null is a problem).

    A key that an object has twice with two values, NaN, texts that nobody could read, and
    nesting that is too deep are refused.
    """
    text = file.text(problems)
    if text is None:
        return JsonFile(file.name)
    try:
        value: object = _STRICT.decode(text)
    except json.JSONDecodeError as error:
        problems.append(Problem(file.name, error.lineno, "json", error.msg))
        return JsonFile(file.name)
    except RecursionError:
        problems.append(Problem(file.name, None, "json", "nested too deep"))
        return JsonFile(file.name)
    except (ValueError, ArithmeticError) as error:
        reason = str(error) if isinstance(error, _RefusedJson) else "a number of too many digits"
        problems.append(Problem(file.name, _refused_line(text), "json", reason))
        return JsonFile(file.name)
    if value is None:
        problems.append(Problem(file.name, 1, "json", "null"))
    return JsonFile(file.name, text, value)


def member(value: object, key: str) -> object:
    """The value under ``key``; None where there is none, or no object."""
    return value.get(key) if isinstance(value, dict) else None


def items(value: object) -> list[object]:
    """The list, or an empty one where it is none."""
    return value if isinstance(value, list) else []


def text_of(value: object) -> str:
    """The text on one line without blanks around it; empty where it is none."""
    return on_one_line(value) if isinstance(value, str) else ""


def shown(value: object) -> str:
    """The value as a problem shows it: numbers as they stand, nothing of more than 60 characters.

    Lists and objects are named only by what they are.
    """
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    for key, value in pairs:
        for text in (key, *(value if isinstance(value, list) else [value])):
            if isinstance(text, str) and not readable(text):
                raise _RefusedJson(f"{shown(key)} holds control characters or half ones")
    if len(found) != len(pairs):
        # A reader takes the first or the last; where both say the same it makes no difference.
        for key, value in pairs:
            if value != found[key]:
                raise _RefusedJson(f"{shown(key)} twice in one object, with two values")
    return found


def _no_number(word: str) -> object:
    raise _RefusedJson(f"{word} is no number")


_STRICT = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=Decimal, parse_constant=_no_number
)


def _refused_line(text: str) -> int:
    """The line of the innermost value that is refused."""
    at = _skip(text, 0)
    while (inner := _refused_in(text, at)) is not None:
        at = inner
    return text.count("\n", 0, at) + 1


def _refused_in(text: str, at: int) -> int | None:
    for _, start in _members(text, at):
        try:
            _STRICT.raw_decode(text, start)
        except (ValueError, ArithmeticError):
            return start
    return None


def _members(text: str, at: int) -> Iterator[tuple[str | int, int]]:
    """Where each value of the list or the object that begins at ``at`` begins."""
    is_list = text[at : at + 1] == "["
    if not is_list and text[at : at + 1] != "{":
        return
    place = 0
    at = _skip(text, at + 1)
    while text[at] not in "]}":
        key: str | int = place
        if not is_list:
            key, at = _SKIP.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
        yield key, at
        at = _skip(text, _SKIP.raw_decode(text, at)[1])
        if text[at] == ",":
            at = _skip(text, at + 1)
        place += 1


def _skip(text: str, at: int) -> int:
    """The place of what is no blank."""
    blanks = _BLANKS.match(text, at)
    assert blanks is not None
    return blanks.end()


def _shown_path(path: Path) -> str:
    """Names of fields after a dot, places and other keys in brackets."""
    first, *others = path
    shown = (f".{it}" if _FIELD.fullmatch(str(it)) else f"[{it!r}]" for it in others)
    return f"{first}{''.join(shown)}"
