"""Closes a day in one repeatable-read transaction: windows, netting, window bookings, the books.

The transaction moves exactly the open items that its snapshot sees, so nothing is locked on the
booking path and nothing is counted twice: what commits later falls into the next window. Net
positions come from facts and must sum to zero; item by item the windows must say what was posted;
else nothing is closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import asyncpg

from settlement.closing.netting import NetPosition, net
from transitpay.clock import day_start
from transitpay.errors import Conflict, RuleViolation, TemporarilyUnavailable
from transitpay.ledger.digest import FIRST, Closing, ClosingDigest
from transitpay.ledger.journal import Entry
from transitpay.ledger.settlement_bookings import operator_window
from transitpay.ledger.window_sums import Unposted
from transitpay.money import Money, currency
from transitpay.postgres.closing import closings, windows
from transitpay.postgres.money.journal import add_entries
from transitpay.postgres.pool import Connection, database_errors

#: A payment may be cancelled until 00:15 of the next day; nothing closes before this time.
EARLIEST = (0, 20)
_LOCK = 7364010
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class DayClosed:
    """What a closing did; ``again`` when the day was closed before and nothing was written."""

    closing: Closing
    items: int
    positions: int
    again: bool = False


def closes_at(day: date) -> datetime:
    """The first instant at which ``day`` may be closed: 00:20 local of the next day."""
    return day_start(day + timedelta(days=1), *EARLIEST)


async def close_day(conn: Connection, day: date, at: datetime) -> DayClosed:
    """Close ``day`` at the business instant ``at``; doing it again changes nothing.

    Raises: RuleViolation (``too_early``, ``out_of_balance``, ``unposted``), Conflict
    (``later_day_closed``), TemporarilyUnavailable (``database_busy``).
    """
    if at < closes_at(day):
        raise RuleViolation("too_early", f"{day} closes from {closes_at(day)} on")
    with database_errors():
        await conn.execute("select pg_advisory_lock($1)", _LOCK)
        try:
            return await _close_again(conn, day, at)
        finally:
            if not conn.is_closed():
                await conn.execute("select pg_advisory_unlock($1)", _LOCK)


async def _close_again(conn: Connection, day: date, at: datetime) -> DayClosed:
    """A booking that uses an account for the first time may make a snapshot too old: once more."""
    for _ in range(_ATTEMPTS):
        try:
            async with conn.transaction(isolation="repeatable_read"):
                return await _close(conn, day, at)
        except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError) as error:
            last = error
    raise TemporarilyUnavailable("database_busy", f"closing {day}: {last}") from last


async def _close(conn: Connection, day: date, at: datetime) -> DayClosed:
    last = await closings.last_closing(conn)
    if last is not None and last.day >= day:
        known = [c for c in await closings.closings(conn) if c.day == day]
        if not known:
            raise Conflict("later_day_closed", f"{last.day} is closed; {day} cannot be any more")
        return DayClosed(known[0], 0, 0, again=True)
    closed = await windows.close_windows(conn, day, at)
    items = await windows.move_items(conn, day)
    positions = net(
        await windows.fare_sums(conn, day),
        await windows.taking_sums(conn, day),
        await windows.service_fees(conn),
    )
    _refuse_unposted(await windows.unposted_fares(conn, day))
    _refuse_unposted(await windows.unposted_takings(conn, day))
    operators = {w.participant for w in closed if w.kind == "operator"}
    await add_entries(conn, window_entries(positions, operators, day, at))
    kept = [(p.participant, p.currency, p.amount_minor, dict(p.detail)) for p in positions]
    await closings.add_net_positions(conn, day, kept)
    closing = await _close_books(conn, day, at, last)
    return DayClosed(closing, items, len(positions))


def window_entries(
    positions: Sequence[NetPosition], operators: set[str], day: date, at: datetime
) -> list[Entry]:
    """The bookings of the operators' windows: service fee, and the payout that is ordered."""
    made = []
    for position in positions:
        if position.participant not in operators:
            continue
        unit = currency(position.currency)
        fee = Money(-position.detail.get("service_fee", 0), unit)
        window_id = f"{position.participant}:{day}:{unit.code}"
        payable = Money(position.detail["fares"], unit)
        made.append(operator_window(position.participant, payable, fee, at, window_id))
    return [entry for entry in made if entry is not None]


async def _close_books(conn: Connection, day: date, at: datetime, last: Closing | None) -> Closing:
    previous = last.digest if last else FIRST
    digest = ClosingDigest(previous)
    entries = seen = 0
    async for posting in closings.open_postings(conn):
        digest.add(posting)
        entries += posting.entry_id != seen
        seen = posting.entry_id
    number = last.number + 1 if last else 1
    closing = Closing(number, day, at, entries, previous, digest.digest())
    await closings.add_closing(conn, closing)
    return closing


def _refuse_unposted(found: Sequence[Unposted]) -> None:
    if found:
        listed = ", ".join(
            f"{u.ref}: items {u.items_minor}, posted {u.posted_minor}" for u in found[:3]
        )
        raise RuleViolation("unposted", f"windows and postings differ for {listed}")
