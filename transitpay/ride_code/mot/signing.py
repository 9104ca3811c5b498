"""SM2 signatures with SM3, under the default user id: checked strictly, 64 raw bytes r || s.

Verifying needs public values alone, so it is done here, in whole numbers; why, stands in
docs/decisions. There is no low-s rule: unlike ECDSA, SM2 has no second signature that anybody
could make of a first.

Source: GB/T 32918.2 (the signature), GB/T 32905 (SM3), GM/T 0009 (the user id).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes

from transitpay.ride_code.mot import curve
from transitpay.ride_code.mot.curve import ORDER, Affine

USER_ID = b"1234567812345678"


def _field(value: int) -> bytes:
    return int(value).to_bytes(32, "big")


_IDENTITY_HEAD = (
    (8 * len(USER_ID)).to_bytes(2, "big")
    + USER_ID
    + b"".join(map(_field, (curve.P - 3, curve.B, *curve.GENERATOR)))
)


@dataclass(frozen=True, slots=True)
class Sm2Key:
    """A loaded public key: 33 bytes that are a point, what SM3 begins with, and its multiples."""

    data: bytes
    identity: bytes = field(repr=False, compare=False)
    multiples: Sequence[Affine] = field(repr=False, compare=False)


def available() -> bool:
    """Whether codes of this format are judged here: fast integers (the extra ``mot``) and SM3."""
    if not curve.FAST:
        return False
    try:
        hashes.Hash(hashes.SM3())
    except UnsupportedAlgorithm:
        return False
    return True


def load_key(data: bytes) -> Sm2Key | None:
    """The key of a 33-byte compressed point, or None where there is no such point."""
    point = curve.decompress(data)
    if point is None:
        return None
    identity = _sm3(_IDENTITY_HEAD + _field(point[0]) + _field(point[1]))
    return Sm2Key(data, identity, curve.multiples(point))


def verify(key: Sm2Key, signature: bytes, message: bytes) -> bool:
    """One SM2 verification of a raw 64-byte signature."""
    if len(signature) != 64:
        return False
    r = int.from_bytes(signature[:32], "big")
    s = int.from_bytes(signature[32:], "big")
    t = (r + s) % ORDER
    if not (0 < r < ORDER and 0 < s < ORDER and t):
        return False
    point = curve.sum_of_multiples(s, t, key.multiples)
    return point is not None and (digest(key, message) + point[0] - r) % ORDER == 0


def digest(key: Sm2Key, message: bytes) -> int:
    """What is signed of a message: SM3 over the signer's identity and the message."""
    return int.from_bytes(_sm3(key.identity + message), "big")


def _sm3(data: bytes) -> bytes:
    state = hashes.Hash(hashes.SM3())
    state.update(data)
    return state.finalize()
