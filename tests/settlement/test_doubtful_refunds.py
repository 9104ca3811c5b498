"""A refund that the wallet never answers holds no correction back for ever, whatever its end is."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from correction_desk import HOUR, RIDER, WALLET, Desk, desk
from day_seed import DAY, NOON
from test_refunds import CHARGE, TERMS, office
from test_refused_refunds import corrected_to_less, dearer, rows

from settlement.clearing.clear_taps import Clearer
from settlement.closing.night_report import day_report
from settlement.closing.report import as_json, page
from settlement.collecting.weigh import weigh
from transitpay.charging.charge import ChargePolicy
from transitpay.charging.evidence import CancelAnswered
from transitpay.charging.wallet_port import Done
from transitpay.postgres.gates.taps import note_riders
from transitpay.postgres.pool import transaction
from transitpay.runtime.builtin import builtin_book

__all__ = ["desk", "office"]  # the fixtures

WAIT = ChargePolicy().refund_wait
REFUND = f"{CHARGE}-r1"
#: CNY: the maximum fare was paid, the ride is owed, and the difference is in doubt.
MAXIMUM, RIDE, DOUBTFUL = 5549, 4791, 758
REFUSED = "REFUND_WINDOW_EXCEED"
SILENT = ("unknown",) * 40


async def read(it: Desk, at: Any = None) -> None:
    """Read whoever is due, as settlement does; the books are whole."""
    await it.clear(at)


async def cost(it: Desk) -> int:
    return int(await it.world.one("select sum(charge_minor) from journey where ended_at is null"))


async def waited(it: Desk) -> None:
    """A wallet that says nothing of a refund; the ride turns out dearer; the wait is over."""
    await corrected_to_less(it, *SILENT)
    await dearer(it)
    assert await it.standing() == [(2, "2", "78", None, 5220)], "as it was"
    asked_at = await it.world.one("select created_at from refund")
    await read(it, asked_at + WAIT - timedelta(seconds=1))
    assert len(await it.standing()) == 1, "not before its time"
    await read(it, asked_at + WAIT + HOUR)
    assert len(await it.standing()) == 2, "and no later than an hour after"


async def answer(it: Desk, *said: str) -> None:
    """The wallet answers the refund that it is asked for once more, then all else."""
    it.office.wallet.faults["refund"].clear()
    it.office.wallet.script("refund", *said)
    it.world.clock.advance(2 * HOUR)
    await it.office.refunding.once()
    await it.check()


async def test_while_a_correction_waits_the_refund_and_the_ride_say_so(desk: Desk) -> None:
    await corrected_to_less(desk, *SILENT)
    assert await rows(desk, "select awaits_refund from ride_record") == [(False,)]
    await dearer(desk)
    assert await rows(desk, "select awaits_refund from ride_record") == [(True,)]
    [found] = await rows(
        desk, "select request_id, amount_minor, awaited_since, awaiting_minor from doubtful_refund"
    )
    assert found == (REFUND, DOUBTFUL, desk.world.clock.at, 0)
    async with desk.world.pool.acquire() as conn, conn.transaction():
        report = await day_report(conn, DAY)
    [told] = as_json(report)["refunds_in_doubt"]
    assert (told["request_id"], told["amount_minor"], told["code"]) == (
        REFUND,
        DOUBTFUL,
        "UNKNOWN_EXCEPTION",
    )
    html = page(report)
    assert REFUND in html and "7.58" in html and str(desk.world.clock.at) in html
    await answer(desk, "ok")
    assert await rows(desk, "select awaits_refund from ride_record") == [(False,)]
    assert await rows(desk, "select request_id from doubtful_refund") == []


@pytest.mark.parametrize("said", ["ok", REFUSED])
async def test_after_the_wait_the_rider_pays_what_the_rides_cost_whatever_became_of_the_refund(
    desk: Desk, said: str
) -> None:
    await waited(desk)
    missing = await cost(desk) - RIDE
    assert missing > DOUBTFUL
    assert await rows(
        desk, "select amount_minor, awaits_refund from charge where state = 'DUE' order by 1"
    ) == sorted([(DOUBTFUL, REFUND), (missing - DOUBTFUL, None)])
    [found] = await rows(desk, "select awaiting_minor from doubtful_refund")
    assert found == (DOUBTFUL,)
    await desk.collect()
    paid = await desk.world.one("select sum(amount_minor) from charge where state = 'CAPTURED'")
    assert paid == MAXIMUM + missing - DOUBTFUL, "nothing is asked for twice"
    await answer(desk, said)
    await desk.collect()
    assert await desk.paid() == await cost(desk)
    back = 0 if said == REFUSED else DOUBTFUL
    assert sum(p.amount.minor for p in desk.office.wallet.payments.values()) - back == await cost(
        desk
    )
    assert await desk.world.one("select count(*) from charge where awaits_refund is not null") == 0
    assert await desk.world.balance(f"rider_due:{WALLET}") == 0


async def cheaper(it: Desk) -> None:
    """The short ride's exit turns out not to count: the ride is the one that was paid, again."""
    await it.world.owner.execute(
        "update tap set decision = 'refused', reason = 'not_passed'"
        " where direction = 'exit' and stop = '64'"
    )
    await note_riders(it.world.owner, [(WALLET, RIDER)], it.world.clock.at, NOON)
    await read(it)


@pytest.mark.parametrize("said", ["ok", REFUSED])
async def test_a_correction_of_what_awaits_a_refund_takes_its_place(desk: Desk, said: str) -> None:
    await waited(desk)
    await cheaper(desk)
    assert await cost(desk) == RIDE
    assert await rows(desk, "select count(*) from charge where awaits_refund is not null") == [(0,)]
    await dearer(desk)
    assert await rows(desk, "select awaits_refund from charge where awaits_refund is not null") == [
        (REFUND,)
    ], "the wait is over, and one debt awaits it again"
    await answer(desk, said)
    await desk.collect()
    assert await desk.paid() == await cost(desk)


async def test_a_cancel_of_the_payment_makes_due_what_awaits_its_refund(desk: Desk) -> None:
    """The cancel returned all, so no end of the refund can pay; nothing is asked for twice."""
    await waited(desk)
    cancelled = CancelAnswered(f"{CHARGE}-1", Done("cancelled", desk.world.clock.at))
    async with transaction(desk.world.pool) as conn:
        await weigh(conn, [cancelled], desk.world.clock.at, TERMS.policy)
    due = "select sum(amount_minor) from charge where state = 'DUE' and next_at is not null"
    assert await desk.world.one(due) == await cost(desk)
    assert await desk.world.one("select count(*) from charge where awaits_refund is not null") == 0


async def test_a_refund_that_ends_while_the_rider_is_read_leaves_nothing_awaiting_it(
    desk: Desk,
) -> None:
    await corrected_to_less(desk, "unknown")
    await dearer(desk)
    asked_at = await desk.world.one("select created_at from refund")
    desk.world.clock.at = asked_at + WAIT + HOUR
    clearer = Clearer(desk.world.pool, builtin_book(), desk.world.clock)
    await asyncio.gather(clearer.once(), desk.office.refunding.once())
    await desk.check()
    await read(desk, desk.world.clock.at + HOUR)
    assert await desk.world.one("select count(*) from charge where awaits_refund is not null") == 0
    await desk.collect()
    assert await desk.paid() == await cost(desk)
