"""Other terms of suspension reach whomever they concern at once, not with the next ride only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from day_seed import MINUTE, NOON, World, make_world
from test_suspending import DEBT, GIVEN_UP, RULES, in_debt, open_rows, words

from settlement.clearing.clear_taps import Clearer
from settlement.clearing.suspension_terms import SuspensionDesk
from transitpay.clock import day_start
from transitpay.fares.tariff import Tariff
from transitpay.journeys.suspension import Suspension
from transitpay.postgres import reference
from transitpay.postgres.reference import Actor, Role
from transitpay.runtime.builtin import builtin_book
from transitpay.runtime.tariff_versions import StoredTariffs, confirm_tariff, import_tariffs

MTR = builtin_book().latest("mtr")
ANNA, OTTO = (Actor(name, name, Role.ADMIN) for name in ("anna", "otto"))
STRICT, LAX = (Suspension(most, 30, False, "test") for most in (2, 4))
EVASION = RULES[1]
NEXT_DAY = date(2026, 11, 4)


@dataclass(slots=True)
class Town:
    """Stored tariffs, a clearer and a desk, as settlement runs them."""

    world: World
    stored: StoredTariffs = field(default_factory=StoredTariffs)

    def desk(self, riders: int = 1000) -> SuspensionDesk:
        return SuspensionDesk(self.world.pool, self.stored.newest, self.world.clock, riders=riders)

    async def record(self, day: date, name: str, *rules: Suspension) -> None:
        """A version with these terms, let in by a second person where it changes what is booked."""
        at, conn = self.world.clock.at, self.world.owner
        async with conn.transaction():
            await import_tariffs(conn, [tariff(day, name, *rules)], ANNA, at)
        async with conn.transaction():
            await confirm_tariff(conn, "mtr", name, OTTO, at)

    async def clear(self) -> None:
        await Clearer(self.world.pool, self.stored.newest, self.world.clock).once()

    async def judge(self, at: datetime | None = None) -> None:
        """The desk and the clearing, until nothing is left to do."""
        self.world.clock.at = at or self.world.clock.at + MINUTE
        desk = self.desk()
        while await desk.once():
            pass
        await self.clear()

    async def miss(self, times: int, *riders: str) -> None:
        """These riders enter so often, and never leave."""
        for rider in riders:
            for n in range(times):
                at = NOON - 30 * n * MINUTE
                await self.world.tap("entry", "2", at, wallet="alipayhk", rider=rider)
        self.world.clock.at = NOON + GIVEN_UP
        await self.judge()

    async def asked(self) -> list[str]:
        """Riders who are to be read again now."""
        rows = await self.world.owner.fetch(
            "select rider_id from tap_inbox where due_at <= $1 order by 1", self.world.clock.at
        )
        return [row["rider_id"] for row in rows]


def tariff(day: date, name: str, *rules: Suspension) -> Tariff:
    terms = replace(MTR.terms, suspensions=rules)
    return replace(MTR, version=name, valid_from=day, terms=terms)


@pytest.fixture
async def town(db: Any) -> AsyncIterator[Town]:
    world = await make_world(db)
    for actor in (ANNA, OTTO):
        await reference.put_actor(world.owner, actor)
    town = Town(world)
    await town.record(MTR.valid_from, "first", RULES[0], EVASION)
    yield town


AA = "00000000000000aa"


async def test_stricter_terms_suspend_when_their_first_service_day_begins(town: Town) -> None:
    await town.miss(3, AA)
    await town.record(NEXT_DAY, "strict", STRICT)
    begins = day_start(NEXT_DAY, 4)
    await town.judge(begins - timedelta(seconds=1))
    assert await words(town.world) == []
    await town.judge(begins)
    assert await words(town.world) == ["deny suspended"]
    [(why, counted, until)] = await open_rows(town.world)
    assert (why, counted) == ("missing_exits", 3)
    assert until == NOON - 60 * MINUTE + timedelta(minutes=150, days=30)


async def test_laxer_terms_that_are_recorded_for_days_gone_by_release(town: Town) -> None:
    await town.miss(4, AA)
    assert await words(town.world) == ["deny suspended"]
    await town.record(date(2026, 10, 1), "lax", LAX)
    await town.judge()
    assert await words(town.world) == ["deny suspended", "release settled"]
    assert await open_rows(town.world) == []


async def test_terms_that_are_gone_release_and_a_debt_denies_all_the_same(town: Town) -> None:
    await town.miss(4, AA)
    await in_debt(town.world, "ARREARS")
    await town.record(NEXT_DAY, "none")
    await town.judge(day_start(NEXT_DAY, 4))
    assert await open_rows(town.world) == []
    assert await words(town.world) == ["deny suspended"], "the debt still denies"
    await in_debt(town.world, "CAPTURED")
    assert await words(town.world) == ["deny suspended", "release settled"]
    assert await town.world.one("select count(*) from charge where journey_id = $1", DEBT) == 1


async def test_evasion_ends_by_a_person_whatever_the_terms_become(town: Town) -> None:
    await town.miss(11, AA)
    await town.record(NEXT_DAY, "none")
    await town.judge(day_start(NEXT_DAY, 4))
    assert [row[0] for row in await open_rows(town.world)] == ["evasion"]
    assert await words(town.world) == ["deny suspended"]


async def test_only_riders_whom_terms_may_concern_are_read_and_once(town: Town) -> None:
    await town.miss(3, AA, "00000000000000bb")
    await town.miss(1, "00000000000000cc")
    await town.record(NEXT_DAY, "strict", STRICT)
    town.world.clock.at = day_start(NEXT_DAY, 4)
    assert await asyncio.gather(town.desk().once(), town.desk().once()) in ([1, 0], [0, 1], [1, 1])
    assert await town.asked() == [AA, "00000000000000bb"]
    assert await town.desk().once() == 0
    await town.clear()
    assert await town.world.one("select count(*) from suspension where ended_at is null") == 2


async def test_the_same_terms_in_another_version_concern_nobody(town: Town) -> None:
    await town.miss(4, AA)
    await town.record(NEXT_DAY, "same", EVASION, replace(RULES[0], source="another page"))
    town.world.clock.at = day_start(NEXT_DAY, 4)
    assert await town.desk().once() == 0 and await town.asked() == []


async def test_many_riders_are_asked_for_in_batches_and_whoever_comes_next_goes_on(
    town: Town,
) -> None:
    riders = [f"00000000000000{n:02d}" for n in range(5)]
    await town.miss(3, *riders)
    await town.record(NEXT_DAY, "strict", STRICT)
    town.world.clock.at = day_start(NEXT_DAY, 4)
    for through in (2, 4, 5):
        assert await town.desk(2).once() == 1, "each time another process"
        assert await town.asked() == riders[:through]
    assert await town.desk(2).once() == 0
    await town.record(NEXT_DAY, "lax", LAX)
    await town.judge()
    assert await words(town.world) == [], "whoever is read is judged by what holds then"
