"""Who did not pass may enter again, whenever his reader tells it: through HTTP, in any order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from gateway_world import AT, World
from sealing_reader import SealingReader

from transitpay.ride_code.reasons import Reason
from transitpay.ride_code.records.record import DecidedBy, Passage
from transitpay.taps import Direction

SECOND = timedelta(seconds=1)


async def sealing(world: World, client: Any, reader: str = "mtr-in-1") -> SealingReader:
    return await SealingReader(world, reader, Direction.ENTRY).enrol(client)


async def ask(world: World, client: Any, reader: SealingReader, code: str) -> Any:
    """The scan that the reader will record next, asked online."""
    body = world.scan(reader.id, code, sequence=reader.sequence + 1)
    return await world.tap(client, reader.id, body)


async def entered(world: World) -> Any:
    return await world.rows("select direction, online from presence")


@pytest.mark.parametrize("online", [True, False])
@pytest.mark.parametrize("passage", [Passage.NOT_PASSED, Passage.TIMED_OUT, Passage.PASSED])
async def test_an_outcome_of_a_later_batch_lets_the_rider_enter_with_a_fresh_code(
    world: World, online: bool, passage: Passage
) -> None:
    client = await world.start()
    reader, phone = await sealing(world, client), world.phone()
    code = phone.draw(AT)
    by = DecidedBy.READER
    if online:
        assert (await ask(world, client, reader, code))["open"]
        by = DecidedBy.GATEWAY
    scan = reader.scan(code, decided_by=by)
    await reader.upload(client, reader.sealed(1, 1))
    reader.outcome(scan.sequence, passage)
    for _ in range(2):
        await reader.upload(client, reader.sealed(2, 2))
    world.clock.at = AT + SECOND
    passed = passage is Passage.PASSED
    out = await world.tap(
        client, "mtr-out-1", world.scan("mtr-out-1", phone.draw(AT + SECOND), at=AT - SECOND)
    )
    assert out["open"]
    fresh = await world.tap(client, "mtr-in-2", world.scan("mtr-in-2", phone.draw(AT + SECOND)))
    assert (fresh["open"], fresh["reason"]) == ((False, "passback") if passed else (True, None))
    again = await world.tap(client, "mtr-in-2", world.scan("mtr-in-2", code))
    assert again["reason"] == "replay"


async def test_the_exit_of_who_did_not_enter_has_no_entry(world: World) -> None:
    client = await world.start()
    reader, phone = await sealing(world, client), world.phone()
    code = phone.draw(AT)
    await ask(world, client, reader, code)
    scan = reader.scan(code, decided_by=DecidedBy.GATEWAY)
    reader.outcome(scan.sequence, Passage.NOT_PASSED)
    await reader.upload(client)
    world.clock.at = AT + SECOND
    out = await world.tap(client, "mtr-out-1", world.scan("mtr-out-1", phone.draw(AT + SECOND)))
    assert (out["open"], out["flags"]) == (True, ["missing_entry"])


async def test_who_was_refused_by_a_reader_before_our_answer_came_may_enter_elsewhere(
    world: World,
) -> None:
    client = await world.start()
    reader, phone = await sealing(world, client), world.phone()
    code = phone.draw(AT)
    assert (await ask(world, client, reader, code))["open"]
    reader.scan(code, reason=Reason.STORE_FULL)
    await reader.upload(client)
    world.clock.at = AT + SECOND
    fresh = await world.tap(client, "mtr-in-2", world.scan("mtr-in-2", phone.draw(AT + SECOND)))
    assert fresh["open"]


async def test_an_old_outcome_leaves_a_rider_who_was_seen_since_where_he_is(world: World) -> None:
    client = await world.start()
    reader, phone = await sealing(world, client), world.phone()
    scan = reader.scan(phone.draw(AT))
    await reader.upload(client)
    world.clock.at = AT + 301 * SECOND
    body = world.scan("mtr-in-2", phone.draw(world.clock.at))
    assert (await world.tap(client, "mtr-in-2", body))["open"]
    reader.outcome(scan.sequence, Passage.NOT_PASSED)
    await reader.upload(client, reader.sealed(2, 2))
    assert [tuple(row) for row in await entered(world)] == [("entry", True)]


@pytest.mark.parametrize("online", [True, False])
async def test_an_outcome_that_stands_before_its_scan_counts(world: World, online: bool) -> None:
    client = await world.start()
    reader, phone = await sealing(world, client), world.phone()
    code = phone.draw(AT)
    reader.outcome(reader.sequence + 1, Passage.NOT_PASSED)
    await reader.upload(client, reader.sealed(1, 1))
    if online:
        await ask(world, client, reader, code)
    reader.scan(code, decided_by=DecidedBy.GATEWAY if online else DecidedBy.READER)
    await reader.upload(client, reader.sealed(2, 2))
    [row] = await world.rows(
        "select t.decision, t.reason, r.outcome from tap t"
        " join tap_record r using (tapped_day, reader, sequence)"
    )
    assert tuple(row) == ("refused", "not_passed", "not_passed")


@pytest.mark.parametrize("turned", [False, True])
async def test_a_code_that_we_refused_and_a_reader_opened_goes_to_the_earlier_scan(
    world: World, turned: bool
) -> None:
    """Whoever uploads first; and a refusal of it is no fault in either order."""
    client = await world.start()
    early, late = await sealing(world, client), await sealing(world, client, "mtr-in-2")
    phone = world.phone()
    first, code = phone.draw(AT), phone.draw(AT)
    await world.tap(client, "mtr-in-2", world.scan("mtr-in-2", first))
    early.scan(code, AT)
    world.clock.at = AT + 3 * SECOND
    assert (await ask(world, client, late, code))["reason"] == "passback"
    late.scan(code, AT + 3 * SECOND)
    for reader in (late, early) if turned else (early, late):
        await reader.upload(client)
    rows = await world.rows(
        "select t.reader, t.decision, t.reason, r.difference, r.liable from tap t"
        " join tap_record r using (tapped_day, reader, sequence) order by t.reader"
    )
    assert [tuple(row) for row in rows] == [
        ("mtr-in-1", "accepted", None, None, None),
        ("mtr-in-2", "refused", "replay", "offline_double", "issuer"),
    ]
    assert await world.value("select reader from code_use where counter = 2") == "mtr-in-1"
