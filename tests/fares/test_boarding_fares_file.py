"""Fares by boarding stop: a wrong join leaves its route out and blocks nothing, a defect blocks."""

from __future__ import annotations

import gzip
import json
from datetime import date
from pathlib import Path

import pytest

from transitpay.fares.names import Language
from transitpay.fares.tariff import FlatFares, Tariff
from transitpay.fares.tariff_files import Parsed, SourceFile
from transitpay.fares.tariff_files.hk_bus_stops import read_boarding_fares
from transitpay.runtime.builtin import published_terms

DAY = date(2021, 5, 30)
PLACES = {
    stop: {"stop": stop, "name_en": f"STOP {stop}", "name_tc": f"灣{stop}", "name_sc": f"湾{stop}"}
    for stop in "ABCDE"
}


def entry(
    route: str,
    path: str,
    fares: list[str] | None,
    *,
    co: tuple[str, ...] = ("kmb",),
    **more: object,
) -> tuple[str, dict[str, object]]:
    """(key, value) of one route; ``path`` is a stop a letter, the same for all its companies."""
    value: dict[str, object] = {
        "route": route,
        "co": list(co),
        "stops": {company: list(path) for company in dict.fromkeys(co)},
        "serviceType": "1",
        "orig": {"en": path[0], "zh": "起"},
        "dest": {"en": path[-1], "zh": "終"},
        "fares": fares,
        "seq": len(path),
    } | more
    return f"{route}+{value['serviceType']}+{path[0]}+{path[-1]}", value


def read(*entries: tuple[str, dict[str, object]], network: str = "kmb") -> Parsed:
    document = {"routeList": dict(entries), "stopList": PLACES}
    content = json.dumps(document).encode()
    return read_boarding_fares(
        SourceFile("list.json", content), network, DAY, published_terms()[network]
    )


def loaded(parsed: Parsed) -> tuple[Tariff, FlatFares]:
    assert parsed.tariff is not None, parsed.problems
    assert isinstance(parsed.tariff.fares, FlatFares)
    return parsed.tariff, parsed.tariff.fares


def test_a_route_costs_what_its_boarding_stop_costs_and_its_number_is_enough() -> None:
    tariff, fares = loaded(read(entry("1", "ABCD", ["6.2", "6.2", "5.4"])))
    assert fares.by_boarding[("1+1+A+D", "B")] == fares.by_boarding[("1", "B")] == 620
    assert fares.by_boarding[("1", "C")] == 540
    assert ("1", "D") not in fares.by_boarding, "nobody boards at the last stop"
    assert fares.by_route == {"1+1+A+D": 620, "1": 620}
    place = tariff.boarding_stop("C")
    assert place is not None
    assert [place.name(language) for language in Language] == ["STOP C", "灣C", "湾C"]
    assert tariff.find_stop("1+1+A+D").name(Language.ZH_HANT) == "1 起 - 終"
    assert any("2021-05-30" in text for text in tariff.terms.unknown)


def test_a_number_whose_routes_differ_at_a_stop_is_ambiguous() -> None:
    tariff, fares = loaded(
        read(entry("1", "ABC", ["6.2", "5.4"]), entry("1", "DBE", ["6.2", "6.2"]))
    )
    assert ("1", "A") not in fares.by_boarding and "1" not in fares.by_route
    assert {stop.id for stop in tariff.stops} == {"1+1+A+C", "1+1+D+E"}


def test_a_wrong_join_is_left_out_with_its_key_and_the_rest_is_loaded() -> None:
    parsed = read(
        entry("1", "ABC", ["6.2", "6.3"]),
        entry("1", "CBA", ["6.2", "6.2"]),
        entry("2", "ABC", None),
        entry("3", "ABC", ["6.2", "0"]),
        entry("4", "ABC", ["6.2", "5.0"], co=("kmb", "ctb"), stops={"ctb": ["A", "B", "C"]}),
        entry("5", "ABCBD", ["6.2", "5.0", "5.0", "4.0"]),
        entry("6", "ABA", ["6.2", "6.2"]),
    )
    _, fares = loaded(parsed)
    assert set(fares.by_route) == {"1+1+C+A", "6+1+A+A", "6"}, "a number with a gap is no route"
    assert [str(problem) for problem in parsed.left_out] == [
        "list.json line 1, routeList['1+1+A+C']: "
        "the fare rises from HKD 6.20 to HKD 6.30 at stop 2: stops and fares were joined wrongly",
        "list.json line 1, routeList['2+1+A+C']: no fares",
        "list.json line 1, routeList['3+1+A+C']: a fare of 0",
        "list.json line 1, routeList['4+1+A+C']: 0 stops of kmb where the route has 3",
        "list.json line 1, routeList['5+1+A+D']: two fares from one stop that the bus passes twice",
    ]


