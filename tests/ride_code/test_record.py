"""Records <-> bytes: every byte is accounted for, and the page's offsets are the real ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from luck import examples
from record_strategies import records, scans

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
from transitpay.ride_code.records.record_bytes import encode, parse, whole_ms
from transitpay.taps import Direction

AT = datetime(2026, 7, 1, 4, 0, 0, 250_000, tzinfo=UTC)
SCAN = ScanRecord(
    7, AT, 3, (2 << 32) + 5, Direction.BOARD, DecidedBy.GATEWAY, Decision.REFUSED,
    Reason.PASSBACK, (Reason.WRONG_DESTINATION, Reason.CLOCK_FAULT), Mode.EMERGENCY,
    ListVersions(1, 2, 3), Place("HUH", "1A", None, "bus 9", "t1", 4), 590, b"TP1:x",
)  # fmt: skip
OTHERS: tuple[Record, ...] = (
    OutcomeRecord(8, AT, 0, SCAN.sequence, Passage.TIMED_OUT),
    BootRecord(9, AT, 65535, 3, True, "reader 1.0"),
    EventRecord(10, AT, 0, EventKind.UNRECORDED_SCANS, 12),
)


def why(data: bytes) -> str:
    with pytest.raises(MalformedInput) as refused:
        parse(data)
    assert refused.value.code == "bad_record"
    return str(refused.value.field)


def why_not(record: Record) -> str:
    with pytest.raises(MalformedInput) as refused:
        encode(record)
    assert refused.value.code == "bad_record"
    return str(refused.value.field)


@given(records)
def test_a_record_comes_back_from_its_bytes(record: Record) -> None:
    data = encode(record)
    assert parse(data) == record
    assert encode(parse(data)) == data


@given(records, st.data())
@settings(max_examples=examples(200))
def test_bytes_that_are_read_at_all_are_the_only_spelling_of_their_record(
    record: Record, draw: st.DataObject
) -> None:
    data = bytearray(encode(record))
    data[draw.draw(st.integers(0, len(data) - 1))] ^= 1 << draw.draw(st.integers(0, 7))
    try:
        found = parse(bytes(data))
    except MalformedInput as error:
        assert error.code == "bad_record" and error.field
    else:
        assert encode(found) == bytes(data) and found != record


@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_one_clear_error(data: bytes) -> None:
    try:
        parse(data)
    except MalformedInput as error:
        assert error.code == "bad_record" and error.field


@pytest.mark.parametrize("record", [SCAN, *OTHERS], ids=lambda r: type(r).__name__)
def test_every_truncation_and_every_byte_too_many_is_refused(record: Record) -> None:
    data = encode(record)
    for end in range(len(data)):
        assert why(data[:end]) == "length"
        if end >= 22:  # a length that agrees with the truncation does not help
            assert why(data[:2] + end.to_bytes(2) + data[4:end])
    assert why(data + b"\x00") == "length"
    longer = data[:2] + (len(data) + 1).to_bytes(2) + data[4:] + b"\x00"
    assert why(longer) == "length"


def test_a_scan_has_its_fields_where_the_page_says() -> None:
    data = encode(SCAN)
    assert data[0:2] == b"\x01\x00" and int.from_bytes(data[2:4]) == len(data)
    assert int.from_bytes(data[4:12]) == 7
    assert int.from_bytes(data[12:20]) == int(AT.timestamp() * 1000)
    assert int.from_bytes(data[20:22]) == 3
    assert int.from_bytes(data[22:30]) == (2 << 32) + 5
    assert tuple(data[30:34]) == (3, 2, 2, NUMBERS[Reason.PASSBACK])
    assert int.from_bytes(data[34:38]) == 1 << 13 | 1 << 26
    assert tuple(data[38:40]) == (2, 4)
    assert [int.from_bytes(data[n : n + 4]) for n in (40, 44, 48, 52)] == [1, 2, 3, 590]
    assert data[56:] == b"\x03HUH\x021A\x00\x05bus 9\x02t1" + b"\x00\x05TP1:x"


def test_outcome_boot_and_event_have_their_fields_where_the_page_says() -> None:
    outcome, boot, event = map(encode, OTHERS)
    assert outcome[0] == 2 and outcome[22:] == SCAN.sequence.to_bytes(8) + b"\x03"
    assert boot[0] == 3 and boot[20:] == b"\xff\xff\x00\x00\x00\x03\x01\x0areader 1.0"
    assert event[0] == 4 and event[22:] == b"\x03\x00\x00\x00\x0c"


@pytest.mark.parametrize(
    ("offset", "value", "field"),
    [
        (0, 0, "type"), (0, 5, "type"), (1, 1, "zero"), (30, 0, "direction"), (30, 6, "direction"),
        (31, 0, "decided_by"), (31, 3, "decided_by"), (32, 0, "decision"), (32, 4, "decision"),
        (32, 1, "reason"), (33, 0, "reason"), (33, 30, "reason"), (34, 0x40, "flags"),
        (37, 1, "flags"), (38, 4, "mode"), (57, 0xFF, "stop"), (57, 0x09, "stop"),
        (57, 0x7F, "stop"), (12, 0xFF, "at"),
    ],
)  # fmt: skip
def test_a_value_without_a_meaning_is_refused_by_name(offset: int, value: int, field: str) -> None:
    data = bytearray(encode(SCAN))
    data[offset] = value
    assert why(bytes(data)) == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"position": 0}, "position"), ({"position": 2**63}, "position"),
        ({"sequence": 0}, "sequence"), ({"sequence": 2**63}, "sequence"),
        ({"uncertainty_s": -1}, "uncertainty_s"), ({"uncertainty_s": 65536}, "uncertainty_s"),
        ({"at": AT + timedelta(microseconds=1)}, "at"),
        ({"at": datetime(1969, 12, 31, tzinfo=UTC)}, "at"),
        ({"decision": Decision.ACCEPTED}, "reason"), ({"reason": None}, "reason"),
        ({"flags": (Reason.CLOCK_FAULT, Reason.DENIED)}, "flags"),
        ({"stage_fare_minor": 2**32 - 1}, "stage_fare_minor"),
        ({"versions": ListVersions(deny=2**32)}, "deny"),
        ({"place": Place(route="x" * 65)}, "route"), ({"place": Place(trip="a\nb")}, "trip"),
        ({"place": Place(stop_index=255)}, "stop_index"), ({"code": b"x" * 2049}, "code"),
    ],
)  # fmt: skip
def test_a_value_that_no_record_can_hold_is_refused_by_name(
    changes: dict[str, object], field: str
) -> None:
    assert why_not(SCAN._replace(**changes)) == field  # type: ignore[arg-type] # one field each


def test_the_longest_code_and_texts_fit() -> None:
    most = SCAN._replace(code=b"\xff" * 2048, place=Place(*["x" * 64] * 5, 254))
    assert parse(encode(most)) == most


@given(scans)
def test_a_code_is_kept_as_the_scanner_gave_it(scan: ScanRecord) -> None:
    assert encode(scan).endswith(len(scan.code).to_bytes(2) + scan.code)


def test_an_instant_is_cut_to_its_millisecond() -> None:
    assert whole_ms(AT + timedelta(microseconds=999)) == AT
    assert whole_ms(AT.astimezone()) == AT
