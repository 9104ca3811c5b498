"""Matrices of fares of Shenzhen Metro: a row a record of station and line, made one a station."""

from __future__ import annotations

from dataclasses import dataclass

from transitpay.fares.tariff_files.json_value import JsonFile, items, member, read_json, shown
from transitpay.fares.tariff_files.problem import Problem, SourceFile

#: No fare is dearer.
_MOST_CNY = 10_000


@dataclass(frozen=True, slots=True)
class Station:
    """One station: its name in the fare files, its rows in the matrix, and the ids of those."""

    name: str
    rows: tuple[int, ...]
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """The rows of a file in whole CNY, one a record; worth nothing where it has problems."""

    file: JsonFile
    rows: list[list[int]]


def read_matrix(file: SourceFile, fare_type: str, stations: int, problems: list[Problem]) -> Matrix:
    """The matrix of a file; what is wrong with it is added to ``problems``."""
    document = read_json(file, problems)
    matrix: list[list[int]] = []
    if document.value is None:
        return Matrix(document, matrix)
    for field, wanted in (("fareType", fare_type), ("currency", "CNY")):
        value = member(document.value, field)
        if value != wanted:
            text = f"{shown(value)} where {wanted!r} is needed"
            problems.append(document.problem((field,), text))
    rows = items(member(document.value, "matrix"))
    for i, cells in enumerate(rows):
        fares = items(cells)
        if len(fares) != len(rows):
            text = f"{len(fares)} fares in a row of {len(rows)}"
            problems.append(document.problem(("matrix", i), text))
        for j, cell in enumerate(fares):
            if type(cell) is not int or not 1 <= cell <= _MOST_CNY:
                text = f"{shown(cell)} is not a whole number of CNY from 1 to {_MOST_CNY}"
                problems.append(document.problem(("matrix", i, j), text))
        matrix.append([cell for cell in fares if type(cell) is int])
    if stations and not rows:
        problems.append(document.problem(("matrix",), "no fares"))
    return Matrix(document, matrix)


def merge(
    matrix: Matrix, stations: tuple[Station, ...], problems: list[Problem]
) -> tuple[tuple[int, ...], ...]:
    """One row a station, in minor units; every line of a station must publish the same fares."""
    rows = matrix.rows
    size = sum(len(station.rows) for station in stations)
    if len(rows) != size:
        text = f"{len(rows)} rows for {size} stations"
        problems.append(matrix.file.problem(("matrix",), text))
        return ()
    for station in stations:
        first = station.rows[0]
        for row in station.rows[1:]:
            if rows[row] != rows[first] or any(r[row] != r[first] for r in rows):
                text = f"{station.name} has other fares than in row {first}"
                problems.append(matrix.file.problem(("matrix", row), text))
    return tuple(tuple(rows[a.rows[0]][b.rows[0]] * 100 for b in stations) for a in stations)
