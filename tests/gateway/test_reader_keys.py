"""Readers enrol the key that signs their records: proved, once, replaced only when allowed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from gateway_world import World

from transitpay.postgres.gates import reader_keys
from transitpay.ride_code import keys, signing


async def enrol(
    client: Any, world: World, key: Any, status: int = 200, **changes: Any
) -> dict[str, Any]:
    body = {
        "public_key": keys.public_bytes(key).hex(),
        "proof": signing.prove_reader_key(changes.pop("proved_for", "mtr-in-1"), key).hex(),
        "software": "gate 2.1",
        **changes,
    }
    headers = world.auth("mtr-in-1")
    async with client.post("/v1/readers/enrol", json=body, headers=headers) as answer:
        found: dict[str, Any] = await answer.json()
        assert answer.status == status, found
        return found


async def test_a_reader_enrols_its_key_and_again_has_the_same_answer(world: World) -> None:
    client, key = await world.start(), keys.generate_device_key()
    for _ in range(2):
        found = await enrol(client, world, key)
        assert (found["key_number"], found["first_position"]) == (1, 1)
        assert found["server_time"].startswith(world.clock.at.isoformat()[:16])
    assert await world.value("select count(*) from reader_key") == 1


async def test_the_same_key_at_the_same_time_at_two_gateways_is_one(world: World) -> None:
    one, two = await world.start(), await world.start()
    key = keys.generate_device_key()
    found = await asyncio.gather(enrol(one, world, key), enrol(two, world, key))
    assert [it["key_number"] for it in found] == [1, 1]
    assert await world.value("select count(*) from reader_key") == 1


async def test_another_key_is_refused_until_an_admin_allows_it_once(world: World) -> None:
    client = await world.start()
    first, second, third = (keys.generate_device_key() for _ in range(3))
    await enrol(client, world, first)
    assert (await enrol(client, world, second, 409))["code"] == "reader_has_key"
    conn = await world.db.connect("transitpay_gateway")
    await reader_keys.allow_new_key(conn, "mtr-in-1", True)
    assert (await enrol(client, world, second))["key_number"] == 2
    assert (await enrol(client, world, third, 409))["code"] == "reader_has_key"
    assert (await enrol(client, world, first, 409))["code"] == "reader_key_retired"
    rows = await world.rows("select retired_at from reader_key order by number")
    assert [row["retired_at"] is None for row in rows] == [False, True]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"proved_for": "mtr-in-2"}, 422, "reader_key_unproved"),
        ({"proof": "00" * 64}, 422, "reader_key_unproved"),
        ({"public_key": "02" + "ff" * 32}, 400, "bad_reader_key"),
        ({"public_key": "04" + "00" * 32}, 400, "bad_reader_key"),
        ({"proof": "00" * 63}, 400, "malformed_request"),
    ],
)
async def test_a_key_that_is_none_or_is_not_proved_is_refused(
    world: World, change: dict[str, Any], status: int, code: str
) -> None:
    client = await world.start()
    found = await enrol(client, world, keys.generate_device_key(), status, **change)
    assert found["code"] == code
    assert await world.value("select count(*) from reader_key") == 0
