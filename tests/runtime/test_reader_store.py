"""The file-backed record store: durable before it answers, cut where it was torn, never forked."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from transitpay.errors import Conflict, MalformedInput, TemporarilyUnavailable
from transitpay.ride_code import keys
from transitpay.ride_code.records.record import (
    BootRecord,
    DecidedBy,
    Decision,
    EventKind,
    EventRecord,
    ListVersions,
    Mode,
    Place,
    ScanRecord,
)
from transitpay.ride_code.records.record_bytes import encode, parse
from transitpay.ride_code.records.sealed_batch import chain_end, chain_start
from transitpay.runtime import record_segments
from transitpay.runtime.reader_store import ReaderStore, StoreKey, open_store
from transitpay.taps import Direction

AT = datetime(2026, 7, 1, 4, tzinfo=UTC)
KEY = StoreKey("g1", 1, keys.public_bytes(keys.generate_device_key()))
START = chain_start(KEY.reader, KEY.public_key)


def record(position: int, count: int = 0) -> bytes:
    return encode(EventRecord(position, AT, 0, EventKind.UNRECORDED_SCANS, count))


def fill(store: ReaderStore, count: int) -> None:
    for position in range(store.last_position + 1, store.last_position + count + 1):
        store.append(position, record(position))


def power_off(store: ReaderStore) -> None:
    """The process is gone; nothing was closed in good order."""
    store._close_file()
    os.close(store._lock)


def newest(folder: Path) -> Path:
    return max(folder.glob("*.records"))


def _scan(code: bytes) -> ScanRecord:
    return ScanRecord(
        1, AT, 0, (1 << 32) + 1, Direction.ENTRY, DecidedBy.READER, Decision.ACCEPTED, None, (),
        Mode.NORMAL, ListVersions(), Place("HUH"), None, code,
    )  # fmt: skip


def _at(scan: ScanRecord, position: int) -> ScanRecord:
    return scan._replace(position=position, at=AT + timedelta(seconds=position))


def parse_scan(data: bytes) -> ScanRecord:
    found = parse(data)
    assert isinstance(found, ScanRecord)
    return found


def test_a_store_that_need_not_be_durable_outlives_its_process_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    store = open_store(tmp_path, KEY, durable=False)
    monkeypatch.setattr(os, "fsync", synced.append)
    monkeypatch.setattr(os, "fdatasync", synced.append)
    fill(store, 3)
    store.acknowledge(2)
    assert synced == []
    power_off(store)
    again = open_store(tmp_path, KEY)
    assert (again.last_position, again.acknowledged) == (3, 2)
    fill(again, 1)
    assert synced != [], "by default each record is on the disk"


def test_a_new_store_begins_with_boot_one_and_position_one(tmp_path: Path) -> None:
    store = open_store(tmp_path, KEY)
    assert (store.boot, store.last_position, store.acknowledged) == (1, 0, 0)
    assert store.ended_clean and list(store.memory().records) == []
    fill(store, 3)
    found = store.chunk(1, 500)
    assert found is not None and (found.before, len(found.records)) == (START, 3)
    store.close()


def test_records_and_chain_are_there_again_after_a_restart(tmp_path: Path) -> None:
    store = open_store(tmp_path, KEY, segment_records=2)
    fill(store, 5)
    store.close()
    again = open_store(tmp_path, KEY, segment_records=2)
    assert (again.boot, again.ended_clean, again.last_position) == (2, True, 5)
    fill(again, 2)
    chunks = [again.chunk(n, 500) for n in (1, 3, 5, 7)]
    records = [r for chunk in chunks if chunk is not None for r in chunk.records]
    assert records == [record(n) for n in range(1, 8)]
    last = chunks[-1]
    assert last is not None and last.before == chain_end(START, records[:6])
    again.close()


def test_a_chunk_has_at_most_the_records_asked_for_and_those_of_one_file(tmp_path: Path) -> None:
    store = open_store(tmp_path, KEY, segment_records=4)
    fill(store, 6)
    for first, limit, length in ((1, 3, 3), (2, 500, 3), (5, 500, 2), (6, 1, 1)):
        found = store.chunk(first, limit)
        assert found is not None and len(found.records) == length
        assert found.before == chain_end(START, [record(n) for n in range(1, first)])
    assert store.chunk(7, 500) is None
    store.close()


def test_a_chunk_fits_a_batch_whatever_was_scanned(tmp_path: Path) -> None:
    store = open_store(tmp_path, KEY)
    scan = _scan(b"\xff" * 2048)
    for position in range(1, 500):
        store.append(position, encode(_at(scan, position)))
    found = store.chunk(1, 500)
    assert found is not None and 400 < len(found.records) < 499
    assert sum(map(len, found.records)) <= 1024 * 1024 - 192
    store.close()


def test_two_processes_cannot_use_one_store(tmp_path: Path) -> None:
    store = open_store(tmp_path, KEY)
    with pytest.raises(Conflict) as refused:
        open_store(tmp_path, KEY)
    assert refused.value.code == "store_in_use"
    store.close()
    open_store(tmp_path, KEY).close()


def test_acknowledged_files_go_and_the_newest_records_stay(tmp_path: Path) -> None:
    store = open_store(tmp_path, KEY, segment_records=10, keep=15)
    fill(store, 50)
    store.acknowledge(20)
    assert len(list(tmp_path.glob("*.records"))) == 3
    store.acknowledge(10)
    assert store.acknowledged == 20
    store.acknowledge(50)
    assert len(list(tmp_path.glob("*.records"))) == 2  # 20 records, of which 15 are kept
    store.close()
    again = open_store(tmp_path, KEY, segment_records=10, keep=15)
    memory = again.memory()
    assert (memory.acknowledged, memory.last_position) == (50, 50)
    assert len(list(memory.records)) == 15
    fill(again, 1)
    found = again.chunk(51, 500)
    assert found is not None and found.before == chain_end(START, map(record, range(1, 51)))
    again.close()


def test_a_lost_acknowledgement_sends_again_what_is_still_there(tmp_path: Path) -> None:
    store = open_store(tmp_path, KEY, segment_records=10, keep=5)
    fill(store, 30)
    store.acknowledge(30)
    store.close()
    (tmp_path / "acknowledged").write_bytes(b"")
    again = open_store(tmp_path, KEY, segment_records=10, keep=5)
    assert again.acknowledged == 20 and again.chunk(21, 500) is not None
    again.close()


def test_a_lost_boot_number_is_found_in_the_records(tmp_path: Path) -> None:
    store = open_store(tmp_path, KEY)
    store.append(1, encode(BootRecord(1, AT, 0, 7, True, "")))
    store.close()
    (tmp_path / "boot").unlink()
    again = open_store(tmp_path, KEY)
    assert again.boot == 8
    again.close()


def test_a_write_that_fails_changes_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    store = open_store(tmp_path, KEY)
    fill(store, 2)

    def full_disk(file: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", full_disk)
        with pytest.raises(TemporarilyUnavailable) as refused:
            store.append(3, record(3))
    assert refused.value.code == "record_not_written" and store.last_position == 2
    store.append(3, record(3, count=9))
    power_off(store)
    again = open_store(tmp_path, KEY)
    found = again.chunk(3, 500)
    assert found is not None and found.records == [record(3, count=9)]
    again.close()


def test_a_new_key_begins_a_new_chain_behind_acknowledged_records(tmp_path: Path) -> None:
    store = open_store(tmp_path, KEY)
    fill(store, 3)
    store.close()
    other = StoreKey("g1", 2, keys.public_bytes(keys.generate_device_key()))
    with pytest.raises(Conflict) as refused:
        open_store(tmp_path, other)
    assert refused.value.code == "records_of_old_key"
    store = open_store(tmp_path, KEY)
    store.acknowledge(3)
    store.close()
    store = open_store(tmp_path, other)
    fill(store, 1)
    found = store.chunk(4, 500)
    assert found is not None and found.before == chain_start("g1", other.public_key)
    store.close()
    with pytest.raises(Conflict) as refused:
        open_store(tmp_path, KEY)
    assert refused.value.code == "store_of_other_key"


def test_a_store_that_lost_its_disk_begins_where_the_gateway_says(tmp_path: Path) -> None:
    store = open_store(tmp_path, StoreKey("g1", 2, KEY.public_key, first_position=101))
    assert (store.last_position, store.acknowledged) == (100, 100)
    assert store.boot == 32769  # no sequence of the first key is used again
    fill(store, 1)
    assert store.chunk(101, 500) is not None
    store.close()


def test_a_key_whose_store_is_gone_begins_no_other_one(tmp_path: Path) -> None:
    with pytest.raises(Conflict) as refused:
        open_store(tmp_path / "gone", KEY, existing=True)
    assert refused.value.code == "store_lost"
    open_store(tmp_path / "gone", KEY).close()
    open_store(tmp_path / "gone", KEY, existing=True).close()


def test_a_store_of_another_reader_is_not_used(tmp_path: Path) -> None:
    open_store(tmp_path, KEY).close()
    with pytest.raises(Conflict) as refused:
        open_store(tmp_path, StoreKey("g2", 1, KEY.public_key))
    assert refused.value.code == "store_of_other_key"


@pytest.mark.parametrize("offset", [0, 40, 64 + 3, 64 + 30, 64 + 40])
def test_damage_that_no_power_cut_leaves_is_told_and_not_cut(tmp_path: Path, offset: int) -> None:
    store = open_store(tmp_path, KEY, segment_records=100)
    fill(store, 150)
    store.close()
    first = min(tmp_path.glob("*.records"))
    data = bytearray(first.read_bytes())
    data[offset] ^= 1
    first.write_bytes(data)
    with pytest.raises(MalformedInput) as refused:
        open_store(tmp_path, KEY, segment_records=100)
    assert refused.value.code == "store_damaged"
    assert len(first.read_bytes()) == len(data)


def test_more_than_one_torn_frame_is_damage(tmp_path: Path) -> None:
    store = open_store(tmp_path, KEY)
    fill(store, 100)
    power_off(store)
    path = newest(tmp_path)
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    with pytest.raises(MalformedInput):
        open_store(tmp_path, KEY)


def test_case_46_the_last_write_torn_at_every_byte_loses_that_record_alone(
    tmp_path: Path,
) -> None:
    store = open_store(tmp_path, KEY)
    fill(store, 3)
    before = newest(tmp_path).stat().st_size
    store.append(4, encode(_at(_scan(b"TP1:torn"), 4)))
    power_off(store)
    whole = newest(tmp_path).read_bytes()
    boots = set()
    for end in range(before, len(whole) + 1):
        for padding in (b"", bytes(9)):  # some file systems leave zeros behind
            newest(tmp_path).write_bytes(whole[:end] + padding)
            again = open_store(tmp_path, KEY)
            assert again.last_position == (4 if end == len(whole) else 3)
            assert again.boot not in boots and not again.ended_clean
            boots.add(again.boot)
            fill(again, 1)
            found = again.chunk(1, 500)
            assert found is not None and found.before == START
            assert found.records[:3] == [record(n) for n in (1, 2, 3)]
            power_off(again)


def test_case_46_a_file_torn_while_it_was_made_holds_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path, KEY, segment_records=3)
    fill(store, 4)
    power_off(store)
    path = newest(tmp_path)
    head = path.read_bytes()[:64]
    for end in range(65):
        path.write_bytes(head[:end])
        again = open_store(tmp_path, KEY, segment_records=3)
        assert again.last_position == 3
        fill(again, 1)
        power_off(again)
        assert newest(tmp_path) == path


CHILD = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from datetime import timedelta
from reader_rig import CONFIG
from ride_code_scheme import AT, Scheme
from transitpay.ride_code.deny_list import DenyList
from transitpay.ride_code.layout import encode, write_text
from transitpay.ride_code.reader import *
from transitpay.runtime.reader_store import StoreKey, open_store
folder, key = Path(sys.argv[1]), StoreKey("g1", 1, bytes.fromhex(sys.argv[3]))
scheme, store = Scheme(), open_store(folder, key, segment_records=40)
fresh, began = AT + timedelta(30), time.monotonic()
lists = HeldLists(scheme.trust(), DenyList(), fresh, fresh)
now = lambda: Now(AT + timedelta(hours=store.boot), int((time.monotonic() - began) * 1000))
reader, effects = Reader.started(
    Identity("g1", 1, lambda head: bytes(64)), ReaderSettings.of(CONFIG), lists,
    store.memory(), now())
def do(effects):
    for effect in effects:
        if isinstance(effect, Write):
            store.append(effect.position, effect.data)
        elif isinstance(effect, Open):
            os.write(1, b"%d\\n" % effect.sequence)
do(effects)
do(reader.synced(now(), AT, 0))
for n in range(1, 2000):
    do(reader.scan(now(), write_text(encode(scheme.code(counter=n))).encode()))
    if n % 30 == 0:
        store.acknowledge(store.last_position - 5)
"""


