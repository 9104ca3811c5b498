"""Missing ends from the scan at the gate to the money: gateway and settlement on one database."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from gateway_world import AT, OTHER_WALLET, WALLET, Phone, World
from issuer_world import refresh
from test_wallet_calls import RIDER, call

from settlement.clearing.clear_taps import Clearer
from settlement.metrics import SettlementMetrics
from transitpay.fares.highest import highest_fares
from transitpay.fares.shown import journey_terms, stop_names
from transitpay.fx.agreement import builtin_agreements
from transitpay.fx.rate import PublishedRate
from transitpay.money import CNY, HKD
from transitpay.postgres import reference
from transitpay.postgres.gates import stop_fares
from transitpay.postgres.journeys import shown_tariffs
from transitpay.postgres.money import rates
from transitpay.runtime import access
from transitpay.runtime.builtin import builtin_book
from transitpay.taps import Direction

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
#: 210 minutes and the longest wait for silent readers are over.
GIVEN_UP = timedelta(hours=76)
METRO = (("szm-in", Direction.ENTRY), ("szm-out", Direction.EXIT))


class Town:
    """The gateway's world with settlement beside it."""

    def __init__(self, world: World, pool: Any, client: Any) -> None:
        self.world, self.client = world, client
        self.clearer = Clearer(pool, builtin_book(), world.clock, SettlementMetrics())

    async def rider(self, wallet: str = WALLET, account: str = "acct-1") -> tuple[str, Phone]:
        body = {**RIDER, "account_ref": account}
        found = await call(self.world, self.client, "POST", "/v1/riders", body, wallet=wallet)
        key_id = 1 if wallet == WALLET else 2
        life = {"life_h": 168, "quota": 2000}
        return found["rider_id"], self.world.phone(
            key_id=key_id, rider_id=found["rider_id"], **life
        )

    async def tap(self, reader: str, phone: Phone, destination: int = 0) -> dict[str, Any]:
        code = phone.draw(self.world.clock.at, destination=destination)
        return await self.world.tap(self.client, reader, self.world.scan(reader, code))

    async def clear(self, after: timedelta = timedelta(0)) -> None:
        self.world.clock.advance(after)
        while await self.clearer.once():
            pass
        await refresh(self.client)

    async def get(self, rider: str, end: str, wallet: str = WALLET) -> Any:
        path = f"/v1/riders/{rider}/{end}"
        return await call(self.world, self.client, "GET", path, wallet=wallet)

    async def name(
        self, rider: str, ride_id: str, stop: str, *, wallet: str = WALLET, status: int = 200
    ) -> Any:
        path, body = f"/v1/riders/{rider}/missing-stations", {"ride_id": ride_id, "stop": stop}
        return await call(self.world, self.client, "POST", path, body, wallet=wallet, status=status)


@pytest.fixture
async def town(world: World) -> Town:
    conn, book = await world.db.connect("transitpay_gateway"), builtin_book()
    metro = reference.Participant("shenzhen-metro", "operator", "M", "CNY")
    await access.enrol_participant(conn, metro, AT)
    for name, direction in METRO:
        await world.reader(
            conn, name, "shenzhen-metro", direction, destination=1, mode=0, stop="0108"
        )
    agreed = [it for it in builtin_agreements() if it.wallet in (WALLET, OTHER_WALLET)]
    await reference.put_agreements(conn, agreed, AT)
    settlement = await world.db.connect("transitpay_settlement")
    await stop_fares.put_stop_fares(settlement, highest_fares(book), AT)
    await shown_tariffs.put_shown(settlement, stop_names(book), journey_terms(book), AT)
    log = [
        PublishedRate(HKD, CNY, AT + n * MINUTE, Decimal("0.9150"), "test", AT + n * MINUTE)
        for n in range(120)
    ]
    await rates.append(settlement, log)
    client = await world.start()
    return Town(world, await world.db.pool("transitpay_settlement"), client)


async def test_a_named_station_makes_the_fare_anew_and_the_rider_sees_what_is_given_back(
    town: Town,
) -> None:
    rider, phone = await town.rider()
    assert (await town.tap("mtr-in-1", phone))["open"]
    await town.clear(GIVEN_UP)
    [before] = (await town.get(rider, "rides"))["rides"]
    assert before["reason"] == "missing_exit" and before["filled"] is None
    highest = before["fare_minor"]
    assert before["entry_name"] == {"zh-Hant": "紅磡", "zh-Hans": "红磡", "en": "Hung Hom"}
    said = await town.name(rider, before["id"], "落马洲")
    assert said["stop"] == "78"
    await town.clear()
    [after] = (await town.get(rider, "rides"))["rides"]
    assert after["filled"]["by"] == "rider" and after["revision"] == 2
    assert after["filled"]["names"][0]["en"] == "Lok Ma Chau"
    fare = after["fare_minor"]
    assert fare < highest and after["net_charge_minor"] == fare
    assert after["correction"]["why"] == "statement"
    assert after["correction"]["net_minor"] == fare - highest
    whole = await town.get(rider, f"ride?ride_id={before['id']}")
    assert [it["fare_minor"] for it in whole["revisions"]] == [highest, fare]
    await town.name(rider, after["id"], "78")
    await town.clear()
    assert (await town.get(rider, "rides"))["rides"] == [after], "twice is once"
    left = await town.world.value("select sum(amount_minor) from charge where state <> 'WITHDRAWN'")
    assert left == fare


