"""Clearing: taps become journeys, charges and bookings once, whatever the order and the workers."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal, DivisionByZero
from typing import Any

import pytest
from day_seed import DAY, MINUTE, NOON, World, make_world

from settlement.clearing.clear_taps import Clearer
from settlement.metrics import SettlementMetrics
from transitpay.postgres.gates.taps import note_riders
from transitpay.postgres.reference import Participant, put_participant
from transitpay.runtime.builtin import builtin_book

HOUR = timedelta(hours=1)


@pytest.fixture
async def world(db: Any) -> AsyncIterator[World]:
    made = await make_world(db)
    yield made
    await made.check_books()


def clearer(world: World) -> Clearer:
    return Clearer(world.pool, builtin_book(), world.clock, SettlementMetrics())


async def facts(world: World) -> list[tuple[Any, ...]]:
    """What the riders' taps became, without ids that depend on the order of arrival."""
    rows = await world.owner.fetch(
        "select j.rider_id, j.entry_stop, j.exit_stop, j.reason, j.fare_minor, j.priced_at,"
        " c.amount_minor, c.currency, c.state from journey j"
        " left join charge c on c.journey_id = j.id order by 1, 2, 3, 6"
    )
    return [tuple(row.values()) for row in rows]


async def test_a_ride_is_cleared_with_the_amounts_of_the_worked_example(world: World) -> None:
    await world.ride()
    assert await clearer(world).once() == 2

    lines = await world.owner.fetchval("select fare_lines::text from journey")
    assert json.loads(lines) == [
        {
            "code": "fare", "text": "Admiralty to Lok Ma Chau, adult", "amount_minor": 5220,
            "zh-Hant": "金鐘至落馬洲，成人車費", "zh-Hans": "金钟至落马洲，成人票价",
        }
    ]  # fmt: skip
    charge = await world.owner.fetchrow(
        "select amount_minor, currency, state, next_action from charge"
    )
    assert tuple(charge) == (4791, "CNY", "DUE", "PAY")
    quote = await world.owner.fetchrow(
        "select fare_minor, charge_minor, mid_value_minor, spread_minor, customer_rate, remainder"
        " from quote"
    )
    assert tuple(quote) == (5220, 4791, 4776, 15, Decimal("0.917745"), Decimal("0.003711"))
    assert await world.balance("operator_payable:mtr", "HKD") == -5220
    assert await world.balance("fx_position", "HKD") == 5220
    assert await world.balance("rider_due:shenzhen-tong") == 4791
    assert await world.balance("fx_position") == -4776
    assert await world.balance("income:fx_spread") == -15
    item = await world.owner.fetchrow(
        "select kind, item_kind, participant, day, currency, amount_minor from open_item"
    )
    assert tuple(item) == ("operator", "fare", "mtr", DAY, "HKD", 5220)


async def test_the_same_taps_read_twice_are_cleared_once(world: World) -> None:
    await world.ride()
    await clearer(world).once()
    await note_riders(world.owner, [("shenzhen-tong", "00000000000000aa")], NOON)
    assert await clearer(world).once() == 1
    assert await world.one("select count(*) from journey") == 1
    assert await world.one("select count(*) from entry") == 1
    assert await world.one("select count(*) from tap_inbox") == 0


async def test_the_order_of_arrival_makes_no_difference(world: World) -> None:
    plan = [
        ("entry", "2", NOON - 100 * MINUTE),
        ("exit", "78", NOON - 60 * MINUTE),
        ("entry", "78", NOON - 50 * MINUTE),
        ("exit", "2", NOON - 10 * MINUTE),
    ]
    found = []
    for seed in range(5):
        rider = f"{seed:016x}"
        for direction, stop, at in random.Random(seed).sample(plan, len(plan)):
            await world.tap(direction, stop, at, rider=rider)
        await clearer(world).once()
        found.append([row[1:] for row in await facts(world) if row[0] == rider])
    assert len(found[0]) == 2 and all(rows == found[0] for rows in found)


