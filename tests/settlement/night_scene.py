"""One database, its wallets and their files: what every test of a night starts from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from file_wallet import FileWallets, lay_keys
from night_seed import (
    DAY,
    FILES_AT,
    Ride,
    ride,
    take_part,
)

from settlement.nightly import NightResult, run_night
from transitpay.ledger.balances import is_balanced
from transitpay.postgres.money.journal import balances

ROLE = "transitpay_settlement"
NEXT = DAY + timedelta(days=1)


@dataclass
class Scene:
    """One database, its wallets, and the rides that every test starts from."""

    db: Any
    conn: Any
    wallets: FileWallets

    async def night(self, at: Any = FILES_AT, day: Any = DAY, **more: Any) -> NightResult:
        return await run_night(self.db.settings, day, at, **more)

    async def rides(self, wallet: str, number: int = 12) -> list[Ride]:
        made = [
            Ride(f"{wallet}{n}", wallet, ("mtr", "shenzhen-metro")[n % 2], 1000 + 10 * n)
            for n in range(number)
        ]
        for it in made:
            await ride(self.conn, it)
        return made

    async def breaks(self, day: Any = DAY) -> list[str]:
        rows = await self.conn.fetch(
            "select b.* from recon_break b join recon_run r on r.id = b.run_id"
            " where r.day = $1 and r.revision = (select max(revision) from recon_run x"
            " where x.wallet = r.wallet and x.day = r.day) order by 1, 2",
            day,
        )
        return sorted(f"{r['kind']} {r['state']} {r['request_id']}" for r in rows)

    async def held(self) -> dict[str, int]:
        found = await balances(self.conn)
        assert is_balanced(found)
        return {f"{name} {unit}": amount.minor for (name, unit), amount in found.items()}

    async def steps(self, day: Any = DAY) -> dict[str, str]:
        rows = await self.conn.fetch("select * from night_step where day = $1", day)
        return {f"{r['step']} {r['participant']}": r["state"] for r in rows}


@pytest.fixture
async def scene(db: Any) -> AsyncIterator[Scene]:
    async with FileWallets(db.settings.home) as wallets:
        owner = await db.connect()
        await take_part(owner, wallets.url)
        await lay_keys(owner, db.settings.home)
        yield Scene(db, await db.connect(ROLE), wallets)
