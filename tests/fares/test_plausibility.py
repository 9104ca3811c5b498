"""What is unlikely in a tariff is told in one line a kind, and is no obstacle."""

from __future__ import annotations

from dataclasses import replace

import pytest

from transitpay.fares.plausibility import doubts, doubts_beside
from transitpay.fares.tariff import FlatFares, MatrixFares, Stop, Tariff
from transitpay.runtime.builtin import builtin_book

MTR = builtin_book().latest("mtr")
KMB = builtin_book().latest("kmb")


@pytest.mark.parametrize("network", builtin_book().networks)
def test_nothing_is_unlikely_in_our_own(network: str) -> None:
    assert doubts(builtin_book().latest(network)) == []


def of_three(rows: tuple[tuple[int, ...], ...]) -> Tariff:
    stops = tuple(Stop(name, (name.upper(),)) for name in "abc")
    return replace(MTR, stops=stops, fares=MatrixFares(("a", "b", "c"), rows))


def test_directions_free_pairs_and_odd_amounts_are_told_and_the_diagonal_is_not() -> None:
    assert doubts(of_three(((5, 400, 500), (400, 5, 0), (510, 0, 5)))) == [
        "pairs that cost another fare the other way: 1, e.g. C - A 5.10 and 5.00 back",
        "pairs that cost nothing and are no walking links: 1, e.g. C - B",
    ]
    assert doubts(of_three(((0, 405, 400), (405, 0, 400), (400, 400, 0)))) == [
        "fares that are no multiple of HKD 0.10: 2, the least is HKD 4.05"
    ]


def test_odd_amounts_of_every_table_of_a_bus_and_free_routes_are_told() -> None:
    fares = FlatFares({"1": 0}, 401, {"1": 402}, {("1", "s"): 403}, {("1", "s", "t"): 404})
    assert doubts(replace(KMB, fares=fares)) == [
        "fares that are no multiple of HKD 0.10: 4, the least is HKD 4.01",
        "routes that cost nothing: 1, e.g. 1",
        "boarding fares above the full fare of the route: 1, e.g. route 1 s 4.03 and 0.00 in full",
        "section fares above the full fare of the route: 1, e.g. route 1 s t 4.04 and 0.00 in full",
    ]


def test_boardings_and_sections_above_the_full_fare_and_cheap_holidays_are_told() -> None:
    full = {"1": 500, "2": 500}
    edge = FlatFares(full, None, {"1": 500}, {("1", "s"): 500}, {("1", "s", "t"): 500})
    assert doubts(replace(KMB, fares=edge)) == []
    fares = FlatFares(full, None, {"2": 490}, {("1", "s"): 510}, {("1", "s", "t"): 520})
    assert doubts(replace(KMB, fares=fares)) == [
        "boarding fares above the full fare of the route: 1, e.g. route 1 s 5.10 and 5.00 in full",
        "section fares above the full fare of the route: 1, e.g. route 1 s t 5.20 and 5.00 in full",
        "holiday fares below those of weekdays: 1, e.g. route 2 4.90 and 5.00 on weekdays",
    ]


def test_a_fare_of_more_than_three_times_that_before_is_told() -> None:
    before = of_three(((0, 400, 500), (400, 0, 600), (500, 600, 0)))
    at_the_edge = of_three(((0, 1200, 500), (400, 0, 600), (500, 600, 0)))
    assert doubts_beside(at_the_edge, before) == []
    beyond = of_three(((0, 1210, 500), (400, 0, 1900), (500, 600, 0)))
    assert doubts_beside(beyond, before) == [
        "the highest fare is HKD 19.00, more than 3 times HKD 6.00 before",
        "fares more than 3 times those before: 2, e.g. a - b 12.10 and 4.00 before",
    ]
    one, other = (replace(KMB, fares=FlatFares({"1": minor})) for minor in (500, 1510))
    assert doubts_beside(one, other) == []
    assert doubts_beside(other, one)[1:] == [
        "fares more than 3 times those before: 1, e.g. 1 15.10 and 5.00 before"
    ]
