"""Versions of tariffs in the database: recorded once, by two people where they change the past."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest
from day_seed import DAY, MINUTE, NOON, World, make_world

from settlement.clearing.clear_taps import Clearer
from settlement.clearing.tariffs import TariffDesk
from transitpay.errors import Conflict, MalformedInput, RuleViolation
from transitpay.fares.document import document_of
from transitpay.fares.tariff import MatrixFares, Tariff
from transitpay.postgres import reference
from transitpay.postgres.journeys import tariff_versions
from transitpay.postgres.reference import Actor, Role
from transitpay.postgres.trust import lists
from transitpay.runtime.builtin import builtin_book, builtin_tariffs
from transitpay.runtime.tariff_versions import (
    Recorded,
    Recording,
    StoredTariffs,
    confirm_tariff,
    counting_at,
    import_tariffs,
    register_tariffs,
)

MTR = builtin_book().latest("mtr")
ANNA = Actor("anna", "Anna", Role.ADMIN, None)
OTTO = Actor("otto", "Otto", Role.OPERATOR, "mtr")
TOMORROW = DAY + timedelta(days=1)


def dearer(version: str, valid_from: date, by_minor: int = 100) -> Tariff:
    """MTR's tariff under another name with every fare higher."""
    assert isinstance(MTR.fares, MatrixFares)
    rows = tuple(
        tuple(minor + by_minor if i != j else 0 for j, minor in enumerate(row))
        for i, row in enumerate(MTR.fares.rows)
    )
    fares = MatrixFares(MTR.fares.ids, rows)
    return replace(MTR, version=version, valid_from=valid_from, fares=fares)


@pytest.fixture
async def world(db: Any) -> AsyncIterator[World]:
    made = await make_world(db)
    for actor in (ANNA, OTTO, Actor("kim", "Kim", Role.OPERATOR, "kmb")):
        await reference.put_actor(made.owner, actor)
    yield made
    await made.check_books()


async def imported(world: World, *tariffs: Tariff, by: Actor = ANNA) -> list[Recorded]:
    async with world.owner.transaction():
        return await import_tariffs(world.owner, tariffs, by, world.clock.now())


async def confirmed(world: World, version: str, by: Actor) -> Recorded:
    async with world.owner.transaction():
        return await confirm_tariff(world.owner, "mtr", version, by, world.clock.now())


async def version_of_list(world: World) -> int:
    return (await lists.versions(world.owner))["tariffs"]


async def inbox(world: World) -> list[tuple[str, Any]]:
    rows = await world.owner.fetch("select rider_id, since from tap_inbox order by rider_id")
    return [(row["rider_id"], row["since"]) for row in rows]


async def test_a_version_is_recorded_once_and_the_same_again_changes_nothing(world: World) -> None:
    before = await version_of_list(world)
    assert await imported(world, MTR) == [
        Recorded("mtr", MTR.version, MTR.valid_from, Recording.COUNTS)
    ]
    assert await version_of_list(world) == before + 1
    world.clock.at += MINUTE
    (again,) = await imported(world, MTR, by=OTTO)
    assert again.what is Recording.SAME
    assert await version_of_list(world) == before + 1
    (stored,) = await tariff_versions.versions(world.owner)
    assert (stored.recorded_by, stored.counts_at) == ("anna", NOON + MINUTE)
    found = await tariff_versions.documents(world.owner, [("mtr", MTR.version), ("mtr", "none")])
    assert found == {("mtr", MTR.version): document_of(MTR)}


async def test_other_content_under_a_name_that_is_taken_is_refused_and_nothing_is_stored(
    world: World,
) -> None:
    await imported(world, MTR)
    with pytest.raises(Conflict, match="stored with other content") as refusal:
        await imported(world, dearer("new", TOMORROW), dearer(MTR.version, TOMORROW))
    assert refusal.value.code == "other_content"
    assert len(await tariff_versions.versions(world.owner)) == 1


async def test_what_its_own_document_does_not_give_again_is_never_stored(world: World) -> None:
    with pytest.raises(MalformedInput) as refusal:
        await imported(world, dearer("below-nothing", TOMORROW, -9000))
    assert refusal.value.code == "bad_tariff_document"
    assert await tariff_versions.versions(world.owner) == []


async def test_only_an_admin_or_the_operator_records_its_tariff(world: World) -> None:
    with pytest.raises(RuleViolation, match="'kim' may not speak for mtr"):
        await imported(world, MTR, by=Actor("kim", "Kim", Role.OPERATOR, "kmb"))
    assert (await imported(world, MTR, by=OTTO))[0].what is Recording.COUNTS


async def test_a_version_is_append_only_for_every_role(world: World) -> None:
    await imported(world, MTR)
    for change in ("update tariff_version set version = 'x'", "delete from tariff_version"):
        with pytest.raises(asyncpg.RestrictViolationError):
            await world.owner.execute(change)


async def book_a_ride(world: World) -> Clearer:
    stored = StoredTariffs()
    await imported(world, MTR)
    clearer = Clearer(world.pool, stored.newest, world.clock)
    await world.ride()
    await clearer.once()
    assert await world.one("select fare_minor from journey") == 5220
    return clearer


