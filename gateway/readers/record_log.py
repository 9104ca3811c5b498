"""Stores uploads: one transaction each, durable before the answer, every record once.

New scans are written straight away; where one of them is known the statement refuses itself, and
what is known is read and decided upon (``gateway.readers.uploads``). A scan that the database
refuses by itself is set apart; the rest of its batch is stored.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, auto

import asyncpg

from gateway.database import Database
from gateway.readers.reader_chain import (
    SealedLink,
    acknowledged_under,
    plan_batch,
    store_chain,
)
from gateway.readers.recording import request_of
from gateway.readers.uploaded_before import after_passage, outcome_of
from gateway.readers.uploads import (
    DecidedUploads,
    Told,
    Upload,
    UploadOutcome,
    code_days,
    decide_uploads,
)
from gateway.taps.partitions import Partitions
from transitpay.clock import day_start, wallet_day
from transitpay.errors import TemporarilyUnavailable
from transitpay.postgres.gates import (
    known_scans,
    reader_alarms,
    reader_batches,
    reader_keys,
    taps,
    uploads,
)
from transitpay.postgres.gates.known_scans import KnownScans
from transitpay.postgres.gates.reader_batches import EventRow
from transitpay.postgres.gates.uploads import Displaced
from transitpay.postgres.reference import ReaderRegistration
from transitpay.ride_code.records.record import DecidedBy, Passage
from transitpay.ride_code.records.record_chain import Gap, Link
from transitpay.runtime.observe import EventLog
from transitpay.taps import TapKey

#: A batch that takes longer is given up; it may be sent again.
BATCH_LIMIT_S = 10.0
_REFUSED_BY_DATABASE = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
_ATTEMPTS = 6
#: An outcome is written within a day of its scan, by the reader's clock.
_NEAR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Batch:
    """A sealed batch whose signature and chain hold, its scans judged again."""

    link: Link
    sealed: SealedLink
    uploads: Sequence[Upload]


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a batch."""

    outcomes: Sequence[UploadOutcome]
    acknowledged_through: int
    gaps: Sequence[Gap] = ()
    is_new: bool = True


class _Way(IntEnum):
    """How the scans are written: believing them new, reading what is known, one by one."""

    FRESH = auto()
    KNOWN = auto()
    ALONE = auto()


class _Met(Exception):  # no error: a signal inside this module
    """Something of the upload is known, or somebody else writes it: read first."""


@dataclass(slots=True)
class _Work:
    """One upload on its way."""

    reader: ReaderRegistration
    uploads: Sequence[Upload]
    told: Told
    received_at: datetime
    passages: dict[int, Passage] = field(default_factory=dict)
    has_chain: bool = False
    way: _Way = _Way.FRESH
    decommissioned_at: datetime | None = None


