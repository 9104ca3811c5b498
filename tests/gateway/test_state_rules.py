"""What a gateway knows of other taps: uses of a code, presence, other regions, the deny list."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from gateway_world import AT, WALLET, World

from gateway.app import SERVICES
from transitpay.taps import Direction

Client = TestClient[Any, Any]
ANSWER = ("text", "signal", "flags")


async def at(world: World, client: Client, reader: str, code: str, **more: Any) -> dict[str, Any]:
    """A tap of this reader, its clock right."""
    return await world.tap(client, reader, world.scan(reader, code, **more))


async def shenzhen(world: World) -> None:
    """Gates of another network beyond the border, of one stop and of one city further on."""
    conn = await world.db.connect("transitpay_gateway")
    for name, direction, region in (
        ("sz-in-1", Direction.ENTRY, 1),
        ("sz-out-1", Direction.EXIT, 1),
        ("gz-in-1", Direction.ENTRY, 2),
    ):
        network = name[:2] + "-metro"
        await world.reader(
            conn, name, network, direction, operator="mtr", mode=0, destination=region, stop="FUT"
        )


async def test_case_01_the_same_code_a_moment_later_is_one_tap_and_one_opening(
    world: World,
) -> None:
    one, two = await world.start(), await world.start()
    code = world.phone().draw(AT)
    first = await at(world, one, "mtr-in-1", code)
    again = await at(world, two, "mtr-in-1", code, at=AT + timedelta(milliseconds=200))
    assert first["open"] is True
    assert (again["decision"], again["open"]) == ("already_answered", False)
    assert [again[name] for name in ANSWER] == [first[name] for name in ANSWER]
    assert await world.value("select count(*) from tap where decision = 'accepted'") == 1
    assert await world.value("select count(*) from tap_inbox") == 1


async def test_case_01_an_answer_with_a_flag_is_said_again_with_its_flag(world: World) -> None:
    client = await world.start()
    code = world.phone().draw(AT)
    first = await at(world, client, "mtr-out-1", code)
    assert (first["signal"], first["flags"]) == ("amber", ["missing_entry"])
    body = world.scan("mtr-out-1", code, at=AT + timedelta(seconds=2))
    for _ in range(2):
        again = await world.tap(client, "mtr-out-1", body)
        assert again["open"] is False and again["reason"] == "already_answered"
        assert [again[name] for name in ANSWER] == [first[name] for name in ANSWER]


async def test_case_03_the_code_of_the_entry_does_not_open_the_exit(world: World) -> None:
    client = await world.start()
    phone = world.phone()
    code = phone.draw(AT)
    assert (await at(world, client, "mtr-in-1", code))["open"] is True
    refused = await at(world, client, "mtr-out-1", code, at=AT + timedelta(seconds=10))
    assert (refused["open"], refused["reason"]) == (False, "replay")
    assert refused["text"]["en"] == "Code already used. Refresh it."
    fresh = await at(world, client, "mtr-out-1", phone.draw(AT))
    assert (fresh["open"], fresh["flags"]) == (True, [])


async def test_case_05_an_older_code_is_still_known_after_another_one(world: World) -> None:
    one, two = await world.start(), await world.start()
    phone = world.phone()
    first, second = phone.draw(AT), phone.draw(AT)
    assert (await at(world, one, "mtr-in-1", first))["open"] is True
    assert (await at(world, two, "mtr-out-1", second))["open"] is True
    world.clock.at = later = AT + timedelta(seconds=30)
    for client in (one, two):
        refused = await at(world, client, "mtr-in-2", first, at=later)
        assert (refused["open"], refused["reason"]) == (False, "replay")


@pytest.mark.parametrize(("seconds", "reason"), [(179, "impossible_travel"), (180, None)])
async def test_case_09_two_online_entries_are_as_far_apart_as_a_walk_over_the_border(
    world: World, seconds: int, reason: str | None
) -> None:
    await shenzhen(world)
    one, two = await world.start(), await world.start()
    phone = world.phone()
    assert (await at(world, one, "mtr-in-1", phone.draw(AT)))["open"] is True
    world.clock.at = later = AT + timedelta(seconds=seconds)
    code = phone.draw(later, destination=1)
    answer = await at(world, two, "sz-in-1", code)
    assert (answer["open"], answer["reason"]) == (reason is None, reason)
    if reason is not None:  # the code is not spent, and the rider has not moved
        world.clock.at = AT + timedelta(seconds=181)
        assert (await at(world, two, "sz-in-1", code))["open"] is True


async def test_case_09_who_walks_from_lok_ma_chau_to_futian_is_in_nobodys_way(
    world: World,
) -> None:
    await shenzhen(world)
    client = await world.start()
    phone = world.phone()
    await at(world, client, "mtr-in-1", phone.draw(AT))
    world.clock.at = out = AT + timedelta(minutes=45)
    left = await at(world, client, "mtr-out-1", phone.draw(out))
    assert (left["open"], left["flags"]) == (True, [])
    world.clock.at = across = out + timedelta(minutes=8)
    answer = await at(world, client, "sz-in-1", phone.draw(across, destination=1))
    assert (answer["open"], answer["signal"], answer["flags"]) == (True, "green", [])


async def test_case_09_an_exit_and_a_clock_in_doubt_are_flagged_and_let_pass(
    world: World,
) -> None:
    await shenzhen(world)
    client = await world.start()
    for reader, more in (("sz-out-1", {}), ("sz-in-1", {"uncertainty_s": 21})):
        phone = world.phone()
        await at(world, client, "mtr-in-1", phone.draw(AT))
        code = phone.draw(AT, destination=1)
        answer = await at(world, client, reader, code, at=AT + timedelta(seconds=5), **more)
        assert (answer["open"], answer["signal"]) == (True, "amber")
        assert "impossible_travel" in answer["flags"]


async def test_case_09_the_minimum_is_dated_and_of_its_two_regions(world: World) -> None:
    await shenzhen(world)
    owner = await world.db.connect()
    await owner.execute("insert into travel_minimum values (0, 1, $1, 0)", AT.date())
    client = await world.start()
    phone, other = world.phone(destinations=7), world.phone(destinations=7)
    await at(world, client, "mtr-in-1", phone.draw(AT))
    await at(world, client, "mtr-in-1", other.draw(AT))
    world.clock.at = soon = AT + timedelta(seconds=1)
    answer = await at(world, client, "sz-in-1", phone.draw(soon, destination=1))
    assert (answer["open"], answer["flags"]) == (True, [])
    world.clock.at = far = AT + timedelta(minutes=39)
    await owner.execute("update issuer_key set destinations = 7")
    await owner.execute("update list_version set version = version + 1 where list = 'trust'")
    await client.app[SERVICES].lists.refresh()
    answer = await at(world, client, "gz-in-1", other.draw(far, destination=2))
    assert answer["reason"] == "impossible_travel"


async def test_case_11_a_companions_slot_is_a_rider_of_its_own(world: World) -> None:
    one, two = await world.start(), await world.start()
    phone = world.phone()
    for slot in (0, 1, 2):
        assert (await at(world, one, "mtr-in-1", phone.draw(AT, slot=slot)))["open"] is True
        again = await at(world, two, "mtr-in-2", phone.draw(AT, slot=slot))
        assert (again["open"], again["reason"]) == (False, "passback")
    for slot in (0, 1, 2):
        out = await at(world, two, "mtr-out-1", phone.draw(AT, slot=slot))
        assert (out["open"], out["flags"]) == (True, [])
    alone = world.phone(max_companions=0)
    refused = await at(world, one, "mtr-in-1", alone.draw(AT, slot=1))
    assert refused["reason"] == "companion_not_allowed"


async def test_case_34_who_is_denied_between_entry_and_exit_is_let_out_and_flagged(
    world: World,
) -> None:
    client = await world.start()
    phone = world.phone()
    await at(world, client, "mtr-in-1", phone.draw(AT))
    owner = await world.db.connect()
    rider = phone.authorisation.rider_id
    await owner.execute(
        "insert into rider (issuer, rider_id, enrolled_at) values ($1, $2, $3)", WALLET, rider, AT
    )
    await owner.execute(
        "insert into deny_request (issuer, rider_id, action, reason, requested_at)"
        " values ($1, $2, 'deny', 'debt', $3)",
        WALLET, rider, AT,
    )  # fmt: skip
    await denied(world, client, phone)
    out = await at(world, client, "mtr-out-1", phone.draw(AT))
    assert (out["open"], out["signal"], out["flags"]) == (True, "amber", ["denied"])
    inside = await at(world, client, "mtr-in-2", phone.draw(AT))
    assert (inside["open"], inside["reason"]) == (False, "denied")


async def denied(world: World, client: Client, phone: Any) -> None:
    """Until the gateway's list has the rider."""
    for _ in range(400):
        answer = await at(world, client, "kmb-bus-1", phone.draw(AT))
        if answer["reason"] == "denied":
            return
        await asyncio.sleep(0.05)
    raise AssertionError("never denied")


