"""Riders name missing stations through their wallet: within a quota, in time, and once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from gateway_world import AT, OTHER_WALLET, WALLET, World
from ride_rows import ride, tell_tariffs
from test_wallet_calls import RIDER, call

from transitpay.clock import day_start, service_day

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


async def rider_of(world: World, client: Any, account: str = "acct-1", **more: Any) -> str:
    body = {**RIDER, "account_ref": account}
    return str((await call(world, client, "POST", "/v1/riders", body, **more))["rider_id"])


async def name(
    world: World, client: Any, rider: str, ride_id: str, stop: str = "Lok Ma Chau", **more: Any
) -> dict[str, Any]:
    body = {"ride_id": ride_id, "stop": stop}
    return await call(world, client, "POST", f"/v1/riders/{rider}/missing-stations", body, **more)


async def refused(world: World, client: Any, rider: str, ride_id: str, **more: Any) -> str:
    more = {"status": 422, **more}
    return str((await name(world, client, rider, ride_id, **more))["code"])


async def test_a_rider_names_the_missing_station_and_is_read_again(world: World) -> None:
    client = await world.start()
    await tell_tariffs(world)
    rider = await rider_of(world, client)
    ride_id = await ride(world, rider, 1, entry_at=AT - DAY)
    first = await name(world, client, rider, ride_id)
    assert first == {"ride_id": ride_id, "stop": "78", "declared_at": "2026-10-30T01:00:00Z"}
    world.clock.advance(MINUTE)
    assert await name(world, client, rider, ride_id, "落马洲站") == first, "the same again"
    other = await name(world, client, rider, ride_id, "Hung Hom", status=409)
    assert other["code"] == "already_declared"
    [row] = await world.rows("select rider_id, due_at, since from tap_inbox")
    assert tuple(row) == (rider, AT, AT - DAY)
    [said] = await world.rows("select kind, stop, stated_by, network from journey_statement")
    assert tuple(said) == ("declared", "78", f"wallet:{WALLET}", "mtr")


async def test_two_declarations_at_once_are_one(world: World) -> None:
    client, second = await world.start(), await world.start()
    await tell_tariffs(world)
    rider = await rider_of(world, client)
    ride_id = await ride(world, rider, 1, entry_at=AT - DAY)
    answers = await asyncio.gather(
        *(name(world, (client, second)[n % 2], rider, ride_id) for n in range(6))
    )
    assert all(answer == answers[0] for answer in answers)
    assert await world.value("select count(*) from journey_statement") == 1


async def test_the_fourth_station_of_a_month_is_refused_and_the_next_month_begins_anew(
    world: World,
) -> None:
    client = await world.start()
    await tell_tariffs(world)
    rider = await rider_of(world, client)
    rides = [await ride(world, rider, n, entry_at=AT - DAY - n * MINUTE) for n in range(1, 6)]
    for ride_id in rides[:3]:
        await name(world, client, rider, ride_id)
    assert await refused(world, client, rider, rides[3]) == "claims_used_up"
    assert (await name(world, client, rider, rides[0]))["stop"] == "78", "a retry needs no quota"
    november = day_start(AT.date().replace(month=11, day=1))
    world.clock.at = november - timedelta(seconds=1)
    assert await refused(world, client, rider, rides[3]) == "claims_used_up"
    world.clock.at = november
    await name(world, client, rider, rides[3])


async def test_a_station_is_named_up_to_14_service_days_later(world: World) -> None:
    client = await world.start()
    await tell_tariffs(world)
    rider = await rider_of(world, client)
    ridden = datetime(2026, 10, 10, 3, 0, tzinfo=UTC)
    ride_id = await ride(world, rider, 1, entry_at=ridden)
    late = await ride(world, rider, 2, entry_at=ridden + MINUTE)
    over = day_start(service_day(ridden) + 15 * DAY, 4)
    world.clock.at = over - timedelta(seconds=1)
    await name(world, client, rider, ride_id)
    world.clock.at = over
    assert await refused(world, client, rider, late) == "claim_too_late"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"exit_at": AT}, "not_incomplete"),
        ({"filled_by": "operator"}, "not_incomplete"),
        ({"excuse": "given_back"}, "given_back"),
        ({"excuse": "late", "late": True}, "came_too_late"),
        ({"filled_by": "open_gates"}, "covered_by_mode"),
        ({"excuse": "emergency"}, "covered_by_mode"),
        ({"network": "kmb"}, "not_incomplete"),
        ({"exit_at": AT, "late": True}, "not_incomplete"),
    ],
)
async def test_a_journey_of_which_nothing_is_missing_takes_no_station(
    world: World, changes: dict[str, Any], code: str
) -> None:
    client = await world.start()
    await tell_tariffs(world)
    rider = await rider_of(world, client)
    ride_id = await ride(world, rider, 1, entry_at=AT - 30 * MINUTE, **changes)
    assert await refused(world, client, rider, ride_id) == code
    assert await world.value("select count(*) from tap_inbox") == 0


async def test_a_habit_is_only_a_guess_and_the_rider_knows_better(world: World) -> None:
    client = await world.start()
    await tell_tariffs(world)
    rider = await rider_of(world, client)
    ride_id = await ride(world, rider, 1, entry_at=AT - DAY, filled_by="habit")
    assert (await name(world, client, rider, ride_id))["stop"] == "78"


@pytest.mark.parametrize("stop", ["Nowhere", "*", "999", " "])
async def test_a_station_that_no_tariff_knows_is_refused(world: World, stop: str) -> None:
    client = await world.start()
    await tell_tariffs(world)
    rider = await rider_of(world, client)
    ride_id = await ride(world, rider, 1, entry_at=AT - DAY)
    assert await refused(world, client, rider, ride_id, stop=stop) == "unknown_stop"


async def test_a_network_without_a_quota_takes_no_declarations(world: World) -> None:
    client = await world.start()
    await tell_tariffs(world, a_month=None)
    rider = await rider_of(world, client)
    ride_id = await ride(world, rider, 1, entry_at=AT - DAY)
    assert await refused(world, client, rider, ride_id) == "claims_not_taken"


async def test_nobody_names_a_station_of_another_rider(world: World) -> None:
    client = await world.start()
    await tell_tariffs(world)
    rider, other = await rider_of(world, client), await rider_of(world, client, "acct-2")
    ride_id = await ride(world, rider, 1, entry_at=AT - DAY)
    for who, wallet in ((other, WALLET), (rider, OTHER_WALLET)):
        assert await refused(world, client, who, ride_id, wallet=wallet, status=404) == "not_found"
    assert await refused(world, client, rider, "2026-10-30/none/1", status=404) == "not_found"
    assert await refused(world, client, rider, "no-ride", status=404) == "not_found"


async def test_the_journey_that_a_late_tap_put_in_its_place_is_the_one_that_counts(
    world: World,
) -> None:
    client = await world.start()
    await tell_tariffs(world)
    rider = await rider_of(world, client)
    key = await ride(
        world, rider, 1, entry_at=AT - DAY, ended_at=AT, ended_why="changed"
    )  # fmt: skip
    await ride(
        world, rider, 1, entry_at=AT - DAY, exit_at=AT - DAY + MINUTE, id=f"{key}~2", revision=2
    )
    for ride_id in (key, f"{key}~2"):
        assert await refused(world, client, rider, ride_id) == "not_incomplete"


class Crossing:
    """In with an account, out with another, on one service day."""

    def __init__(self, world: World, client: Any) -> None:
        self.world, self.client, self.sequence = world, client, 0

    async def half(self, account: str, **ends: Any) -> tuple[str, str]:
        self.sequence += 1
        rider = await rider_of(self.world, self.client, account)
        return rider, await ride(self.world, rider, self.sequence, **ends)


async def test_case_53_in_with_one_account_and_out_with_another_closes_the_day_for_both(
    world: World,
) -> None:
    client = await world.start()
    await tell_tariffs(world)
    it = Crossing(world, client)
    anna, a = await it.half("a", entry_at=AT)
    ben, b = await it.half("b", exit_at=AT + 40 * MINUTE)
    world.clock.advance(DAY)
    assert await refused(world, client, anna, a) == "crossed_accounts"
    assert await refused(world, client, ben, b) == "crossed_accounts"
    _, same_day = await it.half("a", entry_at=AT - 300 * MINUTE)
    assert await world.value("select count(*) from crossed_accounts") == 0, (
        "the exit could now belong to two entries of one rider: nobody knows"
    )
    await name(world, client, anna, same_day)


async def test_case_53_another_day_of_the_two_stays_open(world: World) -> None:
    client = await world.start()
    await tell_tariffs(world)
    it = Crossing(world, client)
    anna, _ = await it.half("a", entry_at=AT)
    await it.half("b", exit_at=AT + 40 * MINUTE)
    _, other_day = await it.half("a", entry_at=AT - 2 * DAY)
    assert (await name(world, client, anna, other_day))["stop"] == "78"


@pytest.mark.parametrize(
    ("exit_at", "crossed"),
    [
        (AT, False),
        (AT + timedelta(seconds=1), True),
        (AT + timedelta(minutes=1020), True),
        (AT + timedelta(minutes=1200), False),  # the next service day has begun
    ],
)
async def test_a_pair_needs_an_exit_after_the_entry_on_its_service_day(
    world: World, exit_at: datetime, crossed: bool
) -> None:
    client = await world.start()
    await tell_tariffs(world)
    it = Crossing(world, client)
    await it.half("a", entry_at=AT)
    await it.half("b", exit_at=exit_at)
    assert await world.value("select count(*) from crossed_accounts") == (2 if crossed else 0)


@pytest.mark.parametrize(("minutes", "crossed"), [(1200, True), (1201, False)])
async def test_a_pair_lies_within_the_longest_stay(
    world: World, minutes: int, crossed: bool
) -> None:
    client = await world.start()
    await tell_tariffs(world)
    it = Crossing(world, client)
    begin = day_start(service_day(AT), 4)
    await it.half("a", entry_at=begin)
    await it.half("b", exit_at=begin + minutes * MINUTE)
    assert await world.value("select count(*) from crossed_accounts") == (2 if crossed else 0)


async def test_one_rider_alone_and_pairs_that_are_not_the_only_ones_are_not_flagged(
    world: World,
) -> None:
    client = await world.start()
    await tell_tariffs(world)
    it = Crossing(world, client)
    await it.half("a", entry_at=AT)
    await it.half("a", exit_at=AT + 40 * MINUTE, slot=1)
    assert await world.value("select count(*) from crossed_accounts") == 0
    await it.half("b", exit_at=AT + 50 * MINUTE)
    assert await world.value("select count(*) from crossed_accounts") == 2
    await it.half("c", exit_at=AT + 60 * MINUTE)
    assert await world.value("select count(*) from crossed_accounts") == 0
