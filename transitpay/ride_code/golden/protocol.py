"""Golden vectors of the reader protocol: lists, records, batches, scans, with frozen answers.

The file is a resource of this package (``vectors/reader-protocol-v1.json``); its form stands in
docs/reader-protocol.md. All keys in it are TEST ONLY.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import assert_never

from transitpay.errors import MalformedInput
from transitpay.ride_code import jsonfields as fields
from transitpay.ride_code import signing
from transitpay.ride_code.golden.protocol_scans import decisions_of
from transitpay.ride_code.golden.ride_codes import Difference
from transitpay.ride_code.lists.config_list import config_values
from transitpay.ride_code.lists.list_taking import Refused, Taken, Unchanged, Wanted, take
from transitpay.ride_code.lists.record_table import RecordTable
from transitpay.ride_code.lists.signed_list import ListKind, SignedList, scope_of, seconds
from transitpay.ride_code.lists.trust_records import trust_list_of
from transitpay.ride_code.records import record_bytes
from transitpay.ride_code.records.record import (
    BootRecord,
    EventRecord,
    OutcomeRecord,
    Record,
    ScanRecord,
)
from transitpay.ride_code.records.sealed_batch import (
    MAX_RECORDS,
    chain_next,
    chain_start,
    parse_batch,
)
from transitpay.ride_code.trust_list import IssuerKey

FORMAT = "transitpay-reader-protocol-vectors/1"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MOST = MAX_RECORDS.to_bytes(2)
_KINDS = {kind.number: kind for kind in ListKind}

#: ``answer`` (read, taken, refused ...), with a refusal ``reason``, else what was read.
Told = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ProtocolVector:
    """One list, record, chain, batch or row of scans, all its answer depends on, and it."""

    name: str
    kind: str
    source: Mapping[str, object]
    expected: Told


@dataclass(frozen=True, slots=True)
class EnrolledKey:
    """A reader's key, and when another one replaced it."""

    public_key: bytes
    retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class ProtocolVectors:
    """A file of vectors: the roots that lists are certified by, readers' keys by number."""

    roots: Mapping[int, bytes]
    readers: Mapping[str, Mapping[int, EnrolledKey]]
    vectors: tuple[ProtocolVector, ...]


def shipped_text() -> str:
    """The vector file of this package, as it is."""
    resource = files("transitpay.ride_code") / "vectors" / "reader-protocol-v1.json"
    return resource.read_text(encoding="utf-8")


def is_this_format(text: str) -> bool:
    """Whether a file says that it holds these vectors. Raises: MalformedInput (``bad_json``)."""
    return fields.load_object(text, "vectors").get("format") == FORMAT


def read_vectors(text: str) -> ProtocolVectors:
    """All vectors of a file, in its order.

    Raises: MalformedInput (``bad_json``, ``bad_field``) naming the field.
    """
    source = fields.load_object(text, "vectors")
    if fields.text(source, "format") != FORMAT:
        raise fields.bad("format", f"must be {FORMAT}")
    found = []
    for i, one in enumerate(fields.objects(source, "vectors")):
        at = f"vectors[{i}]."
        kind = fields.text(one, "kind", at)
        if kind not in _ANSWERS:
            raise fields.bad(at + "kind", f"must be one of {', '.join(_ANSWERS)}")
        expected = fields.as_object(one.get("expect"), at + "expect")
        fields.text(expected, "answer", at + "expect.")
        found.append(ProtocolVector(fields.text(one, "name", at), kind, one, expected))
    if len({vector.name for vector in found}) != len(found) or not found:
        raise fields.bad("vectors", "must hold a vector, and each name once")
    roots = fields.as_object(source.get("roots"), "roots")
    readers = fields.as_object(source.get("readers"), "readers")
    return ProtocolVectors(
        {int(n): fields.hexadecimal(roots, n, "roots.") for n in roots},
        {reader: _enrolled(readers, reader) for reader in readers},
        tuple(found),
    )


def read_answers(text: str) -> dict[str, Told]:
    """Another implementation's answers: vector name -> {answer, reason, ...}.

    Raises: MalformedInput (``bad_json``, ``bad_field``) naming the field.
    """
    source = fields.load_object(text, "answers")
    found = {name: fields.as_object(one, name) for name, one in source.items()}
    for name, one in found.items():
        fields.text(one, "answer", f"{name}.")
    return found


def answer(vector: ProtocolVector, file: ProtocolVectors) -> dict[str, object]:
    """Our answer to a vector. Raises: MalformedInput (``bad_field``) if it is incomplete."""
    return _ANSWERS[vector.kind](vector.source, file)


