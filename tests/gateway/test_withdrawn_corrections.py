"""A correction that waits is withdrawn by people of its operator, once; nobody approves it then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from gateway_world import AT, World
from ride_rows import ride
from test_console_pages import log_in
from test_journey_corrections import MINUTE, PATH, RIDER, client, counted, listed, send, wish
from test_ride_pages import ENDS, page, post

from transitpay.errors import Conflict
from transitpay.postgres.approvals import Withdrawal
from transitpay.postgres.journeys.corrections import Correction
from transitpay.runtime.corrections import approve_correction, withdraw_correction

__all__ = ["client"]
APPROVALS, WITHDRAWALS = f"{PATH}/approvals", f"{PATH}/withdrawals"
WORD = {"request_id": "c-1", "reason": "another gate"}


async def proposed(world: World, client: Any) -> str:
    journey = await ride(world, RIDER, 1, entry_at=AT - MINUTE)
    await send(world, client, PATH, wish(journey))
    world.clock.advance(MINUTE)
    return journey


@pytest.mark.parametrize("by", ["operator:mtr", "second"])
async def test_whoever_proposed_it_or_another_withdraws_it_and_all_see_who_when_and_why(
    world: World, client: Any, by: str
) -> None:
    await proposed(world, client)
    done = await send(world, client, WITHDRAWALS, WORD, by=by)
    assert (done["withdrawn_by"], done["withdrawn_at"], done["withdrawn_why"]) == (
        by, "2026-10-30T01:01:00Z", "another gate",
    )  # fmt: skip
    assert done["approved_by"] is None
    world.clock.advance(MINUTE)
    for again in ("operator:mtr", "second"):
        assert await send(world, client, WITHDRAWALS, WORD, by=again) == done
    assert (await listed(world, client))["corrections"] == [done]
    assert (await listed(world, client, "?waiting=true"))["corrections"] == []
    assert await world.rows("select actor, action from audit_log order by id") == [
        ("operator:mtr", "journey_correction_proposed"), (by, "journey_correction_withdrawn"),
    ]  # fmt: skip


async def test_a_withdrawn_correction_comes_to_nothing_and_another_id_begins_anew(
    world: World, client: Any
) -> None:
    journey = await proposed(world, client)
    await send(world, client, WITHDRAWALS, WORD)
    for path, body in (
        (APPROVALS, {"request_id": "c-1"}),
        (PATH, wish(journey)),
        (WITHDRAWALS, {**WORD, "reason": "another reason"}),
    ):
        problem = await send(world, client, path, body, by="second", status=409)
        assert problem["code"] == "already_withdrawn"
    other = await send(world, client, PATH, wish(journey, reason="other"), status=409)
    assert other["code"] == "request_repeated"
    assert await counted(world) == [] and await world.value("select count(*) from tap_inbox") == 0
    await send(world, client, PATH, wish(journey, request_id="c-2"))
    await send(world, client, APPROVALS, {"request_id": "c-2"}, by="second")
    assert await counted(world) == ["corrected 64"]


async def test_an_approved_correction_is_not_withdrawn(world: World, client: Any) -> None:
    await proposed(world, client)
    await send(world, client, APPROVALS, {"request_id": "c-1"}, by="second")
    problem = await send(world, client, WITHDRAWALS, WORD, status=409)
    assert problem["code"] == "already_approved"
    assert await counted(world) == ["corrected 64"]


async def test_only_people_of_the_operator_withdraw_what_is_there(
    world: World, client: Any
) -> None:
    await proposed(world, client)
    for by, word in (("operator:kmb", WORD), ("operator:mtr", {**WORD, "request_id": "c-9"})):
        assert (await send(world, client, WITHDRAWALS, word, by=by, status=404))["code"] == (
            "not_found"
        )
    problem = await send(world, client, WITHDRAWALS, {**WORD, "reason": ""}, status=400)
    assert (problem["code"], problem["field"]) == ("malformed_request", "reason")
    assert len((await listed(world, client, "?waiting=true"))["corrections"]) == 1


Work = Callable[[Any], Awaitable[Correction]]


async def approving(conn: Any) -> Correction:
    return await approve_correction(conn, "mtr", "c-1", "second", AT)


async def withdrawing(conn: Any) -> Correction:
    return await withdraw_correction(conn, "mtr", "c-1", Withdrawal("second", AT, "late"))


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        (approving, withdrawing, "already_approved"),
        (withdrawing, approving, "already_withdrawn"),
    ],
)
async def test_who_comes_second_waits_for_the_first_and_is_refused(
    world: World, client: Any, first: Work, second: Work, code: str
) -> None:
    await proposed(world, client)
    one, two = [await world.db.connect("transitpay_gateway") for _ in range(2)]

    async def later() -> Correction:
        async with two.transaction():
            return await second(two)

    async with one.transaction():
        won = await first(one)
        waiting = asyncio.create_task(later())
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done
    with pytest.raises(Conflict) as refusal:
        await waiting
    assert refusal.value.code == code
    [kept] = (await listed(world, client))["corrections"]
    assert (kept["approved_by"] is None) is (won.approved_by is None)
    assert (kept["withdrawn_by"] is None) is (won.withdrawn is None)


async def test_people_withdraw_on_the_page_which_tells_how_long_corrections_wait(
    world: World, client: Any
) -> None:
    await proposed(world, client)
    world.clock.advance(timedelta(days=2, hours=3))
    assert await log_in(client, world, "operator:mtr") == 303
    shown = await page(client, ENDS)
    assert "Waiting for a second person: 1<" in shown and "<td>2 d 3 h</td>" in shown
    assert 'value="c-1">Withdraw' in shown and "Withdrawn last" not in shown
    assert "Fill in every field" in await post(client, 400, withdraw="c-1")
    await post(client, 303, withdraw="c-1", reason="<another> gate")
    shown = await page(client, ENDS)
    assert "No correction waits" in shown and "Withdrawn last" in shown
    assert "<td>operator:mtr</td>" in shown and "<td>&lt;another&gt; gate</td>" in shown
    assert "for another reason" in await post(client, 422, withdraw="c-1", reason="none")
    assert await log_in(client, world, "auditor") == 303
    shown = await page(client, ENDS)
    assert "gate</td>" in shown and "<button name=" not in shown


async def test_the_day_s_page_and_report_show_what_waits_to_whom_it_concerns(
    world: World, client: Any
) -> None:
    await proposed(world, client)
    async with client.get("/v1/reports/days/2026-10-30", headers=world.auth("auditor")) as answer:
        assert (await answer.json())["proposals"] == [
            {
                "subject": "journey-correction:mtr/c-1", "operator": "mtr",
                "proposed_by": "operator:mtr", "proposed_at": "2026-10-30T01:00:00Z",
            }
        ]  # fmt: skip
    world.clock.advance(timedelta(minutes=59))
    for actor, sees in (("admin", True), ("second", True), ("operator:kmb", False)):
        assert await log_in(client, world, actor) == 303
        shown = await page(client, "/console")
        assert ("journey-correction:mtr/c-1" in shown) is sees
        assert ("<td>1 h 0 min</td>" in shown) is sees
    await send(world, client, WITHDRAWALS, WORD)
    assert await log_in(client, world, "admin") == 303
    assert "Waiting for a second person" not in await page(client, "/console")
