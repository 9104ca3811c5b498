"""Wallet support sees why a rider was refused, in the words that the gate showed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from gateway_world import AT, OTHER_WALLET, WALLET, World
from issuer_world import authorise, enrol, enter, refresh
from test_wallet_calls import call


async def refusals(world: World, client: Any, rider: str, **how: Any) -> Any:
    query = how.pop("query", "")
    return await call(world, client, "GET", f"/v1/riders/{rider}/refusals{query}", **how)


async def test_support_reads_the_reason_and_the_text_of_the_gate(world: World) -> None:
    client = await world.start()
    rider = await enrol(world, client)
    _, phone = await authorise(world, client, rider, quota=2)
    assert await refusals(world, client, rider) == {"refusals": [], "denial": None}
    assert (await enter(world, client, phone))["open"]
    world.clock.advance(timedelta(seconds=30))
    passback = await enter(world, client, phone)
    world.clock.advance(timedelta(minutes=10))
    used_up = await enter(world, client, phone)
    found = await refusals(world, client, rider)
    assert [it["reason"] for it in found["refusals"]] == ["quota_exceeded", "passback"]
    assert [it["text"] for it in found["refusals"]] == [used_up["text"], passback["text"]]
    assert found["refusals"][1] == {
        "at": (AT + timedelta(seconds=30)).isoformat().replace("+00:00", "Z"),
        "network": "mtr",
        "stop": "HUH",
        "direction": "entry",
        "reason": "passback",
        "text": passback["text"],
    }
    assert len((await refusals(world, client, rider, query="?limit=1"))["refusals"]) == 1


async def test_support_sees_a_debt_and_a_lost_phone_beside_the_refusals(world: World) -> None:
    client = await world.start()
    rider = await enrol(world, client)
    _, phone = await authorise(world, client, rider)
    conn = await world.db.connect("transitpay_settlement")
    await conn.execute(
        "insert into deny_request (issuer, rider_id, action, reason, requested_at)"
        " values ($1, $2, 'deny', 'arrears', $3)", WALLET, rider, AT,
    )  # fmt: skip
    body = {"through_serial": 1, "reason": "phone lost"}
    await call(world, client, "POST", f"/v1/riders/{rider}/revocations", body, status=202)
    await refresh(client)
    shown = await enter(world, client, phone)
    found = await refusals(world, client, rider)
    assert found["denial"] == {"through_serial": 1, "debt": "arrears", "revoked": "phone lost"}
    assert found["refusals"][0]["text"] == shown["text"]


async def test_a_forged_code_shows_nobody_s_rider_to_support(world: World) -> None:
    client = await world.start()
    rider = await enrol(world, client)
    _, phone = await authorise(world, client, rider)
    phone.issuer_signature = bytes([1] * 64)
    assert (await enter(world, client, phone))["reason"] == "bad_issuer_signature"
    assert (await refusals(world, client, rider))["refusals"] == []
    stranger = await refusals(world, client, rider, wallet=OTHER_WALLET, status=404)
    assert stranger["code"] == "not_found"
