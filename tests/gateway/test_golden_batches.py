"""The golden vectors of sealed batches get their frozen answers from a real gateway."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from gateway_world import World

from transitpay.postgres.gates import reader_keys
from transitpay.ride_code import signing
from transitpay.ride_code.golden import protocol as protocol_vectors
from transitpay.taps import Direction

SOURCE = json.loads(protocol_vectors.shipped_text())
FILE = protocol_vectors.read_vectors(protocol_vectors.shipped_text())
READER = "gate-1"
#: When the vectors' records were made.
MADE = datetime.fromisoformat("2026-07-01T04:00:00+00:00")


def key(number: int) -> ec.EllipticCurvePrivateKey:
    secret = SOURCE["test_only_private_keys"][f"{READER} key {number} TEST ONLY"]
    return ec.derive_private_key(int(secret, 16), ec.SECP256R1())


async def enrol(world: World, client: Any, number: int) -> None:
    body = {
        "public_key": FILE.readers[READER][number].public_key.hex(),
        "proof": signing.prove_reader_key(READER, key(number)).hex(),
        "software": "vectors",
    }
    headers = world.auth(READER)
    async with client.post("/v1/readers/enrol", json=body, headers=headers) as answer:
        found = await answer.json()
        assert (answer.status, found.get("key_number")) == (200, number), found


async def send(world: World, client: Any, data: bytes) -> tuple[int, dict[str, Any]]:
    headers = {**world.auth(READER), "Content-Type": "application/octet-stream"}
    async with client.post("/v1/readers/records", data=data, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_every_golden_batch_is_answered_by_the_gateway_as_frozen(world: World) -> None:
    world.clock.at = MADE
    conn = await world.db.connect("transitpay_gateway")
    await world.reader(conn, READER, "mtr", Direction.ENTRY)
    client = await world.start()
    await enrol(world, client, 1)
    retired_at = FILE.readers[READER][1].retired_at
    assert retired_at == MADE + timedelta(days=1)
    world.clock.at = retired_at
    await reader_keys.allow_new_key(conn, READER, True)
    await enrol(world, client, 2)
    batches = [vector for vector in FILE.vectors if vector.kind == "batch"]
    refused = [vector for vector in batches if vector.expected["answer"] == "refused"]
    assert len(refused) > 30
    for vector in refused:
        status, found = await send(world, client, bytes.fromhex(str(vector.source["hex"])))
        assert found.get("code") == vector.expected["reason"], (vector.name, found)
        assert 400 <= status < 500
    assert await world.value("select count(*) from tap") == 0
    assert await world.value("select count(*) from reader_batch") == 0
    for vector in batches:
        if vector.expected["answer"] == "opened":
            status, found = await send(world, client, bytes.fromhex(str(vector.source["hex"])))
            assert status == 200, (vector.name, found)
            assert found["first_position"] == vector.expected["first_position"]
