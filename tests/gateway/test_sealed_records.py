"""Sealed batches of readers: checked, stored once in any order, acknowledged without a gap."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from gateway_world import AT, World
from sealing_reader import SealingReader

from transitpay.postgres.gates import reader_keys
from transitpay.ride_code import keys
from transitpay.ride_code.records.record import EventKind, Passage

MINUTE = timedelta(minutes=1)

#: What is the same whenever and in whatever order it came.
FINAL_TAPS = """
select t.tapped_day, t.reader, t.sequence, t.at, t.tier, t.reader_opened, t.code, t.issuer,
    t.rider_id, t.slot, t.decision, t.reason, t.flags, r.position, r.record_hash, r.decision,
    r.reason, r.outcome, r.difference, r.liable
from tap t left join tap_record r using (tapped_day, reader, sequence)
order by 1, 2, 3
"""
FINAL_CODES = """
select device_key, not_before, serial, counter, reader, sequence from code_use order by 1, 2, 3, 4
"""


async def sealing(world: World, client: Any, reader: str = "mtr-in-1") -> SealingReader:
    return await SealingReader(world, reader).enrol(client)


def rides(world: World, reader: SealingReader, count: int, ago: int = 60) -> None:
    for n in range(count):
        at = AT - MINUTE * (ago - n)
        reader.scan(world.phone().draw(at), at)


async def test_a_batch_becomes_taps_with_what_the_reader_did(world: World) -> None:
    client = await world.start()
    reader = await sealing(world, client)
    reader.boot()
    rides(world, reader, 3)
    found = await reader.upload(client)
    assert found == {
        "first_position": 1,
        "last_position": 4,
        "stored": "new",
        "acknowledged_through": 4,
        "gaps": [],
        "differences": [],
        "apart": [],
    }
    rows = await world.rows(
        "select t.tier, t.decision, t.reader_opened, r.position, r.decided_by, r.trust_version"
        " from tap t join tap_record r using (tapped_day, reader, sequence) order by r.position"
    )
    assert [tuple(row) for row in rows] == [
        ("batch", "accepted", True, n, "reader", 3) for n in (2, 3, 4)
    ]
    assert await world.value("select count(*) from code_use") == 3
    assert await world.value("select count(*) from tap_inbox") == 3
    assert await world.value("select kind from reader_event") == "boot"
    [status] = await world.rows("select last_sequence, through_at from reader_status")
    assert tuple(status) == (2**32 + 3, AT - MINUTE * 58)


async def test_case_39_a_batch_twice_and_concurrently_at_two_gateways_is_one(world: World) -> None:
    one, two = await world.start(), await world.start()
    reader = await sealing(world, one)
    rides(world, reader, 20)
    first = await asyncio.gather(*(reader.upload(client) for client in (one, two, one, two)))
    assert [it["acknowledged_through"] for it in first] == [20] * 4
    assert sorted(it["stored"] for it in first) == ["known"] * 3 + ["new"]
    assert (await reader.upload(two))["stored"] == "known"
    for table in ("tap", "tap_record", "code_use"):
        assert await world.value(f"select count(*) from {table}") == 20
    assert await world.value("select count(*) from reader_batch") == 1


async def test_case_40_batches_reversed_and_interleaved_give_one_final_state(world: World) -> None:
    """Two offline readers, one code at both, an outcome, batches in four orders."""
    client = await world.start()
    one, two = await sealing(world, client), await sealing(world, client, "mtr-in-2")
    rides(world, one, 6)
    rides(world, two, 6)
    shared = world.phone()
    code = shared.draw(AT - MINUTE)
    one.scan(code, AT - MINUTE)
    two.scan(code, AT - MINUTE + timedelta(seconds=10))
    lost = two.scan(world.phone().draw(AT), AT)
    two.outcome(lost.sequence, Passage.NOT_PASSED, AT)
    parts = [(it, it.sealed(first, first + 2)) for it in (one, two) for first in (1, 4)]
    parts += [(one, one.sealed(7, 7)), (two, two.sealed(7, 8)), (two, two.sealed(9, 9))]
    states = []
    for order in (parts, parts[::-1], parts[1::2] + parts[::2], [*parts[3:], *parts[:3]]):
        for reader, body in order:
            found = await reader.upload(client, body)
        assert found["gaps"] == []
        rows = [tuple(row) for row in await world.rows(FINAL_TAPS)]
        codes = [tuple(row) for row in await world.rows(FINAL_CODES)]
        through = await world.rows("select acknowledged_through from reader_chain order by reader")
        assert [row[0] for row in through] == [7, 9]
        states.append((rows, codes))
        await forget_uploads(world)
    assert states[0] == states[1] == states[2] == states[3]
    last = [row[10:12] + row[-3:] for row in states[0][0] if row[1] == "mtr-in-2"][-2:]
    assert last == [
        ("refused", "replay", None, "offline_double", "issuer"),
        ("refused", "not_passed", "not_passed", None, None),
    ]


async def forget_uploads(world: World) -> None:
    conn = await world.db.connect()
    await conn.execute("alter table reader_batch disable trigger all")
    for table in ("reader_batch", "tap", "tap_record", "code_use", "reader_event", "presence"):
        await conn.execute(f"delete from {table}")
    await conn.execute("delete from reader_chain")
    start = "insert into reader_chain select reader, 0, $2, 1, 0 from reader_key where reader = $1"
    for reader, begin in world.starts.items():
        await conn.execute(start, reader, begin)


async def test_case_42_a_gap_is_reported_and_holds_the_acknowledgement(world: World) -> None:
    client = await world.start()
    reader = await sealing(world, client)
    rides(world, reader, 9)
    assert (await reader.upload(client, reader.sealed(1, 3)))["acknowledged_through"] == 3
    found = await reader.upload(client, reader.sealed(7, 9))
    assert (found["acknowledged_through"], found["gaps"]) == (3, [[4, 6]])
    found = await reader.upload(client, reader.sealed(5, 5))
    assert (found["acknowledged_through"], found["gaps"]) == (3, [[4, 4], [6, 6]])
    alarms = "select kind, subject, ended_at is null from reader_alarm order by id"
    assert [tuple(row) for row in await world.rows(alarms)] == [
        ("gap", "4-6", False),
        ("gap", "4-4", True),
        ("gap", "6-6", True),
    ]
    found = await reader.upload(client, reader.sealed(4, 8))
    assert (found["acknowledged_through"], found["gaps"], found["stored"]) == (9, [], "new")
    assert not any(row[2] for row in await world.rows(alarms))
    assert await world.value("select count(*) from tap") == 9


async def test_case_43_other_content_under_a_sequence_is_a_clone(world: World) -> None:
    client = await world.start()
    reader = await sealing(world, client)
    rides(world, reader, 2)
    clone = reader.copy()
    first = reader.scan(world.phone().draw(AT))
    clone.scan(world.phone().draw(AT))
    await reader.upload(client)
    body = clone.sealed()
    found = await clone.upload(client, body)
    assert found["apart"] == [{"sequence": first.sequence, "reason": "sequence_conflict"}]
    assert await world.value("select sequence from clone_alarm") == first.sequence
    [alarm] = await world.rows("select kind, subject from reader_alarm")
    assert tuple(alarm) == ("cloned_reader", "position 3")
    assert await world.value("select body from reader_batch where not agrees") == body
    assert await world.value("select count(*) from tap") == 3
    # What the clone goes on to write is chained to the clone's own record, never acknowledged.
    rides(world, clone, 1)
    found = await clone.upload(client, clone.sealed(4, 4))
    assert found["acknowledged_through"] == 3
    kinds = await world.rows("select kind, subject from reader_alarm order by kind")
    assert [tuple(row) for row in kinds] == [
        ("broken_chain", "position 4"),
        ("cloned_reader", "position 3"),
    ]
    assert await world.value("select count(*) from tap") == 4


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        (lambda body: body[:100], 400, "batch_unreadable"),
        (lambda body: b"TPB2" + body[4:], 400, "batch_unreadable"),
        (lambda body: body + b"\x00", 400, "batch_unreadable"),
        (lambda body: body[:192] + b"\x09" + body[193:], 400, "batch_unreadable"),
        (lambda body: body[:6] + b"\x01\xf5" + body[8:], 422, "too_many_records"),
        (lambda body: body[:32] + b"mtr-in-2" + body[40:], 422, "batch_of_other_reader"),
        (lambda body: body[:4] + b"\x00\x02" + body[6:], 422, "unknown_reader_key"),
        (lambda body: body[:129] + bytes([body[129] ^ 1]) + body[130:], 422,
         "bad_batch_signature"),
        (lambda body: body[:20] + bytes([body[20] ^ 1]) + body[21:], 422, "bad_batch_signature"),
        (lambda body: body[:-1] + bytes([body[-1] ^ 1]), 422, "broken_batch_chain"),
    ],
)  # fmt: skip
async def test_case_47_a_batch_that_is_not_what_it_says_is_refused_by_name(
    world: World, change: Any, status: int, code: str
) -> None:
    client = await world.start()
    reader = await sealing(world, client)
    rides(world, reader, 2)
    found = await reader.upload(client, change(reader.sealed()), status)
    assert found["code"] == code and found["field"]
    assert await world.value("select count(*) from tap") == 0
    assert (await reader.upload(client))["acknowledged_through"] == 2


async def test_case_47_a_batch_signed_by_the_wrong_key_is_refused(world: World) -> None:
    client = await world.start()
    reader = await sealing(world, client)
    rides(world, reader, 1)
    body = reader.sealed(key=keys.generate_device_key())
    assert (await reader.upload(client, body, 422))["code"] == "bad_batch_signature"


async def test_a_body_is_refused_by_its_length_and_type_before_it_is_read(world: World) -> None:
    client = await world.start()
    await sealing(world, client)
    headers = world.auth("mtr-in-1")
    url = "/v1/readers/records"
    headers["Content-Type"] = "application/octet-stream"
    async with client.post(url, data=b"x" * (2**20 + 1), headers=headers) as answer:
        assert answer.status == 413
    async with client.post(url, json={}, headers=world.auth("mtr-in-1")) as answer:
        assert answer.status == 415


async def test_an_event_of_the_reader_raises_and_ends_its_alarm_in_any_order(world: World) -> None:
    client = await world.start()
    reader = await sealing(world, client)
    reader.event(EventKind.CLOCK_FAULT_BEGINS)
    reader.event(EventKind.CLOCK_FAULT_ENDS)
    reader.event(EventKind.UNRECORDED_SCANS, 7)
    for first in (3, 2, 1):
        await reader.upload(client, reader.sealed(first, first))
    rows = await world.rows(
        "select kind, subject, ended_at is null, detail -> 'count' from reader_alarm"
        " where kind <> 'gap' order by kind"
    )
    assert [tuple(row) for row in rows] == [
        ("clock_fault", "position 1", False, 0),
        ("unrecorded_scans", "position 3", True, 7),
    ]


async def test_a_new_key_begins_its_chain_behind_all_that_is_here(world: World) -> None:
    """A reader lost its store and a record: the gap stays told and holds the new key up no more;
    what the old key had sealed is still taken, what it seals afterwards is not."""
    client = await world.start()
    old = await sealing(world, client)
    rides(world, old, 3)
    await old.upload(client, old.sealed(1, 1))
    assert (await old.upload(client, old.sealed(3, 3)))["acknowledged_through"] == 1
    late = old.sealed(2, 2)
    conn = await world.db.connect("transitpay_gateway")
    await reader_keys.allow_new_key(conn, "mtr-in-1", True)
    new = SealingReader(world, "mtr-in-1", sequence=2**33)
    await new.enrol(client)
    assert (new.key_number, new.first_position) == (2, 4)
    rides(world, new, 2)
    found = await new.upload(client)
    assert (found["acknowledged_through"], found["gaps"]) == (5, [[2, 2]])
    found = await old.upload(client, late)
    assert (found["acknowledged_through"], found["gaps"]) == (3, [])
    rides(world, old, 1)
    body = old.sealed(4, 4, sealed_at=AT + timedelta(seconds=1))
    assert (await old.upload(client, body, 409))["code"] == "reader_key_retired"
    assert await world.value("select count(*) from tap where decision = 'accepted'") == 5
