"""An amount as a file of fares writes it."""

from __future__ import annotations

from transitpay.errors import MalformedInput
from transitpay.fares.term_ranges import MOST_MINOR
from transitpay.money import Currency, Money, parse_major

#: The most characters of an amount: no fare is a million, and no number is without end.
LONGEST = 10


def read_amount(text: str, unit: Currency) -> int | str:
    """The amount in minor units, or why it is none. Worked: "5.4" in HKD is 540."""
    if len(text) > LONGEST:
        return f"{text[:LONGEST]!r}... is too long for a fare"
    try:
        amount = parse_major(text, unit)
    except MalformedInput as error:
        return error.message
    if amount.minor > MOST_MINOR:
        return f"{amount} is more than {Money(MOST_MINOR, unit)}"
    return amount.minor
