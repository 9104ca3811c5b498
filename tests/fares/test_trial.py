"""A tariff tried on booked journeys: sums by wallet and network, and the largest changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from transitpay.fares.fare import Fare, FareLine
from transitpay.fares.line_texts import as_told
from transitpay.fares.tariff import FlatFares, Tariff, TariffBook
from transitpay.fares.terms import MonthTier, MonthTiers
from transitpay.fares.trial import BookedFare, Change, Effect, Trial, riders_of, tried_book
from transitpay.journeys.journey import boarding
from transitpay.money import HKD, Money
from transitpay.runtime.builtin import builtin_book
from transitpay.taps import Direction, RiderRef, Tap, TapKey

DAY = date(2026, 10, 5)
NOON = datetime(2026, 10, 5, 4, 0, tzinfo=UTC)
BOOK = builtin_book()
KMB = BOOK.latest("kmb")


def dearer(by_minor: int = 100, **changes: object) -> Tariff:
    assert isinstance(KMB.fares, FlatFares)
    fares = FlatFares({route: minor + by_minor for route, minor in KMB.fares.by_route.items()})
    made = replace(KMB, version="tried", fares=fares, valid_from=date(2030, 1, 1))
    return replace(made, **changes)  # type: ignore[arg-type]  # any of its fields


def ride(n: int, days: int = 0, minor: int = 1530, wallet: str = "alipayhk") -> BookedFare:
    at = NOON + timedelta(days=days, minutes=n)
    key = TapKey(at.date(), "r", n + 1)
    rider = RiderRef(wallet, "0" * 16)
    tap = Tap(key, rider, "kmb", "kmb", "B1", Direction.BOARD, at, "B1")
    amount = Money(minor, HKD)
    fare = Fare(amount, (FareLine(as_told("fare", "booked"), amount),), "old")
    return BookedFare(f"j{days}/{n}", boarding(tap), fare)


def tried(tariff: Tariff, *rides: BookedFare, largest: int = 10, days: int = 0) -> Trial:
    last = DAY + timedelta(days=days)
    trial = Trial(tried_book(BOOK, tariff, DAY, last), DAY, last, largest)
    for several in riders_of(rides):
        trial.add(several)
    return trial


def test_only_journeys_of_the_days_are_priced_both_ends_included() -> None:
    trial = tried(dearer(), *(ride(0, days) for days in (-1, 0, 1, 2)), days=1)
    assert trial.effects() == [Effect("alipayhk", "kmb", 2, 2, Money(3060, HKD), Money(3260, HKD))]
    assert trial.unpriced == {}


def test_wallets_are_told_apart_and_an_equal_fare_is_no_change() -> None:
    trial = tried(dearer(), ride(0, minor=1630), ride(1, wallet="alipay"))
    assert [(it.wallet, it.journeys, it.changed) for it in trial.effects()] == [
        ("alipay", 1, 1),
        ("alipayhk", 1, 0),
    ]


def test_the_largest_changes_come_first_and_no_more_than_asked_for() -> None:
    rides = [ride(n, minor=1630 - 10 * n) for n in range(5)]
    found = tried(dearer(), *rides, largest=2).largest()
    assert [(it.id, it.by_minor) for it in found] == [("j0/4", 40), ("j0/3", 30)]
    assert isinstance(found[0], Change) and found[0].service_day == DAY
    assert tried(dearer(), *rides, largest=0).largest() == []
    cheaper = tried(dearer(-100), ride(0)).largest()
    assert [it.by_minor for it in cheaper] == [-100]


def test_rides_before_the_first_day_count_for_the_month_at_what_they_were_booked() -> None:
    tiers = MonthTiers((MonthTier(2000, 50),), "s")
    tariff = dearer(0, terms=replace(KMB.terms, month_tiers=tiers))
    before = [ride(0, -1, 1000), ride(1, -1, 1000)]
    assert tried(tariff, *before, ride(0)).effects()[0].after == Money(770, HKD)
    assert tried(tariff, before[0], ride(0)).effects()[0].after == Money(1530, HKD)


def test_the_tried_tariff_alone_counts_on_the_days_and_others_before_and_after() -> None:
    later = replace(KMB, version="later", valid_from=DAY + timedelta(days=9))
    between = replace(KMB, version="between", valid_from=DAY + timedelta(days=1))
    book = tried_book(TariffBook([KMB, between, later]), dearer(), DAY, DAY + timedelta(days=1))
    on = {days: book.tariff("kmb", DAY + timedelta(days=days)).version for days in (-1, 0, 1, 8, 9)}
    assert on == {-1: KMB.version, 0: "tried", 1: "tried", 8: "tried", 9: "later"}


def test_what_would_have_no_fare_is_counted_by_its_reason() -> None:
    fares = FlatFares({"6": 580})
    stops = tuple(stop for stop in KMB.stops if stop.id == "6")
    trial = tried(dearer(fares=fares, stops=stops), ride(0))
    assert (trial.effects(), dict(trial.unpriced)) == ([], {"unknown_stop": 1})