def compare(file: ProtocolVectors, answers: Mapping[str, Told]) -> list[Difference]:
    """Every vector whose answer is missing or not the expected one, in file order.

    What an answer leaves out is not compared, its ``answer`` and ``reason`` apart.

    Raises: MalformedInput (``unknown_vector``) if an answer is to no vector of the file.
    """
    for name in sorted(set(answers) - {vector.name for vector in file.vectors}):
        raise MalformedInput("unknown_vector", "is no vector of this file", field=name)
    found = []
    for vector in file.vectors:
        given = answers.get(vector.name)
        if given is None or not agrees(vector.expected, given):
            told = None if given is None else _brief(given)
            found.append(Difference(vector.name, _brief(vector.expected), told))
    return found


def agrees(expected: Told, given: Told) -> bool:
    """Whether an answer is the expected one, in all that it tells."""
    told = {**given, "reason": given.get("reason")}
    return all(expected.get(name) == value for name, value in told.items())


def _brief(told: Told) -> str:
    return json.dumps(told, ensure_ascii=True)


def _list_answer(source: Mapping[str, object], file: ProtocolVectors) -> dict[str, object]:
    kind = _KINDS.get(fields.integer(source, "asked_kind", 8))
    scope = source.get("asked_scope")
    if kind is None or not isinstance(scope, str):
        raise fields.bad("asked_kind", "must be 1, 2 or 3, and asked_scope a text")
    held = _held(source, "held")
    now = fields.integer(source, "now", 32)
    found = take(
        bytes.fromhex(_text(source, "hex")), held, Wanted(kind, file.roots, scope_of(scope)),
        _EPOCH + timedelta(seconds=now), fields.integer(source, "uncertainty_s", 16),
    )  # fmt: skip
    match found:
        case Refused(reason):
            return _refused(str(reason))
        case Unchanged():
            return {"answer": "unchanged"}
        case Taken(head):
            return {
                "answer": "taken",
                "list_key_id": head.certificate.key_id,
                "version": head.version,
                "stale": head.is_stale(_EPOCH + timedelta(seconds=now)),
                "records": _list_records(kind, b"".join(found.records())),
            }
        case _:
            assert_never(found)


def _list_records(kind: ListKind, data: bytes) -> list[dict[str, object]]:
    table = kind.table(data)
    match kind:
        case ListKind.TRUST:
            return [_key(key) for key in trust_list_of(1, table).keys.values()]
        case ListKind.DENY:
            return _denied(table)
        case ListKind.CONFIG:
            return [{"name": name, "value": text} for name, text in config_values(table).items()]
        case _:
            assert_never(kind)


def _key(key: IssuerKey) -> dict[str, object]:
    since = key.compromised_at
    return {
        "key_id": key.key_id, "algorithm": str(key.algorithm), "status": str(key.status),
        "test": key.test, "modes": key.modes, "destinations": key.destinations,
        "not_before": seconds(key.not_before), "not_after": seconds(key.not_after),
        "compromised_at": None if since is None else seconds(since),
        "issuer_number": key.issuer_number, "public_key": key.public_key.hex(),
        "issuer": key.issuer,
    }  # fmt: skip


def _denied(table: RecordTable) -> list[dict[str, object]]:
    return [
        {
            "issuer_number": int.from_bytes(record[:2], "big"),
            "rider_id": bytes(record[2:10]).hex(),
            "serial": int.from_bytes(record[10:], "big"),
        }
        for record in table
    ]


def _record_answer(source: Mapping[str, object], file: ProtocolVectors) -> dict[str, object]:
    try:
        record = record_bytes.parse(bytes.fromhex(_text(source, "hex")))
    except MalformedInput as error:
        return _refused(error.code)
    return {
        "answer": "read",
        **_describe(record),
        "position": record.position,
        "at_ms": (record.at - _EPOCH) // _MILLISECOND,
        "uncertainty_s": record.uncertainty_s,
    }


