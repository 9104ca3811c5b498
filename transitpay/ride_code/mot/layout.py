"""The bytes of a Ministry of Transport code and their text form: bytes <-> ``MotCode``.

332 to 364 bytes, big endian, at fixed offsets but for one extension of 0 to 32 bytes. Every byte
is accounted for: constants must hold, declared lengths must be the real ones. Signatures are
checked over the bytes as received. The layout is explained in docs/reference/mot-code.md.

Source: the public descriptions of the transport card QR code; issuer certificates as in
JR/T 0025 with SM2.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from struct import Struct

from transitpay.errors import MalformedInput
from transitpay.money import CNY, Currency, Money
from transitpay.ride_code import base45

INTEROPERABLE, LOCAL = 0x80, 0x81
PREFIX = "MOT:"
CERTIFICATE_LENGTH = 117
MAX_EXTENSION = 32
MIN_LENGTH, MAX_LENGTH = 332, 332 + MAX_EXTENSION
#: ``MOT:`` and base45: 3 characters for 2 bytes, 2 for a last single one.
MIN_TEXT_LENGTH, MAX_TEXT_LENGTH = len(PREFIX) + 498, len(PREFIX) + 546
#: The trust list calls root n of interoperable and of local codes by these key ids plus n.
INTEROPERABLE_ROOTS, LOCAL_ROOTS = 0xFF00, 0xFE00
#: The account type of codes that no real gate opens for.
TEST_ACCOUNT = 4

_HEAD = Struct(">BH117s")
_CERTIFICATE = Struct(">B4sBB4s2s3sBBBB33s64s")
_AUTHORISED = Struct(">16s10s4s4sB3s33sIHB")
_SIGNATURE = Struct(">B64s")
_BEGIN = 120
_EXTENSION_AT = _BEGIN + _AUTHORISED.size
assert _CERTIFICATE.size == CERTIFICATE_LENGTH and _EXTENSION_AT == 198

_RECORD_MARK, _SERVICE, _FORMAT = 0x24, bytes.fromhex("01010000"), 0x12
_SM2, _NO_PARAMETER, _KEY_LENGTH, _SIGNATURE_MARK = 0x04, 0x00, 0x21, 0x15
#: What the root signs of a certificate: from its format byte to the key.
ROOT_SIGNED = slice(6, 53)
_RIDER_TAG = b"TransitPay/mot-rider/v1\x00"
_CHINA = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a root says of one issuer. ``expires`` is (year, month), its last valid month."""

    root: int
    issuer_id: bytes
    expires: tuple[int, int]
    serial: bytes
    public_key: bytes
    signature: bytes

    @property
    def not_after(self) -> datetime:
        """The first instant at which it is no longer valid: the end of its month in China."""
        year, month = self.expires
        return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=_CHINA)


@dataclass(frozen=True, slots=True)
class MotAuthorisation:
    """What an issuer allows one user key to draw offline.

    Beside its own fields stand those that the rules ask of every format: the serial is the
    expiry, which rises with each new authorisation; places are bounded by the trust list alone.
    """

    key_id: int
    issuer_id: bytes
    account: bytes
    card_account: bytes
    issuing_org: bytes
    platform_org: bytes
    account_type: int
    ceiling_fen: int
    device_key: bytes
    expires_at: int
    code_life_s: int
    extension: bytes = b""
    not_before: int = 0
    destinations: int = 0xFFFF
    modes: int = 0xFF
    max_companions: int = 0
    quota: int = 0

    @property
    def serial(self) -> int:
        """A later authorisation of the same account expires later."""
        return self.expires_at

    @property
    def rider_id(self) -> str:
        """16 hexadecimal digits of SHA-256 over tag, issuer and payment account."""
        named = _RIDER_TAG + self.issuer_id + self.account
        return hashlib.sha256(named).hexdigest()[:16]

    @property
    def ceiling_currency(self) -> Currency:
        """Always yuan."""
        return CNY

    @property
    def ceiling(self) -> Money:
        """The highest fare of a single ride that the issuer stands for."""
        return Money(self.ceiling_fen, CNY)


@dataclass(frozen=True, slots=True)
class MotCode:
    """One drawn code. It names no destination (None = the reader's) and no companion."""

    certificate: Certificate
    authorisation: MotAuthorisation
    issuer_signature: bytes
    generated_at: int
    device_signature: bytes
    destination: None = None
    slot: int = 0
    counter: int = 0

    @property
    def is_test(self) -> bool:
        """Whether the account is one for tests."""
        return self.authorisation.account_type == TEST_ACCOUNT

    @property
    def issuer_signed(self) -> slice:
        """The bytes that the issuer signs; its marked signature follows them."""
        return slice(_BEGIN, _EXTENSION_AT + len(self.authorisation.extension))

    @property
    def certificate_bytes(self) -> slice:
        """The bytes of the issuer certificate."""
        return slice(_BEGIN - CERTIFICATE_LENGTH, _BEGIN)


