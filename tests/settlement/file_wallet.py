"""Wallets that serve files of a day over real HTTP: signed listings, bytes under a digest.

The files are written by the sandbox's writer, which shares no code with who reads them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiohttp import web
from night_seed import LAYOUTS, WALLETS, Ride
from scripted_wallet import key_pair

from transitpay.charging.signature import (
    Believed,
    Signer,
    load_private_key,
    load_public_key,
    verify_request,
)
from transitpay.clock import SystemClock
from transitpay.sandbox.plan import FileRow, PlannedBreak, fee_of, plant
from transitpay.sandbox.wallet.files import FileTerms, WalletFile, ready_at, write

RATE = "0.84796700"
FEE = Decimal("0.006")


def paid_row(it: Ride) -> FileRow:
    """A captured ride as its wallet lists it."""
    amount, code = it.charge.minor, it.charge.currency.code
    fee = fee_of(amount, code, FEE)
    rate = RATE if (it.wallet, code) == ("alipay", "HKD") else "1.00000000"
    debit = int((Decimal(amount) * Decimal(rate)).quantize(Decimal(1)))
    return FileRow(
        it.request_id, "", f"W-{it.request_id}", "PAYMENT", amount, fee, code, it.at, rate, debit
    )


def back_row(it: Ride, at: datetime, kind: str = "REFUND") -> FileRow:
    """The refund (or CANCEL) of a captured ride."""
    paid = paid_row(it)
    own = f"{it.id}-r1" if kind == "REFUND" else it.request_id
    fee = 0 if kind == "REFUND" else -paid.fee_minor
    return FileRow(
        own, it.request_id, f"R-{own}", kind, paid.amount_minor, fee, paid.currency, at,
        paid.rate, paid.debit_minor,
    )  # fmt: skip


def part_row(it: Ride, number: int, minor: int, at: datetime) -> FileRow:
    """The refund of this number, of a part of a captured ride."""
    paid = paid_row(it)
    own = f"{it.id}-r{number}"
    debit = int((Decimal(minor) * Decimal(paid.rate)).quantize(Decimal(1)))
    return FileRow(
        own, it.request_id, f"R-{own}", "REFUND", minor, 0, paid.currency, at, paid.rate, debit
    )


@dataclass
class FileWallets:
    """All wallets behind one address; ``files`` by (wallet, day), absent = nothing happened."""

    home: Path
    files: dict[tuple[str, date], tuple[WalletFile, ...]] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    ready: bool = True
    url: str = ""
    _runner: Any = None

    def serve(
        self,
        wallet: str,
        day: date,
        rows: Iterable[FileRow],
        *breaks: PlannedBreak,
    ) -> None:
        """Write the files of a day, with planted breaks; an id never ours is one more row."""
        kept = list(rows)
        extra = [b.request_id for b in breaks if b.kind == "missing_internal"]
        kept += [replace(kept[0], request_id=i, wallet_id=f"X-{i}") for i in extra]
        others = [b for b in breaks if b.kind != "missing_internal"]
        planted = plant(kept, others, FEE)
        self.files[wallet, day] = write(planted, day, terms(wallet))

    def alter(self, wallet: str, day: date, kind: str, change: Any) -> None:
        """Change the bytes of the first file of a kind; its digest is that of the new bytes."""
        kept = list(self.files[wallet, day])
        at = next(n for n, f in enumerate(kept) if f.kind == kind)
        kept[at] = WalletFile(kept[at].name, kind, change(kept[at].content))
        self.files[wallet, day] = tuple(kept)

    async def __aenter__(self) -> FileWallets:
        app = web.Application()
        app.add_routes(
            [
                web.get("/{wallet}/files/{day}", self._list),
                web.get("/{wallet}/files/{day}/{name}", self._one),
            ]
        )
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def _of(self, request: web.Request) -> tuple[WalletFile, ...]:
        wallet, day = request.match_info["wallet"], date.fromisoformat(request.match_info["day"])
        ring = {"TRANSITPAY": {1: load_public_key(key_pair("ours")[1])}}
        headers = [(name, value) for name, value in request.headers.items()]
        now = SystemClock().now()
        assert isinstance(verify_request("GET", request.path, headers, b"", ring, now), Believed)
        self.asked.append(request.path)
        if wallet in self.down:
            raise web.HTTPServiceUnavailable
        if (wallet, day) not in self.files:
            self.serve(wallet, day, [])
        return self.files[wallet, day]

    async def _list(self, request: web.Request) -> web.Response:
        files = [f.entry() for f in self._of(request)] if self.ready else []
        body = json.dumps({"files": files, "ready": self.ready}).encode()
        wallet = request.match_info["wallet"]
        signer = Signer(f"W-{wallet}", 1, load_private_key(key_pair(wallet)[0]))
        headers = signer.response_headers("GET", request.path, body, SystemClock().now())
        return web.Response(body=body, headers=headers)

    async def _one(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return web.Response(body=next(f.content for f in self._of(request) if f.name == name))


def terms(wallet: str) -> FileTerms:
    """How a wallet writes its files."""
    return FileTerms(wallet, LAYOUTS[wallet], "TRANSITPAY", WALLETS[wallet], FEE, 1, 0)


async def lay_keys(conn: Any, home: Path) -> None:
    """Our private key in the home, the wallets' public keys in the database."""
    (home / "keys").mkdir(parents=True)
    (home / "keys" / "partner-1.pem").write_bytes(key_pair("ours")[0])
    for wallet in WALLETS:
        await conn.execute(
            "insert into partner_key (wallet, key_version, public_pem) values ($1, 1, $2)",
            wallet,
            key_pair(wallet)[1].decode(),
        )


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


__all__ = [
    "FileWallets",
    "back_row",
    "part_row",
    "digest_of",
    "lay_keys",
    "paid_row",
    "ready_at",
    "terms",
]
