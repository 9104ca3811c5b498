"""GTFS with Fares v2: what fits our tariffs is loaded, what does not is named, nothing is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gtfs_feeds import (
    BUSES,
    CALENDAR,
    CODE,
    DAY,
    METRO,
    STEP,
    flat,
    loaded,
    problems,
    read,
    terms,
    zipped,
)

from transitpay.fares.names import Language
from transitpay.fares.tariff import MatrixFares
from transitpay.fares.tariff_files import SourceFile
from transitpay.fares.tariff_files.formats import FORMATS, Job
from transitpay.fares.tariff_files.gtfs import GtfsChoice
from transitpay.fares.tariff_files.gtfs import fares as gtfs_fares


def test_areas_and_leg_rules_make_a_matrix_of_the_default_riders_fares() -> None:
    tariff = loaded(read(METRO, CODE))
    fares = {
        (a.id, b.id): tariff.plain_fare(a, b).minor
        for a in tariff.stops
        for b in tariff.stops
        if a != b
    }
    assert fares == {
        ("s1", "s2"): 200,
        ("s2", "s1"): 200,
        ("s1", "s3"): 350,
        ("s2", "s3"): 350,
        ("s3", "s1"): 350,
        ("s3", "s2"): 350,
    }
    assert tariff.find_stop("OHB") == tariff.find_stop("s1a") == tariff.stops[0]


def test_riders_and_media_may_be_chosen_and_must_be_where_prices_differ() -> None:
    tariff = loaded(read(METRO, GtfsChoice(rider="child", media="cash")))
    s1, s2, s3 = tariff.stops
    assert tariff.plain_fare(s1, s2).minor == 100
    assert tariff.plain_fare(s1, s3).minor == 400
    assert problems(read(METRO)) == [
        "fare_products.txt line 4, amount: two has several prices, 3.50 (any rider, Ride code), "
        "4.00 (any rider, cash): name the rider and the medium"
    ]


def test_products_must_be_chosen_where_a_leg_may_be_paid_by_several() -> None:
    rules = METRO["fare_leg_rules.txt"] + "g,metro,inner,inner,pass\n"
    assert problems(read(METRO, CODE, fare_leg_rules=rules)) == [
        "fare_leg_rules.txt line 6, fare_product_id: several fares, one (CNY 2.00), "
        "pass (CNY 15.00): name the products that ride codes pay: area inner to area inner"
    ]
    chosen = replace(CODE, products=frozenset({"one", "two"}))
    assert loaded(read(METRO, chosen, fare_leg_rules=rules)).plain_fare is not None


def test_the_same_feed_comes_zipped_or_as_files() -> None:
    as_files = loaded(read(METRO, CODE))
    archive_file = zipped({**METRO, "stop_times.txt": "x" * 1000, "notes/read.me": "x"})
    as_zip = FORMATS["gtfs"].read([archive_file], Job(DAY, terms(), CODE))
    assert loaded(as_zip).stops == as_files.stops
    tables = [SourceFile(f"feed/{name}", text.encode()) for name, text in METRO.items()]
    as_tables = loaded(FORMATS["gtfs"].read(tables, Job(DAY, terms(), CODE)))
    assert as_tables.version == as_files.version
    both = FORMATS["gtfs"].read([archive_file, *tables], Job(DAY, terms(), CODE))
    assert problems(both) == ["*.zip, feed: either one archive or the files of one feed"]


def test_amounts_are_multiples_of_the_step_of_the_terms() -> None:
    coarse = terms(more=STEP.replace("0.01", "1.00"))
    found = problems(read(METRO, CODE, of=coarse))
    assert found == ["fare_products.txt line 4, amount: not a multiple of CNY 1.00"]


def test_networks_of_routes_make_flat_fares() -> None:
    parsed = read(BUSES)
    assert flat(parsed).by_route == {"r1": 200, "r2": 200, "x1": 1200}
    tariff = loaded(parsed)
    assert tariff.find_stop("1").id == tariff.find_stop("Pier - Hill").id == "r1"
    one = read(BUSES, GtfsChoice(gtfs_networks=frozenset({"express"})))
    assert flat(one).by_route == {"x1": 1200}


def test_an_empty_network_stands_for_the_networks_that_no_rule_names() -> None:
    rules = "network_id,fare_product_id\nexpress,express\n,city\n"
    assert flat(read(BUSES, fare_leg_rules=rules)).by_route == {"r1": 200, "r2": 200, "x1": 1200}


def test_with_rule_priority_an_empty_field_matches_all_and_the_highest_rule_counts() -> None:
    rules = "network_id,fare_product_id,rule_priority\n,city,\nexpress,express,1\n"
    assert flat(read(BUSES, fare_leg_rules=rules)).by_route == {"r1": 200, "r2": 200, "x1": 1200}
    lower = "network_id,fare_product_id,rule_priority\n,city,2\nexpress,express,1\n"
    assert flat(read(BUSES, fare_leg_rules=lower)).by_route == {"r1": 200, "r2": 200, "x1": 200}
    same = "network_id,fare_product_id,rule_priority\n,city,1\nexpress,express,1\n"
    assert "several fares" in problems(read(BUSES, fare_leg_rules=same))[0]
    bad = "network_id,fare_product_id,rule_priority\n,city,-1\n"
    assert "'-1' is no whole number from 0 on" in problems(read(BUSES, fare_leg_rules=bad))[0]


def test_a_product_of_0_makes_rides_free_within_zones_and_is_a_warning_of_its_first_rule() -> None:
    products = METRO["fare_products.txt"].replace("adult,,2.00", "adult,,0.00")
    parsed = read(METRO, CODE, fare_products=products)
    tariff = loaded(parsed)
    s1, s2, s3 = tariff.stops
    assert [tariff.plain_fare(s1, it).minor for it in (s2, s3)] == [0, 350]
    assert [str(problem) for problem in parsed.warnings] == [
        "fare_leg_rules.txt line 2, fare_product_id: rides for one (CNY 0.00) are free; rules: 2",
    ]


def test_a_pair_of_areas_without_a_rule_has_no_fare_and_is_left_out_by_name() -> None:
    rules = "from_area_id,to_area_id,fare_product_id\ninner,inner,one\ninner,outer,two\n"
    parsed = read(METRO, CODE, fare_leg_rules=rules)
    tariff = loaded(parsed)
    s1, s2, s3 = tariff.stops
    assert [tariff.has_fare(*pair) for pair in ((s1, s2), (s2, s3), (s3, s2))] == [
        True,
        True,
        False,
    ]
    assert [str(problem) for problem in parsed.left_out] == [
        "fare_leg_rules.txt, to_area_id: no rule with a fare for our riders, so no fare, "
        "from area outer to area inner"
    ]


def test_stations_that_no_rule_prices_are_left_out_by_name() -> None:
    rules = "from_area_id,to_area_id,fare_product_id\ninner,inner,one\nouter,outer,one\n"
    parsed = read(METRO, CODE, fare_leg_rules=rules)
    assert [stop.id for stop in loaded(parsed).stops] == ["s1", "s2"]
    assert [str(problem) for problem in parsed.left_out] == [
        "stops.txt, stop_id: no rule with a fare for our riders: s3"
    ]


def test_thousands_of_stops_are_a_matrix_of_their_areas() -> None:
    stops, areas = METRO["stops.txt"], METRO["stop_areas.txt"]
    for n in range(5_000):
        stops += f"n{n},Stop {n},,,\n"
        areas += f"{'inner' if n % 2 else 'outer'},n{n}\n"
    tariff = loaded(read(METRO, CODE, stops=stops, stop_areas=areas))
    assert isinstance(tariff.fares, MatrixFares)
    assert (len(tariff.stops), tariff.fares.rows) == (5_003, ((200, 350), (350, 200)))
    assert tariff.plain_fare(tariff.find_stop("n1"), tariff.find_stop("Stop 2")).minor == 350


def test_areas_that_no_rule_names_make_no_difference_unless_a_rule_names_none() -> None:
    change = {
        "areas": METRO["areas.txt"] + "town\nvillage\n",
        "stop_areas": METRO["stop_areas.txt"] + "town,s1\nvillage,s2\n",
    }
    fares = loaded(read(METRO, CODE, **change)).fares
    assert isinstance(fares, MatrixFares) and fares.rows == ((200, 350), (350, 0))
    rules = METRO["fare_leg_rules.txt"] + "g,metro,,,two\n"
    others = loaded(read(METRO, CODE, fare_leg_rules=rules)).fares
    assert isinstance(others, MatrixFares) and others.minor("s1", "s2") == 200
    both = read(METRO, CODE, fare_leg_rules=rules.replace("metro", ""), **change)
    assert "several fares, one (CNY 2.00), two (CNY 3.50)" in problems(both)[0]


BAY = {
    "stops": METRO["stops.txt"] + "s1b,Old Harbour bus bay,,0,s1\n",
    "stop_areas": "area_id,stop_id\ninner,s1a\ninner,s2\nouter,s3\n",
}


def test_a_platform_in_no_area_is_no_difference_where_every_rule_needs_one() -> None:
    s1, s2, _ = loaded(read(METRO, CODE, **BAY)).stops
    assert loaded(read(METRO, CODE, **BAY)).plain_fare(s1, s2).minor == 200
    header, *rows = METRO["fare_leg_rules.txt"].splitlines()
    ranked = [f"{header},rule_priority", *(f"{row},1" for row in rows), "g,metro,,,two,0"]
    found = problems(read(METRO, CODE, fare_leg_rules="\n".join(ranked), **BAY))
    assert found == ["stops.txt line 2, stop_id: station s1: its platforms lie in different areas"]


def test_a_station_of_another_network_may_have_platforms_in_different_areas() -> None:
    feed = {
        "stops": METRO["stops.txt"] + "x,Rail,,1,\nx1,Rail 1,,0,x\nx2,Rail 2,,0,x\n",
        "areas": METRO["areas.txt"] + "rail-1\nrail-2\n",
        "stop_areas": METRO["stop_areas.txt"] + "rail-1,x1\nrail-2,x2\n",
        "networks": "network_id\nmetro\nrail\n",
        "routes": "route_id\nm1\nt1\n",
        "route_networks": "route_id,network_id\nm1,metro\nt1,rail\n",
        "fare_leg_rules": METRO["fare_leg_rules.txt"] + "r,rail,rail-1,rail-2,one\n",
        "agency": "",
    }
    parsed = read(METRO, replace(CODE, gtfs_networks=frozenset({"metro"})), **feed)
    assert [stop.id for stop in loaded(parsed).stops] == ["s1", "s2", "s3"]
    rail = read(METRO, replace(CODE, gtfs_networks=frozenset({"rail"})), **feed)
    assert problems(rail) == [
        "stops.txt line 7, stop_id: station x: its platforms lie in different areas"
    ]


def test_more_groups_of_areas_than_a_network_has_are_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gtfs_fares, "MOST_STATIONS", 2)
    assert len(loaded(read(METRO, CODE)).stops) == 3
    monkeypatch.setattr(gtfs_fares, "MOST_STATIONS", 1)
    assert problems(read(METRO, CODE)) == [
        "stops.txt, stop_id: 3 stations in 2 groups of areas, where 2 stations to 1 groups are a "
        "network"
    ]


def test_more_fares_by_boarding_stop_than_a_tariff_holds_are_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    change = {
        "areas": "area_id\nfar\nnear\n",
        "stop_areas": "area_id,stop_id\nfar,b1\nnear,b2\n",
        "fare_leg_rules": (
            "network_id,from_area_id,fare_product_id\ncity,far,city\ncity,near,express\n"
        ),
    }
    monkeypatch.setattr(gtfs_fares, "_MOST_BOARDINGS", 2)
    assert flat(read(BUSES, **change)).by_boarding == {("r1", "b1"): 200, ("r2", "b1"): 200}
    monkeypatch.setattr(gtfs_fares, "_MOST_BOARDINGS", 1)
    assert problems(read(BUSES, **change)) == [
        "stop_areas.txt, stop_id: more than 1 fares by route and boarding stop"
    ]


def test_days_or_networks_that_lack_a_fare_that_others_have_are_a_problem() -> None:
    frames = {
        "calendar": (
            "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday\n"
            "week,1,1,1,1,1,1,0\n"
        ),
        "timeframes": "timeframe_group_id,service_id\nplain,week\n",
    }
    rules = (
        "network_id,from_timeframe_group_id,fare_product_id\ncity,plain,city\nexpress,,express\n"
    )
    assert problems(read(BUSES, fare_leg_rules=rules, **frames)) == [
        "fare_leg_rules.txt, fare_product_id: no rule with a fare for our riders on Sundays and "
        "holidays, and one on others: route r1, route r2"
    ]
    stations = METRO["fare_leg_rules.txt"].partition("\n")[0] + (
        "\ng,metro,inner,inner,one\ng,,outer,outer,two\n"
    )
    two = read(
        METRO,
        CODE,
        routes="route_id,agency_id,network_id\nm1,a,metro\nb1,a,bus\n",
        fare_leg_rules=stations,
    )
    assert problems(two) == [
        "fare_leg_rules.txt line 2, fare_product_id: other fares in another network, or on "
        "Sundays and holidays: name one network: area inner to area inner"
    ]


def test_a_route_that_costs_0_is_free_and_one_that_no_rule_prices_is_left_out() -> None:
    products = BUSES["fare_products.txt"].replace("city,2.00", "city,0.00")
    rules = "network_id,fare_product_id\ncity,city\n"
    parsed = read(BUSES, fare_products=products, fare_leg_rules=rules)
    assert flat(parsed).by_route == {"r1": 0, "r2": 0}
    assert [stop.id for stop in loaded(parsed).stops] == ["r1", "r2"]
    assert [str(problem) for problem in (*parsed.left_out, *parsed.warnings)] == [
        "fare_leg_rules.txt, network_id: no rule with a fare for our riders: route x1",
        "fare_leg_rules.txt line 2, fare_product_id: rides for city (CNY 0.00) are free; rules: 1",
    ]
    none = read(BUSES, GtfsChoice(gtfs_networks=frozenset({"express"})), fare_leg_rules=rules)
    assert problems(none) == [
        "fare_leg_rules.txt, network_id: no rule with a fare for our riders: route x1"
    ]


def test_an_empty_area_stands_for_the_areas_that_no_rule_names() -> None:
    rules = """network_id,from_area_id,to_area_id,fare_product_id
