"""``POST /v1/readers/records``: a sealed batch is checked, judged again, stored, acknowledged.

The order of checks, each with its own code: readable, this reader's, its key, the signature, the
chain. A batch that passes them is never lost.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Literal

from gateway.http.fields import Outgoing
from gateway.http.web import LARGE_BODY, Call, Route
from gateway.readers.reader_chain import SealedLink
from gateway.readers.record_log import Batch, Stored
from gateway.readers.recording import Recording, event_of
from gateway.readers.uploads import Told, Upload, UploadOutcome
from gateway.taps.scans import Stored as Kept
from transitpay.errors import Conflict, MalformedInput, RuleViolation
from transitpay.postgres.gates import reader_batches, reader_keys
from transitpay.postgres.gates.reader_keys import ReaderKey
from transitpay.postgres.reference import Role
from transitpay.postgres.trust import list_times
from transitpay.ride_code.records.record import Record, ScanRecord
from transitpay.ride_code.records.record_bytes import parse
from transitpay.ride_code.records.record_chain import Link
from transitpay.ride_code.records.rejudgement import TodaysLists
from transitpay.ride_code.records.sealed_batch import (
    MAX_RECORDS,
    RECORDS_OFFSET,
    SealedBatch,
    chain_next,
    parse_batch,
)
from transitpay.ride_code.signing import batch_accepts, load_point

_READERS = frozenset({Role.READER})
#: So many scans are judged before other requests have their turn.
_JUDGED_AT_ONCE = 8


class DifferenceRow(Outgoing):
    """A scan on which we differ from the reader, and who bears the fare for it."""

    sequence: int
    decision: str
    reason: str | None
    difference: str
    liable: str


class ApartRow(Outgoing):
    """A scan that alone was unfit; it is kept for people."""

    sequence: int
    reason: str | None


class RecordsAnswer(Outgoing):
    """The reader may delete what stands at or below ``acknowledged_through``."""

    first_position: int
    last_position: int
    stored: Literal["new", "known"]
    acknowledged_through: int
    gaps: list[tuple[int, int]]
    differences: list[DifferenceRow]
    apart: list[ApartRow]


async def records(call: Call) -> RecordsAnswer:
    """Store a sealed batch of this reader's records.

    Raises: MalformedInput (``unsupported_media_type``, ``batch_unreadable``), RuleViolation
    (``too_many_records``, ``batch_of_other_reader``, ``unknown_reader_key``,
    ``bad_batch_signature``, ``broken_batch_chain``), Conflict (``reader_key_retired``),
    TemporarilyUnavailable: send the same batch again.
    """
    services, reader = call.services, call.caller.reader
    assert reader is not None, "readers are registered, or they are not let in"
    if call.request.content_type != "application/octet-stream":
        raise MalformedInput("unsupported_media_type", "send application/octet-stream")
    batch, found = read_batch(call.raw)
    async with services.database.connection() as conn:
        known_keys = await reader_keys.keys(conn, reader.id)
    hashes = check_batch(batch, reader.id, known_keys)
    link = _link(batch)
    async with services.database.connection() as conn:
        here = await reader_batches.is_here(conn, reader.id, link)
    received_at = services.clock.now()
    lists = TodaysLists(services.lists.trust, services.lists.deny)
    recording = Recording(
        reader,
        services.judging,
        lists,
        services.partitions.bookable(received_at),
        received_at,
        services.clock.speed,
    )
    scans = [it for it in found if isinstance(it, ScanRecord)]
    if here:
        identities = [recording.identity(it) for it in scans]
        known = await services.record_log.known_batch(reader.id, link, identities)
        return _answer(link, known, scans)
    uploads = await _judged(recording, found, hashes)
    told = await told_of(call, lists, uploads)
    events = [
        event_of(it, record_hash)
        for it, record_hash in zip(found, hashes, strict=True)
        if not isinstance(it, ScanRecord)
    ]
    last_sequence = max((u.key.sequence for u in uploads), default=0)
    sealed = SealedLink(batch.head.sealed_at, call.raw, hashes, events, last_sequence, found[-1].at)
    stored = await services.record_log.store_batch(
        reader, Batch(link, sealed, uploads), told, received_at
    )
    services.count_uploads(stored.outcomes)
    return _answer(link, stored, scans)


def read_batch(body: bytes) -> tuple[SealedBatch, list[Record]]:
    """A batch and its records.

    Raises: MalformedInput (``batch_unreadable``) naming the offset, RuleViolation
    (``too_many_records``).
    """
    try:
        batch = parse_batch(body)
    except MalformedInput as error:
        if error.field == "count" and int.from_bytes(body[6:8]) > MAX_RECORDS:
            raise RuleViolation(
                "too_many_records", f"a batch has at most {MAX_RECORDS} records", field="count"
            ) from None
        raise MalformedInput("batch_unreadable", error.message, field=error.field) from None
    found: list[Record] = []
    offset = RECORDS_OFFSET
    for record in batch.records:
        try:
            found.append(parse(record))
        except MalformedInput as error:
            raise MalformedInput(
                "batch_unreadable",
                f"the record at offset {offset}: {error}",
                field=f"records[{len(found)}]",
            ) from None
        offset += len(record)
    return batch, found


def check_batch(batch: SealedBatch, reader: str, known_keys: list[ReaderKey]) -> tuple[bytes, ...]:
    """The hash of each record, if the batch is this reader's, signed and chained.

    Raises: RuleViolation (``batch_of_other_reader``, ``unknown_reader_key``,
    ``bad_batch_signature``, ``broken_batch_chain``), Conflict (``reader_key_retired``).
    """
    head = batch.head
    if head.reader != reader:
        raise RuleViolation(
            "batch_of_other_reader", "the batch is another reader's", field="reader"
        )
    key = next((it for it in known_keys if it.number == head.key_number), None)
    if key is None:
        raise RuleViolation("unknown_reader_key", "no such key is enrolled", field="key_number")
    doubt = timedelta(seconds=head.uncertainty_s)
    if key.retired_at is not None and head.sealed_at - doubt > key.retired_at:
        raise Conflict(
            "reader_key_retired", "the batch was sealed after its key", field="key_number"
        )
    loaded = load_point(key.public_key)
    assert loaded is not None, "only points are enrolled"
    if not batch_accepts(loaded, batch.signature, batch.signed):
        raise RuleViolation(
            "bad_batch_signature", "the signature is not this key's", field="signature"
        )
    hashes: list[bytes] = []
    before = head.before
    for record in batch.records:
        before = chain_next(before, record)
        hashes.append(before)
    if before != head.after:
        raise RuleViolation(
            "broken_batch_chain", "the records do not lead to the last hash", field="after"
        )
    return tuple(hashes)


async def _judged(
    recording: Recording, found: list[Record], hashes: tuple[bytes, ...]
) -> list[Upload]:
    """The scans judged again; other requests have their turn in between."""
    uploads: list[Upload] = []
    for it, record_hash in zip(found, hashes, strict=True):
        if isinstance(it, ScanRecord):
            uploads.append(recording.upload(it, record_hash))
            if len(uploads) % _JUDGED_AT_ONCE == 0:
                await asyncio.sleep(0)
    return uploads


async def told_of(call: Call, lists: TodaysLists, uploads: list[Upload]) -> Told:
    """Since when the lists say what they say against these scans; mostly nothing is said.

    Raises: TemporarilyUnavailable.
    """
    trust, deny = lists.trust.version, lists.deny.version
    denied: set[tuple[str, str, int]] = set()
    key_ids: set[int] = set()
    for upload in uploads:
        if upload.judged.against and upload.accepted is not None:
            it = upload.accepted.code.authorisation
            denied.add((upload.accepted.issuer, it.rider_id, it.serial))
            key_ids.add(it.key_id)
    if not denied:
        return Told(trust_version=trust, deny_version=deny)
    at = call.services.clock.now()
    compromised = {n: lists.trust.keys[n].compromised_at or at for n in key_ids}
    async with call.services.database.connection() as conn:
        return Told(
            await list_times.denied_since(conn, sorted(denied), at),
            compromised,
            await list_times.issued(conn, "trust", {it.record.versions.trust for it in uploads}),
            await list_times.issued(conn, "deny", {it.record.versions.deny for it in uploads}),
            trust,
            deny,
        )


def _link(batch: SealedBatch) -> Link:
    head = batch.head
    return Link(head.key_number, head.first_position, batch.last_position, head.before, head.after)


def _answer(link: Link, stored: Stored, scans: list[ScanRecord]) -> RecordsAnswer:
    differences: list[DifferenceRow] = []
    apart: list[ApartRow] = []
    for scan, outcome in zip(scans, stored.outcomes, strict=True):
        if outcome.word is None:
            apart.append(ApartRow(sequence=scan.sequence, reason=outcome.reason))
        elif (row := _difference(scan, outcome)) is not None:
            differences.append(row)
    return RecordsAnswer(
        first_position=link.first,
        last_position=link.last,
        stored="new" if stored.is_new else "known",
        acknowledged_through=stored.acknowledged_through,
        gaps=list(stored.gaps),
        differences=differences,
        apart=apart,
    )


def _difference(scan: ScanRecord, outcome: UploadOutcome) -> DifferenceRow | None:
    word = outcome.word
    if word is None or word.difference is None or word.liable is None:
        return None
    assert outcome.stored in (Kept.NEW, Kept.KNOWN)
    return DifferenceRow(
        sequence=scan.sequence,
        decision=word.decision,
        reason=word.reason,
        difference=word.difference,
        liable=word.liable,
    )


ROUTES = (
    Route(
        "POST", "/v1/readers/records", records, "Upload a sealed batch", _READERS,
        answer=RecordsAnswer, body_limit=LARGE_BODY, raw_body=True,
        takes="application/octet-stream", decommissioned=True,
        errors=(
            "unsupported_media_type", "batch_unreadable", "too_many_records",
            "batch_of_other_reader", "unknown_reader_key", "reader_key_retired",
            "bad_batch_signature", "broken_batch_chain",
        ),
    ),
)  # fmt: skip
