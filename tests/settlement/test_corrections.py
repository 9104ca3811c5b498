"""Corrections through PostgreSQL: whatever comes late, the rider has paid what is right, once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from day_seed import DAY, MINUTE, NOON, World
from night_seed import fingerprint
from test_refunds import TERMS, Office, office

from settlement.clearing.clear_taps import Clearer
from settlement.closing.close_day import close_day
from settlement.collecting.charge_wallets import ChargeWorker
from settlement.collecting.refunds import RefundWorker
from transitpay.cli.ledger import check_books
from transitpay.clock import day_start
from transitpay.fares.highest import highest_fares
from transitpay.journeys.station_modes import Mode, StationMode
from transitpay.postgres.reference import Participant, put_participant
from transitpay.postgres.stop_fares import put_stop_fares
from transitpay.postgres.taps import note_riders
from transitpay.runtime.builtin import builtin_book
from transitpay.runtime.station_modes import record_mode

__all__ = ["office"]  # the fixture

HOUR = timedelta(hours=1)
WALLET = "shenzhen-tong"
RIDER = "00000000000000aa"
LIMIT = timedelta(minutes=150)
LATER = Decimal("0.9100000000")  #: the mid from 14:00 on


@dataclass(slots=True)
class Desk:
    """An office whose books and wallet are checked after each step."""

    office: Office

    @property
    def world(self) -> World:
        return self.office.world

    async def tap(self, direction: str, stop: str, at: datetime, **more: Any) -> None:
        await self.world.tap(direction, stop, at, **more)

    async def clear(self, at: datetime | None = None) -> None:
        """Read whoever is due, now or at a later instant."""
        if at is not None:
            self.world.clock.at = at
        await Clearer(self.world.pool, builtin_book(), self.world.clock).once()
        await self.check()

    async def collect(self) -> None:
        """Ask the wallets until nothing is due, for charges and then for refunds."""
        it = self.office
        for wallet in (WALLET, "alipayhk"):
            charging = ChargeWorker(wallet, it.client, it.world.pool, it.world.clock, TERMS)
            while await charging.once():
                pass
            refunding = RefundWorker(wallet, it.client, it.world.pool, it.world.clock, TERMS)
            while await refunding.once():
                pass
        await self.check()

    async def silence(self, hours: int = 30) -> None:
        """All readers of MTR have reported; whoever waited for a tap waits no more."""
        await self.world.publish(NOON + 2 * HOUR, 240, LATER)
        at = NOON + hours * HOUR
        await self.world.heard_through(at)
        await self.clear(at + HOUR)

    async def standing(self) -> list[tuple[Any, ...]]:
        rows = await self.world.owner.fetch(
            "select revision, entry_stop, exit_stop, reason, fare_minor from journey"
            " where ended_at is null order by coalesce(entry_at, exit_at), id"
        )
        return [tuple(row) for row in rows]

    async def paid(self) -> int:
        """What the rider has paid, in the wallet's currency, less what went back."""
        return int(
            await self.world.one(
                "select coalesce(sum(minor), 0) from ("
                " select amount_minor as minor from charge where state = 'CAPTURED'"
                " union all select -amount_minor from refund where state = 'REFUNDED') m"
            )
        )

    async def moved(self) -> tuple[int, int]:
        """How many payments and refunds the wallet has seen."""
        return len(self.office.wallet.payments), len(self.office.wallet.refund_ids)

    async def check(self) -> None:
        """The books are whole, and what is paid or due is what the standing journeys cost."""
        async with self.world.pool.acquire() as conn, conn.transaction():
            assert (await check_books(conn))["problems"] == []
        rows = await self.world.owner.fetch(
            "select sum(minor) as off, currency from ("
            " select amount_minor as minor, currency from charge"
            "   where state in ('DUE', 'IN_FLIGHT', 'ARREARS', 'CAPTURED')"
            " union all select -amount_minor, currency from refund where state <> 'REFUSED'"
            " union all select -charge_minor, charge_currency from journey where ended_at is null"
            ") m where currency is not null group by currency having sum(minor) <> 0"
        )
        assert [tuple(row) for row in rows] == []
        loose = await self.world.owner.fetch(
            "select j.id from journey j left join charge_part p on p.journey_id = j.id"
            " where j.charge_minor is not null group by j.id"
            " having coalesce(sum(p.amount_minor), 0)"
            " <> case when j.ended_at is null then j.charge_minor else 0 end"
        )
        assert [tuple(row) for row in loose] == []


