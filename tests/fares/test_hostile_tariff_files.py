"""Whatever bytes a file holds, a parser gives a tariff or problems, and never raises."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from luck import examples
from tariff_file_samples import SAMPLES

from transitpay.fares.document import document_of, tariff_of
from transitpay.fares.tariff_files import Parsed, SourceFile
from transitpay.fares.tariff_files.formats import FORMATS

#: What breaks readers: marks, half characters, formulas, deep and huge things, other encodings.
NASTY = [
    b"",
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\\ud800",
    b'"',
    b",",
    b"\n",
    b"\r",
    b"=1+1",
    b"-",
    b"0",
    b"9" * 8,
    b"9" * 5000,
    b"1e999999999",
    b"NaN",
    b"null",
    b"true",
    b"[" * 3000,
    b"{",
    b"}",
    b"]",
    b"<ROUTE>",
    b"</ROUTE>",
    b'<!DOCTYPE d [<!ENTITY a "a">]>',
    b"&a;",
    "\u202e".encode(),
    "２".encode(),
    "²".encode(),
    "中".encode("utf-16"),
    "中".encode("big5"),
]


def answer(name: str, files: Sequence[SourceFile]) -> Parsed:
    """The parser's answer; a tariff is one that its document says exactly."""
    parsed = FORMATS[name].read(files, SAMPLES[name][0])
    if parsed.tariff is not None:
        document = document_of(parsed.tariff)
        assert document_of(tariff_of(document)) == document
    for told in (*parsed.problems, *parsed.left_out, *parsed.warnings):
        assert len(str(told)) < 5_000, "a problem is for people to read"
        str(told).encode()
    return parsed


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_reads_its_good_files(name: str) -> None:
    parsed = answer(name, SAMPLES[name][1])
    assert [str(problem) for problem in parsed.problems] == []
    assert parsed.tariff is not None


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=examples(60))
@given(data=st.data())
def test_a_file_of_any_bytes_is_answered(name: str, data: st.DataObject) -> None:
    files = list(SAMPLES[name][1])
    place = data.draw(st.integers(0, len(files) - 1))
    content = data.draw(st.binary(max_size=300) | st.text(max_size=300).map(_encoded))
    answer(name, [*files[:place], SourceFile(files[place].name, content), *files[place + 1 :]])


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=examples(150))
@given(data=st.data())
def test_a_good_file_that_was_cut_spliced_and_spoilt_is_answered(
    name: str, data: st.DataObject
) -> None:
    files = list(SAMPLES[name][1])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(files) - 1))
        content = files[place].content
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(len(content), start + 40)))
        spoilt = data.draw(st.sampled_from(NASTY) | st.binary(max_size=4))
        if data.draw(st.booleans()):
            end = len(content) if data.draw(st.integers(0, 9)) == 0 else end
        files[place] = SourceFile(files[place].name, content[:start] + spoilt + content[end:])
    answer(name, files)


@pytest.mark.parametrize(
    ("name", "at", "told"),
    [
        ("boarding-fares", 16, "its key is not that of its parts"),
        ("shenzhen-metro", 56, "no station named"),
    ],
)
def test_a_name_of_five_thousand_letters_is_told_by_its_two_ends(
    name: str, at: int, told: str
) -> None:
    first, *files = SAMPLES[name][1]
    long = first.content[:at] + b"9" * 5000 + first.content[at:]
    parsed = answer(name, [SourceFile(first.name, long), *files])
    cut = [str(problem) for problem in parsed.problems if "999 ... 999" in str(problem)]
    assert any(told in problem for problem in cut)


@pytest.mark.parametrize("name", FORMATS)
def test_every_prefix_of_a_good_file_is_answered(name: str) -> None:
    files = SAMPLES[name][1]
    for place, file in enumerate(files):
        for end in range(0, len(file.content), 7):
            cut = SourceFile(file.name, file.content[:end])
            answer(name, [*files[:place], cut, *files[place + 1 :]])


@settings(max_examples=examples(150))
@given(data=st.data())
def test_an_archive_that_was_spoilt_is_answered(data: st.DataObject) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", data.draw(st.sampled_from([0, 8]))) as archive:
        for file in SAMPLES["gtfs"][1]:
            archive.writestr(file.name, file.content)
    content = bytearray(packed.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    answer("gtfs", [SourceFile("feed.zip", bytes(content))])


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
