"""Every byte of a Ministry of Transport code is accounted for, and its text has one spelling."""

from __future__ import annotations

import pytest
from mot_scheme import NOW, MotScheme

from transitpay.errors import MalformedInput
from transitpay.ride_code import received
from transitpay.ride_code.mot import layout
from transitpay.ride_code.mot.layout import encode, parse, read_text, write_text


@pytest.mark.parametrize("extension", [b"", b"\x00", bytes(31), b"\xff" * 32])
@pytest.mark.parametrize("local", [False, True])
def test_bytes_and_fields_go_both_ways(mot: MotScheme, extension: bytes, local: bool) -> None:
    data = mot.data(extension=extension, local=local)
    code = parse(data)
    assert len(data) == 332 + len(extension) and data[0] == (0x81 if local else 0x80)
    assert encode(code) == data and code.authorisation.extension == extension
    assert read_text(write_text(data)) == data


def test_the_fields_stand_at_their_offsets(mot: MotScheme) -> None:
    data = mot.data(account=b"ABCDEFGH01234567", ceiling_fen=0x010203, code_life_s=0x0258,
                    account_type=2, expires_at=NOW + 7)  # fmt: skip
    assert data[1:3] == (329).to_bytes(2, "big")
    assert data[3] == 0x24 and data[4:8].hex() == "01010000" and data[8] == 7 and data[9] == 0x12
    assert data[14:16].hex() == "1230" and data[19:23].hex() == "04040021"
    assert data[23:56] == mot.issuer_key.public.data
    assert data[120:136] == b"ABCDEFGH01234567"
    assert data[154] == 2 and data[155:158].hex() == "010203"
    assert data[158:191] == mot.user.public.data
    assert int.from_bytes(data[191:195], "big") == NOW + 7 and data[195:197].hex() == "0258"
    assert data[197] == 0 and data[198] == 0x15
    assert int.from_bytes(data[263:267], "big") == NOW - 5 and data[267] == 0x15


def test_every_truncation_is_unreadable(mot: MotScheme) -> None:
    for extension in (b"", bytes(32)):
        data = mot.data(extension=extension)
        assert {mot.reason(data[:n]) for n in range(1, len(data))} == {"unreadable"}
        text = write_text(data)
        found = {mot.reason(text[:n]) for n in range(4, len(text))}
        assert found == {"unreadable"}


def test_no_byte_may_follow(mot: MotScheme) -> None:
    data = mot.data()
    assert mot.reason(data + b"\x00") == "unreadable"
    assert mot.reason(data + bytes(32)) == "unreadable"
    assert mot.reason(data[:1] + (330).to_bytes(2, "big") + data[3:] + b"\x00") == "unreadable"


@pytest.mark.parametrize("declared", [0, 1, 328, 330, 361, 65535])
def test_a_declared_length_other_than_the_real_one_is_unreadable(
    mot: MotScheme, declared: int
) -> None:
    data = bytearray(mot.data())
    data[1:3] = declared.to_bytes(2, "big")
    assert mot.reason(bytes(data)) == "unreadable"


@pytest.mark.parametrize("declared", [1, 31, 32, 33, 255])
def test_a_declared_extension_longer_than_the_real_one_is_unreadable(
    mot: MotScheme, declared: int
) -> None:
    data = bytearray(mot.data())
    data[197] = declared
    assert mot.reason(bytes(data)) == "unreadable"
    extended = bytearray(mot.data(extension=bytes(16)))
    extended[197] = declared % 16
    assert mot.reason(bytes(extended)) == "unreadable"


@pytest.mark.parametrize(
    ("offset", "value"),
    [(3, 0x25), (4, 0), (9, 0x13), (14, 0x00), (14, 0x13), (14, 0x0A), (15, 0xAA), (19, 0x05),
     (20, 0x03), (21, 0x01), (22, 0x20), (23, 0x04), (120, 0x1F), (135, 0x7F), (136, 0xA0),
     (154, 6), (158, 0x04), (198, 0x16), (267, 0x00)],
)  # fmt: skip
def test_a_constant_or_a_range_that_does_not_hold_is_unreadable(
    mot: MotScheme, offset: int, value: int
) -> None:
    data = bytearray(mot.data())
    data[offset] = value
    assert mot.reason(bytes(data)) == "unreadable"


def test_another_first_byte_is_an_unknown_version(mot: MotScheme) -> None:
    data = mot.data()
    for version in (0x00, 0x01, 0x7F, 0x82, 0xFF):
        assert mot.reason(bytes((version,)) + data[1:]) == "unknown_version"


def test_a_text_has_one_spelling(mot: MotScheme) -> None:
    text = write_text(mot.data())
    assert mot.reason(text) == "accepted"
    for other in (text.lower(), "MOT:" + text[4:].lower(), " " + text, text + "\n", text + " ",
                  text[:9] + "\u200b" + text[10:], "TP1:" + text[4:], text[4:]):  # fmt: skip
        assert mot.reason(other) == "unreadable"
    with pytest.raises(MalformedInput):
        read_text("MOT:" + ":" * 498)


def test_the_bytes_of_a_scanner_become_the_text(mot: MotScheme) -> None:
    data = mot.data()
    assert received.text_of(data) == write_text(data)
    assert received.text_of(b"TP1:ABC") == "TP1:ABC"
    assert mot.reason(received.text_of(b"\x82" + data[1:])) == "unreadable"
    assert mot.reason(received.text_of(b"\x80")) == "unreadable"


def test_the_rider_is_the_issuers_account_and_nothing_else(mot: MotScheme) -> None:
    def rider(data: bytes) -> str:
        return parse(data).authorisation.rider_id

    one = rider(mot.data())
    assert len(one) == 16 and int(one, 16)
    assert rider(mot.data(expires_at=NOW + 1, ceiling_fen=1, account_type=1)) == one
    assert rider(mot.data(account=b"3104870000000002")) != one
    assert rider(mot.data(issuer=mot.issuer(issuer_id=b"\x01\x05\x58\x41"))) != one
    known = layout.MotAuthorisation(0, b"\x01\x05\x58\x40", b"3104870000000001", b"", b"", b"", 0,
                                    0, b"", 0, 1)  # fmt: skip
    assert known.rider_id == "92035dd6a8a3b026"