class RecordLog:
    """The upload's way into one database."""

    def __init__(
        self, database: Database, partitions: Partitions, debounce: timedelta, log: EventLog
    ) -> None:
        self._database = database
        self._partitions = partitions
        self._debounce = debounce
        self._log = log

    async def store_batch(
        self, reader: ReaderRegistration, batch: Batch, told: Told, received_at: datetime
    ) -> Stored:
        """Store a sealed batch; durable on return.

        Raises: TemporarilyUnavailable (nothing may be assumed; send it again).
        """
        outcomes_told = _passages(batch.sealed.events)
        work = _Work(reader, batch.uploads, told, received_at, outcomes_told, has_chain=True)
        if any(u.deed.decided_by is DecidedBy.GATEWAY for u in batch.uploads):
            work.way = _Way.KNOWN

        async def once(conn: asyncpg.Connection) -> Stored:
            plan = await plan_batch(conn, reader.id, batch.link, batch.sealed.hashes)
            if not plan.in_order and work.way is _Way.FRESH:
                work.way = _Way.KNOWN
            outcomes = await self._store_scans(conn, work)
            await _store_late_outcomes(conn, work, batch.sealed.events)
            await store_chain(conn, reader.id, plan, batch.sealed, received_at)
            return Stored(outcomes, plan.acknowledged_through, plan.gaps, plan.is_new)

        return await self._attempts(work, once)

    async def known_batch(
        self, reader: str, link: Link, scans: Sequence[tuple[TapKey, bytes]]
    ) -> Stored:
        """What was answered for a batch that is here, as it stands now; ``scans`` are the keys of
        its scans, with the digests of their requests. Raises: TemporarilyUnavailable."""
        async with self._database.connection() as conn:
            at = await reader_batches.acknowledged(conn, reader)
            assert at is not None, "the reader has a key"
            through = await acknowledged_under(conn, reader, link, at)
            missing = await reader_batches.open_gaps(conn, reader)
            keys = [key for key, _ in scans]
            here = await known_scans.read_taps(conn, keys)
            apart = await known_scans.read_apart(conn, keys)
        outcomes = [outcome_of(key, digest, here, apart) for key, digest in scans]
        return Stored(outcomes, through, missing, False)

    async def store_loose(
        self,
        reader: ReaderRegistration,
        uploads: Sequence[Upload],
        told: Told,
        received_at: datetime,
    ) -> Sequence[UploadOutcome]:
        """Store scans of a reader that has no key. Raises: as ``store_batch``."""
        work = _Work(reader, uploads, told, received_at, way=_Way.KNOWN)

        async def once(conn: asyncpg.Connection) -> Stored:
            return Stored(await self._store_scans(conn, work), 0)

        return (await self._attempts(work, once)).outcomes

    async def _attempts(
        self, work: _Work, once: Callable[[asyncpg.Connection], Awaitable[Stored]]
    ) -> Stored:
        """One transaction, again with more care where the first believed too much."""
        await self._partitions.ensure(code_days(u for u in work.uploads if u.unfit is None))
        for _ in range(_ATTEMPTS):
            try:
                return await self._database.run(once, BATCH_LIMIT_S)
            except _Met:
                work.way = max(work.way, _Way.KNOWN)
            except _REFUSED_BY_DATABASE as error:
                self._partitions.forget()
                work.way = _Way.ALONE
                self._log.warning("upload_refused", error=type(error).__name__)
        raise TemporarilyUnavailable("database_busy", "too many writers met; try again")

    async def _store_scans(self, conn: asyncpg.Connection, work: _Work) -> Sequence[UploadOutcome]:
        if not work.uploads:
            return []
        # As it is now: who let the reader in may remember it as in service for seconds.
        work.decommissioned_at = await reader_keys.decommissioned_at(conn, work.reader.id)
        decided = await self._decide(conn, work)
        if decided.moved_codes:
            # Whoever gives a code to another scan reads it again when nobody else does so.
            await uploads.take_turns(conn)
            decided = await self._decide(conn, work)
        if work.way is _Way.ALONE:
            await self._write_alone(conn, work, decided)
        elif decided.new:
            try:
                await uploads.write_new(
                    conn, decided.new, work.reader.destination, work.received_at
                )
            except asyncpg.UniqueViolationError:
                raise _Met from None
        await _write_rest(conn, work, decided)
        return decided.outcomes

    async def _decide(self, conn: asyncpg.Connection, work: _Work) -> DecidedUploads:
        if work.way is _Way.FRESH:
            known = KnownScans(passages=await _outcomes(conn, work))
        else:
            known = await _read(conn, work)
        return decide_uploads(
            work.uploads, known, work.told, self._debounce, work.decommissioned_at
        )

    async def _write_alone(
        self, conn: asyncpg.Connection, work: _Work, decided: DecidedUploads
    ) -> None:
        """One scan after the other; one that the database refuses is set apart."""
        by_key = {upload.key: upload for upload in work.uploads}
        for new in decided.new:
            try:
                async with conn.transaction():
                    await uploads.write_new(conn, [new], work.reader.destination, work.received_at)
            except asyncpg.UniqueViolationError:
                raise _Met from None
            except _REFUSED_BY_DATABASE as error:
                reason = f"refused_by_database:{type(error).__name__}"
                decided.set_apart(by_key[new.row.key], reason, work.uploads)
                self._log.warning("scan_set_apart", reason=reason)


