"""Reconciles one wallet's day: reads its files, matches them with the window, keeps the result.

Everything that a run finds is saved in one transaction: the run, its breaks, the bookings of the
settlement batches, and what the file proves about payments nobody was sure of. A run is keyed by
its inputs, so the same inputs again change nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from settlement.collecting.refunds import record_told
from settlement.collecting.weigh import weigh
from settlement.reconciling import match_run
from settlement.reconciling.canonical import (
    RowDigest,
    canonical_path,
    carried_rows,
    facts_of,
    internal_row,
    read_file,
    standing,
)
from settlement.reconciling.evidence import stored_path
from settlement.reconciling.layouts import FileKind, Layout
from settlement.reconciling.match_run import (
    BatchTotal,
    Engine,
    FilePayment,
    ParquetRows,
    Tables,
    write_parquet,
)
from settlement.reconciling.matching import (
    EXTERNAL,
    INTERNAL,
    KNOWN,
    RULES_VERSION,
    Break,
    BreakKind,
    BreakState,
    Result,
)
from transitpay.charging.charge import ChargePolicy
from transitpay.charging.evidence import Evidence, InFile, NotInFile
from transitpay.charging.wallet_port import Done
from transitpay.clock import day_start
from transitpay.ledger.journal import Entry
from transitpay.ledger.night import RunKey, StoredBreak, StoredRun
from transitpay.ledger.settlement_bookings import wallet_fee, wallet_file
from transitpay.money import Money, currency
from transitpay.postgres.closing import recon, recon_runs
from transitpay.postgres.closing.recon import StoredFile
from transitpay.postgres.money.journal import add_entries
from transitpay.postgres.pool import Connection, database_errors

_NOTHING = hashlib.sha256().digest()
_CHUNK = 5000
_LISTED_LINES = 20
#: Told whether the same inputs had been matched before.
Finish = Callable[[bool], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class WalletDay:
    """Whose file of which day; ``home`` holds the files, ``engine`` matches them."""

    wallet: str
    layout: Layout
    day: date
    home: Path
    policy: ChargePolicy
    engine: Engine


@dataclass(frozen=True, slots=True)
class Reconciled:
    """``run`` is the result; ``again`` when the same inputs had been matched before.

    ``quarantined`` names the files that cannot be read: a corrected file is awaited.
    """

    run: StoredRun
    open_breaks: int
    again: bool = False
    quarantined: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Found:
    """What a run is about to save."""

    result: Result
    entries: Sequence[Entry] = ()
    told: Sequence[Evidence] = ()
    refunded: Sequence[FilePayment] = ()
    matched: Sequence[StoredFile] = ()
    quarantined: tuple[str, ...] = ()


async def reconcile(
    conn: Connection, it: WalletDay, at: datetime, finish: Finish | None = None
) -> Reconciled | str:
    """Reconcile with the newest file of each name; a text says what is still missing.

    ``finish`` runs in the transaction that keeps a day's matching, so neither is without the other.

    Raises: Conflict, TemporarilyUnavailable; RuleViolation when a fact does not fit.
    """
    with database_errors():
        await _read_received(conn, it)
        used = newest(await recon.files(conn, it.wallet, it.day))
        bad = tuple(f.name for f in used if f.state == "QUARANTINED")
        if bad:
            return await _quarantine_run(conn, it, used, at)
        missing = _missing(it.layout, used)
        if missing:
            return missing
        return await _match(conn, it, used, at, finish)


def newest(files: Sequence[StoredFile]) -> list[StoredFile]:
    """Of files with one name the one that came last: a corrected file replaces the first."""
    by_name = {(f.kind, f.name): f for f in files}
    return sorted(by_name.values(), key=lambda f: (f.kind, f.name))


def _missing(layout: Layout, used: Sequence[StoredFile]) -> str:
    kinds = {f.kind for f in used}
    if FileKind.TRANSACTIONS not in kinds:
        return "no transactions file"
    if layout.two_files and FileKind.SETTLEMENT not in kinds:
        return "no settlement file"
    return ""


async def _read_received(conn: Connection, it: WalletDay) -> None:
    for file in await recon.files(conn, it.wallet, it.day):
        if file.state != "RECEIVED":
            continue
        facts = facts_of(it.layout, file.kind, it.day, file.name)
        into = canonical_path(it.home, it.wallet, facts, file.sha256)
        read = read_file(it.engine, stored_path(it.home, file.sha256), facts, into)
        state = "QUARANTINED" if read.problems else "LOADED"
        await recon.set_file_state(conn, file.id, state, read.problems)


async def _quarantine_run(
    conn: Connection, it: WalletDay, used: Sequence[StoredFile], at: datetime
) -> Reconciled:
    """One break a file, naming its lines; nothing of the day is matched or booked."""
    bad = [f for f in used if f.state == "QUARANTINED"]
    breaks = tuple(
        Break(
            BreakKind.UNPARSEABLE_ROW,
            BreakState.OPEN,
            "file",
            f.name,
            None,
            None,
            None,
            {"problems": len(f.problems), "lines": list(f.problems[:_LISTED_LINES])},
        )
        for f in bad
    )
    counts = {"matched": 0, "breaks": {BreakKind.UNPARSEABLE_ROW.value: len(bad)}, "outcomes": []}
    key = _key(it, used, _NOTHING, _NOTHING)
    found = _Found(Result(breaks, counts, ()), quarantined=tuple(f.name for f in bad))
    return await _save(conn, it, key, found, at)


async def _match(
    conn: Connection,
    it: WalletDay,
    used: Sequence[StoredFile],
    at: datetime,
    finish: Finish | None,
) -> Reconciled:
    carried = await recon_runs.breaks(conn, it.day - timedelta(days=1), it.wallet)
    carried = [b for b in carried if "carries" in b.detail]
    folder = it.home / "files" / "runs" / it.wallet / it.day.isoformat()
    tables, internal_digest = await _tables(conn, it, used, carried, folder)
    carried_digest = hashlib.sha256()
    for found in carried:
        carried_digest.update(f"{found.kind}|{found.request_id}|{found.detail}\n".encode())
    key = _key(it, used, internal_digest, carried_digest.digest())
    result = match_run.run(it.engine, tables)
    settled = tables.settled or _of_kind(it, used, FileKind.TRANSACTIONS)
    entries = settlement_entries(it.wallet, match_run.batch_totals(it.engine, settled), at)
    told = await _evidence(conn, it, match_run.payments_in(it.engine, tables))
    refunded = match_run.refunds_in(it.engine, tables)
    return await _save(
        conn, it, key, _Found(result, entries, told, refunded, tuple(used)), at, finish
    )


async def _tables(
    conn: Connection,
    it: WalletDay,
    used: Sequence[StoredFile],
    carried: Sequence[StoredBreak],
    folder: Path,
) -> tuple[Tables, bytes]:
    ours, theirs = carried_rows(carried)
    digest = RowDigest()
    internal, extra = folder / "internal.parquet", folder / "carried.parquet"
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        with ParquetRows(it.engine, INTERNAL, internal) as made:
            for row in ours:
                made.add(row)
            async for item in recon.our_items(conn, it.wallet, it.day):
                own = internal_row(item, it.layout)
                if own is not None:
                    digest.add(own)
                    made.add(own)
        write_parquet(it.engine, theirs, EXTERNAL, extra)
        external = (*_of_kind(it, used, FileKind.TRANSACTIONS), extra)
        known = await _known(conn, it, match_run.unmatched_ids(it.engine, internal, external))
    for entry in known:
        digest.add(entry)
    write_parquet(it.engine, known, KNOWN, folder / "known.parquet")
    settled = _of_kind(it, used, FileKind.SETTLEMENT) if it.layout.two_files else None
    names = ",".join(f.name for f in used if f.kind == FileKind.SETTLEMENT)
    tables = Tables((internal,), external, (folder / "known.parquet",), settled, names)
    return tables, digest.digest()


def _of_kind(it: WalletDay, used: Sequence[StoredFile], kind: FileKind) -> tuple[Path, ...]:
    """The canonical form of the files of a kind, read again where it has been removed."""
    paths = []
    for file in used:
        if file.kind == kind:
            facts = facts_of(it.layout, file.kind, it.day, file.name)
            path = canonical_path(it.home, it.wallet, facts, file.sha256)
            if not path.exists():
                read_file(it.engine, stored_path(it.home, file.sha256), facts, path)
            paths.append(path)
    return tuple(paths)


async def _known(
    conn: Connection, it: WalletDay, ids: Iterator[tuple[str, str]]
) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    asked: list[tuple[str, str]] = []
    for one in ids:
        asked.append(one)
        if len(asked) == _CHUNK:
            found += await _standings(conn, it, asked)
            asked = []
    return found + await _standings(conn, it, asked) if asked else found


async def _standings(
    conn: Connection, it: WalletDay, ids: Sequence[tuple[str, str]]
) -> list[tuple[object, ...]]:
    known = await recon.known_ids(conn, it.wallet, ids, it.day)
    return [(k.row_kind, k.request_id, standing(k, it.day).value) for k in known]


async def _evidence(
    conn: Connection, it: WalletDay, payments: Sequence[FilePayment]
) -> list[Evidence]:
    """The file's word on payments that are unknown or refused by our books; absence too."""
    told: list[Evidence] = [
        InFile(
            p.request_id,
            p.wallet_id,
            datetime.fromtimestamp(p.completed, UTC),
            Money(p.amount, currency(p.currency)),
            it.day,
        )
        for p in payments
    ]
    there = {p.request_id for p in payments}
    before = day_start(it.day + timedelta(days=1))
    unknown = await recon.unknown_attempts(conn, it.wallet, before)
    return told + [NotInFile(i, it.day) for i in unknown if i not in there]


