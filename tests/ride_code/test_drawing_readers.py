"""Two independent readers read what we draw: turned, out of focus, and in bad light.

The codes are golden vectors, accepted ones first, and every noise has a fixed seed, so a run
repeats. The PNG is used as it is, the SVG is rasterised by resvg, and the terminal text is painted
cell by cell as a terminal does. The tables say how many of 20 codes each reader must read at
least: a little fewer than it did when this was written, for other releases of the readers. A
scanner takes many pictures a second, so 15 of 20 still is a gate that opens at the first or second.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import zxingcpp
from PIL import Image, ImageFilter

from transitpay.ride_code import drawing
from transitpay.ride_code.golden import ride_codes as golden
from transitpay.ride_code.received import text_of

pytestmark = pytest.mark.heavy

CODES = 20
#: Pixels a module in every picture, whatever it was drawn as.
MODULE_PX = 6

#: (turned by degrees, blur as a part of a module, noise of 255) -> least read of 20 by zxing-cpp,
#: by OpenCV.
READ = {
    (0, 0.0, 0): (20, 16),
    (3, 0.0, 0): (20, 14),
    (15, 0.0, 0): (20, 15),
    (45, 0.0, 0): (20, 16),
    (90, 0.0, 0): (20, 16),
    (137, 0.0, 0): (20, 16),
    (180, 0.0, 0): (20, 15),
    (0, 0.2, 0): (20, 15),
    (0, 0.3, 0): (19, 11),
    (0, 0.4, 0): (18, 0),
    (0, 0.0, 20): (20, 15),
    (0, 0.0, 40): (16, 15),
    (7, 0.2, 20): (19, 15),
    (15, 0.3, 20): (15, 11),
}


#: The same of Ministry of Transport codes, whose symbol has 73 x 73 modules.
READ_MOT = {
    (0, 0.0, 0): (20, 15),
    (15, 0.0, 0): (20, 9),
    (45, 0.0, 0): (20, 15),
    (180, 0.0, 0): (20, 15),
    (0, 0.2, 0): (20, 15),
    (0, 0.0, 20): (20, 15),
    (7, 0.2, 20): (19, 12),
}


def _texts(file: str) -> list[str]:
    vectors = golden.read_vectors(golden.shipped_text(file))
    drawn = [v for v in vectors if v.expected.reason not in ("unreadable", "unknown_version")]
    found = dict.fromkeys(v.text for v in sorted(drawn, key=lambda v: v.expected.verdict))
    assert len(found) >= CODES
    return list(found)[:CODES]


def _from_png(text: str) -> Image.Image:
    return Image.open(io.BytesIO(drawing.png(text, module_px=MODULE_PX))).convert("L")


def _from_svg(text: str) -> Image.Image:
    rasteriser: Any = importlib.import_module("resvg_py")  # of the extra `heavy` only
    side = (len(drawing.modules(text)) + 8) * MODULE_PX
    png = rasteriser.svg_to_bytes(svg_string=drawing.svg(text), width=side, height=side)
    return Image.open(io.BytesIO(png)).convert("L")


def _from_terminal(text: str) -> Image.Image:
    """Light glyphs on a dark screen, a cell one module wide and two high."""
    upper, lower = " \u2584", " \u2580"
    rows: list[list[int]] = []
    for line in drawing.terminal(text).splitlines():
        rows.append([0 if glyph in upper else 255 for glyph in line])
        rows.append([0 if glyph in lower else 255 for glyph in line])
    cells = np.array(rows, dtype=np.uint8)
    return Image.fromarray(np.kron(cells, np.ones((MODULE_PX, MODULE_PX), dtype=np.uint8)))


def _spoil(image: Image.Image, strength: tuple[int, float, int], seed: int) -> Image.Image:
    turn, blur, noise = strength
    if turn:
        image = image.rotate(turn, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    if blur:
        image = image.filter(ImageFilter.GaussianBlur(blur * MODULE_PX))
    light = np.asarray(image).astype(float)
    if noise:
        light = light + np.random.default_rng(seed).normal(0, noise, light.shape)
    return Image.fromarray(np.clip(light, 0, 255).astype(np.uint8))


def _zxing(image: Image.Image) -> str | None:
    found = zxingcpp.read_barcodes(image)
    return text_of(found[0].bytes) if len(found) == 1 else None


def _opencv() -> Callable[[Image.Image], str | None]:
    cv2: Any = importlib.import_module("cv2")  # of the extra `heavy` only
    detector = cv2.QRCodeDetector()

    def read(image: Image.Image) -> str | None:
        found: bytes = detector.detectAndDecodeBytes(np.asarray(image))[0]
        # It gives the bytes of byte mode as UTF-8, each as the letter of its number.
        return text_of(found.decode().encode("latin-1")) if found else None

    return read


@pytest.mark.parametrize("draw", [_from_png, _from_svg, _from_terminal])
@pytest.mark.parametrize(("file", "least_read"), [("ride-code", READ), ("mot", READ_MOT)])
def test_two_readers_read_the_drawing_turned_blurred_and_noisy(
    draw: Callable[[str], Image.Image],
    file: str,
    least_read: dict[tuple[int, float, int], tuple[int, int]],
) -> None:
    opencv = _opencv()
    pictures = [(text, draw(text)) for text in _texts(file)]
    table, short = [], []
    for strength, least in least_read.items():
        read = [0, 0]
        for seed, (text, picture) in enumerate(pictures):
            spoilt = _spoil(picture, strength, seed)
            for n, reader in enumerate((_zxing, opencv)):
                told = reader(spoilt)
                assert told in (None, text), "a reader that reads must read the truth"
                read[n] += told == text
        turn, blur, noise = strength
        line = f"turned {turn}, blur {blur}, noise {noise}: zxing-cpp {read[0]}, OpenCV {read[1]}"
        table.append(line)
        if read[0] < least[0] or read[1] < least[1]:
            short.append(f"{line}; must be {least}")
    print(f"{file} {draw.__name__.removeprefix('_from_')}, read of {CODES}:", *table, sep="\n  ")
    assert short == []
