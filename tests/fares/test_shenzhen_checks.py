"""The business car of Line 11 and the distances: compared with the matrix, never a fare."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from transitpay.fares.tariff import Tariff
from transitpay.fares.tariff_files import Parsed, Problem, SourceFile
from transitpay.fares.tariff_files.formats import FORMATS, Job
from transitpay.fares.tariff_files.shenzhen_distance import (
    Difference,
    check_distances,
    fare_by_distance,
    read_neighbours,
)
from transitpay.fares.tariff_files.shenzhen_metro import read_shenzhen_metro
from transitpay.fares.terms_file import TermsFile, read_terms_file
from transitpay.runtime.builtin import published_terms

DAY = date(2026, 1, 1)
TERMS = published_terms()["shenzhen-metro"]
PLAIN = 'network = "shenzhen-metro"\ncurrency = "CNY"\n'
STEP = '[step]\nvalue = "0.01"\nsource = "its fares"\ngrade = "D"\n'
STATIONS = {
    "stations": [
        {"index": 0, "id": "11号线:1", "name": "甲"},
        {"index": 1, "id": "11号线:2", "name": "乙"},
        {"index": 2, "id": "1号线:1", "name": "丙"},
    ]
}
FARES = {"fareType": "standard", "currency": "CNY", "matrix": [[2, 3, 4], [3, 2, 3], [4, 3, 2]]}
BUSINESS = {"fareType": "business", "currency": "CNY", "matrix": [[6, 9, 8], [9, 6, 7], [8, 7, 6]]}
MAP = {
    "l": [
        {
            "st": [
                {"n": n, "poiid": f"110{i}", "en": e}
                for i, (n, e) in enumerate((("甲", "A"), ("乙", "B"), ("丙", "C")))
            ]
        }
    ]
}
METRICS = {
    "edges": [
        {"from": "甲站", "to": "乙", "distanceMeters": 4001},
        {"from": "乙", "to": "丙", "distanceMeters": 4000},
    ]
}


def file(name: str, value: object) -> SourceFile:
    return SourceFile(name, json.dumps(value).encode())


def terms() -> TermsFile:
    read = read_terms_file(SourceFile("terms.toml", (PLAIN + STEP).encode()))
    assert read.file is not None
    return read.file


def read(
    business: object = BUSINESS, metrics: object = METRICS, of: TermsFile | None = None
) -> Parsed:
    return read_shenzhen_metro(
        file("stations.json", STATIONS),
        file("fares.json", FARES),
        file("map.json", MAP),
        DAY,
        of or terms(),
        file("business.json", business),
        file("metrics.json", metrics),
    )


def loaded(parsed: Parsed) -> Tariff:
    assert parsed.tariff is not None, [str(problem) for problem in parsed.problems]
    return parsed.tariff


def problems(parsed: Parsed) -> list[str]:
    assert parsed.tariff is None, "nothing is half loaded"
    return [str(problem) for problem in parsed.problems]


def test_the_business_car_calls_at_the_stations_of_line_11_alone() -> None:
    car = loaded(read()).terms.business_car
    assert car is not None
    assert (car.times, car.stops) == (2, {"1100", "1101"})
    assert car.source == "4 of 4 pairs of Line 11 in business.json (grade C, D)"


def test_another_line_in_the_terms_is_a_warning() -> None:
    parsed = read(of=TERMS)
    car = loaded(parsed).terms.business_car
    assert car is not None and car.stops == {"1100", "1101"}
    assert "the terms have another line of the business car: 0111" in str(parsed.warnings[-1])


def test_a_pair_of_the_line_at_another_fare_is_a_warning_with_both_fares() -> None:
    other = BUSINESS | {"matrix": [[6, 7, 8], [7, 6, 7], [8, 7, 6]]}
    parsed = read(other)
    assert str(parsed.warnings[-1]) == (
        "business.json line 1, matrix[0][1]: "
        "甲 - 乙 is published as CNY 7.00, by the rule it is CNY 9.00"
    )
    one_way = BUSINESS | {"matrix": [[6, 9, 8], [7, 6, 7], [8, 7, 6]]}
    assert "乙 - 甲 is published as CNY 7.00" in str(read(one_way).warnings[-1])


@pytest.mark.parametrize(
    ("business", "expected"),
    [
        (FARES, "business.json line 1, fareType: 'standard' where 'business' is needed"),
        (BUSINESS | {"matrix": [[6]]}, "business.json line 1, matrix: 1 rows for 3 stations"),
        (
            BUSINESS | {"matrix": [[6, 9], [9, 6]]},
            "business.json line 1, matrix: 2 rows for 3 stations",
        ),
        ([], "business.json line 1, matrix: no fares"),
    ],
)
def test_each_problem_of_the_business_matrix_refuses_the_tariff(
    business: object, expected: str
) -> None:
    assert expected in problems(read(business))


@pytest.mark.parametrize(
    ("metres", "minor"),
    [
        (1, 200),
        (4_000, 200),
        (4_001, 300),
        (8_000, 300),
        (8_001, 400),
        (12_000, 400),
        (12_001, 500),
        (18_000, 500),
        (18_001, 600),
        (24_000, 600),
        (24_001, 700),
        (32_000, 700),
        (32_001, 800),
    ],
)
def test_the_fare_by_distance_rises_with_each_begun_step(metres: int, minor: int) -> None:
    assert fare_by_distance(metres) == minor


def test_fares_that_are_not_those_of_the_distance_are_counted_with_examples() -> None:
    parsed = read()
    assert loaded(parsed).plain_fare(*loaded(parsed).stops[1:]).minor == 300
    assert [str(warning) for warning in parsed.warnings] == [
        "metrics.json, edges: 1 of 3 pairs cost more than their distance says: "
        "乙 - 丙, 4000 m: CNY 3.00, not CNY 2.00"
    ]
    apart = {"edges": METRICS["edges"][:1]}
    assert "2 pairs have no way between them: 甲 - 丙" in str(read(metrics=apart).warnings[-1])


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({}, "metrics.json line 1, edges: no distances"),
        ({"edges": [{"from": "甲", "to": "乙", "distanceMeters": -1}]}, "edges[0]: no two names"),
        ({"edges": [{"from": "甲", "to": 7, "distanceMeters": 5}]}, "edges[0]: no two names"),
    ],
)
def test_each_problem_of_the_distances_refuses_the_import(metrics: object, expected: str) -> None:
    assert any(expected in problem for problem in problems(read(metrics=metrics)))


def real(data: Path, *names: str) -> list[SourceFile]:
    folder = data / "shenzhen_metro"
    return [SourceFile(name, (folder / name).read_bytes()) for name in names]


def test_436_of_484_pairs_of_the_real_line_11_follow_the_rule(data_dir: Path) -> None:
    files = real(
        data_dir,
        "metro-fare-stations.json",
        "metro-fares-standard.json",
        "metro-network.json",
        "metro-fares-business.json",
    )
    parsed = FORMATS["shenzhen-metro"].read(files, Job(DAY, TERMS))
    car = loaded(parsed).terms.business_car
    assert car is not None and len(car.stops) == 22
    assert "436 of 484 pairs of Line 11" in car.source
    assert len(parsed.warnings) == (484 - 436) // 2, "the matrix is the same both ways"


def test_96_9_percent_of_the_real_matrix_follow_from_the_distances(data_dir: Path) -> None:
    stations, fares, network, metrics = real(
        data_dir,
        "metro-fare-stations.json",
        "metro-fares-standard.json",
        "metro-network.json",
        "metro-line-metrics.json",
    )
    tariff = loaded(read_shenzhen_metro(stations, fares, network, DAY, TERMS))
    wrong: list[Problem] = []
    check = check_distances(tariff, read_neighbours(metrics, wrong))
    assert wrong == [] and check.unreachable == ()
    assert (check.pairs, len(check.cheaper), len(check.dearer)) == (61_425, 1_647, 301)
    assert {abs(d.published_minor - d.expected_minor) for d in check.differences} == {100}
    # The data's own count is by records, a station on two lines twice, without 4 records.
    lines = {s.id: sum("号线:" in name for name in s.names) for s in tariff.stops}
    for name in ("深圳北站", "宝安客运站"):
        lines[tariff.find_stop(name).id] = 0
    records = sum(lines.values())

    def by_record(pairs: tuple[Difference, ...]) -> int:
        return sum(lines[d.from_id] * lines[d.to_id] for d in pairs)

    assert records * (records - 1) // 2 == 91_378
    assert (by_record(check.cheaper), by_record(check.dearer)) == (2_361, 501)
