"""A sandbox wallet as an HTTP server: the signed partner protocol, its files, and its own app.

Each protocol answer is signed over the request's method and path. What cannot be believed is
answered F and changes nothing. ``/app`` is what a rider's phone calls; ``/sandbox/book`` shows
the wallet's own account book to tests and to the demo's last check.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import date
from pathlib import Path

import aiohttp
from aiohttp import web

from transitpay.charging.partner_answers import build_pay_answer
from transitpay.charging.partner_messages import (
    CANCEL_PATH,
    INQUIRY_PATH,
    PAY_PATH,
    REFUND_PATH,
    Result,
)
from transitpay.charging.signature import (
    TOLERANCE,
    NotBelieved,
    SignatureRefusal,
    verify_request,
)
from transitpay.clock import Clock
from transitpay.errors import MalformedInput
from transitpay.sandbox.rate_feed import Feed
from transitpay.sandbox.wallet import app_api
from transitpay.sandbox.wallet.accounts import Book
from transitpay.sandbox.wallet.config import WalletConfig, WalletKeys, read_config, read_keys
from transitpay.sandbox.wallet.faults import Fault, FaultPlan
from transitpay.sandbox.wallet.files import make_files, ready_at
from transitpay.sandbox.wallet.notices import Notices
from transitpay.sandbox.wallet.protocol import ConnectionCut, Wallet

WALLET = app_api.WALLET
#: How late a slow answer comes, and how long an answer waits for its notification.
_SLOW_S = 1.0
_NOTICE_LIMIT_S = 2.0
_REFUSALS = {
    SignatureRefusal.UNKNOWN_CLIENT: "ACCESS_DENIED",
    SignatureRefusal.UNKNOWN_KEY_VERSION: "KEY_NOT_FOUND",
}
_Work = Callable[[web.Request, bytes], Awaitable[bytes]]
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_app(folder: Path, clock: Clock, market: Feed) -> web.Application:
    """The wallet of this folder.

    Raises: MalformedInput (``bad_wallet_folder``, ``bad_key``).
    """
    config = read_config(folder)
    keys = read_keys(folder, config)
    app = web.Application()
    app.cleanup_ctx.append(_running(folder, config, keys, clock, market))
    app.add_routes(
        [
            web.post(PAY_PATH, _signed(_pay)),
            web.post(INQUIRY_PATH, _signed(_inquire)),
            web.post(CANCEL_PATH, _signed(_cancel)),
            web.post(REFUND_PATH, _signed(_refund)),
            web.get("/files/{day}", _signed(_list_files)),
            web.get("/files/{day}/{name}", _signed(_one_file)),
            web.get("/healthz", _health),
            web.get("/sandbox/book", _book),
            *app_api.routes(),
        ]
    )
    return app


def _running(
    folder: Path, config: WalletConfig, keys: WalletKeys, clock: Clock, market: Feed
) -> Callable[[web.Application], AsyncIterator[None]]:
    async def run(app: web.Application) -> AsyncIterator[None]:
        book = Book.open(folder / "book.jsonl", config.home_currency)
        struck = folder / "faults-struck.txt"
        faults = FaultPlan(config.seed, config.wallet, config.faults_permille, struck)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=32, force_close=False)
        ) as session:
            notices = Notices(book, keys, clock, session)
            app[WALLET] = Wallet(config, keys, clock, book, faults, notices, market, folder)
            app[app_api.GATEWAY] = app_api.Gateway(config.gateway_url, keys.token, session)
            sending = asyncio.create_task(notices.run())
            yield
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        book.journal.close()

    return run


def _signed(work: _Work) -> _Handler:
    """The handler that believes the caller first and signs what is answered."""

    async def handle(request: web.Request) -> web.StreamResponse:
        wallet = request.app[WALLET]
        body = await request.read()
        target = request.raw_path
        now = wallet.clock.now()
        believed = verify_request(
            request.method, target, list(request.headers.items()), body,
            wallet.keys.partner, now, TOLERANCE * wallet.clock.speed,
        )  # fmt: skip
        if isinstance(believed, NotBelieved):
            code = _REFUSALS.get(believed.reason, "INVALID_SIGNATURE")
            answer = build_pay_answer(Result(code, "F", str(believed.reason)))
        else:
            try:
                answer = await work(request, body)
            except MalformedInput as error:
                answer = build_pay_answer(Result("PARAM_ILLEGAL", "F", str(error)[:250]))
            except ConnectionCut:
                if request.transport is not None:
                    request.transport.abort()
                return web.Response(status=500)
        headers = wallet.keys.signer.response_headers(
            request.method, target, answer, wallet.clock.now()
        )
        is_file = "name" in request.match_info
        kind = "application/octet-stream" if is_file else "application/json"
        return web.Response(body=answer, headers=headers, content_type=kind)

    return handle


async def _pay(request: web.Request, body: bytes) -> bytes:
    wallet = request.app[WALLET]
    answer, paid, fault = wallet.pay(body)
    if paid is not None and fault is Fault.NOTICE_FIRST:
        with suppress(TimeoutError):
            async with asyncio.timeout(_NOTICE_LIMIT_S):
                await wallet.notices.send_once(paid)
    if paid is not None and not wallet.book.payments[paid.request_id].acknowledged:
        wallet.notices.add(paid)
    if fault is Fault.LOST_ANSWER:
        raise ConnectionCut
    if fault is Fault.SLOW:
        await asyncio.sleep(_SLOW_S)
    return answer


async def _inquire(request: web.Request, body: bytes) -> bytes:
    return request.app[WALLET].inquire(body)


async def _cancel(request: web.Request, body: bytes) -> bytes:
    return request.app[WALLET].cancel(body)


async def _refund(request: web.Request, body: bytes) -> bytes:
    return request.app[WALLET].refund(body)


async def _list_files(request: web.Request, body: bytes) -> bytes:
    wallet, day = request.app[WALLET], _day(request)
    if wallet.clock.now() < ready_at(day):
        return b'{"files":[],"ready":false}'
    files = make_files(wallet.book, day, wallet.config.terms(), wallet.folder)
    listing = {"files": [file.entry() for file in files], "ready": True}
    return json.dumps(listing).encode()


async def _one_file(request: web.Request, body: bytes) -> bytes:
    wallet, day = request.app[WALLET], _day(request)
    if wallet.clock.now() >= ready_at(day):
        for file in make_files(wallet.book, day, wallet.config.terms(), wallet.folder):
            if file.name == request.match_info["name"]:
                return file.content
    raise web.HTTPNotFound


async def _health(request: web.Request) -> web.Response:
    return web.json_response({"ok": True})


async def _book(request: web.Request) -> web.Response:
    book = request.app[WALLET].book
    riders = {it.account: it.rider_id for it in book.accounts.values()}
    payments = [
        {"request_id": p.request_id, "state": p.state, "amount_minor": p.amount_minor,
         "currency": p.currency, "debit_minor": p.debit_minor, "had_succeeded": p.had_succeeded,
         "rider_id": riders.get(p.account)}
        for p in book.payments.values()
    ]  # fmt: skip
    refunds = [
        {"request_id": r.request_id, "amount_minor": r.amount_minor, "currency": r.currency,
         "rider_id": riders.get(book.payments[r.payment_request_id].account)}
        for r in book.refunds.values()
    ]  # fmt: skip
    return web.json_response({"payments": payments, "refunds": refunds})


def _day(request: web.Request) -> date:
    try:
        return date.fromisoformat(request.match_info["day"])
    except ValueError:
        raise MalformedInput("bad_day", "is not YYYY-MM-DD", field="day") from None
