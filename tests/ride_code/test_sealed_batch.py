"""The chain and the sealed batch: cut, chained and signed as the page says, and nothing else."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from transitpay.errors import MalformedInput
from transitpay.ride_code import keys, signing
from transitpay.ride_code.records.record import EventKind, EventRecord
from transitpay.ride_code.records.record_bytes import encode
from transitpay.ride_code.records.sealed_batch import (
    MAX_LENGTH,
    BatchHead,
    chain_end,
    chain_next,
    chain_start,
    encode_head,
    head_of,
    parse_batch,
    seal,
)

AT = datetime(2026, 7, 1, 4, 0, 0, 250_000, tzinfo=UTC)
KEY = keys.generate_device_key()
POINT = keys.public_bytes(KEY)
RECORDS = [encode(EventRecord(n, AT, 0, EventKind.STORE_FULL)) for n in range(5, 9)]
START = chain_start("mtr-in-1", POINT)
HEAD = head_of("mtr-in-1", 2, 5, START, RECORDS, AT, 7)


def body(head: BatchHead = HEAD, records: list[bytes] = RECORDS) -> bytes:
    signed = encode_head(head)
    return seal(signed, signing.sign_batch(signed, KEY), records)


def field(data: bytes) -> str:
    with pytest.raises(MalformedInput) as refused:
        parse_batch(data)
    assert refused.value.code == "bad_batch"
    return str(refused.value.field)


def changed(offset: int, value: bytes) -> bytes:
    data = bytearray(body())
    data[offset : offset + len(value)] = value
    return bytes(data)


def test_a_batch_comes_back_and_its_signature_and_chain_hold() -> None:
    found = parse_batch(body())
    assert found.head == HEAD and list(found.records) == RECORDS and found.last_position == 8
    assert found.signed == body()[:128] == encode_head(HEAD)
    assert found.chain_holds()
    assert signing.batch_accepts(KEY.public_key(), found.signature, found.signed)
    other = keys.generate_device_key()
    assert not signing.batch_accepts(other.public_key(), found.signature, found.signed)


def test_the_chain_begins_with_the_reader_and_its_key() -> None:
    tag = b"TransitPay/record/v1\x00"
    start = hashlib.sha256(tag + b"mtr-in-1".ljust(32, b"\x00") + POINT).digest()
    assert start == START
    first = hashlib.sha256(tag + start + RECORDS[0]).digest()
    assert chain_next(START, RECORDS[0]) == first
    assert chain_end(START, RECORDS[:1]) == first and chain_end(START, []) == START
    assert chain_start("mtr-in-2", POINT) != START
    assert chain_start("mtr-in-1", keys.public_bytes(keys.generate_device_key())) != START


def test_the_head_has_its_fields_where_the_page_says() -> None:
    head = encode_head(HEAD)
    assert len(head) == 128 and head[:4] == b"TPB1"
    assert (int.from_bytes(head[4:6]), int.from_bytes(head[6:8])) == (2, 4)
    assert int.from_bytes(head[8:16]) == 5
    assert int.from_bytes(head[16:24]) == int(AT.timestamp() * 1000)
    assert (int.from_bytes(head[24:26]), head[26:28]) == (7, b"\x00\x00")
    assert int.from_bytes(head[28:32]) == sum(map(len, RECORDS)) == len(body()) - 192
    assert head[32:64] == b"mtr-in-1".ljust(32, b"\x00")
    assert (head[64:96], head[96:128]) == (START, chain_end(START, RECORDS))


def test_a_changed_record_breaks_the_chain_and_a_changed_head_the_signature() -> None:
    spoiled = parse_batch(changed(192 + 26, b"\x09"))
    assert not spoiled.chain_holds()
    moved = parse_batch(changed(24, b"\x00\x08"))
    assert not signing.batch_accepts(KEY.public_key(), moved.signature, moved.signed)


def test_every_truncation_and_every_byte_too_many_is_refused() -> None:
    data = body()
    for end in range(len(data)):
        assert field(data[:end]) in ("length", "records_length")
        if end > 192:  # a head that agrees with the truncation does not help
            short = bytearray(data[:end])
            short[28:32] = (end - 192).to_bytes(4)
            assert field(bytes(short)).split("[")[0] in ("records", "records_length")
    assert field(data + b"\x00") == "records_length"
    longer = bytearray(data + b"\x00")
    longer[28:32] = (len(longer) - 192).to_bytes(4)
    assert field(bytes(longer)) == "count"


@pytest.mark.parametrize(
    ("offset", "value", "named"),
    [
        (0, b"TPB2", "magic"), (4, b"\x00\x00", "key_number"), (6, b"\x00\x00", "count"),
        (6, b"\x01\xf5", "count"), (6, b"\x00\x03", "count"), (6, b"\x00\x05", "records[4]"),
        (8, bytes(8), "first_position"), (8, b"\xff", "first_position"),
        (8, (6).to_bytes(8), "records[0]"), (16, b"\xff", "sealed_at"), (26, b"\x00\x01", "zero"),
        (28, bytes(4), "records_length"), (32, bytes(32), "reader"), (33, b"\x00", "reader"),
        (192 + 2, b"\x00\x15", "records[0]"), (192 + 2, b"\xff\xff", "records[0]"),
    ],
)  # fmt: skip
def test_a_head_without_a_meaning_is_refused_by_name(offset: int, value: bytes, named: str) -> None:
    assert field(changed(offset, value)) == named


def test_five_hundred_records_are_the_most() -> None:
    many = [encode(EventRecord(n, AT, 0, EventKind.STORE_FULL)) for n in range(1, 502)]
    whole = parse_batch(body(head_of("r", 1, 1, START, many[:500], AT, 0), many[:500]))
    assert len(whole.records) == 500 and whole.chain_holds()
    with pytest.raises(MalformedInput) as refused:
        encode_head(head_of("r", 1, 1, START, many, AT, 0))
    assert refused.value.field == "count"


def test_a_body_above_one_mebibyte_is_refused_before_it_is_read() -> None:
    assert field(bytes(MAX_LENGTH + 1)) == "length"


def test_a_reader_key_is_proved_for_one_reader_and_by_its_own_private_half() -> None:
    proof = signing.prove_reader_key("mtr-in-1", KEY)
    assert signing.reader_key_proved("mtr-in-1", POINT, proof)
    assert not signing.reader_key_proved("mtr-in-2", POINT, proof)
    stranger = keys.public_bytes(keys.generate_device_key())
    assert not signing.reader_key_proved("mtr-in-1", stranger, proof)
    assert not signing.reader_key_proved("mtr-in-1", b"\x02" + bytes(32), proof)
    # The same bytes signed as a batch head are no proof: the tags keep them apart.
    message = b"mtr-in-1".ljust(32, b"\x00") + POINT
    assert not signing.reader_key_proved("mtr-in-1", POINT, signing.sign_batch(message, KEY))


@pytest.mark.parametrize("reader", ["", "x" * 33, "a b", "小巴", "a\x00b"])
def test_an_id_that_fits_no_id_field_is_refused(reader: str) -> None:
    with pytest.raises(MalformedInput) as refused:
        encode_head(replace(HEAD, reader=reader))
    assert refused.value.code == "bad_id"
