"""A wallet signs by itself: its key is proposed and approved, what it signs is reported."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from gateway_world import AT, OTHER_WALLET, WALLET, World
from issuer_world import authorise, enrol, enter, own_key, refresh, signed
from test_wallet_calls import call

from transitpay.errors import RuleViolation
from transitpay.ride_code import keys, signing
from transitpay.ride_code.signing import Algorithm
from transitpay.ride_code.trust_list import KeyStatus
from transitpay.runtime import issuer_keys
from transitpay.runtime.reissue import reissue_all

KEYS = "/v1/wallet/issuer-keys"


def proposal(private: Any, wallet: str = WALLET, **fields: Any) -> dict[str, Any]:
    public = keys.public_bytes(private)
    return {
        "algorithm": str(keys.algorithm_of(private)),
        "public_key": public.hex(),
        "destinations": ["hong-kong"],
        "modes": ["metro"],
        "proof": signing.prove_possession(wallet, public, private).hex(),
        **fields,
    }


@pytest.mark.parametrize("algorithm", [Algorithm.ES256, Algorithm.ED25519])
async def test_a_proposed_key_signs_once_an_admin_has_activated_it(
    world: World, algorithm: Algorithm
) -> None:
    client = await world.start()
    private = keys.generate_issuer_key(algorithm)
    answers = await asyncio.gather(
        *(call(world, client, "POST", KEYS, proposal(private)) for _ in range(4))
    )
    assert all(answer == answers[0] for answer in answers)
    key_id = answers[0]["key_id"]
    assert (key_id, answers[0]["status"]) == (3, "proposed"), "1 and 2 are taken"
    rider = await enrol(world, client)
    body, phone = signed(private, key_id, rider, AT, modes=1)
    path = f"/v1/riders/{rider}/authorisations/signed"
    early = await call(world, client, "POST", path, body, status=422)
    assert early["code"] == "key_not_usable"
    assert (await enter(world, client, phone))["reason"] == "unknown_key"
    conn = await world.db.connect("transitpay_gateway")
    key = await issuer_keys.activate_key(conn, key_id, "admin", AT, 365)
    assert key == await issuer_keys.activate_key(conn, key_id, "admin", AT, 365), "twice is once"
    await refresh(client)
    [listed] = [
        it for it in (await call(world, client, "GET", KEYS))["keys"] if it["key_id"] == key_id
    ]
    assert (listed["status"], listed["destinations"], listed["modes"]) == (
        "active", ["hong-kong"], ["metro"],
    )  # fmt: skip
    assert (await call(world, client, "POST", path, body))["serial"] == 1
    assert (await enter(world, client, phone))["open"] is True
    row = (await world.rows("select proposed_by, approved_by from approval"))[0]
    assert tuple(row) == (f"wallet:{WALLET}", "admin")


async def test_a_key_is_proposed_only_by_who_has_its_private_half(world: World) -> None:
    client = await world.start()
    private, other = keys.generate_issuer_key(), keys.generate_issuer_key()
    public = keys.public_bytes(private)
    for proof in (
        signing.prove_possession(WALLET, public, other),
        signing.prove_possession(OTHER_WALLET, public, private),
        bytes(64),
    ):
        problem = await call(
            world, client, "POST", KEYS, proposal(private, proof=proof.hex()), status=400
        )
        assert problem["code"] == "bad_proof"
    bad = proposal(private, public_key="02" + "ff" * 32)
    assert (await call(world, client, "POST", KEYS, bad, status=400))["code"] == "bad_public_key"
    await call(world, client, "POST", KEYS, proposal(private))
    more = proposal(private, modes=["metro", "bus"])
    problem = await call(world, client, "POST", KEYS, more, status=409)
    assert problem["code"] == "request_repeated"
    assert await world.value("select count(*) from issuer_key_request") == 1


async def test_nobody_but_an_admin_who_did_not_propose_it_activates_a_key(world: World) -> None:
    client = await world.start()
    key_id = (await call(world, client, "POST", KEYS, proposal(keys.generate_issuer_key())))[
        "key_id"
    ]
    conn = await world.db.connect("transitpay_gateway")
    for by in (f"wallet:{WALLET}", "finance", "nobody"):
        with pytest.raises(RuleViolation) as refused:
            await issuer_keys.activate_key(conn, key_id, by, AT, 365)
        assert refused.value.code == "forbidden"
    with pytest.raises(RuleViolation) as unknown:
        await issuer_keys.activate_key(conn, 99, "admin", AT, 365)
    assert unknown.value.code == "not_found"
    await conn.execute("update approval set proposed_by = 'admin'")
    with pytest.raises(RuleViolation) as own:
        await issuer_keys.activate_key(conn, key_id, "admin", AT, 365)
    assert own.value.code == "four_eyes"
    other = await call(world, client, "GET", KEYS, wallet=OTHER_WALLET)
    assert [it["key_id"] for it in other["keys"]] == [2]


async def test_a_reported_authorisation_is_stored_once_and_a_denial_knows_its_serial(
    world: World,
) -> None:
    private = await own_key(world, 7)
    client = await world.start()
    rider = await enrol(world, client)
    path = f"/v1/riders/{rider}/authorisations/signed"
    body, phone = signed(private, 7, rider, AT, serial=41)
    answers = await asyncio.gather(*(call(world, client, "POST", path, body) for _ in range(4)))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["renew_at"] == "2026-10-31T01:00:00Z", "half of 48 hours"
    assert await world.value("select count(*) from authorisation") == 1
    other, _ = signed(private, 7, rider, AT, serial=41)
    problem = await call(world, client, "POST", path, other, status=409)
    assert problem["code"] == "serial_repeated"
    lower, _ = signed(private, 7, rider, AT, serial=40)
    problem = await call(world, client, "POST", path, lower, status=409)
    assert problem["code"] == "serial_not_rising"
    assert (await enter(world, client, phone))["open"] is True
    revoke = {"through_serial": 41, "reason": "lost"}
    await call(world, client, "POST", f"/v1/riders/{rider}/revocations", revoke, status=202)
    await refresh(client)
    assert (await enter(world, client, phone, "mtr-in-2"))["reason"] == "denied"
    given, _ = await authorise(world, client, rider)
    assert given["serial"] == 42, "hosted serials go on from reported ones"


#: what is changed in an authorisation -> (status, code).
WRONG = {
    "another rider": ({"rider_id": "f" * 16}, 400, "bad_authorisation"),
    "serial 0": ({"serial": 0}, 400, "bad_authorisation"),
    "no point": ({"device_key": b"\x02" + b"\xff" * 32}, 400, "bad_device_key"),
    "no such key": ({"key_id": 99}, 422, "key_not_usable"),
    "another wallet's key": ({"key_id": 2}, 422, "key_not_usable"),
    "a hosted key's number": ({"key_id": 1}, 400, "bad_issuer_signature"),
    "before its key": ({"not_before": int(AT.timestamp()) - 86401}, 422, "key_not_usable"),
    "a destination the key has not": ({"destinations": 5}, 422, "rights_exceeded"),
    "a destination the rider has not": ({"destinations": 3}, 422, "rights_exceeded"),
    "no destination": ({"destinations": 0}, 422, "rights_exceeded"),
    "a mode the key has not": ({"modes": 7}, 422, "rights_exceeded"),
}


@pytest.mark.parametrize("what", WRONG)
async def test_what_a_wallet_may_not_sign_is_not_stored(world: World, what: str) -> None:
    private = await own_key(world, 7)
    client = await world.start()
    rider = await enrol(world, client)
    changes, status, code = WRONG[what]
    fields = {"key_id": 7, "rider": rider, **changes}
    fields["rider"] = fields.pop("rider_id", rider)
    body, _ = signed(private, at=AT, **fields)
    path = f"/v1/riders/{rider}/authorisations/signed"
    assert (await call(world, client, "POST", path, body, status=status))["code"] == code
    assert await world.value("select count(*) from authorisation") == 0


async def test_bytes_that_are_no_authorisation_are_refused(world: World) -> None:
    private = await own_key(world, 7)
    client = await world.start()
    rider = await enrol(world, client)
    body, _ = signed(private, 7, rider, AT)
    path = f"/v1/riders/{rider}/authorisations/signed"
    for at, value in ((0, "02"), (104, "a9"), (126, "ff")):  # version, life 169 h, reserved
        spoiled = {**body, "issuer_part": body["issuer_part"][:at] + value
                   + body["issuer_part"][at + 2 :]}  # fmt: skip
        problem = await call(world, client, "POST", path, spoiled, status=400)
        assert problem["code"] == "bad_authorisation"
    s = signing.P256_ORDER - int(body["signature"][64:], 16)
    high = {**body, "signature": body["signature"][:64] + f"{s:064x}"}
    problem = await call(world, client, "POST", path, high, status=400)
    assert problem["code"] == "bad_issuer_signature"
    stranger = await call(world, client, "POST", path, body, wallet=OTHER_WALLET, status=404)
    assert stranger["code"] == "not_found"


@pytest.mark.parametrize("status", [KeyStatus.RETIRED, KeyStatus.COMPROMISED])
async def test_a_key_that_is_not_active_signs_nothing_new(world: World, status: KeyStatus) -> None:
    private = await own_key(world, 7, status=status)
    client = await world.start()
    rider = await enrol(world, client)
    body, _ = signed(private, 7, rider, AT)
    path = f"/v1/riders/{rider}/authorisations/signed"
    problem = await call(world, client, "POST", path, body, status=422)
    assert problem["code"] == "key_not_usable"


async def test_a_rider_in_debt_gets_nothing_from_the_wallet_s_own_key_either(
    world: World,
) -> None:
    private = await own_key(world, 7)
    client = await world.start()
    rider = await enrol(world, client)
    conn = await world.db.connect("transitpay_settlement")
    await conn.execute(
        "insert into deny_request (issuer, rider_id, action, reason, requested_at)"
        " values ($1, $2, 'deny', 'arrears', $3)", WALLET, rider, AT,
    )  # fmt: skip
    await refresh(client)
    body, _ = signed(private, 7, rider, AT)
    path = f"/v1/riders/{rider}/authorisations/signed"
    problem = await call(world, client, "POST", path, body, status=422)
    assert problem["code"] == "rider_denied"


@pytest.mark.parametrize(("begins_s", "status"), [(-1, 200), (0, 422)])
async def test_an_authorisation_begins_before_its_key_ends(
    world: World, begins_s: int, status: int
) -> None:
    private = await own_key(world, 7, not_after=AT + timedelta(hours=1))
    client = await world.start()
    rider = await enrol(world, client)
    body, _ = signed(private, 7, rider, AT + timedelta(hours=1, seconds=begins_s))
    path = f"/v1/riders/{rider}/authorisations/signed"
    await call(world, client, "POST", path, body, status=status)


async def test_a_wallets_own_compromised_key_is_not_signed_again_by_ours(world: World) -> None:
    """Its riders are told; the wallet signs by itself, though we host another key of it."""
    client = await world.start()
    rider, private = await enrol(world, client), keys.generate_issuer_key()
    body = proposal(private)
    asked = await call(world, client, "POST", "/v1/wallet/issuer-keys", body)
    conn = await world.db.connect("transitpay_gateway")
    await issuer_keys.activate_key(conn, asked["key_id"], "admin", AT, 365)
    await refresh(client)
    report, _ = signed(private, asked["key_id"], rider, AT, modes=1)
    await call(world, client, "POST", f"/v1/riders/{rider}/authorisations/signed", report)
    await issuer_keys.compromise_key(conn, asked["key_id"], "admin", AT)
    with pytest.raises(RuleViolation, match="signs again by itself"):
        await reissue_all(conn, asked["key_id"], world.key_folder, AT, lambda done, total: None)
    await refresh(client)
    found = await call(world, client, "GET", "/v1/wallet/renewals")
    assert [(it["rider_id"], it["reason"]) for it in found["renewals"]] == [
        (rider, "key_compromised")
    ]
