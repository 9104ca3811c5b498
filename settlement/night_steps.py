"""Does the steps of one day's night that are ready, and says of the others what they wait for.

A step is done once and never again; each is one transaction or writes by natural keys, so a
process that dies in any of them goes on at the next run.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import aiohttp
import asyncpg
import duckdb

from settlement.closing import batches
from settlement.closing.close_day import close_day, closes_at
from settlement.closing.netting import NetPosition
from settlement.collecting.partners import Partners
from settlement.reconciling import evidence
from settlement.reconciling.layouts import LAYOUTS
from settlement.reconciling.match_run import Engine
from settlement.reconciling.reconcile import Reconciled, WalletDay, reconcile
from settlement.reconciling.wallet_files import fetch_files
from transitpay.charging.charge import ChargePolicy
from transitpay.clock import Clock, day_start
from transitpay.errors import TemporarilyUnavailable, TransitPayError
from transitpay.ledger.night import StoredStep
from transitpay.postgres.closing import closings, night, recon, windows
from transitpay.postgres.pool import Connection
from transitpay.runtime.observe import EventLog

_log = EventLog("settlement.nightly")

#: What fails one step and stops no other: facts that do not fit, a full disk, a damaged file.
_BROKEN = (TransitPayError, AssertionError, OSError, asyncpg.DataError, duckdb.Error)
#: Local hours of D+1: files are ready, and must be reconciled.
FILES_HOUR = 8
DEADLINE_HOUR = 12


class Step(StrEnum):
    """The steps of a night, in order."""

    CLOSE = "close"
    STATEMENTS = "statements"
    FETCH = "fetch"
    MATCH = "match"


class StepState(StrEnum):
    """What became of a step."""

    DONE = "DONE"
    WAITING = "WAITING"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A step's end in this run. ``until`` is fixed by the day, so waiting again is no change."""

    state: StepState
    reason: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Night:
    """What the steps need. ``at`` is the business instant of this run."""

    conn: Connection
    partners: Partners
    session: aiohttp.ClientSession
    clock: Clock
    home: Path
    policy: ChargePolicy
    engine: Engine
    at: datetime


@dataclass(frozen=True, slots=True)
class WalletFiles:
    """A wallet with the layout of its files; ``fetched`` when they are here already."""

    id: str
    layout: str
    fetched: bool


DONE = Outcome(StepState.DONE)


def files_at(day: date) -> datetime:
    """When the wallets' files of a day are ready."""
    return day_start(day + timedelta(days=1), FILES_HOUR)


def deadline(day: date) -> datetime:
    """When a day whose files are not reconciled is late."""
    return day_start(day + timedelta(days=1), DEADLINE_HOUR)


async def run_day(it: Night, day: date) -> bool:
    """Do every ready step of a day; False when the day is not closed, so that no later one can be.

    Raises: TemporarilyUnavailable when the database is away.
    """
    known = {(s.step, s.participant): s for s in await night.steps(it.conn, day, day)}
    if not await _once(it, known, day, Step.CLOSE):
        return False
    await _once(it, known, day, Step.STATEMENTS)
    for wallet, (layout, _) in (await night.file_layouts(it.conn)).items():
        if not _is_done(known, Step.MATCH, wallet):
            fetched = _is_done(known, Step.FETCH, wallet)
            await _wallet_day(it, day, WalletFiles(wallet, layout, fetched))
    return True


async def _once(it: Night, known: dict[tuple[str, str], StoredStep], day: date, step: Step) -> bool:
    if _is_done(known, step, "house"):
        return True
    work = _close if step is Step.CLOSE else _write_statements
    try:
        outcome = await work(it, day)
    except _BROKEN as error:
        outcome = _failed(error)
    await _put(it, day, step, "house", outcome)
    return outcome.state is StepState.DONE


def _is_done(known: dict[tuple[str, str], StoredStep], step: Step, participant: str) -> bool:
    found = known.get((step, participant))
    return found is not None and found.state == StepState.DONE


async def _close(it: Night, day: date) -> Outcome:
    if it.at < closes_at(day):
        return Outcome(StepState.WAITING, "a payment may still be cancelled", closes_at(day))
    closed = await close_day(it.conn, day, it.at)
    _log.info(
        "day_closed",
        day=day.isoformat(),
        items=closed.items,
        entries=closed.closing.entries,
        digest=closed.closing.digest.hex(),
        again=closed.again,
    )
    return DONE


