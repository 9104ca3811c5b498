"""An amount as a file of fares writes it."""

from __future__ import annotations

from transitpay.errors import MalformedInput
from transitpay.money import Currency, parse_major

#: The most characters of an amount: no fare is a million, and no number is without end.
LONGEST = 10


def read_amount(text: str, unit: Currency) -> int | str:
    """The amount in minor units, or why it is none. Worked: "5.4" in HKD is 540."""
    if len(text) > LONGEST:
        return f"{text[:LONGEST]!r}... is too long for a fare"
    try:
        return parse_major(text, unit).minor
    except MalformedInput as error:
        return error.message
