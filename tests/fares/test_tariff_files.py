"""Broken files are refused whole, with every problem by file, line and field in one run."""

from __future__ import annotations

import json
from datetime import date

import pytest

from transitpay.fares.tariff import Stop
from transitpay.fares.tariff_files import Parsed, SourceFile
from transitpay.fares.tariff_files.mtr import read_mtr_fares, read_station_names
from transitpay.fares.tariff_files.shenzhen_metro import read_shenzhen_metro
from transitpay.money import HKD, Money
from transitpay.runtime.builtin import published_terms

DAY = date(2026, 1, 1)
TERMS = published_terms()
HEADER = (
    "SRC_STATION_NAME,SRC_STATION_ID,DEST_STATION_NAME,DEST_STATION_ID,OCT_ADT_FARE,SINGLE_ADT_FARE"
)
GOOD_MTR = [
    HEADER,
    "Central,1,Central,1,0.00,0.00",
    "Central,1,Lo Wu,76,52.20,66.00",
    "Central,1,Hong Kong,39,0.00,0.00",
    "Lo Wu,76,Central,1,52.20,66.00",
    "Lo Wu,76,Lo Wu,76,0.00,0.00",
    "Lo Wu,76,Hong Kong,39,52.20,66.00",
    "Hong Kong,39,Central,1,0.00,0.00",
    "Hong Kong,39,Lo Wu,76,52.20,66.00",
    "Hong Kong,39,Hong Kong,39,0.00,0.00",
]


def mtr(lines: list[str], end: str = "\n") -> Parsed:
    content = (end.join(lines) + end).encode()
    return read_mtr_fares(SourceFile("fares.2026.csv", content), DAY, {}, TERMS["mtr"])


def problems(parsed: Parsed) -> list[str]:
    assert parsed.tariff is None, "nothing is half loaded"
    return [str(problem) for problem in parsed.problems]


def test_a_good_file_loads_with_its_own_terms() -> None:
    tariff = mtr(GOOD_MTR).tariff
    assert tariff is not None
    assert tariff.terms.maximum_fare == Money(5220, HKD)
    assert tariff.terms.overstay is not None
    assert tariff.terms.overstay.amount == Money(6600, HKD)
    assert dict(tariff.terms.same_station_at) == {"76": Money(5220, HKD)}
    assert tariff.version.startswith("fares.2026#")


def test_line_ends_a_byte_order_mark_blank_rows_and_old_headers_change_nothing() -> None:
    variants = [
        mtr(GOOD_MTR, "\r\n"),
        mtr(["\ufeff" + HEADER, *GOOD_MTR[1:]]),
        mtr([*GOOD_MTR, ",,,,,", "", ",,,,,"]),
        mtr([HEADER.replace("SRC_STATION_NAME", "SRC_Station_Name"), *GOOD_MTR[1:]]),
    ]
    plain = mtr(GOOD_MTR).tariff
    assert plain is not None
    for parsed in variants:
        assert parsed.tariff is not None
        assert parsed.tariff.stops == plain.stops
        assert parsed.tariff.terms == plain.terms


