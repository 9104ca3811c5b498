"""Asks live rate sources for their rate; what a source says is read strictly or not at all.

A feed answers ``GET <address>/rates?base=HKD&quote=CNY`` with
``{"source", "base", "quote", "mid" (decimal text), "observed_at" (ISO 8601 with an offset)}``.
An error page under status 200, a number instead of text or another pair is no observation.
"""

from __future__ import annotations

import asyncio
import json
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import aiohttp

from transitpay.clock import Clock, wallet_day
from transitpay.errors import MalformedInput
from transitpay.fx.ecb import parse_history
from transitpay.fx.rate import Observation, parse_rate
from transitpay.money import Currency

#: CNY for 1 HKD: the ECB's cross of 2026-10-30 (7.4326 / 8.7652), to six decimals.
BUILTIN_ANCHOR = Decimal("0.847967")
_LIMIT = 4096
_TIME_LIMIT_S = 2.0
#: Rows at the top of the ECB's history that are read: more than any run of holidays.
_ECB_ROWS = 120


class RateFeed:
    """One source by its address. ``problem`` says why the last answer was none."""

    def __init__(self, address: str, session: aiohttp.ClientSession, clock: Clock) -> None:
        self.address = address
        self.problem: str | None = None
        self._session = session
        self._clock = clock

    async def ask(self, base: Currency, quote: Currency) -> Observation | None:
        """What the source says now; None with ``problem`` set when it says nothing readable."""
        pair = {"base": base.code, "quote": quote.code}
        try:
            async with (
                asyncio.timeout(_TIME_LIMIT_S),
                self._session.get(f"{self.address}/rates", params=pair) as response,
            ):
                raw = await response.content.read(_LIMIT)
                while len(raw) < _LIMIT and not response.content.at_eof():
                    raw += await response.content.read(_LIMIT - len(raw))
                status = response.status
        except TimeoutError:
            self.problem = "timeout"
            return None
        except (aiohttp.ClientError, OSError) as problem:
            self.problem = type(problem).__name__
            return None
        if status != 200:
            self.problem = f"http_{status}"
            return None
        try:
            found = read_observation(raw, base, quote, self._clock.now())
        except MalformedInput as problem:
            self.problem = str(problem)
            return None
        self.problem = None
        return found


def read_observation(
    raw: bytes, base: Currency, quote: Currency, fetched_at: datetime
) -> Observation:
    """A feed's answer as an observation.

    Raises: MalformedInput (``bad_feed``, ``bad_rate``) naming the field.
    """
    try:
        fields = json.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise MalformedInput("bad_feed", "the answer is not JSON") from None
    if not isinstance(fields, dict):
        raise MalformedInput("bad_feed", "the answer is not an object")
    texts: dict[str, str] = {}
    for name in ("source", "base", "quote", "mid", "observed_at"):
        value = fields.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= 64 or not value.isprintable():
            raise MalformedInput("bad_feed", "is not a short text", field=name)
        texts[name] = value
    if (texts["base"], texts["quote"]) != (base.code, quote.code):
        raise MalformedInput("bad_feed", "is another pair", field="base")
    try:
        observed_at = datetime.fromisoformat(texts["observed_at"])
        if observed_at.tzinfo is None:
            raise ValueError
        observed_at = observed_at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise MalformedInput(
            "bad_feed", "is no instant with an offset", field="observed_at"
        ) from None
    mid = parse_rate(texts["mid"], field="mid")
    return Observation(base, quote, mid, texts["source"], observed_at, fetched_at)


def ecb_anchor(data: Path | None, at: datetime) -> Decimal:
    """The newest ECB cross not after the day of ``at``; the built-in one without the file.

    The anchor judges only the very first rate and never prices anything.
    """
    archive = None if data is None else data / "fx_ecb" / "eurofxref-hist.zip"
    if archive is None or not archive.is_file():
        return BUILTIN_ANCHOR
    with zipfile.ZipFile(archive) as members:
        text = members.read("eurofxref-hist.csv").decode("utf-8")
    top = "\n".join(text.splitlines()[:_ECB_ROWS])
    known = [it for it in parse_history(top).crosses if it.day <= wallet_day(at)]
    return known[-1].cny_per_hkd if known else BUILTIN_ANCHOR
