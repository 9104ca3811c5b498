"""A code shown where it gives no right: refused at an entry with the reason, let out at an exit."""

from __future__ import annotations

from typing import Any

import pytest
from gateway_world import AT, World

from transitpay.destinations import MODES
from transitpay.taps import Direction

#: What a rider's code allows here: metro and bus, in Hong Kong and Shenzhen.
ALLOWED = ("metro", "bus")


async def at_reader(world: World, client: Any, code: str, **registered: Any) -> dict[str, Any]:
    """Show a code at a new reader of this registration."""
    name = f"place-{len(world.tokens)}"
    conn = await world.db.connect("transitpay_gateway")
    direction = registered.pop("direction", Direction.ENTRY)
    await world.reader(conn, name, registered.pop("network", "mtr"), direction, **registered)
    return await world.tap(client, name, world.scan(name, code))


@pytest.mark.parametrize("mode", MODES)
async def test_case_32_a_code_opens_on_the_services_it_allows_and_on_no_other(
    world: World, mode: str
) -> None:
    client = await world.start()
    number, allowed = MODES.index(mode), mode in ALLOWED
    entry = await at_reader(world, client, world.phone().draw(AT), mode=number)
    assert (entry["open"], entry["reason"]) == (allowed, None if allowed else "mode_not_allowed")
    inside = await at_reader(
        world, client, world.phone().draw(AT), mode=number, direction=Direction.EXIT
    )
    assert inside["open"] is True and ("mode_not_allowed" in inside["flags"]) is not allowed


async def test_case_32_a_right_of_the_phone_alone_opens_no_airport_express(world: World) -> None:
    client = await world.start()
    code = world.phone(modes=255).draw(AT)
    found = await at_reader(world, client, code, mode=MODES.index("airport-express"))
    assert (found["open"], found["reason"]) == (False, "mode_not_allowed"), "nor has its issuer it"


@pytest.mark.parametrize(("drawn_for", "opens"), [(0, False), (1, True)])
async def test_case_32_a_code_opens_in_the_region_it_was_drawn_for(
    world: World, drawn_for: int, opens: bool
) -> None:
    client = await world.start()
    code = world.phone().draw(AT, destination=drawn_for)
    found = await at_reader(world, client, code, destination=1)
    assert (found["open"], found["reason"]) == (opens, None if opens else "wrong_destination")


async def test_case_32_a_region_that_is_not_enabled_is_refused_whatever_the_phone_draws(
    world: World,
) -> None:
    client = await world.start()
    code = world.phone(destinations=1).draw(AT, destination=1)
    found = await at_reader(world, client, code, destination=1)
    assert (found["open"], found["reason"]) == (False, "destination_not_allowed")
    nowhere = await at_reader(world, client, world.phone().draw(AT, destination=4), destination=4)
    assert (nowhere["open"], nowhere["reason"]) == (False, "destination_not_allowed")


@pytest.mark.parametrize("network", ["mtr", "kmb"])
async def test_case_32_an_operators_service_that_takes_no_codes_takes_none(
    world: World, network: str
) -> None:
    client = await world.start()
    closed = await at_reader(
        world, client, world.phone().draw(AT), network=network, service_excluded=True
    )
    assert (closed["open"], closed["reason"]) == (False, "service_excluded")
