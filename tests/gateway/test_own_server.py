"""Gateways as processes over a server that is stopped, killed and frozen: nothing twice or lost."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from gateway_world import AT, World
from own_server import OwnServer, gateway_process, own_world

#: An answer without waiting for anything, on a machine that is busy with other things.
AT_ONCE_S = 1.0  # a call that waits for the database waits for 2 or 3
ROUNDS = 40


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with own_world(tmp_path / "home", AT) as made:
        yield made


def server(world: World) -> OwnServer:
    assert isinstance(world.db, OwnServer)
    return world.db


async def refused(world: World, client: TestClient[Any, Any], body: dict[str, Any]) -> float:
    """A tap that is told 503; how long it took, in seconds."""
    begun = asyncio.get_running_loop().time()
    problem = await world.tap(client, "mtr-in-1", body, status=503)
    assert problem["code"] == "database_unavailable"
    return asyncio.get_running_loop().time() - begun


async def until_back(client: TestClient[Any, Any]) -> None:
    for _ in range(400):
        async with client.get("/healthz") as answer:
            if answer.status == 200:
                return
        await asyncio.sleep(0.05)
    raise AssertionError("the gateway did not find its database again")


async def test_case_02_one_code_at_two_processes_in_the_same_moment_opens_one(
    tmp_path: Path,
) -> None:
    async with (
        own_world(tmp_path / "home") as world,
        gateway_process(world) as one,
        gateway_process(world) as two,
    ):
        for n in range(ROUNDS):
            now = datetime.now(UTC)
            code = world.phone().draw(now)
            second = ("mtr-in-2", "kmb-bus-1")[n % 2]
            answers = await asyncio.gather(
                one.tap(world, "mtr-in-1", world.scan("mtr-in-1", code, at=now)),
                two.tap(world, second, world.scan(second, code, at=now)),
            )
            assert sorted(a["open"] for a in answers) == [False, True]
            assert {a["reason"] for a in answers} == {None, "replay"}
        taps = "select count(*) from tap where decision = $1"
        assert await world.value(taps, "accepted") == await world.value(taps, "refused") == ROUNDS
        assert await world.value("select count(*) from code_use") == ROUNDS


async def test_case_06_a_used_code_stays_used_when_gateway_and_database_start_again(
    tmp_path: Path,
) -> None:
    async with own_world(tmp_path / "home") as world:
        async with gateway_process(world) as gateway:
            now = datetime.now(UTC)
            code = world.phone(code_life_s=600).draw(now)
            body = world.scan("mtr-in-1", code, at=now)
            first = await gateway.tap(world, "mtr-in-1", body)
            assert first["open"] is True
            os.kill(gateway.process.pid, signal.SIGKILL)
            server(world).kill()
        await asyncio.to_thread(server(world).server.start)
        async with gateway_process(world) as gateway:
            again = world.scan("mtr-in-2", code, at=datetime.now(UTC))
            replayed = await gateway.tap(world, "mtr-in-2", again)
            assert (replayed["open"], replayed["reason"]) == (False, "replay")
            assert await gateway.tap(world, "mtr-in-1", body) == first


async def test_a_stopped_database_is_told_at_once_and_the_probe_finds_it_again(
    world: World,
) -> None:
    client = await world.start()
    await world.tap(client, "mtr-in-1", world.scan("mtr-in-1", world.phone().draw(AT)))
    await asyncio.to_thread(server(world).server.stop)
    bodies = [world.scan("mtr-in-1", world.phone().draw(AT)) for _ in range(6)]
    took = [await refused(world, client, body) for body in bodies]
    assert took[0] < 4 and max(took[1:]) < AT_ONCE_S
    await asyncio.sleep(5.2)  # a token is remembered for five seconds
    assert await refused(world, client, bodies[0]) < AT_ONCE_S
    await asyncio.to_thread(server(world).server.start)
    await until_back(client)
    for body in bodies:
        assert (await world.tap(client, "mtr-in-1", body))["open"] is True


async def test_a_frozen_database_costs_one_short_wait_and_is_one_tap_later(world: World) -> None:
    client = await world.start()
    await world.tap(client, "mtr-in-1", world.scan("mtr-in-1", world.phone().draw(AT)))
    bodies = [world.scan("mtr-in-1", world.phone().draw(AT)) for _ in range(12)]
    with server(world).frozen():
        together = await asyncio.gather(*(refused(world, client, body) for body in bodies[:6]))
        assert max(together) < 5
        took = [await refused(world, client, body) for body in bodies[6:]]
        assert max(took) < AT_ONCE_S
    await until_back(client)
    # What was told 503 may have been stored by the server that woke up: sent later it is one tap.
    records = [{**body, "opened": True} for body in bodies]
    told = await world.batch(client, "mtr-in-1", records)
    assert {it["decision"] for it in told} == {"accepted"}
    assert {it["stored"] for it in await world.batch(client, "mtr-in-1", records)} == {"known"}
    assert await world.value("select count(*) from tap where decision = 'accepted'") == 13
    assert await world.value("select count(*) from code_use") == 13


async def test_a_database_killed_under_load_keeps_whatever_was_answered(world: World) -> None:
    client = await world.start()
    answered: set[int] = set()

    async def ride() -> None:
        body = world.scan("mtr-in-1", world.phone().draw(AT))
        for _ in range(400):
            headers = world.auth("mtr-in-1")
            async with client.post("/v1/taps", json=body, headers=headers) as answer:
                assert answer.status in (200, 503)
                if answer.status == 200:
                    assert (await answer.json())["open"] is True
                    answered.add(body["sequence"])
                    return
            await asyncio.sleep(0.05)
        raise AssertionError("never answered")

    riders = [asyncio.create_task(ride()) for _ in range(60)]
    await asyncio.sleep(0.05)
    server(world).kill()
    riders += [asyncio.create_task(ride()) for _ in range(20)]
    await asyncio.to_thread(server(world).server.start)
    await asyncio.gather(*riders)
    rows = await world.rows("select sequence from tap where decision = 'accepted'")
    assert sorted(row["sequence"] for row in rows) == sorted(answered) and len(rows) == 80
    assert await world.value("select count(*) from code_use") == 80
    assert await world.value("select count(*) from presence") == 80