metro,outer,,two
metro,,outer,two
metro,,,one
metro,outer,outer,one
"""
    tariff = loaded(read(METRO, CODE, fare_leg_rules=rules))
    s1, s2, s3 = tariff.stops
    assert [tariff.plain_fare(a, b).minor for a, b in ((s1, s2), (s1, s3), (s3, s2))] == [
        200,
        350,
        350,
    ]


def test_a_boarding_area_alone_makes_fares_by_boarding_stop() -> None:
    parsed = read(
        BUSES,
        areas="area_id\nfar\nnear\n",
        stop_areas="area_id,stop_id\nfar,b1\nnear,b2\n",
        fare_leg_rules=(
            "network_id,from_area_id,fare_product_id\n"
            "city,,city\nexpress,far,express\nexpress,near,city\n"
        ),
    )
    fares = flat(parsed)
    assert fares.by_route == {"r1": 200, "r2": 200, "x1": 1200}, "the highest where unknown"
    assert fares.by_boarding == {("x1", "b2"): 200}
    assert [stop.id for stop in loaded(parsed).boarding_stops] == ["b2"]


def test_fares_of_sundays_become_holiday_fares_of_the_terms_calendar() -> None:
    frames = {
        "calendar": (
            "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday\n"
            "week,1,1,1,1,1,1,0\nsun,0,0,0,0,0,0,1\n"
        ),
        "timeframes": "timeframe_group_id,service_id\nplain,week\nholiday,sun\n",
        "fare_leg_rules": (
            "network_id,from_timeframe_group_id,fare_product_id\n"
            "city,plain,city\ncity,holiday,express\nexpress,,express\n"
        ),
    }
    fares = flat(read(BUSES, of=terms(more=STEP + CALENDAR), **frames))
    assert fares.by_route == {"r1": 200, "r2": 200, "x1": 1200}
    assert fares.holiday_by_route == {"r1": 1200, "r2": 1200}
    assert problems(read(BUSES, **frames)) == [
        "terms.toml, calendar: the fares have holiday fares, and the terms name no calendar"
    ]


@pytest.mark.parametrize(
    ("frames", "days", "expected"),
    [
        ("plain,week,07:00:00,09:00:00", "1,1,1,1,1,1,0", "fares by time of day (07:00:00 to"),
        ("plain,week,,", "1,1,1,1,1,0,0", "days that are neither all, nor Sundays, nor all others"),
        ("plain,gone,,", "1,1,1,1,1,1,1", "days of service 'gone'"),
    ],
)
def test_days_and_times_that_a_tariff_cannot_say_are_a_problem(
    frames: str, days: str, expected: str
) -> None:
    parsed = read(
        BUSES,
        calendar=(
            f"service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday\nweek,{days}\n"
        ),
        timeframes=f"timeframe_group_id,service_id,start_time,end_time\n{frames}\n",
        fare_leg_rules="network_id,from_timeframe_group_id,fare_product_id\n,plain,city\n",
    )
    assert any(expected in problem for problem in problems(parsed))


def test_names_in_three_languages_come_from_the_translations() -> None:
    parsed = read(
        METRO,
        CODE,
        translations=(
            "table_name,field_name,language,translation,record_id,field_value\n"
            "stops,stop_name,zh-HK,舊港,s1,\nstops,stop_name,zh-Hans,市场,,Market\n"
            "stops,stop_name,fr,Vieux Port,s1,\nroutes,route_long_name,zh,一,m1,\n"
        ),
    )
    s1, s2, _ = loaded(parsed).stops
    assert [s1.name(language) for language in Language] == ["Old Harbour", "舊港", "旧港"]
    assert [s2.name(language) for language in Language] == ["Market", "市場", "市场"]
    assert loaded(parsed).find_stop("旧港") == s1


def test_stations_in_no_area_of_the_rules_are_left_out_by_name() -> None:
    stops = METRO["stops.txt"] + "b9,Bus stop,,,\n"
    parsed = read(METRO, CODE, stops=stops)
    assert len(loaded(parsed).stops) == 3
    assert [str(problem) for problem in parsed.left_out] == [
        "stops.txt, stop_id: in no area of the rules: b9"
    ]
