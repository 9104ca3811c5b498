"""A fare and the lines that explain it, and what the pricing of a journey comes to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from transitpay.fares.line_texts import Sentence
from transitpay.fares.names import Language
from transitpay.fares.words import Value
from transitpay.journeys.journey import Journey
from transitpay.money import Currency, Money


@dataclass(frozen=True, slots=True)
class FareLine:
    """One part of a fare: why, its amount (may be negative), and the values of the sentence.

    ``note`` is what the tariff says of the rule, in its author's words; empty where nothing.
    """

    why: Sentence
    amount: Money
    values: tuple[Value, ...] = ()
    note: str = ""

    @property
    def code(self) -> str:
        """The stable name of the reason."""
        return self.why.code

    def text(self, language: Language) -> str:
        """The reason in words."""
        return self.why.text(language, self.values)


@dataclass(frozen=True, slots=True)
class Fare:
    """A fare with its explanation, and the version of the tariff that gave it."""

    amount: Money
    lines: tuple[FareLine, ...]
    tariff_version: str

    def __post_init__(self) -> None:
        assert total(self.lines) == self.amount, "the lines sum to the amount"
        assert self.amount.minor >= 0, "a fare is never negative"


@dataclass(frozen=True, slots=True)
class Priced:
    """A journey with its fare."""

    journey: Journey
    fare: Fare


@dataclass(frozen=True, slots=True)
class Unpriced:
    """A journey that has no fare: the code and words of the refusal, and the field at fault."""

    journey: Journey
    code: str
    message: str
    field: str | None = None


def total(lines: Iterable[FareLine]) -> Money:
    """The sum of a fare's lines; a fare has at least one."""
    unit: Currency | None = None
    minor = 0
    for line in lines:
        amount = line.amount
        if unit is None:
            unit = amount.currency
        assert amount.currency is unit or amount.currency == unit, "one fare, one currency"
        minor += amount.minor
    assert unit is not None, "a fare has at least one line"
    return Money(minor, unit)
