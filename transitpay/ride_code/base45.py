"""Base45 of RFC 9285, strict: bytes <-> the alphanumeric characters of a QR code.

Every byte string has exactly one spelling and every other spelling is refused: a character
outside the alphabet (lower case included), a triplet above 65535, a pair above 255, and one
lone trailing character.

Source: RFC 9285, sections 4 and 6.
"""

from __future__ import annotations

from functools import lru_cache

from transitpay.errors import MalformedInput

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

_FOREIGN = 0xFF
_VALUES = bytes(
    ALPHABET.index(chr(c)) if c < 128 and chr(c) in ALPHABET else _FOREIGN for c in range(256)
)


def encode(data: bytes) -> str:
    """The base45 text of ``data``: 3 characters for 2 bytes, 2 for a last single byte.

    Worked: ``encode(b"AB")`` is ``"BB8"`` (0x4142 = 11 + 11 x 45 + 8 x 2025).
    """
    out: list[str] = []
    for i in range(0, len(data) - 1, 2):
        high, rest = divmod(data[i] << 8 | data[i + 1], 2025)
        middle, low = divmod(rest, 45)
        out += (ALPHABET[low], ALPHABET[middle], ALPHABET[high])
    if len(data) % 2:
        high, low = divmod(data[-1], 45)
        out += (ALPHABET[low], ALPHABET[high])
    return "".join(out)


def decode(text: str) -> bytes:
    """The bytes that ``text`` spells.

    Raises: MalformedInput (``bad_base45``); the message never repeats the text.
    """
    if not text.isascii():
        raise _refusal("a character outside the base45 alphabet")
    values = text.encode("ascii").translate(_VALUES)
    if _FOREIGN in values:
        raise _refusal("a character outside the base45 alphabet")
    lone = len(values) % 3
    if lone == 1:
        raise _refusal("one lone trailing character")
    whole = _decode_triplets(values[: len(values) - lone])
    if not lone:
        return whole
    last = values[-2] + 45 * values[-1]
    if last > 0xFF:
        raise _refusal("a pair above 255")
    return whole + bytes((last,))


def _decode_triplets(values: bytes) -> bytes:
    """All triplets at once, as 24-bit lanes (c, d, e) of one big integer: c + 45 d + 2025 e.

    A lane never overflows: the largest sum is 44 + 45 x 44 + 2025 x 44 = 91124 < 2**17. A loop
    over the triplets costs as much as half a signature verification.
    """
    count = len(values) // 3
    lanes = int.from_bytes(values, "big")
    low_byte, overflow = _masks(count)
    sums = (lanes >> 16 & low_byte) + 45 * (lanes >> 8 & low_byte) + 2025 * (lanes & low_byte)
    if sums & overflow:
        raise _refusal("a triplet above 65535")
    spread = sums.to_bytes(3 * count, "big")
    out = bytearray(2 * count)
    out[0::2] = spread[1::3]
    out[1::2] = spread[2::3]
    return bytes(out)


@lru_cache(maxsize=8)
def _masks(count: int) -> tuple[int, int]:
    """For ``count`` lanes: the mask of their low bytes, and of their bits 16 to 23."""
    return (
        int.from_bytes(b"\x00\x00\xff" * count, "big"),
        int.from_bytes(b"\xff\x00\x00" * count, "big"),
    )


def _refusal(why: str) -> MalformedInput:
    return MalformedInput("bad_base45", f"the text has {why}", field="text")
