"""The tap log on PostgreSQL: a group of scans is stored and decided in one transaction.

Replay is decided by the unique key of code uses, passback by locked presence rows, a repeated
request by the key of taps; so the answer is the same with any number of gateways. A code is
spent only by a scan that passes passback, and only a scan that won its code moves its rider.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

import asyncpg

from gateway.scans import (
    READER_DIFFERED,
    READER_REFUSED,
    Decision,
    JudgedScan,
    Outcome,
    Stored,
    Tier,
    decide,
    passback,
)
from transitpay.postgres import code_uses, presence, taps
from transitpay.postgres.code_uses import CodeUse
from transitpay.postgres.presence import Presence, PresenceKey
from transitpay.postgres.taps import FinalOutcome, StoredTap
from transitpay.ride_code.verdict import ReplayKey
from transitpay.taps import TapKey


class TapLog(Protocol):
    """Where scans become facts. The answers are durable when ``append`` returns."""

    async def append(self, group: Sequence[JudgedScan]) -> list[Outcome]: ...


async def store_group(
    conn: asyncpg.Connection, group: Sequence[JudgedScan], debounce: timedelta
) -> list[Outcome]:
    """Store and decide a group inside the caller's READ COMMITTED transaction.

    Shape: one outcome a scan, in the order given. Statements: about seven, however big the group
    is; one more for every further scan of a rider who stands in it twice.
    """
    firsts: dict[TapKey, JudgedScan] = {}
    for scan in group:
        firsts.setdefault(scan.key, scan)
    keys = sorted(firsts)
    new = await taps.insert_taps(conn, [firsts[key].row for key in keys])
    await taps.mark_modes(conn, [firsts[key].row for key in keys if key in new])
    outcomes = await _decide_new(conn, [firsts[key] for key in keys if key in new], debounce)
    known: dict[TapKey, StoredTap] = {}
    if len(new) < len(keys):
        known = await taps.stored_taps(conn, [key for key in keys if key not in new])
    answers: list[Outcome] = []
    alarms: set[tuple[TapKey, bytes]] = set()
    met: set[TapKey] = set()
    for scan in group:
        stored = known.get(scan.key)
        digest = stored.request_digest if stored else firsts[scan.key].row.request_digest
        if digest != scan.row.request_digest:
            alarms.add((scan.key, scan.row.request_digest))
            answers.append(Outcome(Stored.CONFLICT, None, None))
        elif stored is not None:
            answers.append(_known_outcome(stored))
        else:
            outcome = outcomes[scan.key]
            answers.append(replace(outcome, stored=Stored.KNOWN) if scan.key in met else outcome)
            met.add(scan.key)
    if alarms:
        await taps.raise_clone_alarms(conn, list(alarms), group[0].row.received_at)
    if known:
        await _learn_what_readers_did(conn, group, known)
    return answers


def _known_outcome(stored: StoredTap) -> Outcome:
    return Outcome(Stored.KNOWN, Decision(stored.decision), stored.reason, stored.flags)


async def _decide_new(
    conn: asyncpg.Connection, scans: Sequence[JudgedScan], debounce: timedelta
) -> dict[TapKey, Outcome]:
    """Outcomes of the scans that are new; what differs from the inserted row is written."""
    outcomes = {
        scan.key: Outcome(Stored.NEW, Decision(scan.row.decision), scan.row.reason, scan.row.flags)
        for scan in scans
    }
    opening = sorted(
        (scan for scan in scans if scan.opening is not None), key=lambda s: (s.row.at, s.key)
    )
    if not opening:
        return outcomes
    decided = await _admit(conn, opening, debounce)
    changed = [
        FinalOutcome(key, outcome.decision, outcome.reason, outcome.flags)
        for key, outcome in sorted(decided.items())
        if outcome != outcomes[key] and outcome.decision is not None
    ]
    if changed:
        await taps.settle_outcomes(conn, changed)
    riders = [
        (scan.row.rider.issuer, scan.row.rider.rider_id)
        for scan in opening
        if scan.row.rider and decided[scan.key].decision is Decision.ACCEPTED
    ]
    if riders:
        await taps.note_riders(conn, riders, opening[0].row.received_at)
    return outcomes | decided


async def _admit(
    conn: asyncpg.Connection, scans: Sequence[JudgedScan], debounce: timedelta
) -> dict[TapKey, Outcome]:
    """Decide scans in their order; at most one of a rider's slot and network in one round."""
    places = await presence.lock_presence(conn, sorted({scan.presence_key for scan in scans}))
    before = dict(places)
    uses: dict[ReplayKey, CodeUse] = {}
    outcomes: dict[TapKey, Outcome] = {}
    waiting = list(scans)
    while waiting:
        turn, waiting = _one_a_place(waiting)
        # Whether a code is spent is mostly learnt by spending it; who would be refused for
        # passback is asked about first, for a code that was shown twice is answered as such.
        doubtful = [_code(scan) for scan in turn if passback(scan, places[scan.presence_key])]
        if doubtful:
            uses.update(await code_uses.code_uses(conn, doubtful))
        spending: list[JudgedScan] = []
        for scan in turn:
            outcome = decide(scan, places[scan.presence_key], uses.get(_code(scan)), debounce)
            outcomes[scan.key] = outcome
            if outcome.decision is Decision.ACCEPTED:
                spending.append(scan)
        if spending:
            lost = await _spend(conn, spending, uses, places)
            for scan in lost:
                place = places[scan.presence_key]
                outcomes[scan.key] = decide(scan, place, uses[_code(scan)], debounce)
    moved = {key: at for key, at in places.items() if at is not None and at != before[key]}
    if moved:
        await presence.move_presence(conn, moved)
    return outcomes


