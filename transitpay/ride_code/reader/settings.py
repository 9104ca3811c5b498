"""The settings of one reader, from the names and values of its config list.

The names, their defaults and meanings stand in docs/reader-protocol.md. An unknown name is
ignored; a value that cannot be read refuses the whole config, and the reader keeps what it had.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from transitpay.errors import MalformedInput
from transitpay.money import CNY, HKD, Currency, Money
from transitpay.ride_code.reasons import Language
from transitpay.ride_code.records.record import Mode
from transitpay.ride_code.verdict import ReaderRules
from transitpay.taps import Direction

E = TypeVar("E", bound=StrEnum)
_CURRENCIES = (HKD, CNY)


class StaleLists(StrEnum):
    """What an entry does with lists past their use by."""

    CLOSE = "close"
    OPEN_LOW = "open_low"


class StoreFull(StrEnum):
    """What an entry does when no record can be kept."""

    CLOSE = "close"
    OPEN_UNCHARGED = "open_uncharged"


class ClockFault(StrEnum):
    """What an entry does when the reader doubts its clock by more than 300 s."""

    OPEN = "open"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """How one reader works. ``stale_ceilings`` is currency -> minor units.

    ``budget_ms`` 0 = the gateway is never asked. ``gates`` is the station mode by the operator.
    """

    operator: str
    network: str
    stop: str
    rules: ReaderRules
    debounce_ms: int
    passback_s: int
    budget_ms: int
    breaker_after: int
    breaker_pause_ms: int
    stale_lists: StaleLists
    stale_ceilings: Mapping[Currency, int]
    store_full: StoreFull
    clock_fault: ClockFault
    languages: tuple[Language, ...]
    gates: Mode

    @property
    def direction(self) -> Direction:
        """What a scan here means for a journey."""
        return self.rules.direction

    @property
    def is_exit(self) -> bool:
        """Whether who stands here is inside, and must get out."""
        return self.rules.is_exit

    @staticmethod
    def of(values: Mapping[str, str]) -> ReaderSettings:
        """Read a config list.

        Raises: MalformedInput (``bad_reader_config``) naming the setting.
        """
        fares = [
            Money(_integer(values, f"highest_fare.{unit}", 0, 10_000_000), unit)
            for unit in _CURRENCIES
            if f"highest_fare.{unit}" in values
        ]
        try:
            rules = ReaderRules(
                _integer(values, "destination", 0, 15),
                _integer(values, "mode", 0, 7),
                _choice(values, "direction", Direction),
                service_excluded=_flag(values, "service_excluded"),
                test_keys_allowed=_flag(values, "test_keys_allowed"),
                other_highest_fares=tuple(fares),
                max_age_s=_integer(values, "max_age_s", 1, 600, "60"),
                max_future_s=_integer(values, "max_future_s", 0, 600, "20"),
                overstay_s=_integer(values, "overstay_s", 0, 86400, "12600"),
                mot_max_age_s=_integer(values, "mot_max_age_s", 1, 600, "600"),
            )
        except MalformedInput as error:
            raise refusal(error.field or "", error.message) from None
        gates = _choice(values, "gates", Mode, "normal")
        if gates is Mode.LOCAL:
            raise refusal("gates", "is normal, open or emergency")
        return ReaderSettings(
            operator=_text(values, "operator"),
            network=_text(values, "network"),
            stop=_text(values, "stop"),
            rules=rules,
            debounce_ms=_integer(values, "debounce_ms", 0, 60_000, "2000"),
            passback_s=_integer(values, "passback_s", 0, 86400, "300"),
            budget_ms=_integer(values, "budget_ms", 0, 10_000, "200"),
            breaker_after=_integer(values, "breaker_after", 1, 1000, "3"),
            breaker_pause_ms=_integer(values, "breaker_pause_ms", 1, 3_600_000, "5000"),
            stale_lists=_choice(values, "stale_lists", StaleLists, "open_low"),
            stale_ceilings={
                unit: _integer(values, f"stale_ceiling.{unit}", 0, 10_000_000, "2000")
                for unit in _CURRENCIES
            },
            store_full=_choice(values, "store_full", StoreFull, "close"),
            clock_fault=_choice(values, "clock_fault", ClockFault, "open"),
            languages=_languages(values.get("languages", "zh-Hant,zh-Hans,en")),
            gates=gates,
        )


def refusal(name: str, why: str) -> MalformedInput:
    """The error of a config that is not used."""
    return MalformedInput("bad_reader_config", why, field=name)


def _text(values: Mapping[str, str], name: str, default: str | None = None) -> str:
    found = values.get(name, default)
    if not found:
        raise refusal(name, "is missing")
    return found


def _integer(
    values: Mapping[str, str], name: str, low: int, high: int, default: str | None = None
) -> int:
    text = _text(values, name, default)
    if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
        raise refusal(name, f"must be {low} to {high}")
    return int(text)


def _flag(values: Mapping[str, str], name: str) -> bool:
    return _integer(values, name, 0, 1, "0") == 1


def _choice(values: Mapping[str, str], name: str, kind: type[E], default: str | None = None) -> E:
    text = _text(values, name, default)
    try:
        return kind(text)
    except ValueError:
        raise refusal(name, f"must be one of {', '.join(kind)}") from None


def _languages(text: str) -> tuple[Language, ...]:
    try:
        found = tuple(Language(word) for word in text.split(","))
    except ValueError:
        raise refusal("languages", f"must be some of {', '.join(Language)}") from None
    if len(set(found)) != len(found):
        raise refusal("languages", "must name a language once")
    return found