async def test_case_53_in_with_one_wallet_and_out_with_another_is_two_halves_and_a_flag(
    town: Town,
) -> None:
    anna, phone = await town.rider()
    ben, other = await town.rider(OTHER_WALLET, "acct-2")
    assert (await town.tap("mtr-in-1", phone))["open"]
    town.world.clock.advance(40 * MINUTE)
    left = await town.tap("mtr-out-1", other)
    assert left["open"] and "missing_entry" in left["flags"], "nobody is held inside"
    await town.clear(GIVEN_UP)
    [a] = (await town.get(anna, "rides"))["rides"]
    [b] = (await town.get(ben, "rides", OTHER_WALLET))["rides"]
    assert (a["reason"], b["reason"]) == ("missing_exit", "missing_entry")
    assert a["flags"] == b["flags"] == ["crossed_accounts"]
    for rider, ride, wallet in ((anna, a, WALLET), (ben, b, OTHER_WALLET)):
        problem = await town.name(rider, ride["id"], "2", wallet=wallet, status=422)
        assert problem["code"] == "crossed_accounts"
    assert await town.world.value("select count(*) from journey") == 2, "no journey joins two"


async def suspended(town: Town) -> tuple[str, Phone, list[dict[str, Any]]]:
    """Four entries of a day without an exit: the last one suspends the rider."""
    rider, phone = await town.rider(OTHER_WALLET)
    for _ in range(4):
        assert (await town.tap("szm-in", phone, 1))["open"]
        town.world.clock.advance(30 * MINUTE)
    assert (await town.get(rider, "refusals", OTHER_WALLET))["denial"] is None
    await town.clear(GIVEN_UP)
    return rider, phone, (await town.get(rider, "rides", OTHER_WALLET))["rides"]


async def test_four_missing_exits_suspend_and_naming_a_station_ends_it(town: Town) -> None:
    rider, phone, rides = await suspended(town)
    assert [it["reason"] for it in rides] == ["missing_exit"] * 4
    [why] = (await town.get(rider, "refusals", OTHER_WALLET))["denial"]["reasons"]
    assert (why["code"], why["network"]) == ("missing_exits", "shenzhen-metro")
    assert why["text"]["zh-Hans"].startswith("深圳地铁在 30 天内有 4 次没有出站记录")
    at_gate = await town.tap("szm-in", phone, 1)
    assert (at_gate["open"], at_gate["reason"]) == (False, "denied")
    await town.name(rider, rides[0]["id"], "罗湖", wallet=OTHER_WALLET)
    await town.clear()
    assert (await town.get(rider, "refusals", OTHER_WALLET))["denial"] is None
    assert (await town.tap("szm-in", phone, 1))["open"]


async def test_a_suspension_ends_by_itself_when_the_first_exit_is_too_old(town: Town) -> None:
    rider, _, _ = await suspended(town)
    [why] = (await town.get(rider, "refusals", OTHER_WALLET))["denial"]["reasons"]
    until = town.world.clock.at.fromisoformat(why["until"])
    await town.clear(until - town.world.clock.at - timedelta(seconds=1))
    assert (await town.get(rider, "refusals", OTHER_WALLET))["denial"] is not None
    await town.clear(timedelta(seconds=1))
    assert (await town.get(rider, "refusals", OTHER_WALLET))["denial"] is None


async def test_an_operators_correction_beats_the_riders_word(town: Town) -> None:
    world, (rider, phone) = town.world, await town.rider()
    conn = await world.db.connect("transitpay_gateway")
    person = reference.Actor("second", "second", reference.Role.OPERATOR, "mtr")
    made = await access.admit_actor(conn, person, AT)
    assert made.token is not None
    world.tokens["second"] = made.token
    await town.tap("mtr-in-1", phone)
    await town.clear(GIVEN_UP)
    [ride] = (await town.get(rider, "rides"))["rides"]
    await town.name(rider, ride["id"], "2")
    await town.clear()
    path = "/v1/operator/journey-corrections"
    wish = {"request_id": "c-1", "journey_id": ride["id"], "stop": "78", "reason": "CCTV"}
    for where, body, by in (
        (path, wish, "operator:mtr"),
        (f"{path}/approvals", {"request_id": "c-1"}, "second"),
    ):
        async with town.client.post(where, json=body, headers=world.auth(by)) as answer:
            assert answer.status == 200, await answer.text()
        await town.clear()
    [now] = (await town.get(rider, "rides"))["rides"]
    assert (now["filled"]["by"], now["filled"]["stops"], now["revision"]) == (
        "operator", ["78"], 3,
    )  # fmt: skip
    refused = await town.name(rider, ride["id"], "3", status=409)
    assert refused["code"] == "already_declared"


async def test_what_an_operator_gives_back_costs_nothing_and_says_so(town: Town) -> None:
    world, (rider, phone) = town.world, await town.rider()
    await town.tap("mtr-in-1", phone)
    await town.clear(GIVEN_UP)
    [before] = (await town.get(rider, "rides"))["rides"]
    body = {"request_id": "g-1", "journey_id": before["id"], "reason": "gate was broken"}
    for _ in range(2):
        headers = world.auth("operator:mtr")
        async with town.client.post("/v1/operator/refunds", json=body, headers=headers) as answer:
            assert answer.status == 202
        await town.clear()
    [after] = (await town.get(rider, "rides"))["rides"]
    assert (after["excuse"], after["fare_minor"], after["net_charge_minor"]) == ("given_back", 0, 0)
    assert after["correction"]["why"] == "given_back" and after["given_back"] == "gate was broken"
    assert after["correction"]["net_minor"] == -before["fare_minor"]
    refused = await town.name(rider, after["id"], "78", status=422)
    assert refused["code"] == "given_back"
