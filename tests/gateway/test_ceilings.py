"""A ceiling below what a ride from here may cost is refused at the entry, and at no exit."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from gateway_world import AT, World
from list_gate import Gate

from gateway.app import SERVICES
from transitpay.fares.highest import HighestFare
from transitpay.fx.rate import PublishedRate
from transitpay.money import CNY, HKD, Money
from transitpay.postgres.gates import stop_fares
from transitpay.postgres.money import rates
from transitpay.ride_code.deny_list import DenyList
from transitpay.ride_code.lists.signed_list import ListKind
from transitpay.ride_code.lists.trust_records import trust_list_of
from transitpay.ride_code.reader.settings import ReaderSettings
from transitpay.ride_code.reasons import Reason
from transitpay.ride_code.verdict import Accepted, Rejected, judge

SINCE = date(2026, 1, 1)


async def set_fares(world: World, *fares: HighestFare) -> None:
    conn = await world.db.connect("transitpay_settlement")
    assert await stop_fares.put_stop_fares(conn, fares, AT)


def from_hung_hom(minor: int) -> HighestFare:
    return HighestFare("mtr", "64", SINCE, ("huh", "hunghom"), Money(minor, HKD))


async def set_rate(world: World, rate: str, at: Any = AT) -> None:
    conn = await world.db.connect("transitpay_settlement")
    await rates.append(conn, [PublishedRate(HKD, CNY, at, Decimal(rate), "test", at)])


async def refresh(client: Any) -> None:
    await client.app[SERVICES].places.refresh()


async def tap(world: World, client: Any, reader: str, **fields: Any) -> dict[str, Any]:
    changes = fields.pop("phone", {})
    return await world.tap(
        client, reader, world.scan(reader, world.phone(**changes).draw(AT), **fields)
    )


@pytest.mark.parametrize(("fare_minor", "opens"), [(5000, True), (5001, False)])
async def test_case_33_a_ceiling_below_the_possible_fare_is_refused_online_and_offline_alike(
    world: World, fare_minor: int, opens: bool
) -> None:
    await set_fares(world, from_hung_hom(fare_minor))
    client = await world.start()
    await refresh(client)
    phone = world.phone(ceiling_major=50)
    online = await world.tap(client, "mtr-in-1", world.scan("mtr-in-1", phone.draw(AT)))
    assert (online["open"], online["reason"]) == (opens, None if opens else "ceiling_too_low")
    gate = Gate(world, client)
    for kind in ListKind:
        assert await gate.ask(kind) == "taken"
    assert gate.config()["highest_fare.HKD"] == str(fare_minor)
    rules = ReaderSettings.of(gate.config()).rules
    trust = trust_list_of(1, gate.held[ListKind.TRUST].table)
    offline = judge(phone.draw(AT), trust, DenyList(), rules, AT)
    match offline:
        case Accepted():
            assert opens
        case Rejected():
            assert not opens and offline.reason is Reason.CEILING_TOO_LOW
    way_out = await world.tap(client, "mtr-out-1", world.scan("mtr-out-1", phone.draw(AT)))
    assert way_out["open"] is True and "ceiling_too_low" not in way_out["flags"]
    exit_gate = Gate(world, client, "mtr-out-1")
    assert await exit_gate.ask(ListKind.CONFIG) == "taken"
    assert "highest_fare.HKD" not in exit_gate.config()


@pytest.mark.parametrize(("ceiling", "opens"), [(50, True), (49, False)])
async def test_case_33_a_ceiling_in_the_other_currency_is_met_by_the_rate_and_a_margin(
    world: World, ceiling: int, opens: bool
) -> None:
    await set_fares(world, from_hung_hom(5220))  # 52.20 x 0.92 x 1.03 = 49.46, so 50
    await set_rate(world, "0.92", AT - timedelta(days=2))
    await set_rate(world, "9", AT + timedelta(minutes=1))  # a rate of later decides nothing today
    client = await world.start()
    await refresh(client)
    changes = {"ceiling_major": ceiling, "ceiling_currency": CNY}
    answer = await tap(world, client, "mtr-in-1", phone=changes)
    assert (answer["open"], answer["reason"]) == (opens, None if opens else "ceiling_too_low")


async def test_without_a_rate_a_ceiling_in_the_other_currency_is_not_compared(
    world: World,
) -> None:
    await set_fares(world, from_hung_hom(5220))
    client = await world.start()
    await refresh(client)
    changes = {"ceiling_major": 1, "ceiling_currency": CNY}
    assert (await tap(world, client, "mtr-in-1", phone=changes))["open"] is True


@pytest.mark.parametrize(
    ("fields", "opens"),
    [
        ({"route": "276B"}, True),
        ({"route": "960"}, False),
        ({"route": "960", "stage_fare_minor": 1100}, True),
        ({"route": "960", "stage_fare_minor": 1101}, False),
        ({}, True),
    ],
)
async def test_on_a_bus_the_route_or_the_stage_fare_decides(
    world: World, fields: dict[str, Any], opens: bool
) -> None:
    await set_fares(
        world,
        HighestFare("kmb", "276B", SINCE, (), Money(1050, HKD)),
        HighestFare("kmb", "960", SINCE, (), Money(2400, HKD)),
    )
    client = await world.start()
    await refresh(client)
    answer = await tap(world, client, "kmb-bus-1", phone={"ceiling_major": 11}, **fields)
    assert answer["open"] is opens


async def test_fares_that_stand_there_already_raise_no_version(world: World) -> None:
    await set_fares(world, from_hung_hom(5220))
    conn = await world.db.connect("transitpay_settlement")
    assert not await stop_fares.put_stop_fares(conn, [from_hung_hom(5220)], AT)
    assert await stop_fares.put_stop_fares(conn, [from_hung_hom(5230)], AT)
    assert await stop_fares.stop_fares(conn) == [from_hung_hom(5230)]
    assert await world.value("select version from list_version where list = 'fares'") == 3
