"""Wallets enrol riders and get authorisations with which a phone really rides."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from gateway_world import AT, OTHER_WALLET, WALLET, Phone, World

from transitpay.ride_code import keys, layout

RIDER = {"account_ref": "acct-1", "access_token": "at-1", "destination": "hong-kong"}


async def call(
    world: World,
    client: Any,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
    *,
    wallet: str = WALLET,
    status: int = 200,
) -> dict[str, Any]:
    headers = world.auth(f"wallet:{wallet}")
    async with client.request(method, path, json=body, headers=headers) as answer:
        found: dict[str, Any] = await answer.json()
        assert answer.status == status, found
        return found


def wish(device: Any = None, request_id: str = "req-1", **fields: Any) -> dict[str, Any]:
    device = device or keys.generate_device_key()
    point = keys.public_bytes(device).hex()
    return {"request_id": request_id, "device_public_key": point, **fields}


async def test_enrolling_twice_is_the_same_rider_and_a_destination_more(world: World) -> None:
    client = await world.start()
    first = await call(world, client, "POST", "/v1/riders", RIDER)
    assert first["destinations"] == ["hong-kong"]
    assert await call(world, client, "POST", "/v1/riders", RIDER) == first
    more = {**RIDER, "destination": "shenzhen", "access_token": "at-2"}
    second = await call(world, client, "POST", "/v1/riders", more)
    assert second == {"rider_id": first["rider_id"], "destinations": ["hong-kong", "shenzhen"]}
    assert await world.value("select access_token from rider") == "at-2"
    path = f"/v1/riders/{first['rider_id']}"
    third = await call(world, client, "POST", f"{path}/destinations", {"destination": "guangzhou"})
    assert third["destinations"] == ["hong-kong", "shenzhen", "guangzhou"]
    await call(world, client, "PUT", f"{path}/token", {"access_token": "at-3"})
    assert await world.value("select access_token from rider") == "at-3"


async def test_a_phone_rides_with_the_authorisation_it_was_given(world: World) -> None:
    client = await world.start()
    rider = await call(world, client, "POST", "/v1/riders", RIDER)
    device = keys.generate_device_key()
    path = f"/v1/riders/{rider['rider_id']}/authorisations"
    given = await call(world, client, "POST", path, wish(device))
    part = bytes.fromhex(given["issuer_part"])
    raw = part + bytes.fromhex(given["signature"]) + bytes(4) + b"\0\1" + bytes(1) + bytes(64)
    code = layout.parse(raw)
    it = code.authorisation
    assert (it.serial, it.life_h, it.modes, it.destinations) == (1, 72, 3, 1)
    assert (it.ceiling_major, it.code_life_s, it.quota) == (500, 60, 2000)
    assert it.not_before == int(AT.timestamp())
    phone = Phone(it, code.issuer_signature, device)
    assert (await world.tap(client, "mtr-in-1", world.scan("mtr-in-1", phone.draw(AT))))["open"]


async def test_the_same_request_gets_the_same_authorisation(world: World) -> None:
    client = await world.start()
    rider = await call(world, client, "POST", "/v1/riders", RIDER)
    path = f"/v1/riders/{rider['rider_id']}/authorisations"
    body = wish()
    answers = await asyncio.gather(*(call(world, client, "POST", path, body) for _ in range(8)))
    assert all(answer == answers[0] for answer in answers)
    assert await world.value("select count(*) from authorisation") == 1
    for other in (wish(), {**body, "life_hours": 24}, {**body, "ceiling_major": 9}):
        problem = await call(world, client, "POST", path, other, status=409)
        assert problem["code"] == "request_repeated"


async def test_serials_rise_without_a_gap_under_concurrency(world: World) -> None:
    client, second = await world.start(), await world.start()
    rider = await call(world, client, "POST", "/v1/riders", RIDER)
    path = f"/v1/riders/{rider['rider_id']}/authorisations"
    answers = await asyncio.gather(
        *(
            call(world, (client, second)[n % 2], "POST", path, wish(request_id=f"r{n}"))
            for n in range(12)
        )
    )
    assert sorted(answer["serial"] for answer in answers) == list(range(1, 13))


@pytest.mark.parametrize(("hours", "status"), [(0, 400), (1, 200), (168, 200), (169, 400)])
async def test_an_authorisation_lives_one_hour_to_seven_days(
    world: World, hours: int, status: int
) -> None:
    client = await world.start()
    rider = await call(world, client, "POST", "/v1/riders", RIDER)
    path = f"/v1/riders/{rider['rider_id']}/authorisations"
    found = await call(world, client, "POST", path, wish(life_hours=hours), status=status)
    if status == 400:
        assert found["field"] == "life_hours"


async def test_a_point_that_is_not_on_the_curve_is_refused(world: World) -> None:
    client = await world.start()
    rider = await call(world, client, "POST", "/v1/riders", RIDER)
    path = f"/v1/riders/{rider['rider_id']}/authorisations"
    body = {"request_id": "r", "device_public_key": "02" + "ff" * 32}
    problem = await call(world, client, "POST", path, body, status=400)
    assert (problem["code"], problem["field"]) == ("bad_device_key", "device_public_key")


async def test_a_denied_rider_gets_no_authorisation(world: World) -> None:
    client = await world.start()
    rider = (await call(world, client, "POST", "/v1/riders", RIDER))["rider_id"]
    conn = await world.db.connect()
    await conn.execute(
        "insert into deny_entry (issuer, rider_id, version, barred_serial) values ($1, $2, 2, 0)",
        WALLET,
        rider,
    )
    path = f"/v1/riders/{rider}/authorisations"
    assert (await call(world, client, "POST", path, wish(), status=422))["code"] == "rider_denied"


async def test_a_wallet_without_a_key_here_is_told_so(world: World) -> None:
    client = await world.start()
    (world.key_folder / "issuer-1.pem").unlink()
    rider = (await call(world, client, "POST", "/v1/riders", RIDER))["rider_id"]
    path = f"/v1/riders/{rider}/authorisations"
    assert (await call(world, client, "POST", path, wish(), status=503))["code"] == "no_issuer_key"


async def test_a_wallet_sees_its_own_riders_only(world: World) -> None:
    client = await world.start()
    rider = (await call(world, client, "POST", "/v1/riders", RIDER))["rider_id"]
    for method, end, body in (
        ("GET", "rides", None),
        ("PUT", "token", {"access_token": "stolen"}),
        ("POST", "destinations", {"destination": "foshan"}),
        ("POST", "authorisations", wish()),
    ):
        problem = await call(
            world, client, method, f"/v1/riders/{rider}/{end}", body,
            wallet=OTHER_WALLET, status=404,
        )  # fmt: skip
        assert problem["code"] == "not_found"
    assert await world.value("select access_token from rider") == "at-1"


async def test_rides_come_newest_first_page_by_page(world: World) -> None:
    client = await world.start()
    rider = (await call(world, client, "POST", "/v1/riders", RIDER))["rider_id"]
    conn = await world.db.connect()
    for n in range(5):
        await conn.execute(
            "insert into journey (id, key, issuer, rider_id, slot, network, operator, kind, state,"
            " priced_at, service_day, cleared_at, fare_minor, fare_currency, fare_lines,"
            " tariff_version) values ($1, $1, $2, $3, 0, 'mtr', 'mtr', 'entry_exit', 'COMPLETED',"
            " $4, '2026-10-30', $4, 1200, 'HKD', '[]', 't1')",
            f"20261030-mtr-in-1-{n}", WALLET, rider, AT + timedelta(minutes=n // 2),
        )  # fmt: skip
    path, found, cursor = f"/v1/riders/{rider}/rides", [], ""
    while cursor is not None:
        query = "?limit=2" + (f"&cursor={cursor}" if cursor else "")
        page = await call(world, client, "GET", path + query)
        found += [ride["id"][-1] for ride in page["rides"]]
        cursor = page["next_cursor"]
    assert found == ["4", "3", "2", "1", "0"]
    for query, field in (("?limit=0", "limit"), ("?page=2", "page"), ("?cursor=AAAA", "cursor")):
        problem = await call(world, client, "GET", path + query, status=400)
        assert problem["field"] == field
