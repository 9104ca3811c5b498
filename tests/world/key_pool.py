"""Keys and signatures that are real and yet the same in every run of a seed.

Scalars come from a label, signatures are deterministic (RFC 6979). Test keys, made here at run
time; nobody outside these tests may trust one.
"""

from __future__ import annotations

import hashlib
from functools import cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from transitpay.ride_code.signing import P256_ORDER

_DETERMINISTIC = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)


class RepeatableKey(ec.EllipticCurvePrivateKey):
    """A P-256 private key whose signature over a message is always the same."""

    def __init__(self, label: str) -> None:
        number = int.from_bytes(hashlib.sha512(f"world:{label}".encode()).digest(), "big")
        self._key = ec.derive_private_key(1 + number % (P256_ORDER - 1), ec.SECP256R1())

    def sign(self, data: bytes, signature_algorithm: object) -> bytes:
        assert isinstance(signature_algorithm, ec.ECDSA)
        return self._key.sign(data, _DETERMINISTIC)

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._key.public_key()

    def exchange(self, algorithm, peer_public_key) -> bytes:
        return self._key.exchange(algorithm, peer_public_key)

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._key.curve

    @property
    def key_size(self) -> int:
        return 256

    def private_numbers(self):
        return self._key.private_numbers()

    def private_bytes(self, encoding, format, encryption_algorithm) -> bytes:
        return self._key.private_bytes(encoding, format, encryption_algorithm)

    def __copy__(self) -> RepeatableKey:
        return self

    def __deepcopy__(self, memo: object) -> RepeatableKey:
        return self


@cache
def repeatable_key(label: str) -> RepeatableKey:
    """The key of this label; one label, one key."""
    return RepeatableKey(label)
