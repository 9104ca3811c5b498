"""Parts of a payment go back at different times, each once; what a wallet refuses stays visible."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from correction_desk import HOUR, RIDER, WALLET, Desk, close, entered
from day_seed import DAY, MINUTE, NOON
from test_refunds import CHARGE, JOURNEY, TERMS, Office, office

from settlement.clearing.clear_taps import Clearer
from settlement.collecting.refunds import RefundWorker
from settlement.collecting.weigh import weigh
from transitpay.charging.evidence import CancelAnswered
from transitpay.charging.wallet_port import Done
from transitpay.cli.ledger import check_books
from transitpay.postgres.gates.taps import note_riders
from transitpay.postgres.pool import transaction
from transitpay.runtime.builtin import builtin_book

__all__ = ["office"]  # the fixture

MAXIMUM, RIDE = 5549, 4791  #: CNY of the missing exit and of the whole ride


@pytest.fixture
async def desk(office: Office) -> AsyncIterator[Desk]:
    yield Desk(office)


async def read(desk: Desk) -> None:
    """Requests are taken and riders read; the books are whole, whatever a wallet refused."""
    await desk.office.desk.once()
    await Clearer(desk.world.pool, builtin_book(), desk.world.clock).once()
    async with desk.world.owner.transaction():
        assert (await check_books(desk.world.owner))["problems"] == []


async def refunds(desk: Desk) -> list[tuple[Any, ...]]:
    rows = await desk.world.owner.fetch(
        "select request_id, amount_minor, state from refund order by created_at, request_id"
    )
    return [tuple(row) for row in rows]


async def paid_too_much(desk: Desk) -> None:
    """The maximum fare is collected; then the exit comes."""
    await entered(desk)
    await desk.collect()
    await desk.tap("exit", "78", NOON + HOUR)
    await read(desk)


async def test_a_payment_goes_back_in_parts_each_under_an_id_of_its_own(desk: Desk) -> None:
    await paid_too_much(desk)
    await desk.collect()
    desk.world.clock.at += timedelta(days=1)  # the next day, at the original rate
    await desk.office.ask("one", f"{JOURNEY}~2")
    await read(desk)
    await desk.collect()
    assert await refunds(desk) == [
        (f"{CHARGE}-r1", MAXIMUM - RIDE, "REFUNDED"),
        (f"{CHARGE}-r2", RIDE, "REFUNDED"),
    ]
    wallet = desk.office.wallet
    assert wallet.payments[f"{CHARGE}-1"].refunded == wallet.payments[f"{CHARGE}-1"].amount
    bodies = [wallet.bodies[request_id] for request_id in wallet.refund_ids]
    assert [len(body) for body in bodies] == [1, 1] and bodies[0] != bodies[1]
    assert await desk.world.balance(f"wallet_receivable:{WALLET}") == 0
    assert await desk.world.balance(f"rider_due:{WALLET}") == 0


async def test_partial_refunds_that_are_asked_for_at_once_never_exceed_the_payment(
    desk: Desk,
) -> None:
    """The first is unknown when the second is made; two workers ask for both."""
    await paid_too_much(desk)
    desk.office.wallet.script("refund", "hang_after", "unknown")
    assert await desk.office.refunding.once() == 1
    await desk.office.ask("one", f"{JOURNEY}~2")
    await read(desk)
    assert [state for _, _, state in await refunds(desk)] == ["UNKNOWN", "PREPARED"]
    for _ in range(4):
        desk.world.clock.at += 40 * MINUTE
        workers = [
            RefundWorker(WALLET, desk.office.client, desk.world.pool, desk.world.clock, TERMS)
            for _ in range(2)
        ]
        await asyncio.gather(*(worker.once() for worker in workers))
    assert [state for _, _, state in await refunds(desk)] == ["REFUNDED", "REFUNDED"]
    payment = desk.office.wallet.payments[f"{CHARGE}-1"]
    assert payment.refunded == payment.amount
    assert await desk.world.one("select count(*) from entry where kind = 'refunded'") == 2


async def test_a_refused_refund_is_told_and_its_money_pays_what_the_ride_costs_later(
    desk: Desk,
) -> None:
    await paid_too_much(desk)
    desk.office.wallet.script("refund", "REFUND_WINDOW_EXCEED")
    await desk.office.refunding.once()
    await read(desk)
    shown = await desk.world.owner.fetchrow(
        "select refund_state, refund_minor, net_charge_minor, corrected_why from ride_record"
    )
    assert tuple(shown) == ("REFUSED", MAXIMUM - RIDE, RIDE, "late_tap")
    await desk.world.owner.execute(
        "update tap set decision = 'refused', reason = 'not_passed' where direction = 'exit'"
    )
    await note_riders(desk.world.owner, [(WALLET, RIDER)], desk.world.clock.at, NOON)
    await read(desk)
    assert await desk.moved() == (1, 0), "the maximum fare again, and all of it is there"
    assert await desk.world.one("select sum(amount_minor) from charge_part") == MAXIMUM
    assert await desk.world.one("select count(*) from charge where next_at is not null") == 0


async def test_what_a_wallet_refused_to_give_back_is_asked_for_with_the_next_refund(
    desk: Desk,
) -> None:
    await paid_too_much(desk)
    desk.office.wallet.script("refund", "REFUND_WINDOW_EXCEED")
    await desk.office.refunding.once()
    await desk.office.ask("one", f"{JOURNEY}~2")
    await read(desk)
    await desk.office.refunding.once()
    assert await refunds(desk) == [
        (f"{CHARGE}-r1", MAXIMUM - RIDE, "REFUSED"),
        (f"{CHARGE}-r2", MAXIMUM, "REFUNDED"),
    ]


async def test_a_cancel_that_wins_after_a_correction_leaves_only_the_right_fare_due(
    desk: Desk,
) -> None:
    await paid_too_much(desk)
    cancelled = CancelAnswered(f"{CHARGE}-1", Done("cancelled", desk.world.clock.at))
    async with transaction(desk.world.pool) as conn:
        await weigh(conn, [cancelled], desk.world.clock.at, TERMS.policy)
    await read(desk)
    rows = await desk.world.owner.fetch("select amount_minor, state from charge order by 1")
    assert [tuple(row) for row in rows] == [(RIDE, "DUE"), (MAXIMUM, "WITHDRAWN")]
    assert await desk.world.balance(f"rider_due:{WALLET}") == RIDE
    desk.office.wallet.script("refund", "REFUND_WINDOW_EXCEED")
    await desk.collect()
    await read(desk)
    assert await desk.world.balance(f"rider_due:{WALLET}") == 0
    assert await desk.world.balance(f"wallet_receivable:{WALLET}") == RIDE


async def test_parts_that_go_back_on_other_days_close_every_day_at_zero(desk: Desk) -> None:
    await entered(desk)
    await desk.collect()
    await close(desk, DAY)
    await desk.tap("exit", "78", NOON + HOUR)
    await read(desk)
    await desk.collect()
    await close(desk, DAY + timedelta(days=1))
    desk.world.clock.at += timedelta(days=1)
    await desk.office.ask("one", f"{JOURNEY}~2")
    await read(desk)
    await desk.collect()
    last = await close(desk, DAY + timedelta(days=2))
    assert last["mtr", "HKD"] == -5220 and last[WALLET, "CNY"] == RIDE
    left = await desk.world.owner.fetch(
        "select participant, currency from net_position where participant not like 'house:%_fee'"
        " group by participant, currency having sum(amount_minor) <> 0 order by 1"
    )
    # The wallet keeps its fee of the payment: fees of refunds are not given back.
    assert [tuple(row) for row in left] == [(WALLET, "CNY")]


async def test_a_held_fare_that_is_reversed_after_its_day_was_closed_leaves_nothing_held(
    desk: Desk,
) -> None:
    await desk.world.publish(NOON + 2 * HOUR, 240, None)
    at = NOON + 3 * HOUR
    await desk.tap("entry", "2", at - 40 * MINUTE)
    await desk.tap("exit", "78", at)
    await desk.clear(at + 2 * MINUTE)
    before = await close(desk, DAY)
    assert before["house:fare_held", "HKD"] == -5220
    await desk.office.ask("one")
    await read(desk)
    after = await close(desk, DAY + timedelta(days=1))
    assert after["house:fare_held", "HKD"] == 5220 and after["mtr", "HKD"] == -5220
    assert ("house:riders_due", "CNY") not in after
    assert await desk.world.balance("fare_held", "HKD") == 0
