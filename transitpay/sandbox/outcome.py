"""What a sandbox day came to, as one object, and whether it is as it must be.

The sealed plans are opened here, after the night has written its report and closed its runs.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import aiohttp

from transitpay.clock import day_start, wallet_day
from transitpay.postgres.closing import day_totals
from transitpay.postgres.gates import gate_totals
from transitpay.postgres.journeys import correction_totals
from transitpay.postgres.pool import connect
from transitpay.sandbox.diary import Diary
from transitpay.sandbox.expected import Said, Scan, expected_rides
from transitpay.sandbox.registration import WALLET_KINDS
from transitpay.sandbox.standing import rides_differing, told_differing
from transitpay.sandbox.town import Town
from transitpay.sandbox.waiting import wait_while_it_moves

Connection = Any  # asyncpg has no type information
#: A break of timing is carried to the next night and is nobody's mistake.
_CARRIED = "CARRIED"
_POLL_S = 0.25
#: How long after its wallet day an attempt may be cancelled.
_CANCELLABLE = timedelta(minutes=15)
#: Nothing moves for longer than this only where a wallet or settlement is gone: a second attempt
#: is due one minute after the first has failed, a third one two minutes later.
_QUIET_S = 150.0


@dataclass(slots=True)
class Outcome:
    """``totals`` is what is printed; ``faults`` says in words what is not as it must be."""

    totals: dict[str, Any]
    faults: list[str] = field(default_factory=list)


async def charges_settled(town: Town) -> int:
    """Wait until no wallet owes an answer; how many charges are open where nothing moves.

    What was sent before midnight and not answered cannot be cancelled from 00:15 on, and rightly
    waits for the wallet's files of two days: on a slow machine that is no fault.
    """
    conn = await connect(town.owner_dsn, application_name="transitpay-sandbox")

    async def left() -> day_totals.OpenCharges | None:
        today = wallet_day(town.clock.now() - _CANCELLABLE)
        found = await day_totals.open_charges(conn, day_start(today))
        return found if found.charges else None

    try:
        still = await wait_while_it_moves(left, _QUIET_S, _POLL_S)
        return 0 if still is None else still.charges
    finally:
        await conn.close()


async def outcome(
    town: Town,
    diary: Diary,
    said: Said,
    day: date,
    session: aiohttp.ClientSession,
) -> Outcome:
    """Read everything back and compare it with what the readers and wallets know."""
    conn = await connect(town.owner_dsn, application_name="transitpay-sandbox")
    try:
        found = Outcome(await _totals(conn, day))
        accepted = await _check_taps(conn, diary, found)
        await _check_rides(conn, town, diary, accepted, said, found)
        await _check_books(conn, found)
        await _check_wallets(conn, town, session, found)
        await _check_breaks(conn, town, day, found)
    finally:
        await conn.close()
    return found


async def _totals(conn: Connection, day: date) -> dict[str, Any]:
    taps = await day_totals.taps(conn)
    by_decision, refusals = Counter[str](), Counter[str]()
    for row in taps:
        by_decision[row["decision"]] += row["taps"]
        if row["decision"] == "refused":
            refusals[row["reason"]] += row["taps"]
    return {
        "taps": {"total": sum(by_decision.values()), **dict(sorted(by_decision.items()))},
        "refusals": dict(sorted(refusals.items())),
        "networks": [],
        "charges": await day_totals.charges(conn),
        "fx": await day_totals.fx(conn),
        "ledger": {},
        "settlement": {"day": day.isoformat(), "net": await day_totals.net_positions(conn, day)},
        "reconciliation": {},
    }


async def _check_taps(conn: Connection, diary: Diary, found: Outcome) -> set[Scan]:
    """Every acknowledged tap is in the log, and in one journey or set aside; those accepted."""
    booked = await day_totals.bookings(conn)
    differences = await gate_totals.differences(conn)
    accepted = {key for key, it in diary.answers.items() if it.decision == "accepted"}
    # Of two scans of one code the earlier has it, also when it comes later.
    told = accepted - {(it.reader, it.sequence) for it in differences}
    lost = told - booked.accepted
    if lost:
        found.faults.append(f"{len(lost)} acknowledged taps are not in the log: {sorted(lost)[:3]}")
    if booked.unbooked:
        some = ", ".join(f"{reader} {n}" for reader, n in booked.unbooked[:3])
        found.faults.append(f"{len(booked.unbooked)} accepted taps are not booked: {some}")
    if booked.booked_twice:
        found.faults.append(f"{booked.booked_twice} journeys are booked twice")
    found.totals["taps"] |= {
        "acknowledged": len(diary.answers),
        "acknowledged_accepted": len(told),
        "untold": len(booked.accepted - accepted),
        "unbooked": len(booked.unbooked),
        "codes_drawn": diary.codes,
    }
    kinds = Counter((it.difference, it.liable) for it in differences)
    found.totals["gates"] = diary.gates() | {
        "differences": [
            {"difference": difference, "liable": liable, "scans": kinds[difference, liable]}
            for difference, liable in sorted(kinds)
        ]
    }
    return accepted & booked.accepted


async def _check_rides(
    conn: Connection,
    town: Town,
    diary: Diary,
    accepted: Collection[Scan],
    said: Said,
    found: Outcome,
) -> None:
    """What stands, after all corrections, is what everything that was tapped makes."""
    expected = expected_rides(diary.shown, accepted, town.book, said, town.clock.now())
    wrong = await rides_differing(conn, expected)
    if wrong:
        found.faults.append(told_differing(wrong))
    found.totals["networks"] = await correction_totals.networks(conn)
    found.totals["corrections"] = await correction_totals.corrections(conn)
    found.totals["refunds"] = await correction_totals.refunds(conn)
    found.totals["said"] = {
        "station_modes": len(said.modes),
        "declared_exits": len(said.statements),
    }
    found.totals["expected_rides"] = {"rides": len(expected), "differing": len(wrong)}


async def _check_books(conn: Connection, found: Outcome) -> None:
    compared = await day_totals.comparisons(conn)
    wrong = [it for it in compared if not it.equal]
    found.faults += [
        f"{it.what} in {it.currency}: facts {it.facts_minor}, books {it.books_minor}"
        for it in wrong
    ]
    found.totals["ledger"] = {
        "balanced": not wrong,
        "checks": [
            {"what": it.what, "currency": it.currency, "facts_minor": it.facts_minor,
             "books_minor": it.books_minor}
            for it in compared
        ],
        "accounts": await day_totals.balances(conn),
    }  # fmt: skip


async def _check_wallets(
    conn: Connection, town: Town, session: aiohttp.ClientSession, found: Outcome
) -> None:
    """Each debit in a wallet's own book is one captured charge of ours, and the other way round;
    after all corrections each rider paid there what the rides that stand cost."""
    ours = await day_totals.captured_attempts(conn)
    nets = await correction_totals.paid_by_rider(conn)
    on_the_way = await correction_totals.refunds_on_the_way(conn)
    debits = {}
    for kind in WALLET_KINDS:
        async with session.get(f"{town.sandbox.wallet_url(kind.wallet)}/sandbox/book") as answer:
            book = await answer.json()
        theirs = {p["request_id"] for p in book["payments"] if p["state"] == "SUCCESS"}
        debits[kind.wallet] = len(theirs)
        mine = ours.get(kind.wallet, set())
        if theirs != mine:
            found.faults.append(
                f"{kind.wallet}: {len(theirs - mine)} debits without a captured charge, "
                f"{len(mine - theirs)} captured charges without a debit"
            )
        paid = paid_at_wallet(kind.wallet, book, on_the_way)
        wrong = [it for it, minor in nets.items() if it[0] == kind.wallet and paid[it] != minor]
        if wrong:
            found.faults.append(
                f"{kind.wallet}: {len(wrong)} riders paid another net than their rides cost, "
                f"the first {wrong[0][1]}: {paid[wrong[0]]} for {nets[wrong[0]]}"
            )
    found.totals["wallet_debits"] = debits


def paid_at_wallet(
    wallet: str, book: Mapping[str, Any], on_the_way: Iterable[Mapping[str, Any]]
) -> Counter[tuple[str, str]]:
    """What each rider paid by the wallet's own book, less refunds there and on the way."""
    paid = Counter[tuple[str, str]]()
    for it in book["payments"]:
        if it["state"] == "SUCCESS":
            paid[wallet, it["rider_id"]] += it["amount_minor"]
    for it in book["refunds"]:
        paid[wallet, it["rider_id"]] -= it["amount_minor"]
    there = {it["request_id"] for it in book["refunds"]}
    for it in on_the_way:
        if it["issuer"] == wallet and it["request_id"] not in there:
            paid[wallet, it["rider_id"]] -= it["amount_minor"]
    return paid


