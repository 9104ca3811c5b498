"""Refunds that a wallet refuses or does not answer: nothing is lost from sight or asked twice."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from correction_desk import HOUR, Desk, declare, desk, entered
from day_seed import DAY, MINUTE, NOON
from test_refunds import CHARGE, office

from settlement.clearing.clear_taps import Clearer
from settlement.closing.night_report import day_report
from settlement.closing.report import as_json, page
from transitpay.cli.ledger import check_books
from transitpay.postgres.money.refused_refunds import refused_refunds
from transitpay.runtime.builtin import builtin_book

__all__ = ["desk", "office"]  # the fixtures


async def read(it: Desk, at: datetime | None = None) -> None:
    """Read whoever is due; what a wallet keeps is not what the rider owes, and the books say so."""
    if at is not None:
        it.world.clock.at = at
    await Clearer(it.world.pool, builtin_book(), it.world.clock).once()
    assert (await books(it))["problems"] == []


async def books(it: Desk) -> dict[str, Any]:
    async with it.world.owner.transaction():
        return await check_books(it.world.owner)


async def rows(it: Desk, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await it.world.owner.fetch(sql)]


async def corrected_to_less(it: Desk, *faults: str) -> None:
    """CNY 55.49 was paid and 47.91 is owed; the wallet answers the refund of 7.58 like this."""
    await entered(it)
    await it.collect()
    it.office.wallet.script("refund", *faults)
    await it.tap("exit", "78", NOON + HOUR)
    await read(it)
    await it.office.refunding.once()


async def dearer(it: Desk) -> None:
    """An exit before the one that is known: a short ride, and an exit without its entry."""
    await it.tap("exit", "64", NOON + 50 * MINUTE)
    await read(it)


async def test_a_correction_that_needs_money_waits_while_a_refund_is_in_doubt(desk: Desk) -> None:
    await corrected_to_less(desk, "unknown", "REFUND_WINDOW_EXCEED")
    assert await rows(desk, "select state from refund") == [("UNKNOWN",)]
    await dearer(desk)
    await desk.tap("entry", "2", NOON + 3 * HOUR)
    await desk.tap("exit", "78", NOON + 4 * HOUR)
    await read(desk)
    standing = await desk.standing()
    assert standing[0] == (2, "2", "78", None, 5220), "as it was"
    assert len(standing) == 2, "the new ride does not wait"
    due = await desk.world.one("select min(due_at) from tap_inbox")
    assert due > desk.world.clock.at
    desk.world.clock.advance(timedelta(minutes=2))
    await desk.office.refunding.once()
    assert await rows(desk, "select state from refund") == [("REFUSED",)]
    await read(desk, max(due, desk.world.clock.at))
    cost = await desk.world.one("select sum(charge_minor) from journey where ended_at is null")
    assert len(await desk.standing()) == 3
    due_now = await desk.world.one("select sum(amount_minor) from charge where state = 'DUE'")
    assert 5549 + due_now == cost, "the money that the wallet kept pays"
    await desk.collect()


async def test_once_a_refund_has_gone_back_the_correction_asks_for_what_is_missing(
    desk: Desk,
) -> None:
    await corrected_to_less(desk, "unknown")
    await dearer(desk)
    due = await desk.world.one("select min(due_at) from tap_inbox")
    desk.world.clock.advance(timedelta(minutes=2))
    await desk.office.refunding.once()
    await read(desk, max(due, desk.world.clock.at))
    assert len(await desk.standing()) == 2
    await desk.collect()
    assert await desk.moved() == (2, 1)


async def test_a_correction_of_free_rides_is_one_further_charge(desk: Desk) -> None:
    """Fares were waived, then they were not: two rides cost again, and one payment is made."""
    await declare(desk, "fare_waiver", stop="2", at=NOON)
    for at in (NOON, NOON + 90 * MINUTE):
        await desk.tap("entry", "2", at)
        await desk.tap("exit", "78", at + HOUR)
    await desk.silence()
    assert [row[4] for row in await desk.standing()] == [0, 0]
    await declare(desk, "fare_waiver", stop="2", at=NOON, until=NOON, replaces="m1", request="m2")
    await desk.clear()
    assert [row[4] for row in await desk.standing()] == [5220, 5220]
    await desk.collect()
    assert await desk.moved() == (1, 0)


async def given_back(it: Desk) -> str:
    """CNY 55.49 was paid and is all to go back; the wallet refuses. Returns the refund's id."""
    await entered(it)
    await it.collect()
    await it.office.ask("one", f"{DAY}/mtr-entry/1")
    await it.office.desk.once()
    await read(it)
    it.office.wallet.script("refund", "REFUND_WINDOW_EXCEED")
    await it.office.refunding.once()
    return str(await it.world.one("select request_id from refund where state = 'REFUSED'"))


