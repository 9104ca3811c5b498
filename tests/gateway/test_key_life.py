"""Issuer keys rotate, retire and are compromised; riders of a bad key are signed again, once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from gateway_world import AT, OTHER_WALLET, WALLET, World
from issuer_world import authorise, enrol, enter, own_key, phone_of, refresh, signed
from test_wallet_calls import call

from transitpay.errors import RuleViolation, TemporarilyUnavailable
from transitpay.ride_code.trust_list import KeyStatus
from transitpay.runtime import access, issuer_keys
from transitpay.runtime.reissue import Reissued, reissue_all

RENEWALS = "/v1/wallet/renewals"


async def gateway_role(world: World) -> Any:
    return await world.db.connect("transitpay_gateway")


async def compromise(world: World, *clients: Any, key_id: int = 1) -> None:
    conn = await gateway_role(world)
    await issuer_keys.compromise_key(conn, key_id, "admin", world.clock.at)
    await refresh(*clients)


async def new_key(world: World, *clients: Any, key_id: int = 5, **fields: Any) -> None:
    conn = await gateway_role(world)
    rights = {"destinations": 3, "modes": 3, **fields}
    await access.enrol_issuer_key(conn, WALLET, key_id, world.key_folder, world.clock.at, **rights)
    await refresh(*clients)


async def again(world: World, key_id: int = 1, batch: int = 500) -> Reissued:
    conn = await gateway_role(world)
    told: list[tuple[int, int]] = []
    found = await reissue_all(
        conn, key_id, world.key_folder, world.clock.at, lambda *it: told.append(it), batch
    )
    assert told[0][0] == 0 and told[-1][0] == found.riders
    return found


async def due(world: World, client: Any, **query: Any) -> list[tuple[str, int, str]]:
    path = RENEWALS + "?" + "&".join(f"{k}={v}" for k, v in query.items())
    answer = await call(world, client, "GET", path)
    return [(it["rider_id"], it["serial"], it["reason"]) for it in answer["renewals"]]


async def current(world: World, client: Any, rider: str, **how: Any) -> Any:
    return await call(world, client, "GET", f"/v1/riders/{rider}/authorisations/current", **how)


async def test_a_new_key_signs_from_its_beginning_and_the_old_one_still_opens(
    world: World,
) -> None:
    client = await world.start()
    rider = await enrol(world, client)
    _, old_phone = await authorise(world, client, rider, "r1")
    await new_key(world, client, starts_in=timedelta(hours=1))
    _, same_key = await authorise(world, client, rider, "r2")
    assert same_key.authorisation.key_id == 1, "readers learn of the new key first"
    world.clock.advance(timedelta(hours=1))
    _, newest = await authorise(world, client, rider, "r3")
    assert newest.authorisation.key_id == 5
    assert (await enter(world, client, old_phone))["open"]
    world.clock.advance(timedelta(minutes=6))
    assert (await enter(world, client, newest))["open"]


async def test_a_retired_key_signs_nothing_and_verifies_until_its_last_signature_has_ended(
    world: World,
) -> None:
    client = await world.start()
    rider = await enrol(world, client)
    _, phone = await authorise(world, client, rider, life_hours=168)
    conn = await gateway_role(world)
    retired = await issuer_keys.retire_key(conn, 1, "admin", AT)
    assert retired.not_after == AT + timedelta(hours=168)
    world.clock.advance(timedelta(hours=1))
    unchanged = await issuer_keys.retire_key(conn, 1, "admin", world.clock.at)
    assert unchanged.not_after == retired.not_after, "twice is once"
    await refresh(client)
    path = f"/v1/riders/{rider}/authorisations"
    body = {"request_id": "r2", "device_public_key": phone.authorisation.device_key.hex()}
    assert (await call(world, client, "POST", path, body, status=503))["code"] == "no_issuer_key"
    world.clock.at = AT + timedelta(hours=168, seconds=-1)
    assert (await enter(world, client, phone))["open"]
    world.clock.advance(timedelta(minutes=6))
    assert (await enter(world, client, phone))["reason"] == "key_expired"


async def test_only_an_admin_ends_a_key_and_a_compromised_one_is_never_merely_retired(
    world: World,
) -> None:
    conn = await gateway_role(world)
    for work in (issuer_keys.retire_key, issuer_keys.compromise_key):
        for by, key_id, code in (("finance", 1, "forbidden"), ("admin", 99, "not_found")):
            with pytest.raises(RuleViolation) as refused:
                await work(conn, key_id, by, AT)
            assert refused.value.code == code
    first = await issuer_keys.compromise_key(conn, 1, "admin", AT)
    second = await issuer_keys.compromise_key(conn, 1, "admin", AT + timedelta(hours=1))
    assert (second.status, second.compromised_at) == (KeyStatus.COMPROMISED, first.compromised_at)
    with pytest.raises(RuleViolation) as refused:
        await issuer_keys.retire_key(conn, 1, "admin", AT)
    assert refused.value.code == "key_compromised"
    rows = await world.rows("select action from audit_log where action like 'issuer_key%'")
    assert [row["action"] for row in rows] == ["issuer_key_compromised"]


async def test_a_compromised_key_is_re_issued_to_the_same_devices_and_they_ride(
    world: World,
) -> None:
    client, second = await world.start(), await world.start()
    rider = await enrol(world, client)
    _, phone = await authorise(world, client, rider, "r1", quota=77, rider_class=3)
    _, tablet = await authorise(world, client, rider, "r2")
    other = await enrol(world, client, "acct-2")
    await authorise(world, client, other, "o1")
    await compromise(world, client, second)
    refused = await enter(world, second, phone)
    assert refused["reason"] == "key_compromised"
    assert [it[2] for it in await due(world, client)] == ["key_compromised"] * 3
    assert (await current(world, client, rider))["authorisations"] == []
    await new_key(world, client, second)
    assert await again(world, batch=1) == Reissued(1, 5, 2, 3, 0)
    assert await again(world) == Reissued(1, 5, 0, 0, 0), "twice is once"
    assert sorted(await due(world, client)) == sorted(
        [(rider, 3, "reissued"), (rider, 4, "reissued"), (other, 2, "reissued")]
    )
    found = (await current(world, client, rider))["authorisations"]
    assert [(it["serial"], it["replaces"], it["key_id"]) for it in found] == [(3, 1, 5), (4, 2, 5)]
    fetched = phone_of(found[0], phone.device_key)
    was, now = phone.authorisation, fetched.authorisation
    assert (now.quota, now.rider_class, now.device_key) == (77, 3, was.device_key)
    assert (now.not_before, now.life_h) == (was.not_before, was.life_h)
    assert (await enter(world, second, fetched))["open"] is True
    assert phone_of(found[1], tablet.device_key).authorisation.serial == 4


async def test_two_runs_and_wallets_at_once_sign_each_device_again_once(world: World) -> None:
    client = await world.start()
    riders = [await enrol(world, client, f"a{n}") for n in range(12)]
    phones = [(await authorise(world, client, r, f"r{n}"))[1] for n, r in enumerate(riders)]
    await compromise(world, client)
    await new_key(world, client)

    async def renew(n: int) -> None:
        device = phones[n].authorisation.device_key.hex()
        body = {"request_id": f"n{n}", "device_public_key": device}
        await call(world, client, "POST", f"/v1/riders/{riders[n]}/authorisations", body)

    runs = [again(world, batch=2) for _ in range(3)]
    await asyncio.gather(*runs, *(renew(n) for n in range(0, 12, 2)))
    doubles = "select count(*) from authorisation where replaces is not null group by replaces,"
    assert await world.rows(f"{doubles} rider_id having count(*) > 1") == []
    for rider in riders:
        found = (await current(world, client, rider))["authorisations"]
        assert [it["key_id"] for it in found] == [5]


async def test_a_key_signs_nothing_after_its_compromise_even_before_the_list_is_here(
    world: World,
) -> None:
    private = await own_key(world, 7)
    client = await world.start()
    rider = await enrol(world, client)
    body, _ = signed(private, 7, rider, AT)
    conn = await gateway_role(world)
    for key_id in (1, 7):
        await issuer_keys.compromise_key(conn, key_id, "admin", AT)
    path = f"/v1/riders/{rider}/authorisations"
    problem = await call(world, client, "POST", f"{path}/signed", body, status=422)
    assert problem["code"] == "key_not_usable"
    wish = {"request_id": "r", "device_public_key": body["issuer_part"][30:96]}
    assert (await call(world, client, "POST", path, wish, status=503))["code"] == "no_issuer_key"
    assert await world.value("select count(*) from authorisation") == 0


async def test_re_issue_passes_over_debtors_lost_phones_and_what_is_over_or_renewed(
    world: World,
) -> None:
    client = await world.start()
    names = ("debtor", "lost", "over", "renewed", "left")
    riders = {name: await enrol(world, client, name) for name in names}
    for name, rider in riders.items():
        hours = 1 if name == "over" else 72
        _, phone = await authorise(world, client, rider, f"{name}-1", life_hours=hours)
        if name == "renewed":
            renewed = phone.authorisation.device_key.hex()
    lost = {"through_serial": 1, "reason": "lost"}
    path = f"/v1/riders/{riders['lost']}/revocations"
    await call(world, client, "POST", path, lost, status=202)
    conn = await world.db.connect("transitpay_settlement")
    await conn.execute(
        "insert into deny_request (issuer, rider_id, action, reason, requested_at)"
        " values ($1, $2, 'deny', 'arrears', $3)", WALLET, riders["debtor"], AT,
    )  # fmt: skip
    world.clock.advance(timedelta(hours=1))
    await compromise(world, client)
    await new_key(world, client)
    path = f"/v1/riders/{riders['renewed']}/authorisations"
    body = {"request_id": "again", "device_public_key": renewed}
    await call(world, client, "POST", path, body)
    assert (await again(world)).authorisations == 1
    rows = await world.rows("select rider_id, replaces from authorisation where request_id is null")
    assert [tuple(row) for row in rows] == [(riders["left"], 1)]


async def test_re_issue_needs_a_compromised_key_and_another_one_to_sign_with(
    world: World,
) -> None:
    client = await world.start()
    await authorise(world, client, await enrol(world, client))
    for key_id, code in ((1, "key_not_compromised"), (99, "not_found")):
        with pytest.raises(RuleViolation) as refused:
            await again(world, key_id)
        assert refused.value.code == code
    await compromise(world, client)
    with pytest.raises(TemporarilyUnavailable) as missing:
        await again(world)
    assert missing.value.code == "no_issuer_key"
    await new_key(world, client, destinations=2)
    assert await again(world) == Reissued(1, 5, 1, 0, 1), "no destination in common"


async def test_a_key_that_another_wallet_holds_never_signs_for_this_one(world: World) -> None:
    client = await world.start()
    await compromise(world, client)
    folder: Path = world.key_folder
    assert (folder / "issuer-2.pem").exists(), "the other wallet's key is there"
    with pytest.raises(TemporarilyUnavailable):
        await again(world)


@pytest.mark.parametrize(("seconds", "expected"), [(0, True), (-1, False)])
async def test_an_authorisation_is_due_for_renewal_at_half_its_life(
    world: World, seconds: int, expected: bool
) -> None:
    client = await world.start()
    rider = await enrol(world, client)
    given, _ = await authorise(world, client, rider, life_hours=72)
    assert given["renew_at"] == (AT + timedelta(hours=36)).isoformat().replace("+00:00", "Z")
    world.clock.at = AT + timedelta(hours=36, seconds=seconds)
    assert await due(world, client) == ([(rider, 1, "ends")] if expected else [])
    world.clock.at = AT + timedelta(hours=72)
    assert await due(world, client) == [], "what is over is not renewed but asked for"


async def test_a_key_that_ends_before_its_authorisation_makes_it_due_earlier(
    world: World,
) -> None:
    client = await world.start()
    conn = await gateway_role(world)
    rider = await enrol(world, client)
    await issuer_keys.compromise_key(conn, 1, "admin", AT)
    await new_key(world, client, days=1)
    given, phone = await authorise(world, client, rider, life_hours=72)
    assert given["renew_at"] == (AT + timedelta(hours=12)).isoformat().replace("+00:00", "Z")
    world.clock.at = AT + timedelta(hours=12)
    assert await due(world, client) == [(rider, 1, "ends")]
    assert phone.authorisation.life_h == 72


async def test_renewals_are_paged_by_rider_and_serial_and_belong_to_one_wallet(
    world: World,
) -> None:
    client = await world.start()
    riders = sorted([await enrol(world, client, f"a{n}") for n in range(5)])
    for n, rider in enumerate(riders):
        await authorise(world, client, rider, f"r{n}")
    world.clock.advance(timedelta(hours=40))
    found, path = [], f"{RENEWALS}?limit=2"
    while True:
        page = await call(world, client, "GET", path)
        found += [it["rider_id"] for it in page["renewals"]]
        if page["next_cursor"] is None:
            break
        path = f"{RENEWALS}?limit=2&cursor={page['next_cursor']}"
    assert found == riders
    other = await call(world, client, "GET", RENEWALS, wallet=OTHER_WALLET)
    assert other["renewals"] == []
    for bad in ("abc", "0-1", f"{riders[0]}-x"):
        problem = await call(world, client, "GET", f"{RENEWALS}?cursor={bad}", status=400)
        assert problem["code"] == "bad_cursor"
    stranger = await current(world, client, riders[0], wallet=OTHER_WALLET, status=404)
    assert stranger["code"] == "not_found"


async def test_a_renewed_device_has_one_current_authorisation_and_the_denied_serials_are_told(
    world: World,
) -> None:
    client = await world.start()
    rider = await enrol(world, client)
    _, phone = await authorise(world, client, rider, "r1")
    path = f"/v1/riders/{rider}/authorisations"
    device = phone.authorisation.device_key.hex()
    await call(world, client, "POST", path, {"request_id": "r2", "device_public_key": device})
    answer = await current(world, client, rider)
    assert [it["serial"] for it in answer["authorisations"]] == [2]
    assert answer["authorisations"][0]["device_public_key"] == device
    assert answer["denied_through"] == 0
    revoke = {"through_serial": 2, "reason": "lost"}
    await call(world, client, "POST", f"/v1/riders/{rider}/revocations", revoke, status=202)
    await refresh(client)
    answer = await current(world, client, rider)
    assert (answer["authorisations"], answer["denied_through"]) == ([], 2)


async def test_a_wallet_that_signs_by_itself_is_told_to_renew_too(world: World) -> None:
    private = await own_key(world, 7)
    client = await world.start()
    rider = await enrol(world, client)
    body, _ = signed(private, 7, rider, AT)
    await call(world, client, "POST", f"/v1/riders/{rider}/authorisations/signed", body)
    await compromise(world, client, key_id=7)
    assert await due(world, client) == [(rider, 1, "key_compromised")]
