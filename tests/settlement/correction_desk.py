"""Taps, clearing and collecting for the tests of corrections; books are checked each time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from day_seed import NOON, World
from test_refunds import TERMS, Office, office

from settlement.clearing.clear_taps import Clearer
from settlement.closing.close_day import close_day
from settlement.collecting.charge_wallets import ChargeWorker
from settlement.collecting.refunds import RefundWorker
from transitpay.cli.ledger import check_books
from transitpay.clock import day_start
from transitpay.fares.highest import highest_fares
from transitpay.journeys.station_modes import Mode, StationMode
from transitpay.postgres.gates.stop_fares import put_stop_fares
from transitpay.postgres.reference import Participant, put_participant
from transitpay.runtime.builtin import builtin_book
from transitpay.runtime.station_modes import record_mode

__all__ = ["office"]  # the fixture

HOUR = timedelta(hours=1)
WALLET = "shenzhen-tong"
RIDER = "00000000000000aa"
LIMIT = timedelta(minutes=150)
LATER = Decimal("0.9100000000")  #: the mid from 14:00 on


@dataclass(slots=True)
class Desk:
    """An office whose books and wallet are checked after each step."""

    office: Office

    @property
    def world(self) -> World:
        return self.office.world

    async def tap(self, direction: str, stop: str, at: datetime, **more: Any) -> None:
        await self.world.tap(direction, stop, at, **more)

    async def clear(self, at: datetime | None = None) -> None:
        """Read whoever is due, now or at a later instant."""
        if at is not None:
            self.world.clock.at = at
        await Clearer(self.world.pool, builtin_book(), self.world.clock).once()
        await self.check()

    async def collect(self) -> None:
        """Ask the wallets until nothing is due, for charges and then for refunds."""
        it = self.office
        for wallet in (WALLET, "alipayhk"):
            charging = ChargeWorker(wallet, it.client, it.world.pool, it.world.clock, TERMS)
            while await charging.once():
                pass
            refunding = RefundWorker(wallet, it.client, it.world.pool, it.world.clock, TERMS)
            while await refunding.once():
                pass
        await self.check()

    async def silence(self, hours: int = 30) -> None:
        """All readers of MTR have reported; whoever waited for a tap waits no more."""
        await self.world.publish(NOON + 2 * HOUR, 240, LATER)
        at = NOON + hours * HOUR
        await self.world.heard_through(at)
        await self.clear(at + HOUR)

    async def standing(self) -> list[tuple[Any, ...]]:
        rows = await self.world.owner.fetch(
            "select revision, entry_stop, exit_stop, reason, fare_minor from journey"
            " where ended_at is null order by coalesce(entry_at, exit_at), id"
        )
        return [tuple(row) for row in rows]

    async def paid(self) -> int:
        """What the rider has paid, in the wallet's currency, less what went back."""
        return int(
            await self.world.one(
                "select coalesce(sum(minor), 0) from ("
                " select amount_minor as minor from charge where state = 'CAPTURED'"
                " union all select -amount_minor from refund where state = 'REFUNDED') m"
            )
        )

    async def moved(self) -> tuple[int, int]:
        """How many payments and refunds the wallet has seen."""
        return len(self.office.wallet.payments), len(self.office.wallet.refund_ids)

    async def check(self) -> None:
        """The books are whole, and what is paid or due is what the standing journeys cost."""
        async with self.world.owner.transaction():
            assert (await check_books(self.world.owner))["problems"] == []
        rows = await self.world.owner.fetch(
            "select sum(minor) as off, currency from ("
            " select amount_minor as minor, currency from charge"
            "   where state in ('DUE', 'IN_FLIGHT', 'ARREARS', 'CAPTURED')"
            " union all select -amount_minor, currency from refund where state <> 'REFUSED'"
            " union all select -charge_minor, charge_currency from journey where ended_at is null"
            ") m where currency is not null group by currency having sum(minor) <> 0"
        )
        assert [tuple(row) for row in rows] == []
        loose = await self.world.owner.fetch(
            "select j.id from journey j left join charge_part p on p.journey_id = j.id"
            " where j.charge_minor is not null group by j.id"
            " having coalesce(sum(p.amount_minor), 0)"
            " <> case when j.ended_at is null then j.charge_minor else 0 end"
        )
        assert [tuple(row) for row in loose] == []


@pytest.fixture
async def desk(office: Office) -> AsyncIterator[Desk]:
    yield Desk(office)


async def entered(desk: Desk) -> None:
    """A rider who entered at noon is charged as one who never left."""
    await desk.tap("entry", "2", NOON)
    await desk.silence()
    assert await desk.standing() == [(1, "2", None, "missing_exit", 6080)]


async def take_part(desk: Desk, *networks: str) -> None:
    for network in networks:
        await put_participant(desk.world.owner, Participant(network, "operator", network, "CNY"))


async def board(desk: Desk, network: str, at: datetime, **more: Any) -> None:
    route, wallet = {
        "shenzhen-bus": ("22路", WALLET),
        "guangzhou-bus": ("1路", "alipayhk"),
    }[network]
    await desk.tap("board", route, at, network=network, route=route, wallet=wallet, **more)


async def close(desk: Desk, day: date) -> dict[tuple[str, str], int]:
    """Close a day; the net positions by participant and currency, without those of zero."""
    conn = await desk.world.pool.acquire()
    try:
        await close_day(conn, day, day_start(day + timedelta(days=1), 0, 30))
    finally:
        await desk.world.pool.release(conn)
    rows = await desk.world.owner.fetch(
        "select participant, currency, amount_minor from net_position"
        " where day = $1 and amount_minor <> 0",
        day,
    )
    await desk.check()
    return {(r["participant"], r["currency"]): r["amount_minor"] for r in rows}


async def declare(desk: Desk, mode: str, *, stop: str | None, at: datetime, **more: Any) -> None:
    wish = StationMode(
        0, "mtr", more.pop("request", "m1"), "mtr", stop, Mode(mode), at,
        more.pop("until", at + 3 * HOUR), "test", more.pop("replaces", None), "mtr-entry",
        desk.world.clock.at,
    )  # fmt: skip
    async with desk.world.owner.transaction():
        await put_stop_fares(desk.world.owner, highest_fares(builtin_book()), NOON)
        await record_mode(desk.world.owner, wish)
