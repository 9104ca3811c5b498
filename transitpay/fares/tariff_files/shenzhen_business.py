"""The business car of Shenzhen Metro's Line 11, from its own matrix of fares.

A ride costs the ordinary fare of the whole path and twice that of the part in the car (C, D). The
matrix has a fare for every pair of stations, also where no business car goes: only pairs within
the line are compared with the rule, and nothing is sold from it. Ride codes are not accepted.
"""

from __future__ import annotations

from dataclasses import replace

from transitpay.fares.tariff import MatrixFares
from transitpay.fares.tariff_files.problem import Problem, SourceFile
from transitpay.fares.tariff_files.shenzhen_matrix import Station, merge, read_matrix
from transitpay.fares.terms import BusinessCar
from transitpay.money import CNY, Money

_TIMES = 2
#: The ids of the records of the line begin so.
_LINE = "11号线:"


def business_car(
    file: SourceFile,
    stations: tuple[Station, ...],
    ordinary: MatrixFares,
    known: BusinessCar | None,
    problems: list[Problem],
    warnings: list[Problem],
) -> BusinessCar | None:
    """The term, with a warning for each pair of the line that costs another fare.

    ``stations`` are in the order of ``ordinary``; ``known`` is what the operator's terms say, and
    another line there is a warning. None adds problems.
    """
    times = _TIMES if known is None else known.times
    before = len(problems)
    records = sum(len(station.rows) for station in stations)
    matrix = read_matrix(file, "business", records, problems)
    if len(problems) > before:
        return None
    business = merge(matrix, stations, problems)
    line = [i for i, one in enumerate(stations) if any(it.startswith(_LINE) for it in one.ids)]
    if not line and len(problems) == before:
        problems.append(matrix.file.problem(("matrix",), f"no station has an id {_LINE}..."))
    if len(problems) > before:
        return None
    equal = 0
    for i in line:
        for j in line:
            fare, way_back = ordinary.rows[i][j], ordinary.rows[j][i]
            assert fare is not None and way_back is not None, "every pair has a fare"
            due = (1 + times) * fare
            if business[i][j] == due:
                equal += 1
            elif i < j or business[j][i] == (1 + times) * way_back:
                pair = f"{stations[i].name} - {stations[j].name}"
                published, by_rule = Money(business[i][j], CNY), Money(due, CNY)
                reason = f"{pair} is published as {published}, by the rule it is {by_rule}"
                place = ("matrix", stations[i].rows[0], stations[j].rows[0])
                warnings.append(matrix.file.problem(place, reason))
    counted = f"{equal} of {len(line) ** 2} pairs of Line 11 in {file.name} (grade C, D)"
    car = BusinessCar(times, frozenset(ordinary.ids[i] for i in line), counted)
    if known is None:
        return car
    if known.stops != car.stops:
        others = ", ".join(sorted(known.stops ^ car.stops))
        reason = f"the terms have another line of the business car: {others}"
        warnings.append(matrix.file.problem(("matrix",), reason))
    return replace(car, source=f"{known.source}: {counted}")
