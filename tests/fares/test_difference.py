"""Two tariffs beside each other, in words that a person at an operator reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given

from tests.fares.tariff_strategies import tariffs
from transitpay.errors import MalformedInput
from transitpay.fares.difference import Difference, difference
from transitpay.fares.document import document_of
from transitpay.fares.tariff import FlatFares, MatrixFares, Stop, Tariff
from transitpay.fares.tariff_files import SourceFile
from transitpay.fares.tariff_files.hk_bus import read_route_bus
from transitpay.fares.terms import Cap, CapPeriod, Overstay, OverstayMode
from transitpay.money import HKD, Money
from transitpay.runtime.builtin import builtin_book, published_terms
from transitpay.runtime.tariff_folder import load_book

MTR = builtin_book().latest("mtr")
KMB = builtin_book().latest("kmb")


def with_fare(start: str, end: str, minor: int) -> Tariff:
    assert isinstance(MTR.fares, MatrixFares)
    ids = MTR.fares.ids
    rows = [list(row) for row in MTR.fares.rows]
    rows[ids.index(start)][ids.index(end)] = minor
    return replace(MTR, fares=MatrixFares(ids, tuple(tuple(row) for row in rows)))


def test_one_fare_is_told_alone_and_several_by_their_widest_change() -> None:
    assert difference(MTR, with_fare("2", "78", 5250)).words() == [
        "1 fare rose by 0.30, Admiralty - Lok Ma Chau 52.20 -> 52.50"
    ]
    assert difference(with_fare("2", "78", 5250), with_fare("78", "2", 5200)).words() == [
        "2 fares fell by 0.20 to 0.30, e.g. Admiralty - Lok Ma Chau 52.50 -> 52.20"
    ]


def test_the_diagonal_and_the_name_of_a_version_are_no_difference() -> None:
    assert difference(MTR, replace(with_fare("2", "2", 10), version="other")).same


def test_stations_that_came_went_or_were_renamed_are_named() -> None:
    stops = tuple(Stop("2", ("Admiral",)) if it.id == "2" else it for it in MTR.stops)
    assert difference(MTR, replace(MTR, stops=stops)).words() == ["1 renamed: Admiralty -> Admiral"]
    assert isinstance(MTR.fares, MatrixFares)
    fewer = MatrixFares(MTR.fares.ids[4:], tuple(row[4:] for row in MTR.fares.rows[4:]))
    less = replace(MTR, stops=MTR.stops[4:], fares=fewer)
    assert difference(less, MTR).words() == [
        "4 stations new: Central, Admiralty, Tsim Sha Tsui and 1 more"
    ]
    assert difference(MTR, less).words() == [
        "4 stations gone: Central, Admiralty, Tsim Sha Tsui and 1 more"
    ]


def test_terms_are_told_by_the_words_that_lead_to_them() -> None:
    cap = Cap(CapPeriod.DAY, Money(2000, HKD), frozenset({"mtr"}), "s")
    assert MTR.terms.overstay is not None
    overstay = Overstay(OverstayMode.ADD, Money(6250, HKD), "another source")
    changed = replace(MTR.terms, overstay=overstay, caps=(cap,), calendar="hong-kong", sources=())
    assert difference(MTR, replace(MTR, terms=changed)).words() == [
        "terms: calendar none -> hong-kong",
        "terms: caps none -> ((period day, amount 20.00, networks (mtr)))",
        "terms: overstay surcharge 66.00 -> 62.50",
    ]


def test_every_kind_of_bus_fare_is_told_by_its_own_words() -> None:
    assert isinstance(KMB.fares, FlatFares)
    routes = dict(KMB.fares.by_route)
    old = FlatFares(routes, 200, {"B1": 1600}, {("B1", "s"): 900}, {("B1", "s", "t"): 500})
    new = FlatFares(
        routes | {"B1": 1520}, 250, {"B1": 1500}, {("B1", "s"): 910}, {("B1", "t", "s"): 500}
    )
    both = (replace(KMB, fares=old), replace(KMB, fares=new))
    assert difference(*both).words() == [
        "1 fare of a route fell by 0.10, B1 15.30 -> 15.20",
        "1 holiday fare of a route fell by 1.00, B1 16.00 -> 15.00",
        "1 fare by boarding stop rose by 0.10, B1 from s 9.00 -> 9.10",
        "1 fare of a route that no list names rose by 0.50, any other route 2.00 -> 2.50",
        "1 fare of a section is new",
        "1 fare of a section is gone",
    ]
    assert difference(*both).changed_fares == 4


def variants(**fares: int) -> Tariff:
    """Routes as the Transport Department lists them: ``v11_13D=640`` is variant 11 of 13D."""
    rows = "".join(
        f"<ROUTE><ROUTE_ID>{name[1:].partition('_')[0]}</ROUTE_ID><COMPANY_CODE>KMB</COMPANY_CODE>"
        f"<ROUTE_NAMEE>{name.partition('_')[2]}</ROUTE_NAMEE><FULL_FARE>{minor / 100}</FULL_FARE>"
        f"<LOC_START_NAMEE>A{name}</LOC_START_NAMEE><LOC_END_NAMEE>B</LOC_END_NAMEE></ROUTE>"
        for name, minor in fares.items()
    )
    file = SourceFile("ROUTE_BUS.xml", f"<ROUTE_DATA>{rows}</ROUTE_DATA>".encode())
    parsed = read_route_bus(file, "kmb", KMB.valid_from, published_terms()["kmb"])
    assert parsed.tariff is not None, parsed.problems
    return parsed.tariff


def test_routes_are_counted_by_variants_and_a_number_is_only_their_name() -> None:
    old = variants(v11_1=500, v12_13D=600, v13_13D=600)
    assert old.counted == "3 routes"
    dearer = variants(v11_1=550, v12_13D=600, v13_13D=600)
    assert difference(old, dearer).words() == [
        "1 fare of a route rose by 0.50, 1 Av11_1 - B 5.00 -> 5.50"
    ]
    assert difference(old, variants(v11_1=550, v12_13D=650, v13_13D=650)).changed_fares == 3
    ambiguous = variants(v11_1=500, v12_13D=610, v13_13D=600)
    assert difference(old, ambiguous).words() == [
        "1 fare of a route rose by 0.10, 13D Av12_13D - B 6.00 -> 6.10"
    ]
    assert difference(ambiguous, old).changed_fares == 1
    fewer = variants(v12_13D=600, v13_13D=600)
    assert difference(old, fewer).words() == ["1 route gone: 1 Av11_1 - B"]
    assert difference(fewer, old).words() == ["1 route new: 1 Av11_1 - B"]
    assert old.find_stop("13d").id == "13D"
    with pytest.raises(MalformedInput, match="more than one route"):
        ambiguous.find_stop("13d")


def test_a_number_that_was_a_route_of_its_own_is_one_that_went() -> None:
    alone = replace(KMB, stops=(Stop("9", ("9",)),), fares=FlatFares({"9": 500}))
    named = (*alone.stops, Stop("V", ("A - B", "9")))
    both = replace(KMB, stops=named, fares=FlatFares({"9": 600, "V": 600}))
    assert difference(alone, both).words() == [
        "1 fare of a route rose by 1.00, 9 5.00 -> 6.00",
        "1 route new: A - B",
    ]


@given(tariffs())
def test_a_tariff_does_not_differ_from_itself(tariff: Tariff) -> None:
    assert difference(tariff, replace(tariff)) == Difference(difference(tariff, tariff).stop)


def test_the_historic_fares_of_mtr_rose_in_9116_pairs_and_stayed_since(data_dir: Path) -> None:
    old, *later = load_book(data_dir, networks=["mtr"]).versions("mtr")
    found = difference(old, later[0])
    assert found.changed_fares == 9116
    page = (Path(__file__).parents[2] / "docs/how-to/change-a-tariff.md").read_text("utf-8")
    assert "```\n" + "\n".join(found.words()) + "\n```" in page
    assert len(later) == 3 and len({document_of(it) for it in later}) == 3
    assert [difference(later[0], it).words() for it in later[1:]] == [[], []]


@pytest.mark.parametrize("network", builtin_book().networks)
def test_every_builtin_tariff_can_be_told_beside_every_other(network: str) -> None:
    for other in builtin_book().networks:
        lines = difference(builtin_book().latest(network), builtin_book().latest(other)).words()
        assert (lines == []) == (network == other)
        assert all("\n" not in line for line in lines)