async def test_what_a_wallet_refuses_to_give_back_is_listed_for_people_until_it_is_given(
    desk: Desk,
) -> None:
    refund_id = await given_back(desk)
    async with desk.world.pool.acquire() as conn, conn.transaction():
        report = await day_report(conn, DAY)
        [found] = await refused_refunds(conn)
    assert as_json(report)["owed_to_riders"] == [
        {
            "request_id": refund_id,
            "charge_id": CHARGE,
            "journey_id": f"{DAY}/mtr-entry/1",
            "wallet": "shenzhen-tong",
            "currency": "CNY",
            "amount_minor": 5549,
            "code": "REFUND_WINDOW_EXCEED",
            "since": found.since.isoformat(),
        }
    ]
    html = page(report)
    assert "55.49" in html and refund_id in html and "REFUND_WINDOW_EXCEED" in html
    held = await books(desk)
    owed = {"wallet": "shenzhen-tong", "currency": "CNY", "amount_minor": 5549}
    assert held["owed_to_riders"] == [owed] and held["balanced"] is True
    seen = "select refund_state, net_charge_minor, owed_to_rider_minor, charge_currency"
    assert await rows(desk, f"{seen} from ride_record") == [("REFUSED", 0, 5549, "CNY")]
    await desk.office.ask("two", f"{DAY}/mtr-entry/1")
    await desk.office.desk.once()
    assert (await books(desk))["owed_to_riders"] == [], "it is asked for again"
    await desk.collect()
    assert await rows(desk, f"{seen} from ride_record") == [("REFUNDED", 0, None, "CNY")]
    assert await desk.paid() == 0


async def test_surplus_money_that_is_refused_is_owed_too(desk: Desk) -> None:
    await entered(desk)
    await desk.collect()
    await desk.world.owner.execute(
        "insert into charge_attempt (request_id, charge_id, n, body, state)"
        " values ($1 || '-2', $1, 2, '', 'SURPLUS')", CHARGE,
    )  # fmt: skip
    await desk.world.owner.execute(
        "insert into refund (request_id, charge_id, attempt_request_id, amount_minor, currency,"
        " reason, body, state, created_at, result_code)"
        " values ($1 || '-2-r', $1, $1 || '-2', 5549, 'CNY', 'surplus', '', 'REFUSED', $2, 'X')",
        CHARGE, NOON,
    )  # fmt: skip
    assert await rows(desk, "select amount_minor, result_code from owed_to_rider") == [(5549, "X")]


async def test_what_a_wallet_refused_to_give_back_is_asked_for_when_the_ride_is_corrected(
    desk: Desk,
) -> None:
    """The ride stays free with an exit that comes late; the wallet is asked for the money again."""
    await given_back(desk)
    await desk.tap("exit", "64", NOON + 50 * MINUTE)
    await read(desk)
    assert [row[4] for row in await desk.standing()] == [0]
    assert (await books(desk))["owed_to_riders"] == []
    await desk.collect()
    assert await desk.paid() == 0


async def left_only(it: Desk) -> str:
    """A rider who left at 13:00 has paid as one who never entered. Returns the journey's id."""
    await it.tap("exit", "78", NOON + HOUR)
    await it.silence()
    await it.collect()
    assert await it.standing() == [(1, None, "78", "missing_entry", 6080)]
    return str(await it.world.one("select id from journey"))


async def ask(it: Desk, request: str, journey: str) -> str:
    """An operator gives a fare back. Returns what was made of it."""
    await it.office.ask(request, journey)
    await it.office.desk.once()
    await read(it)
    return str(await it.office.effect(request))


async def test_what_a_wallet_keeps_stays_in_sight_when_a_late_tap_gives_the_ride_another_id(
    desk: Desk,
) -> None:
    was = await left_only(desk)
    paid = await desk.paid()
    assert await ask(desk, "one", was) == "given_back"
    desk.office.wallet.script("refund", "REFUND_WINDOW_EXCEED", "REFUND_WINDOW_EXCEED")
    await desk.office.refunding.once()
    await desk.tap("entry", "2", NOON)
    await read(desk)
    await desk.office.refunding.once()
    seen = "select refund_state, net_charge_minor, owed_to_rider_minor, given_back from ride_record"
    assert await rows(desk, seen) == [("REFUSED", 0, paid, "gate fault")]
    now = str(await desk.world.one("select id from journey where ended_at is null"))
    assert now != was and await ask(desk, "two", now) == "refund"
    assert await ask(desk, "three", was) == "nothing_left"
    await desk.collect()
    assert await rows(desk, seen) == [("REFUNDED", 0, None, "gate fault")]
    assert await desk.paid() == 0


async def test_a_fare_is_given_back_by_any_id_that_the_ride_has_had(desk: Desk) -> None:
    was = await left_only(desk)
    await desk.tap("entry", "2", NOON)
    await desk.clear()
    await desk.collect()
    assert await ask(desk, "one", was) == "given_back"
    assert await desk.standing() == [(2, "2", "78", None, 0)]
    assert await ask(desk, "two", was) == "nothing_left"
    await desk.collect()
    assert await desk.paid() == 0


async def test_what_a_wallet_keeps_pays_for_the_ride_under_its_later_id(desk: Desk) -> None:
    await left_only(desk)
    await declare(desk, "fare_waiver", stop="78", at=NOON)
    await desk.clear()
    desk.office.wallet.script("refund", "REFUND_WINDOW_EXCEED", "REFUND_WINDOW_EXCEED")
    await desk.office.refunding.once()
    await desk.tap("entry", "2", NOON)
    await read(desk)
    await desk.office.refunding.once()
    assert await desk.standing() == [(1, "2", "78", None, 0)]
    await declare(desk, "fare_waiver", stop="78", at=NOON, until=NOON, replaces="m1", request="m2")
    await read(desk)
    await desk.collect()
    assert await desk.standing() == [(2, "2", "78", None, 5220)]
    assert (await desk.moved())[0] == 1, "nothing more is asked for"
    cost = await desk.world.one("select charge_minor from journey where ended_at is null")
    assert await desk.paid() == cost