def settlement_entries(wallet: str, totals: Sequence[BatchTotal], at: datetime) -> list[Entry]:
    """What the wallet keeps as fees and what it says it pays, a batch and currency at a time."""
    made: list[Entry | None] = []
    for total in totals:
        unit = currency(total.currency)
        batch = f"{wallet}:{total.batch}:{unit.code}"
        made.append(wallet_fee(wallet, Money(total.fee, unit), at, batch))
        made.append(wallet_file(wallet, Money(total.settlement, unit), at, batch))
    return [entry for entry in made if entry is not None]


def _key(
    it: WalletDay, used: Sequence[StoredFile], internal_digest: bytes, carried_digest: bytes
) -> RunKey:
    files = hashlib.sha256()
    for file in used:
        files.update(f"{file.kind}|{file.name}|{file.sha256.hex()}\n".encode())
    return RunKey(it.wallet, it.day, files.digest(), RULES_VERSION, internal_digest, carried_digest)


async def _save(
    conn: Connection,
    it: WalletDay,
    key: RunKey,
    found: _Found,
    at: datetime,
    finish: Finish | None = None,
) -> Reconciled:
    breaks = _stored(it, found.result)
    still_open = sum(b.state == BreakState.OPEN for b in breaks)
    async with conn.transaction():
        known = await recon_runs.find_run(conn, key)
        if known is not None:
            if finish is not None:
                await finish(True)
            return Reconciled(known, still_open, again=True, quarantined=found.quarantined)
        summary = (found.result.digest(), dict(found.result.counts))
        run = await recon_runs.add_run(conn, key, summary, breaks, at)
        await recon_runs.resolve_carried(conn, it.wallet, it.day, found.result.resolved)
        booked = await recon.booked_keys(conn, [e.key for e in found.entries])
        await add_entries(conn, [e for e in found.entries if e.key not in booked])
        if found.told:
            await weigh(conn, found.told, at, it.policy, wallet=it.wallet)
        for back in found.refunded:
            done = Done(back.wallet_id, datetime.fromtimestamp(back.completed, UTC))
            amount = Money(back.amount, currency(back.currency))
            await record_told(conn, back.request_id, amount, done, at, it.policy)
        for file in found.matched:
            await recon.set_file_state(conn, file.id, "MATCHED")
        if finish is not None:
            await finish(False)
    return Reconciled(run, still_open, quarantined=found.quarantined)


def _stored(it: WalletDay, result: Result) -> list[StoredBreak]:
    """The breaks in their own order, numbered from 1."""
    return [
        StoredBreak(
            n=n,
            day=it.day,
            wallet=it.wallet,
            kind=b.kind.value,
            request_id=b.request_id,
            internal_minor=b.internal_minor,
            external_minor=b.external_minor,
            currency=b.currency,
            detail={"row_kind": b.row_kind, **b.detail},
            state=b.state.value,
        )
        for n, b in enumerate(sorted(result.breaks, key=Break.canonical), start=1)
    ]
