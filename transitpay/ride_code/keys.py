"""Keys of issuers, devices and wire partners: made here, and read and written as PEM bytes.

No file is opened in this module; the command line decides where a key lives and who may read it.
"""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from transitpay.errors import MalformedInput
from transitpay.ride_code.signing import Algorithm, DevicePrivateKey, IssuerPrivateKey

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def generate_issuer_key(algorithm: Algorithm = Algorithm.ES256) -> IssuerPrivateKey:
    """A new issuer key of this algorithm.

    Raises: MalformedInput (``bad_private_key``) for SM2, whose roots are made by others.
    """
    if algorithm is Algorithm.SM2:
        raise MalformedInput("bad_private_key", "no SM2 key is made here", field="algorithm")
    if algorithm is Algorithm.ED25519:
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


def generate_device_key() -> DevicePrivateKey:
    """A new P-256 key, as a phone makes one for each authorisation."""
    return ec.generate_private_key(ec.SECP256R1())


def generate_partner_key() -> rsa.RSAPrivateKey:
    """A new RSA-2048 key for the wallet wire protocol."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def algorithm_of(key: IssuerPrivateKey) -> Algorithm:
    """The algorithm that this private key signs with."""
    return Algorithm.ES256 if isinstance(key, ec.EllipticCurvePrivateKey) else Algorithm.ED25519


def public_bytes(key: IssuerPrivateKey) -> bytes:
    """The public half as key records carry it: 33 bytes (compressed P-256), or 32 (Ed25519)."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
        )
    return key.public_key().public_bytes_raw()


def private_pem(key: PrivateKey) -> bytes:
    """The private key as unencrypted PKCS #8 PEM; whoever stores it guards it."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public_pem(key: PrivateKey) -> bytes:
    """The public key as SubjectPublicKeyInfo PEM."""
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def load_issuer_pem(pem: bytes) -> IssuerPrivateKey:
    """An issuer's private key: P-256 or Ed25519.

    Raises: MalformedInput (``bad_private_key``).
    """
    key = _load(pem)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    return _p256(key)


def load_device_pem(pem: bytes) -> DevicePrivateKey:
    """A device's private key: P-256.

    Raises: MalformedInput (``bad_private_key``).
    """
    return _p256(_load(pem))


def _p256(key: object) -> ec.EllipticCurvePrivateKey:
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise MalformedInput("bad_private_key", "the key is of another kind than asked for")


def _load(pem: bytes) -> object:
    try:
        return serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise MalformedInput("bad_private_key", "not an unencrypted PEM private key") from None
