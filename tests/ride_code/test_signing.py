"""Signers always write the low s, and keys survive their PEM form."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from ride_code_scheme import Scheme

from transitpay.errors import MalformedInput
from transitpay.ride_code import keys, signing
from transitpay.ride_code.signing import Algorithm

N = signing.P256_ORDER


def test_a_high_s_is_replaced_by_its_complement_and_a_low_one_kept() -> None:
    half = signing.P256_HALF_ORDER
    for s, low in ((half, half), (half + 1, N - half - 1), (1, 1), (N - 1, 1)):
        raw = signing.low_s(encode_dss_signature(5, s))
        assert (int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")) == (5, low)


def test_signatures_are_64_bytes_with_a_low_s(scheme: Scheme) -> None:
    for _ in range(16):  # half of all signatures come out high
        signature = scheme.code().device_signature
        assert len(signature) == 64
        assert int.from_bytes(signature[32:], "big") <= signing.P256_HALF_ORDER


@pytest.mark.parametrize("algorithm", [Algorithm.ES256, Algorithm.ED25519])
def test_an_issuer_key_survives_pem(algorithm: Algorithm) -> None:
    key = keys.generate_issuer_key(algorithm)
    again = keys.load_issuer_pem(keys.private_pem(key))
    assert keys.public_bytes(again) == keys.public_bytes(key)
    assert keys.algorithm_of(again) is algorithm
    assert len(keys.public_bytes(key)) == (33 if algorithm is Algorithm.ES256 else 32)
    assert keys.public_pem(key).startswith(b"-----BEGIN PUBLIC KEY-----")


def test_a_key_of_another_kind_is_refused() -> None:
    with pytest.raises(MalformedInput):
        keys.load_device_pem(keys.private_pem(keys.generate_issuer_key(Algorithm.ED25519)))
    with pytest.raises(MalformedInput):
        keys.load_issuer_pem(b"no key")
    with pytest.raises(MalformedInput):
        keys.load_issuer_pem(keys.private_pem(keys.generate_partner_key()))


def test_the_algorithm_comes_from_the_key_record_alone() -> None:
    point = keys.public_bytes(keys.generate_issuer_key(Algorithm.ES256))
    with pytest.raises(MalformedInput):
        signing.load_issuer_key(Algorithm.ED25519, point)
    with pytest.raises(MalformedInput):
        signing.load_issuer_key(Algorithm.ES256, point[1:])


#: A point of order 8: its double has y = 0, on the curve of RFC 8032.
_ORDER_8 = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
_P = signing.ED25519_PRIME


@pytest.mark.parametrize(
    "public_key",
    [
        pytest.param(bytes([1]) + bytes(31), id="identity"),
        pytest.param((_P - 1).to_bytes(32, "little"), id="order 2"),
        pytest.param(bytes(32), id="order 4"),
        pytest.param(bytes(31) + b"\x80", id="order 4, other sign"),
        pytest.param(_ORDER_8, id="order 8"),
        pytest.param((_P - int.from_bytes(_ORDER_8, "little")).to_bytes(32, "little"),
                     id="order 8, negated y"),
        pytest.param((_P + 1).to_bytes(32, "little"), id="identity, spelled above the prime"),
        pytest.param((_P + 3).to_bytes(32, "little"), id="point, spelled above the prime"),
        pytest.param(bytes([2]) + bytes(31), id="no point"),
        pytest.param(b"\xff" * 32, id="all ones"),
    ],
)  # fmt: skip
def test_case_22_an_ed25519_key_for_which_anybody_could_sign_is_never_loaded(
    public_key: bytes,
) -> None:
    with pytest.raises(MalformedInput) as caught:
        signing.load_issuer_key(Algorithm.ED25519, public_key)
    assert caught.value.code == "bad_public_key"


def test_the_ed25519_key_with_y_3_is_sound_and_generated_keys_are() -> None:
    signing.load_issuer_key(Algorithm.ED25519, bytes([3]) + bytes(31))
    for _ in range(20):
        key = keys.generate_issuer_key(Algorithm.ED25519)
        signing.load_issuer_key(Algorithm.ED25519, keys.public_bytes(key))
