"""Station modes: declared, corrected, ended, never changed; and what they do at the gate."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from gateway_world import AT, World
from list_gate import Gate

from gateway.app import SERVICES
from transitpay.fares.highest import highest_fares
from transitpay.postgres.gates import stop_fares
from transitpay.ride_code.lists.signed_list import ListKind
from transitpay.runtime.builtin import builtin_book

PATH = "/v1/operator/station-modes"


def wish(request_id: str = "m1", **fields: Any) -> dict[str, Any]:
    return {
        "request_id": request_id,
        "network": "mtr",
        "stop": "HUH",
        "mode": "gates_open",
        "valid_from": AT.isoformat(),
        "reason": "network overloaded",
        **fields,
    }


async def call(
    world: World, client: Any, body: dict[str, Any], status: int = 200, operator: str = "mtr"
) -> dict[str, Any]:
    headers = world.auth(f"operator:{operator}")
    async with client.post(PATH, json=body, headers=headers) as answer:
        found: dict[str, Any] = await answer.json()
        assert answer.status == status, found
        return found


async def listed(
    world: World, client: Any, operator: str = "mtr", status: int = 200, **query: str
) -> Any:
    headers = world.auth(f"operator:{operator}")
    async with client.get(PATH, params=query, headers=headers) as answer:
        found = await answer.json()
        assert answer.status == status, found
        return found


async def refresh(client: Any) -> None:
    await client.app[SERVICES].places.refresh()


async def test_a_mode_declared_twice_is_one_record_and_other_content_is_refused(
    world: World,
) -> None:
    client = await world.start()
    answers = await asyncio.gather(*(call(world, client, wish()) for _ in range(4)))
    assert all(answer == answers[0] for answer in answers)
    assert (answers[0]["recorded_by"], answers[0]["valid_until"]) == ("operator:mtr", None)
    world.clock.advance(timedelta(minutes=1))
    assert await call(world, client, wish()) == answers[0]
    for other in ({"mode": "emergency"}, {"stop": None}, {"reason": "fire"}):
        problem = await call(world, client, wish(**other), 409)
        assert problem["code"] == "request_repeated"
    assert await world.value("select count(*) from station_mode") == 1


async def test_an_operator_speaks_for_its_own_networks_only(world: World) -> None:
    client = await world.start()
    assert (await call(world, client, wish(network="kmb"), 404))["code"] == "not_found"
    await call(world, client, wish())
    assert (await listed(world, client, "kmb"))["modes"] == []
    stranger = wish("k1", network="kmb", stop=None, replaces="m1")
    assert (await call(world, client, stranger, 404, "kmb"))["code"] == "not_found"


@pytest.mark.parametrize(("seconds", "status"), [(0, 200), (-1, 400)])
async def test_a_record_may_be_empty_and_never_end_before_it_begins(
    world: World, seconds: int, status: int
) -> None:
    client = await world.start()
    until = (AT + timedelta(seconds=seconds)).isoformat()
    found = await call(world, client, wish(valid_until=until), status)
    if status == 400:
        assert (found["code"], found["field"]) == ("bad_period", "valid_until")


async def test_a_later_record_ends_an_earlier_one_and_the_history_stays(world: World) -> None:
    client = await world.start()
    await call(world, client, wish())
    world.clock.advance(timedelta(minutes=10))
    ended = wish("m2", valid_until=world.clock.at.isoformat(), replaces="m1")
    await call(world, client, ended)
    problem = await call(world, client, {**ended, "request_id": "m3"}, 409)
    assert problem["code"] == "already_replaced"

    async def ids(**query: str) -> list[str]:
        return [it["request_id"] for it in (await listed(world, client, **query))["modes"]]

    assert await ids() == ["m2"]
    assert await ids(history="true") == ["m2", "m1"]
    before = (world.clock.at - timedelta(seconds=1)).isoformat()
    assert await ids(as_of=before) == ["m1"], "as it was known then"
    assert await ids(as_of=(AT - timedelta(seconds=1)).isoformat()) == []
    conn = await world.db.connect()
    for change in ("update station_mode set mode = 'emergency'", "delete from station_mode"):
        with pytest.raises(Exception, match="append-only"):
            await conn.execute(change)


async def test_a_stop_that_nobody_knows_is_refused_before_anybody_relies_on_it(
    world: World,
) -> None:
    """Neither a reader stands there nor a tariff names it, however it is spelled."""
    client = await world.start()
    settlement = await world.db.connect("transitpay_settlement")
    await stop_fares.put_stop_fares(settlement, highest_fares(builtin_book()), AT)
    problem = await call(world, client, wish("m1", stop="Admirality", mode="emergency"), 422)
    assert (problem["code"], problem["field"]) == ("unknown_stop", "stop")
    for n, stop in enumerate(("Admiralty", "HUH", "紅磡站", "2")):
        await call(world, client, wish(f"k{n}", stop=stop))


async def test_records_come_newest_first_page_by_page(world: World) -> None:
    client = await world.start()
    for n in range(5):
        await call(world, client, wish(f"m{n}"))
    found, query = [], {"limit": "2"}
    while True:
        page = await listed(world, client, **query)
        found += [it["request_id"] for it in page["modes"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert found == ["m4", "m3", "m2", "m1", "m0"]
    bad = await listed(world, client, status=400, cursor="abc")
    assert bad["code"] == "bad_cursor"


async def tap(world: World, client: Any, phone: Any, reader: str, at: datetime) -> Any:
    world.clock.at = at
    return await world.tap(client, reader, world.scan(reader, phone.draw(at)))


@pytest.mark.parametrize("mode", ["gates_open", "emergency"])
async def test_at_open_gates_nobody_is_refused_for_passback_nor_flagged_for_a_missing_entry(
    world: World, mode: str
) -> None:
    client = await world.start()
    phone, inside = world.phone(), world.phone()
    assert (await tap(world, client, phone, "mtr-in-1", AT))["open"]
    refused = await tap(world, client, phone, "mtr-in-1", AT + timedelta(seconds=10))
    assert refused["reason"] == "passback"
    begins = AT + timedelta(seconds=15)
    await call(world, client, wish(mode=mode, valid_from=begins.isoformat()))
    await refresh(client)
    passed = await tap(world, client, phone, "mtr-in-1", AT + timedelta(seconds=20))
    assert (passed["open"], passed["reason"]) == (True, None)
    out = await tap(world, client, inside, "mtr-out-1", AT + timedelta(seconds=21))
    assert (out["open"], out["flags"], out["signal"]) == (True, [], "green")
    rows = await world.rows("select mode, decision from tap order by at")
    assert [tuple(row) for row in rows] == [
        (None, "accepted"), (None, "refused"), (mode, "accepted"), (mode, "accepted"),
    ]  # fmt: skip


async def test_at_open_gates_a_used_or_forged_code_is_still_no_tap(world: World) -> None:
    client = await world.start()
    await call(world, client, wish())
    await refresh(client)
    phone = world.phone()
    code = phone.draw(AT)
    assert (await world.tap(client, "mtr-in-1", world.scan("mtr-in-1", code)))["open"]
    again = await world.tap(client, "mtr-in-2", world.scan("mtr-in-2", code))
    assert again["reason"] == "replay"
    phone.issuer_signature = bytes([1] * 64)
    forged = await world.tap(client, "mtr-in-2", world.scan("mtr-in-2", phone.draw(AT)))
    assert forged["reason"] == "bad_issuer_signature"


@pytest.mark.parametrize(
    ("fields", "holds"),
    [
        ({}, True),
        ({"stop": None}, True),
        ({"stop": "64"}, True),
        ({"stop": "紅磡"}, True),
        ({"stop": "1"}, False),
        ({"mode": "fare_waiver"}, False),
        ({"mode": "date_waiver"}, False),
        ({"valid_until": (AT + timedelta(seconds=1)).isoformat()}, True),
        ({"valid_until": AT.isoformat()}, False),
        ({"valid_from": (AT + timedelta(seconds=1)).isoformat()}, False),
    ],
)
async def test_a_mode_holds_at_its_stop_in_its_period_in_any_spelling(
    world: World, fields: dict[str, Any], holds: bool
) -> None:
    settlement = await world.db.connect("transitpay_settlement")
    await stop_fares.put_stop_fares(settlement, highest_fares(builtin_book()), AT)
    client = await world.start()
    await call(world, client, wish(**fields))
    await refresh(client)
    await tap(world, client, world.phone(), "mtr-in-1", AT)
    assert await world.value("select mode from tap") == ("gates_open" if holds else None)


async def test_an_emergency_is_told_before_open_gates_and_another_gateway_learns_of_it(
    world: World,
) -> None:
    client, second = await world.start(), await world.start()
    await refresh(second)
    await call(world, client, wish("m1"))
    await call(world, client, wish("m2", mode="emergency", stop=None))
    await refresh(second)
    await tap(world, second, world.phone(), "mtr-in-1", AT)
    assert await world.value("select mode from tap") == "emergency"


async def test_a_record_uploaded_later_is_judged_by_the_modes_of_its_time(world: World) -> None:
    client = await world.start()
    until = (AT + timedelta(seconds=30)).isoformat()
    await call(world, client, wish(valid_until=until))
    await refresh(client)
    world.clock.advance(timedelta(hours=2))
    for seconds in (29, 30):
        at = AT + timedelta(seconds=seconds)
        record = world.scan("mtr-in-1", world.phone().draw(at), at=at, opened=True)
        await world.batch(client, "mtr-in-1", [record])
    rows = await world.rows("select mode from tap order by at")
    assert [row["mode"] for row in rows] == ["gates_open", None]


@pytest.mark.parametrize(
    ("mode", "gates"),
    [("gates_open", "open"), ("emergency", "emergency"), ("fare_waiver", None)],
)
async def test_readers_are_told_of_open_gates_in_their_settings(
    world: World, mode: str, gates: str | None
) -> None:
    client = await world.start()
    gate = Gate(world, client)
    await gate.ask(ListKind.CONFIG)
    assert "gates" not in gate.config()
    await call(world, client, wish(mode=mode))
    await refresh(client)
    await gate.ask(ListKind.CONFIG)
    assert gate.config().get("gates") == gates
    until = world.clock.advance(timedelta(minutes=1)).isoformat()
    await call(world, client, wish("m2", mode=mode, valid_until=until, replaces="m1"))
    await refresh(client)
    await gate.ask(ListKind.CONFIG)
    assert "gates" not in gate.config()
