"""What is unlikely in a tariff is told in one line a kind, and is no obstacle."""

from __future__ import annotations

from dataclasses import replace

import pytest

from transitpay.fares.plausibility import doubts
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
    ]