def test_every_problem_of_a_fare_file_is_named_with_line_and_field() -> None:
    lines = list(GOOD_MTR)
    lines[2] = "Central,1,Lo Wu,76,52.2x,66.00"
    lines[4] = "Lo Wu,B76,Central,1,52.25,-1"
    lines[6] = "Lo Wu,76,Hong Kong,39,0.00,66.00"
    lines[7] = "Hong Kong,39,Centrale,1,0.00,0.00"
    lines[8] = "Hong Kong,39,Lo Wu,76,52.20"
    assert problems(mtr(lines)) == [
        "fares.2026.csv line 3, OCT_ADT_FARE: '52.2x' is not an amount in HKD",
        "fares.2026.csv line 5, SRC_STATION_ID: 'B76' is not a station number",
        "fares.2026.csv line 5, SINGLE_ADT_FARE: '-1' is not an amount in HKD",
        "fares.2026.csv line 7, OCT_ADT_FARE: 0.00 from station 76 to station 39, "
        "which are no walking link",
        "fares.2026.csv line 8, DEST_STATION_NAME: station 1 is 'Centrale' here "
        "and 'Central' above",
        "fares.2026.csv line 9, row: 5 fields where the header has 6",
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({2: "Central,1,Lo Wu,76,52.25,66.00"}, "line 3, OCT_ADT_FARE: not a multiple of 0.10"),
        (
            {3: "Central,1,Lo Wu,76,52.20,66.00"},
            "line 4, OCT_ADT_FARE: a second row from 1 to 76, the first is line 3",
        ),
        ({3: ""}, "OCT_ADT_FARE: no fare from 1 to 39"),
        ({0: HEADER.replace("OCT_ADT", "OCT_STD")}, "line 1, OCT_ADT_FARE: column is missing"),
        ({3: "Central,1,,39,0.00,0.00"}, "line 4, DEST_STATION_NAME: empty"),
        ({3: "Central,1,HongKong,44,0.00,0.00"}, "line 4, DEST_STATION_ID: station 44 is of the"),
        ({3: "Central,1,Hong Kong,039,0.00,0.00"}, "'039' is not a station number"),
        ({3: "Central,1,=1+1,39,0.00,0.00"}, "'=1+1' is a formula to a spreadsheet"),
        ({3: "Central,1,Hong\x00Kong,39,0.00,0.00"}, "DEST_STATION_NAME: holds control characters"),
        ({3: f"Central,1,{'x' * 2001},39,0.00,0.00"}, "2001 characters, more than 2000"),
        ({3: f"Central,1,{'x' * 200_000},39,0.00,0.00"}, "no CSV: field larger than field limit"),
        ({0: HEADER + ",OCT_ADT_FARE"}, "line 1, OCT_ADT_FARE: column is there twice"),
    ],
)
def test_each_problem_of_a_fare_file_is_refused(change: dict[int, str], expected: str) -> None:
    found = problems(mtr([change.get(i, line) for i, line in enumerate(GOOD_MTR)]))
    assert expected in found[0]


def test_another_fare_for_the_way_back_is_loaded_with_a_warning() -> None:
    parsed = mtr(
        [line.replace("Lo Wu,76,Central,1,52.20", "Lo Wu,76,Central,1,52.10") for line in GOOD_MTR]
    )
    assert parsed.tariff is not None
    assert [str(warning) for warning in parsed.warnings] == [
        "fares.2026.csv line 5, OCT_ADT_FARE: HKD 52.10 from 76 to 1, and HKD 52.20 back"
    ]
    assert parsed.tariff.plain_fare(*map(parsed.tariff.find_stop, ("76", "1"))) == Money(5210, HKD)


def test_a_station_by_another_name_than_in_the_list_is_loaded_with_a_warning() -> None:
    content = "\n".join(GOOD_MTR).encode()
    listed = {"39": Stop("39", ("HongKong",)), "76": Stop("76", ("Sheung Shui",))}
    file = SourceFile("fares.csv", content)
    parsed = read_mtr_fares(file, DAY, listed, TERMS["mtr"])
    assert [str(warning) for warning in parsed.warnings] == [
        "fares.csv line 5, SRC_STATION_NAME: 76 is 'Lo Wu', in the list 'Sheung Shui'"
    ]


def test_a_station_of_two_names_in_the_list_is_a_problem() -> None:
    header = "Station Code,Station ID,Chinese Name,English Name\n"
    rows = header + "ADM,2,金鐘,Admiralty\nCEN,2,中環,Central\n"
    _, found = read_station_names(SourceFile("s.csv", rows.encode()))
    assert [str(problem) for problem in found] == [
        "s.csv line 3, STATION ID: station 2 is 'Admiralty' above"
    ]


def test_an_empty_file_and_one_that_is_not_text_are_refused() -> None:
    assert "column is missing" in problems(mtr([]))[0]
    assert "no fares in the file" in problems(mtr([HEADER]))[0]
    binary = SourceFile("f.csv", b"ok\nnot \xff")
    assert problems(read_mtr_fares(binary, DAY, {}, TERMS["mtr"])) == [
        "f.csv line 2, text: not UTF-8"
    ]


