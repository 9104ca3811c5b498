"""The bytes of a reader's records: record <-> bytes.

The layout stands in docs/reader-protocol.md. Reading is strict: every byte is accounted for, and
``parse(encode(record)) == record`` for every record there can be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import TypeVar, assert_never

from transitpay.errors import MalformedInput
from transitpay.ride_code.reasons import NUMBERS, Reason
from transitpay.ride_code.records.record import (
    BootRecord,
    DecidedBy,
    Decision,
    EventKind,
    EventRecord,
    ListVersions,
    Mode,
    OutcomeRecord,
    Passage,
    Place,
    Record,
    ScanRecord,
)
from transitpay.taps import Direction

T = TypeVar("T")

HEADER_LENGTH = 22
#: The longest code that is kept; a scanner gives no more.
MAX_CODE_LENGTH = 2048
MAX_TEXT_LENGTH = 64
#: u as it stands in a record; this much or more.
MAX_UNCERTAINTY_S = 0xFFFF
NO_STOP_INDEX = 0xFF
NO_STAGE_FARE = 0xFFFFFFFF

_HEADER = Struct(">BBHQQH")
_SCAN = Struct(">QBBBBIBBIIII")
_OUTCOME = Struct(">QB")
_BOOT = Struct(">IB")
_EVENT = Struct(">BI")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LAST_MS = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
_REASONS = {number: reason for reason, number in NUMBERS.items()}
_FLAG_BITS = sum(1 << number for number in _REASONS)
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_DIRECTIONS, _DECIDERS, _DECISIONS = tuple(Direction), tuple(DecidedBy), tuple(Decision)
_MODES, _PASSAGES, _EVENTS = tuple(Mode), tuple(Passage), tuple(EventKind)
_TEXTS = ("stop", "route", "variant", "vehicle", "trip")


def whole_ms(at: datetime) -> datetime:
    """The same instant in UTC without the fraction of its millisecond."""
    return _EPOCH + (at - _EPOCH) // _MILLISECOND * _MILLISECOND


def write_ms(at: datetime) -> int:
    """Milliseconds since 1970. Raises: MalformedInput (``bad_record``)."""
    ms, rest = divmod(at - _EPOCH, _MILLISECOND)
    if rest or ms < 0:
        raise refusal("at", "must be whole milliseconds since 1970")
    return ms


def read_ms(ms: int) -> datetime:
    """The instant. Raises: MalformedInput (``bad_record``)."""
    if ms > _LAST_MS:
        raise refusal("at", "must lie before the year 10000")
    return _EPOCH + ms * _MILLISECOND


def encode(record: Record) -> bytes:
    """The bytes of a record.

    Raises: MalformedInput (``bad_record``) naming the field that is out of its range.
    """
    match record:
        case ScanRecord():
            kind, body = 1, _write_scan(record)
        case OutcomeRecord():
            _within("sequence", record.sequence, 1, 2**63 - 1)
            kind, body = 2, _OUTCOME.pack(record.sequence, _number(_PASSAGES, record.passage))
        case BootRecord():
            _within("boot", record.boot, 1, 2**31 - 1)
            kind, body = (
                3,
                _BOOT.pack(record.boot, record.clean) + _write_text("software", record.software),
            )
        case EventRecord():
            _within("count", record.count, 0, 2**32 - 1)
            kind, body = 4, _EVENT.pack(_number(_EVENTS, record.kind), record.count)
        case _:
            assert_never(record)
    _within("position", record.position, 1, 2**63 - 1)
    _within("uncertainty_s", record.uncertainty_s, 0, MAX_UNCERTAINTY_S)
    length, at = HEADER_LENGTH + len(body), write_ms(record.at)
    return _HEADER.pack(kind, 0, length, record.position, at, record.uncertainty_s) + body


def parse(data: bytes) -> Record:
    """Read the bytes of one record; every one of them is accounted for.

    Raises: MalformedInput (``bad_record``) naming the field.
    """
    if len(data) < HEADER_LENGTH:
        raise refusal("length", f"a record has at least {HEADER_LENGTH} bytes")
    kind, zero, length, position, at_ms, doubt = _HEADER.unpack_from(data)
    if length != len(data):
        raise refusal("length", f"says {length} bytes and has {len(data)}")
    if zero:
        raise refusal("zero", "must be zero")
    _within("position", position, 1, 2**63 - 1)
    read = _READERS.get(kind)
    if read is None:
        raise refusal("type", f"{kind} is no type of record")
    rest = _Rest(data, HEADER_LENGTH)
    record = read(rest, position, read_ms(at_ms), doubt)
    rest.end()
    return record


def refusal(field: str, why: str) -> MalformedInput:
    """The error of bytes or values that are no record."""
    return MalformedInput("bad_record", why, field=field)


@dataclass(slots=True)
class _Rest:
    """What of a record has not been read."""

    data: bytes
    offset: int

    def take(self, field: str, length: int) -> bytes:
        end = self.offset + length
        if end > len(self.data):
            raise refusal(field, "the record ends before it")
        found = self.data[self.offset : end]
        self.offset = end
        return found

    def unpack(self, field: str, form: Struct) -> tuple[int, ...]:
        return form.unpack(self.take(field, form.size))

    def text(self, field: str) -> str:
        length = self.take(field, 1)[0]
        if not length:
            return ""
        try:
            text = self.take(field, length).decode()
        except UnicodeDecodeError:
            raise refusal(field, "is not UTF-8") from None
        _check_text(field, text, length)
        return text

    def end(self) -> None:
        if self.offset != len(self.data):
            raise refusal("length", f"{len(self.data) - self.offset} bytes belong to no field")


def _write_scan(it: ScanRecord) -> bytes:
    """A scan from offset 22 on."""
    place = it.place
    _within("sequence", it.sequence, 1, 2**63 - 1)
    if (it.reason is None) != (it.decision is Decision.ACCEPTED):
        raise refusal("reason", "stands exactly where the scan was not accepted")
    stop_index = NO_STOP_INDEX
    if place.stop_index is not None:
        _within("stop_index", place.stop_index, 0, NO_STOP_INDEX - 1)
        stop_index = place.stop_index
    fare = NO_STAGE_FARE
    if it.stage_fare_minor is not None:
        _within("stage_fare_minor", it.stage_fare_minor, 0, NO_STAGE_FARE - 1)
        fare = it.stage_fare_minor
    for name in ("trust", "deny", "config"):
        _within(name, getattr(it.versions, name), 0, 2**32 - 1)
    _within("code", len(it.code), 0, MAX_CODE_LENGTH)
    if it.flags != _flags_of(_bits_of(it.flags)):
        raise refusal("flags", "stand once each, in the order of reasons")
    fixed = _SCAN.pack(
        it.sequence, _number(_DIRECTIONS, it.direction), _number(_DECIDERS, it.decided_by),
        _number(_DECISIONS, it.decision), 0 if it.reason is None else NUMBERS[it.reason],
        _bits_of(it.flags), _MODES.index(it.mode), stop_index,
        it.versions.trust, it.versions.deny, it.versions.config, fare,
    )  # fmt: skip
    texts = b"".join(_write_text(name, getattr(place, name) or "") for name in _TEXTS)
    return fixed + texts + len(it.code).to_bytes(2) + it.code


def _read_scan(rest: _Rest, position: int, at: datetime, doubt: int) -> ScanRecord:
    (
        sequence, direction, decider, decision, reason, flags, mode, stop_index,
        trust, deny, config, fare,
    ) = rest.unpack("scan", _SCAN)  # fmt: skip
    _within("sequence", sequence, 1, 2**63 - 1)
    if reason and reason not in _REASONS:
        raise refusal("reason", f"{reason} is no number of a reason")
    if mode >= len(_MODES):
        raise refusal("mode", f"{mode} is no number of a mode")
    decided = _member("decision", _DECISIONS, decision)
    if (reason == 0) != (decided is Decision.ACCEPTED):
        raise refusal("reason", "stands exactly where the scan was not accepted")
    stop, route, variant, vehicle, trip = [rest.text(name) or None for name in _TEXTS]
    index = None if stop_index == NO_STOP_INDEX else stop_index
    code = rest.take("code", _checked_code_length(rest))
    return ScanRecord(
        position, at, doubt, sequence,
        _member("direction", _DIRECTIONS, direction), _member("decided_by", _DECIDERS, decider),
        decided, _REASONS.get(reason), _flags_of(flags), _MODES[mode],
        ListVersions(trust, deny, config),
        Place(stop, route, variant, vehicle, trip, index),
        None if fare == NO_STAGE_FARE else fare, code,
    )  # fmt: skip


def _read_outcome(rest: _Rest, position: int, at: datetime, doubt: int) -> OutcomeRecord:
    sequence, passage = rest.unpack("outcome", _OUTCOME)
    _within("sequence", sequence, 1, 2**63 - 1)
    found = _member("passage", _PASSAGES, passage)
    return OutcomeRecord(position, at, doubt, sequence, found)


def _read_boot(rest: _Rest, position: int, at: datetime, doubt: int) -> BootRecord:
    boot, clean = rest.unpack("boot", _BOOT)
    _within("boot", boot, 1, 2**31 - 1)
    _within("clean", clean, 0, 1)
    return BootRecord(position, at, doubt, boot, bool(clean), rest.text("software"))


def _read_event(rest: _Rest, position: int, at: datetime, doubt: int) -> EventRecord:
    kind, count = rest.unpack("event", _EVENT)
    return EventRecord(position, at, doubt, _member("event", _EVENTS, kind), count)


_READERS: dict[int, Callable[[_Rest, int, datetime, int], Record]] = {
    1: _read_scan,
    2: _read_outcome,
    3: _read_boot,
    4: _read_event,
}


def _checked_code_length(rest: _Rest) -> int:
    length = int.from_bytes(rest.take("code", 2))
    _within("code", length, 0, MAX_CODE_LENGTH)
    return length


def _bits_of(flags: tuple[Reason, ...]) -> int:
    return sum({1 << NUMBERS[flag] for flag in flags})


def _flags_of(bits: int) -> tuple[Reason, ...]:
    if not bits:
        return ()
    if bits & ~_FLAG_BITS:
        raise refusal("flags", "a bit is no number of a reason")
    return tuple(reason for reason in Reason if bits >> NUMBERS[reason] & 1)


def _number(members: Sequence[T], member: T) -> int:
    return members.index(member) + 1


def _member(field: str, members: Sequence[T], number: int) -> T:
    if not 1 <= number <= len(members):
        raise refusal(field, f"{number} is none of 1 to {len(members)}")
    return members[number - 1]


def _write_text(field: str, text: str) -> bytes:
    data = text.encode()
    _check_text(field, text, len(data))
    return bytes([len(data)]) + data


def _check_text(field: str, text: str, length: int) -> None:
    if length > MAX_TEXT_LENGTH:
        raise refusal(field, f"has at most {MAX_TEXT_LENGTH} bytes")
    if _CONTROL.search(text):
        raise refusal(field, "holds no control characters")


def _within(field: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise refusal(field, f"{value} is not within {low} to {high}")
