"""A reader in another language, written from the two pages, works with a live gateway."""

from __future__ import annotations

import asyncio
import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from gateway_world import AT, World

from gateway.app import SERVICES
from transitpay.ride_code import layout

SCRIPT = Path(__file__).parents[1] / "vectors" / "stranger_reader.mjs"
READER = "mtr-in-1"
BEGIN = AT - timedelta(minutes=5)


async def run(world: World, client: Any, scans: list[tuple[float, bytes]]) -> dict[str, Any]:
    """Let the stranger scan these codes, so many seconds after the beginning, and upload."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: the second reader cannot run")
    begin_ms = int(BEGIN.timestamp() * 1000)
    task = {
        "url": str(client.make_url("")).rstrip("/"), "token": world.tokens[READER],
        "reader": READER, "roots": {str(n): key.hex() for n, key in world.list_roots.items()},
        "scans": [
            {"code": code.hex(), "at_ms": begin_ms + int(after * 1000),
             "clock_ms": 5_000_000 + int(after * 1000), "uncertainty_s": 0}
            for after, code in scans
        ],
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        node, str(SCRIPT), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, problems = await process.communicate(json.dumps(task).encode())
    assert process.returncode == 0, problems.decode()
    found: dict[str, Any] = json.loads(out)
    return found


async def test_a_stranger_enrols_takes_lists_decides_alone_and_delivers_every_scan(
    world: World,
) -> None:
    debtor, rider = world.phone(), world.phone()
    conn = await world.db.connect("transitpay_settlement")
    await conn.execute(
        "insert into deny_request (issuer, rider_id, action, reason, requested_at)"
        " values ('alipayhk', $1, 'deny', 'arrears', $2)",
        debtor.authorisation.rider_id, BEGIN - timedelta(hours=1),
    )  # fmt: skip
    world.clock.at = BEGIN - timedelta(minutes=5)  # the denial is known before the scans
    client = await world.start()
    await client.app[SERVICES].lists.refresh()
    world.clock.at = AT

    def drawn(phone: Any, after: float, **given: Any) -> bytes:
        code: str = phone.draw(BEGIN + timedelta(seconds=after), **given)
        return code.encode()

    code = drawn(rider, 0)
    forged = bytearray(layout.read_text(drawn(world.phone(), 0).decode()))
    forged[199] ^= 1
    scans = [
        (0.0, code), (0.2, code), (3.0, code), (20.0, drawn(rider, 20)),
        (25.0, drawn(debtor, 25)), (26.0, layout.write_text(bytes(forged)).encode()),
        (27.0, b"\xff\x00 no text"), (28.0, drawn(world.phone(), 28, destination=1)),
        (120.0, drawn(world.phone(), 59)), (121.0, drawn(world.phone(key_id=2), 121)),
    ]  # fmt: skip
    found = await run(world, client, scans)
    told = [one["reason"] or one["decision"] for one in found["decisions"]]
    assert told == [
        "accepted", "already_answered", "replay", "passback", "denied", "bad_device_signature",
        "unreadable", "wrong_destination", "code_stale", "accepted",
    ]  # fmt: skip
    assert [one["opens"] for one in found["decisions"]] == [it == "accepted" for it in told]
    later, earlier, again = found["answers"]
    assert (later["stored"], earlier["stored"], again["stored"]) == ("new", "new", "known")
    assert later["acknowledged_through"] < found["first"], "the first half was missing"
    assert earlier["acknowledged_through"] == found["last"] and earlier["gaps"] == []
    assert not any(answer["differences"] + answer["apart"] for answer in found["answers"])
    rows = await world.rows("select decision, reason from tap order by sequence")
    assert [row["reason"] or row["decision"] for row in rows] == told
    assert await world.value("select count(*) from tap_inbox") == 2
    alarms = await world.rows("select kind, ended_at from reader_alarm")
    assert [(row["kind"], row["ended_at"] is None) for row in alarms] == [("gap", False)]
