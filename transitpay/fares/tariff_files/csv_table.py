"""Rows of a CSV file by the names of its columns, each with the line where it begins."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence

from transitpay.fares.tariff_files.problem import Problem, SourceFile, on_one_line, readable

#: The longest cell that is read; a longer one is a problem of its row.
LONGEST_CELL = 2_000
#: With so many problems nobody reads on, and neither do we.
MOST_PROBLEMS = 10_000
_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")
#: What a spreadsheet takes for a formula when it opens what we print.
_FORMULA = ("=", "+", "-", "@")


def table(
    file: SourceFile,
    columns: Sequence[str],
    problems: list[Problem],
    *,
    optional: Sequence[str] = (),
) -> Iterator[tuple[int, Mapping[str, str]]]:
    """(line, row by column name) of each row that is not blank.

    Column names are compared without case and come as ``columns`` and ``optional`` write them, and
    no others; an optional column that is absent is empty. Cells have no blanks around
    them and no ends of lines within. A row with a problem does not come.
    """
    text = file.text(problems)
    if text is None:
        return
    rows = _rows(file.name, text, problems)
    _, header = next(rows, (1, []))
    place = _places(file.name, header, columns, optional, problems)
    if place is None:
        return
    for line, cells in rows:
        if len(problems) >= MOST_PROBLEMS:
            reason = f"after {MOST_PROBLEMS:,} problems the rest of the file is not read"
            problems.append(Problem(file.name, line, "row", reason))
            return
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            reason = f"{len(cells)} fields where the header has {len(header)}"
            problems.append(Problem(file.name, line, "row", reason))
            continue
        row = {name: on_one_line(cells[at]) if at is not None else "" for name, at in place.items()}
        bad = [Problem(file.name, line, n, why) for n, cell in row.items() if (why := unfit(cell))]
        problems += bad
        if not bad:
            yield line, row


def _rows(file: str, text: str, problems: list[Problem]) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problems.append(Problem(file, line, "row", f"no CSV: {error}"))
            return
        yield line, cells


def _places(
    file: str,
    header: list[str],
    columns: Sequence[str],
    optional: Sequence[str],
    problems: list[Problem],
) -> Mapping[str, int | None] | None:
    """Column name -> its place (None: absent and optional); None where the header is refused."""
    plain = [name.strip().casefold() for name in header]
    before = len(problems)
    places: dict[str, int | None] = {}
    for name in (*columns, *optional):
        found = [i for i, other in enumerate(plain) if other == name.casefold()]
        if len(found) > 1:
            problems.append(Problem(file, 1, name, "column is there twice"))
        elif not found and name in columns:
            problems.append(Problem(file, 1, name, "column is missing"))
        places[name] = found[0] if found else None
    return places if len(problems) == before else None


def unfit(cell: str) -> str | None:
    """Why nobody should print or keep a text of somebody else's file; None where it is fine."""
    if len(cell) > LONGEST_CELL:
        return f"{len(cell)} characters, more than {LONGEST_CELL}"
    if not readable(cell):
        return "holds control characters"
    if cell.startswith(_FORMULA) and cell not in _FORMULA and not _NUMBER.fullmatch(cell):
        return f"{cell[:40]!r} is a formula to a spreadsheet"
    return None