async def _write_statements(it: Night, day: date) -> Outcome:
    kinds = dict(await night.participants(it.conn))
    positions = [
        NetPosition(who, code, minor, parts)
        for who, code, minor, parts in await closings.net_positions(it.conn, day)
    ]
    made = []
    for participant, kind in kinds.items():
        lines = await windows.window_lines(it.conn, kind, participant, day)
        made.append(batches.statement(participant, day, lines, positions))
    operators = {who for who, kind in kinds.items() if kind == "operator"}
    made.append(batches.payout_file(batches.payouts(positions, operators, day), day))
    made.append(batches.house_file(positions, day))
    await night.add_statements(it.conn, day, _kept(made, it.home, day), it.at)
    return DONE


def _kept(
    made: Iterable[batches.StatementText], home: Path, day: date
) -> Iterable[tuple[str, str, bytes, int]]:
    folder = home / "statements" / day.isoformat()
    folder.mkdir(parents=True, exist_ok=True)
    for text in made:
        kept = evidence.keep(home, text.content)
        fresh = folder / f".{text.name}"
        fresh.write_bytes(text.content)
        os.replace(fresh, folder / text.name)
        yield text.participant, text.name, kept.sha256, kept.size


async def _wallet_day(it: Night, day: date, wallet: WalletFiles) -> None:
    """Fetch and match; both steps are kept together, so a run that finds nothing new is none."""
    fetched = match = Outcome(StepState.WAITING, "files are ready at 08:00", files_at(day))
    if it.at >= files_at(day):
        match = Outcome(StepState.WAITING, "no files yet", deadline(day))
        try:
            fetched = DONE if wallet.fetched else await _fetch(it, day, wallet.id)
            if fetched.state is StepState.DONE:
                match = await _reconcile(it, day, wallet)
        except _BROKEN as error:
            match = _failed(error)
    if match.state is StepState.DONE:
        return
    if match.state is StepState.WAITING and fetched.state is StepState.DONE:
        fetched = match  # a better file is awaited: ask for it again
    async with it.conn.transaction():
        await _put(it, day, Step.FETCH, wallet.id, fetched)
        await _put(it, day, Step.MATCH, wallet.id, match)


async def _fetch(it: Night, day: date, wallet: str) -> Outcome:
    client = it.partners.clients.get(wallet)
    if client is None:
        return Outcome(StepState.FAILED, "its key, or ours, cannot be read")
    try:
        listed = await fetch_files(client.partner, it.session, it.clock, it.home, day)
    except TemporarilyUnavailable as error:
        return Outcome(StepState.WAITING, error.message[:300], deadline(day))
    if listed is None:
        return Outcome(StepState.WAITING, "the wallet says: not ready", deadline(day))
    for file in listed:
        row = (file.kind, file.name, file.sha256, file.size)
        await recon.add_file(it.conn, wallet, day, row, it.at)
    return DONE


async def _reconcile(it: Night, day: date, wallet: WalletFiles) -> Outcome:
    before = day - timedelta(days=1)
    earlier = [s for s in await night.steps(it.conn, before, before) if s.participant == wallet.id]
    undone = any(s.step == Step.MATCH and s.state != StepState.DONE for s in earlier)
    if undone and it.at < deadline(before):
        return Outcome(StepState.WAITING, f"{before} is not matched", deadline(day))

    async def finish(again: bool) -> None:
        await _put(it, day, Step.FETCH, wallet.id, DONE)
        await _put(it, day, Step.MATCH, wallet.id, DONE)
        if not again:
            reason = f"{day} was matched later"
            await night.reopen_later(it.conn, wallet.id, Step.MATCH, day, reason, it.at)

    wanted = WalletDay(wallet.id, LAYOUTS[wallet.layout], day, it.home, it.policy, it.engine)
    found = await reconcile(it.conn, wanted, it.at, finish)
    if not isinstance(found, Reconciled):
        return Outcome(StepState.WAITING, found, deadline(day))
    if found.quarantined:
        names = ", ".join(found.quarantined)
        return Outcome(StepState.WAITING, f"cannot be read: {names}"[:300], deadline(day))
    _log.info(
        "wallet_matched",
        wallet=wallet.id,
        day=day.isoformat(),
        revision=found.run.revision,
        open_breaks=found.open_breaks,
        digest=found.run.result_digest.hex(),
    )
    return DONE


def _failed(error: Exception) -> Outcome:
    if isinstance(error, TemporarilyUnavailable | ConnectionError):
        raise error
    if isinstance(error, TransitPayError):
        code, why = error.code, error.message
    else:
        code, why = type(error).__name__, " ".join(str(error).split())
    _log.error("step_failed", exc=error, code=code)
    return Outcome(StepState.FAILED, f"{code}: {why}"[:300])


async def _put(it: Night, day: date, step: Step, participant: str, outcome: Outcome) -> None:
    stored = StoredStep(
        day,
        step.value,
        participant,
        outcome.state.value,
        outcome.reason,
        outcome.until,
        it.at,
    )
    await night.put_step(it.conn, stored)
