"""Heartbeats, silence, and what operators see of their readers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from gateway_world import AT, World
from sealing_reader import SealingReader

from gateway.app import SERVICES
from gateway.readers.heartbeat import SILENT_AFTER, Silence

BEAT = {
    "last_sequence": 4294967301,
    "uncertainty_s": 1,
    "last_position": 12,
    "store_held": 3,
    "store_capacity": 50000,
    "trust_version": 4,
    "deny_version": 81,
    "config_version": 9,
    "software": "gate 2.1",
}


async def beat(world: World, client: Any, reader: str = "mtr-in-1", **changes: Any) -> Any:
    now = world.clock.at
    body = {**BEAT, "through_at": now.isoformat(), "at": now.isoformat(), **changes}
    async with client.post(
        "/v1/readers/heartbeat", json=body, headers=world.auth(reader)
    ) as answer:
        found = await answer.json()
        assert answer.status == 200, found
        return found


async def get(world: World, client: Any, path: str, actor: str = "operator:mtr") -> Any:
    async with client.get(path, headers=world.auth(actor)) as answer:
        found = await answer.json()
        assert answer.status == 200, found
        return found


async def test_a_heartbeat_tells_how_the_reader_is_and_hears_what_is_new(world: World) -> None:
    client = await world.start()
    reader = await SealingReader(world, "mtr-in-1").enrol(client)
    reader.scan(world.phone().draw(AT))
    await reader.upload(client)
    found = await beat(world, client, at=(AT + timedelta(milliseconds=1500)).isoformat())
    assert (found["acknowledged_through"], found["config_version"]) == (1, 1)
    assert (found["trust_version"], found["deny_version"]) == (3, 1)
    listed = await get(world, client, "/v1/operator/readers")
    [state] = [it for it in listed["readers"] if it["reader"] == "mtr-in-1"]
    assert state["clock_error_ms"] == 1500
    assert (state["store_held"], state["software"], state["key_number"]) == (3, "gate 2.1", 1)
    assert (state["acknowledged_through"], state["gaps"], state["alarms"]) == (1, [], 0)
    assert [it["reader"] for it in listed["readers"]] == ["mtr-in-1", "mtr-in-2", "mtr-out-1"]


@pytest.mark.parametrize(
    ("off", "doubt_s", "fault"),
    [
        (timedelta(seconds=20), 0, False),
        (timedelta(seconds=20, milliseconds=1), 0, True),
        (-timedelta(seconds=30), 10, False),
        (-timedelta(seconds=30, milliseconds=1), 10, True),
        (timedelta(0), 300, False),
        (timedelta(0), 301, True),
    ],
)
async def test_a_clock_beyond_its_own_doubt_is_an_alarm_until_it_is_right(
    world: World, off: timedelta, doubt_s: int, fault: bool
) -> None:
    client = await world.start()
    await beat(world, client, at=(AT + off).isoformat(), uncertainty_s=doubt_s)
    standing = "/v1/operator/alarms?standing=true"
    kinds = [it["kind"] for it in (await get(world, client, standing))["alarms"]]
    assert kinds == (["clock_fault"] if fault else [])
    await beat(world, client)
    assert (await get(world, client, standing))["alarms"] == []
    assert len((await get(world, client, "/v1/operator/alarms"))["alarms"]) == fault


async def test_a_silent_reader_is_an_alarm_until_it_is_heard_of(world: World) -> None:
    client = await world.start()
    services = client.app[SERVICES]
    silence = Silence(services.database, world.clock, services.authenticator.heard)
    await beat(world, client)
    world.clock.at = AT + SILENT_AFTER
    await silence.sweep()
    assert (await get(world, client, "/v1/operator/alarms"))["alarms"] == []
    world.clock.at += timedelta(seconds=1)
    for _ in range(2):
        await silence.sweep()
    [alarm] = (await get(world, client, "/v1/operator/alarms"))["alarms"]
    assert (alarm["kind"], alarm["reader"], alarm["ended_at"]) == ("silent", "mtr-in-1", None)
    await beat(world, client)
    await silence.sweep()
    [alarm] = (await get(world, client, "/v1/operator/alarms"))["alarms"]
    assert alarm["ended_at"] is not None


@pytest.mark.parametrize("by", ["tap", "refused tap", "late batch"])
async def test_a_reader_is_heard_of_by_whatever_it_sends(world: World, by: str) -> None:
    """No heartbeat: a tap, a scan that is refused, a batch above a gap. One that never called is
    not silent."""
    client = await world.start()
    services = client.app[SERVICES]
    silence = Silence(services.database, world.clock, services.authenticator.heard)
    reader = await SealingReader(world, "mtr-in-1").enrol(client)

    async def call() -> None:
        if by == "late batch":
            reader.boot()
            reader.boot()
            await reader.upload(client, reader.sealed(len(reader.records), len(reader.records)))
        else:
            code = world.phone().draw(world.clock.at) if by == "tap" else "nothing"
            await world.tap(client, "mtr-in-1", world.scan("mtr-in-1", code))

    await call()
    await silence.sweep()
    seen = (await get(world, client, "/v1/operator/readers"))["readers"]
    assert [it["seen_at"] for it in seen] == ["2026-10-30T01:00:00Z", None, None]
    assert seen[0]["through_at"] is None
    world.clock.at += SILENT_AFTER + timedelta(seconds=1)
    await silence.sweep()
    silent = "/v1/operator/alarms?standing=true"
    assert "silent" in [it["kind"] for it in (await get(world, client, silent))["alarms"]]
    await call()
    await silence.sweep()
    assert "silent" not in [it["kind"] for it in (await get(world, client, silent))["alarms"]]


async def test_the_number_of_alarms_is_that_of_the_list(world: World) -> None:
    client = await world.start()
    body = world.scan("mtr-in-1", world.phone().draw(AT))
    await world.tap(client, "mtr-in-1", body)
    await world.tap(client, "mtr-in-1", {**body, "code": "other"}, status=409)
    await beat(world, client, uncertainty_s=301)
    listed = (await get(world, client, "/v1/operator/alarms?standing=true"))["alarms"]
    assert sorted(it["kind"] for it in listed) == ["clock_fault", "cloned_reader"]
    [state] = (await get(world, client, "/v1/operator/readers?limit=1"))["readers"]
    assert state["alarms"] == 2


async def test_an_operator_sees_its_own_readers_and_alarms_page_by_page(world: World) -> None:
    client = await world.start()
    for reader in ("mtr-in-1", "mtr-in-2", "mtr-out-1", "kmb-bus-1"):
        await beat(world, client, reader, uncertainty_s=301)
    seen, path = [], "/v1/operator/alarms?limit=2"
    while True:
        found = await get(world, client, path)
        seen += [it["reader"] for it in found["alarms"]]
        if found["next_cursor"] is None:
            break
        path = f"/v1/operator/alarms?limit=2&cursor={found['next_cursor']}"
    assert sorted(seen) == ["mtr-in-1", "mtr-in-2", "mtr-out-1"]
    first = await get(world, client, "/v1/operator/readers?limit=2")
    assert first["next_after"] == "mtr-in-2"
    rest = await get(world, client, "/v1/operator/readers?limit=2&after=mtr-in-2")
    assert [it["reader"] for it in rest["readers"]] == ["mtr-out-1"] and not rest["next_after"]
    theirs = await get(world, client, "/v1/operator/alarms", "operator:kmb")
    assert [it["reader"] for it in theirs["alarms"]] == ["kmb-bus-1"]
