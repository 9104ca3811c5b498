"""Signatures of codes and batches: made low-s, checked strictly, by the key record's algorithm.

A signature is 64 raw bytes. ES256 is ECDSA on P-256 with SHA-256, r || s, each 32 bytes big
endian, 0 < r < n and 0 < s <= n/2. Ed25519 is R || S of RFC 8032, S < L. The tags keep an issuer
signature from ever being read as a device signature, or as one of another kind of message.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from transitpay.errors import MalformedInput
from transitpay.ride_code.id_field import write_id
from transitpay.ride_code.layout import (
    Authorisation,
    RideCode,
    encode_authorisation,
    encode_unsigned,
)
from transitpay.ride_code.mot.signing import Sm2Key, load_key

ISSUER_TAG = b"TransitPay/ride-code/issuer/v1\x00"
DEVICE_TAG = b"TransitPay/ride-code/device/v1\x00"
KEY_PROOF_TAG = b"TransitPay/issuer-key/v1\x00"
BATCH_TAG = b"TransitPay/batch/v1\x00"
READER_KEY_TAG = b"TransitPay/reader-key/v1\x00"
LIST_KEY_TAG = b"TransitPay/list-key/v1\x00"
LIST_TAG = b"TransitPay/list/v1\x00"

#: Order of the P-256 group; Source: FIPS 186-5 / SP 800-186, section 3.2.1.3.
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P256_HALF_ORDER = P256_ORDER // 2
#: Order L of the Ed25519 group; Source: RFC 8032, section 5.1.
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
#: Field prime and curve constant of Ed25519; Source: RFC 8032, section 5.1.
ED25519_PRIME = 2**255 - 19
ED25519_D = -121665 * pow(121666, -1, ED25519_PRIME) % ED25519_PRIME

_CURVE = ec.SECP256R1()
_ECDSA = ec.ECDSA(hashes.SHA256())


class Algorithm(StrEnum):
    """How an issuer signs; read from the key record, never from the code."""

    ES256 = "ES256"
    ED25519 = "Ed25519"
    #: The root of a second format, which no 200-byte code can name.
    SM2 = "SM2"


IssuerPrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
DevicePrivateKey = ec.EllipticCurvePrivateKey
DevicePublicKey = ec.EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class IssuerVerifier:
    """A loaded issuer public key; the type of the key is the algorithm."""

    public_key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | Sm2Key

    def accepts(self, signature: bytes, authorisation_bytes: bytes) -> bool:
        """Whether this issuer signed exactly these 65 bytes; a root of another format never did."""
        return self.verifies(signature, ISSUER_TAG + authorisation_bytes)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether this key signed exactly this message, whose tag says what it is."""
        if isinstance(self.public_key, ec.EllipticCurvePublicKey):
            return verify_es256(self.public_key, signature, message)
        if isinstance(self.public_key, Sm2Key):
            return False
        return verify_ed25519(self.public_key, signature, message)


def load_issuer_key(algorithm: Algorithm, public_key: bytes) -> IssuerVerifier:
    """Load an issuer's public key: 33 bytes (compressed P-256 or SM2 point), or 32 (Ed25519).

    An Ed25519 key of small order is refused: anybody could sign for it.

    Raises: MalformedInput (``bad_public_key``).
    """
    if algorithm is Algorithm.ES256:
        point = load_point(public_key)
        if point is None:
            raise MalformedInput(
                "bad_public_key", "not a compressed P-256 point", field="public_key"
            )
        return IssuerVerifier(point)
    if algorithm is Algorithm.SM2:
        key = load_key(public_key)
        if key is None:
            raise MalformedInput("bad_public_key", "not a compressed SM2 point", field="public_key")
        return IssuerVerifier(key)
    if not _is_sound_ed25519(public_key):
        raise MalformedInput("bad_public_key", "not a sound Ed25519 key", field="public_key")
    return IssuerVerifier(ed25519.Ed25519PublicKey.from_public_bytes(public_key))


def load_point(data: bytes) -> DevicePublicKey | None:
    """The P-256 key of a 33-byte compressed point, or None where there is no such point."""
    if len(data) != 33:
        return None
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, data)
    except ValueError:
        return None


def device_accepts(key: DevicePublicKey, signature: bytes, signed_bytes: bytes) -> bool:
    """Whether this device signed exactly these 136 bytes (always ES256)."""
    return verify_es256(key, signature, DEVICE_TAG + signed_bytes)