def _describe(record: Record) -> dict[str, object]:
    match record:
        case ScanRecord(place=place, versions=versions):
            return {
                "type": "scan", "sequence": record.sequence, "direction": str(record.direction),
                "decided_by": str(record.decided_by), "decision": str(record.decision),
                "reason": None if record.reason is None else str(record.reason),
                "flags": [str(flag) for flag in record.flags], "mode": str(record.mode),
                "stop_index": place.stop_index, "trust_version": versions.trust,
                "deny_version": versions.deny, "config_version": versions.config,
                "stage_fare_minor": record.stage_fare_minor, "stop": place.stop,
                "route": place.route, "variant": place.variant, "vehicle": place.vehicle,
                "trip": place.trip, "code": record.code.hex(),
            }  # fmt: skip
        case OutcomeRecord():
            return {
                "type": "outcome", "sequence": record.sequence, "outcome": str(record.passage)
            }  # fmt: skip
        case BootRecord():
            return {
                "type": "boot", "boot": record.boot, "clean": record.clean,
                "software": record.software,
            }  # fmt: skip
        case EventRecord():
            return {"type": "event", "event": str(record.kind), "count": record.count}
        case _:
            assert_never(record)


def _chain_answer(source: Mapping[str, object], file: ProtocolVectors) -> dict[str, object]:
    given = source.get("records")
    if not isinstance(given, list):
        raise fields.bad("records", "must be a list")
    start = chain_start(fields.text(source, "reader"), fields.hexadecimal(source, "public_key"))
    hashes = [start]
    for record in given:
        hashes.append(chain_next(hashes[-1], bytes.fromhex(str(record))))
    return {"answer": "hashes", "hashes": [found.hex() for found in hashes]}


def _batch_answer(source: Mapping[str, object], file: ProtocolVectors) -> dict[str, object]:
    reader = fields.text(source, "reader")
    try:
        batch = parse_batch(bytes.fromhex(_text(source, "hex")))
    except MalformedInput as error:
        many = error.field == "count" and bytes.fromhex(_text(source, "hex"))[6:8] > _MOST
        return _refused("too_many_records" if many else "batch_unreadable")
    head = batch.head
    if not all(_is_record(record) for record in batch.records):
        return _refused("batch_unreadable")
    if head.reader != reader:
        return _refused("batch_of_other_reader")
    key = file.readers.get(reader, {}).get(head.key_number)
    if key is None:
        return _refused("unknown_reader_key")
    sealed_at = head.sealed_at - timedelta(seconds=head.uncertainty_s)
    if key.retired_at is not None and sealed_at > key.retired_at:
        return _refused("reader_key_retired")
    if not signing.tagged_accepts(key.public_key, signing.BATCH_TAG, batch.signature, batch.signed):
        return _refused("bad_batch_signature")
    if not batch.chain_holds():
        return _refused("broken_batch_chain")
    return {
        "answer": "opened", "key_number": head.key_number, "first_position": head.first_position,
        "count": head.count, "sealed_at_ms": (head.sealed_at - _EPOCH) // _MILLISECOND,
        "uncertainty_s": head.uncertainty_s,
    }  # fmt: skip


def _scans_answer(source: Mapping[str, object], file: ProtocolVectors) -> dict[str, object]:
    held = {name: _held(source, name) for name in ("trust", "deny", "config")}
    events = fields.objects(source, "events")
    return {"answer": "decided", "decisions": decisions_of(held, events)}


def _held(source: Mapping[str, object], name: str) -> SignedList | None:
    if source.get(name) is None:
        return None
    return SignedList.parse(fields.hexadecimal(source, name))


def _is_record(data: bytes) -> bool:
    try:
        record_bytes.parse(data)
    except MalformedInput:
        return False
    return True


_ANSWERS: dict[str, Callable[[Mapping[str, object], ProtocolVectors], dict[str, object]]] = {
    "list": _list_answer,
    "record": _record_answer,
    "chain": _chain_answer,
    "batch": _batch_answer,
    "scans": _scans_answer,
}


def _refused(reason: str) -> dict[str, object]:
    return {"answer": "refused", "reason": reason}


def _enrolled(readers: Mapping[str, object], reader: str) -> dict[int, EnrolledKey]:
    found: dict[int, EnrolledKey] = {}
    for number, value in fields.as_object(readers.get(reader), f"readers.{reader}").items():
        at = f"readers.{reader}.{number}."
        key = fields.as_object(value, at)
        retired = None
        if key.get("retired_at_ms") is not None:
            retired = _EPOCH + fields.integer(key, "retired_at_ms", 47, at) * _MILLISECOND
        found[int(number)] = EnrolledKey(fields.hexadecimal(key, "public_key", at), retired)
    return found


def _text(source: Mapping[str, object], name: str) -> str:
    """A text that may be empty. Raises: MalformedInput (``bad_field``)."""
    value = source.get(name)
    if not isinstance(value, str):
        raise fields.bad(name, "must be a text")
    return value
