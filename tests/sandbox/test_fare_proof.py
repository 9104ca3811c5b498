"""Real rows are priced by the rules of any rider, and what only looks right is told apart."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from transitpay.runtime.tariff_folder import load_book
from transitpay.sandbox.business_rides import business_fares
from transitpay.sandbox.card_product import Ride
from transitpay.sandbox.fare_pairs import NETWORK, compare_pairs
from transitpay.sandbox.fare_proof import (
    INFERRED,
    Judged,
    Verdict,
    adult_fares,
    charged_rows,
    counts,
    judge_rows,
)
from transitpay.sandbox.szt_folder import read_folder
from transitpay.sandbox.szt_taps import RawTap, TapKind, TapRows

AT = datetime(2018, 9, 1, 2, 0, tzinfo=UTC)
BUS, EXIT = TapKind.BUS, TapKind.EXIT


def judge(kind: TapKind, value: int, paid: int, *, mark: bool = False) -> Verdict:
    row = RawTap(AT, kind, "0" * 32, "沙井", "company", "1", value, paid, mark, "a.csv line 2")
    [it] = judge_rows([row], lambda place: frozenset({1800, 2400}))
    return it.verdict


@pytest.mark.parametrize(
    ("kind", "value", "transfer", "fare"),
    [
        (EXIT, 500, False, 475),
        (EXIT, 500, True, 435),
        (BUS, 300, False, 240),
        (BUS, 500, False, 390),
        (BUS, 800, False, 595),
        (BUS, 800, True, 555),
        (BUS, 100, True, 40),
    ],
)
def test_value_mark_and_mode_make_the_fare(
    kind: TapKind, value: int, transfer: bool, fare: int
) -> None:
    ride = Ride(kind, value, transfer)
    assert adult_fares([ride, ride]) == {ride: fare}


@pytest.mark.parametrize(
    ("kind", "value", "paid", "mark", "verdict"),
    [
        (BUS, 200, 160, False, Verdict.ADULT),
        (BUS, 200, 120, True, Verdict.ADULT),
        (BUS, 200, 120, False, Verdict.UNMARKED_TRANSFER),
        (BUS, 200, 160, True, Verdict.UNEXPLAINED),
        (BUS, 200, 100, False, Verdict.HALF),
        (BUS, 200, 101, False, Verdict.UNEXPLAINED),
        (EXIT, 400, 0, False, Verdict.FREE),
        (EXIT, 400, 400, False, Verdict.UNDISCOUNTED),
        (EXIT, 2400, 2400, False, Verdict.BUSINESS_CAR),
        (EXIT, 2500, 2500, False, Verdict.UNDISCOUNTED),
        (BUS, 2400, 2400, False, Verdict.UNDISCOUNTED),
        (EXIT, 400, 379, False, Verdict.UNEXPLAINED),
    ],
)
def test_what_does_not_follow_is_inferred_and_never_equal(
    kind: TapKind, value: int, paid: int, mark: bool, verdict: Verdict
) -> None:
    assert judge(kind, value, paid, mark=mark) is verdict


HEADER = "card_no,deal_date,deal_type,deal_value,deal_money,equ_no,company_name,station,conn_mark"


def rows_of(folder: Path, *lines: str) -> TapRows:
    (folder / "a.csv").write_text("\n".join((HEADER, *lines, "")), encoding="utf-8")
    return read_folder(folder)


def ride(card: str, entered: str, left: str, value: int, to: str = "老街") -> tuple[str, str]:
    return (
        f"{card},2018-09-01 {entered}:00,地铁入站,0,0,1,地铁一号线,罗湖站,0",
        f"{card},2018-09-01 {left}:00,地铁出站,{value},0,2,地铁一号线,{to},0",
    )


def test_rows_without_a_station_and_rows_told_twice_were_charged_too(tmp_path: Path) -> None:
    bus = "AAAAAAAAA,2018-09-01 06:00:00,巴士,200,160,1,巴士集团,74路,0"
    nameless = "AAAAAAAAA,2018-09-01 07:00:00,地铁出站,200,190,1,地铁一号线,,0"
    entry = "AAAAAAAAA,2018-09-01 06:50:00,地铁入站,0,0,1,地铁一号线,,0"
    rows = rows_of(tmp_path, bus, bus, nameless, entry)
    assert (rows.rows, len(rows.taps)) == (4, 1)
    judged = judge_rows(charged_rows(rows), lambda place: frozenset())
    assert counts(judged) == {(BUS, Verdict.ADULT): 2, (EXIT, Verdict.ADULT): 1}


def test_a_pair_is_equal_when_the_fare_table_says_the_value_of_its_exit(tmp_path: Path) -> None:
    rows = rows_of(
        tmp_path,
        *ride("AAAAAAAAA", "06:00", "09:30", 200),
        *ride("BBBBBBBBB", "06:00", "06:20", 300),
        *ride("CCCCCCCCC", "06:00", "09:31", 200),
        *ride("DDDDDDDDD", "06:00", "06:20", 200, to="深圳大学"),
        ride("EEEEEEEEE", "06:00", "06:20", 200)[1],
    )
    found = compare_pairs(rows, load_book(None))
    assert (found.pairs, found.equal, found.over_limit) == (4, 1, 1)
    assert found.unreadable == {"unknown_stop": 1}
    [it] = found.differing
    assert (it.where, it.fare_minor, it.value_minor) == ("a.csv line 5", 200, 300)


def test_who_left_free_at_the_station_of_the_entry_may_have_been_cleared(tmp_path: Path) -> None:
    free = (
        *ride("AAAAAAAAA", "06:00", "06:20", 200, to="罗湖站"),
        *ride("BBBBBBBBB", "06:00", "06:21", 200, to="罗湖站"),
        *ride("CCCCCCCCC", "06:00", "06:20", 200),
    )
    paid = ride("DDDDDDDDD", "06:00", "06:20", 200, to="罗湖站")[1].replace(",200,0,", ",200,190,")
    entered = ride("DDDDDDDDD", "06:00", "06:20", 200)[0]
    found = compare_pairs(rows_of(tmp_path, *free, entered, paid), load_book(None))
    assert (found.pairs, found.left_free, found.left_free_soon) == (4, 2, 1)


@pytest.fixture(scope="module")
def data() -> Path:
    folder = os.environ.get("TRANSITPAY_DATA")
    if not folder:
        pytest.skip("TRANSITPAY_DATA is unset: no folder with the published taps")
    return Path(folder)


@pytest.fixture(scope="module")
def published(data: Path) -> TapRows:
    return read_folder(data / "szt")


@pytest.fixture(scope="module")
def judged(data: Path, published: TapRows) -> list[Judged]:
    metro = load_book(data, networks=[NETWORK]).latest(NETWORK)
    return judge_rows(charged_rows(published), business_fares(metro))


def test_of_28020_published_rows_25356_follow_and_none_is_unexplained(
    judged: list[Judged],
) -> None:
    number = counts(judged)
    assert len(judged) == 28_020
    assert (number[BUS, Verdict.ADULT], number[EXIT, Verdict.ADULT]) == (16_685, 8_671)
    assert sum(n for (_, verdict), n in number.items() if verdict is Verdict.ADULT) == 25_356
    assert not any(it.verdict is Verdict.UNEXPLAINED for it in judged)


def test_what_is_inferred_of_the_published_rows_is_counted_apart(judged: list[Judged]) -> None:
    number = counts(judged)
    assert {it: number[BUS, it] for it in INFERRED} == {
        Verdict.UNMARKED_TRANSFER: 247,
        Verdict.FREE: 307,
        Verdict.HALF: 1_026,
        Verdict.BUSINESS_CAR: 0,
        Verdict.UNDISCOUNTED: 59,
    }
    assert {it: number[EXIT, it] for it in INFERRED} == {
        Verdict.UNMARKED_TRANSFER: 0,
        Verdict.FREE: 429,
        Verdict.HALF: 562,
        Verdict.BUSINESS_CAR: 21,
        Verdict.UNDISCOUNTED: 13,
    }


def test_all_but_two_published_pairs_equal_the_fare_table(data: Path, published: TapRows) -> None:
    found = compare_pairs(published, load_book(data, networks=[NETWORK]))
    # Two more are further apart than an exit can close an entry.
    assert found.pairs == 872
    assert (found.comparable, found.equal) == (751, 749)
    assert {it.value_minor - it.fare_minor for it in found.differing} == {100}