@pytest.mark.parametrize(("counter", "reason"), [(20, None), (21, "quota_exceeded")])
async def test_case_35_the_quota_ends_at_its_number_and_keeps_nobody_inside(
    world: World, counter: int, reason: str | None
) -> None:
    client = await world.start()
    phone = world.phone(quota=20)
    answer = await at(world, client, "mtr-in-1", phone.draw(AT, counter=counter))
    assert (answer["open"], answer["reason"]) == (reason is None, reason)
    out = await at(world, client, "mtr-out-1", phone.draw(AT, counter=counter + 1))
    assert out["open"] is True and "quota_exceeded" in out["flags"]


async def test_two_phones_of_one_backup_are_told_apart_by_what_they_signed(world: World) -> None:
    one, two = await world.start(), await world.start()
    phone = world.phone()
    await at(world, one, "mtr-in-1", phone.draw(AT, counter=7))
    other = phone.draw(AT - timedelta(seconds=3), counter=7)
    for reader, client in (("mtr-in-1", one), ("kmb-bus-1", two)):
        refused = await at(world, client, reader, other)
        assert (refused["decision"], refused["reason"]) == ("refused", "replay")
        assert refused["flags"] == ["cloned_device"]
    alarms = await world.rows("select reader from reader_alarm where kind = 'cloned_device'")
    assert sorted(row["reader"] for row in alarms) == ["kmb-bus-1", "mtr-in-1"]