@pytest.fixture
async def desk(office: Office) -> AsyncIterator[Desk]:
    yield Desk(office)


async def entered(desk: Desk) -> None:
    """A rider who entered at noon is charged as one who never left."""
    await desk.tap("entry", "2", NOON)
    await desk.silence()
    assert await desk.standing() == [(1, "2", None, "missing_exit", 6080)]


async def test_an_exit_after_the_charge_gives_the_difference_back_in_one_refund(
    desk: Desk,
) -> None:
    """HKD 60.80 at 0.91273 is CNY 55.49; HKD 52.20 at 0.917745 is CNY 47.91."""
    await entered(desk)
    await desk.collect()
    assert await desk.paid() == 5549
    await desk.tap("exit", "78", NOON + HOUR)
    await desk.clear()
    await desk.collect()
    assert await desk.standing() == [(2, "2", "78", None, 5220)]
    assert await desk.paid() == 4791 and await desk.moved() == (1, 1)
    assert await desk.world.one("select amount_minor from refund") == 5549 - 4791
    row = await desk.world.owner.fetchrow("select ended_why, replaced_by from journey order by 1")
    assert tuple(row) == ("other_taps", "2026-10-30/mtr-entry/1~2")


async def test_each_booking_of_a_correction_is_at_its_own_rate_and_in_the_open_window(
    desk: Desk,
) -> None:
    await entered(desk)
    await desk.tap("exit", "78", NOON + HOUR)
    await desk.clear()
    entries = await desk.world.owner.fetch(
        "select e.key, p.amount_minor, p.currency from entry e join posting p on p.entry_id = e.id"
        " order by e.id, p.n"
    )
    key = "2026-10-30/mtr-entry/1"
    assert [tuple(row) for row in entries] == [
        (f"cleared:{key}", 6080, "HKD"),
        (f"cleared:{key}", 5533, "CNY"),
        (f"cleared:{key}", 16, "CNY"),
        (f"corrected:{key}", 6080, "HKD"),
        (f"corrected:{key}", 5533, "CNY"),
        (f"corrected:{key}", 16, "CNY"),
        (f"cleared:{key}~2", 5220, "HKD"),
        (f"cleared:{key}~2", 4776, "CNY"),
        (f"cleared:{key}~2", 15, "CNY"),
    ]
    items = await desk.world.owner.fetch("select item, amount_minor from open_item order by 1")
    assert [tuple(row) for row in items] == [
        (key, 6080),
        (f"{key}!ended", -6080),
        (f"{key}~2", 5220),
    ]


async def test_an_exit_that_makes_the_ride_dearer_is_one_further_charge(desk: Desk) -> None:
    """200 minutes: the fare of HKD 52.20 and the surcharge of 66.00, at the rate of 15:20."""
    await entered(desk)
    await desk.collect()
    await desk.tap("exit", "78", NOON + 200 * MINUTE)
    await desk.clear()
    await desk.collect()
    assert await desk.standing() == [(2, "2", "78", "overstay", 11820)]
    assert await desk.paid() == 10788 and await desk.moved() == (2, 0)


async def test_a_debt_that_nobody_paid_is_withdrawn_and_made_anew(desk: Desk) -> None:
    await entered(desk)
    await desk.tap("exit", "78", NOON + HOUR)
    await desk.clear()
    states = await desk.world.owner.fetch("select state, amount_minor from charge order by 2")
    assert [tuple(row) for row in states] == [("DUE", 4791), ("WITHDRAWN", 5549)]
    await desk.collect()
    assert await desk.paid() == 4791 and await desk.moved() == (1, 0)


