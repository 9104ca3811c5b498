"""Operators see suspensions in their networks and let riders go: a person's word, said once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from gateway_world import AT, WALLET, World

PATH, RIDER = "/v1/operator/suspensions", "00" * 8


@pytest.fixture
async def client(world: World) -> Any:
    """One evasion on MTR, one suspension on KMB that ended by itself."""
    conn = await world.db.connect("transitpay_settlement")
    await conn.execute(
        "insert into suspension (issuer, rider_id, network, why, counted, days, more_than, since,"
        " until, noticed_at, ended_at) values"
        " ($1, $2, 'mtr', 'evasion', 11, 365, 10, $3, null, $3, null),"
        " ($1, $2, 'kmb', 'missing_exits', 4, 30, 3, $3, $4, $3, $4)",
        WALLET, RIDER, AT, AT + timedelta(days=1),
    )  # fmt: skip
    return await world.start()


async def listed(world: World, client: Any, by: str, query: str = "") -> Any:
    async with client.get(PATH + query, headers=world.auth(by)) as answer:
        assert answer.status == 200
        return await answer.json()


async def end(
    world: World, client: Any, number: int, *, reason: str = "talked to", by: str = "operator:mtr",
    status: int = 200,
) -> Any:  # fmt: skip
    body = {"suspension": number, "reason": reason}
    path = "/v1/operator/suspension-ends"
    async with client.post(path, json=body, headers=world.auth(by)) as answer:
        found = await answer.json()
        assert answer.status == status, found
        return found


async def test_an_operator_sees_suspensions_of_its_networks_and_an_admin_all(
    world: World, client: Any
) -> None:
    [evasion] = (await listed(world, client, "operator:mtr"))["suspensions"]
    assert (evasion["why"], evasion["until"], evasion["ended_at"]) == ("evasion", None, None)
    assert RIDER not in str(evasion), "operators see no riders"
    assert len((await listed(world, client, "admin"))["suspensions"]) == 2
    page = await listed(world, client, "admin", "?limit=1")
    rest = await listed(world, client, "admin", f"?limit=1&cursor={page['next_cursor']}")
    assert rest["suspensions"] == [evasion] and rest["next_cursor"] is None


async def test_a_person_lets_a_rider_go_once_and_settlement_reads_the_rider(
    world: World, client: Any
) -> None:
    [evasion] = (await listed(world, client, "operator:mtr"))["suspensions"]
    number = evasion["suspension"]
    first = await end(world, client, number)
    assert (first["let_go_by"], first["end_reason"]) == ("operator:mtr", "talked to")
    assert await end(world, client, number) == first, "the same again"
    other = await end(world, client, number, reason="other", status=409)
    assert other["code"] == "request_repeated"
    assert await world.rows("select rider_id, since from tap_inbox") == [(RIDER, AT)]
    assert await world.value("select count(*) from audit_log") == 1


async def test_nobody_ends_what_is_not_theirs_or_is_over(world: World, client: Any) -> None:
    [evasion] = (await listed(world, client, "operator:mtr"))["suspensions"]
    for number, by in ((evasion["suspension"], "operator:kmb"), (99, "admin")):
        assert (await end(world, client, number, by=by, status=404))["code"] == "not_found"
    [over] = (await listed(world, client, "operator:kmb"))["suspensions"]
    found = await end(world, client, over["suspension"], by="operator:kmb")
    assert found == over and await world.value("select count(*) from tap_inbox") == 0
