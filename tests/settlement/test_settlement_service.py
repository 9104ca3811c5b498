"""The service as a process: it clears and charges by itself and survives kill -9."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from day_seed import NOON, World, make_world
from scripted_wallet import ScriptedWallet, key_pair

from settlement.app import notify_url
from settlement.collecting.partners import partner_key_file
from settlement.loops import Pace, run_worker
from settlement.metrics import SettlementMetrics
from transitpay.clock import ScaledClock, SystemClock, service_day
from transitpay.errors import TemporarilyUnavailable
from transitpay.fares.highest import highest_fares
from transitpay.fares.tariff import MatrixFares
from transitpay.postgres import reference
from transitpay.postgres.reference import Actor, Role
from transitpay.runtime.builtin import builtin_book
from transitpay.runtime.config import Settings, child_environment
from transitpay.runtime.supervisor import free_port
from transitpay.runtime.tariff_versions import Recording, confirm_tariff, import_tariffs

NAME = "shenzhen-tong"


@dataclass(slots=True)
class Running:
    """A settlement process over one test's database, and the wallet it charges."""

    world: World
    wallet: ScriptedWallet
    settings: Settings
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "settlement", env=child_environment(self.settings),
            cwd=Path(__file__).parents[2], stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip

    async def stop(self, *, kill: bool = False) -> int:
        assert self.process is not None
        (self.process.kill if kill else self.process.terminate)()
        async with asyncio.timeout(60):
            return await self.process.wait()

    async def wait_for(self, sql: str, expected: Any) -> None:
        for _ in range(1200):
            if await self.world.one(sql) == expected:
                return
            await asyncio.sleep(0.05)
        pytest.fail(f"{sql} did not become {expected}")


@pytest.fixture
async def running(db: Any) -> AsyncIterator[Running]:
    clock = ScaledClock(NOON, SystemClock().now(), 1)
    settings = replace(
        db.settings, settlement_port=free_port(), inquire_every_s=1, inquire_for_s=20,
        clock_text=str(clock),
    )  # fmt: skip
    key_file = partner_key_file(settings.home, 1)
    key_file.parent.mkdir(parents=True)
    key_file.write_bytes(key_pair("ours")[0])
    wallet = ScriptedWallet(clock)
    await wallet.start()
    world = await make_world(db, base_urls={NAME: wallet.url})
    await world.owner.execute(
        "insert into partner_key (wallet, key_version, public_pem) values ($1, 1, $2)",
        NAME,
        key_pair("wallet")[1].decode(),
    )
    world.clock.at = NOON
    made = Running(world, wallet, settings)
    yield made
    if made.process is not None and made.process.returncode is None:
        await made.stop(kill=True)
    await wallet.stop()
    await world.check_books()


async def ride(it: Running, n: int) -> None:
    await it.world.enrol(f"{n:016x}")
    await it.world.ride(it.world.clock.at - timedelta(minutes=1), rider=f"{n:016x}")


CAPTURED = "select count(*) from charge where state = 'CAPTURED'"


async def test_it_clears_and_charges_by_itself_and_stops_in_peace(running: Running) -> None:
    await running.start()
    for n in range(5):
        await ride(running, n)
    await running.wait_for(CAPTURED, 5)
    base = f"http://127.0.0.1:{running.settings.settlement_port}"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{base}/healthz") as answer:
            assert answer.status == 200
        async with session.get(f"{base}/metrics") as answer:
            text = await answer.text()
    assert 'settlement_answers_total{effect="CAPTURED/CAPTURED",wallet="shenzhen-tong"} 5' in text
    assert await running.stop() == 0


async def test_it_tells_gateways_the_highest_fares_once(running: Running) -> None:
    await running.start()
    stored = "select count(*) from stop_fare"
    await running.wait_for(stored, len(highest_fares(builtin_book())))
    version = "select version from list_version where list = 'fares'"
    assert await running.stop() == 0
    told = await running.world.one(version)
    assert told > 1
    await running.start()
    await ride(running, 1)
    await running.wait_for(CAPTURED, 1)
    assert await running.stop() == 0
    assert await running.world.one(version) == told, "the same tariffs are no news"


