"""Problems of JSON files name the line on which the value at fault begins."""

from __future__ import annotations

import pytest

from transitpay.fares.tariff_files import SourceFile
from transitpay.fares.tariff_files.json_value import JsonFile, Path, read_json
from transitpay.fares.tariff_files.problem import Problem

TEXT = """\ufeff
{
  "a key": [1, 2.5,
    [true, {"x": "a \\"} quote",
      "last": -1e3}]
  ],
  "empty": {}, "none": [
  ]
}
"""


def read(text: str) -> tuple[JsonFile, list[Problem]]:
    problems: list[Problem] = []
    return read_json(SourceFile("a.json", text.encode()), problems), problems


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("path", "line", "shown"),
    [
        (("a key",), 3, "a key"),
        (("a key", 1), 3, "a key[1]"),
        (("a key", 2), 4, "a key[2]"),
        (("a key", 2, 1, "x"), 4, "a key[2][1].x"),
        (("a key", 2, 1, "last"), 5, "a key[2][1].last"),
        (("none",), 7, "none"),
        (("a key", 3), 3, "a key[3]"),
        (("a key", 1, "in a number"), 3, "a key[1]['in a number']"),
        (("nowhere", "else"), 2, "nowhere.else"),
    ],
)
def test_a_value_stands_where_it_begins_and_a_missing_one_where_it_should(
    path: Path, line: int, shown: str, ends: str
) -> None:
    file, problems = read(TEXT.replace("\n", ends))
    assert problems == []
    assert file.problem(path, "why") == Problem("a.json", line, shown, "why")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ('{"a": 1,\n"b": [\n1,\nNaN]}', 4, "NaN is no number"),
        ('[\n{"k": 1},\n{"k": 1,\n"k": 2}]', 3, "'k' twice in one object, with two values"),
        ('[1,\n{\n"a": {"k": "\\u0007"}}]', 3, "'k' holds control characters or half ones"),
        ('{"a":\n[1,\n' + "9" * 5_000 + "]}", 3, "a number of too many digits"),
        ("[1,\n2", 2, "Expecting ',' delimiter"),
        ("null", 1, "null"),
        ("\n" + "[" * 100_000, None, "nested too deep"),
    ],
)
def test_what_is_refused_in_json_is_told_by_the_line_of_its_innermost_value(
    text: str, line: int | None, reason: str
) -> None:
    file, problems = read(text)
    assert file.value is None
    assert problems == [Problem("a.json", line, "json", reason)]


def test_many_problems_of_a_large_file_are_looked_up_without_reading_it_anew() -> None:
    rows = ",\n".join("[" + ",".join(["1"] * 300) + "]" for _ in range(300))
    file, _ = read(f'{{"matrix": [\n{rows}]}}')
    lines = {file.line(("matrix", i, j)) for i in range(300) for j in range(300)}
    assert lines == set(range(2, 302))
