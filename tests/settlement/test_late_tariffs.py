"""A tariff that is recorded after journeys were booked corrects them; before that, it is tried."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from day_seed import DAY, MINUTE, NOON, World, make_world

from settlement.clearing.clear_taps import Clearer
from transitpay.cli import cli
from transitpay.errors import TransitPayError
from transitpay.fares.document import document_of
from transitpay.fares.tariff import FlatFares, MatrixFares, Stop, Tariff
from transitpay.postgres import reference
from transitpay.postgres.reference import Actor, Role
from transitpay.runtime.builtin import builtin_book, builtin_tariffs
from transitpay.runtime.tariff_versions import (
    StoredTariffs,
    confirm_tariff,
    import_tariffs,
    register_tariffs,
)

MTR = builtin_book().latest("mtr")
KMB = builtin_book().latest("kmb")
ANNA, OTTO = (Actor(name, name, Role.ADMIN) for name in ("anna", "otto"))
STANDING = (
    "select id, fare_minor, charge_minor, tariff_version from journey where ended_at is null"
    " order by id"
)


def changed(tariff: Tariff, version: str, valid_from: date, by_minor: int) -> Tariff:
    """The tariff with every fare higher, or lower, by the same."""
    fares = tariff.fares
    if isinstance(fares, FlatFares):
        new: FlatFares | MatrixFares = replace(
            fares, by_route={route: minor + by_minor for route, minor in fares.by_route.items()}
        )
    else:
        rows = tuple(tuple(max(minor + by_minor, 0) for minor in row) for row in fares.rows)
        new = MatrixFares(fares.ids, rows)
    return replace(tariff, version=version, valid_from=valid_from, fares=new)


@dataclass(slots=True)
class Office:
    """One running clearer over the stored tariffs, and two people who may change them."""

    world: World
    clearer: Clearer

    async def store(self, tariff: Tariff) -> None:
        """Import it, and let the second person confirm it."""
        at, conn = self.world.clock.at, self.world.owner
        async with conn.transaction():
            await import_tariffs(conn, [tariff], ANNA, at)
        async with conn.transaction():
            await confirm_tariff(conn, tariff.network, tariff.version, OTTO, at)

    async def standing(self) -> list[tuple[Any, ...]]:
        """(id without its day and reader, fare, charge, version) of what stands after a pass."""
        self.world.clock.at += MINUTE
        await self.clearer.once()
        rows = await self.world.owner.fetch(STANDING)
        return [(row["id"].rpartition("/")[2], *list(row.values())[1:]) for row in rows]


@pytest.fixture
async def office(db: Any) -> AsyncIterator[Office]:
    world = await make_world(db)
    for actor in (ANNA, OTTO):
        await reference.put_actor(world.owner, actor)
    async with world.owner.transaction():
        await register_tariffs(world.owner, builtin_tariffs(), world.clock.at)
    yield Office(world, Clearer(world.pool, StoredTariffs().newest, world.clock))
    await world.check_books()


async def test_a_tariff_recorded_late_reverses_what_was_booked_and_books_it_anew(
    office: Office,
) -> None:
    await office.world.ride()
    assert await office.standing() == [("1", 5220, 4791, MTR.version)]
    await office.store(changed(MTR, "dearer", DAY, 100))
    # 53.20 at 0.9150 x 1.003 is 48.82, at the rate of the exit as before.
    assert await office.standing() == [("1~2", 5320, 4882, "dearer")]
    ended = await office.world.owner.fetchrow(
        "select ended_why, tariff_version from journey where ended_at is not null"
    )
    assert tuple(ended) == ("other_fare", MTR.version)
    owed = "select sum(amount_minor)::bigint from charge where state <> 'WITHDRAWN'"
    assert await office.world.one(owed) == 4882
    assert await office.world.balance("operator_payable:mtr", "HKD") == -5320
    await office.store(changed(MTR, "cheaper", DAY, -100))
    assert await office.standing() == [("1~3", 5120, 4699, "cheaper")]
    assert await office.world.one(owed) == 4699


async def test_a_ride_without_a_fare_is_set_aside_by_name_and_a_free_one_is_booked_at_0(
    office: Office,
) -> None:
    ids = builtin_book().latest("mtr").stops
    areas = tuple(int(stop.id == "78") for stop in ids)

    def by_area(version: str, to_border: int | None) -> Tariff:
        fares = MatrixFares(tuple(s.id for s in ids), ((400, to_border), (500, 0)), areas)
        return replace(MTR, version=version, valid_from=DAY, fares=fares)

    await office.store(by_area("without", None))
    await office.world.ride()
    assert await office.standing() == []
    aside = await office.world.owner.fetch("select reason from tap_set_aside")
    assert [row["reason"] for row in aside] == ["no_fare", "no_fare"]
    assert await office.world.balance("operator_payable:mtr", "HKD") == 0
    await office.store(by_area("free", 0))
    assert await office.standing() == [("1", 0, 0, "free")]
    assert await office.world.one("select count(*) from tap_set_aside") == 0


async def test_a_tariff_of_the_next_service_day_changes_nothing_that_was_before_it(
    office: Office,
) -> None:
    await office.world.ride()
    await office.standing()
    await office.store(changed(MTR, "tomorrow", DAY + timedelta(days=1), 100))
    await office.world.owner.execute(
        "insert into tap_inbox (shard, issuer, rider_id, due_at, since)"
        " select shard, issuer, rider_id, $1, $2 from (select 0::smallint as shard, issuer,"
        " rider_id from journey) j",
        NOON,
        NOON - timedelta(hours=3),
    )
    assert await office.standing() == [("1", 5220, 4791, MTR.version)]


async def test_a_tariff_that_changes_no_fare_ends_no_journey(office: Office) -> None:
    await office.world.ride()
    before = await office.standing()
    await office.store(changed(MTR, "the-same-again", DAY, 0))
    after = await office.standing()
    assert [it[:3] for it in after] == [it[:3] for it in before]


async def test_a_ride_before_the_first_tariff_is_booked_when_one_is_recorded(
    office: Office,
) -> None:
    await office.world.tap("single", "9Z", NOON, network="kmb", route="9Z", wallet="alipayhk")
    assert await office.standing() == []
    assert isinstance(KMB.fares, FlatFares)
    fares = FlatFares(KMB.fares.by_route | {"9Z": 700})
    stops = (*KMB.stops, Stop("9Z", ("9Z",)))
    await office.store(replace(KMB, version="with-9Z", valid_from=DAY, fares=fares, stops=stops))
    assert await office.standing() == [("1", 700, 700, "with-9Z")]


async def dry_run(*words: str | Path) -> Result:
    def once() -> Result:
        words_ = ["tariffs", "dry-run", *map(str, words)]
        return CliRunner().invoke(cli, words_, catch_exceptions=False)

    return await asyncio.to_thread(once)


async def test_a_trial_tells_sums_and_the_largest_changes_and_writes_nothing(
    office: Office, db: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in db.settings.environment().items():
        monkeypatch.setenv(name, value)
    await office.world.ride()
    await office.world.ride(rider="bb" * 8, wallet="alipayhk")
    await office.world.tap("single", "B1", NOON, network="kmb", route="B1", wallet="alipayhk")
    booked = await office.standing()
    assert len(booked) == 3
    path = tmp_path / "tried.json"
    path.write_bytes(document_of(changed(MTR, "tried", date(2030, 1, 1), 250)))
    days = ("--from", str(DAY), "--to", str(DAY))
    result = await dry_run(path, *days, "--json", "--largest", "1")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout.splitlines()[-1])
    assert told["version"] == "tried"
    assert [
        (it["network"], it["wallet"], it["journeys"], it["changed"], it["before_minor"],
         it["after_minor"])
        for it in told["effects"]
    ] == [
        ("mtr", "alipayhk", 1, 1, 5220, 5470),
        ("mtr", "shenzhen-tong", 1, 1, 5220, 5470),
    ]  # fmt: skip
    assert len(told["largest"]) == 1 and told["unpriced"] == {}
    shown = await dry_run(path, *days)
    assert "HKD 52.20" in shown.stdout and "HKD 54.70" in shown.stdout
    assert await office.standing() == booked
    for words, code in (
        ((path, "--from", "2026-10-31", "--to", "2026-11-30"), "nothing_booked"),
        ((path, "--from", str(DAY), "--to", str(DAY - timedelta(days=1))), "bad_day"),
        ((path, "--from", "soon", "--to", str(DAY)), "bad_day"),
    ):
        with pytest.raises(TransitPayError) as refusal:
            await dry_run(*words)
        assert refusal.value.code == code
