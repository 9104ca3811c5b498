"""Whatever a rider rides, in any order and cut: fares add up, keep their step and never differ."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from luck import examples

from transitpay.fares.fare import Priced, Unpriced
from transitpay.fares.rider_pricing import price_all
from transitpay.fares.tariff import Tariff, TariffBook
from transitpay.fares.terms import Cap, CapPeriod, MonthTier, MonthTiers, Transfer
from transitpay.journeys.journey import (
    Excuse,
    Filled,
    FilledBy,
    Journey,
    boarding,
    filled,
    passage,
    without_entry,
    without_exit,
)
from transitpay.journeys.lifecycle import JourneyReason
from transitpay.money import CNY, HKD, Money
from transitpay.runtime.builtin import builtin_book
from transitpay.taps import Direction, RiderRef, Tap, TapKey

BEGINS = datetime(2026, 10, 29, 20, tzinfo=UTC)
PUBLISHED = builtin_book()
NETWORKS = PUBLISHED.networks
_LIMIT = timedelta(minutes=150)


def _dense(tariff: Tariff) -> Tariff:
    """The network with a rule of every kind, so that they meet often."""
    unit = tariff.currency
    mine = [it.network for it in map(PUBLISHED.latest, NETWORKS) if it.currency == unit]
    terms = replace(
        tariff.terms,
        wallets=frozenset(),
        transfers=(
            Transfer(frozenset(mine[:1]), 300, Money(130, unit), "a rule"),
            Transfer(frozenset(mine[1:]), 40, Money(40, unit), "a rule"),
        ),
        month_tiers=MonthTiers((MonthTier(1000, 80), MonthTier(3000, 50, False)), "a rule"),
        caps=(
            Cap(CapPeriod.DAY, Money(4000, unit), frozenset(mine), "a rule"),
            Cap(CapPeriod.WEEK, Money(9000, unit), frozenset({tariff.network}), "a rule"),
        ),
    )
    return replace(tariff, terms=terms)


DENSE = TariffBook(map(_dense, map(PUBLISHED.latest, NETWORKS)), PUBLISHED.calendars.values())
_UNITS = {network: PUBLISHED.latest(network).currency for network in NETWORKS}


@st.composite
def journeys(draw: st.DrawFn) -> Journey:
    network = draw(st.sampled_from(NETWORKS))
    stops = [stop.id for stop in PUBLISHED.latest(network).stops]
    at = BEGINS + draw(st.sampled_from([0, 0, 1, 7])) * timedelta(days=1)
    at += timedelta(minutes=draw(st.integers(0, 200)) * 5)
    slot = draw(st.sampled_from([0, 0, 0, 1]))
    start, end = draw(st.sampled_from(stops)), draw(st.sampled_from(stops))

    def tap(stop: str, direction: Direction, after: timedelta = timedelta(0)) -> Tap:
        key = TapKey(at.date(), f"{network}-{stop}", draw(st.integers(1, 10**9)))
        rider = RiderRef("alipayhk", "00000000000000a1", slot)
        return Tap(key, rider, network, network, stop, direction, at + after)

    if network not in ("mtr", "shenzhen-metro"):
        made = boarding(
            tap(start, Direction.BOARD), late=draw(st.booleans()) and draw(st.booleans())
        )
    else:
        stay = timedelta(minutes=draw(st.sampled_from([1, 20, 30, 150, 151, 290])))
        entry, exit = tap(start, Direction.ENTRY), tap(end, Direction.EXIT, stay)
        missing = without_exit(entry, _LIMIT)
        made = draw(
            st.sampled_from(
                [
                    passage(entry, exit, _LIMIT),
                    passage(entry, exit, _LIMIT),
                    missing,
                    without_entry(tap(end, Direction.EXIT)),
                    filled(missing, Filled(FilledBy.HABIT, (end,))),
                    filled(missing, Filled(FilledBy.OPEN_GATES, ())),
                ]
            )
        )
    excuse = draw(st.sampled_from([None, None, None, *Excuse]))
    return replace(made, excuse=excuse)


rides = st.lists(journeys(), max_size=14, unique_by=lambda it: it.key)


def amounts(found: tuple[Priced | Unpriced, ...]) -> list[Priced]:
    priced = [it for it in found if isinstance(it, Priced)]
    assert len(priced) == len(found), "every ride of a known stop has a fare"
    return priced


@settings(max_examples=examples(150))
@given(rides, st.randoms(), st.sampled_from([PUBLISHED, DENSE]))
def test_no_order_of_rides_makes_a_difference(
    several: list[Journey], chance: object, book: TariffBook
) -> None:
    whole = price_all(several, book)
    chance.shuffle(turned := [*several])  # type: ignore[attr-defined]  # hypothesis' own random
    assert price_all(turned, book) == whole
    assert [it.journey for it in whole] == sorted(several, key=lambda it: it.first_tap.order)


@settings(max_examples=examples(150))
@given(rides, st.integers(0, 14), st.sampled_from([PUBLISHED, DENSE]))
def test_rides_that_keep_their_fares_count_as_if_they_were_priced_again(
    several: list[Journey], cut: int, book: TariffBook
) -> None:
    whole = amounts(price_all(several, book))
    assert amounts(price_all([it.journey for it in whole[cut:]], book, whole[:cut])) == whole[cut:]


@settings(max_examples=examples(150))
@given(rides)
def test_lines_add_up_and_discounts_never_raise_a_fare_nor_exceed_it(
    several: list[Journey],
) -> None:
    for it in amounts(price_all(several, DENSE)):
        fare, terms = it.fare, DENSE.latest(it.journey.network).terms
        assert sum(line.amount.minor for line in fare.lines) == fare.amount.minor >= 0
        assert fare.amount.minor % terms.step_minor == 0
        by_history = {line.code: line.amount.minor for line in fare.lines}
        for code in ("month_tier", "transfer", "cap"):
            assert by_history.get(code, 0) <= 0
        if it.journey.late or it.journey.rider.slot:
            assert not by_history.keys() & {"month_tier", "transfer", "cap"}
        if it.journey.excuse in (Excuse.FREE, Excuse.GIVEN_BACK, Excuse.EMERGENCY, Excuse.LATE):
            assert fare.amount.minor == 0


@settings(max_examples=examples(150))
@given(rides)
def test_no_day_costs_more_than_its_cap_beside_penalties_and_late_rides(
    several: list[Journey],
) -> None:
    days: dict[tuple[object, ...], int] = {}
    for it in amounts(price_all(several, DENSE)):
        journey = it.journey
        delayed = journey.reason is JourneyReason.OVERSTAY and journey.excuse is Excuse.DELAY
        penal = journey.reason is not None and journey.filled is None and not delayed
        if not (penal or journey.late or journey.rider.slot):
            day = (_UNITS[journey.network], journey.service_day)
            days[day] = days.get(day, 0) + it.fare.amount.minor
    assert all(spent <= 4000 for spent in days.values())
    assert {unit for unit, _ in days} <= {HKD, CNY}
