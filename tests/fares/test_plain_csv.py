"""Our own CSV files: the example of the reference, every refusal, and what may be left out."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from transitpay.fares.document import document_of
from transitpay.fares.document import tariff_of as tariff_of_document
from transitpay.fares.names import Language
from transitpay.fares.tariff import FlatFares, Tariff
from transitpay.fares.tariff_files import Parsed, SourceFile
from transitpay.fares.tariff_files.formats import FORMATS, Job
from transitpay.fares.tariff_files.plain_csv import read_plain_csv
from transitpay.fares.terms_file import TermsFile, read_terms_file

DAY = date(2026, 1, 1)
REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "tariff-files.md"


def example(name: str) -> SourceFile:
    """A file of the worked example, as the reference prints it."""
    text = REFERENCE.read_text(encoding="utf-8")
    found = re.search(rf"^```\w+ {re.escape(name)}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found, f"the reference has no {name}"
    return SourceFile(name, found[1].encode())


def terms(network: str) -> TermsFile:
    read = read_terms_file(example(f"{network}.toml"))
    assert read.file is not None, read.problems
    return read.file


def tariff_of(parsed: Parsed) -> Tariff:
    assert parsed.tariff is not None, [str(problem) for problem in parsed.problems]
    return parsed.tariff


def tram(fares: str, stops: str | None = None) -> Parsed:
    files = [example("example-stops.csv")] if stops is None else [SourceFile("s", stops.encode())]
    return read_plain_csv(files, [SourceFile("f.csv", fares.encode())], DAY, terms("tram"))


def bus(fares: str) -> Parsed:
    file = SourceFile("f.csv", fares.encode())
    return read_plain_csv([example("example-stops.csv")], [file], DAY, terms("bus"))


def problems(parsed: Parsed) -> list[str]:
    assert parsed.tariff is None, "nothing is half loaded"
    return [str(problem) for problem in parsed.problems]


def test_a_name_is_one_line_however_its_cell_is_written() -> None:
    stops = 'kind,id,en\nstation,t1," Old\r\n Harbour "\nstation,t2,"Mar\tket  Square"\n'
    pair = "kind,from,to,amount\nmatrix,t1,t2,3\nmatrix,t2,t1,3\n"
    assert [stop.en for stop in tariff_of(tram(pair, stops)).stops] == [
        "Old Harbour",
        "Mar ket  Square",
    ]


def test_no_fare_is_out_of_reach_of_a_document() -> None:
    pair = "kind,from,to,amount\nmatrix,t1,t2,{0}\nmatrix,t2,t1,{0}\n"
    two = "kind,id,en\nstation,t1,A\nstation,t2,B\n"
    made = tariff_of(tram(pair.format("100000.00"), two))
    assert tariff_of_document(document_of(made)).version == made.version
    assert problems(tram(pair.format("100000.50"), two)) == [
        f"f.csv line {line}, amount: CNY 100,000.50 is more than CNY 100,000.00" for line in (2, 3)
    ]


def test_a_file_of_nothing_but_problems_is_read_to_the_ten_thousandth() -> None:
    told = problems(tram("kind,from,to,amount\n" + "matrix\n" * 20_000))
    assert told[0] == "f.csv line 2, row: 1 fields where the header has 4"
    assert (
        told[-1] == "f.csv line 10002, row: after 10,000 problems the rest of the file is not read"
    )
    assert len(told) == 10_001


def test_the_worked_example_of_the_reference_gives_the_fares_that_it_says() -> None:
    files = [example("example-stops.csv"), example("example-fares.csv")]
    parsed = FORMATS["csv"].read(files, Job(DAY, terms("tram")))
    made = tariff_of(parsed)
    assert made.plain_fare(made.find_stop("Old Harbour"), made.find_stop("大学")).minor == 550
    assert made.plain_fare(made.find_stop("University"), made.find_stop("MKT")).minor == 350
    assert [stop.name(Language.ZH_HANT) for stop in made.stops] == ["舊港", "市場", "大學"]
    assert [str(warning) for warning in parsed.warnings] == [
        "example-fares.csv line 7, amount: CNY 3.50 from t3 to t2, and CNY 3.00 back"
    ]
    made = tariff_of(FORMATS["csv"].read(files, Job(DAY, terms("bus"))))
    assert isinstance(made.fares, FlatFares)
    assert made.plain_fare(made.find_stop("9X")).minor == 620
    assert made.plain_fare(made.find_stop("77")).minor == 200
    assert made.fares.holiday_by_route == {"9": 800}
    assert made.fares.by_boarding == {("9", "b2"): 410}
    assert made.fares.by_section == {("9", "b1", "b2"): 310}
    place = made.boarding_stop("b2")
    assert place is not None and place.name(Language.ZH_HANS) == "桥"


def test_the_rows_of_a_network_may_stand_in_several_files() -> None:
    lines = example("example-fares.csv").content.decode().splitlines()
    one = SourceFile("fares-1.csv", "\n".join(lines[:4]).encode())
    two = SourceFile("fares-2.csv", "\n".join([lines[0], *lines[4:], lines[1]]).encode())
    files = [example("example-stops.csv"), one]
    read = FORMATS["csv"].read([*files, two], Job(DAY, terms("tram")))
    assert problems(read) == [
        "fares-2.csv line 10, amount: a second matrix fare, the first is fares-1.csv line 2"
    ]
    two = SourceFile("fares-2.csv", "\n".join([lines[0], *lines[4:]]).encode())
    made = tariff_of(FORMATS["csv"].read([*files, two], Job(DAY, terms("tram"))))
    assert made.version.startswith("fares-1#") and "+fares-2#" in made.version


def test_every_problem_of_a_file_of_fares_is_named_with_its_line() -> None:
    text = """kind,from,to,route,amount,currency