async def test_an_exit_that_arrives_before_its_entry_waits_for_it(world: World) -> None:
    await world.tap("exit", "78", NOON)
    await clearer(world).once()
    assert await world.one("select count(*) from journey") == 0
    await world.tap("entry", "2", NOON - 40 * MINUTE)
    await clearer(world).once()
    assert [row[1:5] for row in await facts(world)] == [("2", "78", None, 5220)]


async def test_taps_inside_a_journey_that_is_charged_make_two_journeys_of_it(
    world: World,
) -> None:
    await world.tap("entry", "2", NOON - 100 * MINUTE)
    await world.tap("exit", "2", NOON - 10 * MINUTE)
    await clearer(world).once()
    await world.tap("exit", "78", NOON - 60 * MINUTE)
    await world.tap("entry", "78", NOON - 50 * MINUTE)
    await clearer(world).once()
    rows = await world.owner.fetch(
        "select id like '%~2', entry_stop, exit_stop, ended_why from journey order by entry_at, 1"
    )
    assert [tuple(row) for row in rows] == [
        (False, "2", "2", "other_taps"),
        (True, "2", "78", None),
        (False, "78", "2", None),
    ]
    assert await world.one("select count(*) from tap_set_aside") == 0
    await world.check_books()


async def test_two_clearers_at_once_book_every_ride_once(world: World) -> None:
    for n in range(40):
        await world.ride(NOON - n * MINUTE, rider=f"{n:016x}")
    both = await asyncio.gather(*(clearer(world).once() for _ in range(3)))
    assert sum(both) == 80
    assert await world.one("select count(*) from journey") == 40
    assert await world.one("select count(*) from charge where amount_minor = 4791") == 40


async def test_a_tap_that_cannot_be_priced_is_set_aside_and_spoils_no_other(world: World) -> None:
    bad = await world.tap("entry", "2", NOON - HOUR, rider="00000000000000bb")
    await world.tap("exit", "nowhere", NOON, rider="00000000000000bb")
    await world.ride()
    await clearer(world).once()
    aside = await world.owner.fetch("select sequence, reason from tap_set_aside order by 1")
    assert [tuple(row) for row in aside] == [
        (bad.sequence, "unknown_stop"),
        (bad.sequence + 1, "unknown_stop"),
    ]
    assert await world.one("select count(*) from charge") == 1


async def test_a_network_without_a_tariff_is_set_aside(world: World) -> None:
    light_rail = Participant("light-rail", "operator", "x", "HKD")
    await put_participant(world.owner, light_rail)
    await world.tap("board", "1", NOON, network="light-rail")
    await clearer(world).once()
    assert await world.one("select reason from tap_set_aside") == "unknown_network"


async def test_a_gap_of_the_rate_log_holds_the_charge_and_books_the_fare(world: World) -> None:
    later = NOON + 3 * HOUR
    await world.publish(NOON + 2 * HOUR, 120, mid=None)
    world.clock.at = later + MINUTE
    await world.ride(later)
    await clearer(world).once()
    charge = await world.owner.fetchrow("select state, amount_minor, currency, next_at from charge")
    assert tuple(charge) == ("HELD", 5220, "HKD", None)
    assert await world.balance("fare_held", "HKD") == 5220
    assert await world.balance("operator_payable:mtr", "HKD") == -5220


async def test_an_exit_waits_until_the_log_has_passed_it(world: World) -> None:
    last = NOON + 119 * MINUTE
    world.clock.at = last + MINUTE
    await world.ride(last)
    await clearer(world).once()
    assert await world.one("select count(*) from journey") == 0
    assert await world.one("select count(*) from tap_inbox where due_at > $1", world.clock.at) == 1

    await world.publish(last + MINUTE, 1, mid=Decimal("0.9500000000"))
    world.clock.advance(timedelta(minutes=1))
    await clearer(world).once()
    assert await world.one("select mid from quote") == Decimal("0.9150000000")
    assert await world.one("select effective_at from quote") == last