async def test_case_41_an_exit_that_comes_before_its_entry_waits_for_it(desk: Desk) -> None:
    await desk.tap("exit", "78", NOON)
    await desk.clear()
    assert await desk.standing() == []
    await desk.tap("entry", "2", NOON - 40 * MINUTE)
    await desk.clear()
    await desk.collect()
    assert await desk.standing() == [(1, "2", "78", None, 5220)]
    assert await desk.paid() == 4791 and await desk.moved() == (1, 0)


async def test_case_41_an_entry_after_the_exit_was_charged_alone_makes_one_ride(
    desk: Desk,
) -> None:
    await desk.tap("exit", "78", NOON)
    await desk.silence()
    assert await desk.standing() == [(1, None, "78", "missing_entry", 6080)]
    await desk.collect()
    await desk.tap("entry", "2", NOON - 40 * MINUTE)
    await desk.clear()
    await desk.collect()
    assert await desk.standing() == [(1, "2", "78", None, 5220)]
    assert await desk.paid() == 4791 and await desk.moved() == (1, 1)


async def test_case_54_a_late_exit_is_priced_at_its_own_instant_whatever_the_rate_is_now(
    desk: Desk,
) -> None:
    await entered(desk)
    await desk.tap("exit", "78", NOON + 119 * MINUTE)
    await desk.clear(NOON + 100 * HOUR)
    rows = await desk.world.owner.fetch(
        "select q.mid, q.effective_at from quote q join journey j on j.quote_id = q.id"
        " order by j.revision"
    )
    assert [tuple(row) for row in rows] == [
        (LATER, NOON + LIMIT),
        (Decimal("0.9150000000"), NOON + 119 * MINUTE),
    ]


async def test_taps_between_two_that_were_taken_for_one_ride_make_two_of_it(desk: Desk) -> None:
    await desk.tap("entry", "2", NOON - 2 * HOUR)
    await desk.tap("exit", "78", NOON)
    await desk.clear()
    await desk.collect()
    await desk.tap("exit", "75", NOON - HOUR)
    await desk.tap("entry", "75", NOON - 50 * MINUTE)
    await desk.clear()
    await desk.collect()
    standing = await desk.standing()
    assert [row[:4] for row in standing] == [(2, "2", "75", None), (1, "75", "78", None)]
    owed = await desk.world.one("select sum(charge_minor) from journey where ended_at is null")
    assert await desk.paid() == owed and sum(await desk.moved()) == 2, "one net, whichever way"


async def take_part(desk: Desk, *networks: str) -> None:
    for network in networks:
        await put_participant(desk.world.owner, Participant(network, "operator", network, "CNY"))


async def board(desk: Desk, network: str, at: datetime, **more: Any) -> None:
    route, wallet = {
        "shenzhen-bus": ("22路", WALLET),
        "guangzhou-bus": ("1路", "alipayhk"),
    }[network]
    await desk.tap("board", route, at, network=network, route=route, wallet=wallet, **more)


async def test_a_late_boarding_makes_the_ride_after_it_cheaper_though_it_is_paid(
    desk: Desk,
) -> None:
    await take_part(desk, "shenzhen-bus")
    await desk.world.heard_through(NOON + HOUR, "shenzhen-metro")
    await board(desk, "shenzhen-bus", NOON)
    await desk.clear()
    await desk.collect()
    alone = await desk.paid()
    await board(desk, "shenzhen-bus", NOON - HOUR)
    await desk.clear()
    await desk.collect()
    assert [(row[0], row[4]) for row in await desk.standing()] == [(1, alone), (2, alone - 40)]
    assert await desk.paid() == 2 * alone - 40
    assert await desk.world.one("select sum(amount_minor) from refund") == 40
    assert await desk.world.one("select ended_why from journey order by 1") == "other_fare"
    assert await desk.moved() == (2, 1)


