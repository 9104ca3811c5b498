"""Draws the text of a ride code as a QR code for people: PNG bytes, SVG text, terminal text.

Always version 10 at error correction level M in alphanumeric mode, so that every code looks the
same to a scanner's optics: 304 of the 311 characters that such a symbol holds. A Ministry of
Transport code is drawn as its bytes, in version 14 at level M (362 bytes), the longest in 15.

Source: ISO/IEC 18004 (capacities of 10-M and 14-M).
"""

from __future__ import annotations

import io

import qrcode
from qrcode.constants import ERROR_CORRECT_M
from qrcode.image.pil import PilImage
from qrcode.util import MODE_8BIT_BYTE, MODE_ALPHA_NUM, QRData

from transitpay.ride_code.layout import read_text
from transitpay.ride_code.mot import layout as mot

QR_VERSION = 10
MOT_QR_VERSION = 14
#: White modules around the symbol that ISO/IEC 18004 asks for.
QUIET_ZONE = 4


def modules(text: str) -> list[list[bool]]:
    """The modules of a code's symbol (57 x 57, or more for a Ministry of Transport code), True
    is dark, without the quiet zone.

    Raises: MalformedInput (``unreadable_code``, ``bad_base45``) if ``text`` is no code's text.
    """
    symbol = _symbol(text)
    return [[bool(cell) for cell in row] for row in symbol.modules]


def png(text: str, *, module_px: int = 6) -> bytes:
    """A black and white PNG image with its quiet zone. Raises: as ``modules``."""
    out = io.BytesIO()
    _symbol(text, module_px).make_image().save(out, format="PNG")
    return out.getvalue()


def svg(text: str) -> str:
    """A self-contained SVG document: one path, one unit per module. Raises: as ``modules``."""
    rows = modules(text)
    side = len(rows) + 2 * QUIET_ZONE
    path = "".join(
        f"M{x + QUIET_ZONE} {y + QUIET_ZONE}h1v1h-1z"
        for y, row in enumerate(rows)
        for x, dark in enumerate(row)
        if dark
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}"'
        f' shape-rendering="crispEdges"><rect width="{side}" height="{side}" fill="#fff"/>'
        f'<path d="{path}" fill="#000"/></svg>\n'
    )


def terminal(text: str) -> str:
    """Lines of half blocks, two modules high each, light on a dark terminal.

    Raises: as ``modules``.
    """
    rows = modules(text)
    side = len(rows) + 2 * QUIET_ZONE
    light = [[True] * side for _ in range(side + 1)]
    for y, row in enumerate(rows):
        for x, dark in enumerate(row):
            light[y + QUIET_ZONE][x + QUIET_ZONE] = not dark
    blocks = {
        (True, True): "\u2588",
        (True, False): "\u2580",
        (False, True): "\u2584",
        (False, False): " ",
    }
    pairs = zip(light[0::2], light[1::2], strict=True)
    return "".join(
        "".join(blocks[cell] for cell in zip(upper, lower, strict=True)) + "\n"
        for upper, lower in pairs
    )


def _symbol(text: str, module_px: int = 1) -> qrcode.QRCode[PilImage]:
    if text.startswith(mot.PREFIX):
        content, version = QRData(mot.read_text(text), mode=MODE_8BIT_BYTE), MOT_QR_VERSION
    else:
        read_text(text)
        content, version = QRData(text, mode=MODE_ALPHA_NUM), QR_VERSION
    symbol = qrcode.QRCode(
        version=version,
        error_correction=ERROR_CORRECT_M,
        box_size=module_px,
        border=QUIET_ZONE,
        image_factory=PilImage,
    )
    symbol.add_data(content)
    symbol.make(fit=version == MOT_QR_VERSION)
    return symbol