async def test_a_fare_in_the_charge_currency_needs_no_rate(world: World) -> None:
    late = NOON + 10 * HOUR
    world.clock.at = late + MINUTE
    await world.ride(late, wallet="alipayhk")
    await world.ride(late, wallet="alipay")
    await clearer(world).once()
    rows = await world.owner.fetch(
        "select wallet, amount_minor, currency, state from charge order by wallet"
    )
    assert [tuple(row) for row in rows] == [
        ("alipay", 5220, "HKD", "DUE"),
        ("alipayhk", 5220, "HKD", "DUE"),
    ]
    assert await world.one("select count(*) from quote") == 0


async def test_an_entry_is_closed_only_when_every_reader_has_reported(world: World) -> None:
    await world.tap("entry", "2", NOON)
    await clearer(world).once()
    world.clock.at = NOON + 20 * HOUR
    await world.publish(NOON + 2 * HOUR, 180)
    await clearer(world).once()
    assert await world.one("select count(*) from journey") == 0

    await world.heard_through(NOON + 19 * HOUR)
    world.clock.advance(timedelta(hours=2))
    await clearer(world).once()
    assert [row[3] for row in await facts(world)] == ["missing_exit"]


async def test_silent_readers_are_given_up_after_three_days(world: World) -> None:
    await world.tap("entry", "2", NOON)
    await world.publish(NOON + 2 * HOUR, 180)
    world.clock.at = NOON + timedelta(hours=72)
    await clearer(world).once()
    assert await world.one("select count(*) from journey") == 0
    world.clock.at = NOON + timedelta(hours=75)
    await clearer(world).once()
    assert await world.one("select reason from journey") == "missing_exit"


async def test_an_exit_that_comes_after_its_entry_was_closed_makes_the_journey_whole(
    world: World,
) -> None:
    await world.tap("entry", "2", NOON)
    await world.publish(NOON + 2 * HOUR, 180)
    await world.heard_through(NOON + 30 * HOUR)
    world.clock.at = NOON + 31 * HOUR
    await clearer(world).once()
    await world.tap("exit", "78", NOON + HOUR)
    await clearer(world).once()
    rows = await world.owner.fetch(
        "select j.reason, j.fare_minor, c.state from journey j"
        " join charge c on c.journey_id = j.id order by j.revision"
    )
    assert [tuple(row) for row in rows] == [
        ("missing_exit", 6080, "WITHDRAWN"),
        (None, 5220, "DUE"),
    ]
    await world.check_books()


@pytest.mark.parametrize(
    "mistake",
    [AssertionError, ValueError, OverflowError, ZeroDivisionError, DivisionByZero],
)
async def test_a_rider_who_breaks_our_code_is_postponed_and_spoils_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch, mistake: type[Exception]
) -> None:
    from settlement.clearing import clear_taps

    real = clear_taps.read_rider

    def breaks(facts: Any, known: Any) -> Any:
        if facts.rider[1] == "00000000000000bb":
            raise mistake
        return real(facts, known)

    monkeypatch.setattr(clear_taps, "read_rider", breaks)
    monkeypatch.setattr("transitpay.postgres.gates.taps.shard_of", lambda *_: 7)
    await world.ride(rider="00000000000000bb")
    await world.ride()
    await clearer(world).once()
    assert await world.one("select count(*) from charge") == 1
    due = await world.one("select min(due_at) from tap_inbox")
    assert due == world.clock.at + timedelta(minutes=10)


async def test_several_hundred_riders_are_a_handful_of_statements(world: World) -> None:
    async with world.owner.transaction():
        for n in range(300):
            await world.ride(NOON - (n % 60) * MINUTE, rider=f"{n:016x}", wallet="alipayhk")
    assert await clearer(world).once() == 600
    assert await world.one("select sum(amount_minor) from charge") == 300 * 5220
    assert await world.one("select count(*) from entry") == 300
