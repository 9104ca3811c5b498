"""Pages render, need a login, give nothing to scripts, and show an operator its own only."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from gateway_world import AT, World

from gateway.operators.console import amount, bar


async def log_in(client: Any, world: World, actor: str) -> int:
    async with client.post(
        "/console/login", data={"token": world.tokens[actor]}, allow_redirects=False
    ) as answer:
        if answer.status == 303:
            cookie = answer.headers["Set-Cookie"]
            assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
            assert "Path=/console" in cookie
        return int(answer.status)


async def seed(world: World, client: Any) -> None:
    """Two taps at mtr, one at kmb, a journey of each, a charge."""
    phone = world.phone()
    for reader in ("mtr-in-1", "mtr-in-2", "kmb-bus-1"):
        await world.tap(client, reader, world.scan(reader, phone.draw(AT)))
    conn = await world.db.connect()
    for operator in ("mtr", "kmb"):
        await conn.execute(
            "insert into journey (id, key, issuer, rider_id, slot, network, operator, kind, state,"
            " priced_at, service_day, cleared_at, fare_minor, fare_currency, fare_lines,"
            " tariff_version) values ($1, $1, 'alipayhk', $2, 0, $1, $1, 'single', 'COMPLETED',"
            " $3, '2026-10-30', $3, 5220, 'HKD', '[]', 't1')",
            operator, phone.authorisation.rider_id, AT,
        )  # fmt: skip
    await conn.execute(
        "insert into charge (id, journey_id, wallet, issuer, rider_id, amount_minor, currency,"
        " state, created_at) values ('c1', 'mtr', 'alipayhk', 'alipayhk', $1, 5220, 'HKD',"
        " 'CAPTURED', $2)", phone.authorisation.rider_id, AT,
    )  # fmt: skip


async def test_without_a_session_one_is_sent_to_the_login(world: World) -> None:
    client = await world.start()
    async with client.get("/console", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/console/login")
    async with client.get("/console/login") as answer:
        assert answer.status == 200 and "<form" in await answer.text()


@pytest.mark.parametrize("actor", ["finance", "auditor", "admin"])
async def test_the_house_sees_the_whole_day(world: World, actor: str) -> None:
    client = await world.start()
    await seed(world, client)
    assert await log_in(client, world, actor) == 303
    async with client.get("/console") as answer:
        assert answer.status == 200
        page = await answer.text()
        policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert "accepted: 2" in page and "refused: 1" in page and "<svg" in page
    assert "52.20" in page and "CAPTURED" in page and "Balanced" in page
    assert not re.search(r"<script|style=|https?://", page)
    async with client.get("/console/style.css") as answer:
        assert answer.content_type == "text/css"
    async with client.post("/console/logout", allow_redirects=False) as answer:
        assert answer.status == 303
    async with client.get("/console", allow_redirects=False) as answer:
        assert answer.status == 303


async def test_a_quiet_day_opens_on_the_last_one_with_journeys(world: World) -> None:
    client = await world.start()
    await seed(world, client)
    world.clock.advance(timedelta(days=2))
    assert await log_in(client, world, "admin") == 303
    async with client.get("/console") as answer:
        assert "<h1>2026-10-30" in await answer.text()


async def test_an_operator_sees_its_own_journeys_only(world: World) -> None:
    client = await world.start()
    await seed(world, client)
    assert await log_in(client, world, "operator:mtr") == 303
    async with client.get("/console?day=2026-10-30") as answer:
        page = await answer.text()
    assert "mtr" in page and "kmb" not in page
    assert "CAPTURED" not in page and "alipayhk" not in page


@pytest.mark.parametrize("actor", ["mtr-in-1", "wallet:alipayhk"])
async def test_readers_and_wallets_have_no_console(world: World, actor: str) -> None:
    client = await world.start()
    assert await log_in(client, world, actor) == 401
    cookies = {"Cookie": f"transitpay_session={world.tokens[actor]}"}
    async with client.get("/console", headers=cookies, allow_redirects=False) as answer:
        assert answer.status == 403


async def test_a_day_that_is_none_is_not_found(world: World) -> None:
    client = await world.start()
    await log_in(client, world, "finance")
    for day in ("2026-02-30", "today", "'><script>"):
        async with client.get("/console", params={"day": day}) as answer:
            assert answer.status == 404


async def test_the_report_of_a_day_is_the_same_facts_as_json(world: World) -> None:
    client = await world.start()
    await seed(world, client)
    async with client.get("/v1/reports/days/2026-10-30", headers=world.auth("auditor")) as answer:
        found = await answer.json()
    assert {(t["operator"], t["decision"], t["taps"]) for t in found["taps"]} == {
        ("mtr", "accepted", 1), ("mtr", "refused", 1), ("kmb", "accepted", 1),
    }  # fmt: skip
    assert [c["minor"] for c in found["charges"]] == [5220]
    assert found["ledger_balanced"] is True and found["last_closing"] is None


async def test_an_operator_asks_for_a_refund_of_its_own_journey_once(world: World) -> None:
    client = await world.start()
    await seed(world, client)
    wish = {"request_id": "r1", "journey_id": "mtr", "reason": "gate fault"}
    headers = world.auth("operator:mtr")
    for body, status in (
        (wish, 202),
        (wish, 202),
        ({**wish, "reason": "another"}, 409),
        ({**wish, "request_id": "r2", "journey_id": "kmb"}, 404),
        ({**wish, "request_id": "r2", "journey_id": "none"}, 404),
    ):
        async with client.post("/v1/operator/refunds", json=body, headers=headers) as answer:
            assert answer.status == status
    [row] = await world.rows("select id, journey_id, requested_by from refund_request")
    assert tuple(row) == ("r1", "mtr", "operator:mtr")


async def test_an_operator_reads_its_journeys_and_files(world: World) -> None:
    client = await world.start()
    await seed(world, client)
    conn = await world.db.connect()
    for operator in ("mtr", "kmb"):
        await conn.execute(
            "insert into statement_file values ('2026-10-30', $1, $2, $3, 10, $4)",
            operator, f"{operator}.csv", bytes(32), AT + timedelta(days=1),
        )  # fmt: skip
    headers = world.auth("operator:mtr")
    async with client.get(
        "/v1/operator/journeys", params={"day": "2026-10-30"}, headers=headers
    ) as answer:
        found = await answer.json()
    assert [(j["id"], j["fare_minor"]) for j in found["journeys"]] == [("mtr", 5220)]
    assert found["next_cursor"] is None and "rider_id" not in found["journeys"][0]
    async with client.get("/v1/operator/statements", headers=headers) as answer:
        assert [s["name"] for s in (await answer.json())["statements"]] == ["mtr.csv"]


def test_a_bar_never_exceeds_its_drawing() -> None:
    parts = bar([("a", 1), ("b", 0), ("c", 2)])
    assert [(p.label, p.x, p.width) for p in parts] == [("a", 0, 200), ("c", 200, 400)]
    assert bar([]) == []
    assert [amount(n) for n in (0, 5, -5220, 1234567)] == ["0.00", "0.05", "-52.20", "12,345.67"]
