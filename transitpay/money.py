"""Money is an integer of minor units with its currency; this module is where it is divided.

Only ``scale`` and ``allocate`` round. Each names its mode and where the remainder goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Context, Decimal
from enum import StrEnum

from transitpay.errors import MalformedInput

#: The one decimal context of the project: wide enough that no intermediate value is rounded.
CONTEXT = Context(prec=60)


@dataclass(frozen=True, slots=True)
class Currency:
    """An ISO 4217 currency: its code and the number of decimals of its minor unit."""

    code: str
    exponent: int

    def __str__(self) -> str:
        return self.code


HKD = Currency("HKD", 2)
CNY = Currency("CNY", 2)
_KNOWN = {c.code: c for c in (HKD, CNY)}


def currency(code: str) -> Currency:
    """The currency with this ISO code.

    Raises: MalformedInput (``unknown_currency``).
    """
    try:
        return _KNOWN[code]
    except KeyError:
        raise MalformedInput(
            "unknown_currency", f"unknown currency {code!r}; known: {', '.join(sorted(_KNOWN))}"
        ) from None


class Rounding(StrEnum):
    """The rounding modes that a rule may name."""

    HALF_EVEN = ROUND_HALF_EVEN
    HALF_UP = ROUND_HALF_UP
    DOWN = ROUND_DOWN
    UP = ROUND_UP


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An exact amount. Adding two currencies is our mistake, so it is asserted."""

    minor: int
    currency: Currency

    def __post_init__(self) -> None:
        assert type(self.minor) is int, "minor units are an int"

    def __add__(self, other: Money) -> Money:
        assert self.currency == other.currency, "one sum, one currency"
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        assert self.currency == other.currency, "one sum, one currency"
        return Money(self.minor - other.minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def major(self) -> Decimal:
        """The amount in major units, exact: ``Money(5220, HKD).major() == Decimal("52.20")``."""
        return Decimal(self.minor).scaleb(-self.currency.exponent)

    def __str__(self) -> str:
        return f"{self.currency.code} {self.major():,f}"


#: The most digits before the point: ten million millions are nobody's money, and fit the database.
_MOST_DIGITS = 13


def parse_major(text: str, unit: Currency) -> Money:
    """Read "52.20" or "52.2" as exact money of ``unit``; no sign, exponent, blank or comma.

    Raises: MalformedInput (``bad_amount``) for anything else, too many decimals or digits.
    """
    whole, dot, part = text.partition(".")
    digits = (whole + part).isascii() and whole.isdigit() and (part.isdigit() or not dot)
    if not digits or len(part) > unit.exponent or len(whole) > _MOST_DIGITS:
        raise MalformedInput("bad_amount", f"{text[:40]!r} is not an amount in {unit.code}")
    return Money(int(whole + part.ljust(unit.exponent, "0")), unit)


def scale(
    amount: Money, ratio: Decimal, *, mode: Rounding, step_minor: int = 1
) -> tuple[Money, Decimal]:
    """``amount x ratio`` rounded to a multiple of ``step_minor``; the remainder is returned too.

    Shape: (rounded money, exact minus rounded in MINOR units). The currency does not change.
    Worked: ``scale(Money(290, CNY), Decimal("0.8"), mode=HALF_UP)`` is (232, 0).
    """
    exact = CONTEXT.multiply(Decimal(amount.minor), ratio)
    steps = CONTEXT.divide(exact, Decimal(step_minor)).to_integral_value(mode.value, CONTEXT)
    minor = int(steps) * step_minor
    return Money(minor, amount.currency), CONTEXT.subtract(exact, Decimal(minor))


def allocate(amount: Money, weights: Sequence[int]) -> list[Money]:
    """Split by integer weights: floors first, then one unit each to the first parts in order.

    The parts sum to the amount exactly. Worked: 100 over (1, 1, 1) is 34, 33, 33.
    """
    assert weights and all(w >= 0 for w in weights) and sum(weights) > 0
    total = sum(weights)
    parts = [abs(amount.minor) * w // total for w in weights]
    left = abs(amount.minor) - sum(parts)
    for i, w in enumerate(weights):
        if left and w:
            parts[i] += 1
            left -= 1
    sign = -1 if amount.minor < 0 else 1
    return [Money(sign * p, amount.currency) for p in parts]
