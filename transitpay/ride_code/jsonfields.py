"""Reads the fields of list files, and names the field where one is missing or out of its range."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from transitpay.errors import MalformedInput

#: ``strptime`` alone would also take one-digit months, digits of other scripts and a ``z``.
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


def load_object(text: str, what: str) -> Mapping[str, object]:
    """One JSON object, in which no name may be repeated.

    Raises: MalformedInput (``bad_json``, ``bad_field``).
    """
    try:
        value = json.loads(text, object_pairs_hook=_unrepeated)
    except (ValueError, RecursionError):
        raise MalformedInput("bad_json", "not JSON", field=what) from None
    return as_object(value, what)


def as_object(value: object, field: str) -> Mapping[str, object]:
    """``value`` as an object. Raises: MalformedInput (``bad_field``)."""
    if not isinstance(value, dict):
        raise bad(field, "must be an object")
    return value


def objects(source: Mapping[str, object], name: str, at: str = "") -> list[Mapping[str, object]]:
    """A list of objects. Raises: MalformedInput (``bad_field``)."""
    value = source.get(name)
    if not isinstance(value, list):
        raise bad(at + name, "must be a list")
    return [as_object(v, f"{at}{name}[{i}]") for i, v in enumerate(value)]


def only(source: Mapping[str, object], names: frozenset[str], at: str = "") -> None:
    """Refuse names that the format does not have. Raises: MalformedInput (``bad_field``)."""
    for name in sorted(set(source) - names):
        raise bad(at + name, "is not a field of this format")


def text(source: Mapping[str, object], name: str, at: str = "") -> str:
    """A non-empty text. Raises: MalformedInput (``bad_field``)."""
    value = source.get(name)
    if not isinstance(value, str) or not value:
        raise bad(at + name, "must be a non-empty text")
    return value


def integer(source: Mapping[str, object], name: str, bits: int, at: str = "") -> int:
    """An unsigned integer of ``bits`` bits. Raises: MalformedInput (``bad_field``)."""
    value = source.get(name)
    if type(value) is not int or not 0 <= value < 1 << bits:
        raise bad(at + name, f"must be an integer from 0 to {(1 << bits) - 1}")
    return value


def boolean(source: Mapping[str, object], name: str, at: str = "") -> bool:
    """``true`` or ``false``. Raises: MalformedInput (``bad_field``)."""
    value = source.get(name)
    if not isinstance(value, bool):
        raise bad(at + name, "must be true or false")
    return value


def instant(source: Mapping[str, object], name: str, at: str = "") -> datetime:
    """A UTC instant, written ``2026-01-31T04:00:00Z``. Raises: MalformedInput (``bad_field``)."""
    value = text(source, name, at)
    try:
        if not _INSTANT.fullmatch(value):
            raise ValueError("not that form")
        return datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise bad(at + name, "must be written like 2026-01-31T04:00:00Z") from None


def write_instant(at: datetime) -> str:
    """The form that ``instant`` reads; fractions of a second are dropped."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def hexadecimal(source: Mapping[str, object], name: str, at: str = "") -> bytes:
    """Bytes as lower-case hexadecimal. Raises: MalformedInput (``bad_field``)."""
    value = text(source, name, at)
    if len(value) % 2 or not set(value) <= set("0123456789abcdef"):
        raise bad(at + name, "must be lower-case hexadecimal")
    return bytes.fromhex(value)


def bad(field: str, why: str) -> MalformedInput:
    """The error of a field that does not hold what the format says."""
    return MalformedInput("bad_field", why, field=field)


def _unrepeated(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a repeated name")
    return found