async def _check_breaks(conn: Connection, town: Town, day: date, found: Outcome) -> None:
    """Open the sealed plans and compare them with what reconciliation has found."""
    wallets, rows = await day_totals.breaks(conn, day)
    planted = {kind.wallet: dict(_sealed(town, kind.wallet, day)) for kind in WALLET_KINDS}
    seen: dict[str, dict[str, int]] = {kind.wallet: {} for kind in WALLET_KINDS}
    carried = 0
    for row in rows:
        if row["state"] == _CARRIED:
            carried += row["breaks"]
        else:
            kinds = seen[row["wallet"]]
            kinds[row["kind"]] = kinds.get(row["kind"], 0) + row["breaks"]
    for wallet, kinds in planted.items():
        if wallet not in wallets:
            found.faults.append(f"{wallet} was not reconciled")
        elif seen[wallet] != kinds:
            found.faults.append(f"{wallet}: planted {dict(kinds)}, found {seen[wallet]}")
    found.totals["reconciliation"] = {
        "wallets": wallets,
        "planted": planted,
        "found": seen,
        "carried": carried,
    }


def _sealed(town: Town, wallet: str, day: date) -> Mapping[str, int]:
    path = town.sandbox.wallet_folder(wallet) / f"plan-{day}.json"
    if not path.exists():
        return {}
    kinds = json.loads(path.read_text(encoding="utf-8"))["kinds"]
    return {kind: kinds[kind] for kind in sorted(kinds)}
