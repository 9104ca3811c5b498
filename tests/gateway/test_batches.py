"""Records of offline readers: the same road, in any order, as often as the reader likes."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from gateway_world import AT, World

HOUR = timedelta(hours=1)


def ride(world: World, at: Any, **fields: Any) -> dict[str, Any]:
    phone = fields.pop("phone", None) or world.phone()
    return world.scan("mtr-in-1", phone.draw(at), at=at, **{"opened": True, **fields})


async def test_a_batch_is_stored_judged_at_its_own_time(world: World) -> None:
    client = await world.start()
    records = [ride(world, AT - HOUR * n) for n in range(1, 4)]
    results = await world.batch(client, "mtr-in-1", records)
    assert [(r["stored"], r["decision"]) for r in results] == [("new", "accepted")] * 3
    assert [r["sequence"] for r in results] == [r["sequence"] for r in records]
    rows = await world.rows("select tier, reader_opened, flags from tap")
    assert all((r["tier"], r["reader_opened"], r["flags"]) == ("batch", True, []) for r in rows)
    [status] = await world.rows("select last_sequence, through_at from reader_status")
    assert tuple(status) == (3, AT)


async def test_a_batch_twice_reversed_and_concurrently_is_one(world: World) -> None:
    one, two = await world.start(), await world.start()
    records = [ride(world, AT - timedelta(minutes=n)) for n in range(40)]
    first = await world.batch(one, "mtr-in-1", records)
    again = await world.batch(two, "mtr-in-1", records[::-1])
    assert {r["stored"] for r in first} == {"new"} and {r["stored"] for r in again} == {"known"}
    fresh = [ride(world, AT - timedelta(minutes=n)) for n in range(40)]
    both = await asyncio.gather(
        world.batch(one, "mtr-in-1", fresh), world.batch(two, "mtr-in-1", fresh[::-1])
    )
    assert sorted(r["stored"] for r in both[0] + both[1]) == ["known"] * 40 + ["new"] * 40
    assert {r["decision"] for r in both[0] + both[1]} == {"accepted"}
    assert await world.value("select count(*) from tap") == 80
    assert await world.value("select count(*) from code_use") == 80


async def test_one_record_twice_in_a_batch_is_new_then_known(world: World) -> None:
    client = await world.start()
    record = ride(world, AT)
    other = {**record, "code": world.phone().draw(AT)}
    results = await world.batch(client, "mtr-in-1", [record, record, other])
    assert [r["stored"] for r in results] == ["new", "known", "conflict"]
    assert results[2]["decision"] is None
    assert await world.value("select count(*) from clone_alarm") == 1


async def test_a_scan_asked_online_and_uploaded_later_is_one_tap(world: World) -> None:
    client = await world.start()
    asked = world.scan("mtr-in-1", world.phone().draw(AT))
    await world.tap(client, "mtr-in-1", asked)
    for _ in range(2):
        [result] = await world.batch(client, "mtr-in-1", [{**asked, "opened": True}])
        assert (result["stored"], result["decision"]) == ("known", "accepted")
    [row] = await world.rows("select tier, reader_opened, flags, decision from tap")
    assert tuple(row) == ("online", True, [], "accepted")


async def test_what_the_reader_did_beats_what_the_gateway_said(world: World) -> None:
    """The answer was lost and the reader refused: the rider was not let in and does not pay."""
    client = await world.start()
    asked = world.scan("mtr-in-1", world.phone().draw(AT))
    await world.tap(client, "mtr-in-1", asked)
    await world.batch(client, "mtr-in-1", [{**asked, "opened": False}])
    [row] = await world.rows("select decision, reason, flags, reader_opened from tap")
    assert tuple(row) == ("refused", "reader_refused", [], False)
    [row] = await world.rows("select difference, liable from tap_record")
    assert tuple(row) == ("refused_good", "operator")
    assert await world.value("select count(*) from tap_inbox") == 2, "the rider is read again"


async def test_a_rider_whom_the_reader_did_not_let_in_has_no_tap(world: World) -> None:
    client = await world.start()
    phone = world.phone()
    record = ride(world, AT, phone=phone, opened=False, reader_reason="passback")
    [result] = await world.batch(client, "mtr-in-1", [record])
    assert (result["decision"], result["reason"]) == ("refused", "passback")
    assert await world.value("select count(*) from code_use") == 0
    assert await world.value("select flags from tap") == []


async def test_a_replay_that_an_offline_reader_opened_is_an_offline_double(world: World) -> None:
    client = await world.start()
    code = world.phone().draw(AT)
    await world.tap(client, "mtr-in-2", world.scan("mtr-in-2", code))
    record = world.scan("mtr-in-1", code, opened=True)
    [result] = await world.batch(client, "mtr-in-1", [record])
    assert (result["decision"], result["reason"]) == ("refused", "replay")
    assert (result["difference"], result["liable"]) == ("offline_double", "issuer")


async def test_a_passback_that_an_offline_reader_opened_is_a_ride(world: World) -> None:
    client = await world.start()
    phone = world.phone()
    await world.tap(client, "mtr-in-2", world.scan("mtr-in-2", phone.draw(AT)))
    [result] = await world.batch(client, "mtr-in-1", [ride(world, AT, phone=phone)])
    assert (result["decision"], result["difference"]) == ("accepted", None)


async def test_an_old_record_does_not_move_presence_back(world: World) -> None:
    client = await world.start()
    phone = world.phone()
    await world.tap(client, "mtr-out-1", world.scan("mtr-out-1", phone.draw(AT)))
    old = AT - HOUR
    await world.batch(client, "mtr-in-1", [ride(world, old, phone=phone)])
    assert await world.value("select at from presence") == AT


async def test_one_rider_many_times_in_one_batch_is_decided_in_order_of_time(world: World) -> None:
    client = await world.start()
    phone = world.phone()
    records = [ride(world, AT - timedelta(seconds=400 * n), phone=phone) for n in range(10)]
    results = await world.batch(client, "mtr-in-1", records)
    assert {r["decision"] for r in results} == {"accepted"}
    assert await world.value("select at from presence") == AT
    assert not any(r["flags"] for r in await world.rows("select flags from tap"))


async def test_a_record_of_thirty_five_days_is_booked_and_an_older_one_set_apart(
    world: World,
) -> None:
    client = await world.start()
    old, older, ahead = AT - timedelta(35), AT - timedelta(36), AT + timedelta(days=2)
    phones = [world.phone(not_before=int(at.timestamp()) - 60) for at in (old, older, ahead)]
    records = [
        ride(world, at, phone=phone) for at, phone in zip((old, older, ahead), phones, strict=True)
    ]
    for stored in ("new", "known"):
        results = await world.batch(client, "mtr-in-1", [*records, ride(world, AT)])
        assert [r["stored"] for r in results] == [stored, "quarantined", "quarantined", "new"]
    assert results[1]["reason"] == "day_out_of_range"
    rows = await world.rows("select reason, request from tap_quarantine order by sequence")
    assert [r["request"]["sequence"] for r in rows] == [2, 3]


async def test_a_partition_that_is_gone_sets_one_record_apart_and_not_its_group(
    world: World,
) -> None:
    """Somebody dropped and forbade a day: the group is stored without it."""
    client = await world.start()
    conn = await world.db.connect()
    day = AT - timedelta(20)
    lost = ride(world, day, phone=world.phone(not_before=int(day.timestamp()) - 60))
    await world.batch(client, "mtr-in-1", [{**lost, "sequence": 900}])
    await conn.execute(f"drop table tap_{day:%Y%m%d}")
    await conn.execute(
        f"create table tap_{day:%Y%m%d} (n int)"
    )  # the name is taken, so no partition can be made
    results = await world.batch(client, "mtr-in-1", [ride(world, AT), lost, ride(world, AT)])
    assert [r["stored"] for r in results] == ["new", "quarantined", "new"]
    assert results[1]["reason"].startswith("refused_by_database:")


async def test_a_heartbeat_reports_and_never_goes_back_or_ahead(world: World) -> None:
    client = await world.start()
    for at, last in ((AT, 5), (AT - HOUR, 4), (AT + HOUR, 5)):
        body = {"last_sequence": last, "through_at": at.isoformat()}
        headers = world.auth("mtr-in-1")
        async with client.post("/v1/readers/heartbeat", json=body, headers=headers) as answer:
            assert answer.status == 200
            found = await answer.json()
    assert [found[f"{name}_version"] for name in ("trust", "deny", "config")] == [3, 1, 1]
    [status] = await world.rows("select last_sequence, through_at from reader_status")
    assert tuple(status) == (5, AT)