async def _read(conn: asyncpg.Connection, work: _Work) -> KnownScans:
    fit = [upload for upload in work.uploads if upload.unfit is None]
    codes = [upload.accepted.replay_key for upload in fit if upload.accepted is not None]
    keys = [upload.key for upload in work.uploads]
    return KnownScans(
        await known_scans.read_taps(conn, keys),
        await known_scans.read_uses(conn, codes),
        await _outcomes(conn, work),
        await known_scans.read_apart(conn, keys),
    )


async def _outcomes(conn: asyncpg.Connection, work: _Work) -> dict[int, Passage]:
    """The outcomes of these scans, of this batch or an earlier one; the earlier counts."""
    if not work.has_chain:
        return {}
    sequences = [upload.key.sequence for upload in work.uploads]
    told = await known_scans.read_passages(conn, work.reader.id, sequences)
    return {**work.passages, **told}


async def _write_rest(conn: asyncpg.Connection, work: _Work, decided: DecidedUploads) -> None:
    """What follows from scans that were known, met others, or were unfit; mostly nothing."""
    at = work.received_at
    if decided.records:
        await uploads.add_records(conn, decided.records, at)
    if decided.changed:
        await uploads.change_taps(conn, list(decided.changed.values()))
    if decided.displaced:
        await uploads.displace(conn, list(decided.displaced.values()))
    if decided.moved_codes:
        await uploads.move_codes(conn, decided.moved_codes)
    if decided.taken_back:
        await uploads.take_entries_back(conn, list(decided.taken_back))
    if decided.reread:
        since = _begin_of_first_day([*decided.changed, *decided.displaced])
        await taps.note_riders(conn, decided.reread, at, since)
    if decided.clones:
        await taps.raise_clone_alarms(conn, list(decided.clones), at)
    if decided.apart:
        rows = {
            (u.key, u.row.request_digest): (reason, request_of(u)) for u, reason in decided.apart
        }
        await taps.quarantine(conn, rows, at)
    if decided.alarms:
        await reader_alarms.raise_alarms(conn, decided.alarms, at)


async def _store_late_outcomes(
    conn: asyncpg.Connection, work: _Work, events: Sequence[EventRow]
) -> None:
    """Outcomes of scans that came in an earlier batch."""
    here = {upload.key.sequence for upload in work.uploads}
    late = [e for e in events if e.sequence is not None and e.sequence not in here]
    if not late:
        return
    first, last = (wallet_day(at) for at in (min(e.at for e in late), max(e.at for e in late)))
    sequences = [e.sequence for e in late if e.sequence is not None]
    reader = work.reader.id
    keys = await known_scans.find_scans(conn, reader, sequences, first - _NEAR, last + _NEAR)
    if not keys:
        return
    known = await known_scans.read_taps(conn, keys)
    earlier = await known_scans.read_passages(conn, reader, sequences)
    settled, refused, riders = [], [], set()
    for key in sorted(known):
        if key.sequence in earlier:
            continue
        was, passage = known[key], work.passages[key.sequence]
        word = after_passage(was, passage)
        settled.append(Displaced(key, word, passage))
        if word.decision is not was.word.decision and was.rider is not None:
            refused.append(key)
            riders.add(was.rider)
    await uploads.displace(conn, settled)
    if riders:
        await uploads.take_entries_back(conn, refused)
        since = _begin_of_first_day([it.key for it in settled])
        await taps.note_riders(conn, riders, work.received_at, since)


def _begin_of_first_day(keys: Sequence[TapKey]) -> datetime:
    """No scan of these was made before it: their days are local calendar days."""
    return day_start(min(key.day for key in keys))


def _passages(events: Sequence[EventRow]) -> dict[int, Passage]:
    """Sequence -> its outcome; the first one counts."""
    found: dict[int, Passage] = {}
    for event in events:
        if event.sequence is not None:
            found.setdefault(event.sequence, Passage(str(event.detail["passage"])))
    return found