matrix,t1,t2,,3.0x,
matrix,t1,,,3.00,
zone,t1,t3,,3.00,
matrix,t1,t3,9,3.00,
matrix,t2,t1,,3.25,
matrix,t2,t3,,3.00,HKD
matrix,t3,t1,,0,
"""
    assert problems(tram(text)) == [
        "f.csv line 2, amount: '3.0x' is not an amount in CNY",
        "f.csv line 3, to: empty in a matrix fare",
        "f.csv line 4, kind: 'zone' is none of matrix, flat, holiday, boarding, section",
        "f.csv line 5, route: means nothing in a matrix fare",
        "f.csv line 6, amount: not a multiple of CNY 0.50",
        "f.csv line 7, currency: 'HKD' where tram has CNY",
        "f.csv line 8, amount: 0 is a fare between walking links of the terms alone",
    ]


@pytest.mark.parametrize(
    ("fares", "expected"),
    [
        ("kind,from,to,amount\nmatrix,t1,t2,3\n", "no fare from t1 to t3"),
        ("kind,from,to,amount\nmatrix,t1,t9,3\n", "line 2, to: 't9' is in no file of stops"),
        ("kind,from,to,amount\nmatrix,t1,t1,3\n", "line 2, to: leaving where one entered is"),
        ("kind,from,to,route,amount\nmatrix,t1,t2,,3\nflat,,,9,3\n", "a flat fare in a network"),
        ("kind,amount\n", "network: no fare of tram"),
        ("kind\n", "line 1, amount: column is missing"),
    ],
)
def test_each_problem_of_a_matrix_is_refused(fares: str, expected: str) -> None:
    assert any(expected in problem for problem in problems(tram(fares)))


@pytest.mark.parametrize(
    ("fares", "expected"),
    [
        ("kind,route,amount\nholiday,9,3\n", "line 2, route: route '9' has no flat fare"),
        ("kind,route,amount\nflat,8,3\n", "stops.csv line 5, id: route '9' of the stops"),
        ("kind,route,from,amount\nflat,9,,3\nboarding,9,b7,3\n", "from: 'b7' is in no file"),
    ],
)
def test_each_problem_of_routes_is_refused(fares: str, expected: str) -> None:
    assert any(expected in problem for problem in problems(bus(fares)))


def test_holiday_fares_without_a_calendar_are_refused_and_not_forgotten() -> None:
    fares = SourceFile("f.csv", b"kind,route,amount\nflat,1,3\nholiday,1,4\n")
    assert problems(read_plain_csv([], [fares], DAY, terms("tram"))) == [
        "tram.toml, calendar: the fares have holiday fares, and the terms name no calendar"
    ]


def test_every_problem_of_a_file_of_stops_is_named_with_its_line() -> None:
    stops = "kind,id,en\nstation,t1,One\nstation,t1,Two\npier,t2,Two\nstation,,\n"
    assert problems(tram("kind,from,to,amount\nmatrix,t1,t2,3\n", stops)) == [
        "s line 3, id: station t1 a second time",
        "s line 4, kind: 'pier' is none of station, route, stop",
        "s line 5, id: empty",
        "s line 5, en: empty",
    ]


def test_a_format_says_which_files_it_lacks_and_which_it_cannot_use() -> None:
    job = Job(DAY, terms("tram"))
    found = problems(FORMATS["mtr"].read([SourceFile("stops.txt", b"")], job))
    assert found == [
        "stops.txt, file: is no file of the format mtr, which has mtr_lines_fares*.csv, "
        "mtr_lines_and_stations*.csv",
        "mtr_lines_fares*.csv, fares: the format mtr needs it",
        "mtr_lines_and_stations*.csv, stations: the format mtr needs it",
        "mtr, network: files of this format are those of mtr, not tram",
    ]
    twice = [SourceFile("ROUTE_BUS.xml", b""), SourceFile("x/route_bus.2026.xml.gz", b"")]
    found = problems(FORMATS["route-bus"].read(twice, job))
    assert "x/route_bus.2026.xml.gz, routes: a second such file" in found


def test_every_format_is_in_the_reference() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    for name, one in FORMATS.items():
        row = re.search(rf"^\| `{name}` \|(.*)$", text, re.MULTILINE)
        assert row, f"the reference has no format {name}"
        for role in one.roles:
            assert role.pattern.casefold() in row[1].casefold()
