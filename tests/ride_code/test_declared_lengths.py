"""Lists, deltas, records and batches whose lengths and counts are not those of what is there."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from transitpay.errors import MalformedInput
from transitpay.ride_code.golden import protocol as protocol_vectors
from transitpay.ride_code.lists.list_taking import Refused, Wanted, take
from transitpay.ride_code.lists.signed_list import ListKind, SignedList
from transitpay.ride_code.records import record_bytes
from transitpay.ride_code.records.sealed_batch import parse_batch

FILE = protocol_vectors.read_vectors(protocol_vectors.shipped_text())
SOURCES = {vector.name: vector.source for vector in FILE.vectors}
AT = datetime(2026, 7, 1, 4, 0, tzinfo=UTC)


def data_of(name: str, field: str = "hex") -> bytes:
    return bytes.fromhex(str(SOURCES[name][field]))


def declared(data: bytes, offset: int, length: int) -> list[bytes]:
    """The same bytes with every other number near the one that is told, and at its edges."""
    told = int.from_bytes(data[offset : offset + length], "big")
    top = 256**length - 1
    others = {0, 1, top, top // 2, *range(max(0, told - 300), min(top, told + 300) + 1)} - {told}
    return [
        data[:offset] + n.to_bytes(length, "big") + data[offset + length :] for n in sorted(others)
    ]


def test_case_27_a_list_with_another_count_is_unreadable() -> None:
    for name, offset, held in (
        ("list-deny-whole", 28, None), ("delta-put-replace-remove", 16, "held"),
    ):  # fmt: skip
        before = SignedList.parse(data_of(name, held)) if held else None
        for data in declared(data_of(name), offset, 4):
            found = take(data, before, Wanted(ListKind.DENY, FILE.roots), AT)
            assert isinstance(found, Refused) and found.reason == "list_unreadable"


@pytest.mark.parametrize("name", ["record-scan", "record-boot", "record-event-1"])
def test_case_27_a_record_of_another_length_is_none(name: str) -> None:
    for data in declared(data_of(name), 2, 2):
        with pytest.raises(MalformedInput) as caught:
            record_bytes.parse(data)
        assert (caught.value.code, caught.value.field) == ("bad_record", "length")


def test_case_27_a_text_or_code_of_another_length_is_no_record() -> None:
    scan = data_of("record-scan")
    for offset, length in ((56, 1), (61, 1), (64, 2)):
        others = declared(scan, offset, length)
        assert others
        for data in others:
            with pytest.raises(MalformedInput) as caught:
                record_bytes.parse(data)
            assert caught.value.code == "bad_record"


@pytest.mark.parametrize(("offset", "length"), [(6, 2), (28, 4), (194, 2)])
def test_case_27_a_batch_with_another_count_or_length_is_none(offset: int, length: int) -> None:
    for data in declared(data_of("batch-first"), offset, length):
        with pytest.raises(MalformedInput) as caught:
            parse_batch(data)
        assert caught.value.code == "bad_batch"
