"""Abuse cases of keys and of fresh accounts, through HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from gateway_world import AT, World
from issuer_world import authorise, enrol, enter, own_key, refresh
from test_wallet_calls import call

from gateway.app import SERVICES
from transitpay.fares.highest import highest_fares
from transitpay.postgres.gates import stop_fares
from transitpay.runtime import issuer_keys
from transitpay.runtime.builtin import builtin_book


async def scan_later(world: World, client: Any, reader: str, code: str, seconds: float) -> Any:
    world.clock.at = AT + timedelta(seconds=seconds)
    return await world.tap(client, reader, world.scan(reader, code, at=world.clock.at))


async def test_case_20_a_key_compromised_between_drawing_and_scanning_opens_no_entry(
    world: World,
) -> None:
    client = await world.start()
    phone = world.phone()
    entry, way_out, late = phone.draw(AT), phone.draw(AT), phone.draw(AT)
    conn = await world.db.connect("transitpay_gateway")
    await issuer_keys.compromise_key(conn, 1, "admin", AT + timedelta(seconds=1))
    before_the_list = await scan_later(world, client, "mtr-in-1", phone.draw(AT), 2)
    assert before_the_list["open"] is True, "arrival of the list decides"
    await refresh(client)
    refused = await scan_later(world, client, "mtr-in-2", entry, 3)
    assert (refused["open"], refused["reason"]) == (False, "key_compromised")
    out = await scan_later(world, client, "mtr-out-1", way_out, 4)
    assert (out["open"], out["signal"]) == (True, "amber")
    assert "key_compromised" in out["flags"], "who is inside gets out"
    back_dated = await scan_later(world, client, "mtr-in-2", late, 5)
    assert back_dated["reason"] == "key_compromised", "whatever time the code claims"


@pytest.mark.parametrize(("seconds", "reason"), [(9, "key_not_yet_valid"), (10, None)])
async def test_case_20_a_key_that_is_not_valid_yet_opens_from_its_first_second(
    world: World, seconds: int, reason: str | None
) -> None:
    world.issuer_keys[7] = await own_key(world, 7, not_before=AT + timedelta(seconds=10))
    client = await world.start()
    code = world.phone(key_id=7).draw(AT)
    answer = await scan_later(world, client, "mtr-in-1", code, seconds)
    assert (answer["open"], answer["reason"]) == (reason is None, reason)


@pytest.mark.parametrize(("seconds", "reason"), [(29, None), (30, "key_expired")])
async def test_case_20_a_key_that_expires_between_drawing_and_scanning_opens_exits_only(
    world: World, seconds: int, reason: str | None
) -> None:
    world.issuer_keys[7] = await own_key(world, 7, not_after=AT + timedelta(seconds=30))
    client = await world.start()
    phone = world.phone(key_id=7)
    entry, way_out = phone.draw(AT), phone.draw(AT)
    answer = await scan_later(world, client, "mtr-in-1", entry, seconds)
    assert (answer["open"], answer["reason"]) == (reason is None, reason)
    out = await scan_later(world, client, "mtr-out-1", way_out, seconds)
    assert out["open"] is True and ("key_expired" in out["flags"]) == (reason is not None)


@pytest.mark.parametrize(("seconds", "reason"), [(0, None), (1, "authorisation_expired")])
async def test_case_20_an_authorisation_is_judged_by_when_the_code_was_drawn(
    world: World, seconds: int, reason: str | None
) -> None:
    client = await world.start()
    ends = int(AT.timestamp()) + 1
    phone = world.phone(not_before=ends - 3600, life_h=1)
    code = phone.draw(AT + timedelta(seconds=seconds))
    answer = await scan_later(world, client, "mtr-in-1", code, 20)
    assert answer["reason"] == reason, "a code drawn in time may be scanned after the end"


async def test_case_36_a_fresh_account_rides_no_further_than_its_ceiling_and_quota(
    world: World,
) -> None:
    settlement = await world.db.connect("transitpay_settlement")
    await stop_fares.put_stop_fares(settlement, highest_fares(builtin_book()), AT)
    client = await world.start()
    await client.app[SERVICES].places.refresh()
    rider = await enrol(world, client, "fresh")
    given, far = await authorise(world, client, rider, "r1", ceiling_major=41, quota=1)
    assert given["serial"] == 1
    refused = await enter(world, client, far)
    assert refused["reason"] == "ceiling_too_low", "41.60 is the dearest ride from Hung Hom"
    _, near = await authorise(world, client, rider, "r2", ceiling_major=42, quota=1)
    assert (await enter(world, client, near))["open"] is True
    world.clock.advance(timedelta(minutes=6))
    again = await enter(world, client, near, "mtr-in-2")
    assert again["reason"] == "quota_exceeded", "each code that is drawn counts"
    path = f"/v1/riders/{rider}/authorisations"
    device = near.authorisation.device_key.hex()
    for wrong in ({"quota": 0}, {"quota": 65536}, {"ceiling_major": 0}, {"rider_class": 16}):
        body = {"request_id": "r3", "device_public_key": device, **wrong}
        problem = await call(world, client, "POST", path, body, status=400)
        assert problem["field"] == next(iter(wrong))


async def test_case_36_every_fresh_account_of_one_person_is_denied_alone_and_at_once(
    world: World,
) -> None:
    client = await world.start()
    farm = [await enrol(world, client, f"farm-{n}") for n in range(3)]
    phones = [(await authorise(world, client, r, f"f{n}"))[1] for n, r in enumerate(farm)]
    conn = await world.db.connect("transitpay_settlement")
    await conn.executemany(
        "insert into deny_request (issuer, rider_id, action, reason, requested_at)"
        " values ('alipayhk', $1, 'deny', 'arrears', $2)", [(rider, AT) for rider in farm[:2]],
    )  # fmt: skip
    await refresh(client)
    reasons = [(await enter(world, client, phone))["reason"] for phone in phones]
    assert reasons == ["denied", "denied", None]
    path = f"/v1/riders/{farm[0]}/authorisations"
    body = {"request_id": "x", "device_public_key": phones[0].authorisation.device_key.hex()}
    problem = await call(world, client, "POST", path, body, status=422)
    assert problem["code"] == "rider_denied", "a debt is not left behind by a new phone"
