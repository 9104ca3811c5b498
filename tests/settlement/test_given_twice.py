"""A payment that is cancelled whole and refunded in part: the wallet owes it, no rider does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from correction_desk import RIDER, WALLET, Desk, desk
from day_seed import DAY
from test_partial_refunds import MAXIMUM, RIDE, paid_too_much, read
from test_refunds import CHARGE, JOURNEY, TERMS, office

from settlement.closing.close_day import close_day
from settlement.closing.night_report import day_report
from settlement.closing.report import as_json, page
from settlement.collecting.weigh import weigh
from transitpay.charging.evidence import CancelAnswered
from transitpay.charging.wallet_port import Done
from transitpay.clock import day_start
from transitpay.postgres.money.wallet_claims import wallet_claims
from transitpay.postgres.pool import transaction

__all__ = ["desk", "office"]  # the fixtures

BACK = MAXIMUM - RIDE
REFUND = f"{CHARGE}-r1"


async def cancelled(it: Desk) -> None:
    """The wallet says that it has cancelled the payment, whole."""
    said = CancelAnswered(f"{CHARGE}-1", Done("cancelled", it.world.clock.at))
    async with transaction(it.world.pool) as conn:
        await weigh(conn, [said], it.world.clock.at, TERMS.policy)


async def refunded(it: Desk) -> None:
    """The wallet makes the refund that it is asked for."""
    it.world.clock.advance(timedelta(hours=2))
    await it.office.refunding.once()


async def claims(it: Desk) -> list[Any]:
    async with it.world.pool.acquire() as conn:
        return await wallet_claims(conn)


@pytest.mark.parametrize("steps", [(refunded, cancelled), (cancelled, refunded)])
async def test_what_was_given_back_twice_is_claimed_from_the_wallet_and_due_from_nobody(
    desk: Desk, steps: Any
) -> None:
    await paid_too_much(desk)
    first, second = steps
    await first(desk)
    assert await claims(desk) == []
    await second(desk)
    await read(desk)
    assert await desk.world.balance(f"wallet_claim:{WALLET}") == BACK
    assert await desk.world.balance(f"rider_due:{WALLET}") == RIDE, "what the charge asks for"
    [claim] = await claims(desk)
    assert (claim.request_id, claim.attempt_id, claim.rider_id) == (REFUND, f"{CHARGE}-1", RIDER)
    while await desk.office.charging.once():
        pass
    await read(desk)
    assert await desk.world.balance(f"rider_due:{WALLET}") == 0
    assert await desk.world.balance(f"wallet_claim:{WALLET}") == BACK, "until the wallet pays it"
    async with desk.world.pool.acquire() as conn:
        await close_day(conn, DAY, day_start(DAY + timedelta(days=1), 0, 30))
    await read(desk)


async def test_the_claim_is_in_the_days_report_with_its_reason(desk: Desk) -> None:
    await paid_too_much(desk)
    await refunded(desk)
    await cancelled(desk)
    async with desk.world.pool.acquire() as conn, conn.transaction():
        report = await day_report(conn, DAY)
    assert as_json(report)["owed_by_wallets"] == [
        {
            "request_id": REFUND,
            "attempt_id": f"{CHARGE}-1",
            "charge_id": CHARGE,
            "journey_id": JOURNEY,
            "wallet": WALLET,
            "currency": "CNY",
            "amount_minor": BACK,
            "why": "cancelled_and_refunded",
            "since": desk.world.clock.at.isoformat(),
        }
    ]
    html = page(report)
    assert REFUND in html and "7.58" in html and "cancelled_and_refunded" in html


async def test_a_cancel_and_a_refund_that_are_told_again_are_claimed_once(desk: Desk) -> None:
    await paid_too_much(desk)
    await refunded(desk)
    for _ in range(2):
        await cancelled(desk)
        await refunded(desk)
    assert len(await claims(desk)) == 1
    assert await desk.world.balance(f"wallet_claim:{WALLET}") == BACK


async def test_a_refund_that_the_wallet_refuses_after_its_cancel_is_no_claim(desk: Desk) -> None:
    await paid_too_much(desk)
    await cancelled(desk)
    desk.office.wallet.script("refund", "REFUND_WINDOW_EXCEED")
    await refunded(desk)
    await desk.check()
    assert await claims(desk) == [] and await desk.world.balance(f"wallet_claim:{WALLET}") == 0