async def test_a_rider_who_moves_while_two_gateways_think_is_read_again(world: World) -> None:
    """Many entries of one rider at once, over two gateways: passback lets one of them in."""
    gateways = await world.start(), await world.start()
    for _ in range(6):
        phone = world.phone()
        answers = await asyncio.gather(
            *(at(world, gateways[n % 2], f"mtr-in-{1 + n % 2}", phone.draw(AT)) for n in range(8))
        )
        assert sorted(a["reason"] or "" for a in answers) == ["", *["passback"] * 7]
    assert await world.value("select count(*) from code_use") == 6


async def test_case_28_sixteen_megabytes_in_chunks_are_refused_before_they_are_read(
    world: World,
) -> None:
    client = await world.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(
        b"POST /v1/taps HTTP/1.1\r\nHost: gate\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\nAuthorization: "
        + world.auth("mtr-in-1")["Authorization"].encode()
        + b"\r\n\r\n"
    )
    line = asyncio.create_task(reader.readline())
    chunk, sent = b"1000\r\n" + b" " * 4096 + b"\r\n", 0
    while not line.done() and sent < 16_000_000:
        writer.write(chunk)
        sent += 4096
        await asyncio.sleep(0.05)
    assert (await line).split()[1] == b"413"
    assert sent < 200_000
    writer.close()
    assert await world.value("select count(*) from tap") == 0