def verify_es256(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    """One ECDSA verification of a raw 64-byte signature; a high s is refused before it."""
    if len(signature) != 64:
        return False
    r = int.from_bytes(signature[:32], "big")
    s = int.from_bytes(signature[32:], "big")
    if not (0 < r < P256_ORDER and 0 < s <= P256_HALF_ORDER):
        return False
    try:
        key.verify(encode_dss_signature(r, s), message, _ECDSA)
    except InvalidSignature:
        return False
    return True


def verify_ed25519(key: ed25519.Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    """One Ed25519 verification; S >= L, the malleated form, is refused before it."""
    if len(signature) != 64 or int.from_bytes(signature[32:], "little") >= ED25519_ORDER:
        return False
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def proof_message(issuer: str, public_key: bytes) -> bytes:
    """What a wallet's key signs to prove that the wallet has its private half."""
    return KEY_PROOF_TAG + write_id(issuer) + public_key


def prove_possession(issuer: str, public_key: bytes, key: IssuerPrivateKey) -> bytes:
    """The proof with which ``issuer`` proposes its own key."""
    message = proof_message(issuer, public_key)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return _sign_es256(key, message)
    return key.sign(message)


def sign_authorisation(authorisation: Authorisation, key: IssuerPrivateKey) -> bytes:
    """The issuer's 64-byte signature of an authorisation."""
    message = ISSUER_TAG + encode_authorisation(authorisation)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return _sign_es256(key, message)
    return key.sign(message)


def sign_code(code: RideCode, key: DevicePrivateKey) -> RideCode:
    """The same code with its device signature."""
    message = DEVICE_TAG + encode_unsigned(code)
    return replace(code, device_signature=_sign_es256(key, message))


def sign_batch(head: bytes, key: DevicePrivateKey) -> bytes:
    """A reader's signature of the head of a sealed batch (its offsets 0-127)."""
    return _sign_es256(key, BATCH_TAG + head)


def batch_accepts(key: DevicePublicKey, signature: bytes, head: bytes) -> bool:
    """Whether this reader key signed exactly this head."""
    return verify_es256(key, signature, BATCH_TAG + head)


def prove_reader_key(reader: str, key: DevicePrivateKey) -> bytes:
    """A new reader key's proof that whoever sends it holds its private half.

    Raises: MalformedInput (``bad_id``).
    """
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return _sign_es256(key, READER_KEY_TAG + write_id(reader) + point)


def reader_key_proved(reader: str, public_key: bytes, proof: bytes) -> bool:
    """Whether ``proof`` is that of this key (33 bytes) for this reader.

    Raises: MalformedInput (``bad_id``).
    """
    key = load_point(public_key)
    message = READER_KEY_TAG + write_id(reader) + public_key
    return key is not None and verify_es256(key, proof, message)


def sign_tagged(key: ec.EllipticCurvePrivateKey, tag: bytes, message: bytes) -> bytes:
    """The 64-byte ES256 signature over a tag and a message of the reader protocol."""
    return _sign_es256(key, tag + message)


def tagged_accepts(public_key: bytes, tag: bytes, signature: bytes, message: bytes) -> bool:
    """Whether this key (33 bytes) signed exactly this message under this tag (ES256).

    False also where the bytes are no point of the curve.
    """
    point = load_point(public_key)
    return point is not None and verify_es256(point, signature, tag + message)


def low_s(der_signature: bytes) -> bytes:
    """The raw 64 bytes of a DER signature, with s replaced by n - s where s > n/2.

    Secure Enclave, StrongBox and WebCrypto return either form, so every signer needs this.
    """
    r, s = decode_dss_signature(der_signature)
    if s > P256_HALF_ORDER:
        s = P256_ORDER - s
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _is_sound_ed25519(data: bytes) -> bool:
    """Whether these are the canonical 32 bytes of a point of the curve, not of small order.

    With u = y^2 - 1 and v = d y^2 + 1 the point has x^2 = u/v. Its order divides 8 exactly where
    x = 0 (1, 2), y = 0 (4) or x^2 = -y^2 (8: its double has y = 0).

    Source: RFC 8032, sections 5.1.3 and 5.1.4.
    """
    p = ED25519_PRIME
    if len(data) != 32:
        return False
    y = int.from_bytes(data, "little") & ((1 << 255) - 1)
    u, v = (y * y - 1) % p, (ED25519_D * y * y + 1) % p
    is_point = pow(u * v, (p - 1) // 2, p) == 1  # u/v is a square where u v is one
    return y < p and is_point and y != 0 and (u + y * y * v) % p != 0


def _sign_es256(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    return low_s(key.sign(message, _ECDSA))
