"""Speaks the signed partner protocol with one wallet over HTTP: the wallet port of settlement.

Whatever goes wrong on the way is ``Unknown``: no answer in time, a status other than 200, a
signature that is not the wallet's, text that cannot be read. Nothing here raises for that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

import aiohttp

from transitpay.charging.partner_answers import (
    parse_cancel_answer,
    parse_inquiry_answer,
    parse_pay_answer,
    parse_refund_answer,
)
from transitpay.charging.partner_messages import (
    CANCEL_PATH,
    INQUIRY_PATH,
    PAY_PATH,
    REFUND_PATH,
)
from transitpay.charging.signature import KeyRing, NotBelieved, Signer, verify_response
from transitpay.charging.wallet_port import CommandOutcome, PaymentOutcome, Unknown
from transitpay.clock import Clock
from transitpay.errors import MalformedInput

_T = TypeVar("_T")
#: An answer is about one kilobyte; what is longer is not read.
ANSWER_LIMIT = 65_536


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Real seconds that an answer may take. Source: the published partner protocol."""

    command_s: float = 8.0
    inquiry_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Partner:
    """A wallet's address, what we sign with, and the keys by which it is believed."""

    wallet: str
    base_url: str
    signer: Signer
    keys: KeyRing


class WalletClient:
    """One wallet; ``partner`` may be replaced at any time (a key is rotated, an address moves)."""

    def __init__(
        self,
        partner: Partner,
        session: aiohttp.ClientSession,
        clock: Clock,
        limits: TimeLimits | None = None,
    ) -> None:
        self.partner = partner
        self._session = session
        self._clock = clock
        self._limits = limits or TimeLimits()

    async def pay(self, body: bytes) -> PaymentOutcome:
        return await self._call(PAY_PATH, body, self._limits.command_s, parse_pay_answer)

    async def inquire(self, body: bytes) -> PaymentOutcome:
        return await self._call(INQUIRY_PATH, body, self._limits.inquiry_s, parse_inquiry_answer)

    async def cancel(self, body: bytes) -> CommandOutcome:
        return await self._call(CANCEL_PATH, body, self._limits.command_s, parse_cancel_answer)

    async def refund(self, body: bytes) -> CommandOutcome:
        return await self._call(REFUND_PATH, body, self._limits.command_s, parse_refund_answer)

    async def _call(
        self, path: str, body: bytes, limit_s: float, parse: Callable[[bytes], _T]
    ) -> _T | Unknown:
        partner = self.partner
        url = partner.base_url.rstrip("/") + path
        target = urlsplit(url).path
        headers = partner.signer.request_headers("POST", target, body, self._clock.now())
        headers["Content-Type"] = "application/json; charset=UTF-8"
        try:
            async with (
                asyncio.timeout(limit_s),
                self._session.post(
                    url, data=body, headers=headers, allow_redirects=False
                ) as response,
            ):
                status = response.status
                raw = await response.content.read(ANSWER_LIMIT)
                while len(raw) < ANSWER_LIMIT and not response.content.at_eof():
                    raw += await response.content.read(ANSWER_LIMIT - len(raw))
                told = [(name, value) for name, value in response.headers.items()]
        except TimeoutError:
            return Unknown("timeout")
        except (aiohttp.ClientError, OSError):
            return Unknown("no_connection")
        if status != 200:
            return Unknown(f"http_{status}")
        believed = verify_response("POST", target, told, raw, partner.keys)
        if isinstance(believed, NotBelieved):
            return Unknown("bad_signature")
        try:
            return parse(raw)
        except MalformedInput:
            return Unknown("unreadable")
