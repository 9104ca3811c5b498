"""A lost phone is revoked by its serial; the new phone rides at once, whatever else is owed."""

from __future__ import annotations

from typing import Any

from gateway_world import AT, OTHER_WALLET, WALLET, Phone, World
from test_wallet_calls import RIDER, call, wish

from gateway.app import SERVICES
from transitpay.ride_code import keys, layout


async def new_phone(world: World, client: Any, rider: str, request_id: str) -> Phone:
    """A phone that was authorised through the wallet's API."""
    device = keys.generate_device_key()
    path = f"/v1/riders/{rider}/authorisations"
    given = await call(world, client, "POST", path, wish(device, request_id))
    part, signature = (bytes.fromhex(given[name]) for name in ("issuer_part", "signature"))
    code = layout.parse(part + signature + bytes(4) + b"\0\1" + bytes(1) + bytes(64))
    return Phone(code.authorisation, signature, device)


async def enter(world: World, client: Any, phone: Phone, reader: str) -> dict[str, Any]:
    return await world.tap(client, reader, world.scan(reader, phone.draw(AT)))


async def refresh(*clients: Any) -> None:
    for client in clients:
        await client.app[SERVICES].lists.refresh()


async def revoke(
    world: World, client: Any, rider: str, serial: int, reason: str = "phone lost", **how: Any
) -> dict[str, Any]:
    body = {"through_serial": serial, "reason": reason}
    return await call(world, client, "POST", f"/v1/riders/{rider}/revocations", body, **how)


async def test_a_revoked_phone_is_refused_and_the_next_one_rides_at_once(world: World) -> None:
    client, second = await world.start(), await world.start()
    rider = (await call(world, client, "POST", "/v1/riders", RIDER))["rider_id"]
    lost = await new_phone(world, client, rider, "r1")
    answer = await revoke(world, client, rider, 1, status=202)
    assert answer == {"rider_id": rider, "through_serial": 1}
    found = await new_phone(world, client, rider, "r2")
    assert found.authorisation.serial == 2, "a revocation is no debt: a new phone is authorised"
    await refresh(client, second)
    for gateway, reader in ((client, "mtr-in-1"), (second, "mtr-in-2")):
        assert (await enter(world, gateway, lost, reader))["reason"] == "denied"
    assert (await enter(world, second, found, "mtr-in-2"))["open"]


async def test_revoking_twice_is_once_and_another_reason_is_refused(world: World) -> None:
    client = await world.start()
    rider = (await call(world, client, "POST", "/v1/riders", RIDER))["rider_id"]
    await new_phone(world, client, rider, "r1")
    first = await revoke(world, client, rider, 1, status=202)
    assert await revoke(world, client, rider, 1, status=202) == first
    problem = await revoke(world, client, rider, 1, "another story", status=409)
    assert problem["code"] == "request_repeated"
    assert await world.value("select count(*) from deny_request") == 1


async def test_a_serial_that_was_never_given_cannot_be_revoked(world: World) -> None:
    client = await world.start()
    rider = (await call(world, client, "POST", "/v1/riders", RIDER))["rider_id"]
    await new_phone(world, client, rider, "r1")
    assert (await revoke(world, client, rider, 2, status=422))["code"] == "unknown_serial"
    for wrong in (0, 2**32):
        assert (await revoke(world, client, rider, wrong, status=400))["field"] == "through_serial"
    assert (await revoke(world, client, "0" * 16, 1, status=404))["code"] == "not_found"
    stranger = await revoke(world, client, rider, 1, wallet=OTHER_WALLET, status=404)
    assert stranger["code"] == "not_found"


async def test_paying_a_debt_does_not_bring_a_lost_phone_back(world: World) -> None:
    client = await world.start()
    rider = (await call(world, client, "POST", "/v1/riders", RIDER))["rider_id"]
    lost = await new_phone(world, client, rider, "r1")
    kept = await new_phone(world, client, rider, "r2")
    await revoke(world, client, rider, 1, status=202)
    await debt(world, rider, "deny")
    await refresh(client)
    assert (await enter(world, client, kept, "mtr-in-1"))["reason"] == "denied"
    path = f"/v1/riders/{rider}/authorisations"
    problem = await call(world, client, "POST", path, wish(request_id="r3"), status=422)
    assert problem["code"] == "rider_denied"
    await debt(world, rider, "release")
    await refresh(client)
    assert (await enter(world, client, kept, "mtr-in-1"))["open"]
    assert (await enter(world, client, lost, "mtr-in-2"))["reason"] == "denied"


async def debt(world: World, rider: str, action: str) -> None:
    conn = await world.db.connect("transitpay_settlement")
    await conn.execute(
        "insert into deny_request (issuer, rider_id, action, reason, requested_at)"
        " values ($1, $2, $3, 'arrears', $4)", WALLET, rider, action, AT,
    )  # fmt: skip