async def test_a_late_ride_reprices_the_month_and_the_wallet_sees_one_movement(
    desk: Desk,
) -> None:
    """From 80.00 on rides cost 80 %: with 60.00 before them, two of three are that much cheaper."""
    await take_part(desk, "guangzhou-bus")
    await desk.world.publish(NOON - 40 * HOUR, 38 * 60, LATER, step=60)
    for n in range(4):
        await board(desk, "guangzhou-bus", NOON - (4 - n) * HOUR, stage=3000)
    await desk.clear()
    await desk.collect()
    assert [row[4] for row in await desk.standing()] == [3000, 3000, 3000, 2400]
    await board(desk, "guangzhou-bus", NOON - 30 * HOUR, stage=6000)
    await desk.clear()
    await desk.collect()
    assert [row[4] for row in await desk.standing()] == [6000, 3000, 2400, 2400, 2400]
    assert [row[0] for row in await desk.standing()] == [1, 1, 2, 2, 1]
    owed = await desk.world.one("select sum(charge_minor) from journey where ended_at is null")
    assert await desk.paid() == owed and await desk.moved() == (5, 1)


async def test_rides_before_the_horizon_count_for_the_month_and_keep_their_fares(
    desk: Desk,
) -> None:
    await take_part(desk, "guangzhou-bus")
    for n in range(3):
        await board(desk, "guangzhou-bus", NOON - 20 * 24 * HOUR + n * HOUR, stage=3000)
    await desk.clear()
    await board(desk, "guangzhou-bus", NOON, stage=1000)
    await desk.clear()
    assert [row[4] for row in await desk.standing()] == [3000, 3000, 3000, 800]
    assert await desk.world.one("select count(*) from journey where ended_at is not null") == 0


async def test_an_exit_past_the_late_window_stays_alone_and_changes_nothing(desk: Desk) -> None:
    await entered(desk)
    await desk.collect()
    week = NOON + HOUR + timedelta(days=7)
    await desk.tap("exit", "78", NOON + HOUR, received_at=week + timedelta(seconds=1))
    await desk.world.heard_through(week + 200 * HOUR)
    await desk.clear(week + 201 * HOUR)
    assert await desk.standing() == [
        (1, "2", None, "missing_exit", 6080),
        (1, None, "78", "missing_entry", 0),
    ]
    assert await desk.world.one("select late from journey where fare_minor = 0")
    await desk.tap("exit", "78", NOON + 2 * HOUR, received_at=NOON + 2 * HOUR + timedelta(days=7))
    await desk.clear()
    assert (2, "2", "78", None, 5220) in await desk.standing(), "at the edge it is not late"


async def test_the_same_taps_again_change_nothing(desk: Desk) -> None:
    await entered(desk)
    await desk.tap("exit", "78", NOON + HOUR)
    await desk.clear()
    before = await fingerprint(desk.world.owner)
    for since in (NOON, None):
        await note_riders(desk.world.owner, [(WALLET, RIDER)], NOON, since)
        await desk.clear()
    after = await fingerprint(desk.world.owner)
    assert before == after


async def test_a_correction_waits_for_the_wallets_word_and_new_rides_do_not(desk: Desk) -> None:
    desk.office.wallet.script("pay", "unknown_charged")
    await entered(desk)
    await desk.office.charging.once()
    await desk.tap("exit", "78", NOON + HOUR)
    await desk.tap("entry", "2", NOON + 3 * HOUR)
    await desk.tap("exit", "78", NOON + 3 * HOUR + 20 * MINUTE)
    await desk.clear()
    assert [row[:4] for row in await desk.standing()] == [
        (1, "2", None, "missing_exit"),
        (1, "2", "78", None),
    ]
    due = await desk.world.owner.fetchrow("select due_at, since from tap_inbox")
    assert due["since"] == NOON and due["due_at"] > desk.world.clock.at
    desk.world.clock.advance(timedelta(seconds=3))
    await desk.collect()
    await desk.clear(due["due_at"])
    await desk.collect()
    assert [row[:4] for row in await desk.standing()] == [
        (2, "2", "78", None),
        (1, "2", "78", None),
    ]
    assert await desk.world.one("select count(*) from tap_inbox") == 0