@pytest.mark.parametrize(
    ("valid_from", "waits"), [(DAY, True), (DAY - timedelta(days=9), True), (TOMORROW, False)]
)
async def test_a_version_that_changes_what_is_booked_waits_for_a_second_person(
    world: World, valid_from: date, waits: bool
) -> None:
    await book_a_ride(world)
    before = await version_of_list(world)
    (done,) = await imported(world, dearer("dearer", valid_from))
    assert done.what is (Recording.WAITS if waits else Recording.COUNTS)
    assert await version_of_list(world) == before + (not waits)
    assert await inbox(world) == []
    book = await StoredTariffs().newest(world.owner)
    assert (book.latest("mtr").version == "dearer") is not waits


async def test_the_second_person_lets_it_count_and_riders_are_read_again_from_their_first_tap(
    world: World,
) -> None:
    await book_a_ride(world)
    await imported(world, dearer("dearer", DAY))
    assert (await imported(world, dearer("dearer", DAY)))[0].what is Recording.WAITS
    with pytest.raises(RuleViolation, match="nobody approves a proposal of their own"):
        await confirmed(world, "dearer", ANNA)
    with pytest.raises(RuleViolation, match="may not speak for mtr"):
        await confirmed(world, "dearer", Actor("kim", "Kim", Role.OPERATOR, "kmb"))
    with pytest.raises(RuleViolation, match="no version cheaper"):
        await confirmed(world, "cheaper", OTTO)
    world.clock.at += MINUTE
    done = await confirmed(world, "dearer", OTTO)
    assert (done.what, done.riders) == (Recording.COUNTS, 1)
    assert await inbox(world) == [("00000000000000aa", NOON - 40 * MINUTE)]
    book = await StoredTariffs().newest(world.owner)
    assert book.tariff("mtr", DAY).version == "dearer"
    assert book.tariff("mtr", DAY).recorded_at == world.clock.now(), "counts from the approval on"
    assert (await confirmed(world, "dearer", OTTO)).what is Recording.SAME
    assert len(await inbox(world)) == 1


async def test_a_running_clearer_prices_with_a_version_from_the_moment_it_counts(
    world: World,
) -> None:
    clearer = await book_a_ride(world)
    await imported(world, dearer("tomorrow", TOMORROW))
    await world.publish(NOON + timedelta(days=1) - MINUTE, 3)
    for rider, at in (("bb" * 8, NOON), ("cc" * 8, NOON + timedelta(days=1))):
        world.clock.at = at + MINUTE
        await world.ride(at, rider=rider)
        await clearer.once()
    rows = await world.owner.fetch("select fare_minor, tariff_version from journey order by 1, 2")
    assert [tuple(row) for row in rows] == [(5220, MTR.version)] * 2 + [(5320, "tomorrow")]


async def test_a_tap_without_a_fare_is_read_again_when_its_network_gets_a_tariff(
    world: World,
) -> None:
    await world.ride()
    await Clearer(world.pool, StoredTariffs().newest, world.clock).once()
    assert await world.one("select count(*) from tap_set_aside") == 2
    (done,) = await imported(world, MTR)
    assert (done.what, done.riders) == (Recording.COUNTS, 1)


async def test_nothing_is_recorded_while_something_is_priced(world: World) -> None:
    async with world.pool.acquire() as pricing, pricing.transaction():
        await StoredTariffs().newest(pricing)
        recording = asyncio.create_task(imported(world, MTR))
        done, _ = await asyncio.wait([recording], timeout=0.3)
        assert not done
    assert (await recording)[0].what is Recording.COUNTS


async def test_what_comes_with_the_package_is_registered_once_and_never_over_what_is_booked(
    world: World,
) -> None:
    at = world.clock.now()
    async with world.owner.transaction():
        recorded, left_out = await register_tariffs(world.owner, builtin_tariffs(), at)
        assert (len(recorded), left_out) == (len(builtin_tariffs()), [])
        assert await register_tariffs(world.owner, builtin_tariffs(), at) == ([], [])
    await world.ride()
    await Clearer(world.pool, StoredTariffs().newest, world.clock).once()
    changed = replace(MTR, source="another text under the same name")
    offered = [dearer("past", DAY), changed, dearer("to-come", TOMORROW)]
    async with world.owner.transaction():
        recorded, left_out = await register_tariffs(world.owner, offered, at)
    assert [it.version for it in recorded] == ["to-come"]
    assert [it.version for it in left_out] == ["past", MTR.version]


async def test_gateways_are_told_again_when_a_version_begins_to_count(world: World) -> None:
    desk = TariffDesk(world.pool, world.clock)
    await desk.register([MTR])
    assert await desk.once() == 1
    assert await desk.once() == 0
    highest = "select max(highest_minor) from stop_fare where network = 'mtr'"
    assert await world.one(highest) == 5220
    fares = (await lists.versions(world.owner))["fares"]
    await imported(world, dearer("tomorrow", TOMORROW))
    assert await desk.once() == 1
    assert await world.one(highest) == 5320
    assert (await lists.versions(world.owner))["fares"] > fares


async def test_two_versions_of_one_instant_still_have_an_order(world: World) -> None:
    await imported(world, dearer("a", TOMORROW), dearer("b", TOMORROW, 200))
    book = await StoredTariffs().newest(world.owner)
    assert book.latest("mtr").version == "b"
    instants = counting_at(await tariff_versions.versions(world.owner)).values()
    assert len(set(instants)) == 2
