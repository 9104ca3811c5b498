"""Frozen values of tariffs as plain lists, tables, texts and numbers, and back, by their types.

Shared by the tariff document (JSON, amounts as ``[6600, "HKD"]``) and the terms file (TOML,
amounts as people write them). Reading collects what is wrong instead of stopping at the first.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from transitpay.errors import MalformedInput
from transitpay.money import Money, currency

#: Where a value stands: names of tables and numbers of items, from the top.
Path = tuple[str | int, ...]
_SHOWN = 60


class Unreadable(Exception):
    """A value could not be read; its problem is noted already. Never leaves this package."""


def plain(value: object) -> object:
    """``value`` in plain form; fields at their default are left out, sets are sorted."""
    match value:
        case StrEnum():
            return value.name.lower()
        case None | bool() | int() | str():
            return value
        case date():
            return value.isoformat()
        case Money():
            return [value.minor, value.currency.code]
        case tuple():
            return [plain(item) for item in value]
        case frozenset():
            return sorted((plain(item) for item in value), key=repr)
    assert dataclasses.is_dataclass(value), f"{type(value)} has no plain form"
    fields = {it.name: (it, getattr(value, it.name)) for it in dataclasses.fields(value)}
    return {name: plain(own) for name, (it, own) in fields.items() if own != it.default}


def shown(value: object) -> str:
    """A value of somebody else's in a message: no longer than a line."""
    try:
        text = str(value) if isinstance(value, Decimal) else repr(value)
    except (ValueError, RecursionError):
        return "a value too large to show"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def read_amount(value: object, _: Path) -> Money:
    """``[6600, "HKD"]``. Raises: MalformedInput (``bad_amount``, ``unknown_currency``)."""
    match value:
        case [int(minor), str(code)] if type(minor) is int:
            return Money(minor, currency(code))
    raise MalformedInput("bad_amount", f"{shown(value)} is not [minor units, currency]")


@dataclass(slots=True)
class PlainReader:
    """Reads plain values into typed ones; ``problems`` says what was wrong where.

    ``amount`` reads one amount; ``minor`` one of a field that is named ``..._minor``, which is
    then written without that ending (None: it is a plain number under its own name). ``misfit``
    says why a value cannot stand in a field of a record.
    """

    amount: Callable[[object, Path], Money] = read_amount
    minor: Callable[[object, Path], Money] | None = None
    misfit: Callable[[type, str, object], str | None] = lambda *_: None
    problems: list[tuple[Path, str]] = field(default_factory=list)

    def read(self, hint: object, value: object, at: Path) -> object:
        """``value`` as the type ``hint``. Raises: Unreadable, the problem noted."""
        origin = typing.get_origin(hint)
        if _may_be_none(hint):
            (inner,) = (it for it in typing.get_args(hint) if it is not type(None))
            return None if value is None else self.read(inner, value, at)
        if origin is tuple or origin is frozenset:
            return self._several(origin, typing.get_args(hint), value, at)
        assert isinstance(hint, type), f"no reader for {hint}"
        if hint is Money:
            return self._or_problem(lambda: self.amount(value, at), at)
        if dataclasses.is_dataclass(hint):
            return self.record(hint, value, at)
        if issubclass(hint, StrEnum):
            return self._member(hint, value, at)
        if hint is date and type(value) is str:
            return self._or_problem(lambda: date.fromisoformat(value), at)
        if type(value) is not hint:
            raise self.refuse(at, f"{shown(value)} is no {_WORDS.get(hint, hint.__name__)}")
        return value

    def record(self, hint: type, value: object, at: Path) -> object:
        """``value``, a table, as the dataclass ``hint``."""
        if not isinstance(value, dict):
            raise self.refuse(at, "is no table of names and values")
        assert dataclasses.is_dataclass(hint)
        hints, left, failed = typing.get_type_hints(hint), dict(value), False
        made: dict[str, object] = {}
        for it in dataclasses.fields(hint):
            name, here = self.spelled(it.name), hints[it.name]
            if name not in left:
                if it.default is dataclasses.MISSING and _may_be_none(here):
                    made[it.name] = None
                elif it.default is dataclasses.MISSING:
                    self.problems.append(((*at, name), "is missing"))
                    failed = True
                continue
            try:
                made[it.name] = self._field(it.name, here, left.pop(name), (*at, name))
                if (reason := self.misfit(hint, it.name, made[it.name])) is not None:
                    raise self.refuse((*at, name), reason)
            except Unreadable:
                failed = True
        failed |= self.refuse_unknown(left, at)
        if failed:
            raise Unreadable
        try:
            return hint(**made)
        except AssertionError as error:
            raise self.refuse(at, f"does not hold together: {error or 'see fares.md'}") from None

    def spelled(self, name: str) -> str:
        """How the field ``name`` is called in what is read."""
        return name if self.minor is None else name.removesuffix("_minor")

    def refuse_unknown(self, left: Mapping[str, object], at: Path) -> bool:
        """Note every name that nobody knows; whether there is one."""
        self.problems += [((*at, name), "is not known") for name in left]
        return bool(left)

    def refuse(self, at: Path, reason: str) -> Unreadable:
        """Note a problem; what it returns is to be raised."""
        self.problems.append((at, reason))
        return Unreadable()

    def _field(self, name: str, hint: object, value: object, at: Path) -> object:
        if self.minor is None or not name.endswith("_minor"):
            return self.read(hint, value, at)
        read = self.minor
        money = self._or_problem(lambda: read(value, at), at)
        assert isinstance(money, Money)
        return money.minor

    def _several(
        self, origin: type, args: tuple[object, ...], value: object, at: Path
    ) -> tuple[object, ...] | frozenset[object]:
        if not isinstance(value, list):
            raise self.refuse(at, "is no list")
        each = args[0] if len(args) == 1 or args[-1] is ... else None
        if each is None and len(value) != len(args):
            raise self.refuse(at, f"needs {len(args)} values and has {len(value)}")
        made, failed = [], False
        for i, item in enumerate(value):
            try:
                made.append(self.read(args[i] if each is None else each, item, (*at, i)))
            except Unreadable:
                failed = True
        if failed:
            raise Unreadable
        return frozenset(made) if origin is frozenset else tuple(made)

    def _member(self, hint: type[StrEnum], value: object, at: Path) -> StrEnum:
        known = {it.name.lower(): it for it in hint}
        if not isinstance(value, str) or value not in known:
            raise self.refuse(at, f"{shown(value)} is none of {', '.join(known)}")
        return known[value]

    def _or_problem(self, read: Callable[[], object], at: Path) -> object:
        try:
            return read()
        except MalformedInput as error:
            raise self.refuse(at, error.message) from None
        except ValueError:
            raise self.refuse(at, "is no day such as 2026-06-27") from None


def _may_be_none(hint: object) -> bool:
    return typing.get_origin(hint) in (types.UnionType, typing.Union)


_WORDS = {int: "whole number", str: "text", bool: "true or false", date: "day"}
