"""Charging: whatever the wallet does, a ride is debited once and the books say so."""

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
from settlement.collecting.circuit import Circuit
from settlement.collecting.notifications import NotificationWorker
from settlement.collecting.wallet_http import Partner, TimeLimits, WalletClient
from transitpay.charging.charge import ChargePolicy, charge_id
from transitpay.charging.signature import Signer, load_private_key, load_public_key
from transitpay.postgres.money.inboxes import insert_notification
from transitpay.runtime.builtin import builtin_book

RIDER = "00000000000000aa"
CHARGE = charge_id(f"{DAY}/mtr-entry/1")
POLICY = ChargePolicy()


@dataclass(slots=True)
class Shop:
    """A world with one scripted wallet and what is needed to charge it."""

    world: World
    wallet: ScriptedWallet
    client: WalletClient
    name: str = "shenzhen-tong"

    def worker(self, *, lease_s: float = 20.0, circuit: Circuit | None = None) -> ChargeWorker:
        terms = ChargeTerms(POLICY, "http://127.0.0.1:1/notify", lease_s=lease_s)
        return ChargeWorker(
            self.name, self.client, self.world.pool, self.world.clock, terms, circuit
        )

    def notices(self) -> NotificationWorker:
        return NotificationWorker(self.world.pool, self.world.clock, POLICY)

    async def ride(self, rider: str = RIDER) -> None:
        await self.world.enrol(rider, self.name)
        await self.world.ride(rider=rider, wallet=self.name)
        await Clearer(self.world.pool, builtin_book(), self.world.clock).once()

    async def settle(self, steps: int = 60) -> None:
        """Work and let time pass until nothing is due within two minutes."""
        worker = self.worker()
        for _ in range(steps):
            if await worker.once() == 0:
                due = await self.world.one(
                    "select min(next_at) from charge where wallet = $1", self.name
                )
                if due is None or due > self.world.clock.at + timedelta(minutes=2):
                    return
                self.world.clock.at = max(due, self.world.clock.at)

    async def charge(self) -> tuple[Any, ...]:
        row = await self.world.owner.fetchrow("select state, attempts from charge")
        return tuple(row)

    async def attempts(self) -> list[str]:
        rows = await self.world.owner.fetch("select state from charge_attempt order by n")
        return [row["state"] for row in rows]


async def open_shop(db: Any, wallet: ScriptedWallet, world: World, session: Any) -> Shop:
    signer = Signer(OURS, 1, load_private_key(key_pair("ours")[0]))
    ring = {THEIRS: {1: load_public_key(key_pair("wallet")[1])}}
    partner = Partner("shenzhen-tong", wallet.url, signer, ring)
    limits = TimeLimits(command_s=0.3, inquiry_s=0.3)
    return Shop(world, wallet, WalletClient(partner, session, world.clock, limits))


@pytest.fixture
async def shop(db: Any) -> AsyncIterator[Shop]:
    world = await make_world(db)
    wallet = ScriptedWallet(world.clock)
    await wallet.start()
    async with aiohttp.ClientSession() as session:
        made = await open_shop(db, wallet, world, session)
        yield made
    await wallet.stop()
    await made.world.check_books()
    collected = await world.balance("wallet_receivable:shenzhen-tong")
    held = sum(
        p.amount.minor
        for p in wallet.payments.values()
        if not p.cancelled and p.refunded is None and p.amount.currency.code == "CNY"
    )
    open_ones = await world.one("select count(*) from charge where state = 'IN_FLIGHT'")
    assert open_ones or collected == held, "the books say what the wallet holds"


async def test_a_ride_is_charged_and_booked(shop: Shop) -> None:
    await shop.ride()
    assert await shop.worker().once() == 1
    assert await shop.charge() == ("CAPTURED", 1)
    assert shop.wallet.debits == {f"{CHARGE}-1": 1}
    assert await shop.world.balance("rider_due:shenzhen-tong") == 0
    assert await shop.world.balance("wallet_receivable:shenzhen-tong") == 4791
    item = await shop.world.owner.fetchrow(
        "select item_kind, participant, day, currency, amount_minor, ref from open_item"
        " where kind = 'wallet'"
    )
    request_id = f"{CHARGE}-1"
    assert tuple(item) == ("capture", "shenzhen-tong", DAY, "CNY", 4791, request_id)
    assert await shop.world.one("select captured_at from charge") == shop.world.clock.at
    assert await shop.worker().once() == 0


async def test_a_timeout_after_the_wallet_charged_is_one_debit(shop: Shop) -> None:
    shop.wallet.script("pay", "hang_after")
    await shop.ride()
    await shop.settle()
    assert await shop.charge() == ("CAPTURED", 1)
    assert sum(shop.wallet.debits.values()) == 1 and shop.wallet.count("inquiry") == 1


