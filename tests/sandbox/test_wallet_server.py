"""The sandbox wallet speaks the signed protocol, decides each request id once, and writes files."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from transitpay.charging import partner_answers, partner_messages
from transitpay.charging.signature import (
    Believed,
    Signer,
    load_private_key,
    load_public_key,
    verify_request,
    verify_response,
)
from transitpay.charging.wallet_port import Declined, Done, NotFound, Succeeded, Unknown
from transitpay.clock import ManualClock
from transitpay.money import CNY, HKD, Money
from transitpay.ride_code.keys import generate_partner_key, private_pem, public_pem
from transitpay.sandbox.rate_feed import BUILTIN_REFERENCE, Feed
from transitpay.sandbox.wallet.config import WalletConfig, write_config, write_secrets
from transitpay.sandbox.wallet.faults import Fault, FaultPlan
from transitpay.sandbox.wallet.server import WALLET, make_app

NOON = datetime(2026, 10, 30, 4, tzinfo=UTC)
DAY = date(2026, 10, 30)


@dataclass
class World:
    client: TestClient[web.Request, web.Application]
    clock: ManualClock
    signer: Signer
    wallet_keys: dict[str, dict[int, object]]
    notify_url: str
    notices: list[bytes]
    second_notice: asyncio.Event
    refuse_notices: int = 0

    async def post(self, path: str, body: bytes, signer: Signer | None = None) -> bytes:
        headers = (signer or self.signer).request_headers("POST", path, body, self.clock.now())
        answer = await self.client.post(path, data=body, headers=headers)
        said = await answer.read()
        believed = verify_response(
            "POST", path, list(answer.headers.items()), said, self.wallet_keys
        )
        assert isinstance(believed, Believed), "every answer is signed"
        return said

    def order(self, request_id: str, token: str, minor: int = 5220) -> bytes:
        return partner_messages.build_pay(
            partner_messages.PayRequest(
                request_id, Money(minor, HKD), "ALIPAY", token, request_id, "a ride",
                NOON + timedelta(days=1), self.notify_url, HKD,
            )
        )  # fmt: skip

    async def pay(self, body: bytes) -> object:
        said = await self.post(partner_messages.PAY_PATH, body)
        return partner_answers.parse_pay_answer(said)

    async def inquire(self, request_id: str) -> object:
        asked = partner_messages.InquiryRequest(request_id)
        body = partner_messages.build_inquiry(asked)
        said = await self.post(partner_messages.INQUIRY_PATH, body)
        return partner_answers.parse_inquiry_answer(said)

    async def cancel(self, request_id: str) -> object:
        body = partner_messages.build_cancel(partner_messages.CancelRequest(request_id))
        said = await self.post(partner_messages.CANCEL_PATH, body)
        return partner_answers.parse_cancel_answer(said)

    async def refund(self, refund_id: str, request_id: str, minor: int) -> object:
        asked = partner_messages.RefundRequest(refund_id, request_id, Money(minor, HKD))
        said = await self.post(partner_messages.REFUND_PATH, partner_messages.build_refund(asked))
        return partner_answers.parse_refund_answer(said)

    async def enrol(self, account: str = "a1", opening_minor: int = 100_000) -> str:
        book = self.client.server.app[WALLET].book  # type: ignore[attr-defined]  # test server
        return str(book.enrol(account, opening_minor).token)

    def balance(self, account: str = "a1") -> int:
        book = self.client.server.app[WALLET].book  # type: ignore[attr-defined]  # test server
        return int(book.accounts[account].balance_minor)


@pytest.fixture(scope="module")
def pems() -> tuple[bytes, bytes, bytes, bytes]:
    wallet, ours = generate_partner_key(), generate_partner_key()
    return private_pem(wallet), public_pem(wallet), private_pem(ours), public_pem(ours)


@pytest.fixture
async def world(tmp_path: Path, pems: tuple[bytes, bytes, bytes, bytes]) -> AsyncIterator[World]:
    config = WalletConfig(
        "alipay", "CNY", "alipay-cn", "wallet-alipay", 1, "transitpay", "http://127.0.0.1:9",
        "0.006", True, 1, 0, 0,
    )  # fmt: skip
    write_config(tmp_path, config)
    write_secrets(tmp_path, pems[0], {1: pems[3]}, "no-token")
    clock = ManualClock(NOON)
    notices: list[bytes] = []
    ours = Signer("transitpay", 1, load_private_key(pems[2]))
    wallet_keys = {"wallet-alipay": {1: load_public_key(pems[1])}}

    async def notify(request: web.Request) -> web.Response:
        body = await request.read()
        said = verify_request(
            "POST", request.raw_path, list(request.headers.items()), body, wallet_keys, NOON,
            timedelta(days=2),
        )  # fmt: skip
        assert isinstance(said, Believed)
        notices.append(body)
        if len(notices) > 1:
            made.second_notice.set()
        if len(notices) <= made.refuse_notices:
            return web.Response(status=500)
        ack = partner_answers.build_notification_answer()
        return web.Response(
            body=ack, headers=ours.response_headers("POST", request.raw_path, ack, NOON)
        )

    gateway = web.Application()
    gateway.router.add_post(partner_messages.NOTIFY_PATH, notify)
    feed = Feed("quote", 1, BUILTIN_REFERENCE)
    async with (
        TestServer(gateway) as partner,
        TestClient(TestServer(make_app(tmp_path, clock, feed))) as client,
    ):
        url = str(partner.make_url(partner_messages.NOTIFY_PATH))
        made = World(client, clock, ours, wallet_keys, url, notices, asyncio.Event())  # type: ignore[arg-type]  # keys are RSA
        yield made


async def test_a_payment_in_hkd_debits_yuan_at_the_wallets_own_quote_and_settles_hkd(
    world: World,
) -> None:
    token = await world.enrol()
    paid = await world.pay(world.order("c1-1", token))
    assert isinstance(paid, Succeeded)
    assert paid.amount == Money(5220, HKD) == paid.settlement
    assert paid.quote is not None and (paid.quote.base, paid.quote.quote) == (HKD, CNY)
    debit = (Decimal(5220) * paid.quote.price).quantize(Decimal(1), "ROUND_HALF_UP")
    assert world.balance() == 100_000 - int(debit)


async def test_the_same_request_twice_is_one_debit_and_one_answer(world: World) -> None:
    token = await world.enrol()
    body = world.order("c1-1", token)
    first, second = await world.pay(body), await world.pay(body)
    assert first == second
    assert isinstance(first, Succeeded)
    assert len({p.payment_id for p in (first, second)}) == 1  # type: ignore[union-attr]  # both paid


async def test_one_request_id_with_other_content_is_refused(world: World) -> None:
    token = await world.enrol()
    await world.pay(world.order("c1-1", token))
    before = world.balance()
    again = await world.pay(world.order("c1-1", token, 5221))
    assert again == Declined("REPEAT_REQ_INCONSISTENT")
    assert world.balance() == before


async def test_an_empty_purse_and_an_unknown_token_are_refused(world: World) -> None:
    token = await world.enrol("poor", 10)
    assert await world.pay(world.order("c1-1", token)) == Declined("USER_BALANCE_NOT_ENOUGH")
    assert await world.pay(world.order("c2-1", "nobody")) == Declined("INVALID_TOKEN")


async def test_a_cancelled_order_is_closed_also_when_it_arrives_afterwards(world: World) -> None:
    token = await world.enrol()
    await world.pay(world.order("c1-1", token))
    assert isinstance(await world.cancel("c1-1"), Done)
    assert isinstance(await world.cancel("c1-1"), Done)
    assert world.balance() == 100_000
    assert await world.pay(world.order("c1-1", token)) == Declined("ORDER_IS_CLOSED")
    assert isinstance(await world.cancel("c2-1"), Done)
    assert await world.pay(world.order("c2-1", token)) == Declined("ORDER_IS_CLOSED")


async def test_a_cancel_is_allowed_until_a_quarter_past_midnight(world: World) -> None:
    token = await world.enrol()
    await world.pay(world.order("c1-1", token))
    await world.pay(world.order("c2-1", token))
    world.clock.at = datetime(2026, 10, 30, 16, 14, 59, tzinfo=UTC)
    assert isinstance(await world.cancel("c1-1"), Done)
    world.clock.at = datetime(2026, 10, 30, 16, 15, 1, tzinfo=UTC)
    assert await world.cancel("c2-1") == Declined("CANCEL_WINDOW_EXCEED")


async def test_refunds_never_exceed_the_payment_and_repeat_as_one(world: World) -> None:
    token = await world.enrol()
    await world.pay(world.order("c1-1", token))
    assert isinstance(await world.refund("r1", "c1-1", 5000), Done)
    assert isinstance(await world.refund("r1", "c1-1", 5000), Done)
    assert await world.refund("r1", "c1-1", 4999) == Declined("REPEAT_REQ_INCONSISTENT")
    assert await world.refund("r2", "c1-1", 221) == Declined("REFUND_AMOUNT_EXCEED")
    assert isinstance(await world.refund("r3", "c1-1", 220), Done)
    assert await world.refund("r4", "c9-1", 1) == NotFound()


async def test_an_unknown_payment_is_decided_when_it_is_asked_about(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FaultPlan, "strike", lambda *_: Fault.UNKNOWN)
    token = await world.enrol()
    assert await world.inquire("c1-1") == NotFound()
    assert await world.pay(world.order("c1-1", token)) == Unknown("PAYMENT_IN_PROCESS")
    assert world.balance() == 100_000
    assert isinstance(await world.inquire("c1-1"), Succeeded)
    assert world.balance() < 100_000


async def test_a_notification_is_sent_until_its_ack_is_signed(world: World) -> None:
    world.refuse_notices = 1
    token = await world.enrol()
    await world.pay(world.order("c1-1", token))
    async with asyncio.timeout(30):
        await world.second_notice.wait()
    notice = partner_messages.parse_notification(world.notices[-1])
    assert notice.payment_request_id == "c1-1"
    assert isinstance(notice.outcome, Succeeded)


async def test_a_request_with_another_key_changes_nothing(world: World) -> None:
    token = await world.enrol()
    forged = replace(world.signer, key=generate_partner_key())
    body = world.order("c1-1", token)
    said = await world.post(partner_messages.PAY_PATH, body, forged)
    assert partner_answers.parse_pay_answer(said) == Declined("INVALID_SIGNATURE")
    assert world.balance() == 100_000


async def test_files_are_ready_at_eight_on_the_next_day_and_stay_the_same(world: World) -> None:
    token = await world.enrol()
    await world.pay(world.order("c1-1", token))
    target = f"/files/{DAY}"

    async def get(path: str) -> bytes:
        headers = world.signer.request_headers("GET", path, b"", world.clock.now())
        return await (await world.client.get(path, headers=headers)).read()

    world.clock.at = datetime(2026, 10, 30, 23, 59, 59, tzinfo=UTC)
    assert json.loads(await get(target)) == {"files": [], "ready": False}
    world.clock.at = datetime(2026, 10, 31, 0, 0, 0, tzinfo=UTC)
    listing = json.loads(await get(target))
    assert listing["ready"] and len(listing["files"]) == 1
    name = listing["files"][0]["name"]
    first = await get(f"{target}/{name}")
    assert b"c1-1|" in first
    assert await get(f"{target}/{name}") == first


async def test_a_restarted_wallet_still_knows_its_payments(world: World) -> None:
    from transitpay.sandbox.wallet.accounts import Book

    token = await world.enrol()
    await world.pay(world.order("c1-1", token))
    wallet = world.client.server.app[WALLET]  # type: ignore[attr-defined]  # test server
    again = Book.open(wallet.folder / "book.jsonl", "CNY")
    assert again.payments.keys() == {"c1-1"}
    assert again.accounts["a1"].balance_minor == world.balance()
    again.journal.close()


def test_a_wallet_killed_at_any_moment_has_debited_what_it_promised(tmp_path: Path) -> None:
    from transitpay.sandbox.wallet.accounts import Book, PayOrder

    path, writes = tmp_path / "book.jsonl", []
    book = Book.open(path, "CNY")
    token = book.enrol("a1", 10_000).token
    flush = book.journal.flush

    class Journal:
        def write(self, text: str) -> None:
            book_file.write(text)

        def flush(self) -> None:
            flush()
            writes.append(path.read_bytes())

    book_file, book.journal = book.journal, Journal()  # type: ignore[assignment]  # a spy
    book.pay(PayOrder("c1-1", "d", token, 4791, "CNY"), "1", NOON, hold=False)
    book.refund(PayOrder("c1-r1", "d", "", 4791, "CNY"), "c1-1", NOON)
    book.pay(PayOrder("c2-1", "d", token, 100, "CNY"), "1", NOON, hold=False)
    book.cancel("c2-1", NOON)
    book_file.close()
    balances = []
    for at, seen in enumerate(writes):
        (tmp_path / f"{at}.jsonl").write_bytes(seen)
        again = Book.open(tmp_path / f"{at}.jsonl", "CNY")
        balances.append((again.accounts["a1"].balance_minor, len(again.payments)))
        again.journal.close()
    assert balances == [(5209, 1), (10_000, 1), (9_900, 2), (10_000, 2)]


def test_a_fault_strikes_the_first_sending_only_also_after_a_restart(tmp_path: Path) -> None:
    struck = tmp_path / "struck.txt"
    first = FaultPlan(1, "alipay", 1000, struck)
    assert first.strike("c1-1", NOON) in set(Fault)
    assert first.strike("c1-1", NOON) is None
    again = FaultPlan(1, "alipay", 1000, struck)
    assert again.strike("c1-1", NOON) is None
    assert again.strike("c2-1", NOON) == FaultPlan(1, "alipay", 1000, tmp_path / "x").strike(
        "c2-1", NOON
    )
    assert again.strike("c3-1", NOON + timedelta(hours=8)) is None
