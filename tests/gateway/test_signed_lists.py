"""Signed lists as readers fetch them: alike from every gateway, whole or delta, only forward."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from gateway_world import AT, WALLET, World
from list_gate import CONFIG, DENY, READER, TRUST, Gate, ask_settlement, refresh, told_config

from gateway.app import SERVICES
from transitpay.postgres.reference import ReaderRegistration
from transitpay.postgres.trust import lists
from transitpay.postgres.trust.published_lists import KEPT_VERSIONS
from transitpay.ride_code.lists import signed_list
from transitpay.ride_code.lists.list_taking import Refused, take
from transitpay.ride_code.lists.signed_list import Delta, ListKind
from transitpay.ride_code.lists.trust_records import trust_list_of
from transitpay.ride_code.verdict import Accepted, Rejected
from transitpay.taps import Direction

SECOND = timedelta(seconds=1)


async def test_a_gate_judges_alone_by_the_lists_it_was_sent(world: World) -> None:
    client = await world.start()
    gate = Gate(world, client)
    for kind in ListKind:
        assert await gate.ask(kind) == "taken"
    phone = world.phone(serial=0)
    assert isinstance(gate.judge(phone.draw(AT)), Accepted)
    await ask_settlement(world, "deny", phone.authorisation.rider_id)
    await refresh(client)
    assert await gate.ask(DENY) == "taken" and gate.version(DENY) == 2
    denied = gate.judge(phone.draw(AT))
    assert isinstance(denied, Rejected) and denied.reason == "denied"
    assert (await world.tap(client, READER, world.scan(READER, phone.draw(AT))))[
        "reason"
    ] == "denied"
    await ask_settlement(world, "release", phone.authorisation.rider_id)
    await refresh(client)
    assert await gate.ask(DENY) == "taken" and len(gate.held[DENY].table) == 0
    assert isinstance(gate.judge(phone.draw(AT)), Accepted)


async def test_a_delta_comes_where_it_is_shorter_and_the_whole_list_where_it_is_not(
    world: World,
) -> None:
    client = await world.start()
    await ask_settlement(world, "deny", *(f"{n:016x}" for n in range(100)))
    await refresh(client)
    gate, late = Gate(world, client), Gate(world, client)
    assert await gate.ask(DENY) == "taken" and not gate.was_delta
    late.held = dict(gate.held)
    for rider in (7, 200, 3):
        await ask_settlement(world, "release" if rider == 7 else "deny", f"{rider:016x}")
        await refresh(client)
        assert await gate.ask(DENY) == "taken"
        assert gate.was_delta and len(gate.came) == 302 + 15
    assert await late.ask(DENY) == "taken" and len(late.came) == 302 + 3 * 15
    assert late.held[DENY].table.records == gate.held[DENY].table.records
    assert await late.ask(DENY) == "unchanged" and len(late.came) == 302
    await ask_settlement(world, "deny", *(f"{n:016x}" for n in range(100)))
    await refresh(client)
    assert await gate.ask(DENY) == "taken" and not gate.was_delta


async def test_a_reader_that_has_what_never_was_asks_for_the_whole_list(world: World) -> None:
    client = await world.start()
    await ask_settlement(world, "deny", *(f"{n:016x}" for n in range(40)))
    await refresh(client)
    gate = Gate(world, client)
    await gate.ask(DENY)
    head = replace(gate.held[DENY].head, version=1)
    strange = signed_list.SignedList(head, DENY.table(b"\x00\x01" + bytes(12)))
    await ask_settlement(world, "deny", "ff" * 8)
    await refresh(client)
    gate.held[DENY] = strange
    assert await gate.ask(DENY) in ("list_bad_digest", "taken")
    gate.held[DENY] = strange
    assert await gate.ask(DENY, whole=True) == "taken"


async def test_every_gateway_serves_the_same_bytes(world: World) -> None:
    first, second = await world.start(), await world.start()
    await ask_settlement(world, "deny", *(f"{n:016x}" for n in range(30)))
    await asyncio.gather(*(refresh(c) for c in (first, second, first, second)))
    await asyncio.gather(refresh(first), refresh(second))
    for kind in ListKind:
        gates = Gate(world, first), Gate(world, second)
        assert [await gate.ask(kind) for gate in gates] == ["taken", "taken"]
        assert gates[0].came == gates[1].came
    count = "select count(*) from published_list where version = $1 and list = $2"
    assert await world.value(count, 1, "config") == 1


async def test_the_entity_tag_of_a_list_spares_its_bytes(world: World) -> None:
    client = await world.start()
    for kind in ListKind:
        path, headers = f"/v1/lists/{kind}", world.auth(READER)
        async with client.get(path, headers=headers) as answer:
            tag = answer.headers["ETag"]
            assert answer.status == 200 and tag.startswith(f'"{kind}-1-')
        for asked in (tag, f'"other", W/{tag}'):
            async with client.get(path, headers={**headers, "If-None-Match": asked}) as answer:
                assert answer.status == 304 and await answer.read() == b""
        async with client.get(path, headers={**headers, "If-None-Match": '"deny-1-9"'}) as answer:
            assert answer.status == 200


async def test_a_reader_gets_its_own_settings_and_the_next_version_when_they_change(
    world: World,
) -> None:
    client = await world.start()
    gate, bus = Gate(world, client), Gate(world, client, "kmb-bus-1")
    assert [await gate.ask(CONFIG), await bus.ask(CONFIG)] == ["taken", "taken"]
    assert gate.config() == {
        "operator": "mtr", "network": "mtr", "stop": "HUH", "direction": "entry",
        "destination": "0", "mode": "0", "passback_s": "300", "test_keys_allowed": "1",
    }  # fmt: skip
    assert (bus.config()["network"], bus.config()["direction"]) == ("kmb", "board")
    stolen = take(gate.came, None, bus.wanted(CONFIG), AT)
    assert isinstance(stolen, Refused) and stolen.reason == "list_wrong_scope"
    assert await gate.ask(CONFIG) == "unchanged"
    conn = await world.db.connect("transitpay_gateway")
    await world.reader(conn, READER, "mtr", Direction.EXIT, service_excluded=True)
    gate.client, other = await world.start(), await world.start()
    both = gate, Gate(world, other)
    both[1].held = dict(gate.held)
    assert await asyncio.gather(*(one.ask(CONFIG) for one in both)) == ["taken", "taken"]
    assert both[0].came == both[1].came and gate.was_delta and gate.version(CONFIG) == 2
    assert (gate.config()["direction"], gate.config()["service_excluded"]) == ("exit", "1")


async def test_a_change_of_the_trust_list_reaches_a_reader_as_a_delta(world: World) -> None:
    client = await world.start()
    gate = Gate(world, client)
    await gate.ask(TRUST)
    async with client.get("/healthz") as answer:
        assert gate.version(TRUST) == (await answer.json())["trust_version"]
    conn = await world.db.connect("transitpay_gateway")
    known = (await lists.trust_list(conn)).keys[1]
    await lists.put_issuer_key(conn, replace(known, not_after=known.not_after + SECOND), AT)
    await refresh(client)
    assert await gate.ask(TRUST) == "taken" and gate.was_delta
    assert len(Delta.parse(gate.came).changes) == 1
    found = trust_list_of(gate.version(TRUST), gate.held[TRUST].table)
    assert found == await lists.trust_list(conn)


async def test_a_key_that_no_record_can_hold_stops_no_other_list(world: World) -> None:
    client = await world.start()
    gate = Gate(world, client)
    await gate.ask(TRUST)
    conn = await world.db.connect("transitpay_gateway")
    known = (await lists.trust_list(conn)).keys[1]
    await lists.put_issuer_key(conn, replace(known, not_after=AT + timedelta(40_000)), AT)
    await ask_settlement(world, "deny", "0" * 16)
    await refresh(client)
    assert await gate.ask(DENY) == "taken" and len(gate.held[DENY].table) == 1
    assert await gate.ask(TRUST) == "unchanged", "the list of before is served"
    phone = world.phone(serial=0, rider_id="0" * 16)
    body = world.scan(READER, phone.draw(AT))
    assert (await world.tap(client, READER, body))["reason"] == "denied"


async def test_old_versions_serve_deltas_for_a_while(world: World) -> None:
    client = await world.start()
    first, late = Gate(world, client), Gate(world, client)
    await first.ask(TRUST)
    conn = await world.db.connect("transitpay_gateway")
    known = (await lists.trust_list(conn)).keys[1]
    for number in range(1, KEPT_VERSIONS + 1):
        changed = replace(known, not_after=known.not_after + number * SECOND)
        await lists.put_issuer_key(conn, changed, AT)
        await refresh(client)
        if number == 1:
            await late.ask(TRUST)
    assert await late.ask(TRUST) == "taken" and late.was_delta
    assert await first.ask(TRUST) == "taken" and not first.was_delta
    kept = await world.value("select count(*) from published_list where list = 'trust'")
    assert kept == KEPT_VERSIONS


async def test_open_gates_reach_a_reader_by_its_next_heartbeat(world: World) -> None:
    client = await world.start()
    gate = Gate(world, client)
    await gate.ask(CONFIG)
    assert "gates" not in gate.config() and await told_config(world, client) == 1
    body = {
        "request_id": "fire-1", "network": "mtr", "stop": "HUH", "mode": "emergency",
        "valid_from": AT.isoformat(), "reason": "smoke",
    }  # fmt: skip
    headers = world.auth("operator:mtr")
    async with client.post("/v1/operator/station-modes", json=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
    await client.app[SERVICES].places.refresh()  # type: ignore[union-attr]  # it has an app
    assert await told_config(world, client) == 2
    assert await gate.ask(CONFIG) == "taken" and gate.config()["gates"] == "emergency"


@pytest.mark.parametrize("have", ["-1", "x", str(2**64), ""])
async def test_a_version_that_is_none_is_malformed(world: World, have: str) -> None:
    client = await world.start()
    headers = world.auth(READER)
    async with client.get(f"/v1/lists/deny?have={have}", headers=headers) as answer:
        assert answer.status == 400 and (await answer.json())["field"] == "have"
    async with client.get("/v1/lists/fares", headers=headers) as answer:
        assert answer.status == 404


async def test_a_reader_s_settings_must_fit_their_records(world: World) -> None:
    conn = await world.db.connect("transitpay_gateway")
    it = ReaderRegistration("mtr-long", "mtr", "mtr", 0, 0, "站" * 33, Direction.ENTRY)
    await world.reader(conn, "mtr-long", "mtr", Direction.ENTRY, stop=it.stop)
    client = await world.start()
    async with client.get("/v1/lists/config", headers=world.auth("mtr-long")) as answer:
        assert answer.status == 400 and (await answer.json())["field"] == "stop"


@pytest.mark.heavy
async def test_ten_new_denials_beside_a_million_are_a_delta_of_ten(world: World) -> None:
    conn = await world.db.connect()
    await conn.execute("set statement_timeout = 0")
    await conn.execute(
        "insert into deny_entry (issuer, rider_id, version, barred_serial)"
        " select $1, substr(md5(n::text), 1, 16), 1, 3 from generate_series(1, 1000000) n",
        WALLET, timeout=300,
    )  # fmt: skip
    client = await world.start()
    gate = Gate(world, client)
    assert await gate.ask(DENY) == "taken" and len(gate.came) == 14_000_278
    for number in range(3):
        await ask_settlement(world, "deny", *(f"{number:08x}{n:08x}" for n in range(10)))
        await refresh(client)
        assert await gate.ask(DENY) == "taken" and len(gate.came) == 302 + 10 * 15
    phone = world.phone(serial=0, rider_id="0" * 16)
    body = world.scan(READER, phone.draw(AT))
    assert (await world.tap(client, READER, body))["reason"] == "denied"
