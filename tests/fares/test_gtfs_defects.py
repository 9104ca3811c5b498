"""Defects of GTFS feeds and archives are problems with their place, whatever they are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gtfs_feeds import (
    BUSES,
    CODE,
    DAY,
    METRO,
    flat,
    problems,
    read,
    terms,
    zipped,
)

from transitpay.fares.tariff_files import SourceFile
from transitpay.fares.tariff_files.gtfs import GtfsChoice, archive, read_gtfs


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"stops": ""}, "stops.txt, feed: file is missing"),
        (
            {"fare_leg_rules": "", "fare_attributes": "fare_id\n1\n"},
            "fares of version 1 (fare_attributes.txt) are not read",
        ),
        (
            {"fare_products": "fare_product_id,amount,currency\none,2,CNY\ntwo,3.50,CNY\n"},
            "'2' has not",
        ),
        (
            {"fare_products": "fare_product_id,amount,currency\none,2.00,USD\ntwo,3.50,CNY\n"},
            "'USD' where",
        ),
        (
            {"fare_products": "fare_product_id,amount,currency\none,x,CNY\ntwo,3.50,CNY\n"},
            "'x' has not",
        ),
        (
            {"fare_products": "fare_product_id,amount,currency\none,2.00,CNY\n"},
            "'two' is not in fare",
        ),
        (
            {"fare_products": "fare_product_id,amount,currency\none,-2.00,CNY\ntwo,3.50,CNY\n"},
            "below 0",
        ),
        ({"areas": "area_id\ninner\n"}, "'outer' is not in areas.txt"),
        ({"areas": "area_id\ninner\ninner\nouter\n"}, "line 3, area_id: the same as line 2"),
        ({"stop_areas": "area_id,stop_id\ninner,s1\ninner,s9\n"}, "'s9' is not in stops.txt"),
        (
            {
                "stops": METRO["stops.txt"] + "s1b,Old Harbour platform 2,,0,s1\n",
                "stop_areas": "area_id,stop_id\ninner,s1\nouter,s1a\nouter,s3\n",
            },
            "lie in different areas",
        ),
        ({"networks": "network_id\nmetro\n"}, "forbidden beside networks.txt"),
        ({"routes": "route_id,agency_id\nm1,z\n"}, "'z' is not in agency.txt"),
        ({"agency": "agency_id,agency_name\na,A\nb,B\n"}, "several agencies, a, b: name one"),
        ({"rider_categories": "rider_category_id\nadult\nchild\n"}, "0 default categories"),
        ({"stops": "stop_id\ns1\ns1a\ns2\ns3\ne1\n"}, "line 2, stop_name: empty"),
        (
            {"fare_leg_rules": "from_area_id,to_area_id,fare_product_id\nouter,outer,one\n"},
            "1 stations in 1 groups of areas",
        ),
        (
            {
                "stop_areas": "area_id,stop_id\ninner,s1\nouter,s3\n",
                "fare_leg_rules": (
                    "from_area_id,to_area_id,fare_product_id\ninner,inner,one\nouter,outer,one\n"
                ),
            },
            "no rule with a fare for our riders between stations",
        ),
        (
            {
                "networks": "network_id\nmetro\nbus\n",
                "routes": "route_id\nm1\n",
                "route_networks": "route_id,network_id\nm1,metro\n",
                "fare_leg_join_rules": "from_network_id,to_network_id\nmetro,bus\n",
            },
            "legs of this network and another are one",
        ),
    ],
)
def test_each_defect_of_a_feed_is_named(change: dict[str, str], expected: str) -> None:
    found = problems(read(METRO, CODE if "fare_products" not in change else None, **change))
    assert any(expected in problem for problem in found), found


def test_a_choice_that_the_feed_does_not_have_is_named_with_those_that_it_has() -> None:
    choice = GtfsChoice(
        agency="z",
        media="nfc",
        rider="old",
        products=frozenset({"month"}),
        gtfs_networks=frozenset({"bus"}),
    )
    assert problems(read(METRO, choice)) == [
        "agency.txt, agency_id: 'z' was chosen; there are a",
        "fare_media.txt, fare_media_id: 'nfc' was chosen; there are cash, code",
        "rider_categories.txt, rider_category_id: 'old' was chosen; there are adult, child",
        "fare_products.txt, fare_product_id: 'month' was chosen; there are one, pass, two",
        "networks.txt, network_id: 'bus' was chosen; there are metro",
    ]


def test_what_is_unpacked_has_a_bound_that_headers_cannot_move(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bomb = zipped({**METRO, "translations.txt": "0" * 200_000})
    assert len(bomb.content) < 5_000
    monkeypatch.setattr(archive, "MOST_BYTES", 100_000)
    found = problems(read_gtfs(bomb, DAY, terms(), CODE))
    assert found == ["feed.zip/translations.txt, zip: more than 100000 bytes unpacked"]


def test_archives_that_are_none_or_hold_no_feed_are_problems() -> None:
    found = problems(read_gtfs(SourceFile("f.zip", b"PK\x03\x04no"), DAY, terms()))
    assert found[0].startswith("f.zip, zip: cannot be read: ")
    assert "no file of a feed" in problems(read_gtfs(zipped({"a/stops.txt": ""}), DAY, terms()))[0]
    cut = SourceFile("f.zip", zipped(METRO).content[:-40])
    assert "cannot be read" in problems(read_gtfs(cut, DAY, terms()))[0]


@pytest.mark.parametrize(
    ("rules", "line"),
    [
        ("city,far,express\ncity,,city\ncity,,pass\n", 4),
        ("city,far,express\ncity,far,pass\ncity,,city\n", 3),
    ],
)
def test_a_choice_of_products_is_left_open_at_no_stop_and_nowhere_else(
    rules: str, line: int
) -> None:
    change = {
        "areas": "area_id\nfar\n",
        "stop_areas": "area_id,stop_id\nfar,b1\n",
        "fare_products": BUSES["fare_products.txt"] + "pass,20.00,CNY\n",
        "fare_leg_rules": f"network_id,from_area_id,fare_product_id\n{rules}",
    }
    single = GtfsChoice(gtfs_networks=frozenset({"city"}), products=frozenset({"city", "express"}))
    fares = flat(read(BUSES, single, **change))
    assert (fares.by_route["r1"], fares.by_boarding["r1", "b1"]) == (200, 1200)
    (problem,) = problems(read(BUSES, replace(single, products=None), **change))
    assert problem.startswith(f"fare_leg_rules.txt line {line}, fare_product_id: several fares, ")
    assert problem.endswith("name the products that ride codes pay: route r1, route r2")
