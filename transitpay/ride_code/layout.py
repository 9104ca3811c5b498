"""The 200 bytes of a ride code and their text form: bytes <-> ``RideCode``, and nothing else.

All numbers are big endian. Offsets 0-64 are the authorisation (signed by the issuer), 65-128 the
issuer signature, 129-135 what the phone adds, 136-199 the device signature. Signatures are made
and checked over the bytes as they were received, never over a second encoding. The layout is
explained in docs/ride-code.md and frozen by the golden vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from transitpay.errors import MalformedInput
from transitpay.money import CNY, HKD, Currency, Money
from transitpay.ride_code import base45

VERSION = 1
PREFIX = "TP1:"
CODE_LENGTH = 200
#: ``PREFIX`` and 300 base45 characters.
TEXT_LENGTH = 304
AUTHORISATION_LENGTH = 65
#: What the device signs, after its tag: offsets 0-135.
DEVICE_SIGNED_LENGTH = 136
SIGNATURE_LENGTH = 64
#: The maximum code life is carried in units of 5 s.
CODE_LIFE_UNIT_S = 5

_AUTHORISATION = Struct(">BH8sI33sIBBHBHBBHH")
_DRAWING = Struct(">IHB")
_CODE = Struct(">BH8sI33sIBBHBHBBHH64sIHB64s")
assert _AUTHORISATION.size == AUTHORISATION_LENGTH and _CODE.size == CODE_LENGTH

_CURRENCIES = {1: HKD, 2: CNY}
_CURRENCY_NUMBERS = {HKD: 1, CNY: 2}


@dataclass(frozen=True, slots=True)
class Authorisation:
    """What an issuer allows one device to draw offline: the 65 bytes that the issuer signs.

    ``rider_id`` is 16 lower-case hexadecimal digits; ``device_key`` a compressed P-256 point;
    ``not_before`` UTC seconds since 1970; ``destinations`` and ``modes`` are bitmaps (bit n is
    destination or mode n); ``quota`` the highest counter that the device may use.

    Raises: MalformedInput (``unreadable_code``) naming the field that is out of its range.
    """

    key_id: int
    rider_id: str
    serial: int
    device_key: bytes
    not_before: int
    life_h: int
    code_life_s: int
    ceiling_major: int
    ceiling_currency: Currency
    destinations: int
    modes: int
    rider_class: int
    max_companions: int
    quota: int

    def __post_init__(self) -> None:
        if not (
            1 <= self.life_h <= 168
            and 5 <= self.code_life_s <= 600
            and self.code_life_s % CODE_LIFE_UNIT_S == 0
            and 0 <= self.max_companions <= 2
            and len(self.device_key) == 33
            and self.device_key[0] in (2, 3)
        ):
            raise _authorisation_refusal(self)

    @property
    def expires_at(self) -> int:
        """The first second (UTC since 1970) at which no more codes may be drawn."""
        return self.not_before + 3600 * self.life_h

    @property
    def ceiling(self) -> Money:
        """The highest fare that the issuer stands for, in minor units of its currency."""
        unit: int = 10**self.ceiling_currency.exponent
        return Money(self.ceiling_major * unit, self.ceiling_currency)


@dataclass(frozen=True, slots=True)
class RideCode:
    """One drawn code: an authorisation, its signature, and what the phone added.

    ``generated_at`` is UTC seconds since 1970; ``destination`` 0-15; ``slot`` 0 is the holder,
    1 and 2 are companions. An unsigned code has 64 zero bytes as its device signature.

    Raises: MalformedInput (``unreadable_code``) naming the field that is out of its range.
    """

    authorisation: Authorisation
    issuer_signature: bytes
    generated_at: int
    counter: int
    destination: int
    slot: int = 0
    device_signature: bytes = bytes(SIGNATURE_LENGTH)

    def __post_init__(self) -> None:
        if self.counter < 1:
            raise refusal("counter", "the counter starts at 1")
        if not 0 <= self.slot <= 2:
            raise refusal("slot", "a slot is 0, 1 or 2")


def parse(data: bytes) -> RideCode:
    """Read the 200 bytes of a code; every one of them is accounted for.

    Raises: MalformedInput (``unknown_version`` if only the version byte stands in the way of
    reading, ``unreadable_code`` for anything else), naming the field.
    """
    if len(data) != CODE_LENGTH:
        raise refusal("length", f"a code has exactly {CODE_LENGTH} bytes, not {len(data)}")
    (
        version, key_id, rider, serial, device_key, not_before, life, code_life, ceiling, unit,
        destinations, modes, packed, quota, reserved,
        issuer_signature, generated_at, counter, drawn, device_signature,
    ) = _CODE.unpack(data)  # fmt: skip
    if version != VERSION:
        raise MalformedInput("unknown_version", f"version {version} is not 1", field="version")
    if packed & 0x03 or reserved or drawn & 0x03:
        raise refusal("reserved", "reserved bits must be zero")
    if unit not in _CURRENCIES:
        raise refusal("ceiling_currency", "the ceiling currency is 1 (HKD) or 2 (CNY)")
    authorisation = Authorisation(
        key_id, rider.hex(), serial, device_key, not_before, life, code_life * CODE_LIFE_UNIT_S,
        ceiling, _CURRENCIES[unit], destinations, modes, packed >> 4, packed >> 2 & 3, quota,
    )  # fmt: skip
    return RideCode(
        authorisation, issuer_signature, generated_at, counter,
        drawn >> 4, drawn >> 2 & 3, device_signature,
    )  # fmt: skip


#: What stands after the 65 bytes where nothing is signed or drawn yet; counters begin at 1.
_NOT_DRAWN = bytes(SIGNATURE_LENGTH + 4) + b"\x00\x01" + bytes(1 + SIGNATURE_LENGTH)


def parse_authorisation(data: bytes) -> Authorisation:
    """Read the 65 bytes that an issuer signs (after its tag).

    Raises: as ``parse``.
    """
    if len(data) != AUTHORISATION_LENGTH:
        raise refusal("length", f"an authorisation has exactly {AUTHORISATION_LENGTH} bytes")
    return parse(data + _NOT_DRAWN).authorisation


def encode_authorisation(it: Authorisation) -> bytes:
    """The 65 bytes that the issuer signs (after its tag).

    Raises: MalformedInput (``unreadable_code``) if a number does not fit its field.
    """
    _fits("rider_class", it.rider_class, 4)
    for field, bits in _WIDTHS.items():
        _fits(field, getattr(it, field), bits)
    return _AUTHORISATION.pack(
        VERSION, it.key_id, rider_bytes(it.rider_id), it.serial, it.device_key, it.not_before,
        it.life_h, it.code_life_s // CODE_LIFE_UNIT_S, it.ceiling_major,
        _CURRENCY_NUMBERS[it.ceiling_currency], it.destinations, it.modes,
        it.rider_class << 4 | it.max_companions << 2, it.quota, 0,
    )  # fmt: skip


def encode_unsigned(code: RideCode) -> bytes:
    """Offsets 0-135: what the device signs (after its tag).

    Raises: MalformedInput (``unreadable_code``) if a number does not fit its field.
    """
    _fits("generated_at", code.generated_at, 32)
    _fits("counter", code.counter, 16)
    _fits("destination", code.destination, 4)
    if len(code.issuer_signature) != SIGNATURE_LENGTH:
        raise refusal("issuer_signature", "a signature has 64 bytes")
    drawing = _DRAWING.pack(code.generated_at, code.counter, code.destination << 4 | code.slot << 2)
    return encode_authorisation(code.authorisation) + code.issuer_signature + drawing


def encode(code: RideCode) -> bytes:
    """The 200 bytes of a code; ``parse(encode(code)) == code``.

    Raises: MalformedInput (``unreadable_code``) if a number does not fit its field.
    """
    if len(code.device_signature) != SIGNATURE_LENGTH:
        raise refusal("device_signature", "a signature has 64 bytes")
    return encode_unsigned(code) + code.device_signature


def write_text(data: bytes) -> str:
    """The text that the QR code carries: ``TP1:`` and 300 base45 characters."""
    return PREFIX + base45.encode(data)


def read_text(text: str) -> bytes:
    """The 200 bytes of a code's text; there is one spelling, and nothing is trimmed.

    Raises: MalformedInput (``unreadable_code``, ``bad_base45``).
    """
    if len(text) != TEXT_LENGTH:
        raise refusal("text", f"a code has exactly {TEXT_LENGTH} characters")
    if not text.startswith(PREFIX):
        raise refusal("text", f"a code begins with {PREFIX}")
    return base45.decode(text[len(PREFIX) :])


def rider_bytes(rider_id: str) -> bytes:
    """The 8 bytes of a rider id.

    Raises: MalformedInput (``unreadable_code``) unless it is 16 lower-case hexadecimal digits.
    """
    if len(rider_id) != 16 or not set(rider_id) <= set("0123456789abcdef"):
        raise refusal("rider_id", "a rider id is 16 lower-case hexadecimal digits")
    return bytes.fromhex(rider_id)


def refusal(field: str, why: str) -> MalformedInput:
    """The error of bytes or values that are no ride code."""
    return MalformedInput("unreadable_code", why, field=field)


_WIDTHS = {
    "key_id": 16,
    "serial": 32,
    "not_before": 32,
    "ceiling_major": 16,
    "destinations": 16,
    "modes": 8,
    "quota": 16,
}


def _fits(field: str, value: int, bits: int) -> None:
    if not 0 <= value < 1 << bits:
        raise refusal(field, f"{value} does not fit {bits} bits")


def _authorisation_refusal(it: Authorisation) -> MalformedInput:
    """Which field of an authorisation is out of its range; apart, so that reading stays fast."""
    if not 1 <= it.life_h <= 168:
        return refusal("life_h", "an authorisation lives 1 to 168 hours")
    if not 5 <= it.code_life_s <= 600 or it.code_life_s % CODE_LIFE_UNIT_S:
        return refusal("code_life_s", "a code lives 5 to 600 seconds, in steps of 5")
    if not 0 <= it.max_companions <= 2:
        return refusal("max_companions", "a holder has at most 2 companions")
    return refusal("device_key", "a device key is 33 bytes and begins with 02 or 03")
