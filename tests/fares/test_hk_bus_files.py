"""The Transport Department's route list: variants, joint routes, holiday fares, broken files."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import pytest

from transitpay.fares.names import Language
from transitpay.fares.tariff import FlatFares
from transitpay.fares.tariff_files import Parsed, SourceFile
from transitpay.fares.tariff_files.hk_bus import read_route_bus
from transitpay.runtime.builtin import published_terms

DAY = date(2026, 1, 1)
TERMS = published_terms()


def problems(parsed: Parsed) -> list[str]:
    assert parsed.tariff is None, "nothing is half loaded"
    return [str(problem) for problem in parsed.problems]


def route(number: str, fare: str, ident: str, company: str = "KMB") -> str:
    return (
        f"<ROUTE>\n<ROUTE_ID>{ident}</ROUTE_ID><COMPANY_CODE>{company}</COMPANY_CODE>"
        f"<ROUTE_NAMEE>{number}</ROUTE_NAMEE><LOC_START_NAMEE>A {ident}</LOC_START_NAMEE>"
        f"<LOC_END_NAMEE>B</LOC_END_NAMEE><FULL_FARE>{fare}</FULL_FARE>\n</ROUTE>\n"
    )


def buses(*routes: str, end: str = "</dataroot>", network: str = "kmb") -> Parsed:
    text = '<?xml version="1.0"?>\n<dataroot>\n' + "".join(routes) + end
    return read_route_bus(SourceFile("ROUTE_BUS.xml", text.encode()), network, DAY, TERMS[network])


def test_variants_of_one_fare_are_one_route_and_of_several_must_be_named() -> None:
    parsed = buses(
        route("1", "6.7", "1001"),
        route("9", "5.0", "1002"),
        route("9", "5", "1003"),
        route("9X", "5.0", "1004"),
        route("9X", "6.0", "1005"),
        route("A21", "34.6", "1006", "CTB"),
        route("118", "12.9", "1007", "KMB+CTB"),
        route("A41", "23.4", "1008", "LWB"),
    )
    tariff = parsed.tariff
    assert tariff is not None
    fares = {text: tariff.plain_fare(tariff.find_stop(text)).minor for text in ("1", "9", "1005")}
    assert fares == {"1": 670, "9": 500, "1005": 600}
    assert tariff.plain_fare(tariff.find_stop("9X A 1004 - B")).minor == 500
    assert {"118", "A41"} <= {stop.id for stop in tariff.stops}
    assert not {"9X", "A21"} & {stop.id for stop in tariff.stops}


def test_a_file_that_ends_within_a_route_has_that_one_problem() -> None:
    half = route("2", "5.0", "1002").partition("<FULL_FARE>")[0]
    assert problems(buses(route("1", "6.7", "1001"), half, end="")) == [
        "ROUTE_BUS.xml line 7, xml: no element found"
    ]
    told = problems(buses(route("1", "x", "1001"), half, end="</dataroot>"))
    assert len(told) == 2
    assert told[0] == "ROUTE_BUS.xml line 7, xml: mismatched tag"
    assert told[1].startswith("ROUTE_BUS.xml line 3, FULL_FARE: 'x'")


def test_every_problem_of_a_route_file_is_named_with_the_line_of_its_route() -> None:
    parsed = buses(
        route("1", "6.7", "1001"),
        route("2", "free", "1002"),
        route("3", "0", "1003"),
        route("", "1.0", "1004"),
        route("5", "1.05", "1001"),
        route("6", "1.0", "1001"),
    )
    assert problems(parsed) == [
        "ROUTE_BUS.xml line 6, FULL_FARE: 'free' is not an amount in HKD",
        "ROUTE_BUS.xml line 9, FULL_FARE: 0 is not a multiple of 0.10 above 0",
        "ROUTE_BUS.xml line 12, ROUTE_NAMEE: missing or empty",
        "ROUTE_BUS.xml line 15, FULL_FARE: 1.05 is not a multiple of 0.10 above 0",
        "ROUTE_BUS.xml line 18, ROUTE_ID: 1001 a second time",
    ]


def test_a_cut_route_file_and_one_without_the_operator_are_refused() -> None:
    assert "ROUTE_BUS.xml line" in problems(buses(route("1", "6.7", "1001"), end=""))[-1]
    assert "no route of citybus" in problems(buses(route("1", "6.7", "1"), network="citybus"))[0]
    clash = buses(route("1", "6.7", "2"), route("2", "6.7", "3"))
    assert "line 3, ROUTE_ID: 2 is a route number too" in problems(clash)[0]


def test_a_route_has_the_names_of_its_ends_in_each_language_that_is_published() -> None:
    xml = route("1", "6.7", "1001").replace(
        "<FULL_FARE>",
        "<LOC_START_NAMEC>竹園邨</LOC_START_NAMEC><LOC_END_NAMEC>尖沙咀</LOC_END_NAMEC><FULL_FARE>",
    )
    tariff = buses(xml).tariff
    assert tariff is not None
    stop = tariff.find_stop("1001")
    assert [stop.name(language) for language in Language] == [
        "1 A 1001 - B",
        "1 竹園邨 - 尖沙咀",
        "1 竹园村 - 尖沙咀",
    ]


def test_the_full_fare_of_new_lantao_bus_is_that_of_holidays_and_the_tariff_says_so() -> None:
    tariff = buses(route("1", "21.4", "1723", "NLB"), network="nlb").tariff
    assert tariff is not None and isinstance(tariff.fares, FlatFares)
    assert tariff.fares.holiday_by_route == tariff.fares.by_route == {"1": 2140, "1723": 2140}
    assert tariff.terms.calendar == "hong-kong"
    assert "fare of Sundays and holidays" in tariff.terms.unknown[-1]


def test_a_weekday_file_gives_a_route_or_all_variants_of_a_number_their_lower_fare() -> None:
    routes = (
        route("1", "21.4", "1723", "NLB"),
        route("1", "21.4", "8567", "NLB"),
        route("11", "23.3", "1724", "NLB"),
        route("11", "23.3", "8566", "NLB"),
        route("2", "37", "1725", "NLB"),
    )
    tariff = nlb("route,amount\n1,12.6\n1724,13.9\n", *routes).tariff
    assert tariff is not None and isinstance(tariff.fares, FlatFares)
    assert tariff.fares.by_route == {
        "1": 1260,
        "1723": 1260,
        "8567": 1260,
        "1724": 1390,
        "8566": 2330,
        "2": 3700,
        "1725": 3700,
    }
    assert tariff.fares.holiday_by_route["1"] == 2140
    assert "11" not in tariff.fares.holiday_by_route, "its variants differ on weekdays"
    assert "that the weekday file does not name" in tariff.terms.unknown[-1]
    whole = nlb("route,amount\n1,12.6\n", *routes[:2]).tariff
    assert whole is not None and whole.terms.unknown == TERMS["nlb"].likely.unknown


def nlb(weekdays: str, *routes: str) -> Parsed:
    text = '<?xml version="1.0"?>\n<dataroot>\n' + "".join(routes) + "</dataroot>"
    file = SourceFile("ROUTE_BUS.xml", text.encode())
    return read_route_bus(
        file, "nlb", DAY, TERMS["nlb"], SourceFile("weekday.csv", weekdays.encode())
    )


def test_every_problem_of_a_weekday_file_is_named_with_its_line() -> None:
    text = "route,amount\n1,21.5\n1,21.4\n1723,20\n77,5\n1,free\n1\n=1+1,4\n"
    assert problems(nlb(text, route("1", "21.4", "1723", "NLB"))) == [
        "weekday.csv line 2, amount: more than the highest fare of 1723, HKD 21.40",
        "weekday.csv line 4, route: 1723 a second time",
        "weekday.csv line 5, route: '77' is no route",
        "weekday.csv line 6, amount: 'free' is not an amount in HKD",
        "weekday.csv line 6, route: 1723 a second time",
        "weekday.csv line 7, row: 1 fields where the header has 2",
        "weekday.csv line 8, route: '=1+1' is a formula to a spreadsheet",
    ]


def test_a_weekday_file_of_an_operator_with_one_fare_for_all_days_is_refused() -> None:
    xml = f'<?xml version="1.0"?><d>{route("1", "6.7", "1001")}</d>'
    file, weekdays = SourceFile("r.xml", xml.encode()), SourceFile("w.csv", b"route,amount\n1,5\n")
    found = problems(read_route_bus(file, "kmb", DAY, TERMS["kmb"], weekdays))
    assert found == ["w.csv, route: kmb has one fare for all days"]


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        ('<!DOCTYPE d [<!ENTITY a "aaaa">]><d>&a;</d>', "line 1, xml: a document type"),
        ('<!DOCTYPE d SYSTEM "file:///etc/passwd"><d/>', "line 1, xml: a document type"),
        ('<?xml version="1.0" encoding="no-such"?><d/>', "line 1, xml: "),
        ("<d><ROUTE>", "xml: no element found"),
        ("", "xml: no element found"),
        ("<d>\x00</d>", "xml: not well-formed"),
        ("<d>" + route("1", "5" * 50, "7") + "</d>", "'5555555555'... is too long for a fare"),
        ("<d>" + route("1\u202e", "5", "7") + "</d>", "ROUTE_NAMEE: holds control characters"),
        ("<d>" + route("=1+1", "5", "7") + "</d>", "ROUTE_NAMEE: '=1+1' is a formula"),
        (
            "<d>" + route("1", "5", "7").replace("</ROUTE>", "<FULL_FARE>6</FULL_FARE></ROUTE>"),
            "line 3, FULL_FARE: a second time in its route",
        ),
    ],
)
def test_hostile_route_files_are_problems_and_nothing_is_resolved(xml: str, expected: str) -> None:
    found = problems(read_route_bus(SourceFile("r.xml", xml.encode()), "kmb", DAY, TERMS["kmb"]))
    assert any(expected in problem for problem in found)


def test_the_operators_of_the_real_file_have_all_their_routes(data_dir: Path) -> None:
    path = data_dir / "hk_bus" / "ROUTE_BUS.2026-03-31.xml.gz"
    file = SourceFile(path.name, gzip.decompress(path.read_bytes()))
    variants = {}
    for network in ("kmb", "citybus", "nlb"):
        tariff = read_route_bus(file, network, DAY, TERMS[network]).tariff
        assert tariff is not None
        variants[network] = sum(stop.id.isdigit() and len(stop.id) >= 4 for stop in tariff.stops)
    # KMB + LWB + the joint ones; CTB + the joint ones; NLB.
    assert variants == {"kmb": 779 + 90 + 127 + 3, "citybus": 477 + 127 + 3, "nlb": 60}
