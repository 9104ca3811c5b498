"""What readers call: online taps, and batches of offline records."""

from __future__ import annotations

from gateway.http.web import LARGE_BODY, Call, Route
from gateway.readers.record_api import told_of
from gateway.readers.recording import Recording, record_of
from gateway.taps.scans import Decision, JudgedScan, Outcome, Stored
from gateway.taps.tap_models import (
    BatchAnswer,
    BatchRequest,
    BatchResult,
    Signal,
    TapAnswer,
    TapRequest,
)
from gateway.taps.texts import ACCEPTED, refusal_text
from transitpay.errors import Conflict, RuleViolation
from transitpay.postgres import reference
from transitpay.postgres.gates import reader_keys
from transitpay.postgres.reference import ReaderRegistration, Role
from transitpay.ride_code.records.rejudgement import TodaysLists

_READERS = frozenset({Role.READER})


def _reader(call: Call) -> ReaderRegistration:
    reader = call.caller.reader
    assert reader is not None, "readers are registered, or they are not let in"
    return reader


async def tap(call: Call) -> TapAnswer:
    """Decide one scan; the answer leaves after the decision is durable.

    Raises: Conflict (``sequence_conflict``), RuleViolation (``day_out_of_range``),
    TemporarilyUnavailable.
    """
    services, asked = call.services, call.body_as(TapRequest)
    lists = services.lists
    scan = services.judging.online(
        asked, _reader(call), lists.trust, lists.deny, services.clock.now()
    )
    outcome = (await services.online.append([scan]))[0]
    _count(call, scan, outcome)
    if outcome.stored is Stored.CONFLICT:
        raise Conflict(
            "sequence_conflict",
            "this sequence was used for another request of this day",
            field="sequence",
        )
    if outcome.decision is None:
        raise RuleViolation("day_out_of_range", "no scan of this day is taken any more", field="at")
    return tap_answer(asked.sequence, outcome)


def tap_answer(sequence: int, outcome: Outcome) -> TapAnswer:
    """What the reader is told; a gate opens for ``accepted`` and for nothing else."""
    opens = outcome.decision is Decision.ACCEPTED
    signal: Signal = "red"
    text = ACCEPTED
    # Who is answered already sees the first answer again, and the gate stays as it is.
    if opens or outcome.decision is Decision.ALREADY_ANSWERED:
        signal = "amber" if outcome.flags else "green"
    else:
        text = refusal_text(outcome.reason)
    assert outcome.decision is not None
    return TapAnswer.model_construct(
        sequence=sequence,
        decision=outcome.decision.value,
        open=opens,
        signal=signal,
        reason=outcome.reason,
        text=text,
        flags=list(outcome.flags),
    )


async def batch(call: Call) -> BatchAnswer:
    """Store what a reader without a key did, then how far it has reported.

    Raises: RuleViolation (``sealed_records_needed``), TemporarilyUnavailable: upload the same
    batch again.
    """
    services, asked, reader = call.services, call.body_as(BatchRequest), _reader(call)
    async with services.database.connection() as conn:
        if await reader_keys.has_key(conn, reader.id):
            raise RuleViolation("sealed_records_needed", "this reader signs its records")
    lists, now = TodaysLists(services.lists.trust, services.lists.deny), services.clock.now()
    recording = Recording(
        reader,
        services.judging,
        lists,
        services.partitions.bookable(now),
        now,
        services.clock.speed,
    )
    uploads = [
        recording.upload(record_of(it, reader), own_word=it.reader_reason) for it in asked.records
    ]
    told = await told_of(call, lists, uploads)
    outcomes = await services.record_log.store_loose(reader, uploads, told, now)
    services.count_uploads(outcomes)
    await _reported(call, asked.last_sequence, asked)
    return BatchAnswer(
        results=[
            BatchResult(
                sequence=upload.key.sequence,
                at=upload.row.at,
                stored=outcome.stored.value,
                decision=outcome.word.decision.value if outcome.word else None,
                reason=outcome.reason,
                difference=outcome.word.difference if outcome.word else None,
                liable=outcome.word.liable if outcome.word else None,
            )
            for upload, outcome in zip(uploads, outcomes, strict=True)
        ]
    )


async def _reported(call: Call, last_sequence: int, asked: BatchRequest) -> None:
    """A reader cannot have reported a time that has not come: its word is cut to our clock."""
    now = call.services.clock.now()
    async with call.services.database.transaction() as conn:
        await reference.put_reader_status(
            conn, _reader(call).id, last_sequence, min(asked.through_at, now), now
        )


def _count(call: Call, scan: JudgedScan, outcome: Outcome) -> None:
    call.services.numbers.scans.inc(
        tier=scan.row.tier,
        decision=outcome.decision.value if outcome.decision else "none",
        stored=outcome.stored.value,
    )


ROUTES = (
    Route(
        "POST", "/v1/taps", tap, "Decide one scan", _READERS,
        body=TapRequest, answer=TapAnswer, errors=("sequence_conflict", "day_out_of_range"),
    ),
    Route(
        "POST", "/v1/taps/batch", batch, "Upload what an offline reader did", _READERS,
        body=BatchRequest, answer=BatchAnswer, body_limit=LARGE_BODY,
        errors=("sealed_records_needed",),
    ),
)  # fmt: skip
