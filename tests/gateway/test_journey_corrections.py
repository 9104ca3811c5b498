"""An operator corrects journeys of its own network: one person proposes, another approves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from gateway_world import AT, WALLET, World
from ride_rows import ride, tell_tariffs

from transitpay.postgres.journeys.statements import statements_of
from transitpay.postgres.reference import Actor, Role
from transitpay.runtime import access

PATH = "/v1/operator/journey-corrections"
RIDER = "00" * 8
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def client(world: World) -> Any:
    """A gateway that knows the tariffs, and a second person at the operator."""
    conn = await world.db.connect("transitpay_gateway")
    made = await access.admit_actor(conn, Actor("second", "second", Role.OPERATOR, "mtr"), AT)
    assert made.token is not None
    world.tokens["second"] = made.token
    await tell_tariffs(world)
    return await world.start()


async def send(
    world: World, client: Any, path: str, body: Any, *, by: str = "operator:mtr", status: int = 200
) -> dict[str, Any]:
    async with client.post(path, json=body, headers=world.auth(by)) as answer:
        found: dict[str, Any] = await answer.json()
        assert answer.status == status, found
        return found


async def listed(world: World, client: Any, query: str = "", by: str = "second") -> Any:
    async with client.get(PATH + query, headers=world.auth(by)) as answer:
        assert answer.status == 200
        return await answer.json()


def wish(journey_id: str, **changes: Any) -> dict[str, Any]:
    fields = {"request_id": "c-1", "journey_id": journey_id, "stop": "Hung Hom", "reason": "CCTV"}
    return {**fields, **changes}


async def counted(world: World) -> list[str]:
    conn = await world.db.connect("transitpay_settlement")
    found = await statements_of(conn, [(WALLET, RIDER)], AT - timedelta(days=9))
    return [f"{it.kind} {it.stop}" for said in found.values() for it in said]


async def test_a_correction_counts_when_another_person_approves_it(
    world: World, client: Any
) -> None:
    journey = await ride(world, RIDER, 1, entry_at=AT - MINUTE)
    first = await send(world, client, PATH, wish(journey))
    assert (first["stop"], first["proposed_by"], first["approved_by"]) == (
        "64", "operator:mtr", None,
    )  # fmt: skip
    assert await send(world, client, PATH, wish(journey)) == first, "twice is once"
    assert await counted(world) == [] and await world.value("select count(*) from tap_inbox") == 0
    own = await send(world, client, f"{PATH}/approvals", {"request_id": "c-1"}, status=422)
    assert own["code"] == "four_eyes"
    world.clock.advance(MINUTE)
    for _ in range(2):
        done = await send(world, client, f"{PATH}/approvals", {"request_id": "c-1"}, by="second")
        assert (done["approved_by"], done["approved_at"]) == ("second", "2026-10-30T01:01:00Z")
    assert await counted(world) == ["corrected 64"]
    [row] = await world.rows("select rider_id, since from tap_inbox")
    assert tuple(row) == (RIDER, AT - MINUTE), "read again once"
    assert await world.rows("select action from audit_log order by id") == [
        ("journey_correction_proposed",), ("journey_correction_approved",),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "other"),
    [
        ("filled_by = 'open_gates'", "station_mode"),
        ("excuse = 'emergency'", "station_mode"),
        ("excuse = 'free'", "station_mode"),
        ("excuse = 'given_back'", "given_back"),
        ("excuse = null", None),
    ],
)
async def test_an_approval_says_what_the_journey_goes_by_instead(
    world: World, client: Any, change: str, other: str | None
) -> None:
    journey = await ride(world, RIDER, 1, entry_at=AT - MINUTE)
    await send(world, client, PATH, wish(journey))
    owner = await world.db.connect()
    await owner.execute(f"update journey set {change} where id = $1", journey)
    done = await send(world, client, f"{PATH}/approvals", {"request_id": "c-1"}, by="second")
    assert (done["approved_by"], done["overridden_by"]) == ("second", other)


@pytest.mark.parametrize("change", [{"stop": "78"}, {"reason": "other"}, {"journey_id": "2"}])
async def test_a_request_id_is_used_for_one_correction(
    world: World, client: Any, change: dict[str, str]
) -> None:
    journey = await ride(world, RIDER, 1, entry_at=AT - MINUTE)
    if "journey_id" in change:
        change = {"journey_id": await ride(world, RIDER, 2, entry_at=AT - MINUTE)}
    await send(world, client, PATH, wish(journey))
    problem = await send(world, client, PATH, {**wish(journey), **change}, status=409)
    assert problem["code"] == "request_repeated"


async def test_an_operator_corrects_journeys_of_its_own_network_only(
    world: World, client: Any
) -> None:
    journey = await ride(world, RIDER, 1, entry_at=AT - MINUTE)
    await send(world, client, PATH, wish(journey))
    kmb = "operator:kmb"
    other = await send(world, client, PATH, wish(journey), by=kmb, status=404)
    assert other["code"] == "not_found"
    approval = {"request_id": "c-1"}
    assert (await send(world, client, f"{PATH}/approvals", approval, by=kmb, status=404))[
        "code"
    ] == "not_found"
    assert (await listed(world, client, by=kmb))["corrections"] == []


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        ({"exit_at": AT}, "not_incomplete"),
        ({"filled_by": "open_gates"}, "not_incomplete"),
        ({"excuse": "late", "late": True}, "came_too_late"),
        ({"excuse": "given_back"}, "given_back"),
    ],
)
async def test_a_journey_of_which_no_end_is_missing_is_not_corrected(
    world: World, client: Any, ends: dict[str, Any], code: str
) -> None:
    journey = await ride(world, RIDER, 1, entry_at=AT - MINUTE, **ends)
    problem = await send(world, client, PATH, wish(journey), status=422)
    assert problem["code"] == code
    assert ("open gates name its end" in problem["detail"]) == ("filled_by" in ends)


async def test_a_station_that_no_tariff_knows_corrects_nothing(world: World, client: Any) -> None:
    journey = await ride(world, RIDER, 1, entry_at=AT - MINUTE)
    problem = await send(world, client, PATH, wish(journey, stop="Nowhere"), status=422)
    assert problem["code"] == "unknown_stop"


async def test_what_the_rider_said_and_a_split_over_two_accounts_can_be_corrected(
    world: World, client: Any
) -> None:
    said = await ride(world, RIDER, 1, entry_at=AT - MINUTE, filled_by="rider")
    await ride(world, "11" * 8, 2, exit_at=AT)
    assert await world.value("select count(*) from crossed_accounts") == 2
    await send(world, client, PATH, wish(said))


async def test_corrections_are_listed_newest_first_in_pages(world: World, client: Any) -> None:
    for n in range(1, 4):
        journey = await ride(world, RIDER, n, entry_at=AT - MINUTE)
        await send(world, client, PATH, wish(journey, request_id=f"c-{n}"))
    await send(world, client, f"{PATH}/approvals", {"request_id": "c-2"}, by="second")
    page = await listed(world, client, "?limit=2")
    assert [it["request_id"] for it in page["corrections"]] == ["c-3", "c-2"]
    rest = await listed(world, client, f"?limit=2&cursor={page['next_cursor']}")
    assert [it["request_id"] for it in rest["corrections"]] == ["c-1"]
    assert rest["next_cursor"] is None
    waiting = await listed(world, client, "?waiting=true")
    assert [it["request_id"] for it in waiting["corrections"]] == ["c-3", "c-1"]
    assert all("rider" not in key for it in waiting["corrections"] for key in it)
