"""Refunds that a wallet refuses or does not answer: nothing is lost from sight or asked twice."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from day_seed import MINUTE, NOON
from settlement.clear_taps import Clearer
from test_corrections import HOUR, Desk, declare, desk, entered
from test_refunds import office

from transitpay.cli.ledger import check_books
from transitpay.runtime.builtin import builtin_book

__all__ = ["desk", "office"]  # the fixtures


async def read(it: Desk, at: datetime | None = None) -> None:
    """Read whoever is due; what a wallet keeps is not what the rider owes, and the books say so."""
    if at is not None:
        it.world.clock.at = at
    await Clearer(it.world.pool, builtin_book(), it.world.clock).once()
    assert (await books(it))["problems"] == []


async def books(it: Desk) -> dict[str, Any]:
    async with it.world.pool.acquire() as conn, conn.transaction():
        return await check_books(conn)


async def rows(it: Desk, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await it.world.owner.fetch(sql)]


async def corrected_to_less(it: Desk, *faults: str) -> None:
    """CNY 55.49 was paid and 47.91 is owed; the wallet answers the refund of 7.58 like this."""
    await entered(it)
    await it.collect()
    it.office.wallet.script("refund", *faults)
    await it.tap("exit", "78", NOON + HOUR)
    await read(it)
    await it.office.refunding.once()


async def dearer(it: Desk) -> None:
    """An exit before the one that is known: a short ride, and an exit without its entry."""
    await it.tap("exit", "64", NOON + 50 * MINUTE)
    await read(it)


async def test_a_correction_that_needs_money_waits_while_a_refund_is_in_doubt(desk: Desk) -> None:
    await corrected_to_less(desk, "unknown", "REFUND_WINDOW_EXCEED")
    assert await rows(desk, "select state from refund") == [("UNKNOWN",)]
    await dearer(desk)
    await desk.tap("entry", "2", NOON + 3 * HOUR)
    await desk.tap("exit", "78", NOON + 4 * HOUR)
    await read(desk)
    standing = await desk.standing()
    assert standing[0] == (2, "2", "78", None, 5220), "as it was"
    assert len(standing) == 2, "the new ride does not wait"
    due = await desk.world.one("select min(due_at) from tap_inbox")
    assert due > desk.world.clock.at
    desk.world.clock.advance(timedelta(minutes=2))
    await desk.office.refunding.once()
    assert await rows(desk, "select state from refund") == [("REFUSED",)]
    await read(desk, max(due, desk.world.clock.at))
    cost = await desk.world.one("select sum(charge_minor) from journey where ended_at is null")
    assert len(await desk.standing()) == 3
    due_now = await desk.world.one("select sum(amount_minor) from charge where state = 'DUE'")
    assert 5549 + due_now == cost, "the money that the wallet kept pays"
    await desk.collect()


async def test_once_a_refund_has_gone_back_the_correction_asks_for_what_is_missing(
    desk: Desk,
) -> None:
    await corrected_to_less(desk, "unknown")
    await dearer(desk)
    due = await desk.world.one("select min(due_at) from tap_inbox")
    desk.world.clock.advance(timedelta(minutes=2))
    await desk.office.refunding.once()
    await read(desk, max(due, desk.world.clock.at))
    assert len(await desk.standing()) == 2
    await desk.collect()
    assert await desk.moved() == (2, 1)


async def test_a_correction_of_free_rides_is_one_further_charge(desk: Desk) -> None:
    """Fares were waived, then they were not: two rides cost again, and one payment is made."""
    await declare(desk, "fare_waiver", stop="2", at=NOON)
    for at in (NOON, NOON + 90 * MINUTE):
        await desk.tap("entry", "2", at)
        await desk.tap("exit", "78", at + HOUR)
    await desk.silence()
    assert [row[4] for row in await desk.standing()] == [0, 0]
    await declare(desk, "fare_waiver", stop="2", at=NOON, until=NOON, replaces="m1", request="m2")
    await desk.clear()
    assert [row[4] for row in await desk.standing()] == [5220, 5220]
    await desk.collect()
    assert await desk.moved() == (1, 0)