async def test_a_timeout_before_the_wallet_charged_is_one_debit_with_the_same_bytes(
    shop: Shop,
) -> None:
    shop.wallet.script("pay", "http_500", "http_500")
    await shop.ride()
    await shop.settle()
    assert await shop.charge() == ("CAPTURED", 1)
    assert shop.wallet.live_debits == 1
    assert [len(bodies) for bodies in shop.wallet.bodies.values()] == [1]


async def test_unknown_for_the_whole_window_is_cancelled_and_due_again(shop: Shop) -> None:
    shop.wallet.script("pay", "unknown_charged")
    shop.wallet.script("inquiry", *["unknown"] * 40)
    await shop.ride()
    await shop.settle(100)
    assert shop.wallet.count("cancel") == 1
    assert await shop.attempts() == ["CANCELLED", "CAPTURED"]
    assert await shop.charge() == ("CAPTURED", 2)
    assert shop.wallet.live_debits == 1


async def test_a_cancel_that_is_not_answered_is_repeated(shop: Shop) -> None:
    shop.wallet.script("pay", "unknown_charged")
    shop.wallet.script("inquiry", *["unknown"] * 40)
    shop.wallet.script("cancel", "hang_after", "unknown")
    await shop.ride()
    await shop.settle(80)
    assert shop.wallet.count("cancel") == 3
    assert shop.wallet.live_debits == 1 and (await shop.charge())[0] == "CAPTURED"


async def test_a_bad_signature_of_an_answer_is_unknown(shop: Shop) -> None:
    shop.wallet.script("pay", "bad_signature")
    await shop.ride()
    await shop.worker().once()
    assert await shop.attempts() == ["UNKNOWN"]
    code = await shop.world.one("select content ->> 'code' from charge_evidence")
    assert code == "bad_signature"
    await shop.settle()
    assert await shop.charge() == ("CAPTURED", 1) and shop.wallet.live_debits == 1


async def test_who_dies_between_sending_and_recording_is_followed_by_one_who_asks(
    shop: Shop,
) -> None:
    await shop.ride()
    dead = shop.worker(lease_s=0.0)
    await dead.ask(await dead.claim())
    assert await shop.attempts() == ["SENT"] and shop.wallet.live_debits == 1
    shop.world.clock.advance(timedelta(minutes=2))
    await shop.settle()
    assert await shop.charge() == ("CAPTURED", 1)
    assert sum(shop.wallet.debits.values()) == 1 and shop.wallet.count("pay") == 1


async def test_who_dies_before_sending_is_followed_by_one_who_sends_the_same_bytes(
    shop: Shop,
) -> None:
    await shop.ride()
    await shop.worker(lease_s=0.0).claim()
    await shop.settle()
    assert await shop.charge() == ("CAPTURED", 1) and shop.wallet.live_debits == 1


async def test_two_workers_never_have_the_same_charge(shop: Shop) -> None:
    for n in range(6):
        await shop.ride(f"{n:016x}")
    one, two = shop.worker(), shop.worker()
    first, second = await one.claim(), await two.claim()
    assert len(first) == 6 and second == []
    await one.record(await one.ask(first))
    assert await shop.world.one("select count(*) from charge where state = 'CAPTURED'") == 6


async def test_a_notification_before_the_answer_books_once(shop: Shop) -> None:
    await shop.ride()
    worker = shop.worker()
    told = await worker.ask(await worker.claim())
    body = shop.wallet.notification(told[0].attempt_id)
    await insert_notification(shop.world.owner, "shenzhen-tong", body, NOON)
    assert await shop.notices().once() == 1
    assert await shop.charge() == ("CAPTURED", 1)
    await worker.record(told)
    assert await shop.world.one("select count(*) from entry where kind = 'captured'") == 1


async def test_the_same_notification_twice_is_one_booking(shop: Shop) -> None:
    await shop.ride()
    await shop.worker().once()
    request_id = next(iter(shop.wallet.payments))
    body = shop.wallet.notification(request_id)
    for _ in range(2):
        await insert_notification(shop.world.owner, "shenzhen-tong", body, NOON)
    other_bytes = body.replace(b"{", b"{ ", 1)
    await insert_notification(shop.world.owner, "shenzhen-tong", other_bytes, NOON)
    assert await shop.notices().once() == 2
    assert await shop.notices().once() == 0
    assert await shop.world.one("select count(*) from entry where kind = 'captured'") == 1


async def test_a_notification_on_another_amount_or_an_unknown_id_moves_nothing(
    shop: Shop,
) -> None:
    shop.wallet.script("pay", "unknown_charged")
    await shop.ride()
    await shop.worker().once()
    request_id = next(iter(shop.wallet.payments))
    good = shop.wallet.notification(request_id)
    wrong = good.replace(b'"4791"', b'"1"')
    unknown = good.replace(request_id.encode(), b"c-nobody-1")
    for wallet, body in (
        ("shenzhen-tong", wrong),
        ("shenzhen-tong", unknown),
        ("alipay", good),
        ("shenzhen-tong", b"not json"),
    ):
        await insert_notification(shop.world.owner, wallet, body, NOON)
    assert await shop.notices().once() == 4
    rows = await shop.world.owner.fetch("select effect from notification_done order by 1")
    assert [row["effect"] for row in rows] == [
        "break:amount_mismatch",
        "break:missing_internal",
        "break:missing_internal",
        "unreadable",
    ]
    assert await shop.attempts() == ["UNKNOWN"]


