"""A version of a tariff that waits is withdrawn: it never counts, and its name is spent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from day_seed import DAY, MINUTE, NOON, World
from test_stored_tariffs import (
    ANNA,
    MTR,
    OTTO,
    TOMORROW,
    book_a_ride,
    confirmed,
    dearer,
    imported,
    inbox,
    version_of_list,
    world,
)

from transitpay.errors import Conflict, RuleViolation
from transitpay.postgres import approvals
from transitpay.postgres.approvals import Withdrawal
from transitpay.postgres.journeys import tariff_versions
from transitpay.postgres.journeys.tariff_versions import StoredVersion
from transitpay.postgres.reference import Actor, Role
from transitpay.runtime.tariff_beside import unlikely
from transitpay.runtime.tariff_versions import (
    Recording,
    StoredTariffs,
    confirm_tariff,
    register_tariffs,
    withdraw_tariff,
)

__all__ = ["world"]
KIM = Actor("kim", "Kim", Role.OPERATOR, "kmb")
WHY = "the draft"


async def withdrawn(
    world: World, version: str = "dearer", by: Actor = ANNA, why: str = WHY
) -> StoredVersion:
    async with world.owner.transaction():
        return await withdraw_tariff(world.owner, "mtr", version, by, why, world.clock.now())


async def waiting(world: World) -> None:
    await book_a_ride(world)
    await imported(world, dearer("dearer", DAY))


@pytest.mark.parametrize("by", [ANNA, OTTO])
async def test_whoever_imported_it_or_another_withdraws_it_once(world: World, by: Actor) -> None:
    await waiting(world)
    before = await version_of_list(world)
    word = Withdrawal(by.id, world.clock.now(), WHY)
    assert (await withdrawn(world, by=by)).withdrawn == word
    world.clock.at += MINUTE
    for again in (ANNA, OTTO):
        assert (await withdrawn(world, by=again)).withdrawn == word
    with pytest.raises(Conflict, match="for another reason") as refusal:
        await withdrawn(world, why="no draft")
    assert refusal.value.code == "already_withdrawn"
    (it,) = await tariff_versions.versions(world.owner, "mtr", "dearer")
    assert (it.withdrawn, it.waits, it.counts_at) == (word, False, None)
    noted = "select actor from audit_log where action = 'tariff_withdrawn'"
    assert [tuple(row) for row in await world.owner.fetch(noted)] == [(by.id,)]
    assert await version_of_list(world) == before and await inbox(world) == []


async def test_a_withdrawn_version_is_never_confirmed_and_prices_nothing(world: World) -> None:
    await waiting(world)
    await withdrawn(world)
    with pytest.raises(Conflict, match="anna withdrew it") as refusal:
        await confirmed(world, "dearer", OTTO)
    assert refusal.value.code == "already_withdrawn"
    book = await StoredTariffs().newest(world.owner)
    assert book.tariff("mtr", DAY).version == MTR.version
    assert await inbox(world) == []


async def test_a_withdrawn_name_is_spent_and_the_same_fares_wait_anew_under_another(
    world: World,
) -> None:
    await waiting(world)
    await withdrawn(world)
    with pytest.raises(Conflict, match="under another name") as refusal:
        await imported(world, dearer("new", TOMORROW), dearer("dearer", DAY))
    assert (refusal.value.code, refusal.value.field) == ("already_withdrawn", "version")
    with pytest.raises(Conflict, match="stored with other content"):
        await imported(world, dearer("dearer", DAY, 200))
    assert len(await tariff_versions.versions(world.owner)) == 2, "nothing of the run is stored"
    (again,) = await imported(world, dearer("dearer-again", DAY))
    assert again.what is Recording.WAITS
    assert (await confirmed(world, "dearer-again", OTTO)).what is Recording.COUNTS
    async with world.owner.transaction():
        given = [dearer("dearer", DAY), dearer("dearer", TOMORROW)]
        _, left_out = await register_tariffs(world.owner, given, world.clock.now())
    assert left_out == given[1:], "what is stored under a name stays as it is"


async def test_a_version_that_counts_is_not_withdrawn(world: World) -> None:
    await waiting(world)
    await confirmed(world, "dearer", OTTO)
    for version in ("dearer", MTR.version):
        with pytest.raises(Conflict) as refusal:
            await withdrawn(world, version)
        assert refusal.value.code == "already_approved"
    book = await StoredTariffs().newest(world.owner)
    assert book.tariff("mtr", DAY).version == "dearer"


async def test_only_an_admin_or_the_operator_withdraws_a_version_that_is_there(
    world: World,
) -> None:
    await waiting(world)
    with pytest.raises(RuleViolation, match="'kim' may not speak for mtr"):
        await withdrawn(world, by=KIM)
    with pytest.raises(RuleViolation, match="no version cheaper"):
        await withdrawn(world, "cheaper")


@pytest.mark.parametrize("first", ["confirm", "withdraw"])
async def test_of_a_confirmation_and_a_withdrawal_at_once_the_first_is_taken(
    world: World, first: str
) -> None:
    await waiting(world)
    at = world.clock.now()

    async def once(what: str, conn: Any) -> None:
        if what == "confirm":
            await confirm_tariff(conn, "mtr", "dearer", OTTO, at)
        else:
            await withdraw_tariff(conn, "mtr", "dearer", OTTO, WHY, at)

    async def later() -> None:
        async with world.pool.acquire() as conn, conn.transaction():
            await once("withdraw" if first == "confirm" else "confirm", conn)

    async with world.owner.transaction():
        await once(first, world.owner)
        second = asyncio.create_task(later())
        done, _ = await asyncio.wait([second], timeout=0.3)
        assert not done
    with pytest.raises(Conflict) as refusal:
        await second
    code = "already_approved" if first == "confirm" else "already_withdrawn"
    assert refusal.value.code == code
    (it,) = await tariff_versions.versions(world.owner, "mtr", "dearer")
    assert (it.counts_at is None, it.withdrawn is None) == (first != "confirm", first == "confirm")


async def test_a_version_waits_in_the_list_of_proposals_as_its_operator_s(world: World) -> None:
    await waiting(world)
    [it] = await approvals.open_proposals(world.owner, 9)
    assert (it.subject, it.operator, it.proposed_by) == ("tariff mtr dearer", "mtr", "anna")
    assert it.proposed_at == NOON + MINUTE
    await withdrawn(world)
    assert await approvals.open_proposals(world.owner, 9) == []


async def test_a_withdrawn_version_is_no_version_before_another(world: World) -> None:
    await book_a_ride(world)
    await imported(world, dearer("dearer", DAY, 900_00))
    follows = dearer("follows", TOMORROW, 900_00)
    assert not any("before" in text for text in await unlikely(world.owner, follows))
    await withdrawn(world)
    assert any("before" in text for text in await unlikely(world.owner, follows))
