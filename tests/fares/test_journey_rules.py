"""The rules by which taps become journeys are those of the tariff of the day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from transitpay.fares.rules import rule_book, rules_of
from transitpay.fares.tariff import FlatFares, TariffBook
from transitpay.fares.terms import HabitTerms, Transfer
from transitpay.journeys.rules import Habit, JourneyRules
from transitpay.money import CNY, Money
from transitpay.runtime.builtin import builtin_book

BOOK = builtin_book()
DAY = date(2026, 11, 2)


def test_rules_follow_the_terms_of_the_version() -> None:
    mtr = rules_of(BOOK.latest("mtr"))
    assert (mtr.limit, mtr.longest_stay) == (timedelta(minutes=150), timedelta(minutes=300))
    assert mtr.max_wait == timedelta(hours=72)
    assert mtr.late_window == timedelta(days=7)
    assert rules_of(BOOK.latest("shenzhen-metro")).limit == timedelta(minutes=210)
    assert not rules_of(BOOK.latest("kmb")).gated


def test_transfers_habits_and_the_ride_limit_become_rules_of_journeys() -> None:
    bus = BOOK.latest("shenzhen-bus")
    assert isinstance(bus.fares, FlatFares)
    transfers = tuple(
        Transfer(frozenset({after}), 90, Money(40, CNY), "grade B")
        for after in ("shenzhen-bus", "shenzhen-metro")
    )
    sections = replace(bus.fares, by_section={("M462", "1", "2"): 100})
    terms = replace(
        bus.terms,
        transfers=transfers,
        ride_limit_minutes=120,
        forgotten_alighting_full=False,
        habit=HabitTerms(5, 28, 3, "our reading"),
        passback_minutes=5,
        late_window_days=3,
    )
    at_once = rules_of(replace(bus, fares=sections, terms=terms))
    assert at_once.discount_wait == {"shenzhen-bus", "shenzhen-metro"}
    assert at_once.ride_limit == timedelta(minutes=120)
    assert at_once.habit == Habit(5, 28, 3)
    assert (at_once.passback, at_once.late_window) == (timedelta(minutes=5), timedelta(days=3))
    assert not at_once.waits("M462")
    terms = replace(terms, forgotten_alighting_full=True)
    waiting = rules_of(replace(bus, fares=sections, terms=terms))
    assert waiting.waits("M462") and not waiting.waits("M506")


def test_nobody_waits_for_a_transfer_that_only_a_card_has() -> None:
    metro = BOOK.latest("shenzhen-metro")
    assert [it.is_by_code for it in metro.terms.transfers] == [False]
    assert rules_of(metro).discount_wait == frozenset()
    both = {"shenzhen-bus", "shenzhen-metro"}
    assert rules_of(BOOK.latest("shenzhen-bus")).discount_wait == both


def test_rules_of_a_day_are_those_of_its_version() -> None:
    old = BOOK.latest("mtr")
    new = replace(
        old,
        version="new",
        valid_from=date(2027, 1, 1),
        terms=replace(old.terms, limit_minutes=120),
    )
    rules = rule_book(TariffBook([old, new]))
    for day, minutes in ((date(2026, 12, 31), 150), (date(2027, 1, 1), 120)):
        of_day = rules.on("mtr", day)
        assert isinstance(of_day, JourneyRules) and of_day.limit == timedelta(minutes=minutes)


def test_a_day_before_the_first_version_and_a_strange_network_have_no_rules() -> None:
    rules = rule_book(BOOK)
    first = BOOK.versions("shenzhen-metro")[0].valid_from
    assert rules.on("shenzhen-metro", first) is not None
    assert rules.on("shenzhen-metro", first - timedelta(days=1)) is None
    assert rules.on("tram", DAY) is None
    assert "tram" not in rules.networks and "mtr" in rules.networks


def test_a_stop_has_one_id_by_all_its_names_and_a_strange_one_its_own() -> None:
    rules = rule_book(BOOK)
    for name in ("0111", "0712", "车公庙"):
        assert rules.stop_id("shenzhen-metro", DAY, name) == "0111"
    assert rules.stop_id("mtr", DAY, "Nowhere") == "Nowhere"
    assert rules.stop_id("tram", DAY, "1") == "1"


@pytest.mark.parametrize(
    "wrong",
    [
        {"longest_stay_minutes": 149},
        {"longest_stay_minutes": 150 + 72 * 60 + 1},
        {"limit_minutes": 0},
        {"ride_limit_minutes": 60},
    ],
)
def test_terms_from_which_no_rules_follow_do_not_hold_together(wrong: dict[str, int]) -> None:
    terms = BOOK.latest("mtr").terms
    with pytest.raises(AssertionError):
        replace(terms, **wrong)  # type: ignore[arg-type]  # any of its fields


@pytest.mark.parametrize("edge", [150, 150 + 72 * 60])
def test_the_longest_stay_may_be_the_limit_or_all_the_time_that_is_waited(edge: int) -> None:
    mtr = BOOK.latest("mtr")
    made = rules_of(replace(mtr, terms=replace(mtr.terms, longest_stay_minutes=edge)))
    assert made.longest_stay == timedelta(minutes=edge)


def test_a_habit_is_one_of_one_to_thirty_days() -> None:
    for days in (0, 31):
        with pytest.raises(AssertionError, match="1 to 30 days"):
            HabitTerms(5, days, 3, "a habit")
    assert Habit(5, 30, 3).days == HabitTerms(5, 30, 3, "a habit").days