def test_case_46_a_reader_killed_at_any_moment_opened_no_gate_without_its_record(
    tmp_path: Path,
) -> None:
    helpers = Path(__file__).parent.parent / "ride_code"
    moments, opened = random.Random(46), []
    for _ in range(8):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path), str(helpers), KEY.public_key.hex()],
            stdout=subprocess.PIPE,
        )
        assert child.stdout is not None
        first = child.stdout.readline()
        assert first, "the child opened its gate at least once"
        time.sleep(moments.uniform(0, 0.08))
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)
        rest = child.stdout.read()
        child.wait()
        child.stdout.close()
        opened += [int(line) for line in (first + rest).splitlines()]
        assert len(opened) == len(set(opened)), "a sequence was used twice"
        store = open_store(tmp_path, KEY, segment_records=40)
        recorded = {r.sequence: r for r in store.memory().records if isinstance(r, ScanRecord)}
        assert set(opened) <= recorded.keys()
        assert len(recorded) - len(opened) <= 8, "at most one a boot: recorded, not yet opened"
        assert store.boot > max(sequence >> 32 for sequence in opened)
        power_off(store)
    positions = [r.position for r in store.memory().records]
    assert positions == list(range(1, len(positions) + 1))


def test_a_torn_frame_is_never_longer_than_the_longest_record() -> None:
    longest = encode(_at(_scan(b"\xff" * 2048), 1))
    assert len(longest) + 8 < record_segments.MAX_FRAME
    texts = Place(*["x" * 64] * 5, 254)
    most = encode(parse_scan(longest)._replace(place=texts))
    assert len(most) + 8 == record_segments.MAX_FRAME
