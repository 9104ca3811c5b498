"""The 200 bytes are read and written the same way, and nothing else is a code."""

from __future__ import annotations

from dataclasses import replace

import pytest

from transitpay.errors import MalformedInput
from transitpay.money import CNY, HKD, Money
from transitpay.ride_code.layout import (
    Authorisation,
    RideCode,
    encode,
    encode_authorisation,
    encode_unsigned,
    parse,
    read_text,
    write_text,
)

FULL = RideCode(
    Authorisation(
        0x0102, "1011121314151617", 0x20212223, b"\x03" + bytes(range(0x30, 0x50)), 0x60616263,
        168, 600, 0x7071, CNY, 0x8081, 0x91, 0xA, 2, 0xB0B1,
    ),
    b"\xc1" * 64, 0xD0D1D2D3, 0xE0E1, 0xF, 2, b"\xc2" * 64,
)  # fmt: skip
FULL_HEX = (
    "01" "0102" "1011121314151617" "20212223" "03" + bytes(range(0x30, 0x50)).hex()
    + "60616263" "a8" "78" "7071" "02" "8081" "91" "a8" "b0b1" "0000"
    + "c1" * 64 + "d0d1d2d3" "e0e1" "f8" + "c2" * 64
)  # fmt: skip


def test_every_field_stands_at_its_offset() -> None:
    assert encode(FULL).hex() == FULL_HEX
    assert parse(bytes.fromhex(FULL_HEX)) == FULL
    assert encode_authorisation(FULL.authorisation) == encode(FULL)[:65]
    assert encode_unsigned(FULL) == encode(FULL)[:136]


def test_the_text_form_is_the_prefix_and_300_characters() -> None:
    text = write_text(encode(FULL))
    assert text.startswith("TP1:") and len(text) == 304
    assert read_text(text) == encode(FULL)


def test_times_and_the_ceiling_are_given_in_their_units() -> None:
    it = FULL.authorisation
    assert it.expires_at == it.not_before + 168 * 3600
    assert it.ceiling == Money(0x7071 * 100, CNY)


@pytest.mark.parametrize("length", [*range(200), 201, 204, 400])
def test_a_code_has_200_bytes_and_no_others(length: int) -> None:
    with pytest.raises(MalformedInput) as caught:
        parse((bytes.fromhex(FULL_HEX) + bytes(200))[:length])
    assert caught.value.field == "length"


@pytest.mark.parametrize(
    ("offset", "value", "field"),
    [
        (15, 0x04, "device_key"), (15, 0x00, "device_key"),
        (52, 0, "life_h"), (52, 169, "life_h"),
        (53, 0, "code_life_s"), (53, 121, "code_life_s"),
        (56, 0, "ceiling_currency"), (56, 3, "ceiling_currency"),
        (60, 0xA9, "reserved"), (60, 0xAA, "reserved"), (60, 0xAC, "max_companions"),
        (63, 1, "reserved"), (64, 1, "reserved"),
        (135, 0xF9, "reserved"), (135, 0xFA, "reserved"), (135, 0xFC, "slot"),
    ],
)  # fmt: skip
def test_a_value_outside_its_range_is_refused_by_name(offset: int, value: int, field: str) -> None:
    data = bytearray.fromhex(FULL_HEX)
    data[offset] = value
    with pytest.raises(MalformedInput) as caught:
        parse(bytes(data))
    assert (caught.value.code, caught.value.field) == ("unreadable_code", field)


@pytest.mark.parametrize(("offset", "value"), [(52, 1), (52, 168), (53, 1), (53, 120)])
def test_the_edges_of_both_lives_are_allowed(offset: int, value: int) -> None:
    data = bytearray.fromhex(FULL_HEX)
    data[offset] = value
    assert encode(parse(bytes(data))) == bytes(data)


def test_counter_zero_is_refused() -> None:
    data = bytearray.fromhex(FULL_HEX)
    data[133:135] = b"\x00\x00"
    with pytest.raises(MalformedInput, match="counter"):
        parse(bytes(data))


@pytest.mark.parametrize("version", [0, 2, 255])
def test_another_version_is_told_apart(version: int) -> None:
    with pytest.raises(MalformedInput) as caught:
        parse(bytes([version]) + bytes.fromhex(FULL_HEX)[1:])
    assert caught.value.code == "unknown_version"


@pytest.mark.parametrize(
    "change",
    [
        {"key_id": 65536}, {"serial": 1 << 32}, {"not_before": -1}, {"ceiling_major": 65536},
        {"destinations": 65536}, {"modes": 256}, {"rider_class": 16}, {"quota": 65536},
        {"rider_id": "0011"}, {"rider_id": "AABBCCDDEEFF0011"},
    ],
)  # fmt: skip
def test_a_number_that_does_not_fit_is_not_written(change: dict[str, object]) -> None:
    it = replace(FULL.authorisation, **change)  # type: ignore[arg-type] # fields of the table
    with pytest.raises(MalformedInput) as caught:
        encode_authorisation(it)
    assert caught.value.field in change


@pytest.mark.parametrize(
    "change",
    [{"generated_at": 1 << 32}, {"counter": 65536}, {"destination": 16},
     {"issuer_signature": b""}, {"device_signature": bytes(65)}],
)  # fmt: skip
def test_what_the_phone_adds_must_fit_too(change: dict[str, object]) -> None:
    with pytest.raises(MalformedInput):
        encode(replace(FULL, **change))  # type: ignore[arg-type] # fields of the table


def test_both_ceiling_currencies_have_a_number() -> None:
    in_hkd = replace(FULL, authorisation=replace(FULL.authorisation, ceiling_currency=HKD))
    assert encode(in_hkd)[56] == 1 and parse(encode(in_hkd)) == in_hkd
