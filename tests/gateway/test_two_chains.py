"""Clones, replaced keys, batches cut anew: what is acknowledged and told does not hang on them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from gateway_world import AT, World
from sealing_reader import SealingReader

from transitpay.postgres.gates import reader_keys
from transitpay.ride_code.records.record import EventKind

SECOND = timedelta(seconds=1)


def write(world: World, reader: SealingReader, kind: str, off: int = 0) -> None:
    """A record that no other reader writes."""
    if kind == "event":
        reader.event(EventKind.UNRECORDED_SCANS, 1 + off)
    elif kind == "apart":
        reader.scan(world.phone().draw(AT), AT + timedelta(days=2))
    else:
        reader.scan(world.phone().draw(AT), AT)


async def kinds(world: World) -> set[tuple[str, str]]:
    rows = await world.rows("select kind, subject from reader_alarm where kind <> 'gap'")
    return {(row[0], row[1]) for row in rows if row[0] != "unrecorded_scans"}


@pytest.mark.parametrize("kind", ["scan", "event", "apart"])
async def test_case_43_of_two_records_at_one_position_one_is_acknowledged_in_any_cut(
    world: World, kind: str
) -> None:
    client = await world.start()
    reader = await SealingReader(world, "mtr-in-1").enrol(client)
    reader.boot()
    await reader.upload(client)
    clone = reader.copy()
    clone.sequence += 2**32
    write(world, clone, kind, 7)
    for _ in range(4):
        write(world, reader, kind)
    through = "acknowledged_through"

    async def send(who: SealingReader, first: int, last: int) -> Any:
        found = await who.upload(client, who.sealed(first, last))
        return found[through], found["stored"]

    assert await send(clone, 2, 2) == (2, "new")
    assert await send(reader, 2, 2) == (2, "new")
    assert await send(reader, 3, 3) == (2, "new")
    for first, last in ((2, 3), (2, 4), (3, 4), (1, 4), (1, 5), (2, 3)):
        assert (await send(reader, first, last))[0] == 2, (first, last)
    # The chain that came first goes on, cut in any way.
    for _ in range(3):
        write(world, clone, kind, 7)
    assert await send(clone, 2, 3) == (3, "new")
    assert await send(clone, 4, 4) == (4, "new")
    assert await send(clone, 1, 5) == (5, "new")
    assert await send(clone, 3, 5) == (5, "known")
    assert ("cloned_reader", "position 2") in await kinds(world)
    assert ("broken_chain", "position 3") in await kinds(world)


@pytest.mark.parametrize("late_first", [True, False])
async def test_late_records_of_a_replaced_key_never_hold_up_its_successor(
    world: World, late_first: bool
) -> None:
    """The store is lost: the new key begins at position 2, where the old one's late record stands.
    Both are booked, neither is a clone, and each is acknowledged under its own key."""
    client = await world.start()
    old = await SealingReader(world, "mtr-in-1").enrol(client)
    old.boot()
    await old.upload(client)
    write(world, old, "scan")
    old.event(EventKind.UNRECORDED_SCANS, 3)
    late = old.sealed(2, 3)
    conn = await world.db.connect("transitpay_gateway")
    await reader_keys.allow_new_key(conn, "mtr-in-1", True)
    new = await SealingReader(world, "mtr-in-1", sequence=2**33).enrol(client)
    assert (new.key_number, new.first_position) == (2, 2)
    new.event(EventKind.UNRECORDED_SCANS, 5)
    for _ in range(4):
        write(world, new, "scan")
    if late_first:
        found = await old.upload(client, late)
        assert (found["stored"], found["acknowledged_through"]) == ("new", 3)
    for position in range(2, 6):
        found = await new.upload(client, new.sealed(position, position))
        assert (found["stored"], found["acknowledged_through"]) == ("new", position)
        assert found["gaps"] == []
    if not late_first:
        found = await old.upload(client, late)
        assert (found["stored"], found["acknowledged_through"]) == ("new", 3)
    assert (await old.upload(client, late))["acknowledged_through"] == 3
    assert (await new.upload(client, new.sealed(2, 6)))["acknowledged_through"] == 6
    assert await kinds(world) == set()
    assert await world.value("select count(*) from tap where decision = 'accepted'") == 5
    counts = await world.rows(
        "select (detail ->> 'count')::int from reader_event where kind = 'unrecorded_scans'"
        " order by 1"
    )
    assert [row[0] for row in counts] == [3, 5]


async def test_a_gap_of_a_new_key_is_told_though_the_old_key_had_these_positions(
    world: World,
) -> None:
    client = await world.start()
    old = await SealingReader(world, "mtr-in-1").enrol(client)
    old.boot()
    await old.upload(client)
    for _ in range(3):
        write(world, old, "scan")
    late = old.sealed(2, 4)
    conn = await world.db.connect("transitpay_gateway")
    await reader_keys.allow_new_key(conn, "mtr-in-1", True)
    new = await SealingReader(world, "mtr-in-1", sequence=2**33).enrol(client)
    await old.upload(client, late)
    for _ in range(3):
        write(world, new, "scan")
    found = await new.upload(client, new.sealed(4, 4))
    assert (found["acknowledged_through"], found["gaps"]) == (1, [[2, 3]])


async def test_what_was_set_apart_is_told_again_in_every_answer_and_never_becomes_a_tap(
    world: World,
) -> None:
    """Also when its time has come, in another cut, by a clone's hand, or as JSON."""
    client = await world.start()
    reader = await SealingReader(world, "mtr-in-1").enrol(client)
    phone, ahead = world.phone(), AT + 60 * SECOND
    reader.scan(phone.draw(AT), AT)
    early = reader.scan(phone.draw(ahead), ahead)
    reader.scan(world.phone().draw(AT), AT - timedelta(days=36))
    reader.event(EventKind.STORE_HAS_ROOM)
    body = reader.sealed()
    first = await reader.upload(client, body)
    told = [
        {"sequence": early.sequence, "reason": "from_future"},
        {"sequence": early.sequence + 1, "reason": "day_out_of_range"},
    ]
    assert (first["apart"], first["acknowledged_through"]) == (told, 4)
    record = {**world.scan("mtr-in-2", phone.draw(ahead), at=ahead), "opened": True}
    [loose] = await world.batch(client, "mtr-in-2", [record])
    assert (loose["stored"], loose["reason"]) == ("quarantined", "from_future")
    assert await kinds(world) == {("clock_fault", "heartbeat")}
    world.clock.at = AT + timedelta(hours=1)
    for cut in (body, reader.sealed(2, 4), reader.sealed(2, 4), reader.sealed(1, 3)):
        found = await reader.upload(client, cut)
        assert (found["apart"], found["stored"]) == (told, "known")
    [again] = await world.batch(client, "mtr-in-2", [record])
    assert (again["stored"], again["reason"]) == ("quarantined", "from_future")
    world.clock.at = AT + timedelta(days=40)
    found = await reader.upload(client, reader.sealed(1, 2))
    assert (found["apart"], found["stored"]) == (told[:1], "known")
    assert await world.value("select count(*) from tap") == 1


async def test_a_record_that_was_never_here_is_new_whoever_sent_its_position_before(
    world: World,
) -> None:
    client = await world.start()
    reader = await SealingReader(world, "mtr-in-1").enrol(client)
    clone = reader.copy()
    write(world, reader, "scan")
    write(world, clone, "scan")
    await reader.upload(client)
    body = clone.sealed()
    first = await clone.upload(client, body)
    again = await clone.upload(client, body)
    assert (first["stored"], again["stored"]) == ("new", "known")
    assert (
        first["apart"]
        == again["apart"]
        == [{"sequence": reader.sequence, "reason": "sequence_conflict"}]
    )