def test_a_station_list_names_its_empty_fields() -> None:
    header = "Line Code,Direction,Station Code,Station ID,Chinese Name,English Name,Sequence\n"
    rows = 'ISL,UT,ADM,2,金鐘,Admiralty,1.00\nISL,UT,,3,尖沙咀,"TST",1.00\n,,,,,,\n'
    names, found = read_station_names(SourceFile("s.csv", (header + rows).encode()))
    every = ("Admiralty", "金鐘", "金钟", "ADM")
    assert names == {"2": Stop("2", every, "Admiralty", "金鐘", "金钟")}
    assert [str(problem) for problem in found] == ["s.csv line 3, STATION CODE: empty"]


STATIONS = {"stations": [{"index": i, "name": name} for i, name in enumerate("甲乙甲")]}
FARES = {"fareType": "standard", "currency": "CNY", "matrix": [[2, 3, 2], [3, 2, 3], [2, 3, 2]]}
MAP = {
    "l": [
        {"st": [{"n": "甲", "poiid": "0201", "en": "A"}, {"n": "乙", "poiid": "0202", "en": "B"}]},
        {"st": [{"n": "甲", "poiid": "0101", "en": "A"}]},
    ]
}


def shenzhen(stations: object = STATIONS, fares: object = FARES, network: object = MAP) -> Parsed:
    files = (("stations", stations), ("fares", fares), ("map", network))
    a, b, c = (SourceFile(f"{name}.json", json.dumps(what).encode()) for name, what in files)
    return read_shenzhen_metro(a, b, c, DAY, TERMS["shenzhen-metro"])


def test_an_interchange_is_one_station_with_its_lowest_code_as_id() -> None:
    tariff = shenzhen().tariff
    assert tariff is not None
    assert [stop.id for stop in tariff.stops] == ["0101", "0202"]
    assert tariff.find_stop("0201") == tariff.find_stop("甲站") == tariff.stops[0]
    assert tariff.plain_fare(*tariff.stops).minor == 300


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"fares": FARES | {"fareType": "business"}}, "fareType: 'business' where 'standard'"),
        ({"fares": FARES | {"currency": "HKD"}}, "fares.json line 1, currency: 'HKD'"),
        ({"fares": FARES | {"matrix": [[2, 3, 2], [3, 2, 3]]}}, "matrix[0]: 3 fares in a row of 2"),
        (
            {"fares": FARES | {"matrix": [[2, 3, 2], [3, 2.5, 3], [2, 3, 2]]}},
            "matrix[1][1]: 2.5 is not a whole number",
        ),
        (
            {"fares": FARES | {"matrix": [[2, 3, 2], [3, 2, 4], [2, 4, 2]]}},
            "matrix[2]: 甲 has other fares than in row 0",
        ),
        ({"fares": FARES | {"matrix": [[2]]}}, "matrix: 1 rows for 3 stations"),
        ({"stations": {}}, "stations.json line 1, stations: no list of stations"),
        ({"stations": {"stations": [{"index": 7, "name": "甲"}]}}, "stations[0].index: 7 is not"),
        ({"network": {"l": []}}, "no station named '甲'"),
        ({"network": {"l": [{"st": [{"n": "甲", "poiid": "12", "en": "A"}]}]}}, "'12' is not four"),
        ({"network": None}, "map.json line 1, json: null"),
    ],
)
def test_each_problem_of_the_shenzhen_files_is_refused(
    change: dict[str, object], expected: str
) -> None:
    assert any(expected in problem for problem in problems(shenzhen(**change)))


def test_json_that_cannot_be_read_is_named_with_its_line() -> None:
    good = SourceFile("stations.json", json.dumps(STATIONS).encode())
    cut = SourceFile("fares.json", b'{\n"matrix": [[2,\n')
    network = SourceFile("map.json", json.dumps(MAP).encode())
    found = problems(read_shenzhen_metro(good, cut, network, DAY, TERMS["shenzhen-metro"]))
    assert any(problem.startswith("fares.json line 3, json: ") for problem in found)
