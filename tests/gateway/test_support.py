"""Wallet support sees why a rider was refused, in the words that the gate showed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from gateway_world import AT, OTHER_WALLET, WALLET, World
from issuer_world import authorise, enrol, enter, refresh
from ride_rows import ride
from test_wallet_calls import call, wish


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
        "stop_name": {"zh-Hant": "HUH", "zh-Hans": "HUH", "en": "HUH"},
        "direction": "entry",
        "reason": "passback",
        "text": passback["text"],
    }
    assert len((await refusals(world, client, rider, query="?limit=1"))["refusals"]) == 1


async def owes(world: World, rider: str, minor: int = 5220) -> None:
    """A fare that the wallet refused to pay, as settlement notes it."""
    journey = await ride(world, rider, 1, entry_at=AT, exit_at=AT + timedelta(minutes=40))
    conn = await world.db.connect("transitpay_settlement")
    await conn.execute(
        "insert into charge (id, journey_id, wallet, issuer, rider_id, amount_minor, currency,"
        " state, created_at, attempts, refused_code, refused_since, denies_rider) values"
        " ('c', $1, $2, $2, $3, $4, 'HKD', 'ARREARS', $5, 1, 'USER_BALANCE_NOT_ENOUGH', $5, true)",
        journey, WALLET, rider, minor, AT,
    )  # fmt: skip
    await deny(conn, rider, "arrears")


async def deny(conn: Any, rider: str, reason: str) -> None:
    await conn.execute(
        "insert into deny_request (issuer, rider_id, action, reason, requested_at)"
        " values ($1, $2, 'deny', $3, $4)", WALLET, rider, reason, AT,
    )  # fmt: skip


async def suspended(world: World, rider: str, why: str = "missing_exits") -> None:
    conn = await world.db.connect("transitpay_settlement")
    until = AT + timedelta(days=20) if why == "missing_exits" else None
    await conn.execute(
        "insert into suspension (issuer, rider_id, network, why, counted, days, more_than, since,"
        " until, noticed_at) values ($1, $2, 'mtr', $3, 4, 30, 3, $4, $5, $4)",
        WALLET, rider, why, AT, until,
    )  # fmt: skip
    await deny(conn, rider, "suspended")


async def test_support_sees_a_debt_and_a_lost_phone_beside_the_refusals(world: World) -> None:
    client = await world.start()
    rider = await enrol(world, client)
    _, phone = await authorise(world, client, rider)
    await owes(world, rider)
    body = {"through_serial": 1, "reason": "phone lost"}
    await call(world, client, "POST", f"/v1/riders/{rider}/revocations", body, status=202)
    await refresh(client)
    shown = await enter(world, client, phone)
    found = await refusals(world, client, rider)
    debt, lost = found["denial"]["reasons"]
    assert found["denial"]["through_serial"] == 1
    assert (debt["code"], debt["owed"]) == ("arrears", [{"minor": 5220, "currency": "HKD"}])
    assert debt["text"]["en"] == (
        "A fare could not be collected (HKD 52.20). Pay it in your wallet."
    )
    assert (lost["code"], lost["note"]) == ("revoked", "phone lost")
    assert found["refusals"][0]["text"] == shown["text"]


async def test_a_suspended_rider_reads_why_until_when_and_what_to_do(world: World) -> None:
    client = await world.start()
    rider = await enrol(world, client)
    _, phone = await authorise(world, client, rider)
    await suspended(world, rider)
    await refresh(client)
    assert (await enter(world, client, phone))["reason"] == "denied"
    [reason] = (await refusals(world, client, rider))["denial"]["reasons"]
    assert (reason["code"], reason["network"]) == ("missing_exits", "mtr")
    assert reason["until"] == "2026-11-19T01:00:00Z"
    assert reason["text"] == {
        "zh-Hant": "港鐵在 30 天內有 4 次沒有出站記錄，乘車碼暫停至 2026-11-19 09:00。"
        "請補登出站車站",
        "zh-Hans": "港铁在 30 天内有 4 次没有出站记录，乘车码暂停至 2026-11-19 09:00。"
        "请补登出站车站",
        "en": "4 exits are missing within 30 days on MTR; codes are suspended until "
        "2026-11-19 09:00. Name the stations where you left.",
    }
    path = f"/v1/riders/{rider}/authorisations"
    again = await call(world, client, "POST", path, wish(request_id="r2"), status=422)
    assert again["code"] == "rider_denied"


async def test_a_debt_and_a_suspension_are_told_side_by_side(world: World) -> None:
    client = await world.start()
    rider = await enrol(world, client)
    await authorise(world, client, rider)
    await owes(world, rider)
    await suspended(world, rider)
    await suspended(world, rider, "evasion")
    await refresh(client)
    found = (await refusals(world, client, rider))["denial"]["reasons"]
    assert [it["code"] for it in found] == ["arrears", "missing_exits", "evasion"]
    assert [it["until"] is None for it in found] == [True, False, True]


async def test_a_forged_code_shows_nobody_s_rider_to_support(world: World) -> None:
    client = await world.start()
    rider = await enrol(world, client)
    _, phone = await authorise(world, client, rider)
    phone.issuer_signature = bytes([1] * 64)
    assert (await enter(world, client, phone))["reason"] == "bad_issuer_signature"
    assert (await refusals(world, client, rider))["refusals"] == []
    stranger = await refusals(world, client, rider, wallet=OTHER_WALLET, status=404)
    assert stranger["code"] == "not_found"