async def test_a_held_fare_is_corrected_before_any_rate_is_known(desk: Desk) -> None:
    await desk.world.publish(NOON + 2 * HOUR, 240, None)
    at = NOON + 3 * HOUR
    await desk.tap("entry", "2", at - 40 * MINUTE)
    await desk.tap("exit", "78", at)
    await desk.clear(at + 2 * MINUTE)
    assert await desk.world.balance("fare_held", "HKD") == 5220
    await desk.tap("exit", "75", at - 20 * MINUTE)
    await desk.tap("entry", "75", at - 10 * MINUTE)
    await desk.clear()
    fares = [row[4] for row in await desk.standing()]
    assert len(fares) == 2 and await desk.world.balance("fare_held", "HKD") == sum(fares)
    states = await desk.world.owner.fetch("select state from charge order by 1")
    assert [row["state"] for row in states] == ["HELD", "HELD", "WITHDRAWN"]


@pytest.mark.parametrize("table", ["open_item", "charge", "journey_tap", "tap_inbox"])
async def test_a_correction_that_dies_half_way_leaves_nothing(desk: Desk, table: str) -> None:
    await entered(desk)
    await desk.collect()
    await desk.tap("exit", "78", NOON + 200 * MINUTE)
    before = await fingerprint(desk.world.owner)
    await desk.world.owner.execute(
        "create function no() returns trigger language plpgsql as $$ begin raise 'dead'; end $$;"
        f" create trigger no before insert or delete on {table}"
        " for each statement execute function no()"
    )
    if table == "tap_inbox":
        with pytest.raises(asyncpg.PostgresError):
            await desk.clear()
    else:
        await desk.clear()  # the rider is postponed; nothing else has moved
        before.pop("tap_inbox")
    after = await fingerprint(desk.world.owner)
    assert {name: after[name] for name in before} == before


async def test_an_end_of_a_ride_comes_and_goes_as_often_as_facts_do(desk: Desk) -> None:
    """The exit is refused after all, then another is told: each revision is booked once."""
    await entered(desk)
    await desk.tap("exit", "78", NOON + HOUR)
    await desk.clear()
    await desk.world.owner.execute(
        "update tap set decision = 'refused', reason = 'timed_out' where direction = 'exit'"
    )
    await note_riders(desk.world.owner, [(WALLET, RIDER)], NOON, NOON + HOUR)
    await desk.clear()
    assert await desk.standing() == [(3, "2", None, "missing_exit", 6080)]
    await desk.tap("exit", "75", NOON + HOUR + MINUTE)
    await desk.clear()
    await desk.collect()
    assert [row[:4] for row in await desk.standing()] == [(4, "2", "75", None)]
    rows = await desk.world.owner.fetch("select ended_why from journey order by revision")
    assert [row["ended_why"] for row in rows] == ["other_taps", "timed_out", "other_taps", None]
    assert await desk.moved() == (1, 0)


async def close(desk: Desk, day: date) -> dict[tuple[str, str], int]:
    """Close a day; the net positions by participant and currency, without those of zero."""
    conn = await desk.world.pool.acquire()
    try:
        await close_day(conn, day, day_start(day + timedelta(days=1), 0, 30))
    finally:
        await desk.world.pool.release(conn)
    rows = await desk.world.owner.fetch(
        "select participant, currency, amount_minor from net_position"
        " where day = $1 and amount_minor <> 0",
        day,
    )
    await desk.check()
    return {(r["participant"], r["currency"]): r["amount_minor"] for r in rows}


async def test_a_correction_after_the_day_is_closed_falls_into_the_next_window(
    desk: Desk,
) -> None:
    """MTR was told of HKD 60.80 and is told of 8.60 less; the closed day stays as it is."""
    await entered(desk)
    await desk.collect()
    before = await close(desk, DAY)
    assert before["mtr", "HKD"] == 6080
    assert await told(desk, DAY) == [6080]
    await desk.tap("exit", "78", NOON + HOUR)
    await desk.clear()
    await desk.collect()
    after = await close(desk, DAY + timedelta(days=1))
    assert after["mtr", "HKD"] == 5220 - 6080
    assert await told(desk, DAY) == [6080]
    assert await told(desk, DAY + timedelta(days=1)) == [-6080, 5220]
    both = await desk.world.owner.fetch(
        "select currency, sum(amount_minor) as off from net_position group by currency"
    )
    assert all(row["off"] == 0 for row in both)


