"""A refused fare denies its rider until it is paid or gone, however it is corrected meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from correction_desk import RIDER, WALLET, Desk, desk, entered
from day_seed import NOON
from test_refunds import office

from settlement.clearing.denials import lock_key
from transitpay.money import CNY, Money
from transitpay.postgres.money import evidence
from transitpay.postgres.pool import transaction
from transitpay.postgres.trust.bars import Bar, BarKind, bars

__all__ = ["desk", "office"]  # the fixtures

HOUR = timedelta(hours=1)
RETRY = timedelta(hours=6)
NO_MONEY = "USER_BALANCE_NOT_ENOUGH"


async def words(desk: Desk) -> list[str]:
    """What was asked of the gateway about the rider, in its order."""
    rows = await desk.world.owner.fetch("select action from deny_request order by id")
    return [row["action"] for row in rows]


async def reasons(desk: Desk) -> list[Bar]:
    return (await bars(desk.world.owner, WALLET, RIDER))[1]


async def owed(desk: Desk) -> list[Money]:
    return [money for bar in await reasons(desk) for money in bar.owed]


async def charge(desk: Desk) -> tuple[Any, ...]:
    """The one charge that stands: (state, amount, next_at, attempts)."""
    [row] = await desk.world.owner.fetch(
        "select state, amount_minor, next_at, attempts from charge where state <> 'WITHDRAWN'"
    )
    return tuple(row)


async def in_debt(desk: Desk) -> Any:
    """A ride without an exit whose fare the wallet refused; when it is asked for again."""
    await entered(desk)
    desk.office.wallet.script("pay", NO_MONEY)
    await desk.collect()
    state, minor, next_at, attempts = await charge(desk)
    assert (state, minor, attempts) == ("ARREARS", 5549, 1)
    assert next_at == desk.world.clock.at + RETRY
    assert await words(desk) == ["deny"] and await owed(desk) == [Money(5549, CNY)]
    return next_at


async def test_a_debt_that_is_corrected_to_a_smaller_one_keeps_its_rider_denied(
    desk: Desk,
) -> None:
    retry_at = await in_debt(desk)
    since = (await reasons(desk))[0].since
    await desk.tap("exit", "78", NOON + HOUR)
    await desk.clear(desk.world.clock.at + HOUR)
    assert await charge(desk) == ("ARREARS", 4791, retry_at, 0)
    assert await words(desk) == ["deny"]
    assert await reasons(desk) == [Bar(BarKind.ARREARS, since, (Money(4791, CNY),))]
    await desk.collect()
    assert desk.office.wallet.count("pay") == 1, "it is not asked for before its time"
    desk.world.clock.at = retry_at
    desk.office.wallet.script("pay", NO_MONEY)
    await desk.collect()
    assert await charge(desk) == ("ARREARS", 4791, retry_at + RETRY, 1)
    desk.world.clock.at = retry_at + RETRY
    await desk.collect()
    assert await words(desk) == ["deny", "release"] and await reasons(desk) == []
    assert await desk.paid() == 4791


async def test_a_debt_that_is_corrected_to_a_greater_one_is_owed_whole_and_asked_no_sooner(
    desk: Desk,
) -> None:
    retry_at = await in_debt(desk)
    await desk.tap("exit", "78", NOON + 200 * timedelta(minutes=1))
    await desk.clear()
    assert await charge(desk) == ("ARREARS", 10788, retry_at, 0)
    assert await words(desk) == ["deny"] and await owed(desk) == [Money(10788, CNY)]


async def test_a_debt_that_is_corrected_twice_is_inherited_twice(desk: Desk) -> None:
    retry_at = await in_debt(desk)
    await desk.tap("exit", "78", NOON + 200 * timedelta(minutes=1))
    await desk.clear()
    await desk.tap("exit", "78", NOON + HOUR)
    await desk.clear()
    state, _, next_at, attempts = await charge(desk)
    assert (state, next_at, attempts) == ("ARREARS", retry_at, 0)
    assert await words(desk) == ["deny"]


async def test_a_debt_that_is_given_back_whole_releases_its_rider(desk: Desk) -> None:
    await in_debt(desk)
    await desk.office.ask("one")
    await desk.office.read()
    await desk.check()
    assert await words(desk) == ["deny", "release"] and await reasons(desk) == []
    assert await desk.world.one("select count(*) from charge where state <> 'WITHDRAWN'") == 0


async def test_while_a_refused_debt_is_asked_for_again_its_reason_and_sum_are_told(
    desk: Desk,
) -> None:
    desk.world.clock.at = await in_debt(desk)
    desk.office.wallet.script("pay", "unknown")
    desk.office.wallet.script("inquiry", "unknown", "unknown")
    await desk.collect()
    state, minor, _, attempts = await charge(desk)
    assert (state, minor, attempts) == ("IN_FLIGHT", 5549, 2)
    assert await owed(desk) == [Money(5549, CNY)]
    async with transaction(desk.world.pool) as conn:
        key = lock_key(WALLET, RIDER)
        again = await evidence.settle_denial(conn, WALLET, RIDER, key, desk.world.clock.at)
    assert again is None and await words(desk) == ["deny"]
    while await charge_is_open(desk):
        desk.world.clock.at = (await charge(desk))[2]
        await desk.collect()
    assert await words(desk) == ["deny", "release"] and await reasons(desk) == []


async def charge_is_open(desk: Desk) -> bool:
    return (await charge(desk))[0] != "CAPTURED"
