"""Corrections through PostgreSQL: whatever comes late, the rider has paid what is right, once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import asyncpg
import pytest
from correction_desk import (
    HOUR,
    LATER,
    LIMIT,
    RIDER,
    WALLET,
    Desk,
    board,
    desk,
    entered,
    take_part,
)
from day_seed import MINUTE, NOON
from night_seed import fingerprint
from test_refunds import office

from transitpay.postgres.gates.taps import note_riders

__all__ = ["desk", "office"]  # the fixtures


async def test_an_exit_after_the_charge_gives_the_difference_back_in_one_refund(
    desk: Desk,
) -> None:
    """HKD 60.80 at 0.91273 is CNY 55.49; HKD 52.20 at 0.917745 is CNY 47.91."""
    await entered(desk)
    await desk.collect()
    assert await desk.paid() == 5549
    await desk.tap("exit", "78", NOON + HOUR)
    await desk.clear()
    await desk.collect()
    assert await desk.standing() == [(2, "2", "78", None, 5220)]
    assert await desk.paid() == 4791 and await desk.moved() == (1, 1)
    assert await desk.world.one("select amount_minor from refund") == 5549 - 4791
    row = await desk.world.owner.fetchrow("select ended_why, replaced_by from journey order by 1")
    assert tuple(row) == ("other_taps", "2026-10-30/mtr-entry/1~2")


async def test_each_booking_of_a_correction_is_at_its_own_rate_and_in_the_open_window(
    desk: Desk,
) -> None:
    await entered(desk)
    await desk.tap("exit", "78", NOON + HOUR)
    await desk.clear()
    entries = await desk.world.owner.fetch(
        "select e.key, p.amount_minor, p.currency from entry e join posting p on p.entry_id = e.id"
        " order by e.id, p.n"
    )
    key = "2026-10-30/mtr-entry/1"
    assert [tuple(row) for row in entries] == [
        (f"cleared:{key}", 6080, "HKD"),
        (f"cleared:{key}", 5533, "CNY"),
        (f"cleared:{key}", 16, "CNY"),
        (f"corrected:{key}", 6080, "HKD"),
        (f"corrected:{key}", 5533, "CNY"),
        (f"corrected:{key}", 16, "CNY"),
        (f"cleared:{key}~2", 5220, "HKD"),
        (f"cleared:{key}~2", 4776, "CNY"),
        (f"cleared:{key}~2", 15, "CNY"),
    ]
    items = await desk.world.owner.fetch("select item, amount_minor from open_item order by 1")
    assert [tuple(row) for row in items] == [
        (key, 6080),
        (f"{key}!ended", -6080),
        (f"{key}~2", 5220),
    ]


async def test_an_exit_that_makes_the_ride_dearer_is_one_further_charge(desk: Desk) -> None:
    """200 minutes: the fare of HKD 52.20 and the surcharge of 66.00, at the rate of 15:20."""
    await entered(desk)
    await desk.collect()
    await desk.tap("exit", "78", NOON + 200 * MINUTE)
    await desk.clear()
    await desk.collect()
    assert await desk.standing() == [(2, "2", "78", "overstay", 11820)]
    assert await desk.paid() == 10788 and await desk.moved() == (2, 0)


async def test_a_debt_that_nobody_paid_is_withdrawn_and_made_anew(desk: Desk) -> None:
    await entered(desk)
    await desk.tap("exit", "78", NOON + HOUR)
    await desk.clear()
    states = await desk.world.owner.fetch("select state, amount_minor from charge order by 2")
    assert [tuple(row) for row in states] == [("DUE", 4791), ("WITHDRAWN", 5549)]
    await desk.collect()
    assert await desk.paid() == 4791 and await desk.moved() == (1, 0)


async def test_case_41_an_exit_that_comes_before_its_entry_waits_for_it(desk: Desk) -> None:
    await desk.tap("exit", "78", NOON)
    await desk.clear()
    assert await desk.standing() == []
    await desk.tap("entry", "2", NOON - 40 * MINUTE)
    await desk.clear()
    await desk.collect()
    assert await desk.standing() == [(1, "2", "78", None, 5220)]
    assert await desk.paid() == 4791 and await desk.moved() == (1, 0)


async def test_case_41_an_entry_after_the_exit_was_charged_alone_makes_one_ride(
    desk: Desk,
) -> None:
    await desk.tap("exit", "78", NOON)
    await desk.silence()
    assert await desk.standing() == [(1, None, "78", "missing_entry", 6080)]
    await desk.collect()
    await desk.tap("entry", "2", NOON - 40 * MINUTE)
    await desk.clear()
    await desk.collect()
    assert await desk.standing() == [(1, "2", "78", None, 5220)]
    assert await desk.paid() == 4791 and await desk.moved() == (1, 1)


async def test_case_54_a_late_exit_is_priced_at_its_own_instant_whatever_the_rate_is_now(
    desk: Desk,
) -> None:
    await entered(desk)
    await desk.tap("exit", "78", NOON + 119 * MINUTE)
    await desk.clear(NOON + 100 * HOUR)
    rows = await desk.world.owner.fetch(
        "select q.mid, q.effective_at from quote q join journey j on j.quote_id = q.id"
        " order by j.revision"
    )
    assert [tuple(row) for row in rows] == [
        (LATER, NOON + LIMIT),
        (Decimal("0.9150000000"), NOON + 119 * MINUTE),
    ]


async def test_taps_between_two_that_were_taken_for_one_ride_make_two_of_it(desk: Desk) -> None:
    await desk.tap("entry", "2", NOON - 2 * HOUR)
    await desk.tap("exit", "78", NOON)
    await desk.clear()
    await desk.collect()
    await desk.tap("exit", "75", NOON - HOUR)
    await desk.tap("entry", "75", NOON - 50 * MINUTE)
    await desk.clear()
    await desk.collect()
    standing = await desk.standing()
    assert [row[:4] for row in standing] == [(2, "2", "75", None), (1, "75", "78", None)]
    owed = await desk.world.one("select sum(charge_minor) from journey where ended_at is null")
    assert await desk.paid() == owed and sum(await desk.moved()) == 2, "one net, whichever way"


async def test_a_late_boarding_makes_the_ride_after_it_cheaper_though_it_is_paid(
    desk: Desk,
) -> None:
    await take_part(desk, "shenzhen-bus")
    await desk.world.heard_through(NOON + HOUR, "shenzhen-metro")
    await board(desk, "shenzhen-bus", NOON)
    await desk.clear()
    await desk.collect()
    alone = await desk.paid()
    await board(desk, "shenzhen-bus", NOON - HOUR)
    await desk.clear()
    await desk.collect()
    assert [(row[0], row[4]) for row in await desk.standing()] == [(1, alone), (2, alone - 40)]
    assert await desk.paid() == 2 * alone - 40
    assert await desk.world.one("select sum(amount_minor) from refund") == 40
    assert await desk.world.one("select ended_why from journey order by 1") == "other_fare"
    assert await desk.moved() == (2, 1)


async def test_a_late_ride_reprices_the_month_and_the_wallet_sees_one_movement(
    desk: Desk,
) -> None:
    """From 80.00 on rides cost 80 %: with 60.00 before them, two of three are that much cheaper."""
    await take_part(desk, "guangzhou-bus")
    await desk.world.publish(NOON - 40 * HOUR, 38 * 60, LATER, step=60)
    for n in range(4):
        await board(desk, "guangzhou-bus", NOON - (4 - n) * HOUR, stage=3000)
    await desk.clear()
    await desk.collect()
    assert [row[4] for row in await desk.standing()] == [3000, 3000, 3000, 2400]
    await board(desk, "guangzhou-bus", NOON - 30 * HOUR, stage=6000)
    await desk.clear()
    await desk.collect()
    assert [row[4] for row in await desk.standing()] == [6000, 3000, 2400, 2400, 2400]
    assert [row[0] for row in await desk.standing()] == [1, 1, 2, 2, 1]
    owed = await desk.world.one("select sum(charge_minor) from journey where ended_at is null")
    assert await desk.paid() == owed and await desk.moved() == (5, 1)


async def test_rides_before_the_horizon_count_for_the_month_and_keep_their_fares(
    desk: Desk,
) -> None:
    await take_part(desk, "guangzhou-bus")
    for n in range(3):
        await board(desk, "guangzhou-bus", NOON - 20 * 24 * HOUR + n * HOUR, stage=3000)
    await desk.clear()
    await board(desk, "guangzhou-bus", NOON, stage=1000)
    await desk.clear()
    assert [row[4] for row in await desk.standing()] == [3000, 3000, 3000, 800]
    assert await desk.world.one("select count(*) from journey where ended_at is not null") == 0


async def test_an_exit_past_the_late_window_stays_alone_and_changes_nothing(desk: Desk) -> None:
    await entered(desk)
    await desk.collect()
    week = NOON + HOUR + timedelta(days=7)
    await desk.tap("exit", "78", NOON + HOUR, received_at=week + timedelta(seconds=1))
    await desk.world.heard_through(week + 200 * HOUR)
    await desk.clear(week + 201 * HOUR)
    assert await desk.standing() == [
        (1, "2", None, "missing_exit", 6080),
        (1, None, "78", "missing_entry", 0),
    ]
    assert await desk.world.one("select late from journey where fare_minor = 0")
    await desk.tap("exit", "78", NOON + 2 * HOUR, received_at=NOON + 2 * HOUR + timedelta(days=7))
    await desk.clear()
    assert (2, "2", "78", None, 5220) in await desk.standing(), "at the edge it is not late"


async def test_the_same_taps_again_change_nothing(desk: Desk) -> None:
    await entered(desk)
    await desk.tap("exit", "78", NOON + HOUR)
    await desk.clear()
    before = await fingerprint(desk.world.owner)
    for since in (NOON, None):
        await note_riders(desk.world.owner, [(WALLET, RIDER)], NOON, since)
        await desk.clear()
    after = await fingerprint(desk.world.owner)
    assert before == after


async def test_a_correction_waits_for_the_wallets_word_and_new_rides_do_not(desk: Desk) -> None:
    desk.office.wallet.script("pay", "unknown_charged")
    await entered(desk)
    await desk.office.charging.once()
    await desk.tap("exit", "78", NOON + HOUR)
    await desk.tap("entry", "2", NOON + 3 * HOUR)
    await desk.tap("exit", "78", NOON + 3 * HOUR + 20 * MINUTE)
    await desk.clear()
    assert [row[:4] for row in await desk.standing()] == [
        (1, "2", None, "missing_exit"),
        (1, "2", "78", None),
    ]
    due = await desk.world.owner.fetchrow("select due_at, since from tap_inbox")
    assert due["since"] == NOON and due["due_at"] > desk.world.clock.at
    desk.world.clock.advance(timedelta(seconds=3))
    await desk.collect()
    await desk.clear(due["due_at"])
    await desk.collect()
    assert [row[:4] for row in await desk.standing()] == [
        (2, "2", "78", None),
        (1, "2", "78", None),
    ]
    assert await desk.world.one("select count(*) from tap_inbox") == 0


async def test_a_held_fare_is_corrected_before_any_rate_is_known(desk: Desk) -> None:
    await desk.world.publish(NOON + 2 * HOUR, 240, None)
    at = NOON + 3 * HOUR
    await desk.tap("entry", "2", at - 40 * MINUTE)
    await desk.tap("exit", "78", at)
    await desk.clear(at + 2 * MINUTE)
    assert await desk.world.balance("fare_held", "HKD") == 5220
    await desk.tap("exit", "75", at - 20 * MINUTE)
    await desk.tap("entry", "75", at - 10 * MINUTE)
    await desk.clear()
    fares = [row[4] for row in await desk.standing()]
    assert len(fares) == 2 and await desk.world.balance("fare_held", "HKD") == sum(fares)
    states = await desk.world.owner.fetch("select state from charge order by 1")
    assert [row["state"] for row in states] == ["HELD", "HELD", "WITHDRAWN"]


@pytest.mark.parametrize("table", ["open_item", "charge", "journey_tap", "tap_inbox"])
async def test_a_correction_that_dies_half_way_leaves_nothing(desk: Desk, table: str) -> None:
    await entered(desk)
    await desk.collect()
    await desk.tap("exit", "78", NOON + 200 * MINUTE)
    before = await fingerprint(desk.world.owner)
    await desk.world.owner.execute(
        "create function no() returns trigger language plpgsql as $$ begin raise 'dead'; end $$;"
        f" create trigger no before insert or delete on {table}"
        " for each statement execute function no()"
    )
    if table == "tap_inbox":
        with pytest.raises(asyncpg.PostgresError):
            await desk.clear()
    else:
        await desk.clear()  # the rider is postponed; nothing else has moved
        before.pop("tap_inbox")
    after = await fingerprint(desk.world.owner)
    assert {name: after[name] for name in before} == before


async def test_an_end_of_a_ride_comes_and_goes_as_often_as_facts_do(desk: Desk) -> None:
    """The exit is refused after all, then another is told: each revision is booked once."""
    await entered(desk)
    await desk.tap("exit", "78", NOON + HOUR)
    await desk.clear()
    await desk.world.owner.execute(
        "update tap set decision = 'refused', reason = 'timed_out' where direction = 'exit'"
    )
    await note_riders(desk.world.owner, [(WALLET, RIDER)], NOON, NOON + HOUR)
    await desk.clear()
    assert await desk.standing() == [(3, "2", None, "missing_exit", 6080)]
    await desk.tap("exit", "75", NOON + HOUR + MINUTE)
    await desk.clear()
    await desk.collect()
    assert [row[:4] for row in await desk.standing()] == [(4, "2", "75", None)]
    rows = await desk.world.owner.fetch("select ended_why from journey order by revision")
    assert [row["ended_why"] for row in rows] == ["other_taps", "timed_out", "other_taps", None]
    assert await desk.moved() == (1, 0)
