"""What stands between a phone's screen and a reader's camera: each code as a real image.

A code is drawn as QR version 10-M in alphanumeric mode, turned into grey pixels and read back. It
is the pixels that reach the gate, never the text itself.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import qrcode
import zxingcpp
from qrcode.constants import ERROR_CORRECT_M
from qrcode.util import MODE_ALPHA_NUM, QRData

from transitpay.errors import MalformedInput

Pixels = npt.NDArray[np.uint8]

#: Every so many codes are drawn by the second, independent library.
SECOND_LIBRARY_EACH = 50
#: Modules of QR version 10, and the quiet zone that the standard asks for on each side.
MODULES = 57
QUIET_MODULES = 4
MASKS = 8
_PIXELS_A_MODULE = 2
_QR = zxingcpp.barcode_formats_from_str("QRCode")


def draw(text: str, mask: int = 0) -> Pixels:
    """The image of a code with one of the eight masks, drawn fast (zxing-cpp)."""
    barcode = zxingcpp.create_barcode(
        text, zxingcpp.BarcodeFormat.QRCode, ec_level="M", data_mask=mask
    )
    image = zxingcpp.write_barcode_to_image(barcode, scale=_PIXELS_A_MODULE, add_quiet_zones=True)
    return np.array(image, dtype=np.uint8)


def draw_for_people(text: str, mask: int | None = None) -> Pixels:
    """The image of a code, drawn by the library that draws for people (``qrcode``); without a
    mask it weighs all eight and takes the best, as one should for people."""
    code = qrcode.QRCode(
        version=10, error_correction=ERROR_CORRECT_M, box_size=_PIXELS_A_MODULE, border=4,
        mask_pattern=mask,
    )  # fmt: skip
    code.add_data(QRData(text, mode=MODE_ALPHA_NUM))
    code.make(fit=False)
    modules = np.array(code.get_matrix(), dtype=bool)
    pixels = np.where(modules, 0, 255).astype(np.uint8)
    return np.kron(pixels, np.ones((_PIXELS_A_MODULE, _PIXELS_A_MODULE), dtype=np.uint8))


def read(pixels: Pixels) -> str:
    """The text that a camera reads.

    Raises: MalformedInput (``unreadable_image``).
    """
    found = zxingcpp.read_barcode(
        pixels,
        formats=_QR,
        try_rotate=False,
        try_downscale=False,
        try_invert=False,
    )
    if found is None or not found.valid:
        raise MalformedInput("unreadable_image", "there is no QR code in this image")
    return str(found.text)


def through_the_air(text: str, number: int) -> str:
    """What the reader gets of code ``number``; each 50th is drawn by the second library.

    The masks take turns, and none is weighed: a reader must read them all, and weighing them
    costs five times as much as drawing.
    """
    mask = number % MASKS
    by_second = number % SECOND_LIBRARY_EACH == 0
    return read(draw_for_people(text, mask) if by_second else draw(text, mask))
