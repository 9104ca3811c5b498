"""Who signs lists and until when: a key that is missing, rotated or stolen; half of a life."""

from __future__ import annotations

from datetime import timedelta

import pytest
from gateway_world import AT, World
from list_gate import DENY, READER, Gate, ask_settlement, refresh, told_config

from gateway.lists.list_keys import ListKeys
from gateway.lists.publishing import LIFE
from transitpay.ride_code.lists.list_taking import Refused, Taken, take
from transitpay.ride_code.lists.signed_list import ListKind, SignedList
from transitpay.runtime.key_files import certify_list_key

SECOND = timedelta(seconds=1)


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
