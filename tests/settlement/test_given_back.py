"""A tap that is refused after its journey was priced leaves no fare: whoever comes late, once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from day_seed import MINUTE, NOON
from test_refunds import CHARGE, Office, all_zero, office

from settlement.clearing.clear_taps import Clearer
from transitpay.postgres.gates.taps import note_riders
from transitpay.runtime.builtin import builtin_book

__all__ = ["office"]  # the fixture

RIDER = "00000000000000aa"
WALLET = "shenzhen-tong"


async def refuse(
    office: Office, direction: str, reason: str = "not_passed", decision: str = "refused"
) -> None:
    """What the gateway does when an outcome comes: the tap changes, its rider is read."""
    await office.world.owner.execute(
        "update tap set decision = $3, reason = $2 where direction = $1",
        direction,
        reason,
        decision,
    )
    await note_riders(office.world.owner, [(WALLET, RIDER)], office.world.clock.now())


async def clear(office: Office) -> None:
    await Clearer(office.world.pool, builtin_book(), office.world.clock).once()


async def given_back(office: Office) -> list[tuple[Any, ...]]:
    rows = await office.world.owner.fetch(
        "select charge_state, refund_state, given_back from ride_record order by priced_at, id"
    )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("reason", ["not_passed", "timed_out", "store_full"])
async def test_a_rider_who_did_not_pass_owes_nothing_though_the_ride_was_priced(
    office: Office, reason: str
) -> None:
    await office.ride()
    await refuse(office, "exit", reason)
    await clear(office)
    assert await given_back(office) == [("WITHDRAWN", None, reason)]
    assert await all_zero(office.world)
    assert await office.charging.once() == 0


async def test_a_fare_that_was_collected_goes_back_at_its_quote(office: Office) -> None:
    await office.ride()
    await office.charging.once()
    await refuse(office, "exit", "timed_out")
    await clear(office)
    await office.refunding.once()
    assert office.wallet.refund_ids == [f"{CHARGE}-r1"] and office.wallet.live_debits == 0
    assert await given_back(office) == [("CAPTURED", "REFUNDED", "timed_out")]
    assert await all_zero(office.world)


async def test_a_held_fare_is_withdrawn_before_any_rate_is_known(office: Office) -> None:
    gap = NOON + 4 * timedelta(hours=1)
    office.world.clock.advance(gap + 2 * MINUTE - office.world.clock.now())
    await office.world.publish(gap - MINUTE, 3, None)
    await office.ride(gap)
    assert await office.world.one("select state from charge") == "HELD"
    await refuse(office, "exit")
    await clear(office)
    assert await given_back(office) == [("WITHDRAWN", None, "not_passed")]
    assert await all_zero(office.world)


async def test_a_fare_that_is_with_its_wallet_goes_back_when_the_wallet_has_answered(
    office: Office,
) -> None:
    office.wallet.script("pay", "unknown_charged")
    await office.ride()
    await office.charging.once()
    await refuse(office, "exit")
    await clear(office)
    assert await office.world.one("select count(*) from journey where ended_at is not null") == 0
    office.world.clock.advance(timedelta(seconds=3))
    await office.charging.once()
    await clear(office)
    await office.refunding.once()
    assert await given_back(office) == [("CAPTURED", "REFUNDED", "not_passed")]
    assert await all_zero(office.world)


async def test_a_journey_is_given_back_once_however_often_its_rider_is_read(
    office: Office,
) -> None:
    await office.ride()
    await office.charging.once()
    for _ in range(3):
        await refuse(office, "exit")
        await clear(office)
        await office.refunding.once()
    assert office.wallet.refund_ids == [f"{CHARGE}-r1"]
    assert await office.world.one("select count(*) from entry where kind = 'corrected'") == 1


async def test_what_an_operator_gave_back_before_is_not_given_back_again(office: Office) -> None:
    await office.ride()
    await office.charging.once()
    await office.ask("one")
    await office.desk.once()
    await clear(office)
    await refuse(office, "exit")
    await clear(office)
    await office.refunding.once()
    assert office.wallet.refund_ids == [f"{CHARGE}-r1"]
    assert office.wallet.live_debits == 0 and await all_zero(office.world)


async def test_a_clearing_that_dies_before_its_end_has_corrected_nothing(office: Office) -> None:
    await office.ride()
    await refuse(office, "exit")
    await office.world.owner.execute(
        "create function no() returns trigger language plpgsql as $$ begin raise 'dead'; end $$;"
        " create trigger no before delete on tap_inbox for each statement execute function no()"
    )
    with pytest.raises(asyncpg.PostgresError):
        await clear(office)
    assert await office.world.one("select count(*) from journey where ended_at is not null") == 0
    assert await office.world.one("select state from charge") == "DUE"
    await office.world.owner.execute("drop trigger no on tap_inbox")
    await clear(office)
    assert await given_back(office) == [("WITHDRAWN", None, "not_passed")]
    assert await all_zero(office.world)


async def test_the_exit_of_an_entry_that_was_not_passed_is_cleared_as_one_without_entry(
    office: Office,
) -> None:
    """The same as if the outcome had come before: late or not makes no difference."""
    await office.ride()
    await refuse(office, "entry")
    await clear(office)
    assert await given_back(office) == [("WITHDRAWN", None, "not_passed")]
    await office.world.heard_through(NOON + MINUTE)
    await note_riders(office.world.owner, [(WALLET, RIDER)], office.world.clock.now())
    await clear(office)
    rows = await office.world.owner.fetch(
        "select entry_stop, exit_stop, reason from journey order by entry_stop nulls last"
    )
    assert [tuple(row) for row in rows] == [("2", "78", None), (None, "78", "missing_entry")]
    assert await given_back(office) == [("WITHDRAWN", None, "not_passed"), ("DUE", None, None)]


async def test_a_second_entry_takes_the_exit_of_the_one_that_was_not_passed(
    office: Office,
) -> None:
    await office.ride()
    await office.world.tap("entry", "2", NOON - 39 * MINUTE, reader="gate-2")
    await refuse(office, "entry")
    await office.world.owner.execute(
        "update tap set decision = 'accepted', reason = null where reader = 'gate-2'"
    )
    await clear(office)
    assert set(await given_back(office)) == {
        ("WITHDRAWN", None, "not_passed"),
        ("DUE", None, None),
    }
    rows = await office.world.owner.fetch("select entry_stop, exit_stop, reason from journey")
    assert [tuple(row) for row in rows] == [("2", "78", None)] * 2


async def test_an_exit_made_after_one_that_was_not_passed_is_the_exit_of_the_ride(
    office: Office,
) -> None:
    """The rider was refused at one gate and left by another: one ride, one charge, exact."""
    await office.ride()
    await office.charging.once()
    await office.world.tap("exit", "78", NOON + MINUTE, reader="gate-2")
    await refuse(office, "exit")
    await office.world.owner.execute(
        "update tap set decision = 'accepted', reason = null where reader = 'gate-2'"
    )
    office.world.clock.advance(2 * MINUTE)
    await clear(office)
    await office.charging.once()
    await office.refunding.once()
    rows = await office.world.owner.fetch(
        "select revision, exit_at, fare_minor from journey where ended_at is null"
    )
    assert [tuple(row) for row in rows] == [(2, NOON + MINUTE, 5220)]
    assert office.wallet.refund_ids == [] and office.wallet.count("pay") == 1
    assert await office.world.one("select count(*) from charge where state = 'CAPTURED'") == 1


async def test_a_tap_that_shows_a_code_a_second_time_gives_its_journey_back(
    office: Office,
) -> None:
    await office.ride()
    await refuse(office, "exit", "already_answered", "already_answered")
    await clear(office)
    assert await given_back(office) == [("WITHDRAWN", None, "already_answered")]
