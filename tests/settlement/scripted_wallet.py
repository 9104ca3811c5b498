"""A wallet behind a real HTTP server: the signed protocol, and a script of faults.

Faults are taken one a call, by path word (pay, inquiry, cancel, refund); with none left it behaves.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from transitpay.charging import partner_answers as answers
from transitpay.charging import partner_messages as messages
from transitpay.charging.partner_answers import PaymentFacts
from transitpay.charging.partner_messages import Result
from transitpay.charging.signature import (
    Believed,
    Signer,
    load_private_key,
    load_public_key,
    verify_request,
)
from transitpay.charging.wallet_port import WalletQuote
from transitpay.clock import Clock
from transitpay.money import CNY, HKD, Money

OURS, THEIRS = "US", "W-shenzhen-tong"
HANGS_S = 2.0


@cache
def key_pair(name: str) -> tuple[bytes, bytes]:
    """A fresh key of 2048 bits for each name, made once a session: (private, public) PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    plain = serialization.NoEncryption()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private, public


@dataclass(slots=True)
class Payment:
    amount: Money
    payment_id: str
    paid_at: datetime
    body: bytes
    cancelled: bool = False
    refunded: Money | None = None


@dataclass(slots=True)
class ScriptedWallet:
    """``debits`` counts what riders were really charged, by paymentRequestId."""

    clock: Clock
    faults: dict[str, deque[str]] = field(default_factory=lambda: defaultdict(deque))
    payments: dict[str, Payment] = field(default_factory=dict)
    debits: Counter[str] = field(default_factory=Counter)
    refund_ids: list[str] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    bodies: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    converts: bool = False
    url: str = ""
    _runner: web.AppRunner | None = None

    def script(self, call: str, *faults: str) -> None:
        self.faults[call].extend(faults)

    def count(self, call: str) -> int:
        return sum(name == call for name, _ in self.calls)

    @property
    def live_debits(self) -> int:
        """Payments that were made and neither cancelled nor refunded."""
        return sum(not p.cancelled and p.refunded is None for p in self.payments.values())

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post(messages.PAY_PATH, self._serve("pay", self._pay))
        app.router.add_post(messages.INQUIRY_PATH, self._serve("inquiry", self._inquire))
        app.router.add_post(messages.CANCEL_PATH, self._serve("cancel", self._cancel))
        app.router.add_post(messages.REFUND_PATH, self._serve("refund", self._refund))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def _serve(self, call: str, handle: Any) -> Any:
        signer = Signer(THEIRS, 1, load_private_key(key_pair("wallet")[0]))
        ring = {OURS: {1: load_public_key(key_pair("ours")[1])}}

        async def serve(request: web.Request) -> web.Response:
            body = await request.read()
            headers = list(request.headers.items())
            now = self.clock.now()
            said = verify_request("POST", request.path, headers, body, ring, now)
            assert isinstance(said, Believed), said
            fault = self.faults[call].popleft() if self.faults[call] else "ok"
            if fault == "http_500":
                return web.Response(status=500)
            if fault == "hang":
                await asyncio.sleep(HANGS_S)
            answer = handle(body, fault)
            if fault == "hang_after":
                await asyncio.sleep(HANGS_S)
            signed = signer.response_headers("POST", request.path, answer, self.clock.now())
            if fault == "bad_signature":
                answer += b" "
            return web.Response(body=answer, headers=signed, content_type="application/json")

        return serve

    def _facts(self, payment: Payment) -> PaymentFacts:
        settled, quote = payment.amount, None
        if self.converts:
            quote = WalletQuote("q-1", HKD, CNY, Decimal("0.9188"))
        return PaymentFacts(
            payment.payment_id, payment.paid_at, payment.amount, "c", settled, quote
        )

    def _pay(self, body: bytes, fault: str) -> bytes:
        asked = messages.parse_pay(body)
        key = asked.payment_request_id
        self.calls.append(("pay", key))
        self.bodies[key].add(body)
        if fault == "unknown":
            return answers.build_pay_answer(Result("UNKNOWN_EXCEPTION", "U"))
        if fault in ("USER_BALANCE_NOT_ENOUGH", "PROCESS_FAIL"):
            return answers.build_pay_answer(Result(fault, "F"))
        if fault == "wrong_amount":
            paid = Payment(Money(1, asked.amount.currency), f"p-{key}", self.clock.now(), body)
            return answers.build_pay_answer(answers.OK, self._facts(paid))
        known = self.payments.get(key)
        if known is None:
            known = Payment(asked.amount, f"p-{key}", self.clock.now(), body)
            self.payments[key] = known
            self.debits[key] += 1
        elif known.body != body:
            return answers.build_pay_answer(Result("REPEAT_REQ_INCONSISTENT", "F"))
        if fault == "unknown_charged":
            return answers.build_pay_answer(Result("PAYMENT_IN_PROCESS", "U"))
        return answers.build_pay_answer(answers.OK, self._facts(known))

    def _inquire(self, body: bytes, fault: str) -> bytes:
        key = messages.parse_inquiry(body).payment_request_id or ""
        self.calls.append(("inquiry", key))
        known = self.payments.get(key)
        if fault == "unknown":
            return answers.build_inquiry_answer(answers.OK, Result("PAYMENT_IN_PROCESS", "U"))
        if known is None:
            return answers.build_inquiry_answer(Result("ORDER_NOT_EXIST", "F"))
        if known.cancelled:
            return answers.build_inquiry_answer(answers.OK, Result("ORDER_IS_CLOSED", "F"))
        return answers.build_inquiry_answer(answers.OK, answers.OK, self._facts(known))

    def _cancel(self, body: bytes, fault: str) -> bytes:
        key = messages.parse_cancel(body).payment_request_id or ""
        self.calls.append(("cancel", key))
        if fault == "unknown":
            return answers.build_command_answer(Result("UNKNOWN_EXCEPTION", "U"))
        known = self.payments.get(key)
        if known is None:
            return answers.build_command_answer(Result("ORDER_NOT_EXIST", "F"))
        known.cancelled = True
        return answers.build_command_answer(
            answers.OK, reference=known.payment_id, at=self.clock.now()
        )

    def _refund(self, body: bytes, fault: str) -> bytes:
        asked = messages.parse_refund(body)
        self.calls.append(("refund", asked.refund_request_id))
        self.bodies[asked.refund_request_id].add(body)
        known = self.payments.get(asked.payment_request_id)
        if fault == "unknown":
            return answers.build_command_answer(Result("UNKNOWN_EXCEPTION", "U"), refund=True)
        if known is None:
            return answers.build_command_answer(Result("ORDER_NOT_EXIST", "F"), refund=True)
        if fault == "REFUND_WINDOW_EXCEED":
            return answers.build_command_answer(Result(fault, "F"), refund=True)
        if fault.startswith("REFUND_"):
            return answers.build_command_answer(Result(fault, "F"), refund=True)
        if asked.refund_request_id not in self.refund_ids:
            back = known.refunded + asked.amount if known.refunded else asked.amount
            if back.minor > known.amount.minor:
                refused = Result("REFUND_AMOUNT_EXCEED", "F")
                return answers.build_command_answer(refused, refund=True)
            self.refund_ids.append(asked.refund_request_id)
            known.refunded = back
        return answers.build_command_answer(
            answers.OK, reference=f"r-{known.payment_id}", at=self.clock.now(), refund=True
        )

    def notification(self, request_id: str) -> bytes:
        """What the wallet would send us about a payment."""
        paid = self.payments[request_id]
        return messages.build_notification(
            messages.Notification(
                request_id, answers.OK, paid.payment_id, paid.amount, paid.paid_at
            )
        )
