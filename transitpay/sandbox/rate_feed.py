"""A live rate source of the sandbox: a minute feed that walks around the ECB's reference.

``python -m transitpay.sandbox.rate_feed --name a --port P --seed S`` answers
``GET /rates?base=HKD&quote=CNY`` with the mid of the current business minute as decimal text. The
walk is a pure function of seed, name and minute, so a restarted feed says what it said before.
"""

from __future__ import annotations

import hashlib
import zipfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import click
from aiohttp import web

from transitpay.clock import Clock, wallet_day
from transitpay.errors import MalformedInput
from transitpay.fx.ecb import parse_history
from transitpay.fx.rate import invert, quantise
from transitpay.money import CONTEXT
from transitpay.runtime.config import Settings

#: CNY for 1 HKD on 2026-10-30, to six decimals; used where there is no folder of public data.
BUILTIN_REFERENCE = Decimal("0.847967")
#: The walk is the sum of this many past minutes of small steps, so it stays near the reference.
_MEMORY_MINUTES = 240
_STEP = Decimal("0.0000060")


class Feed:
    """One source: ``mid`` is deterministic by (seed, name, minute)."""

    def __init__(self, name: str, seed: int, reference: Decimal) -> None:
        self.name = name
        self._seed = seed
        self._reference = reference

    def mid(self, minute: datetime) -> Decimal:
        """CNY for 1 HKD in this minute: the common walk and this source's own small error."""
        number = int(minute.timestamp()) // 60
        steps = sum(self._step("market", number - i) for i in range(_MEMORY_MINUTES))
        walk = CONTEXT.multiply(_STEP, Decimal(steps))
        own = CONTEXT.multiply(_STEP, Decimal(self._step(self.name, number)))
        return quantise(CONTEXT.add(CONTEXT.add(self._reference, walk), own))

    def _step(self, of: str, number: int) -> int:
        digest = hashlib.blake2b(f"{self._seed}:{of}:{number}".encode(), digest_size=4).digest()
        return int.from_bytes(digest, "big") % 21 - 10


_CLOCK: web.AppKey[Clock] = web.AppKey("clock")
_FEED: web.AppKey[Feed] = web.AppKey("feed")


def ecb_reference(data: Path | None, at: datetime) -> Decimal:
    """The newest ECB cross not after the day; the built-in figure without a data folder."""
    archive = None if data is None else data / "fx_ecb" / "eurofxref-hist.zip"
    if archive is None or not archive.is_file():
        return BUILTIN_REFERENCE
    with zipfile.ZipFile(archive) as members:
        text = members.read("eurofxref-hist.csv").decode("utf-8")
    # 120 days are more than any run of holidays; the whole history is not needed.
    recent = "\n".join(text.splitlines()[:120])
    known = [c for c in parse_history(recent).crosses if c.day <= wallet_day(at)]
    return known[-1].cny_per_hkd if known else BUILTIN_REFERENCE


def make_app(feed: Feed, clock: Clock) -> web.Application:
    """The feed as an application."""
    app = web.Application()
    app[_FEED] = feed
    app[_CLOCK] = clock
    app.add_routes([web.get("/rates", _rates), web.get("/healthz", _health)])
    return app


async def _health(request: web.Request) -> web.Response:
    return web.json_response({"ok": True})


async def _rates(request: web.Request) -> web.Response:
    feed, now = request.app[_FEED], request.app[_CLOCK].now()
    pair = (request.query.get("base", ""), request.query.get("quote", ""))
    if pair not in (("HKD", "CNY"), ("CNY", "HKD")):
        return web.json_response({"error": "pairs are HKD/CNY and CNY/HKD"}, status=404)
    minute = now - timedelta(seconds=now.second, microseconds=now.microsecond)
    mid = feed.mid(minute)
    return web.json_response(
        {
            "source": f"sandbox-{feed.name}",
            "base": pair[0],
            "quote": pair[1],
            "mid": format(mid if pair[0] == "HKD" else invert(mid), "f"),
            "observed_at": minute.astimezone(UTC).isoformat(),
        }
    )


@click.command()
@click.option("--name", required=True, help="The feed's name, such as a.")
@click.option("--port", type=click.IntRange(1, 65535), required=True, help="Port to listen on.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the walk.")
def main(name: str, port: int, seed: int) -> None:
    """Serve minute rates around the ECB reference of the day."""
    settings = Settings.from_environment()
    if settings.env != "sandbox":
        raise MalformedInput("bad_setting", "only in a sandbox", field="TRANSITPAY_ENV")
    clock = settings.clock()
    feed = Feed(name, seed, ecb_reference(settings.data, clock.now()))
    web.run_app(make_app(feed, clock), host="127.0.0.1", port=port, print=None, access_log=None)


if __name__ == "__main__":
    main()
