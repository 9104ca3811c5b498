"""Tells the partner of each successful payment, again and again until its ack is signed.

Source: the published partner protocol; a notification without a believable ack is sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from urllib.parse import urlsplit

import aiohttp

from transitpay.charging.partner_answers import OK, PaymentFacts, parse_notification_answer
from transitpay.charging.partner_messages import Notification, build_notification
from transitpay.charging.signature import Believed, verify_response
from transitpay.charging.wallet_port import WalletQuote
from transitpay.clock import Clock
from transitpay.errors import MalformedInput
from transitpay.money import Money, currency
from transitpay.sandbox.wallet.accounts import Book, Payment
from transitpay.sandbox.wallet.config import WalletKeys

#: Seconds of the machine between two tries; the last one is repeated.
_PAUSES_S: Sequence[float] = (0.2, 0.5, 1.0, 2.0, 3.0)
_TIMEOUT_S = 5.0
_SENDERS = 8


def facts_of(payment: Payment, home_currency: str) -> PaymentFacts:
    """What the wallet tells of a payment, in an answer or a notification."""
    unit = currency(payment.currency)
    amount = Money(payment.amount_minor, unit)
    quote = None
    if payment.currency != home_currency and payment.paid_at is not None:
        quote = WalletQuote(
            f"Q{payment.payment_id}",
            unit,
            currency(home_currency),
            Decimal(payment.rate),
            start_at=payment.paid_at,
            guaranteed=True,
        )
    return PaymentFacts(
        payment.payment_id, payment.paid_at, amount, f"C{payment.account}", amount, quote
    )


class Notices:
    """A queue of notifications with a few senders."""

    def __init__(
        self, book: Book, keys: WalletKeys, clock: Clock, session: aiohttp.ClientSession
    ) -> None:
        self._book = book
        self._keys = keys
        self._clock = clock
        self._session = session
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._tries: dict[str, int] = {}

    def add(self, payment: Payment) -> None:
        """Tell of this payment soon."""
        self._queue.put_nowait(payment.request_id)

    async def run(self) -> None:
        """Send until cancelled; what a killed wallet had not told is told first."""
        for payment in self._book.unacknowledged():
            self.add(payment)
        async with asyncio.TaskGroup() as group:
            for _ in range(_SENDERS):
                group.create_task(self._send_all())

    async def send_once(self, payment: Payment) -> bool:
        """One try; true when the partner signed for it."""
        body = build_notification(_notice(payment, self._book.home_currency))
        target = urlsplit(payment.notify_url).path
        headers = self._keys.signer.request_headers("POST", target, body, self._clock.now())
        headers["Content-Type"] = "application/json"
        limit = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        with suppress(aiohttp.ClientError, TimeoutError, MalformedInput):
            async with self._session.post(
                payment.notify_url, data=body, headers=headers, timeout=limit
            ) as answer:
                said = await answer.read()
                signed = list(answer.headers.items())
                believed = verify_response("POST", target, signed, said, self._keys.partner)
                if isinstance(believed, Believed) and parse_notification_answer(said).status == "S":
                    self._book.acknowledge(payment.request_id)
                    return True
        return False

    async def _send_all(self) -> None:
        while True:
            request_id = await self._queue.get()
            payment = self._book.payments[request_id]
            if payment.acknowledged or await self.send_once(payment):
                continue
            tries = self._tries[request_id] = self._tries.get(request_id, 0) + 1
            pause_s = _PAUSES_S[min(tries, len(_PAUSES_S)) - 1]
            asyncio.get_running_loop().call_later(pause_s, self._queue.put_nowait, request_id)


def _notice(payment: Payment, home_currency: str) -> Notification:
    facts = facts_of(payment, home_currency)
    return Notification(
        payment.request_id,
        OK,
        facts.payment_id,
        facts.amount,
        facts.paid_at,
        facts.customer_id,
        facts.settlement,
        facts.quote,
    )
