"""Suspends riders with too many missing exits, and lets them ride again: called by the clearing.

Whatever can change the count makes a rider be read: a journey cleared or corrected, a station
declared, a person's word, other terms, and the instant at which a suspension ends by itself, for
which an inbox row is left. So there is no second road, and a denial for a debt is settled by the
same statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from settlement.clearing.denials import lock_key
from transitpay.clock import service_day
from transitpay.fares.tariff import TariffBook
from transitpay.journeys.suspension import LONGEST, Suspended, Suspension, Why, suspended
from transitpay.postgres.journeys import statements, suspensions
from transitpay.postgres.journeys.suspensions import Rider, RiderThere, Standing
from transitpay.postgres.money import evidence
from transitpay.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class Changes:
    """What becomes of suspensions: begun, counted anew, ended."""

    begun: tuple[tuple[Rider, Suspended], ...]
    changed: tuple[tuple[Standing, Suspended], ...]
    ended: tuple[tuple[Standing, datetime], ...]


async def suspend(
    conn: Connection,
    book: TariffBook,
    riders: Sequence[Rider],
    at: datetime,
) -> int:
    """Bring the suspensions of riders, whose journeys were just saved, up to date; how many moved.

    In the transaction that saved the journeys.
    """
    standing = await suspensions.standing(conn, riders)
    missing = await suspensions.missing_exits(conn, riders, at - LONGEST)
    if not standing and not missing:
        return 0
    forgiven = await suspensions.forgiven(conn, riders)
    found = decide_suspensions(missing, standing, forgiven, rules_at(book, at), at)
    for rider, it in found.begun:
        await suspensions.begin(conn, rider, it, at)
    for was, it in found.changed:
        await suspensions.change(conn, was.id, it)
    for was, ended_at in found.ended:
        await suspensions.end(conn, was.id, ended_at)
    for rider, it in (*found.begun, *((was.rider, it) for was, it in found.changed)):
        if it.until is not None:
            await statements.read_again(conn, rider, it.until, it.until)
    moved = {rider for rider, _ in found.begun} | {was.rider for was, _ in found.ended}
    for key, issuer, rider_id in sorted((lock_key(*rider), *rider) for rider in moved):
        await evidence.settle_denial(conn, issuer, rider_id, key, at)
    return len(found.begun) + len(found.changed) + len(found.ended)


def decide_suspensions(
    missing: Mapping[RiderThere, Sequence[datetime]],
    standing: Iterable[Standing],
    forgiven: Mapping[RiderThere, datetime],
    rules: Mapping[str, Sequence[Suspension]],
    at: datetime,
) -> Changes:
    """Compare what ought to stand with what stands. Evasion ends only where a person said so."""
    ought: dict[tuple[RiderThere, Why], Suspended] = {}
    for where, instants in missing.items():
        of_network = rules.get(where[1], ())
        for it in suspended(where[1], instants, of_network, at, forgiven.get(where)):
            ought[where, it.why] = it
    changed: list[tuple[Standing, Suspended]] = []
    ended: list[tuple[Standing, datetime]] = []
    for was in standing:
        key = (was.rider, was.it.network), was.it.why
        if was.let_go_at is not None:
            ended.append((was, was.let_go_at))
        elif key not in ought:
            if was.it.why is not Why.EVASION:
                ended.append((was, at))
        else:
            now = ought.pop(key)
            if now != replace(was.it, since=now.since):
                changed.append((was, now))
    begun = tuple((where[0], it) for (where, _), it in sorted(ought.items(), key=_order))
    return Changes(begun, tuple(changed), tuple(ended))


def _order(item: tuple[tuple[RiderThere, Why], Suspended]) -> tuple[RiderThere, Why]:
    return item[0]


def rules_at(book: TariffBook, at: datetime) -> dict[str, Sequence[Suspension]]:
    """The rules of each network in force on the service day of ``at``."""
    day = service_day(at)
    return {
        network: book.tariff(network, day).terms.suspensions
        for network in book.networks
        if book.versions(network)[0].valid_from <= day
    }
