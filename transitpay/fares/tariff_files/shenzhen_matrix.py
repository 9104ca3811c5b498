"""Matrices of fares of Shenzhen Metro: a row a record of station and line, made one a station."""

from __future__ import annotations

from dataclasses import dataclass

from transitpay.fares.tariff_files.json_value import items, member, read_json, shown
from transitpay.fares.tariff_files.problem import Problem, SourceFile

#: No fare is dearer.
_MOST_CNY = 10_000


@dataclass(frozen=True, slots=True)
class Station:
    """One station: its name in the fare files, its rows in the matrix, and the ids of those."""

    name: str
    rows: tuple[int, ...]
    ids: tuple[str, ...]


def read_matrix(
    file: SourceFile, fare_type: str, stations: int, problems: list[Problem]
) -> list[list[int]]:
    """The rows of the file in whole CNY, one a record; worth nothing where it adds problems."""
    document = read_json(file, problems)
    if document is None:
        return []
    for field, wanted in (("fareType", fare_type), ("currency", "CNY")):
        value = member(document, field)
        if value != wanted:
            text = f"{shown(value)} where {wanted!r} is needed"
            problems.append(Problem(file.name, None, field, text))
    rows = items(member(document, "matrix"))
    matrix: list[list[int]] = []
    for i, cells in enumerate(rows):
        fares = items(cells)
        if len(fares) != len(rows):
            text = f"{len(fares)} fares in a row of {len(rows)}"
            problems.append(Problem(file.name, None, f"matrix[{i}]", text))
        for j, cell in enumerate(fares):
            if type(cell) is not int or not 1 <= cell <= _MOST_CNY:
                text = f"{shown(cell)} is not a whole number of CNY from 1 to {_MOST_CNY}"
                problems.append(Problem(file.name, None, f"matrix[{i}][{j}]", text))
        matrix.append([cell for cell in fares if type(cell) is int])
    if stations and not rows:
        problems.append(Problem(file.name, None, "matrix", "no fares"))
    return matrix


def merge(
    file: str, stations: tuple[Station, ...], matrix: list[list[int]], problems: list[Problem]
) -> tuple[tuple[int, ...], ...]:
    """One row a station, in minor units; every line of a station must publish the same fares."""
    size = sum(len(station.rows) for station in stations)
    if len(matrix) != size:
        text = f"{len(matrix)} rows for {size} stations"
        problems.append(Problem(file, None, "matrix", text))
        return ()
    for station in stations:
        first = station.rows[0]
        for row in station.rows[1:]:
            if matrix[row] != matrix[first] or any(r[row] != r[first] for r in matrix):
                text = f"{station.name} has other fares than in row {first}"
                problems.append(Problem(file, None, f"matrix[{row}]", text))
    return tuple(tuple(matrix[a.rows[0]][b.rows[0]] * 100 for b in stations) for a in stations)
