"""A JSON file as plain values, without what two readers could read in two ways."""

from __future__ import annotations

import json
from decimal import Decimal

from transitpay.fares.tariff_files.problem import Problem, SourceFile, readable

_LONGEST_SHOWN = 60


class _RefusedJson(ValueError):
    """What the grammar allows and we do not."""


def read_json(file: SourceFile, problems: list[Problem]) -> object:
    """The content: dict, list, str, int, Decimal or bool; None adds a problem (null is one too).

    A key that an object has twice with two values, NaN, texts that nobody could read, and
    nesting that is too deep are refused.
    """
    text = file.text(problems)
    if text is None:
        return None
    try:
        value: object = json.loads(
            text, object_pairs_hook=_object, parse_float=Decimal, parse_constant=_no_number
        )
    except json.JSONDecodeError as error:
        problems.append(Problem(file.name, error.lineno, "json", error.msg))
        return None
    except _RefusedJson as error:
        problems.append(Problem(file.name, None, "json", str(error)))
        return None
    except (RecursionError, ValueError, ArithmeticError):
        reason = "nested too deep, or a number of too many digits"
        problems.append(Problem(file.name, None, "json", reason))
        return None
    if value is None:
        problems.append(Problem(file.name, 1, "json", "null"))
    return value


def member(value: object, key: str) -> object:
    """The value under ``key``; None where there is none, or no object."""
    return value.get(key) if isinstance(value, dict) else None


def items(value: object) -> list[object]:
    """The list, or an empty one where it is none."""
    return value if isinstance(value, list) else []


def text_of(value: object) -> str:
    """The text without blanks around it; empty where it is none."""
    return value.strip() if isinstance(value, str) else ""


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
