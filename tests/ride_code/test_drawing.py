"""What is drawn is read back by another implementation, character by character."""

from __future__ import annotations

import io
import re

import pytest
import zxingcpp
from mot_scheme import MotScheme
from PIL import Image
from ride_code_scheme import Scheme

from transitpay.errors import MalformedInput
from transitpay.ride_code import drawing, received
from transitpay.ride_code.layout import write_text
from transitpay.ride_code.mot import layout as mot_layout


def _read(image: Image.Image) -> zxingcpp.Barcode:
    (found,) = zxingcpp.read_barcodes(image)
    return found


def _image(dark: list[list[bool]]) -> Image.Image:
    image = Image.new("L", (len(dark[0]), len(dark)), 255)
    for y, row in enumerate(dark):
        for x, cell in enumerate(row):
            image.putpixel((x, y), 0 if cell else 255)
    return image.resize((image.width * 6, image.height * 6), Image.Resampling.NEAREST)


def test_the_png_reads_as_the_text_at_version_10_m(scheme: Scheme) -> None:
    text = write_text(scheme.data())
    found = _read(Image.open(io.BytesIO(drawing.png(text))))
    assert found.text == text
    assert found.extra["Version"] == "10" and found.extra["ECLevel"] == "M"


def test_the_svg_draws_the_same_modules(scheme: Scheme) -> None:
    text = write_text(scheme.data())
    cells = {(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", drawing.svg(text))}
    side = 57 + 8
    image = _image([[(x, y) in cells for x in range(side)] for y in range(side)])
    assert _read(image).text == text


def test_the_terminal_text_draws_the_same_modules(scheme: Scheme) -> None:
    text = write_text(scheme.data())
    rows: list[list[bool]] = []
    for line in drawing.terminal(text).splitlines():
        rows.append([c in " \u2584" for c in line])
        rows.append([c in " \u2580" for c in line])
    assert {len(row) for row in rows} == {65}
    assert _read(_image(rows)).text == text


@pytest.mark.parametrize(
    ("extension", "version"), [(b"", "14"), (b"e" * 30, "14"), (b"e" * 31, "15"), (b"e" * 32, "15")]
)
def test_a_ministry_of_transport_code_is_drawn_as_its_bytes(
    mot: MotScheme, extension: bytes, version: str
) -> None:
    data = mot.data(extension=extension)
    text = mot_layout.write_text(data)
    found = _read(Image.open(io.BytesIO(drawing.png(text))))
    assert found.bytes == data and received.text_of(found.bytes) == text
    assert found.extra["Version"] == version and found.extra["ECLevel"] == "M"
    assert mot.reason(received.text_of(found.bytes)) == "accepted"


def test_only_the_text_of_a_code_is_drawn() -> None:
    with pytest.raises(MalformedInput):
        drawing.png("TP1:HELLO")
    with pytest.raises(MalformedInput):
        drawing.png("MOT:HELLO")