async def test_a_tariff_that_is_imported_while_it_runs_prices_the_rides_before_and_after(
    running: Running,
) -> None:
    await running.start()
    await ride(running, 1)
    await running.wait_for(CAPTURED, 1)
    old = builtin_book().latest("mtr")
    assert isinstance(old.fares, MatrixFares)
    rows = tuple(tuple(minor + 100 for minor in row) for row in old.fares.rows)
    today = service_day(running.world.clock.at)
    new = replace(old, version="dearer", valid_from=today, fares=MatrixFares(old.fares.ids, rows))
    anna, otto = (Actor(name, name, Role.ADMIN) for name in ("anna", "otto"))
    for actor in (anna, otto):
        await reference.put_actor(running.world.owner, actor)
    async with running.world.owner.transaction():
        (waits,) = await import_tariffs(running.world.owner, [new], anna, running.world.clock.at)
    assert waits.what is Recording.WAITS
    await ride(running, 2)
    await running.wait_for(CAPTURED, 2)
    async with running.world.owner.transaction():
        await confirm_tariff(running.world.owner, "mtr", "dearer", otto, running.world.clock.at)
    await ride(running, 3)
    highest = "select max(highest_minor) from stop_fare where network = 'mtr' and valid_from = "
    await running.wait_for(f"{highest} '{today}'", 5320)
    fares = "select max(fare_minor) from journey where tariff_version = 'dearer' and rider_id = "
    await running.wait_for(f"{fares} '{3:016x}'", 5320)
    # Whoever rode before pays what the third rider pays, in one further charge each.
    captured = "select sum(amount_minor)::bigint from charge where state = 'CAPTURED'"
    await running.wait_for(captured, 3 * 4882)
    assert await running.world.one(CAPTURED) == 5
    assert await running.stop() == 0


async def test_killed_in_the_middle_of_payments_every_ride_is_debited_once(
    running: Running,
) -> None:
    running.wallet.script("pay", *["hang_after", "ok"] * 6)
    for n in range(12):
        await ride(running, n)
    await running.start()
    for _ in range(1000):
        if len(running.wallet.payments) >= 6:
            break
        await asyncio.sleep(0.02)
    assert await running.stop(kill=True) != 0
    # What the dead process had claimed is free when its lease runs out: here at once.
    await running.world.owner.execute("update charge set lease_until = null")
    await running.start()
    await running.wait_for(CAPTURED, 12)
    assert await running.stop() == 0
    assert sum(running.wallet.debits.values()) == 12
    assert await running.world.balance(f"wallet_receivable:{NAME}") == 12 * 4791


async def test_a_lost_connection_ends_nothing(running: Running) -> None:
    await running.start()
    await ride(running, 1)
    await running.wait_for(CAPTURED, 1)
    await running.world.owner.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where usename = 'transitpay_settlement' and datname = current_database()"
    )
    await ride(running, 2)
    await running.wait_for(CAPTURED, 2)
    assert await running.stop() == 0


async def test_a_worker_that_fails_goes_on_and_the_database_may_be_away() -> None:
    stop, metrics, calls = asyncio.Event(), SettlementMetrics(), []
    errors: list[Callable[[], BaseException]] = [
        lambda: TemporarilyUnavailable("database_unavailable", "away"),
        lambda: ZeroDivisionError(),
    ]

    async def once() -> int:
        calls.append(1)
        if errors:
            raise errors.pop(0)()
        stop.set()
        return 1

    async with asyncio.timeout(30):
        await run_worker("test", once, stop, metrics, Pace(least_s=0.001, away_s=0.01))
    assert len(calls) == 3 and metrics.failures.value(worker="test") == 1


def test_wallets_notify_the_gateway_unless_another_address_is_set(tmp_path: Path) -> None:
    plain = Settings(home=tmp_path)
    assert notify_url(plain) == "http://127.0.0.1:8440/aps/api/v1/payments/notifyPayment"
    assert notify_url(replace(plain, notify_url="https://x/y")) == "https://x/y"
