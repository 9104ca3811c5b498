"""How far records are here: links in any order, gaps, second chains."""

from __future__ import annotations

from itertools import permutations

from transitpay.ride_code.records.record_chain import Acknowledged, Link, breaks, extend, gaps


def at(n: int) -> bytes:
    return bytes([n]) * 32


def link(first: int, last: int, *, key: int = 1, before: bytes | None = None) -> Link:
    return Link(key, first, last, at(first - 1) if before is None else before, at(last))


START = Acknowledged(1, 0, at(0))


def test_links_in_any_order_acknowledge_the_same() -> None:
    links = [link(1, 3), link(4, 4), link(3, 6), link(8, 9)]
    for order in permutations(links):
        assert extend(START, order) == Acknowledged(1, 6, at(6))
    assert gaps(6, [(it.first, it.last) for it in links]) == [(7, 7)]
    assert extend(START, [*links, link(7, 7)]).through == 9


def test_a_link_that_does_not_follow_or_does_not_agree_or_is_of_another_key_leads_nowhere() -> None:
    one = link(1, 3)
    other = link(4, 5, before=at(99))
    assert extend(START, [one, other]).through == 3
    assert breaks(extend(START, [one, other]), [one, other]) == [4]
    assert breaks(extend(START, [one, link(4, 5)]), [one, link(4, 5)]) == []
    assert extend(START, [one, Link(1, 2, 9, at(1), at(9), agrees=False)]).through == 3
    assert extend(START, [one, link(4, 5, key=2)]).through == 3


def test_gaps_lie_between_what_is_here() -> None:
    assert gaps(0, []) == []
    assert gaps(0, [(1, 5)]) == []
    assert gaps(0, [(7, 9), (2, 3)]) == [(1, 1), (4, 6)]
    assert gaps(5, [(1, 5), (5, 6), (9, 9)]) == [(7, 8)]