def test_routes_of_new_world_first_bus_are_citybus_and_joint_ones_are_of_both() -> None:
    entries = (
        entry("1", "ABC", ["6.2", "6.2"], co=("kmb", "nwfb")),
        entry("2", "ABC", ["6.2", "6.2"], co=("nwfb",)),
        entry("3", "ABC", ["6.2", "6.2"], co=("ctb",), serviceType=1),
        entry("4", "ABC", ["6.2", "6.2"], co=("kmb", "ctb", "ctb")),
    )
    citybus, kmb = read(*entries, network="citybus"), read(*entries)
    assert {"1", "2", "3", "4"} <= set(loaded(citybus)[1].by_route)
    assert set(loaded(kmb)[1].by_route) == {"1", "1+1+A+C", "4", "4+1+A+C"}
    assert "New World First Bus" in loaded(citybus)[0].source
    assert [str(warning) for warning in citybus.warnings] == [
        "list.json line 1, routeList['4+1+A+C'].co: ['kmb', 'ctb', 'ctb'] names a company twice"
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"fares": ["6.2"]}, ".fares: 1 fares where 3 stops need 2"),
        ({"fares": ["6.2", "x"]}, ".fares[1]: 'x' is not an amount in HKD"),
        ({"fares": ["6.2", True]}, ".fares[1]: 'True' is not an amount in HKD"),
        ({"fares": ["6.2", "9" * 5000]}, ".fares[1]: '9999999999'... is too long for a fare"),
        ({"fares": "6.2"}, ".fares: no list of fares"),
        ({"fares": ["6.25", "6.2"]}, ".fares[0]: not a multiple of 0.10"),
        ({"co": ["mtr"]}, ".co: ['mtr'] is not known"),
        ({"stops": {"kmb": ["A", "B", "Z"]}}, ": stop 'Z' is not in stopList"),
        ({"stops": {"kmb": ["A", "B", 7]}}, ".stops: no lists of stops, or no seq"),
        ({"seq": "3"}, ".stops: no lists of stops, or no seq"),
        ({"route": "1B"}, ": its key is not that of its parts"),
    ],
)
def test_each_defect_of_a_route_refuses_the_file(change: dict[str, object], expected: str) -> None:
    key, value = entry("1", "ABC", ["6.2", "6.2"])
    parsed = read((key, value | change))
    assert parsed.tariff is None
    assert f"routeList['1+1+A+C']{expected}" in str(parsed.problems[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '{"routeList": {"a": 1, "a": 2}, "stopList": {}}',
            "json: 'a' twice in one object, with two",
        ),
        ('{"routeList": NaN}', "json: NaN is no number"),
        ("[" * 100_000, "json: nested too deep"),
        ('{"routeList": {}, "stopList": {}}', "routeList: no routes"),
        ('{"stopList": {"A": {"stop": "B"}}}', "stopList['A']: its id is another inside"),
        ('{"stopList": {"A": {"stop": "A", "name_en": "A"}}}', "no name in three languages"),
        ("1" * 10_000, "json: a number of too many digits"),
        ("null", "line 1, json: null"),
        ('{"a": ["\\u202e1"]}', "json: 'a' holds control characters or half ones"),
        ('{"\\ud800": 1}', "holds control characters or half ones"),
    ],
)
def test_hostile_lists_are_problems(text: str, expected: str) -> None:
    parsed = read_boarding_fares(
        SourceFile("list.json", text.encode()), "kmb", DAY, published_terms()["kmb"]
    )
    assert parsed.tariff is None
    assert any(expected in str(problem) for problem in parsed.problems)


def test_842_of_1515_fare_lists_of_the_real_file_are_named_as_wrong_joins(data_dir: Path) -> None:
    path = data_dir / "hk_bus" / "routeFareList.2021-05-30.json.gz"
    file = SourceFile(path.name, gzip.decompress(path.read_bytes()))
    wrong: set[str] = set()
    counted = {}
    for network in ("kmb", "citybus"):
        parsed = read_boarding_fares(file, network, DAY, published_terms()[network])
        tariff, fares = loaded(parsed)
        wrong |= {p.field for p in parsed.left_out if "joined wrongly" in p.reason}
        routes = sum("+" in stop.id for stop in tariff.stops)
        counted[network] = (routes, len(tariff.boarding_stops), len(parsed.left_out))
        assert fares.by_route.keys() >= {route for route, _ in fares.by_boarding}
    assert len(wrong) == 842
    assert counted == {"kmb": (564, 4423, 837), "citybus": (143, 1132, 524)}
