"""Fares that belong to areas, pairs without a fare, and rides that are free: exact and small."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fares.tariff_strategies import area_matrices
from transitpay.errors import RuleViolation
from transitpay.fares.difference import difference
from transitpay.fares.document import document_of, read_document, tariff_of
from transitpay.fares.fare import Priced, Unpriced
from transitpay.fares.highest import highest_fares
from transitpay.fares.names import Language
from transitpay.fares.plausibility import doubts
from transitpay.fares.rider_pricing import price_all
from transitpay.fares.tariff import FlatFares, MatrixFares, Stop, Tariff, TariffBook
from transitpay.fares.tariff_files import SourceFile
from transitpay.fares.terms_file import facts_of
from transitpay.journeys.journey import Filled, FilledBy, boarding, filled, passage, without_exit
from transitpay.money import HKD, Money
from transitpay.runtime.builtin import builtin_book
from transitpay.taps import Direction, RiderRef, Tap, TapKey

NOON = datetime(2026, 10, 5, 4, 0, tzinfo=UTC)
LIMIT = timedelta(minutes=150)
MTR = builtin_book().latest("mtr")
KMB = builtin_book().latest("kmb")
#: Two stops in an inner area within which rides are free, one in an outer one, one in a third from
#: which only rides inwards have a fare.
AREAS = MatrixFares(
    ("a1", "b", "a2", "c"), ((0, 500, None), (500, 0, None), (700, None, 0)), (0, 1, 0, 2)
)


def tariff_with(fares: MatrixFares) -> Tariff:
    stops = tuple(Stop(name, (name.upper(),)) for name in fares.ids)
    return replace(MTR, stops=stops, fares=fares)


ZONES = tariff_with(AREAS)


def by_stops(fares: MatrixFares) -> MatrixFares:
    """The same fares, a row and column a stop."""
    rows = tuple(
        tuple(fares.rows[fares.area(one)][fares.area(other)] for other in fares.ids)
        for one in fares.ids
    )
    return MatrixFares(fares.ids, rows)


def tap(network: str, stop: str, direction: Direction, minutes: int = 0) -> Tap:
    key = TapKey(NOON.date(), f"{stop}-{direction}", 1)
    rider = RiderRef("alipayhk", "00000000000000a1")
    return Tap(key, rider, network, network, stop, direction, NOON + timedelta(minutes=minutes))


def ride(start: str, end: str, tariff: Tariff = ZONES) -> Priced | Unpriced:
    taps = (tap("mtr", start, Direction.ENTRY), tap("mtr", end, Direction.EXIT, 30))
    [found] = price_all([passage(*taps, LIMIT)], TariffBook([tariff]))
    return found


def told(found: Priced | Unpriced) -> list[tuple[str, str, int]]:
    assert isinstance(found, Priced), found
    return [(line.code, line.text(Language.EN), line.amount.minor) for line in found.fare.lines]


def test_stops_of_an_area_share_its_fares() -> None:
    assert [AREAS.minor("a1", it) for it in ("a2", "b", "c")] == [0, 500, None]
    assert [AREAS.minor("a2", it) for it in ("a1", "b", "c")] == [0, 500, None]
    assert AREAS.areas == (("a1", "a2"), ("b",), ("c",))
    assert list(AREAS.priced()) == [(0, 0, 0), (0, 1, 500), (1, 0, 500), (2, 0, 700)]
    assert [AREAS.rides(0, 0), AREAS.rides(0, 1), AREAS.rides(1, 1)] == [2, 2, 0]
    assert told(ride("a2", "b")) == [("fare", "A2 to B, adult", 500)]


def test_a_free_ride_within_an_area_says_so_in_its_line() -> None:
    assert told(ride("a1", "a2")) == [("free", "A1 to A2: a free ride, published at HKD 0.00", 0)]
    assert told(ride("a1", "a1"))[0][0] == "same_station", "the diagonal has rules of its own"


def test_a_free_route_says_so_by_route_and_by_boarding_stop() -> None:
    stops = (Stop("B1", ("B1",)), Stop("B2", ("B2",)))
    bus = replace(
        KMB, stops=stops, fares=FlatFares({"B1": 0, "B2": 300}, None, {}, {("B2", "s"): 0})
    )
    rides = [boarding(tap("kmb", "B1", Direction.BOARD))]
    rides.append(boarding(replace(tap("kmb", "s", Direction.BOARD), route="B2")))
    first, second = (told(it) for it in price_all(rides, TariffBook([bus])))
    assert first == [("free", "route B1, adult full fare: a free ride, published at HKD 0.00", 0)]
    assert [line[0] for line in second] == ["free"]


def test_a_pair_without_a_fare_is_unpriced_by_name_and_never_free() -> None:
    for start, end in (("a1", "c"), ("b", "c"), ("c", "b")):
        found = ride(start, end)
        assert isinstance(found, Unpriced)
        assert (found.code, found.field) == ("no_fare", "stop")
        assert found.message == f"mtr has no fare from {start.upper()} to {end.upper()}"
    assert told(ride("c", "a1"))[0][2] == 700
    with pytest.raises(RuleViolation) as refusal:
        ZONES.plain_fare(ZONES.find_stop("b"), ZONES.find_stop("C"))
    assert refusal.value.code == "no_fare"


def test_a_missing_exit_is_filled_from_stops_that_have_a_fare() -> None:
    entry = without_exit(tap("mtr", "c", Direction.ENTRY), LIMIT)

    def fare(*stops: str) -> Priced | Unpriced:
        at = filled(entry, Filled(FilledBy.OPEN_GATES, stops, "7"))
        return price_all([at], TariffBook([ZONES]))[0]

    assert told(fare("b", "a2"))[0] == ("fare", "C to A2, adult", 700)
    only = fare("b")
    assert isinstance(only, Unpriced) and only.code == "no_fare", "nothing stands in its place"


def test_the_highest_fare_is_that_of_the_stops_area() -> None:
    found = highest_fares(TariffBook([ZONES]))
    assert [(it.stop, it.fare.minor) for it in found] == [
        ("a1", 500),
        ("a2", 500),
        ("b", 500),
        ("c", 700),
    ]


def test_a_free_ride_is_no_lowest_fare() -> None:
    facts = facts_of(AREAS, HKD)
    assert (facts.lowest, facts.highest) == (Money(500, HKD), Money(700, HKD))
    assert facts.lowest_from["a2"] == Money(500, HKD)
    assert facts.lowest_from["c"] == Money(700, HKD)
    assert facts_of(FlatFares({"1": 0, "2": 300}), HKD).lowest == Money(300, HKD)


def test_a_document_holds_an_area_once_and_a_dash_for_no_fare() -> None:
    written = json.loads(document_of(ZONES))["fares"]
    assert written == {
        "kind": "matrix",
        "unit": 100,
        "ids": ["a1", "b", "a2", "c"],
        "rows": ["0 5 -", "5 0 -", "7 - 0"],
        "area_of": [0, 1, 0, 2],
    }
    many = tuple(f"a{n}" for n in range(5_000))
    stops = MatrixFares((*many, "b"), ((0, 500), (500, 0)), (*[0] * 5_000, 1))
    large = tariff_with(stops)
    assert len(document_of(large)) < 400_000
    assert difference(large, tariff_of(document_of(large))).same


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": ["0 5", "5 0", "7 - 0"]}, "fares.rows.0: 2 fares for 3 areas"),
        ({"rows": ["0 5 --", "5 0 -", "7 - 0"]}, "fares.rows.0: holds what is no whole number"),
        ({"area_of": [0, 1, 0, 3]}, "fares.area_of: does not give each stop one of the rows"),
        ({"area_of": [0, 1, 0]}, "fares.area_of: does not give each stop one of the rows"),
        ({"area_of": [0, 1, 0, 1]}, "fares.area_of: an area without stops, or beside row_of"),
        ({"row_of": [0, 1, 0, 2]}, "fares.area_of: an area without stops, or beside row_of"),
        (
            {"ids": ["a1", "b", "a1", "c"]},
            "fares.ids: 'a1' a second time",
        ),
    ],
)
def test_areas_that_do_not_hold_together_are_problems(change: dict[str, object], said: str) -> None:
    document = json.loads(document_of(ZONES))
    document["fares"] |= change
    read = read_document(SourceFile("d", json.dumps(document).encode()))
    assert [f"{it.field}: {it.reason}" for it in read.problems] == [said]


def test_a_change_counts_for_every_pair_of_stops_that_it_holds_for() -> None:
    dearer = replace(AREAS, rows=((100, 500, 900), (500, 0, None), (None, None, 0)))
    assert difference(ZONES, tariff_with(dearer)).words() == [
        "2 fares rose by 1.00, e.g. A1 - A2 0.00 -> 1.00",
        "2 fares are new",
        "2 fares are gone",
    ]
    moved = replace(AREAS, area_of=(0, 1, 1, 2))
    assert difference(ZONES, tariff_with(moved)).words() == [
        "2 fares rose by 5.00, e.g. A1 - A2 0.00 -> 5.00",
        "2 fares fell by 5.00, e.g. B - A2 5.00 -> 0.00",
        "1 fare is gone",
    ]


def test_free_pairs_and_pairs_without_a_fare_are_doubts() -> None:
    assert doubts(ZONES) == [
        "pairs that cost nothing and are no walking links: 1, e.g. A1 - A2",
        "pairs without a fare: 3, e.g. C - A2 (one way)",
    ]


def counted(lines: list[str]) -> list[str]:
    """Without the example, which may be any of the pairs."""
    return sorted(line.partition(", e.g. ")[0].split(", ")[0] for line in lines)


@given(st.data())
def test_fares_by_area_say_what_the_same_fares_stop_by_stop_say(data: st.DataObject) -> None:
    names = ("a", "b", "c", "d", "e")
    one, other = (data.draw(area_matrices(names)) for _ in range(2))
    ours, theirs = tariff_with(one), tariff_with(other)
    plain, changed = tariff_with(by_stops(one)), tariff_with(by_stops(other))
    assert difference(ours, plain).same and difference(plain, ours).same
    found, expected = difference(ours, theirs), difference(plain, changed)
    assert found.changed_fares == expected.changed_fares
    assert sorted(found.counts) == sorted(expected.counts)
    assert counted(found.words()) == counted(expected.words())
    assert highest_fares(TariffBook([ours])) == highest_fares(TariffBook([plain]))
    assert facts_of(one, HKD) == facts_of(by_stops(one), HKD)
    assert counted(doubts(ours)) == counted(doubts(plain))
