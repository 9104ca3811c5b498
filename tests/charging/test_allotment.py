"""Collected money pays for the journeys that stand: conserved, in few movements, in any order."""

from itertools import combinations
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from transitpay.charging.allotment import Allotment, Collected, Due, GiveBack, Part, allot
from transitpay.money import HKD, Money

FURTHER = "further"


def paid(charge: str, journey: str, minor: int) -> Collected:
    return Collected(charge, f"{charge}-1", journey, Money(minor, HKD))


def due(journey: str, minor: int) -> Due:
    return Due(journey, Money(minor, HKD))


def test_a_cheaper_fare_gives_the_difference_back_from_its_own_charge() -> None:
    pool = [paid("a", "j1", 1000), paid("b", "j2", 1000)]
    found = allot(pool, [due("j1~2", 1000), due("j2~2", 850)], FURTHER)
    assert found.parts == (Part("a", "j1~2", 1000), Part("b", "j2~2", 850))
    assert found.give_back == (GiveBack("b", "b-1", 150),) and found.further_minor == 0


def test_a_dearer_fare_is_one_further_charge() -> None:
    found = allot([paid("a", "j1", 500)], [due("j1~2", 700), due("j9", 100)], FURTHER)
    assert found.parts == (
        Part("a", "j1~2", 500),
        Part(FURTHER, "j1~2", 200),
        Part(FURTHER, "j9", 100),
    )
    assert found.further_minor == 300 and found.give_back == ()


def test_a_net_of_zero_moves_nothing_and_changes_only_what_pays_for_what() -> None:
    pool = [paid("a", "j1", 500), paid("b", "j2", 300)]
    found = allot(pool, [due("j1~2", 400), due("j2~2", 400)], FURTHER)
    assert found == Allotment(
        (Part("a", "j1~2", 400), Part("a", "j2~2", 100), Part("b", "j2~2", 300)), 0, ()
    )


def test_many_small_differences_go_back_in_one_refund_where_one_charge_is_enough() -> None:
    pool = [paid(f"c{n}", f"j{n}", 500) for n in range(10)]
    found = allot(pool, [due(f"j{n}~2", 460) for n in range(10)], FURTHER)
    assert found.give_back == (GiveBack("c0", "c0-1", 400),)


def test_a_journey_that_is_gone_gives_all_of_its_money_back() -> None:
    found = allot([paid("a", "j1", 500)], [], FURTHER)
    assert found == Allotment((), 0, (GiveBack("a", "a-1", 500),))


def test_a_free_journey_has_no_part() -> None:
    assert allot([], [due("j1", 0)], FURTHER) == Allotment((), 0, ())


_RIDES = st.integers(0, 5).map(lambda n: f"j{n}")
_POOL = st.lists(
    st.builds(paid, st.sampled_from("abcde"), _RIDES, st.integers(1, 900)),
    max_size=8,
    unique_by=lambda it: (it.charge_id, it.journey),
)
_DUES = st.lists(
    st.builds(due, _RIDES.map(lambda ride: ride + "~2"), st.integers(0, 900)),
    max_size=6,
    unique_by=lambda it: it.journey,
)


@given(_POOL, _DUES, st.randoms(use_true_random=False))
def test_money_is_conserved_in_the_fewest_movements_whatever_the_order(
    pool: list[Collected], dues: list[Due], mixed: Random
) -> None:
    found = allot(pool, dues, FURTHER)
    held: dict[str, int] = {}
    for it in pool:
        held[it.charge_id] = held.get(it.charge_id, 0) + it.amount.minor
    for it in dues:
        assert sum(p.minor for p in found.parts if p.journey == it.journey) == it.amount.minor
    assert {p.journey for p in found.parts} <= {it.journey for it in dues}
    back = {it.charge_id: it.minor for it in found.give_back}
    assert all(0 < minor <= held[charge] for charge, minor in back.items())
    assert all(part.minor > 0 for part in found.parts)
    for charge, minor in {**held, FURTHER: found.further_minor}.items():
        used = sum(p.minor for p in found.parts if p.charge_id == charge)
        assert used + back.get(charge, 0) == minor, "nothing of a charge is lost or made"
    net = sum(it.amount.minor for it in dues) - sum(held.values())
    assert found.further_minor == max(net, 0) and sum(back.values()) == max(-net, 0)
    fewer = combinations(held.values(), max(len(back) - 1, 0))
    assert not back or all(sum(some) < -net for some in fewer), "as few refunds as can be"
    shuffled, others = list(pool), list(dues)
    mixed.shuffle(shuffled)
    mixed.shuffle(others)
    assert allot(shuffled, others, FURTHER) == found
