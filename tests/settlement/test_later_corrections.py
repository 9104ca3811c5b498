"""Corrections by what is told later: after a closed day, by station modes, by a habit."""

from __future__ import annotations

from datetime import date, timedelta

from correction_desk import (
    HOUR,
    LATER,
    Desk,
    close,
    declare,
    desk,
    entered,
)
from day_seed import DAY, MINUTE, NOON
from test_refunds import office

__all__ = ["desk", "office"]  # the fixtures


async def test_a_correction_after_the_day_is_closed_falls_into_the_next_window(
    desk: Desk,
) -> None:
    """MTR was told of HKD 60.80 and is told of 8.60 less; the closed day stays as it is."""
    await entered(desk)
    await desk.collect()
    before = await close(desk, DAY)
    assert before["mtr", "HKD"] == 6080
    assert await told(desk, DAY) == [6080]
    await desk.tap("exit", "78", NOON + HOUR)
    await desk.clear()
    await desk.collect()
    after = await close(desk, DAY + timedelta(days=1))
    assert after["mtr", "HKD"] == 5220 - 6080
    assert await told(desk, DAY) == [6080]
    assert await told(desk, DAY + timedelta(days=1)) == [-6080, 5220]
    both = await desk.world.owner.fetch(
        "select currency, sum(amount_minor) as off from net_position group by currency"
    )
    assert all(row["off"] == 0 for row in both)


async def told(desk: Desk, day: date) -> list[int]:
    """What MTR was told in the window of a day, in minor units."""
    rows = await desk.world.owner.fetch(
        "select i.amount_minor from window_item i join closed_window w on w.id = i.window_id"
        " where w.day = $1 and w.participant = 'mtr' order by 1",
        day,
    )
    return [row["amount_minor"] for row in rows]


async def test_a_mode_that_is_declared_after_the_charge_corrects_it_and_its_end_does_too(
    desk: Desk,
) -> None:
    """Gates of Lok Ma Chau stood open: the ride ended there. Then it is told that they did not."""
    await entered(desk)
    await desk.collect()
    await declare(desk, "gates_open", stop="78", at=NOON)
    await desk.clear()
    assert await desk.standing() == [(2, "2", None, "missing_exit", 5220)]
    row = await desk.world.owner.fetchrow(
        "select filled_by, filled_stops from journey where ended_at is null"
    )
    assert tuple(row) == ("open_gates", ["78"])
    await desk.collect()
    await declare(desk, "gates_open", stop="78", at=NOON, until=NOON, replaces="m1", request="m2")
    await desk.clear()
    assert await desk.standing() == [(3, "2", None, "missing_exit", 6080)]
    await desk.collect()


async def test_a_mode_that_has_not_begun_makes_nobody_be_read(desk: Desk) -> None:
    await entered(desk)
    await declare(desk, "gates_open", stop="78", at=desk.world.clock.at + HOUR)
    assert await desk.world.one("select count(*) from tap_inbox") == 0


async def test_case_52_a_delay_that_is_declared_after_the_charge_takes_the_surcharge_back(
    desk: Desk,
) -> None:
    await desk.tap("entry", "2", NOON - 200 * MINUTE)
    await desk.tap("exit", "78", NOON)
    await desk.clear()
    await desk.collect()
    assert await desk.standing() == [(1, "2", "78", "overstay", 11820)]
    await declare(desk, "date_waiver", stop=None, at=NOON - 3 * HOUR)
    await desk.clear()
    await desk.collect()
    assert await desk.standing() == [(2, "2", "78", "overstay", 5220)]
    assert await desk.paid() == 4791 and await desk.moved() == (1, 1)


async def test_a_missing_exit_is_where_the_rider_always_leaves_and_a_late_ride_makes_the_habit(
    desk: Desk,
) -> None:
    """Five rides from Admiralty to Lok Ma Chau within 28 days; the fifth of them is told late."""
    await desk.world.publish(NOON - 11 * 24 * HOUR, 11 * 24 * 60 - 120, LATER, step=60)
    for day in (10, 8, 6, 4):
        await desk.tap("entry", "2", NOON - day * 24 * HOUR)
        await desk.tap("exit", "78", NOON - day * 24 * HOUR + 40 * MINUTE)
    await entered_after(desk, 4)
    await desk.collect()
    await desk.tap("entry", "2", NOON - 2 * 24 * HOUR)
    await desk.tap("exit", "78", NOON - 2 * 24 * HOUR + 40 * MINUTE)
    await desk.clear()
    await desk.collect()
    assert (await desk.standing())[-1] == (2, "2", None, "missing_exit", 5220)
    why = await desk.world.one("select ended_why from journey where ended_at is not null")
    assert why == "other_end"


async def entered_after(desk: Desk, rides: int) -> None:
    await desk.tap("entry", "2", NOON)
    await desk.silence()
    standing = await desk.standing()
    assert len(standing) == rides + 1
    assert standing[-1] == (1, "2", None, "missing_exit", 6080)
