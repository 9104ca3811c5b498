"""The database goes away: gates are told quickly, and all goes on when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
from aiohttp.test_utils import TestClient, TestServer
from gateway_world import AT, World

from gateway.app import build_app


async def kill_connections(world: World) -> None:
    conn = await world.db.connect()
    await conn.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and application_name = 'transitpay-gateway'"
    )


@asynccontextmanager
async def away(world: World) -> AsyncIterator[None]:
    """The database cannot be reached under its name while the block runs."""
    name = world.db.name
    await world.db._closing.aclose()
    admin = await asyncpg.connect(world.db.server.dsn(database="postgres"))

    async def rename(old: str, new: str) -> None:
        for _ in range(500):
            await admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", old
            )
            with suppress(asyncpg.ObjectInUseError):
                await admin.execute(f"alter database {old} rename to {new}")
                return
            await asyncio.sleep(0.01)
        raise AssertionError("somebody always holds the database")

    try:
        await rename(name, f"{name}_away")
        try:
            yield
        finally:
            await rename(f"{name}_away", name)
    finally:
        await admin.close()


async def until_healthy(client: TestClient[Any, Any]) -> None:
    for _ in range(400):
        async with client.get("/healthz") as answer:
            if answer.status == 200:
                return
        await asyncio.sleep(0.05)
    raise AssertionError("the gateway did not recover")


async def test_killed_connections_cost_no_answer(world: World) -> None:
    client = await world.start()
    await world.tap(client, "mtr-in-1", world.scan("mtr-in-1", world.phone().draw(AT)))
    for _ in range(5):
        await kill_connections(world)
        body = world.scan("mtr-in-1", world.phone().draw(AT))
        assert (await world.tap(client, "mtr-in-1", body))["open"] is True


async def test_killed_connections_cost_no_answer_to_whom_nobody_remembers(world: World) -> None:
    """Each of these tokens is looked up on a connection that is dead, or dying."""
    client = await world.start()
    await world.tap(client, "mtr-in-1", world.scan("mtr-in-1", world.phone().draw(AT)))
    for reader in ("mtr-in-2", "kmb-bus-1", "mtr-out-1"):
        await kill_connections(world)
        body = world.scan(reader, world.phone().draw(AT))
        assert (await world.tap(client, reader, body))["open"] is True


async def test_connections_killed_under_load_lose_nothing_that_was_answered(world: World) -> None:
    client = await world.start()
    answered: list[int] = []

    async def ride(n: int) -> None:
        body = world.scan("mtr-in-1", world.phone().draw(AT))
        for _ in range(500):
            async with client.post("/v1/taps", json=body, headers=world.auth("mtr-in-1")) as answer:
                found: dict[str, Any] = await answer.json()
                if answer.status == 200:
                    assert found["open"] is True
                    answered.append(body["sequence"])
                    return
                assert answer.status == 503
            await asyncio.sleep(0.02)
        raise AssertionError("never answered")

    riders = [asyncio.create_task(ride(n)) for n in range(60)]
    for _ in range(3):
        await asyncio.sleep(0.03)
        await kill_connections(world)
    await asyncio.gather(*riders)
    rows = await world.rows("select sequence from tap where decision = 'accepted'")
    assert sorted(row["sequence"] for row in rows) == sorted(answered)
    assert await world.value("select count(*) from code_use") == 60


async def test_a_database_that_is_away_is_a_quick_503_and_comes_back(world: World) -> None:
    client = await world.start()
    body = world.scan("mtr-in-1", world.phone().draw(AT))
    await world.tap(client, "mtr-in-1", world.scan("mtr-in-1", "not a code"))
    async with away(world):
        started = asyncio.get_running_loop().time()
        problem = await world.tap(client, "mtr-in-1", body, status=503)
        assert asyncio.get_running_loop().time() - started < 4
        assert problem["code"] in ("database_unavailable", "temporarily_unavailable")
        async with client.get("/healthz") as answer:
            assert answer.status == 503
        async with client.get("/metrics") as answer:
            assert answer.status == 200
    await until_healthy(client)
    assert (await world.tap(client, "mtr-in-1", body))["open"] is True


async def test_a_gateway_started_without_its_database_waits_for_it(world: World) -> None:
    client: TestClient[Any, Any] = TestClient(TestServer(build_app(world.settings, world.clock)))
    world.clients.append(client)
    async with away(world):
        await client.start_server()
        async with client.get("/healthz") as answer:
            assert answer.status == 503
    await until_healthy(client)
    body = world.scan("mtr-in-1", world.phone().draw(AT))
    assert (await world.tap(client, "mtr-in-1", body))["open"] is True


async def test_a_frozen_group_answers_503_in_time_and_a_full_queue_at_once(world: World) -> None:
    client = await world.start()
    conn = await world.db.connect()
    async with conn.transaction():
        await conn.execute("lock table presence in access exclusive mode")
        bodies = [world.scan("mtr-in-1", world.phone().draw(AT)) for _ in range(5)]
        started = asyncio.get_running_loop().time()
        answers = await asyncio.gather(
            *(world.tap(client, "mtr-in-1", body, status=503) for body in bodies)
        )
        assert asyncio.get_running_loop().time() - started < 4
    assert {a["code"] for a in answers} <= {"temporarily_unavailable", "database_unavailable"}
    for body in bodies:
        assert (await world.tap(client, "mtr-in-1", body))["open"] is True
