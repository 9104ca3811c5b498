"""Pages for people: a rider as support sees one, and journeys with a missing end."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from gateway_world import AT, WALLET, World
from issuer_world import refresh
from ride_rows import charge, ride, tell_tariffs
from test_console_pages import log_in
from test_missing_stations import rider_of
from test_support import suspended
from test_wallet_calls import call

from gateway.operators import rider_page
from transitpay.ledger.bookings import given_twice
from transitpay.money import HKD, Money
from transitpay.postgres.money.journal import add_entries
from transitpay.postgres.reference import Actor, Role
from transitpay.runtime import access

MINUTE = timedelta(minutes=1)
ENDS = "/console/missing-ends"


@pytest.fixture
async def client(world: World) -> Any:
    await tell_tariffs(world)
    conn = await world.db.connect("transitpay_gateway")
    made = await access.admit_actor(conn, Actor("second", "second", Role.OPERATOR, "mtr"), AT)
    assert made.token is not None
    world.tokens["second"] = made.token
    return await world.start()


async def page(client: Any, path: str, status: int = 200) -> str:
    async with client.get(path, allow_redirects=False) as answer:
        assert answer.status == status
        text = str(await answer.text())
        assert not re.search(r"<script|style=|https?://", text)
        return text


async def post(client: Any, status: int, **fields: str) -> str:
    async with client.post(ENDS, data=fields, allow_redirects=False) as answer:
        assert answer.status == status, await answer.text()
        return str(await answer.text())


@pytest.mark.parametrize("actor", ["finance", "auditor", "admin"])
async def test_support_of_the_house_reads_the_words_that_the_rider_reads(
    world: World, client: Any, actor: str
) -> None:
    rider = await rider_of(world, client)
    fare = {"code": "fare", "text": "by fare", "zh-Hant": "按車費", "zh-Hans": "按票价"}
    lines = [{**fare, "note": "its source", "amount_minor": 5220}]
    await ride(world, rider, 1, entry_at=AT, exit_at=AT + 40 * MINUTE, fare_lines=lines)
    await suspended(world, rider)
    await refresh(client)
    said = await call(world, client, "GET", f"/v1/riders/{rider}/refusals")
    [reason] = said["denial"]["reasons"]
    assert await log_in(client, world, actor) == 303
    shown = await page(client, f"/console/rider?wallet={WALLET}&rider={rider}")
    assert all(text in shown for text in reason["text"].values())
    assert "金鐘" in shown and "Lok Ma Chau" in shown and "52.20" in shown
    assert all(text in shown for text in ("by fare", "按車費", "按票价", "(its source)"))
    assert "acct-1" not in shown and "at-1" not in shown, "no account, no token"


async def test_a_rider_that_is_none_is_told_and_the_form_stands_alone(
    world: World, client: Any
) -> None:
    assert await log_in(client, world, "admin") == 303
    assert "no such rider" not in await page(client, "/console/rider")
    for rider in ("00" * 8, "%3Cscript%3E"):
        shown = await page(client, f"/console/rider?wallet={WALLET}&rider={rider}", 404)
        assert "no such rider" in shown


async def test_support_reads_on_to_older_rides(
    world: World, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rider_page, "_RIDES", 2)
    rider = await rider_of(world, client)
    made = [await ride(world, rider, n, entry_at=AT + n * MINUTE, exit_at=AT + (n + 1) * MINUTE)
            for n in range(1, 4)]  # fmt: skip
    assert await log_in(client, world, "auditor") == 303
    shown = await page(client, f"/console/rider?wallet={WALLET}&rider={rider}")
    assert [journey in shown for journey in made] == [False, True, True]
    (older,) = re.findall('href="(.*?)">Older rides', shown)
    shown = await page(client, html.unescape(older))
    assert [journey in shown for journey in made] == [True, False, False]
    assert "Older rides" not in shown
    await page(client, f"/console/rider?wallet={WALLET}&rider={rider}&cursor=x", 400)


async def test_an_operator_sees_no_rider(world: World, client: Any) -> None:
    assert await log_in(client, world, "operator:mtr") == 303
    await page(client, "/console/rider", 403)


async def test_two_people_correct_a_journey_on_the_page(world: World, client: Any) -> None:
    journey = await ride(world, "00" * 8, 1, entry_at=AT)
    await ride(world, "11" * 8, 2, exit_at=AT + 40 * MINUTE)
    assert await log_in(client, world, "operator:mtr") == 303
    shown = await page(client, f"{ENDS}?day=2026-10-30")
    assert journey in shown and shown.count("crossed_accounts") == 2
    assert "00" * 8 not in shown, "no rider"
    wish = {"request_id": "c1", "journey_id": journey, "stop": "落馬洲", "reason": "CCTV"}
    await post(client, 303, **wish)
    await post(client, 303, **wish)
    assert 'value="c1">Approve' not in await page(client, ENDS)
    assert "of their own" in await post(client, 422, approve="c1")
    assert await log_in(client, world, "second") == 303
    assert 'value="c1">Approve' in await page(client, ENDS)
    await post(client, 303, approve="c1")
    assert "No correction waits" in await page(client, ENDS)
    assert await world.value("select approved_by from approval") == "second"


async def test_a_form_that_cannot_be_taken_says_why(world: World, client: Any) -> None:
    journey = await ride(world, "00" * 8, 1, entry_at=AT, exit_at=AT + MINUTE)
    assert await log_in(client, world, "operator:mtr") == 303
    assert "Fill in every field" in await post(client, 400, request_id="c1")
    wish = {"request_id": "c1", "journey_id": journey, "stop": "78", "reason": "CCTV"}
    assert "no end of it is missing" in await post(client, 422, **wish)
    assert "no such correction" in await post(client, 422, approve="none")


async def test_a_refused_form_names_the_field_and_keeps_what_was_typed(
    world: World, client: Any
) -> None:
    journey = await ride(world, "00" * 8, 1, entry_at=AT)
    assert await log_in(client, world, "operator:mtr") == 303
    why = '"><img src=x onerror=alert(1)> & 出站'
    wish = {"request_id": "c1", "journey_id": journey, "stop": "Nowhere", "reason": why}
    shown = await post(client, 422, **wish)
    assert "Station: no tariff of the network knows it" in shown
    typed = ["c1", journey, "Nowhere", html.escape(why)]
    found = re.findall(r'name="(?:request_id|journey_id|stop|reason)" value="(.*?)"', shown)
    assert [html.unescape(it) for it in found] == [html.unescape(it) for it in typed]
    assert "<img" not in shown
    shown = await post(client, 422, approve="none")
    assert 'name="request_id" value=""' in shown, "another form keeps nothing in this one"


async def test_stations_of_missing_ends_have_their_names_and_times_are_those_of_the_riders(
    world: World, client: Any
) -> None:
    journey = await ride(world, "00" * 8, 1, entry_at=AT)
    assert await log_in(client, world, "operator:mtr") == 303
    await post(client, 303, request_id="c1", journey_id=journey, stop="78", reason="CCTV")
    shown = await page(client, f"{ENDS}?day=2026-10-30")
    assert all(name in shown for name in ("Admiralty", "金鐘", "Lok Ma Chau", "落馬洲"))
    assert AT.isoformat() == "2026-10-30T01:00:00+00:00" and "2026-10-30 09:00:00" in shown
    assert "+00:00" not in shown


async def test_the_house_reads_missing_ends_and_corrects_none(world: World, client: Any) -> None:
    await ride(world, "00" * 8, 1, entry_at=AT)
    assert await log_in(client, world, "auditor") == 303
    shown = await page(client, ENDS)
    assert "missing_exit" in shown and "Propose" not in shown
    await post(client, 403, approve="c1")


async def test_an_operator_sees_missing_ends_of_its_own_journeys(world: World, client: Any) -> None:
    await ride(world, "00" * 8, 1, entry_at=AT)
    assert await log_in(client, world, "operator:kmb") == 303
    assert "No journey of this service day" in await page(client, ENDS)


async def test_a_refund_that_the_wallet_refused_is_owed_and_nobody_reads_that_it_was_given(
    world: World, client: Any
) -> None:
    rider = await rider_of(world, client)
    key = await ride(
        world, rider, 1, entry_at=AT, fare_minor=6080, charge_minor=6080, charge_currency="HKD",
        cleared_at=AT + MINUTE, ended_at=AT + MINUTE, ended_why="given_back",
    )  # fmt: skip
    await ride(
        world, rider, 1, entry_at=AT, id=f"{key}~2", revision=2, fare_minor=0, charge_minor=0,
        charge_currency="HKD", cleared_at=AT + MINUTE, excuse="given_back",
    )  # fmt: skip
    owner = await world.db.connect()
    await owner.execute("update journey set replaced_by = $1 where id = $2", f"{key}~2", key)
    await charge(world, rider, key, "c1")
    await owner.execute(
        "insert into refund (request_id, charge_id, attempt_request_id, amount_minor, currency,"
        " reason, body, state, created_at, result_code) values ('c1-r1', 'c1', 'c1-1', 6080,"
        " 'HKD', 'correction', '', 'REFUSED', $1, 'REFUND_WINDOW_EXCEED')", AT + MINUTE,
    )  # fmt: skip
    found = await call(world, client, "GET", f"/v1/riders/{rider}/rides")
    [shown] = found["rides"]
    assert (shown["net_charge_minor"], shown["owed_to_rider_minor"]) == (0, 6080)
    assert shown["correction"]["net_minor"] == 0, "nothing has come back"
    assert "refused the refund" in shown["correction"]["text"]["en"]
    assert "still owed" in shown["owed_text"]["en"]
    assert await log_in(client, world, "finance") == 303
    support = await page(client, f"/console/rider?wallet={WALLET}&rider={rider}")
    assert "owed to the rider: 60.80 HKD" in support and "was given back" not in support
    day = await page(client, "/console?day=2026-10-30")
    assert "c1-r1" in day and "REFUND_WINDOW_EXCEED" in day and rider in day
    path = "/v1/reports/days/2026-10-30"
    async with client.get(path, headers=world.auth("auditor")) as answer:
        [owed] = (await answer.json())["owed_to_riders"]
    assert (owed["request_id"], owed["amount_minor"], owed["wallet"]) == ("c1-r1", 6080, WALLET)
    assert await log_in(client, world, "operator:mtr") == 303
    assert "REFUND_WINDOW_EXCEED" not in await page(client, "/console?day=2026-10-30")


async def test_a_refund_in_doubt_that_a_correction_waits_for_is_told_to_the_rider_and_to_people(
    world: World, client: Any
) -> None:
    rider = await rider_of(world, client)
    key = await ride(world, rider, 1, entry_at=AT, charge_minor=6080, charge_currency="HKD")
    owner = await world.db.connect()
    await charge(world, rider, key, "c2")
    await owner.execute(
        "insert into refund (request_id, charge_id, attempt_request_id, amount_minor, currency,"
        " reason, body, state, created_at, result_code, awaited_since) values ('c2-r1', 'c2',"
        " 'c2-1', 758, 'HKD', 'correction', '', 'UNKNOWN', $1, 'timeout', $1)", AT,
    )  # fmt: skip
    found = await call(world, client, "GET", f"/v1/riders/{rider}/rides")
    [shown] = found["rides"]
    assert shown["awaits_refund"] is True and "Correction pending" in shown["awaits_text"]["en"]
    assert await log_in(client, world, "finance") == 303
    support = await page(client, f"/console/rider?wallet={WALLET}&rider={rider}")
    assert "Correction pending" in support
    day = await page(client, "/console?day=2026-10-30")
    assert "c2-r1" in day and "timeout" in day and "7.58" in day
    path = "/v1/reports/days/2026-10-30"
    async with client.get(path, headers=world.auth("auditor")) as answer:
        [doubt] = (await answer.json())["refunds_in_doubt"]
    assert (doubt["request_id"], doubt["amount_minor"]) == ("c2-r1", 758)
    assert doubt["awaiting_minor"] == 0 and doubt["since"] == doubt["awaited_since"]
    await owner.execute("update refund set state = 'REFUNDED'")
    await add_entries(owner, [given_twice(WALLET, Money(758, HKD), AT, "c2-r1", "c2")])
    assert "cancelled_and_refunded" in await page(client, "/console?day=2026-10-30")
    async with client.get(path, headers=world.auth("auditor")) as answer:
        said = await answer.json()
    assert said["refunds_in_doubt"] == []
    assert [it["amount_minor"] for it in said["owed_by_wallets"]] == [758]
    assert await log_in(client, world, "operator:mtr") == 303
    assert "c2-r1" not in await page(client, "/console?day=2026-10-30")


async def test_what_was_owed_before_a_correction_is_counted_once_it_has_gone_back(
    world: World, client: Any
) -> None:
    """HKD 60.80 was paid for 41.60 and the wallet kept 19.20; then the ride turned out to be 52.20:
    8.60 is asked for, which the wallet refuses, and then gives."""
    rider = await rider_of(world, client)
    fares = {"fare_minor": 4160, "charge_minor": 4160, "charge_currency": "HKD"}
    key = await ride(
        world, rider, 1, exit_at=AT, reason="missing_entry", **fares, cleared_at=AT + MINUTE,
        ended_at=AT + 2 * MINUTE, ended_why="other_taps",
    )  # fmt: skip
    other = await ride(
        world, rider, 2, entry_at=AT - MINUTE, exit_at=AT, fare_minor=5220, charge_minor=5220,
        charge_currency="HKD", cleared_at=AT + 2 * MINUTE,
    )  # fmt: skip
    owner = await world.db.connect()
    await owner.execute("update journey set replaced_by = $1 where id = $2", other, key)
    await charge(world, rider, key, "c1")
    await owner.execute("insert into charge_part values ('c1', $1, 5220)", other)
    for number, minor in ((1, 1920), (2, 860)):
        await owner.execute(
            "insert into refund (request_id, charge_id, attempt_request_id, amount_minor, currency,"
            " reason, body, state, created_at, result_code) values ($1, 'c1', 'c1-1', $2, 'HKD',"
            " 'correction', '', 'REFUSED', $3, 'REFUND_WINDOW_EXCEED')",
            f"c1-r{number}", minor, AT + number * MINUTE,
        )  # fmt: skip
    for state, owed, net in (("REFUSED", 860, 0), ("REFUNDED", None, -860)):
        await owner.execute("update refund set state = $1 where request_id = 'c1-r2'", state)
        [shown] = (await call(world, client, "GET", f"/v1/riders/{rider}/rides"))["rides"]
        assert (shown["net_charge_minor"], shown["owed_to_rider_minor"]) == (5220, owed)
        assert shown["correction"]["net_minor"] == net
