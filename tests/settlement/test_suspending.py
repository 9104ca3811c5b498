"""Missing exits suspend a rider beside a debt, until few enough are left or a person says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from day_seed import MINUTE, NOON, World, make_world

from settlement.clearing.clear_taps import Clearer
from settlement.clearing.denials import lock_key
from settlement.clearing.suspending import suspend
from settlement.metrics import SettlementMetrics
from transitpay.fares.tariff import TariffBook
from transitpay.journeys.suspension import Suspension
from transitpay.postgres.money import evidence
from transitpay.postgres.pool import transaction
from transitpay.runtime.builtin import builtin_book

RIDER = ("alipayhk", "00000000000000aa")
OTHER = ("alipayhk", "00000000000000bb")
DEBT = "2026-09-01/mtr-entry/1"  #: a journey of before
RULES = (Suspension(3, 30, False, "test"), Suspension(10, 365, True, "test"))
GIVEN_UP = timedelta(hours=75)  #: 150 minutes and the longest wait for silent readers are over.


@pytest.fixture
async def world(db: Any) -> AsyncIterator[World]:
    made = await make_world(db)
    yield made
    await made.check_books()


def book() -> TariffBook:
    return TariffBook(
        replace(it, terms=replace(it.terms, suspensions=RULES if network == "mtr" else ()))
        for network in builtin_book().networks
        for it in builtin_book().versions(network)
    )


async def miss(world: World, times: int) -> None:
    """Enter so often, and never leave; the journeys are closed as incomplete."""
    for n in range(times):
        await world.tap("entry", "2", NOON - 30 * n * MINUTE, wallet=RIDER[0])
    world.clock.at = NOON + GIVEN_UP
    await Clearer(world.pool, book(), world.clock, SettlementMetrics()).once()
    assert await world.one("select count(*) from journey where reason = 'missing_exit'") == times


async def miss_again(world: World) -> None:
    """One more entry without an exit."""
    await world.tap("entry", "2", NOON + 30 * MINUTE, wallet=RIDER[0])
    world.clock.at += timedelta(hours=1)
    await Clearer(world.pool, book(), world.clock, SettlementMetrics()).once()


async def tell(world: World, at: datetime | None = None, rider: tuple[str, str] = RIDER) -> int:
    async with transaction(world.pool) as conn:
        return await suspend(conn, book(), [rider], at or world.clock.now())


async def words(world: World) -> list[str]:
    """The last words on the rider, oldest first."""
    rows = await world.owner.fetch("select action, reason from deny_request order by id")
    return [f"{row['action']} {row['reason']}" for row in rows]


async def open_rows(world: World) -> list[tuple[Any, ...]]:
    rows = await world.owner.fetch(
        "select why, counted, until from suspension where ended_at is null order by why"
    )
    return [tuple(row) for row in rows]


async def in_debt(world: World, state: str) -> None:
    """The rider's charge of another ride is in this state, and the denial is settled by it."""
    await world.owner.execute(
        "insert into journey (id, key, issuer, rider_id, slot, network, operator, kind, state,"
        " entry_stop, entry_at, priced_at, service_day, cleared_at, fare_minor,"
        " fare_currency, fare_lines, tariff_version) select $1, $1, issuer, rider_id, slot,"
        " network, operator, kind,"
        " 'complete', '2', $2, $2, service_day, cleared_at, fare_minor, fare_currency, fare_lines,"
        " tariff_version from journey limit 1 on conflict do nothing",
        DEBT,
        NOON - timedelta(days=60),
    )
    await world.owner.execute(
        "insert into charge (id, journey_id, wallet, issuer, rider_id, amount_minor, currency,"
        " state, created_at, attempts, refused_code, refused_since, denies_rider) values"
        " ('c', $5, $1, $1, $2, 1, 'HKD', $3, $4, 1, 'USER_BALANCE_NOT_ENOUGH', $4, $6)"
        " on conflict (id) do update set state = $3, denies_rider = $6",
        *RIDER, state, NOON, DEBT, state == "ARREARS",
    )  # fmt: skip
    async with transaction(world.pool) as conn:
        await evidence.settle_denial(conn, *RIDER, lock_key(*RIDER), NOON)


@pytest.fixture
async def unbooked(db: Any) -> World:
    """A world for debts that are no bookings."""
    return await make_world(db)


async def test_the_fourth_missing_exit_denies_the_rider_and_no_other(world: World) -> None:
    await miss(world, 3)
    assert await tell(world) == 0 and await words(world) == []
    await miss_again(world)
    assert await tell(world, rider=OTHER) == 0
    assert await tell(world) == 0, "the clearing has told it; twice is once"
    assert await words(world) == ["deny suspended"]
    [(why, counted, until)] = await open_rows(world)
    assert (why, counted) == ("missing_exits", 4)
    row = await world.owner.fetchrow("select rider_id, due_at from tap_inbox")
    assert tuple(row) == (RIDER[1], until), "the rider is read again when it ends"


async def test_a_suspension_ends_by_itself_at_the_instant_that_it_told(world: World) -> None:
    await miss(world, 4)
    await tell(world)
    [(_, _, until)] = await open_rows(world)
    assert await tell(world, until - timedelta(seconds=1)) == 0
    assert await tell(world, until) == 1
    assert await words(world) == ["deny suspended", "release settled"]
    assert await open_rows(world) == []


async def test_evasion_ends_only_by_a_person_who_forgives_what_was_missing(world: World) -> None:
    await miss(world, 11)
    assert [row[0] for row in await open_rows(world)] == ["evasion", "missing_exits"]
    later = NOON + timedelta(days=200)
    assert await tell(world, later) == 1
    assert [row[0] for row in await open_rows(world)] == ["evasion"]
    assert await words(world) == ["deny suspended"]
    await let_go(world, later)
    assert await tell(world, later + MINUTE) == 1
    assert await words(world) == ["deny suspended", "release settled"]
    assert await tell(world, later + MINUTE) == 0, "the same exits do not count again"


async def let_go(world: World, at: datetime) -> None:
    await world.owner.execute(
        "insert into suspension_end (suspension, reason, ended_by, at)"
        " select id, 'talked to', 'mtr-entry', $1 from suspension where ended_at is null",
        at,
    )


async def test_evasion_stays_when_its_exits_are_too_old(world: World) -> None:
    await miss(world, 11)
    await tell(world)
    await tell(world, NOON + timedelta(days=400))
    assert [row[0] for row in await open_rows(world)] == ["evasion"]


@pytest.mark.parametrize("debt_first", [True, False])
async def test_a_debt_and_a_suspension_stand_side_by_side(
    unbooked: World, debt_first: bool
) -> None:
    world = unbooked
    await miss(world, 3 if debt_first else 4)
    await in_debt(world, "ARREARS")
    if debt_first:
        await miss_again(world)
    first = "deny arrears" if debt_first else "deny suspended"
    assert await words(world) == [first]
    if debt_first:
        await in_debt(world, "CAPTURED")
    else:
        await tell(world, NOON + timedelta(days=60))
    assert await words(world) == [first], "neither lifts the other"
    if debt_first:
        await tell(world, NOON + timedelta(days=60))
    else:
        await in_debt(world, "CAPTURED")
    assert await words(world) == [first, "release settled"]
