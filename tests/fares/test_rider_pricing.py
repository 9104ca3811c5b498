"""The fares of a rider's journeys together: transfers, months and caps in the order of first taps.

The terms here are made up where no network of the nine has such a rule.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from transitpay.fares.fare import Priced, Unpriced
from transitpay.fares.rider_pricing import price_all
from transitpay.fares.tariff import TariffBook
from transitpay.fares.terms import (
    Cap,
    CapPeriod,
    CodeDiscount,
    MonthTier,
    MonthTiers,
    Terms,
    Tier,
    Transfer,
)
from transitpay.journeys.journey import Excuse, Journey, boarding, passage, without_exit
from transitpay.money import CNY, Money
from transitpay.runtime.builtin import builtin_tariffs
from transitpay.taps import Direction, RiderRef, Tap, TapKey

NOON = datetime(2026, 10, 5, 4, 0, tzinfo=UTC)  # a Monday
_BOTH = frozenset({"shenzhen-bus", "shenzhen-metro"})
_TRANSFER = Transfer(_BOTH, 90, Money(40, CNY), "a rule")


def book_of(**terms: object) -> TariffBook:
    """The small networks; on Shenzhen's buses these terms instead of tiers and transfers."""
    several = []
    for tariff in builtin_tariffs():
        if tariff.network == "shenzhen-bus":
            plain = replace(tariff.terms, tiers=(), transfers=())
            changed: Terms = replace(plain, **terms)  # type: ignore[arg-type]  # any of its fields
            tariff = replace(tariff, terms=changed)
        several.append(tariff)
    return TariffBook(several)


def tap(network: str, stop: str, direction: Direction, at: datetime, slot: int = 0) -> Tap:
    seconds = int((at - NOON).total_seconds())
    return Tap(
        key=TapKey(at.date(), f"{network}-{direction}", seconds + 10_000_000),
        rider=RiderRef("alipayhk", "00000000000000a1", slot),
        operator=network,
        network=network,
        stop=stop,
        direction=direction,
        at=at,
    )


def bus(minutes: float, slot: int = 0) -> Journey:
    at = NOON + timedelta(minutes=minutes)
    return boarding(tap("shenzhen-bus", "22", Direction.BOARD, at, slot))


def metro(minutes: float, stay: float = 30) -> Journey:
    at = NOON + timedelta(minutes=minutes)
    return passage(
        tap("shenzhen-metro", "0101", Direction.ENTRY, at),
        tap("shenzhen-metro", "0410", Direction.EXIT, at + timedelta(minutes=stay)),
        timedelta(minutes=210),
    )


def amounts(book: TariffBook, *journeys: Journey, history: tuple[Priced, ...] = ()) -> list[int]:
    found = []
    for it in price_all(journeys, book, history):
        assert isinstance(it, Priced)
        found.append(it.fare.amount.minor)
    return found


def test_a_transfer_holds_to_its_last_second_and_each_ride_gives_it_once() -> None:
    book = book_of(transfers=(_TRANSFER,))
    assert amounts(book, bus(0), bus(90)) == [200, 160]
    assert amounts(book, bus(0), bus(90 + 1 / 60)) == [200, 200]
    assert amounts(book, metro(0), bus(30), bus(40), bus(50)) == [500, 160, 160, 160]
    assert amounts(book, metro(0, stay=30), bus(120)) == [500, 160], "from the exit of the metro"


def test_the_ride_that_ended_last_gives_the_transfer() -> None:
    book = book_of(transfers=(replace(_TRANSFER, after=frozenset({"shenzhen-metro"})),))
    assert amounts(book, metro(0), bus(31), bus(32)) == [500, 160, 200]
    assert amounts(book, bus(0), metro(5)) == [200, 500], "not by code from bus to metro"


