"""Closing a day on a real PostgreSQL: windows, netting, bookings and the chain of the books."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from night_seed import (
    CLOSE_AT,
    DAY,
    NOON,
    Ride,
    cancel,
    capture,
    fingerprint,
    refund,
    ride,
    take_part,
)

from settlement.closing.close_day import close_day, closes_at
from transitpay.clock import day_start
from transitpay.errors import RuleViolation
from transitpay.ledger.balances import is_balanced
from transitpay.ledger.digest import FIRST, chain
from transitpay.postgres.closing import closings
from transitpay.postgres.money.journal import balances

ROLE = "transitpay_settlement"
NEXT = DAY + timedelta(days=1)


@pytest.fixture
async def conn(db: Any) -> Any:
    await take_part(await db.connect())
    return await db.connect(ROLE)


async def net_of(conn: Any, day: Any = DAY) -> dict[str, int]:
    rows = await closings.net_positions(conn, day)
    return {f"{who} {code}": minor for who, code, minor, _ in rows}


async def held(conn: Any) -> dict[str, int]:
    found = await balances(conn)
    assert is_balanced(found)
    return {f"{name} {unit}": amount.minor for (name, unit), amount in found.items()}


async def test_the_worked_example_closes_line_by_line(conn: Any) -> None:
    await ride(conn, Ride("a"))
    closed = await close_day(conn, DAY, CLOSE_AT)
    assert (closed.items, closed.closing.entries) == (2, 3)
    found = await net_of(conn)
    assert (found["mtr HKD"], found["shenzhen-tong CNY"]) == (5142, -4762)
    assert found["house:fx_position HKD"] == -5220
    books = await held(conn)
    assert books["operator_payable:mtr HKD"] == 0
    assert books["payout_in_transit:mtr HKD"] == -5142
    assert books["income:service_fee HKD"] == -78


async def test_closing_again_changes_no_row(conn: Any) -> None:
    await ride(conn, Ride("a"))
    first = await close_day(conn, DAY, CLOSE_AT)
    before = await fingerprint(conn)
    again = await close_day(conn, DAY, CLOSE_AT + timedelta(hours=8))
    assert again.again and again.closing == first.closing
    assert await fingerprint(conn) == before


async def test_no_window_closes_before_twenty_past_midnight(conn: Any) -> None:
    with pytest.raises(RuleViolation) as early:
        await close_day(conn, DAY, closes_at(DAY) - timedelta(seconds=1))
    assert early.value.code == "too_early"
    assert (await close_day(conn, DAY, closes_at(DAY))).items == 0


async def test_items_of_the_next_day_wait_for_their_own_window(conn: Any) -> None:
    late = day_start(NEXT, 0, 10)
    await ride(conn, Ride("night", at=late))
    closed = await close_day(conn, DAY, CLOSE_AT)
    # 00:10 is still the operator's day D, and the wallet's day D+1.
    assert closed.items == 1
    kinds = await conn.fetch("select kind from open_item")
    assert [r["kind"] for r in kinds] == ["wallet"]
    await close_day(conn, NEXT, CLOSE_AT + timedelta(days=1))
    assert await conn.fetchval("select count(*) from open_item") == 0


@pytest.mark.parametrize(
    ("instant", "items"),
    [(day_start(NEXT) - timedelta(milliseconds=1), 2), (day_start(NEXT), 1)],
)
async def test_the_wallet_day_ends_at_midnight_to_the_millisecond(
    conn: Any, instant: Any, items: int
) -> None:
    await ride(conn, Ride("edge", at=instant))
    assert (await close_day(conn, DAY, CLOSE_AT)).items == items


async def test_what_is_booked_late_falls_into_the_next_window(conn: Any) -> None:
    await ride(conn, Ride("a"))
    await close_day(conn, DAY, CLOSE_AT)
    await ride(conn, Ride("late"))
    await close_day(conn, NEXT, CLOSE_AT + timedelta(days=1))
    days = await conn.fetch(
        "select i.item, i.day, w.day as window_day from window_item i"
        " join closed_window w on w.id = i.window_id where i.item in ('j-a', 'j-late') order by 1"
    )
    assert [(r["item"], r["day"], r["window_day"]) for r in days] == [
        ("j-a", DAY, DAY),
        ("j-late", DAY, NEXT),
    ]
    assert (await net_of(conn, NEXT))["mtr HKD"] == 5142


async def test_currencies_and_wallets_net_apart_and_each_to_zero(conn: Any) -> None:
    for n, (wallet, operator) in enumerate(
        (w, o) for w in ("alipayhk", "alipay", "shenzhen-tong") for o in ("mtr", "shenzhen-metro")
    ):
        await ride(conn, Ride(f"r{n}", wallet, operator, 1000 + n))
    await close_day(conn, DAY, CLOSE_AT)
    rows = await closings.net_positions(conn, DAY)
    for code in ("HKD", "CNY"):
        assert sum(minor for _, c, minor, _ in rows if c == code) == 0
    found = await net_of(conn)
    assert found["mtr HKD"] == 3006 - 45 and found["shenzhen-metro CNY"] == 3009 - 30
    assert found["alipay HKD"] == -(1002 - 6) and found["alipay CNY"] == -(1003 - 6)


async def test_a_refund_and_a_cancel_are_items_of_their_own(conn: Any) -> None:
    back, gone = Ride("back"), Ride("gone", "alipayhk")
    await ride(conn, back)
    await ride(conn, gone)
    await refund(conn, back, NOON + timedelta(hours=1))
    await cancel(conn, gone, NOON + timedelta(hours=1))
    await close_day(conn, DAY, CLOSE_AT)
    found = await net_of(conn)
    assert found["mtr HKD"] == 5220 - 78  # one fare stays, one went back
    assert found["shenzhen-tong CNY"] == 29  # the wallet's fee on the payment is not given back
    assert found["alipayhk HKD"] == 0
    assert found["house:riders_due HKD"] == -5220


async def test_an_operator_that_owes_gets_a_negative_position_and_its_booking(conn: Any) -> None:
    it = Ride("a", "alipayhk")
    await ride(conn, it)
    await close_day(conn, DAY, CLOSE_AT)
    await refund(conn, it, NOON + timedelta(days=1))
    await close_day(conn, NEXT, CLOSE_AT + timedelta(days=1))
    assert (await net_of(conn, NEXT))["mtr HKD"] == -5142
    assert (await held(conn))["payout_in_transit:mtr HKD"] == 0


async def test_an_item_without_its_posting_closes_nothing(conn: Any) -> None:
    await ride(conn, Ride("a"))
    await conn.execute(
        "insert into open_item values ('wallet', 'x', 'capture', 'alipay', $1, 'HKD', 1, 'x')", DAY
    )
    before = await fingerprint(conn)
    with pytest.raises(RuleViolation) as refused:
        await close_day(conn, DAY, CLOSE_AT)
    assert refused.value.code == "out_of_balance"
    assert await fingerprint(conn) == before


async def test_an_amount_that_is_not_the_booked_one_closes_nothing(conn: Any) -> None:
    await ride(conn, Ride("a"))
    await conn.execute(
        "insert into entry (key, kind, at, journey_id) values ('cleared:x', 'cleared', $1, 'j-a')",
        NOON,
    )
    await conn.execute(
        "insert into posting select id, 1, 'rider_due:shenzhen-tong', 'fx_position', 1, 'CNY'"
        " from entry where key = 'cleared:x'"
    )
    await close_day(conn, DAY, CLOSE_AT)  # not on the operator's account: the window is right
    other = Ride("b")
    await ride(conn, other)
    await conn.execute(
        "insert into entry (key, kind, at, journey_id) values ('cleared:y', 'cleared', $1, 'j-b')",
        NOON,
    )
    await conn.execute(
        "insert into posting select id, 1, 'fx_position', 'operator_payable:mtr', 1, 'HKD'"
        " from entry where key = 'cleared:y'"
    )
    with pytest.raises(RuleViolation, match="j-b: items 5220, posted 5221"):
        await close_day(conn, NEXT, CLOSE_AT + timedelta(days=1))


async def test_the_chain_can_be_computed_again_from_the_books(conn: Any) -> None:
    await ride(conn, Ride("a"))
    first = (await close_day(conn, DAY, CLOSE_AT)).closing
    await ride(conn, Ride("b", at=NOON + timedelta(days=1)))
    second = (await close_day(conn, NEXT, CLOSE_AT + timedelta(days=1))).closing
    assert (first.previous, second.previous) == (FIRST, first.digest)
    async with conn.transaction():
        for closing in (first, second):
            postings = [p async for p in closings.closed_postings(conn, closing.number)]
            assert chain(closing.previous, postings) == closing.digest
    kept = {
        f"{r['account']} {r['currency']}": int(r["debit_minor"] - r["credit_minor"])
        for r in await conn.fetch("select * from closing_balance where closing = $1", second.number)
    }
    assert kept == await held(conn)


async def test_bookings_that_commit_while_a_day_closes_are_in_exactly_one_window(
    db: Any, conn: Any
) -> None:
    booker, closer = await db.connect(ROLE), conn
    done, three = asyncio.Event(), asyncio.Semaphore(0)
    booked = 0

    async def book() -> None:
        nonlocal booked
        while not done.is_set():
            await ride(booker, Ride(f"r{booked}", ("alipayhk", "shenzhen-tong")[booked % 2]))
            booked += 1
            if booked % 3 == 0:
                three.release()

    async def close() -> None:
        for n in range(4):
            await three.acquire()
            day = DAY + timedelta(days=n)
            await close_day(closer, day, CLOSE_AT + timedelta(days=n))
        done.set()

    await asyncio.gather(book(), close())
    last = DAY + timedelta(days=4)
    await close_day(closer, last, CLOSE_AT + timedelta(days=4))
    assert booked > 8
    assert await conn.fetchval("select count(*) from window_item") == booked * 2
    sums = await conn.fetch("select currency, sum(amount_minor) as s from net_position group by 1")
    assert {r["currency"]: r["s"] for r in sums} == {"HKD": 0, "CNY": 0}
    assert (await held(conn))["operator_payable:mtr HKD"] == 0
    entries = await conn.fetchval("select count(*) from entry")
    assert await conn.fetchval("select count(*) from closed_entry") == entries


async def test_two_closings_at_once_close_once(db: Any, conn: Any) -> None:
    await ride(conn, Ride("a"))
    other = await db.connect(ROLE)
    both = await asyncio.gather(close_day(conn, DAY, CLOSE_AT), close_day(other, DAY, CLOSE_AT))
    assert sorted(c.again for c in both) == [False, True]


async def test_a_capture_of_an_earlier_ride_is_an_item_of_the_capture_day(conn: Any) -> None:
    it = Ride("a")
    await ride(conn, it, captured=False)
    await close_day(conn, DAY, CLOSE_AT)
    assert (await net_of(conn))["house:riders_due CNY"] == -4791
    async with conn.transaction():
        await capture(conn, it)
    await close_day(conn, NEXT, CLOSE_AT + timedelta(days=1))
    assert (await net_of(conn, NEXT))["house:riders_due CNY"] == 4791
