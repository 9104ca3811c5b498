"""Base45 has one spelling per byte string, and refuses every other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transitpay.errors import MalformedInput
from transitpay.ride_code import base45


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581"),
     (b"ietf!", "QED8WEX0"), (b"", ""), (b"\xff\xff", "FGW"), (b"\xff", "U5")],
)  # fmt: skip
def test_the_examples_of_the_rfc_hold_both_ways(data: bytes, text: str) -> None:
    assert base45.encode(data) == text
    assert base45.decode(text) == data


@given(st.binary(max_size=300))
def test_what_is_encoded_is_decoded(data: bytes) -> None:
    assert base45.decode(base45.encode(data)) == data


@given(st.text(alphabet=base45.ALPHABET, max_size=60))
def test_a_text_that_decodes_is_the_only_spelling_of_its_bytes(text: str) -> None:
    try:
        data = base45.decode(text)
    except MalformedInput:
        return
    assert base45.encode(data) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("GGW", "triplet"),  # 65536
        (":::", "triplet"),  # 91124
        ("000GGW", "triplet"),
        ("V5", "pair"),  # 256
        ("::", "pair"),
        ("0", "lone"),
        ("BB80", "lone"),
        ("bb8", "alphabet"),
        ("BB8\n", "alphabet"),
        ("B\x008", "alphabet"),
        ("\u0661B8", "alphabet"),
        ("\u202eBB8", "alphabet"),
        ("\ud800B8", "alphabet"),
        ("BB,", "alphabet"),
    ],
)
def test_other_spellings_are_refused(text: str, why: str) -> None:
    with pytest.raises(MalformedInput, match=why) as caught:
        base45.decode(text)
    assert caught.value.code == "bad_base45"


def test_every_triplet_value_agrees_with_the_plain_arithmetic_of_the_rfc() -> None:
    for value in (0, 1, 44, 45, 2024, 2025, 255, 256, 65534, 65535):
        assert base45.decode(base45.encode(value.to_bytes(2, "big"))) == value.to_bytes(2, "big")