def test_a_ride_that_has_not_ended_yet_leaves_the_transfer_to_the_one_before_it() -> None:
    book = book_of(transfers=(_TRANSFER,))
    without_its_ends = metro(35, stay=100)  # an exit and the next entry never reached us
    assert amounts(book, metro(0), without_its_ends, bus(60)) == [500, 500, 160]
    assert amounts(book, metro(0), without_its_ends, bus(60), bus(65)) == [500, 500, 160, 160]
    assert amounts(book, metro(0), without_its_ends, bus(121)) == [500, 500, 200], "too long ago"
    assert amounts(book, metro(0), without_its_ends, bus(135)) == [500, 500, 160], "ended now"


def test_missing_and_late_taps_give_no_transfer_and_an_overstay_does() -> None:
    book = book_of(transfers=(_TRANSFER,))
    entry = tap("shenzhen-metro", "0101", Direction.ENTRY, NOON)
    lost = without_exit(entry, timedelta(minutes=210))
    assert amounts(book, lost, bus(30)) == [1500, 200]
    assert amounts(book, replace(metro(0), late=True), bus(31)) == [500, 200]
    assert amounts(book, metro(0), replace(bus(31), late=True)) == [500, 200]
    assert amounts(book, metro(0, stay=211), bus(220)) == [1500, 160]


def test_companions_have_no_history_unless_the_terms_say_so() -> None:
    for count, second in ((False, 200), (True, 160)):
        book = book_of(transfers=(_TRANSFER,), companions_count=count)
        assert amounts(book, bus(0, slot=1), bus(10, slot=1)) == [200, second]
        assert amounts(book, bus(0), bus(10, slot=1)) == [200, 200], "nobody transfers for another"


def test_a_months_spend_reaches_its_tier_at_the_edge_by_setting() -> None:
    before = [bus(n) for n in range(4)]  # 8.00
    for including, fifth in ((True, 160), (False, 200)):
        tiers = MonthTiers((MonthTier(800, 80, including), MonthTier(960, 50)), "a rule")
        book = book_of(month_tiers=tiers)
        assert amounts(book, *before, bus(5), bus(6))[4:] == [fifth, 100]
        assert amounts(book, *before[:3], bus(5)) == [200] * 4


def test_a_month_begins_anew_with_its_first_service_day() -> None:
    book = book_of(month_tiers=MonthTiers((MonthTier(200, 50),), "a rule"))
    end_of_october = (datetime(2026, 10, 31, 19, 59, tzinfo=UTC) - NOON).total_seconds() / 60
    assert amounts(book, bus(0), bus(end_of_october), bus(end_of_october + 1)) == [200, 100, 200]


def test_a_cap_ends_what_a_period_costs() -> None:
    def capped(period: CapPeriod) -> TariffBook:
        return book_of(caps=(Cap(period, Money(500, CNY), frozenset({"shenzhen-bus"}), "a rule"),))

    day = 24 * 60
    rides = [bus(0), bus(1), bus(2), bus(3), bus(day), bus(7 * day), bus(27 * day)]
    assert amounts(capped(CapPeriod.DAY), *rides) == [200, 200, 100, 0, 200, 200, 200]
    assert amounts(capped(CapPeriod.WEEK), *rides) == [200, 200, 100, 0, 0, 200, 200]
    assert amounts(capped(CapPeriod.MONTH), *rides) == [200, 200, 100, 0, 0, 0, 200]


def test_a_cap_of_several_networks_counts_them_together() -> None:
    cap = Cap(CapPeriod.DAY, Money(600, CNY), _BOTH, "a rule")
    assert amounts(book_of(caps=(cap,)), metro(0), bus(40), bus(41)) == [500, 100, 0]


def test_of_two_caps_each_takes_off_what_the_other_leaves_too_much() -> None:
    bus_alone = frozenset({"shenzhen-bus"})
    day = Cap(CapPeriod.DAY, Money(500, CNY), bus_alone, "a rule")
    week = Cap(CapPeriod.WEEK, Money(450, CNY), bus_alone, "a rule")
    for caps in ((day, week), (week, day)):
        assert amounts(book_of(caps=caps), bus(0), bus(1), bus(2), bus(3)) == [200, 200, 50, 0]
    third = price_all([bus(0), bus(1), bus(2)], book_of(caps=(day, week)))[2]
    assert isinstance(third, Priced)
    assert [line.amount.minor for line in third.fare.lines] == [200, -100, -50]