async def _spend(
    conn: asyncpg.Connection,
    spending: Sequence[JudgedScan],
    uses: dict[ReplayKey, CodeUse],
    places: dict[PresenceKey, Presence | None],
) -> list[JudgedScan]:
    """Spend the codes; winners move their riders, the uses that beat the losers are learnt."""
    won = await code_uses.spend_codes(conn, [(_code(s), s.code_use) for s in spending])
    lost: list[JudgedScan] = []
    for scan in spending:
        if scan.key not in won:
            lost.append(scan)
            continue
        uses[_code(scan)] = scan.code_use
        place = places[scan.presence_key]
        if place is None or place.at < scan.row.at:
            places[scan.presence_key] = scan.presence
    if lost:
        uses.update(await code_uses.code_uses(conn, [_code(scan) for scan in lost]))
    return lost


def _code(scan: JudgedScan) -> ReplayKey:
    accepted = scan.opening
    assert accepted is not None
    return accepted.replay_key


def _one_a_place(
    scans: Iterable[JudgedScan],
) -> tuple[list[JudgedScan], list[JudgedScan]]:
    """The first scan of each rider's slot and network, and the rest, both in order."""
    seen: set[PresenceKey] = set()
    turn: list[JudgedScan] = []
    rest: list[JudgedScan] = []
    for scan in scans:
        (rest if scan.presence_key in seen else turn).append(scan)
        seen.add(scan.presence_key)
    return turn, rest


async def _learn_what_readers_did(
    conn: asyncpg.Connection, group: Sequence[JudgedScan], known: dict[TapKey, StoredTap]
) -> None:
    """An uploaded record of a scan that was asked online: what the reader did beats our answer.

    The reader may not have had the answer in time. A rider who was not let in has no tap.
    """
    found: dict[TapKey, FinalOutcome] = {}
    riders: list[tuple[str, str]] = []
    for scan in group:
        stored, opened = known.get(scan.key), scan.row.reader_opened
        if (
            stored is None
            or opened is None
            or stored.tier != Tier.ONLINE
            or stored.reader_opened is not None
            or stored.request_digest != scan.row.request_digest
        ):
            continue
        decision, reason, flags = stored.decision, stored.reason, stored.flags
        if opened != (decision == Decision.ACCEPTED):
            flags = (*flags, READER_DIFFERED)
        if decision == Decision.ACCEPTED and not opened:
            decision, reason = Decision.REFUSED, READER_REFUSED
            if stored.rider is not None:
                riders.append((stored.rider.issuer, stored.rider.rider_id))
        found[scan.key] = FinalOutcome(scan.key, decision, reason, flags, opened)
    if found:
        await taps.settle_outcomes(conn, [found[key] for key in sorted(found)])
    if riders:
        await taps.note_riders(conn, riders, group[0].row.received_at)
