"""Amounts are read exactly or refused, whatever somebody else has written."""

from __future__ import annotations

import pytest

from transitpay.errors import MalformedInput
from transitpay.money import HKD, Money, parse_major


@pytest.mark.parametrize(
    ("text", "minor"),
    [("52.20", 5220), ("52.2", 5220), ("0", 0), ("007", 700), ("9" * 13, int("9" * 13 + "00"))],
)
def test_an_amount_is_read_exactly(text: str, minor: int) -> None:
    assert parse_major(text, HKD) == Money(minor, HKD)


@pytest.mark.parametrize(
    "text",
    ["", ".", "5.", ".5", "-5", "+5", "1e2", "1,000", "5.201", "５", "5 ", "9" * 14, "9" * 9_000],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(MalformedInput) as refusal:
        parse_major(text, HKD)
    assert refusal.value.code == "bad_amount"
    assert len(refusal.value.message) < 100