def test_discounts_come_in_the_order_month_transfer_cap_and_lines_sum_up() -> None:
    book = book_of(
        transfers=(_TRANSFER,),
        month_tiers=MonthTiers((MonthTier(200, 80),), "a rule"),
        caps=(Cap(CapPeriod.DAY, Money(300, CNY), frozenset({"shenzhen-bus"}), "a rule"),),
    )
    second = price_all([bus(0), bus(10)], book)[1]
    assert isinstance(second, Priced)
    assert [(line.code, line.amount.minor) for line in second.fare.lines] == [
        ("fare", 200),
        ("month_tier", -40),
        ("transfer", -40),
        ("cap", -20),
    ]


def test_history_counts_and_keeps_its_fares_and_no_order_of_input_matters() -> None:
    book = book_of(transfers=(_TRANSFER,), month_tiers=MonthTiers((MonthTier(600, 80),), ""))
    rides = [bus(0), metro(5), bus(40), bus(50)]
    whole = price_all(rides, book)
    for order in itertools.permutations(rides):
        assert price_all(order, book) == whole
    past = tuple(it for it in whole[:3] if isinstance(it, Priced))
    for history in itertools.permutations(past):
        assert price_all(rides[3:], book, history) == whole[3:]


def test_a_transfer_that_a_kept_ride_took_is_not_given_again() -> None:
    book = book_of(transfers=(replace(_TRANSFER, after=frozenset({"shenzhen-metro"})),))
    whole = price_all([metro(0), bus(31), bus(32)], book)
    kept = tuple(it for it in whole[:2] if isinstance(it, Priced))
    assert [it.fare.amount.minor for it in kept] == [500, 160]
    assert amounts(book, bus(32), history=kept) == [200]
    full = price_all([bus(31)], book)
    untaken = (kept[0], *(it for it in full if isinstance(it, Priced)))
    assert amounts(book, bus(32), history=untaken) == [160], "nobody took it"


def test_a_ride_that_is_given_back_still_gives_its_transfer_and_counts_nothing() -> None:
    back = replace(bus(0), excuse=Excuse.GIVEN_BACK)
    assert amounts(book_of(transfers=(_TRANSFER,)), back, bus(10)) == [0, 160]
    tiers = MonthTiers((MonthTier(200, 50),), "a rule")
    assert amounts(book_of(month_tiers=tiers), back, bus(10)) == [0, 200]


def test_what_cannot_be_priced_is_named_and_never_stops_the_others() -> None:
    unknown = boarding(tap("kmb", "no-such-route", Direction.BOARD, NOON))
    nowhere = boarding(tap("ferry", "1", Direction.BOARD, NOON))
    old = boarding(tap("kmb", "B1", Direction.BOARD, datetime(2001, 1, 1, tzinfo=UTC)))
    found = price_all([unknown, bus(1), nowhere, old], book_of())
    refused = {it.code: it.field for it in found if isinstance(it, Unpriced)}
    assert refused == {
        "unknown_stop": "route",
        "unknown_network": "network",
        "no_tariff": "service_day",
    }
    assert len([it for it in found if isinstance(it, Priced)]) == 1
    closed = price_all([bus(0)], book_of(wallets=frozenset({"alipay"})))[0]
    assert isinstance(closed, Unpriced) and closed.code == "wallet_not_accepted"


@pytest.mark.parametrize(
    "make",
    [
        lambda: MonthTier(800, 101),
        lambda: MonthTier(800, -1),
        lambda: Tier(None, 101),
        lambda: CodeDiscount("alipay", -1, NOON.date(), NOON.date(), "a rule"),
        lambda: replace(_TRANSFER, off=Money(-1, CNY)),
        lambda: Terms(step_minor=0),
    ],
)
def test_terms_that_would_make_a_ride_dearer_or_divide_by_nothing_cannot_be(
    make: Callable[[], object],
) -> None:
    with pytest.raises(AssertionError):
        make()
