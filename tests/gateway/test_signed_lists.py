"""Signed lists as readers fetch them: alike from every gateway, whole or delta, only forward."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from gateway_world import AT, WALLET, World

from gateway.app import SERVICES
from gateway.lists.list_keys import ListKeys
from gateway.lists.publishing import LIFE
from transitpay.postgres import lists
from transitpay.postgres.published_lists import KEPT_VERSIONS
from transitpay.postgres.reference import ReaderRegistration
from transitpay.ride_code.deny_list import DenyTable
from transitpay.ride_code.lists import signed_list
from transitpay.ride_code.lists.config_list import config_values
from transitpay.ride_code.lists.list_taking import Refused, Taken, Unchanged, Wanted, take
from transitpay.ride_code.lists.signed_list import Delta, ListKind, SignedList, scope_of
from transitpay.ride_code.lists.trust_records import trust_list_of
from transitpay.ride_code.verdict import Accepted, ReaderRules, Rejected, judge
from transitpay.runtime.key_files import certify_list_key
from transitpay.taps import Direction

TRUST, DENY, CONFIG = ListKind
READER = "mtr-in-1"
SECOND = timedelta(seconds=1)


class Gate:
    """A reader that holds lists and asks for newer ones."""

    def __init__(self, world: World, client: Any, reader: str = READER) -> None:
        self.world, self.client, self.reader = world, client, reader
        self.held: dict[ListKind, SignedList] = {}
        self.came = b""

    def wanted(self, kind: ListKind) -> Wanted:
        scope = scope_of(self.reader) if kind is CONFIG else scope_of()
        return Wanted(kind, self.world.list_roots, scope)

    async def ask(self, kind: ListKind, *, whole: bool = False) -> str:
        """Ask once; what became of the answer, in one word."""
        held = self.held.get(kind)
        query = {"have": str(held.head.version)} if held and not whole else {}
        headers = self.world.auth(self.reader)
        path = f"/v1/lists/{kind}"
        async with self.client.get(path, params=query, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            assert answer.content_type == "application/octet-stream"
            self.came = await answer.read()
        found = take(self.came, held, self.wanted(kind), self.world.clock.at)
        match found:
            case Taken():
                self.held[kind] = SignedList.parse(b"".join(found.chunks()))
                return "taken"
            case Unchanged():
                return "unchanged"
            case Refused(reason):
                return str(reason)

    def version(self, kind: ListKind) -> int:
        return self.held[kind].head.version

    @property
    def was_delta(self) -> bool:
        return self.came[:4] == b"TPD1"

    def config(self) -> dict[str, str]:
        return config_values(self.held[CONFIG].table)

    def judge(self, code: str) -> Accepted | Rejected:
        """By its lists alone."""
        trust = trust_list_of(self.version(TRUST), self.held[TRUST].table)
        deny = DenyTable(self.version(DENY), self.held[DENY].table, trust.issuer_numbers())
        return judge(code, trust, deny, ReaderRules(0, 0, Direction.ENTRY), self.world.clock.at)


async def refresh(client: Any) -> None:
    await client.app[SERVICES].lists.refresh()


async def ask_settlement(world: World, action: str, *riders: str) -> None:
    conn = await world.db.connect("transitpay_settlement")
    for rider in riders:
        await conn.execute(
            "insert into deny_request (issuer, rider_id, action, reason, requested_at)"
            " values ($1, $2, $3, 'arrears', $4)", WALLET, rider, action, AT,
        )  # fmt: skip


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


@pytest.mark.parametrize("kind", list(ListKind))
async def test_a_list_is_signed_anew_when_half_of_its_life_is_over(
    world: World, kind: ListKind
) -> None:
    client = await world.start()
    gate = Gate(world, client)
    await gate.ask(kind)
    began, version = gate.held[kind].head, gate.version(kind)
    assert began.use_by - began.issued_at == LIFE[kind]
    world.clock.at = began.issued_at + LIFE[kind] / 2 - SECOND
    await refresh(client)
    assert await gate.ask(kind) == "unchanged"
    world.clock.at += SECOND
    await refresh(client)
    assert await gate.ask(kind) == "taken" and gate.version(kind) == version + 1
    assert gate.was_delta is (len(gate.held[kind].table) > 1), "no more than a head moved"
    assert gate.held[kind].head.use_by == world.clock.at + LIFE[kind]


async def test_without_a_list_key_taps_go_on_and_lists_say_why_not(world: World) -> None:
    for file in world.key_folder.glob("list-*"):
        file.rename(file.with_name("away-" + file.name))
    client = await world.start()
    for kind in ListKind:
        async with client.get(f"/v1/lists/{kind}", headers=world.auth(READER)) as answer:
            assert answer.status == 503 and (await answer.json())["code"] == "list_key_missing"
    async with client.get("/healthz") as answer:
        assert answer.status == 200 and (await answer.json())["lists"] == "list_key_missing"
    assert await told_config(world, client) == 0
    phone = world.phone(serial=0)
    assert (await world.tap(client, READER, world.scan(READER, phone.draw(AT))))["open"]
    await ask_settlement(world, "deny", phone.authorisation.rider_id)
    await refresh(client)
    body = world.scan(READER, phone.draw(AT))
    assert (await world.tap(client, READER, body))["reason"] == "denied"
    for file in world.key_folder.glob("away-*"):
        file.rename(file.with_name(file.name.removeprefix("away-")))
    await refresh(client)
    gate = Gate(world, client)
    assert [await gate.ask(kind) for kind in ListKind] == ["taken"] * 3
    async with client.get("/healthz") as answer:
        assert (await answer.json())["lists"] == "signed"


async def test_a_list_key_is_rotated_without_a_restart(world: World) -> None:
    client, other = await world.start(), await world.start()
    gate = Gate(world, client)
    for kind in ListKind:
        await gate.ask(kind)
    roots, keys = world.key_folder, world.key_folder
    certify_list_key(roots / "root-2.pem", keys, 2, AT + SECOND, AT + timedelta(365))
    await refresh(client)
    assert await gate.ask(DENY) == "unchanged", "its certificate is not valid yet"
    world.clock.at += SECOND
    await refresh(client)
    await refresh(other)
    for kind in ListKind:
        was = gate.version(kind)
        assert await gate.ask(kind) == "taken" and gate.version(kind) == was + 1
        assert gate.held[kind].head.certificate.key_id == 2
    (keys / "list-2.cert").unlink()
    await ask_settlement(world, "deny", "0" * 16)
    await refresh(other)
    assert await gate.ask(DENY) == "unchanged", "an older key never signs after a newer one"


async def test_whoever_stole_a_list_key_is_shaken_off_by_the_next_one(world: World) -> None:
    client = await world.start()
    gate = Gate(world, client)
    await gate.ask(DENY)
    thief = ListKeys(world.key_folder).signer(DENY, AT)
    assert thief is not None
    free = thief.head(DENY, 2**63, b"", AT, AT + timedelta(3650))
    forged = take(free.encode(), gate.held[DENY], gate.wanted(DENY), AT)
    assert isinstance(forged, Taken), "a stolen key is believed until there is a newer one"
    gate.held[DENY] = SignedList.parse(b"".join(forged.chunks()))
    await ask_settlement(world, "deny", "0" * 16)
    await refresh(client)
    assert await gate.ask(DENY) == "list_rolled_back"
    certify_list_key(world.key_folder / "root-1.pem", world.key_folder, 2, AT, AT + timedelta(365))
    await refresh(client)
    assert await gate.ask(DENY) == "taken" and len(gate.held[DENY].table) == 1
    again = thief.head(DENY, 2**63 + 1, b"", AT, AT + timedelta(3650)).encode()
    refused = take(again, gate.held[DENY], gate.wanted(DENY), AT)
    assert isinstance(refused, Refused) and refused.reason == "list_rolled_back"


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


async def told_config(world: World, client: Any) -> int:
    """The version of the config that a heartbeat tells of."""
    body = {"last_sequence": 0, "through_at": AT.isoformat()}
    headers = world.auth(READER)
    async with client.post("/v1/readers/heartbeat", json=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return int((await answer.json())["config_version"])


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
