"""Record tables: found by bisection, checked, and one made of another by a stream of changes."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transitpay.ride_code.lists.record_table import (
    PUT,
    REMOVE,
    RecordTable,
    apply,
    changes_between,
    changes_over,
)

#: Records of 5 bytes: a key of 2 and 3 more. Few keys, so that old and new meet often.
CONTENT = st.dictionaries(st.integers(0, 40), st.integers(0, 3), max_size=30)


def table(content: dict[int, int]) -> RecordTable:
    records = b"".join(struct.pack(">HBH", k, 0, content[k]) for k in sorted(content))
    return RecordTable.over(records, 5, 2)


def applied(old: RecordTable, changes: bytes) -> bytes:
    return b"".join(apply(old, changes_over(changes, old)))


@given(CONTENT, CONTENT)
def test_the_changes_between_two_tables_make_the_one_of_the_other(
    old: dict[int, int], new: dict[int, int]
) -> None:
    changes = changes_between(table(old), table(new))
    assert applied(table(old), changes) == table(new).records
    assert changes_over(changes, table(old)).is_sorted()
    different = {k for k in old.keys() | new.keys() if old.get(k) != new.get(k)}
    assert len(changes) == 6 * len(different), "what is equal is no change"


@given(CONTENT, st.integers(-1, 41))
def test_a_record_is_found_by_its_key_and_by_no_other(content: dict[int, int], key: int) -> None:
    if key < 0:
        return
    found = table(content).find(key.to_bytes(2, "big"))
    expected = struct.pack(">HBH", key, 0, content[key]) if key in content else None
    assert (None if found is None else bytes(found)) == expected


def test_large_tables_differ_by_what_differs_however_far_it_moves_the_rest() -> None:
    old = {k: 1 for k in range(0, 60_000, 2)}
    new = old | {1: 1, 20_000: 2} | {59_999: 1}
    del new[40_000]
    changes = changes_between(table(old), table(new))
    assert len(changes) == 6 * 4
    assert applied(table(old), changes) == table(new).records


def test_the_removal_of_a_key_that_is_not_there_changes_nothing() -> None:
    old = table({1: 1, 5: 1})
    gone = struct.pack(">BHBH", REMOVE, 3, 0, 0) + struct.pack(">BHBH", PUT, 4, 0, 1)
    assert applied(old, gone) == table({1: 1, 4: 1, 5: 1}).records


@pytest.mark.parametrize(
    ("keys", "expected"),
    [([], True), ([0], True), ([0, 1], True), ([1, 1], False), ([2, 1], False), ([0, 0], False)],
)
def test_a_table_whose_keys_do_not_rise_is_seen(keys: list[int], expected: bool) -> None:
    records = b"".join(struct.pack(">HBH", k, 0, 0) for k in keys)
    assert RecordTable.over(records, 5, 2).is_sorted() is expected


def test_disorder_is_seen_where_one_block_ends_and_the_next_begins() -> None:
    keys = [*range(4096), 4095, *range(4097, 5000)]
    records = b"".join(struct.pack(">HBH", k, 0, 0) for k in keys)
    assert not RecordTable.over(records, 5, 2).is_sorted()


def test_a_table_may_lie_in_a_memory_mapped_file(tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_bytes(bytes(table({1: 2, 7: 3}).records))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        view = memoryview(mapped)
        mapped_table = RecordTable.over(view, 5, 2)
        found = mapped_table.find((7).to_bytes(2, "big"))
        assert found is not None and bytes(found) == struct.pack(">HBH", 7, 0, 3)
        found.release()
        mapped_table.records.release()
        view.release()
