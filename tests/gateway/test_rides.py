"""A rider's view of rides: stations in three languages, flags, corrections, what stood before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from gateway_world import AT, OTHER_WALLET, WALLET, World
from ride_rows import ride, tell_tariffs
from test_missing_stations import rider_of
from test_wallet_calls import call

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
ADMIRALTY = {"zh-Hant": "金鐘", "zh-Hans": "金钟", "en": "Admiralty"}
LOK_MA_CHAU = {"zh-Hant": "落馬洲", "zh-Hans": "落马洲", "en": "Lok Ma Chau"}


@pytest.fixture
async def client(world: World) -> Any:
    await tell_tariffs(world)
    return await world.start()


async def rides(world: World, client: Any, rider: str) -> list[dict[str, Any]]:
    found = await call(world, client, "GET", f"/v1/riders/{rider}/rides")
    listed: list[dict[str, Any]] = found["rides"]
    return listed


async def one(world: World, client: Any, rider: str, ride_id: str, **more: Any) -> dict[str, Any]:
    path = f"/v1/riders/{rider}/ride?ride_id={ride_id}"
    return await call(world, client, "GET", path, **more)


async def test_stations_are_named_in_three_languages_whatever_a_reader_spells(
    world: World, client: Any
) -> None:
    rider = await rider_of(world, client)
    await ride(
        world, rider, 1, entry_at=AT, exit_at=AT + MINUTE, entry_stop="Admiralty Station",
        exit_stop="078",
    )  # fmt: skip
    await ride(world, rider, 2, entry_at=AT + DAY, network="kmb", entry_stop="Pier", route="268C")
    bus, metro = await rides(world, client, rider)
    assert (metro["entry_name"], metro["exit_name"]) == (ADMIRALTY, LOK_MA_CHAU)
    assert (metro["entry_stop"], metro["exit_stop"]) == ("Admiralty Station", "078")
    assert bus["entry_name"] == {"zh-Hant": "Pier", "zh-Hans": "Pier", "en": "Pier"}
    assert bus["exit_name"] is None and bus["flags"] == [] and bus["filled"] is None


async def test_a_fare_is_explained_in_three_languages_and_an_old_one_in_english(
    world: World, client: Any
) -> None:
    rider = await rider_of(world, client)
    note = {"note": "a surcharge (grade A)"}
    stored = {"code": "overstay", "text": "long", "zh-Hant": "逾時", "zh-Hans": "超时", **note}
    lines = [{**stored, "amount_minor": 6600}]
    await ride(world, rider, 1, entry_at=AT, exit_at=AT + MINUTE, fare_lines=lines)
    await ride(world, rider, 2, entry_at=AT + DAY, exit_at=AT + DAY + MINUTE)
    old, new = await rides(world, client, rider)
    texts = {"zh-Hant": "逾時", "zh-Hans": "超时", "en": "long"}
    assert new["fare_lines"] == [{"code": "overstay", "text": texts, **note, "amount_minor": 6600}]
    english = dict.fromkeys(texts, "the fare")
    [line] = old["fare_lines"]
    assert line == {"code": "fare", "text": english, "note": None, "amount_minor": 5220}
    found = await one(world, client, rider, new["id"])
    assert found["ride"]["fare_lines"] == found["revisions"][0]["fare_lines"] == new["fare_lines"]
    path = f"/v1/operator/journeys?day={new['service_day']}"
    async with client.get(path, headers=world.auth("operator:mtr")) as answer:
        [seen] = (await answer.json())["journeys"]
    assert seen["fare_lines"] == new["fare_lines"], "the operator reads the same"


async def test_a_ride_says_by_whom_its_missing_end_was_filled(world: World, client: Any) -> None:
    rider = await rider_of(world, client)
    await ride(
        world, rider, 1, entry_at=AT, filled_by="rider", filled_stops=["78"], late=True
    )  # fmt: skip
    [found] = await rides(world, client, rider)
    assert found["filled"] == {"by": "rider", "stops": ["78"], "names": [LOK_MA_CHAU]}
    assert found["flags"] == ["late"] and found["exit_stop"] is None


async def test_case_53_both_riders_and_the_operator_see_the_flag(world: World, client: Any) -> None:
    anna, ben = await rider_of(world, client, "a"), await rider_of(world, client, "b")
    await ride(world, anna, 1, entry_at=AT)
    await ride(world, ben, 2, exit_at=AT + 40 * MINUTE)
    for rider in (anna, ben):
        [found] = await rides(world, client, rider)
        assert found["flags"] == ["crossed_accounts"]
    path = "/v1/operator/journeys?day=2026-10-30"
    async with client.get(path, headers=world.auth("operator:mtr")) as answer:
        seen = (await answer.json())["journeys"]
    assert [it["flags"] for it in seen] == [["crossed_accounts"]] * 2
    assert not any("rider" in key for it in seen for key in it), "operators see no riders"


async def test_a_correction_says_why_what_stood_before_and_what_is_given_back(
    world: World, client: Any
) -> None:
    rider = await rider_of(world, client)
    quoted = {"charge_currency": "HKD"}
    key = await ride(
        world, rider, 1, entry_at=AT, fare_minor=6600, charge_minor=6600, cleared_at=AT + MINUTE,
        ended_at=AT + DAY, ended_why="other_end", **quoted,
    )  # fmt: skip
    await ride(
        world, rider, 1, entry_at=AT, id=f"{key}~2", revision=2, charge_minor=5220,
        cleared_at=AT + DAY, filled_by="rider", filled_stops=["78"], **quoted,
    )  # fmt: skip
    owner = await world.db.connect()
    await owner.execute("update journey set replaced_by = $1 where id = $2", f"{key}~2", key)
    [found] = await rides(world, client, rider)
    assert (found["id"], found["key"], found["revision"]) == (f"{key}~2", key, 2)
    text = found["correction"].pop("text")
    assert text["en"] == "The missing station was named; the fare was worked out again."
    assert set(text) == {"zh-Hant", "zh-Hans", "en"}
    assert found["correction"] == {
        "why": "statement", "at": "2026-10-31T01:00:00Z", "fare_minor": 6600,
        "charge_minor": 6600, "net_minor": -1380,
    }  # fmt: skip
    for ride_id in (key, f"{key}~2"):
        whole = await one(world, client, rider, ride_id)
        assert whole["ride"]["id"] == f"{key}~2"
        assert [(it["id"], it["fare_minor"]) for it in whole["revisions"]] == [
            (key, 6600), (f"{key}~2", 5220),
        ]  # fmt: skip
        assert [it["ended_at"] for it in whole["revisions"]] == ["2026-10-31T01:00:00Z", None]


async def test_a_ride_made_of_two_tells_of_both(world: World, client: Any) -> None:
    rider = await rider_of(world, client)
    ended = {"ended_at": AT + DAY, "ended_why": "other_taps"}
    alone = await ride(world, rider, 2, exit_at=AT + 30 * MINUTE, **ended)
    whole = await ride(world, rider, 1, entry_at=AT, exit_at=AT + 30 * MINUTE)
    owner = await world.db.connect()
    await owner.execute("update journey set replaced_by = $1 where id = $2", whole, alone)
    await owner.execute(
        "insert into journey_tap values ($1, 'mtr-gate', 2, $2)", AT.date(), whole
    )  # fmt: skip
    for ride_id in (alone, whole):
        found = await one(world, client, rider, ride_id)
        assert found["ride"]["id"] == whole
        assert {it["id"] for it in found["revisions"]} == {alone, whole}


async def test_nobody_reads_the_ride_of_another(world: World, client: Any) -> None:
    rider, other = await rider_of(world, client), await rider_of(world, client, "b")
    ride_id = await ride(world, rider, 1, entry_at=AT)
    for who, wallet in ((other, WALLET), (rider, OTHER_WALLET)):
        problem = await one(world, client, who, ride_id, wallet=wallet, status=404)
        assert problem["code"] == "not_found"
    assert (await one(world, client, rider, "none", status=404))["code"] == "not_found"