def parse(data: bytes) -> MotCode:
    """Read a code; every byte is accounted for.

    Raises: MalformedInput (``unknown_version`` if the first byte is none of this format's,
    ``unreadable_code`` for anything else), naming the field.
    """
    if data[:1] not in (b"\x80", b"\x81"):
        raise MalformedInput("unknown_version", "begins with neither 80 nor 81", field="version")
    if not MIN_LENGTH <= len(data) <= MAX_LENGTH:
        raise _refusal("length", f"a code has {MIN_LENGTH} to {MAX_LENGTH} bytes")
    version, length, certificate_bytes = _HEAD.unpack_from(data)
    if length != len(data) - 3:
        raise _refusal("length", "the declared length is not the real one")
    certificate = _read_certificate(certificate_bytes)
    (
        account, card_account, issuing_org, platform_org, account_type, ceiling, user_key,
        expires_at, life_s, extension_length,
    ) = _AUTHORISED.unpack_from(data, _BEGIN)  # fmt: skip
    if extension_length != len(data) - MIN_LENGTH:
        raise _refusal("extension", "the declared length is not the real one")
    end = _EXTENSION_AT + extension_length
    issuer_mark, issuer_signature = _SIGNATURE.unpack_from(data, end)
    generated_at = int.from_bytes(data[end + 65 : end + 69], "big")
    user_mark, user_signature = _SIGNATURE.unpack_from(data, end + 69)
    if issuer_mark != _SIGNATURE_MARK or user_mark != _SIGNATURE_MARK:
        raise _refusal("signature", "a signature begins with 15")
    if account_type > 5:
        raise _refusal("account_type", "an account type is 0 to 5")
    if not all(0x20 <= c < 0x7F for c in account):
        raise _refusal("account", "a payment account is ASCII")
    if not _is_card_account(card_account):
        raise _refusal("card_account", "a card account is decimal digits, padded with F")
    if user_key[0] not in (2, 3):
        raise _refusal("user_key", "a user key is a compressed point")
    if not life_s:
        raise _refusal("code_life", "a code lives for a second at least")
    roots = INTEROPERABLE_ROOTS if version == INTEROPERABLE else LOCAL_ROOTS
    authorisation = MotAuthorisation(
        roots + certificate.root, certificate.issuer_id, account, card_account, issuing_org,
        platform_org, account_type, int.from_bytes(ceiling, "big"), user_key, expires_at, life_s,
        bytes(data[_EXTENSION_AT:end]),
    )  # fmt: skip
    return MotCode(certificate, authorisation, issuer_signature, generated_at, user_signature)


def write_text(data: bytes) -> str:
    """The text that stands for the bytes of a code wherever a code is a text."""
    return PREFIX + base45.encode(data)


def read_text(text: str) -> bytes:
    """The bytes of a code's text; there is one spelling, and nothing is trimmed.

    Raises: MalformedInput (``unreadable_code``, ``bad_base45``).
    """
    if not MIN_TEXT_LENGTH <= len(text) <= MAX_TEXT_LENGTH:
        raise _refusal("text", f"a code has {MIN_TEXT_LENGTH} to {MAX_TEXT_LENGTH} characters")
    if not text.startswith(PREFIX):
        raise _refusal("text", f"a code begins with {PREFIX}")
    return base45.decode(text[len(PREFIX) :])


def encode_certificate_unsigned(it: Certificate) -> bytes:
    """The first 53 bytes of a certificate; ``ROOT_SIGNED`` of them is what the root signs."""
    year, month = it.expires
    return _CERTIFICATE.pack(
        _RECORD_MARK, _SERVICE, it.root, _FORMAT, it.issuer_id,
        bytes.fromhex(f"{month:02}{year % 100:02}"), it.serial, _SM2, _SM2, _NO_PARAMETER,
        _KEY_LENGTH, it.public_key, bytes(64),
    )[:-64]  # fmt: skip


def encode_authorisation(it: MotAuthorisation) -> bytes:
    """What the issuer signs: payment account to extension."""
    return _AUTHORISED.pack(
        it.account, it.card_account, it.issuing_org, it.platform_org, it.account_type,
        it.ceiling_fen.to_bytes(3, "big"), it.device_key, it.expires_at, it.code_life_s,
        len(it.extension),
    ) + it.extension  # fmt: skip


def encode_unsigned(code: MotCode) -> bytes:
    """All bytes up to the user's signature: what the user key signs."""
    certificate = encode_certificate_unsigned(code.certificate) + code.certificate.signature
    it = code.authorisation
    local = it.key_id < INTEROPERABLE_ROOTS
    length = MIN_LENGTH + len(it.extension) - 3
    return (
        _HEAD.pack(LOCAL if local else INTEROPERABLE, length, certificate)
        + encode_authorisation(it)
        + _SIGNATURE.pack(_SIGNATURE_MARK, code.issuer_signature)
        + code.generated_at.to_bytes(4, "big")
    )


def encode(code: MotCode) -> bytes:
    """The bytes of a code; ``parse(encode(code)) == code``."""
    return encode_unsigned(code) + _SIGNATURE.pack(_SIGNATURE_MARK, code.device_signature)


def _read_certificate(data: bytes) -> Certificate:
    (
        mark, service, root, form, issuer_id, expiry, serial, sign_algorithm, key_algorithm,
        parameter, key_length, public_key, signature,
    ) = _CERTIFICATE.unpack(data)  # fmt: skip
    constants = (mark, service, form, sign_algorithm, key_algorithm, parameter, key_length)
    if constants != (_RECORD_MARK, _SERVICE, _FORMAT, _SM2, _SM2, _NO_PARAMETER, _KEY_LENGTH):
        raise _refusal("certificate", "a constant of the issuer certificate does not hold")
    digits = expiry.hex()
    if not digits.isdecimal() or not 1 <= int(digits[:2]) <= 12:
        raise _refusal("certificate", "its expiry is no month")
    if public_key[0] not in (2, 3):
        raise _refusal("certificate", "its key is no compressed point")
    expires = (2000 + int(digits[2:]), int(digits[:2]))
    return Certificate(root, issuer_id, expires, serial, public_key, signature)


def _is_card_account(data: bytes) -> bool:
    digits = data.hex().rstrip("f")
    return digits.isdecimal() and digits.isascii()


def _refusal(field: str, why: str) -> MalformedInput:
    return MalformedInput("unreadable_code", why, field=field)
