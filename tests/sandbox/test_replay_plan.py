"""Recorded taps become scans: shifted by whole weeks, one sequence a reader, unmapped counted."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from transitpay.sandbox.replay.plan import (
    WALLETS,
    ReplayPlan,
    plan_replay,
    sample,
    wallet_of,
    weeks_until,
)
from transitpay.sandbox.szt_taps import RawTap, TapKind
from transitpay.taps import Direction

START = datetime(2018, 8, 31, 22, 0, tzinfo=UTC)
STATIONS = {"罗湖": "0101", "罗湖站": "0101", "国贸": "0102"}


def tap(minute: int, kind: TapKind, place: str, card: int = 1, company: str = "c") -> RawTap:
    at = START + timedelta(minutes=minute)
    return RawTap(at, kind, f"{card:032x}", place, company, "263027121", 200, 190, False)


def plan(*taps: RawTap, limit: int | None = None) -> ReplayPlan:
    return plan_replay(taps, STATIONS.get, date(2026, 11, 1), limit)


def test_a_reader_stands_for_a_station_and_direction_whatever_the_spelling() -> None:
    made = plan(
        tap(0, TapKind.ENTRY, "罗湖", 1),
        tap(1, TapKind.ENTRY, "罗湖站", 2),
        tap(2, TapKind.EXIT, "罗湖", 3),
    )
    assert [(s.reader, s.sequence) for s in made.scans] == [
        ("szm-0101-in", 1),
        ("szm-0101-in", 2),
        ("szm-0101-out", 1),
    ]
    assert {r.reader: r.direction for r in made.readers} == {
        "szm-0101-in": Direction.ENTRY,
        "szm-0101-out": Direction.EXIT,
    }


def test_a_bus_reader_stands_for_a_company_and_route() -> None:
    made = plan(
        tap(0, TapKind.BUS, "74路", 1, "巴士集团"),
        tap(1, TapKind.BUS, "74路", 2, "华程交通"),
        tap(2, TapKind.BUS, "74路", 3, "巴士集团"),
    )
    readers = [s.reader for s in made.scans]
    assert readers[0] == readers[2] != readers[1]
    assert {r.route for r in made.readers} == {"74路"}
    assert {r.direction for r in made.readers} == {Direction.SINGLE}
    assert all(len(r.reader) <= 32 for r in made.readers)


def test_a_station_without_an_id_is_counted_and_left_out() -> None:
    made = plan(tap(0, TapKind.ENTRY, "深圳大学"), tap(1, TapKind.EXIT, "深圳大学"),
                tap(2, TapKind.BUS, "深圳大学"))  # fmt: skip
    assert made.unmapped == {"深圳大学": 2}
    assert [s.raw.kind for s in made.scans] == [TapKind.BUS]


def test_the_last_scan_of_a_card_says_so() -> None:
    made = plan(
        tap(0, TapKind.ENTRY, "罗湖", 1),
        tap(1, TapKind.BUS, "1", 2),
        tap(9, TapKind.EXIT, "国贸", 1),
        tap(10, TapKind.EXIT, "深圳大学", 1),
    )
    assert [s.last for s in made.scans] == [False, True, True]
    assert made.cards == 2


def test_days_are_shifted_by_whole_weeks_onto_the_same_weekday() -> None:
    made = plan(tap(0, TapKind.BUS, "1"))
    assert made.shift % timedelta(days=7) == timedelta(0)
    assert made.scans[0].at == datetime(2026, 10, 30, 22, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("near", "weeks"),
    [(date(2018, 9, 1), 0), (date(2018, 9, 7), 0), (date(2018, 9, 8), 1), (date(2026, 11, 1), 426)],
)
def test_a_shift_never_passes_the_day_it_aims_at(near: date, weeks: int) -> None:
    assert weeks_until(date(2018, 9, 1), near) == timedelta(weeks=weeks)


def test_a_limit_takes_whole_cards_spread_over_all_of_them() -> None:
    taps = [tap(n, TapKind.BUS, "1", n // 2) for n in range(200)]
    taken = sample(taps, 21)
    cards = [int(t.card, 16) for t in taken]
    assert len(taken) == 20
    assert all(cards.count(card) == 2 for card in cards)
    assert max(cards) - min(cards) > 80
    assert sample(taps, 200) == sample(taps, None) == tuple(taps)
    assert sample(taps, 1) == ()


def test_what_a_limit_leaves_out_is_counted() -> None:
    made = plan(*(tap(n, TapKind.BUS, "1", n) for n in range(10)), limit=4)
    assert (len(made.scans), made.left_out) == (4, 6)


def test_riders_are_divided_between_the_wallets_by_their_hash() -> None:
    found = {wallet_of(f"{n:032x}") for n in range(0, 2**100, 2**96 + 1)}
    assert found == set(WALLETS)
    made = plan(tap(0, TapKind.BUS, "1"))
    assert made.scans[0].wallet == wallet_of(made.scans[0].raw.card)


def test_nothing_to_replay_is_an_empty_plan() -> None:
    made = plan()
    assert (made.scans, made.readers, made.cards) == ((), (), 0)
