"""Every refusal at the gate is a 200 that opens nothing, is stored, and says why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from gateway_world import AT, World

from gateway.app import SERVICES
from transitpay.postgres.trust import lists
from transitpay.ride_code import keys
from transitpay.ride_code.trust_list import KeyStatus
from transitpay.taps import Direction

EARLY = AT - timedelta(seconds=61)

#: reason -> the text that a rider shows.
CODES: dict[str, Callable[[World], str]] = {
    "unreadable": lambda w: "WIFI:S:cafe;T:WPA;;",
    "unknown_key": lambda w: w.phone(key_id=77).draw(AT),
    "authorisation_expired": lambda w: w.phone(
        not_before=int(AT.timestamp()) - 7200, life_h=1
    ).draw(AT),
    "authorisation_not_yet_valid": lambda w: w.phone(not_before=int(AT.timestamp()) + 60).draw(AT),
    "code_stale": lambda w: w.phone().draw(EARLY),
    "code_from_future": lambda w: w.phone().draw(AT + timedelta(seconds=21)),
    "wrong_destination": lambda w: w.phone().draw(AT, destination=1),
    "destination_not_allowed": lambda w: w.phone(destinations=2).draw(AT),
    "mode_not_allowed": lambda w: w.phone(modes=2).draw(AT),
    "companion_not_allowed": lambda w: w.phone(max_companions=0).draw(AT, slot=1),
    "quota_exceeded": lambda w: w.phone(quota=3).draw(AT, counter=4),
    "bad_issuer_signature": lambda w: replace(w.phone(), issuer_signature=bytes([1] * 64)).draw(AT),
    "bad_device_signature": lambda w: replace(
        w.phone(), device_key=keys.generate_device_key()
    ).draw(AT),
}


@pytest.mark.parametrize("reason", CODES)
async def test_a_refused_code_opens_nothing_and_is_kept_with_its_reason(
    world: World, reason: str
) -> None:
    client = await world.start()
    body = world.scan("mtr-in-1", CODES[reason](world))
    answer = await world.tap(client, "mtr-in-1", body)
    assert (answer["decision"], answer["open"], answer["signal"]) == ("refused", False, "red")
    assert answer["reason"] == reason and set(answer["text"]) == {"zh-Hant", "zh-Hans", "en"}
    [row] = await world.rows("select decision, reason, code, rider_id from tap")
    assert (row["decision"], row["reason"]) == ("refused", reason)
    assert row["code"].decode() == body["code"]
    assert (row["rider_id"] is not None) == (reason == "quota_exceeded"), "only a proven rider"
    for table in ("tap_inbox", "presence", "code_use"):
        assert await world.value(f"select count(*) from {table}") == 0
    assert await world.tap(client, "mtr-in-1", body) == answer


async def test_a_compromised_key_is_refused_once_the_list_is_here(world: World) -> None:
    client = await world.start()
    conn = await world.db.connect("transitpay_gateway")
    known = (await lists.trust_list(conn)).keys[1]
    bad = replace(known, status=KeyStatus.COMPROMISED, compromised_at=AT)
    assert await lists.put_issuer_key(conn, bad, AT)
    await refresh(client)
    answer = await world.tap(client, "mtr-in-1", world.scan("mtr-in-1", world.phone().draw(AT)))
    assert answer["reason"] == "key_compromised"


async def test_an_excluded_service_takes_no_code(world: World) -> None:
    conn = await world.db.connect("transitpay_gateway")
    await world.reader(conn, "aex-1", "mtr", Direction.ENTRY, service_excluded=True)
    client = await world.start()
    answer = await world.tap(client, "aex-1", world.scan("aex-1", world.phone().draw(AT)))
    assert answer["reason"] == "service_excluded"


@pytest.mark.parametrize(
    ("off_s", "opens"),
    [(20, True), (21, False), (-20, True), (-21, False), (300, False), (-300, False),
     (86_400, False), (-86_400, False)],
)  # fmt: skip
async def test_case_37_an_online_reader_may_be_twenty_seconds_off(
    world: World, off_s: int, opens: bool
) -> None:
    client = await world.start()
    at = AT + timedelta(seconds=off_s)
    body = world.scan("mtr-in-1", world.phone().draw(at), at=at)
    answer = await world.tap(client, "mtr-in-1", body)
    assert (answer["open"], answer["reason"]) == (opens, None if opens else "clock_fault")


async def test_an_exit_with_a_wrong_clock_opens_and_is_flagged(world: World) -> None:
    client = await world.start()
    at = AT + timedelta(seconds=60)
    body = world.scan("mtr-out-1", world.phone().draw(at), at=at)
    answer = await world.tap(client, "mtr-out-1", body)
    assert answer["open"] is True and "clock_fault" in answer["flags"]


async def test_a_denied_rider_is_refused_until_the_next_serial(world: World) -> None:
    client = await world.start()
    phone = world.phone(serial=1)
    rider = phone.authorisation.rider_id
    await seed_authorisation(world, rider)
    await ask(world, rider, "deny")
    await refresh(client)
    refused = await world.tap(client, "mtr-in-1", world.scan("mtr-in-1", phone.draw(AT)))
    assert refused["reason"] == "denied"
    exit_ = await world.tap(client, "mtr-out-1", world.scan("mtr-out-1", phone.draw(AT)))
    assert exit_["open"] is True and "denied" in exit_["flags"], "who is inside gets out"
    newer = world.phone(serial=2, rider_id=rider)
    assert (await world.tap(client, "mtr-in-1", world.scan("mtr-in-1", newer.draw(AT))))["open"]


async def test_a_released_rider_rides_again(world: World) -> None:
    client = await world.start()
    phone = world.phone()
    rider = phone.authorisation.rider_id
    await seed_authorisation(world, rider)
    await ask(world, rider, "deny")
    await refresh(client)
    await ask(world, rider, "release")
    await refresh(client)
    assert (await world.tap(client, "mtr-in-1", world.scan("mtr-in-1", phone.draw(AT))))["open"]


async def refresh(client: Any) -> None:
    await client.app[SERVICES].lists.refresh()


async def seed_authorisation(world: World, rider: str) -> None:
    conn = await world.db.connect()
    await conn.execute(
        "insert into rider (issuer, rider_id, enrolled_at) values ('alipayhk', $1, $2)", rider, AT
    )
    await conn.execute(
        "insert into authorisation values ('alipayhk', $1, 1, $1, $2, $3, $4, $5, $5, $5)",
        rider, bytes(33), bytes(65), bytes(64), AT,
    )  # fmt: skip


async def ask(world: World, rider: str, action: str) -> None:
    conn = await world.db.connect("transitpay_settlement")
    await conn.execute(
        "insert into deny_request (issuer, rider_id, action, reason, requested_at)"
        " values ('alipayhk', $1, $2, 'arrears', $3)", rider, action, AT,
    )  # fmt: skip
