"""A gate of the sandbox runs the SDK against a real gateway, with and without its network."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from gateway_world import AT, World

from transitpay.errors import TemporarilyUnavailable
from transitpay.ride_code.lists.signed_list import ListKind
from transitpay.ride_code.signature_cache import SignatureCache
from transitpay.sandbox.coverage import Coverage
from transitpay.sandbox.diary import Diary
from transitpay.sandbox.gate import SandboxReader
from transitpay.sandbox.gate_lists import GateLists
from transitpay.sandbox.places import Place
from transitpay.sandbox.wire import HttpWire
from transitpay.taps import Direction

DARK = Coverage(((AT, AT + timedelta(hours=1)),))


@pytest.fixture
def gate(world: World, tmp_path: Path) -> Any:
    async def make(coverage: Coverage, reader: str = "mtr-in-1") -> SandboxReader:
        client = world.clients[0]
        place = Place(reader, "mtr", "mtr", 0, 0, "HUH", Direction.ENTRY, 300, online=True)
        wire = HttpWire(client.session, str(client.make_url("")).rstrip("/"))
        made = SandboxReader(
            place, world.tokens[reader], wire, world.clock, coverage,
            GateLists(reader, world.list_roots), Diary(), tmp_path / reader, SignatureCache(),
        )  # fmt: skip
        await made.enrol()
        await made.start()
        return made

    return make


async def taps(world: World) -> list[tuple[Any, ...]]:
    rows = await world.rows(
        "select t.reader, t.decision, t.tier, r.decided_by, r.difference, r.liable"
        " from tap t left join tap_record r using (tapped_day, reader, sequence) order by t.at"
    )
    return [tuple(row) for row in rows]


async def test_a_gate_asks_while_it_has_a_network_and_its_record_follows(
    world: World, gate: Any
) -> None:
    await world.start()
    it = await gate(Coverage())
    assert {kind: it.lists.held(kind) is not None for kind in ListKind} == dict.fromkeys(
        ListKind, True
    )
    phone = world.phone()
    assert (await it.scan(phone.draw(AT), AT)).opened
    assert await taps(world) == [("mtr-in-1", "accepted", "online", None, None, None)]
    world.clock.advance(timedelta(seconds=2))
    await it.tend()
    assert it.waiting == 0
    assert await taps(world) == [("mtr-in-1", "accepted", "online", "gateway", None, None)]
    assert [a.decision for a in it.diary.answers.values()] == ["accepted"]
    it.close()


async def test_a_gate_without_a_network_decides_alone_and_delivers_all_of_it_later(
    world: World, gate: Any
) -> None:
    await world.start()
    here, there = await gate(DARK), await gate(DARK, "mtr-in-2")
    phone = world.phone()
    code, later = phone.draw(AT), AT + timedelta(seconds=35)
    assert (await here.scan(code, AT)).opened
    assert (await there.scan(code, later)).opened, "it cannot know what another gate has seen"
    assert not (await here.scan(code, later)).opened
    world.clock.advance(timedelta(minutes=30))
    for it in (there, here):
        await it.tend()
        assert it.waiting > 0 and await taps(world) == []
    world.clock.advance(timedelta(minutes=31))
    for it in (there, here):
        await it.tend()
        await it.tend()
        assert it.waiting == 0 and it.diary.late > 0
    assert await taps(world) == [
        ("mtr-in-1", "accepted", "batch", "reader", None, None),
        ("mtr-in-1", "refused", "batch", "reader", None, None),
        ("mtr-in-2", "refused", "batch", "reader", "offline_double", "issuer"),
    ]


async def test_a_gate_reports_no_time_after_a_scan_that_is_planned_and_not_made(
    world: World, gate: Any
) -> None:
    await world.start()
    it = await gate(Coverage())
    it.expect(AT + timedelta(minutes=5), 7)
    world.clock.advance(timedelta(minutes=10))
    for _ in range(2):
        await it.tend()
        world.clock.advance(timedelta(seconds=2))
    reported = "select through_at from reader_status where reader = 'mtr-in-1'"
    assert await world.value(reported) < AT + timedelta(minutes=5)
    it.over(7)
    await it.tend()
    assert await world.value(reported) > AT + timedelta(minutes=5)


async def test_a_gate_whom_the_gateway_does_not_know_starts_not(world: World, gate: Any) -> None:
    await world.start()
    world.tokens["mtr-in-1"] = "not a token"
    with pytest.raises(TemporarilyUnavailable, match="mtr-in-1"):
        await gate(Coverage())
