"""What a replay came to, as one object, and whether every acknowledged tap is accounted for.

Metro fares are compared with what the rows say; a difference is told and is no fault, for the
tariff is of another year. What cards paid is compared by ``transitpay fare-proof``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp

from transitpay.money import CNY, Money
from transitpay.postgres.closing import day_totals
from transitpay.postgres.journeys import replay_totals
from transitpay.postgres.journeys.replay_totals import LastTap, Waiting
from transitpay.postgres.pool import connect
from transitpay.sandbox.diary import Shown
from transitpay.sandbox.expected import Said, expected_rides
from transitpay.sandbox.places import Place
from transitpay.sandbox.replay.plan import (
    METRO_NETWORK,
    WALLETS,
    PlannedScan,
    ReplayPlan,
)
from transitpay.sandbox.replay.road import Sent
from transitpay.sandbox.standing import rides_differing, told_differing
from transitpay.sandbox.szt_taps import TapKind, TapRows
from transitpay.sandbox.town import Town

Connection = Any  # asyncpg has no type information
_EXAMPLES = 5


@dataclass(slots=True)
class Replayed:
    """``totals`` is what is printed; ``faults`` says in words what is not as it must be."""

    totals: dict[str, Any]
    faults: list[str] = field(default_factory=list)


def read_totals(rows: TapRows, plan: ReplayPlan) -> dict[str, Any]:
    """What the files hold and what of it is replayed."""
    return {
        "rows": {
            "read": rows.rows,
            "kinds": {str(kind): rows.kinds[kind] for kind in sorted(rows.kinds)},
            "dropped": {str(drop): rows.dropped[drop] for drop in sorted(rows.dropped)},
            "first_dropped": {str(drop): where for drop, where in sorted(rows.examples.items())},
            "unmapped": dict(sorted(plan.unmapped.items())),
            "left_out_by_limit": plan.left_out,
            "replayed": len(plan.scans),
        },
        "cards": plan.cards,
        "readers": len(plan.readers),
        "shifted_days": plan.shift.days,
        "first_tap_at": plan.scans[0].at.isoformat(),
        "last_tap_at": plan.scans[-1].at.isoformat(),
    }


async def outcome(
    town: Town,
    rows: TapRows,
    plan: ReplayPlan,
    sent: Sent,
    left: Waiting,
    session: aiohttp.ClientSession,
) -> Replayed:
    """Read everything back and compare it with the rows, the answers and the wallets."""
    found = Replayed(read_totals(rows, plan))
    conn = await connect(town.owner_dsn, application_name="transitpay-replay")
    try:
        await _check_taps(conn, plan, sent, left, found)
        await _check_books(conn, found)
        await _check_wallets(conn, town, session, found)
        scans = {(scan.reader, scan.sequence): scan for scan in plan.scans}
        pairs = await replay_totals.whole_passages(conn, METRO_NETWORK)
        await _check_rides(conn, town, plan, sent, found)
        found.totals |= {
            "journeys": await replay_totals.journeys(conn),
            "set_aside": await replay_totals.set_aside(conn),
            "pairs": compare_pairs(pairs, scans),
            "charges": await day_totals.charges(conn),
            "fx": await day_totals.fx(conn),
        }
    finally:
        await conn.close()
    return found


def compare_pairs(
    pairs: Iterable[LastTap], scans: Mapping[tuple[str, int], PlannedScan]
) -> dict[str, Any]:
    """Complete metro journeys whose fare is the full fare that the exit's row says.

    An overstay has a fare of its own: its entry and exit may be of two rides, each half recorded.
    """
    equal, overstays, differing = 0, 0, []
    for it in pairs:
        raw = scans[it.reader, it.sequence].raw
        if it.reason is not None:
            overstays += 1
        elif it.fare_minor == raw.full_fare_minor:
            equal += 1
        else:
            differing.append(
                {"from": it.entry_stop, "to": it.exit_stop, "fare_minor": it.fare_minor,
                 "row_minor": raw.full_fare_minor}
            )  # fmt: skip
    total = equal + len(differing)
    return {
        "comparable": total,
        "equal": equal,
        "overstays": overstays,
        "differing": differing[:_EXAMPLES],
    }


async def _check_taps(
    conn: Connection, plan: ReplayPlan, sent: Sent, left: Waiting, found: Replayed
) -> None:
    """Every scan was acknowledged, and every accepted tap is in one journey or set aside."""
    places = await replay_totals.places(conn)
    booked = await day_totals.bookings(conn)
    found.totals["taps"] = {
        "sent": sent.sent,
        "decisions": dict(sorted(sent.decisions.items())),
        "refusals": dict(sorted(sent.refusals.items())),
        "booked_or_set_aside": places.get(1, 0),
        "pending": places.get(0, 0),
    }
    found.totals["waiting"] = {"riders": left.riders, "charges": left.charges}
    if sent.sent != len(plan.scans):
        found.faults.append(f"{len(plan.scans) - sent.sent} scans were not acknowledged")
    if sent.accepted != booked.accepted:
        lost, more = sent.accepted - booked.accepted, booked.accepted - sent.accepted
        found.faults.append(
            f"{len(lost)} acknowledged taps are not in the log, {len(more)} more are"
        )
    if places.get(2):
        found.faults.append(f"{places[2]} taps are in a journey and set aside")
    if booked.booked_twice:
        found.faults.append(f"{booked.booked_twice} journeys are booked twice")
    if not left.nothing:
        found.faults.append(f"{left.riders} riders and {left.charges} charges still wait")
    elif places.get(0):
        found.faults.append(f"{places[0]} accepted taps wait and nobody will read them")


async def _check_rides(
    conn: Connection, town: Town, plan: ReplayPlan, sent: Sent, found: Replayed
) -> None:
    """The rides that stand are those that everything that was sent makes."""
    places = {place.reader: place for place in plan.readers}
    shown = {
        (scan.reader, scan.sequence): Shown(
            scan.wallet, sent.riders[scan.raw.card], 0, _place(places[scan.reader], scan), scan.at
        )
        for scan in plan.scans
    }
    expected = expected_rides(shown, sent.accepted, town.book, Said(), town.clock.now())
    wrong = await rides_differing(conn, expected)
    if wrong:
        found.faults.append(told_differing(wrong))
    found.totals["expected_rides"] = {"rides": len(expected), "differing": len(wrong)}


def _place(place: Place, scan: PlannedScan) -> Place:
    """Where a scan was made: a bus says its fare with it."""
    if scan.raw.kind is not TapKind.BUS:
        return place
    return replace(place, stage_fare=Money(scan.raw.full_fare_minor, CNY))


async def _check_books(conn: Connection, found: Replayed) -> None:
    wrong = [it for it in await day_totals.comparisons(conn) if not it.equal]
    found.totals["ledger"] = {
        "balanced": not wrong,
        "accounts": await day_totals.balances(conn),
    }
    found.faults += [
        f"{it.what} in {it.currency}: facts {it.facts_minor}, books {it.books_minor}"
        for it in wrong
    ]


async def _check_wallets(
    conn: Connection, town: Town, session: aiohttp.ClientSession, found: Replayed
) -> None:
    """Each debit in a wallet's own book is one captured charge of ours, and the other way round."""
    ours = await day_totals.captured_attempts(conn)
    found.totals["wallet_debits"] = {}
    for wallet in WALLETS:
        async with session.get(f"{town.sandbox.wallet_url(wallet)}/sandbox/book") as answer:
            book = await answer.json()
        theirs = {p["request_id"] for p in book["payments"] if p["state"] == "SUCCESS"}
        found.totals["wallet_debits"][wallet] = len(theirs)
        if theirs != ours.get(wallet, set()):
            found.faults.append(
                f"{wallet}: debits and captured charges differ by "
                f"{len(theirs ^ ours.get(wallet, set()))}"
            )
