"""What a scanner gave becomes a code, of whichever format it is; nothing is verified here.

A code travels as a text, in requests and to ``judge``. The first characters tell the format. A
Ministry of Transport code, whose QR code holds bytes, is the text ``MOT:`` and their base45.
"""

from __future__ import annotations

from transitpay.errors import MalformedInput
from transitpay.ride_code import layout
from transitpay.ride_code.layout import RideCode
from transitpay.ride_code.mot import layout as mot
from transitpay.ride_code.mot.layout import MotCode
from transitpay.ride_code.mot.signing import available

_MOT_FIRST_BYTES = (b"\x80", b"\x81")


def text_of(data: bytes) -> str:
    """The text of a code from the bytes that a QR code held.

    No UTF-8 text begins with 80 or 81, so the first byte tells which of the two it is. Bytes that
    are neither become a text with lone surrogates: it differs where they differ, is no code, and
    cannot be encoded.
    """
    if data[:1] in _MOT_FIRST_BYTES:
        return mot.write_text(data)
    return data.decode("utf-8", "surrogateescape")


def read(text: str) -> tuple[bytes, RideCode | MotCode]:
    """The bytes and the fields of a code.

    Raises: MalformedInput (``unknown_version``, also for a format that is not installed here;
    ``unreadable_code`` and ``bad_base45`` for anything else).
    """
    if not text.startswith(mot.PREFIX):
        data = layout.read_text(text)
        return data, layout.parse(data)
    if not available():
        raise MalformedInput("unknown_version", "the extra `mot` is not installed", field="text")
    data = mot.read_text(text)
    return data, mot.parse(data)
