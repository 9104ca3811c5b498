"""Texts and bytes that are no code: refused by name, quickly, without a signature being checked."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from time import process_time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from ride_code_scheme import Crypto, Scheme

from transitpay.ride_code import base45, keys, signing
from transitpay.ride_code.layout import write_text

#: What people, scanners and attackers do to a text whose bytes they leave alone.
RESPELLED: dict[str, Callable[[str], str]] = {
    "lower case": str.lower,
    "prefix in lower case": lambda t: "tp1:" + t[4:],
    "one letter in lower case": lambda t: t[:40] + t[40:].replace("A", "a", 1),
    "leading space": lambda t: " " + t,
    "trailing space": lambda t: t + " ",
    "leading space, same length": lambda t: " " + t[:-1],
    "newline": lambda t: t + "\n",
    "carriage return": lambda t: t + "\r",
    "newline inside": lambda t: t[:150] + "\n" + t[150:],
    "byte order mark": lambda t: "\ufeff" + t,
    "no prefix": lambda t: t[4:],
    "prefix twice": lambda t: "TP1:" + t,
    "full-width": lambda t: "".join(chr(ord(c) + 0xFEE0) if c != " " else "\u3000" for c in t),
    "percent-encoded": lambda t: t.replace(":", "%3A"),
    "hexadecimal": lambda t: base45.decode(t[4:]).hex(),
    "last triplet above 65535": lambda t: t[:-3] + "GGW",
    "last pair spelled as a triplet": lambda t: t[:-3] + t[-3:-1] + "0:",
}
STRANGE = {
    "NUL": "\0", "Arabic-Indic digit": "\u0661", "full-width digit": "\uff11",
    "mathematical digit": "\U0001d7d9", "superscript": "\u00b9", "right-to-left": "\u202e",
    "Arabic letter": "\u0627", "lone surrogate": "\ud800", "emoji": "\U0001f687",
    "zero-width space": "\u200b", "combining accent": "\u0301", "Kelvin sign": "\u212a",
}  # fmt: skip


@pytest.mark.parametrize("how", RESPELLED)
def test_case_08_the_same_bytes_in_another_spelling_are_no_code(
    scheme: Scheme, crypto: Crypto, how: str
) -> None:
    text, trust = write_text(scheme.data()), scheme.trust()
    other = RESPELLED[how](text)
    assert other != text
    crypto.reset()
    assert scheme.reason(other, trust=trust) == "unreadable"
    assert (crypto.verifications, crypto.key_loads) == (0, 0)


@pytest.mark.parametrize("more", [1, 2, 3, 6, 300])
def test_case_25_trailing_bytes_are_refused(scheme: Scheme, more: int) -> None:
    text = write_text(scheme.data())
    assert scheme.reason(text + "0" * more) == "unreadable"
    assert scheme.reason(write_text(scheme.data() + bytes(more))) == "unreadable"


def test_case_26_every_truncation_is_refused(scheme: Scheme, crypto: Crypto) -> None:
    data, trust = scheme.data(), scheme.trust()
    text = write_text(data)
    crypto.reset()
    for length in range(200):
        assert scheme.reason(data[:length], trust=trust) == "unreadable"
        assert scheme.reason(data[200 - length :], trust=trust) == "unreadable"
    for length in range(304):
        assert scheme.reason(text[:length], trust=trust) == "unreadable"
    assert (crypto.verifications, crypto.key_loads) == (0, 0)


@pytest.mark.parametrize("filling", ["0", ":", "\0", "\U0001f687"])
def test_case_28_sixteen_megabytes_are_refused_by_their_length_alone(
    scheme: Scheme, filling: str
) -> None:
    text, trust = "TP1:" + filling * 16_000_000, scheme.trust()
    before = process_time()
    assert all(scheme.reason(text, trust=trust) == "unreadable" for _ in range(100))
    assert process_time() - before < 5, "that is 50 ms each, for what takes microseconds"


def test_case_29_every_other_version_is_told_as_such(scheme: Scheme) -> None:
    data = scheme.data()
    for version in {*range(256)} - {1}:
        assert scheme.reason(bytes([version]) + data[1:]) == "unknown_version"
    assert scheme.reason(b"\x02" + bytes(199)) == "unknown_version", "whatever else it holds"
    assert scheme.reason("TP2:" + write_text(data)[4:]) == "unreadable"


@pytest.mark.parametrize("what", STRANGE)
def test_case_30_no_strange_character_is_read_as_another(scheme: Scheme, what: str) -> None:
    text, strange = write_text(scheme.data()), STRANGE[what]
    for place in (0, 3, 4, 5, 6, 150, 303):
        assert scheme.reason(text[:place] + strange + text[place + 1 :]) == "unreadable"
        assert scheme.reason(text[:place] + strange + text[place:]) == "unreadable"
    assert scheme.reason(strange * 304) == "unreadable"


def test_lesson_7_a_compressed_code_is_no_code(scheme: Scheme) -> None:
    bomb = zlib.compress(bytes(10_000_000), 9)
    for data in (zlib.compress(scheme.data(), 9), bomb, bomb[:200], b"\x78\xda" + bytes(198)):
        assert scheme.reason(data) in ("unreadable", "unknown_version")
    assert scheme.reason("TP1:" + base45.encode(bomb)) == "unreadable"


def test_lesson_8_whoever_copies_all_codes_and_lists_still_draws_none(scheme: Scheme) -> None:
    seen, public = scheme.code(), scheme.record(1).public_key
    secrets = [
        keys.generate_device_key(),
        *(signing_key(copied) for copied in (public, seen.authorisation.device_key)),
    ]
    for key in secrets:
        fresh = replace(seen, counter=seen.counter + 1)
        assert scheme.reason(signing.sign_code(fresh, key)) == "bad_device_signature"
        own = scheme.code(device_key=key, issuer_key=key, counter=2)
        assert scheme.reason(own) == "bad_issuer_signature"


def signing_key(copied: bytes) -> ec.EllipticCurvePrivateKey:
    """Bytes that everybody may read, used as if they were a secret."""
    return ec.derive_private_key(int.from_bytes(copied[1:], "big") % 2**255, ec.SECP256R1())
