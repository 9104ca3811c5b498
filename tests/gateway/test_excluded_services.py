"""Services that take no ride codes refuse them at the gate, say why, and hold nobody inside."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from gateway_world import AT, OTHER_WALLET, WALLET, World

from gateway.app import SERVICES
from transitpay.clock import day_start, service_day
from transitpay.destinations import destination_number, mode_number
from transitpay.fares.shown import JourneyTerms
from transitpay.fares.tariff import EXCLUDED
from transitpay.postgres import reference
from transitpay.postgres.journeys import shown_tariffs
from transitpay.ride_code import keys
from transitpay.ride_code.reasons import RULES, Reason
from transitpay.runtime import access
from transitpay.taps import Direction

#: Who runs them, and which bit of a code's rights they ask for.
WITHOUT_CODES = {
    "airport-express": ("mtr", "metro", 0),
    "light-rail": ("mtr", "metro", 0),
    "mtr-bus": ("mtr", "bus", 0),
    "first-class": ("mtr", "metro", 0),
    "business-car": ("shenzhen-metro", "metro", 1),
    "longhua-tram": ("shenzhen-tram", "metro", 1),
}
WHY = RULES[Reason.SERVICE_EXCLUDED]


def test_every_service_that_takes_no_codes_is_tried() -> None:
    assert set(WITHOUT_CODES) == set(EXCLUDED)


async def gate(world: World, service: str, direction: Direction) -> str:
    """A gate of the service, registered without a word that it takes no codes."""
    operator, mode, destination = WITHOUT_CODES[service]
    conn = await world.db.connect("transitpay_gateway")
    it = reference.Participant(operator, "operator", operator, "HKD")
    await access.enrol_participant(conn, it, AT)
    name = f"{service}-{direction}"
    await world.reader(
        conn, name, service, direction, operator=operator, destination=destination,
        mode=mode_number(mode),
    )  # fmt: skip
    return name


@pytest.mark.parametrize("service", WITHOUT_CODES)
async def test_a_service_that_takes_no_codes_refuses_at_the_entry_and_says_why(
    world: World, service: str
) -> None:
    name = await gate(world, service, Direction.ENTRY)
    client = await world.start()
    destination = WITHOUT_CODES[service][2]
    code = world.phone().draw(AT, destination=destination)
    found = await world.tap(client, name, world.scan(name, code))
    assert (found["open"], found["reason"]) == (False, "service_excluded")
    assert found["text"]["en"] == "Ride codes are not accepted on this service."
    assert tuple(found["text"].values()) == WHY.texts
    assert await world.value("select count(*) from tap_inbox") == 0, "nobody pays for it"


@pytest.mark.parametrize("service", WITHOUT_CODES)
async def test_who_is_inside_such_a_service_gets_out(world: World, service: str) -> None:
    name = await gate(world, service, Direction.EXIT)
    client = await world.start()
    code = world.phone().draw(AT, destination=WITHOUT_CODES[service][2])
    found = await world.tap(client, name, world.scan(name, code))
    assert found["open"] and "service_excluded" in found["flags"]


@pytest.mark.parametrize("service", WITHOUT_CODES)
async def test_an_offline_gate_of_such_a_service_is_told_so(world: World, service: str) -> None:
    name = await gate(world, service, Direction.ENTRY)
    assert await world.value("select service_excluded from reader where id = $1", name)


@pytest.mark.parametrize("city", ["guangzhou", "zhongshan", "foshan"])
async def test_buses_of_guangdong_take_codes_of_alipayhk_and_of_no_other_wallet(
    world: World, city: str
) -> None:
    conn, number = await world.db.connect("transitpay_gateway"), destination_number(city)
    it = reference.Participant(f"{city}-bus", "operator", city, "CNY")
    await access.enrol_participant(conn, it, AT)
    name = f"{city}-bus-1"
    await world.reader(
        conn, name, f"{city}-bus", Direction.SINGLE, destination=number, mode=mode_number("bus")
    )
    begin = AT - timedelta(days=30)
    await access.enrol_issuer_key(
        conn, WALLET, 3, world.key_folder, begin, destinations=31, modes=3, days=365
    )
    pem = (world.key_folder / "issuer-3.pem").read_bytes()
    world.issuer_keys[3] = keys.load_issuer_pem(pem)
    client = await world.start()

    async def ride(key_id: int) -> dict[str, Any]:
        code = world.phone(key_id=key_id, destinations=31).draw(AT, destination=number)
        return await world.tap(client, name, world.scan(name, code))

    assert (await ride(3))["open"], "AlipayHK's key has the right"
    other = await ride(2)
    assert (other["open"], other["reason"]) == (False, "destination_not_allowed")
    assert other["text"]["en"] == "This city is not enabled. Enable it in your app."


@pytest.mark.parametrize("direction", [Direction.SINGLE, Direction.EXIT])
async def test_a_network_takes_the_wallets_of_its_tariff_from_its_first_day_on(
    world: World, direction: Direction
) -> None:
    """A key may have the right to the city: the tariff's wallets are asked beside it."""
    conn = await world.db.connect("transitpay_gateway")
    await world.reader(conn, "kmb-9", "kmb", direction, mode=mode_number("bus"))
    begins = service_day(AT) + timedelta(days=1)
    every = JourneyTerms("kmb", begins - timedelta(days=99), None, None, None)
    some = JourneyTerms("kmb", begins, None, None, None, frozenset({WALLET}))
    settlement = await world.db.connect("transitpay_settlement")
    await shown_tariffs.put_shown(settlement, [], [every, some], AT)
    client = await world.start()
    await client.app[SERVICES].places.refresh()
    opens = direction is Direction.EXIT

    async def show(key_id: int) -> dict[str, Any]:
        phone = world.phone(key_id=key_id)
        return await world.tap(client, "kmb-9", world.scan("kmb-9", phone.draw(world.clock.at)))

    world.clock.at = day_start(begins, 4) - timedelta(seconds=1)
    assert (await show(2))["open"], "any wallet the day before"
    world.clock.at = day_start(begins, 4)
    assert (await show(1))["open"]
    found = await show(2)
    assert found["open"] is opens
    assert "service_excluded" in (found["flags"] if opens else [found["reason"]])
    [row] = await world.rows("select issuer from tap order by at desc, sequence desc limit 1")
    assert row["issuer"] == OTHER_WALLET, "support sees whose code it was"
