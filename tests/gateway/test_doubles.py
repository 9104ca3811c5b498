"""Two gates opened for one code: the earlier has the journey, and one side bears the other one."""

from __future__ import annotations

import copy
from datetime import timedelta

import pytest
from gateway_world import AT, World
from test_rejudged_uploads import SECOND, sealing, taps

from transitpay.ride_code.records.record import DecidedBy
from transitpay.taps import Direction


async def test_case_10_two_phones_of_one_backup_are_told_as_a_cloned_device(world: World) -> None:
    """The same counter with other signed bytes, at two offline readers, in either order."""
    client = await world.start()
    one, two = await sealing(world, client), await sealing(world, client, "mtr-in-2")
    phone = world.phone()
    twin = copy.copy(phone)
    first, second = phone.draw(AT), twin.draw(AT + SECOND)
    assert first != second and phone.counter == twin.counter
    one.scan(first, AT)
    two.scan(second, AT + SECOND)
    await two.upload(client)
    found = await one.upload(client)
    assert found["differences"] == []
    assert [row[:2] + row[3:] for row in await taps(world)] == [
        ("accepted", None, None, None),
        ("refused", "replay", "offline_double", "issuer"),
    ]
    rows = await world.rows("select kind, reader, subject from reader_alarm order by reader")
    assert [tuple(row)[:2] for row in rows] == [
        ("cloned_device", "mtr-in-1"),
        ("cloned_device", "mtr-in-2"),
    ]
    assert rows[0]["subject"] == rows[1]["subject"]


async def test_a_code_opened_twice_by_one_reader_is_its_operators(world: World) -> None:
    client = await world.start()
    reader = await sealing(world, client)
    code = world.phone().draw(AT)
    for off in (0, 2, 3):
        reader.scan(code, AT + off * SECOND)
    await reader.upload(client)
    assert [row[:2] + row[3:] for row in await taps(world)] == [
        ("accepted", None, None, None),
        ("already_answered", "already_answered", "own_duplicate", "operator"),
        ("refused", "replay", "own_duplicate", "operator"),
    ]


@pytest.mark.parametrize("first", ["kmb-bus-1", "mtr-in-1"])
async def test_a_gate_opened_against_our_answer_is_its_operators_also_as_a_double(
    world: World, first: str
) -> None:
    """Whichever of the two comes first: we had refused at the gate, the bus was offline."""
    client = await world.start()
    bus = await sealing(world, client, "kmb-bus-1", Direction.BOARD)
    gate = await sealing(world, client)
    phone = world.phone()
    await world.tap(client, "mtr-in-2", world.scan("mtr-in-2", phone.draw(AT)))
    code = phone.draw(AT)
    bus.scan(code, AT - timedelta(seconds=20))
    sequence = gate.sequence + 1
    asked = await world.tap(client, gate.id, world.scan(gate.id, code, sequence=sequence))
    assert (asked["open"], asked["reason"]) == (False, "passback")
    gate.scan(code, decided_by=DecidedBy.GATEWAY)
    for reader in sorted((bus, gate), key=lambda it: it.id != first):
        await reader.upload(client)
    assert [row[:2] + row[3:] for row in await taps(world)] == [
        ("accepted", None, None, None),
        ("refused", "replay", "answer_ignored", "operator"),
    ]
