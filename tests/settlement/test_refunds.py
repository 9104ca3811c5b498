"""Refunds: asked for twice is given once, at the original quote, and the books close."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from day_seed import DAY, NOON, World, make_world
from scripted_wallet import OURS, THEIRS, ScriptedWallet, key_pair

from settlement.clearing.clear_taps import Clearer
from settlement.collecting.charge_wallets import ChargeTerms, ChargeWorker
from settlement.collecting.refunds import RefundDesk, RefundWorker
from settlement.collecting.wallet_http import Partner, TimeLimits, WalletClient
from transitpay.charging.charge import ChargePolicy, charge_id
from transitpay.charging.signature import Signer, load_private_key, load_public_key
from transitpay.postgres import reference
from transitpay.postgres.gates.taps import note_riders
from transitpay.postgres.money.inboxes import RefundRequest, insert_refund_request
from transitpay.runtime.builtin import builtin_book

NAME = "shenzhen-tong"
JOURNEY = f"{DAY}/mtr-entry/1"
CHARGE = charge_id(JOURNEY)
TERMS = ChargeTerms(ChargePolicy(), "http://127.0.0.1:1/notify")


@dataclass(slots=True)
class Office:
    world: World
    wallet: ScriptedWallet
    charging: ChargeWorker
    refunding: RefundWorker
    desk: RefundDesk
    client: WalletClient

    async def ride(self, at: Any = NOON) -> None:
        await self.world.ride(at, wallet=NAME)
        await Clearer(self.world.pool, builtin_book(), self.world.clock).once()

    async def read(self) -> None:
        """Requests are taken, and the clearing reads whoever is due."""
        await self.desk.once()
        await Clearer(self.world.pool, builtin_book(), self.world.clock).once()

    async def ask(self, request_id: str, journey_id: str = JOURNEY) -> None:
        request = RefundRequest(request_id, journey_id, "gate fault", "person", NOON)
        await insert_refund_request(self.world.owner, request)

    async def effect(self, request_id: str) -> str | None:
        found: str | None = await self.world.one(
            "select effect from refund_request_done where request = $1", request_id
        )
        return found


@pytest.fixture
async def office(db: Any) -> AsyncIterator[Office]:
    world = await make_world(db)
    person = reference.Actor("person", "A person", reference.Role.OPERATOR, "mtr")
    await reference.put_actor(world.owner, person)
    wallet = ScriptedWallet(world.clock)
    await wallet.start()
    signer = Signer(OURS, 1, load_private_key(key_pair("ours")[0]))
    ring = {THEIRS: {1: load_public_key(key_pair("wallet")[1])}}
    async with aiohttp.ClientSession() as session:
        client = WalletClient(
            Partner(NAME, wallet.url, signer, ring), session, world.clock, TimeLimits(0.3, 0.3)
        )
        yield Office(
            world,
            wallet,
            ChargeWorker(NAME, client, world.pool, world.clock, TERMS),
            RefundWorker(NAME, client, world.pool, world.clock, TERMS),
            RefundDesk(world.pool, world.clock),
            client,
        )
    await wallet.stop()
    await world.check_books()


async def all_zero(world: World) -> bool:
    rows = await world.owner.fetch("select debit_minor - credit_minor as left from account_balance")
    return all(row["left"] == 0 for row in rows)


async def test_a_refund_asked_for_twice_is_given_once(office: Office) -> None:
    await office.ride()
    await office.charging.once()
    await office.ask("one")
    await office.ask("two")
    assert await office.desk.once() == 2 and await office.desk.once() == 0
    assert await office.effect("one") == "given_back"
    assert await office.effect("two") == "nothing_left"
    await office.read()
    assert await office.refunding.once() == 1 and await office.refunding.once() == 0
    assert office.wallet.refund_ids == [f"{CHARGE}-r1"]
    assert office.wallet.live_debits == 0
    assert await all_zero(office.world)
    items = await office.world.owner.fetch(
        "select kind, item_kind, currency, amount_minor from open_item order by 1, 4"
    )
    assert [tuple(row) for row in items] == [
        ("operator", "fare_reversal", "HKD", -5220),
        ("operator", "fare", "HKD", 5220),
        ("wallet", "refund", "CNY", -4791),
        ("wallet", "capture", "CNY", 4791),
    ]


async def test_an_unknown_refund_is_asked_again_under_the_same_id_with_the_same_bytes(
    office: Office,
) -> None:
    office.wallet.script("refund", "hang_after", "unknown")
    await office.ride()
    await office.charging.once()
    await office.ask("one")
    await office.read()
    for _ in range(3):
        assert await office.refunding.once() == 1
        office.world.clock.advance(timedelta(seconds=40))
    assert await office.world.one("select state from refund") == "REFUNDED"
    assert office.wallet.refund_ids == [f"{CHARGE}-r1"]
    assert len(office.wallet.bodies[f"{CHARGE}-r1"]) == 1
    assert await office.world.one("select count(*) from entry where kind = 'refunded'") == 1


async def test_a_debt_that_nobody_paid_is_withdrawn_and_never_charged(office: Office) -> None:
    await office.ride()
    await office.ask("one")
    await office.read()
    assert await office.effect("one") == "given_back"
    assert await office.charging.once() == 0
    assert await office.world.one("select state from charge") == "WITHDRAWN"
    assert await all_zero(office.world)
    await office.ask("two")
    await office.read()
    assert await office.effect("two") == "nothing_left"


async def test_a_refund_waits_while_an_attempt_may_hold_money(office: Office) -> None:
    office.wallet.script("pay", "unknown_charged")
    await office.ride()
    await office.charging.once()
    await office.ask("one")
    await office.read()
    assert await office.world.one("select count(*) from refund") == 0
    assert await office.world.one("select count(*) from journey where ended_at is not null") == 0
    office.world.clock.advance(timedelta(seconds=3))
    await office.charging.once()
    await office.read()
    assert await office.world.one("select amount_minor from refund") == 4791
    assert await office.world.one("select ended_why from journey order by revision") == "given_back"


async def test_a_request_that_the_clearing_has_read_before_the_desk_is_granted_all_the_same(
    office: Office,
) -> None:
    await office.ride()
    await office.ask("one")
    await note_riders(office.world.owner, [(NAME, "00000000000000aa")], NOON, NOON)
    await Clearer(office.world.pool, builtin_book(), office.world.clock).once()
    assert await office.world.one("select state from charge") == "WITHDRAWN"
    await office.ask("two", f"{JOURNEY}~2")
    await office.read()
    assert await office.effect("one") == "given_back"
    assert await office.effect("two") == "nothing_left"


async def test_money_that_the_wallet_refused_to_give_back_is_asked_for_again_by_a_new_request(
    office: Office,
) -> None:
    office.wallet.script("refund", "REFUND_WINDOW_EXCEED")
    await office.ride()
    await office.charging.once()
    await office.ask("one")
    await office.read()
    await office.refunding.once()
    assert await office.world.one("select state from refund") == "REFUSED"
    for name, effect in (("two", "refund"), ("three", "nothing_left")):
        await office.ask(name)
        await office.read()
        assert await office.effect(name) == effect
    await office.refunding.once()
    states = await office.world.owner.fetch("select request_id, state from refund order by 1")
    assert [tuple(row) for row in states] == [
        (f"{CHARGE}-r1", "REFUSED"),
        (f"{CHARGE}-r2", "REFUNDED"),
    ]
    assert office.wallet.live_debits == 0 and await all_zero(office.world)


async def test_a_held_fare_is_given_back_without_a_rate(office: Office) -> None:
    later = NOON + timedelta(hours=3)
    await office.world.publish(NOON + timedelta(hours=2), 120, mid=None)
    office.world.clock.at = later + timedelta(minutes=1)
    await office.ride(later)
    await office.ask("one")
    await office.read()
    assert await office.world.one("select state from charge") == "WITHDRAWN"
    assert await all_zero(office.world)


async def test_an_unknown_journey_is_told_so(office: Office) -> None:
    await office.ask("one", "2026-10-30/nobody/1")
    await office.desk.once()
    assert await office.effect("one") == "unknown_journey"


async def test_surplus_money_goes_back_by_itself(office: Office) -> None:
    """A refused attempt turns out to be paid after the next one was: one of them is refunded."""
    from settlement.collecting.weigh import weigh
    from transitpay.charging.evidence import Notified
    from transitpay.charging.wallet_port import Succeeded
    from transitpay.money import CNY, Money
    from transitpay.postgres.pool import transaction

    office.wallet.script("pay", "USER_BALANCE_NOT_ENOUGH")
    await office.ride()
    await office.charging.once()
    office.world.clock.advance(timedelta(hours=6))
    await office.charging.once()
    late = Notified(f"{CHARGE}-1", Succeeded("p-late", NOON, Money(4791, CNY)))
    async with transaction(office.world.pool) as conn:
        await weigh(conn, [late], office.world.clock.now(), ChargePolicy())
    states = await office.world.owner.fetch("select state from charge_attempt order by n")
    assert [row["state"] for row in states] == ["SURPLUS", "CAPTURED"]
    assert await office.world.one("select request_id from refund") == f"{CHARGE}-1-r"
    assert await office.world.balance(f"wallet_receivable:{NAME}") == 2 * 4791
    assert await office.world.balance(f"rider_due:{NAME}") == -4791