async def told(desk: Desk, day: date) -> list[int]:
    """What MTR was told in the window of a day, in minor units."""
    rows = await desk.world.owner.fetch(
        "select i.amount_minor from window_item i join closed_window w on w.id = i.window_id"
        " where w.day = $1 and w.participant = 'mtr' order by 1",
        day,
    )
    return [row["amount_minor"] for row in rows]


async def declare(desk: Desk, mode: str, *, stop: str | None, at: datetime, **more: Any) -> None:
    wish = StationMode(
        0, "mtr", more.pop("request", "m1"), "mtr", stop, Mode(mode), at,
        more.pop("until", at + 3 * HOUR), "test", more.pop("replaces", None), "mtr-entry",
        desk.world.clock.at,
    )  # fmt: skip
    async with desk.world.owner.transaction():
        await put_stop_fares(desk.world.owner, highest_fares(builtin_book()), NOON)
        await record_mode(desk.world.owner, wish)


async def test_a_mode_that_is_declared_after_the_charge_corrects_it_and_its_end_does_too(
    desk: Desk,
) -> None:
    """Gates of Lok Ma Chau stood open: the ride ended there. Then it is told that they did not."""
    await entered(desk)
    await desk.collect()
    await declare(desk, "gates_open", stop="78", at=NOON)
    await desk.clear()
    assert await desk.standing() == [(2, "2", None, "missing_exit", 5220)]
    row = await desk.world.owner.fetchrow(
        "select filled_by, filled_stops from journey where ended_at is null"
    )
    assert tuple(row) == ("open_gates", ["78"])
    await desk.collect()
    await declare(desk, "gates_open", stop="78", at=NOON, until=NOON, replaces="m1", request="m2")
    await desk.clear()
    assert await desk.standing() == [(3, "2", None, "missing_exit", 6080)]
    await desk.collect()


async def test_a_mode_that_has_not_begun_makes_nobody_be_read(desk: Desk) -> None:
    await entered(desk)
    await declare(desk, "gates_open", stop="78", at=desk.world.clock.at + HOUR)
    assert await desk.world.one("select count(*) from tap_inbox") == 0


async def test_case_52_a_delay_that_is_declared_after_the_charge_takes_the_surcharge_back(
    desk: Desk,
) -> None:
    await desk.tap("entry", "2", NOON - 200 * MINUTE)
    await desk.tap("exit", "78", NOON)
    await desk.clear()
    await desk.collect()
    assert await desk.standing() == [(1, "2", "78", "overstay", 11820)]
    await declare(desk, "date_waiver", stop=None, at=NOON - 3 * HOUR)
    await desk.clear()
    await desk.collect()
    assert await desk.standing() == [(2, "2", "78", "overstay", 5220)]
    assert await desk.paid() == 4791 and await desk.moved() == (1, 1)


async def test_a_missing_exit_is_where_the_rider_always_leaves_and_a_late_ride_makes_the_habit(
    desk: Desk,
) -> None:
    """Five rides from Admiralty to Lok Ma Chau within 28 days; the fifth of them is told late."""
    await desk.world.publish(NOON - 11 * 24 * HOUR, 11 * 24 * 60 - 120, LATER, step=60)
    for day in (10, 8, 6, 4):
        await desk.tap("entry", "2", NOON - day * 24 * HOUR)
        await desk.tap("exit", "78", NOON - day * 24 * HOUR + 40 * MINUTE)
    await entered_after(desk, 4)
    await desk.collect()
    await desk.tap("entry", "2", NOON - 2 * 24 * HOUR)
    await desk.tap("exit", "78", NOON - 2 * 24 * HOUR + 40 * MINUTE)
    await desk.clear()
    await desk.collect()
    assert (await desk.standing())[-1] == (2, "2", None, "missing_exit", 5220)
    why = await desk.world.one("select ended_why from journey where ended_at is not null")
    assert why == "other_end"


async def entered_after(desk: Desk, rides: int) -> None:
    await desk.tap("entry", "2", NOON)
    await desk.silence()
    standing = await desk.standing()
    assert len(standing) == rides + 1
    assert standing[-1] == (1, "2", None, "missing_exit", 6080)
