"""Mutated records, batches, lists and settings: what cannot be read is refused by name, what can be
read is written back to the same bytes, and no list is taken that was not signed."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from luck import seeds

from transitpay.errors import MalformedInput
from transitpay.ride_code.golden import protocol as protocol_vectors
from transitpay.ride_code.lists.config_list import config_values
from transitpay.ride_code.lists.list_taking import Refused, Taken, Unchanged, Wanted, take
from transitpay.ride_code.lists.signed_list import Delta, ListHead, ListKind, SignedList, scope_of
from transitpay.ride_code.lists.trust_records import trust_list_of
from transitpay.ride_code.reader import ReaderSettings
from transitpay.ride_code.records import record_bytes, sealed_batch

SEEDS = json.loads((Path(__file__).parent / "fuzz_seeds.json").read_text("utf-8"))["protocol"]
SOURCE = json.loads(protocol_vectors.shipped_text())
AT = datetime(2026, 7, 1, 4, 0, tzinfo=UTC)
ROOTS = {int(number): bytes.fromhex(key) for number, key in SOURCE["roots"].items()}


def _corpus(kind: str) -> list[bytes]:
    return [bytes.fromhex(v["hex"]) for v in SOURCE["vectors"] if v["kind"] == kind]


RECORDS, BATCHES, LISTS = _corpus("record"), _corpus("batch"), _corpus("list")
#: What the vectors' readers hold when a list comes.
HELD = [
    SignedList.parse(bytes.fromhex(held))
    for held in dict.fromkeys(v["held"] for v in SOURCE["vectors"] if v["kind"] == "list")
    if held
][:3]
#: Whoever signed these heads signed their records too, by the digest.
SIGNED_HEADS = {data[:278] for data in LISTS} | {data[24:302] for data in LISTS}
SIGNED_HEADS |= {bytes.fromhex(v["held"])[:278] for v in SOURCE["vectors"] if v.get("held")}


def mutated(choice: random.Random, corpus: list[bytes]) -> bytes:
    """One of the corpus with up to three changes: bits, numbers, splices, lengths."""
    data = bytearray(choice.choice(corpus))
    for _ in range(choice.randint(1, 3)):
        at = choice.randrange(len(data)) if data else 0
        width = choice.choice((1, 2, 4, 8))
        edge = choice.choice((0, 1, 127, 255, 2**15, 2**16 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1))
        match choice.randrange(7):
            case 0 if data:
                data[at] ^= 1 << choice.randrange(8)
            case 1:
                data[at : at + width] = (edge % (1 << 8 * width)).to_bytes(width, "big")
            case 2:
                del data[at:]
            case 3:
                del data[at : at + width]
            case 4:
                data[at:at] = choice.randbytes(width)
            case 5:
                other = choice.choice(corpus)
                data[at:] = other[at:]
            case _:
                data += choice.choice(corpus)
    return bytes(data)


def _record(data: bytes) -> str:
    try:
        found = record_bytes.parse(data)
    except MalformedInput as error:
        assert error.code == "bad_record" and error.field
        return error.code
    assert record_bytes.encode(found) == data
    return "read"


def _batch(data: bytes) -> str:
    try:
        found = sealed_batch.parse_batch(data)
    except MalformedInput as error:
        assert error.code == "bad_batch" and error.field
        return error.code
    assert sealed_batch.encode_head(found.head) == found.signed
    assert sealed_batch.seal(found.signed, found.signature, found.records) == data
    for one in found.records:
        _record(one)
    return "read"


def _list(data: bytes) -> str:
    for held in (None, *HELD):
        for kind in ListKind:
            scope = "gate-1" if kind is ListKind.CONFIG else ""
            found = take(data, held, Wanted(kind, ROOTS, scope_of(scope)), AT)
            match found:
                case Taken():
                    whole = b"".join(found.chunks())
                    assert whole[:278] in SIGNED_HEADS, "a list is taken that nobody signed"
                    assert SignedList.parse(whole).table.is_sorted()
                    assert sha256(whole[278:]).digest() == found.head.digest
                    return "taken"
                case Unchanged():
                    head = data[24:302] if data[:4] == b"TPD1" else data[:278]
                    assert held is not None and head == held.head.encode()
                case Refused(reason):
                    assert reason
    _contents(data)
    return "refused"


def _contents(data: bytes) -> None:
    """Reads the records too, as if the list had been signed."""
    try:
        whole = SignedList.parse(data) if data[:4] != b"TPD1" else None
        head = whole.head if whole else Delta.parse(data).head
    except MalformedInput as error:
        assert error.code == "list_unreadable"
        return
    assert ListHead.parse(head.encode()) == head
    if whole is None or not whole.table.is_sorted():
        return
    if head.kind is ListKind.TRUST:
        trust_list_of(head.version, whole.table)
    elif head.kind is ListKind.CONFIG:
        try:
            ReaderSettings.of(config_values(whole.table))
        except MalformedInput as error:
            assert error.code == "bad_reader_config" and error.field


DOORS: list[tuple[Callable[[bytes], str], list[bytes]]] = [
    (_record, RECORDS),
    (_batch, BATCHES),
    (_list, LISTS),
]


@pytest.mark.parametrize(("door", "corpus"), DOORS)
@pytest.mark.parametrize("seed", seeds(SEEDS["quick"]["seed"]))
def test_mutated_bytes_are_refused_by_name_or_read_whole(
    seed: int, door: Callable[[bytes], str], corpus: list[bytes]
) -> None:
    choice, seen = random.Random(seed), Counter[str]()
    for _ in range(SEEDS["quick"]["inputs"]):
        seen[door(mutated(choice, corpus))] += 1
    assert seen.total() - seen["read"] - seen["taken"] > SEEDS["quick"]["inputs"] // 2


@pytest.mark.heavy
@pytest.mark.parametrize(("door", "corpus"), DOORS)
@pytest.mark.parametrize("seed", SEEDS["heavy"]["seeds"])
def test_very_many_mutated_bytes_are_refused_by_name_or_read_whole(
    seed: int, door: Callable[[bytes], str], corpus: list[bytes]
) -> None:
    choice = random.Random(seed)
    for _ in range(SEEDS["heavy"]["inputs_a_seed"]):
        door(mutated(choice, corpus))
