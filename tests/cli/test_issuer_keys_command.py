"""``transitpay keys`` leads issuer keys from proposal to compromise and mass re-issue."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from transitpay.cli import cli
from transitpay.errors import RuleViolation
from transitpay.money import HKD
from transitpay.postgres.reference import Actor, Participant, Role
from transitpay.postgres.trust import authorisations, lists
from transitpay.ride_code import keys, signing
from transitpay.ride_code.issuing import Wish, issue
from transitpay.ride_code.signing import Algorithm
from transitpay.runtime import access, issuer_keys
from transitpay.runtime.config import Settings
from transitpay.runtime.issuer_keys import IssuerKeys, KeyProposal
from transitpay.runtime.reissue import reissue_all

WALLET = "alipayhk"
RIDERS = 30


@pytest.fixture
async def home(db: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    conn = await db.connect("transitpay_gateway")
    at = datetime.now(UTC) - timedelta(hours=1)
    await access.enrol_participant(conn, Participant(WALLET, "wallet", "W", "HKD"), at)
    for actor_id, role, participant in (("admin", Role.ADMIN, None), ("w", Role.WALLET, WALLET)):
        await access.admit_actor(conn, Actor(actor_id, actor_id, role, participant), at)
    folder = db.settings.home / "keys"
    key = await access.enrol_issuer_key(conn, WALLET, 1, folder, at, destinations=3, modes=3)
    private = IssuerKeys(folder).signing_key(await lists.trust_list(conn), WALLET, at)[1]
    point = keys.public_bytes(keys.generate_device_key())
    given = [
        issue(Wish(f"r{n}", point), WALLET, f"{n:016x}", 1, 1, HKD, key, private, at)
        for n in range(RIDERS)
    ]
    await conn.executemany(
        "insert into rider (issuer, rider_id, enrolled_at) values ($1, $2, $3)",
        [(WALLET, it.rider_id, at) for it in given],
    )
    await authorisations.insert(conn, given)
    for name, value in db.settings.environment().items():
        monkeypatch.setenv(name, value)
    return conn


async def run(*words: str, command: str = "keys") -> Any:
    def once() -> Any:
        return CliRunner().invoke(cli, [command, *words, "--json"], catch_exceptions=False)

    result = await asyncio.to_thread(once)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


async def test_a_compromised_key_is_replaced_and_its_riders_signed_again(home: Any) -> None:
    bad = await run("compromise", "1", "--by", "admin")
    assert bad["status"] == "compromised"
    assert await run("compromise", "1", "--by", "admin") == bad, "twice is once"
    await run("issuer-key", "2", "--wallet", WALLET, command="access")
    found = await run("reissue", "1")
    assert found == {
        "old_key": 1, "new_key": 2, "riders": RIDERS, "authorisations": RIDERS, "left_out": 0,
    }  # fmt: skip
    assert (await run("reissue", "1"))["riders"] == 0, "twice is once"
    assert await home.fetchval("select count(*) from authorisation where key_id = 2") == RIDERS
    listed = {it["key_id"]: it["status"] for it in (await run("list"))["keys"]}
    assert listed == {1: "compromised", 2: "active"}


async def test_a_run_that_was_broken_off_goes_on_where_it_stopped(home: Any) -> None:
    await run("compromise", "1", "--by", "admin")
    await run("issuer-key", "2", "--wallet", WALLET, command="access")
    folder, at = Settings.from_environment().home / "keys", datetime.now(UTC)

    def stop(done: int, total: int) -> None:
        if done >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await reissue_all(home, 1, folder, at, stop, batch=10)
    assert await home.fetchval("select count(*) from authorisation where key_id = 2") == 10
    assert (await run("reissue", "1"))["authorisations"] == RIDERS - 10
    doubles = "select count(*) from authorisation group by rider_id having count(*) <> 2"
    assert await home.fetch(doubles) == []


async def test_a_proposed_key_is_activated_by_an_admin_and_retired(home: Any) -> None:
    private = keys.generate_issuer_key()
    public = keys.public_bytes(private)
    proof = signing.prove_possession(WALLET, public, private)
    proposal = KeyProposal(WALLET, Algorithm.ES256, public, 1, 1, proof)
    request = await issuer_keys.propose_key(home, proposal, "w", datetime.now(UTC))
    number = str(request.key_id)
    listed = {it["key_id"]: it["status"] for it in (await run("list", "--wallet", WALLET))["keys"]}
    assert listed == {1: "active", request.key_id: "proposed"}
    with pytest.raises(RuleViolation, match="no admin"):
        await run("activate", number, "--by", "w")
    made = await run("activate", number, "--by", "admin", "--days", "30")
    assert (made["status"], made["destinations"], made["modes"]) == (
        "active", "hong-kong", "metro",
    )  # fmt: skip
    assert (await run("retire", number, "--by", "admin"))["status"] == "retired"
