"""Online taps against the real app and a real database: one code opens one gate, once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from gateway_world import AT, World


async def test_a_fresh_code_opens_and_is_stored_with_its_inbox_row(world: World) -> None:
    client = await world.start()
    phone = world.phone()
    answer = await world.tap(client, "mtr-in-1", world.scan("mtr-in-1", phone.draw(AT)))
    assert answer["decision"] == "accepted" and answer["open"] is True
    assert answer["signal"] == "green" and answer["reason"] is None and answer["flags"] == []
    assert answer["text"] == {"zh-Hant": "請通過", "zh-Hans": "请通过", "en": "Please pass."}
    [row] = await world.rows("select decision, tier, issuer, stop, operator from tap")
    assert tuple(row) == ("accepted", "online", "alipayhk", "HUH", "mtr")
    [inbox] = await world.rows("select issuer, rider_id, due_at from tap_inbox")
    assert inbox["rider_id"] == phone.authorisation.rider_id and inbox["due_at"] == AT
    [place] = await world.rows("select network, at, direction, reader from presence")
    assert tuple(place) == ("mtr", AT, "entry", "mtr-in-1")


async def test_a_network_retry_gets_the_stored_answer(world: World) -> None:
    client = await world.start()
    body = world.scan("mtr-in-1", world.phone().draw(AT))
    first = await world.tap(client, "mtr-in-1", body)
    assert await world.tap(client, "mtr-in-1", body) == first
    assert await world.value("select count(*) from tap_inbox") == 1


async def test_a_retry_while_the_first_is_under_way_gets_the_same_answer(world: World) -> None:
    client = await world.start()
    body = world.scan("mtr-in-1", world.phone().draw(AT))
    answers = await asyncio.gather(*(world.tap(client, "mtr-in-1", body) for _ in range(12)))
    assert all(a == answers[0] and a["open"] for a in answers)
    assert await world.value("select count(*) from tap") == 1


async def test_other_content_under_a_used_sequence_is_a_clone_alarm(world: World) -> None:
    client = await world.start()
    body = world.scan("mtr-in-1", world.phone().draw(AT))
    await world.tap(client, "mtr-in-1", body)
    other = {**body, "code": world.phone().draw(AT)}
    for _ in range(2):
        problem = await world.tap(client, "mtr-in-1", other, status=409)
        assert problem["code"] == "sequence_conflict" and problem["field"] == "sequence"
    assert await world.value("select count(*) from clone_alarm") == 1
    assert await world.value("select count(*) from tap") == 1


async def test_the_same_code_at_the_same_gate_within_two_seconds_opens_once(world: World) -> None:
    client = await world.start()
    code = world.phone().draw(AT)
    await world.tap(client, "mtr-in-1", world.scan("mtr-in-1", code))
    near = AT + timedelta(seconds=2)
    again = await world.tap(client, "mtr-in-1", world.scan("mtr-in-1", code, at=near))
    assert (again["decision"], again["open"], again["signal"]) == (
        "already_answered", False, "green",
    )  # fmt: skip
    late = AT + timedelta(seconds=2, milliseconds=1)
    refused = await world.tap(client, "mtr-in-1", world.scan("mtr-in-1", code, at=late))
    assert (refused["decision"], refused["reason"]) == ("refused", "replay")


async def test_a_used_code_is_refused_elsewhere(world: World) -> None:
    client = await world.start()
    code = world.phone().draw(AT)
    await world.tap(client, "mtr-in-1", world.scan("mtr-in-1", code))
    for reader in ("mtr-in-2", "mtr-out-1", "kmb-bus-1"):
        refused = await world.tap(client, reader, world.scan(reader, code))
        assert refused["open"] is False
        assert (refused["decision"], refused["reason"]) == ("refused", "replay")


@pytest.mark.parametrize("second", ["mtr-in-2", "kmb-bus-1"])
async def test_one_code_at_two_gates_of_two_gateways_opens_exactly_one(
    world: World, second: str
) -> None:
    one, two = await world.start(), await world.start()
    for _ in range(25):
        code = world.phone().draw(AT)
        answers = await asyncio.gather(
            world.tap(one, "mtr-in-1", world.scan("mtr-in-1", code)),
            world.tap(two, second, world.scan(second, code)),
        )
        assert sorted(a["decision"] for a in answers) == ["accepted", "refused"]
        [loser] = [a for a in answers if not a["open"]]
        assert loser["reason"] == "replay"
    assert await world.value("select count(*) from code_use") == 25
    assert await world.value("select count(*) from tap where decision = 'accepted'") == 25


async def test_passback_refuses_a_second_entry_and_not_its_edge(world: World) -> None:
    client = await world.start()
    phone = world.phone()
    await world.tap(client, "mtr-in-1", world.scan("mtr-in-1", phone.draw(AT)))
    world.clock.at = soon = AT + timedelta(seconds=299)
    refused = await world.tap(client, "mtr-in-2", world.scan("mtr-in-2", phone.draw(soon)))
    assert (refused["decision"], refused["reason"]) == ("refused", "passback")
    world.clock.at = later = AT + timedelta(seconds=300)
    answer = await world.tap(client, "mtr-in-2", world.scan("mtr-in-2", phone.draw(later)))
    assert answer["open"] is True


async def test_a_passback_refusal_does_not_spend_the_code(world: World) -> None:
    client = await world.start()
    phone = world.phone()
    await world.tap(client, "mtr-in-1", world.scan("mtr-in-1", phone.draw(AT)))
    code = phone.draw(AT)
    await world.tap(client, "mtr-in-2", world.scan("mtr-in-2", code))
    assert (await world.tap(client, "mtr-out-1", world.scan("mtr-out-1", code)))["open"] is True


async def test_a_replayed_screenshot_never_moves_its_victim(world: World) -> None:
    client = await world.start()
    phone = world.phone()
    code = phone.draw(AT)
    await world.tap(client, "mtr-in-1", world.scan("mtr-in-1", code))
    world.clock.at = AT + timedelta(seconds=30)
    await world.tap(client, "mtr-in-2", world.scan("mtr-in-2", code))
    assert await world.value("select reader from presence") == "mtr-in-1"


async def test_entry_then_exit_then_entry_are_three_accepted_taps(world: World) -> None:
    client = await world.start()
    phone = world.phone()
    for minute, reader in enumerate(("mtr-in-1", "mtr-out-1", "mtr-in-2")):
        world.clock.at = at = AT + timedelta(minutes=minute)
        answer = await world.tap(client, reader, world.scan(reader, phone.draw(at)))
        assert answer["open"] is True and answer["flags"] == []


async def test_an_exit_without_an_entry_opens_and_is_flagged(world: World) -> None:
    client = await world.start()
    answer = await world.tap(client, "mtr-out-1", world.scan("mtr-out-1", world.phone().draw(AT)))
    assert (answer["open"], answer["signal"], answer["flags"]) == (True, "amber", ["missing_entry"])


async def test_holder_and_companion_pass_one_after_the_other(world: World) -> None:
    client = await world.start()
    phone = world.phone()
    for slot in (0, 1, 2):
        answer = await world.tap(
            client, "mtr-in-1", world.scan("mtr-in-1", phone.draw(AT, slot=slot))
        )
        assert answer["open"] is True
    again = await world.tap(client, "mtr-in-1", world.scan("mtr-in-1", phone.draw(AT, slot=1)))
    assert again["reason"] == "passback"


async def test_many_taps_at_once_are_decided_one_by_one(world: World) -> None:
    """In one group: three codes of one rider at two gates, and one code at two gates."""
    client = await world.start()
    phone, other = world.phone(), world.phone()
    shared = other.draw(AT)
    codes = [
        ("mtr-in-1", phone.draw(AT)),
        ("mtr-in-2", phone.draw(AT)),
        ("mtr-in-1", phone.draw(AT)),
    ]
    codes += [("mtr-in-1", shared), ("mtr-in-2", shared), ("kmb-bus-1", shared)]
    codes += [("mtr-in-1", world.phone().draw(AT)) for _ in range(30)]
    answers = await asyncio.gather(
        *(world.tap(client, reader, world.scan(reader, code)) for reader, code in codes)
    )
    assert sum(a["open"] for a in answers[:3]) == 1
    assert {a["reason"] for a in answers[:3]} == {None, "passback"}
    assert sum(a["open"] for a in answers[3:6]) == 1
    assert {a["reason"] for a in answers[3:6]} == {None, "replay"}
    assert all(a["open"] for a in answers[6:])