async def test_an_empty_balance_denies_the_rider_until_the_debt_is_paid(shop: Shop) -> None:
    shop.wallet.script("pay", "USER_BALANCE_NOT_ENOUGH")
    await shop.ride()
    await shop.worker().once()
    assert await shop.charge() == ("ARREARS", 1)
    asked = "select action, rider_id from deny_request order by id"
    assert [tuple(r) for r in await shop.world.owner.fetch(asked)] == [("deny", RIDER)]

    shop.world.clock.advance(timedelta(hours=6))
    await shop.worker().once()
    assert await shop.charge() == ("CAPTURED", 2)
    words = [r["action"] for r in await shop.world.owner.fetch(asked)]
    assert words == ["deny", "release"]


async def test_a_rider_with_two_debts_is_released_by_the_second_payment(shop: Shop) -> None:
    shop.wallet.script("pay", *["USER_BALANCE_NOT_ENOUGH"] * 2)
    await shop.ride()
    await shop.world.ride(NOON - timedelta(hours=1), wallet=shop.name)
    await Clearer(shop.world.pool, builtin_book(), shop.world.clock).once()
    await shop.worker().once()
    shop.world.clock.advance(timedelta(hours=6))
    shop.wallet.script("pay", "ok", "USER_BALANCE_NOT_ENOUGH")
    await shop.worker().once()
    words = await shop.world.owner.fetch("select action from deny_request order by id")
    assert [r["action"] for r in words] == ["deny"]
    shop.world.clock.advance(timedelta(hours=6))
    await shop.worker().once()
    words = await shop.world.owner.fetch("select action from deny_request order by id")
    assert [r["action"] for r in words] == ["deny", "release"]


async def test_a_final_failure_is_not_tried_again(shop: Shop) -> None:
    shop.wallet.script("pay", "PROCESS_FAIL")
    await shop.ride()
    await shop.settle()
    assert await shop.charge() == ("ARREARS", 1) and shop.wallet.count("pay") == 1
    assert await shop.world.one("select next_at from charge") is None


async def test_a_success_over_another_amount_is_a_break_and_no_capture(shop: Shop) -> None:
    shop.wallet.script("pay", "wrong_amount")
    await shop.ride()
    await shop.worker().once()
    assert await shop.attempts() == ["UNKNOWN"]
    assert await shop.world.one("select effect from charge_evidence") == "break:amount_mismatch"


async def test_an_open_circuit_stops_new_payments_and_not_questions(shop: Shop) -> None:
    circuit = Circuit(limit=2, pause_s=60)
    shop.wallet.script("pay", "unknown", "unknown")
    await shop.ride(f"{0:016x}")
    await shop.ride(f"{1:016x}")
    worker = shop.worker(circuit=circuit)
    assert await worker.once() == 2 and circuit.is_open
    await shop.ride(f"{2:016x}")
    assert await worker.once() == 0
    shop.world.clock.advance(timedelta(seconds=3))
    assert await worker.once() == 2
    assert shop.wallet.count("inquiry") == 2 and not circuit.is_open


async def test_one_that_cannot_be_saved_spoils_no_other(shop: Shop) -> None:
    for n in range(3):
        await shop.ride(f"{n:016x}")
    worker = shop.worker()
    told = await worker.ask(await worker.claim())
    broken = told[0].attempt_id
    await shop.world.owner.execute(
        "insert into entry (key, kind, at) values ($1, 'captured', $2)", f"captured:{broken}", NOON
    )
    await worker.record(told)
    states = await shop.world.owner.fetch(
        "select state, count(*) from charge group by 1 order by 1"
    )
    assert [tuple(row) for row in states] == [("CAPTURED", 2), ("IN_FLIGHT", 1)]


async def test_where_the_wallet_converts_its_quote_stands_with_the_attempt(db: Any) -> None:
    world = await make_world(db)
    wallet = ScriptedWallet(world.clock, converts=True)
    await wallet.start()
    async with aiohttp.ClientSession() as session:
        shop = await open_shop(db, wallet, world, session)
        shop.name = "alipay"
        await shop.ride()
        await shop.settle()
    await wallet.stop()
    assert await shop.charge() == ("CAPTURED", 1)
    assert [p.amount.minor for p in wallet.payments.values()] == [5220]
    quote = await world.one("select wallet_quote from charge_attempt")
    assert quote["quotePrice"] == "0.9188" and quote["quoteCurrencyPair"] == "HKD/CNY"
    assert await world.balance("wallet_receivable:alipay", "HKD") == 5220
    await world.check_books()
