"""The cases of records, chains and batches, each with its answer, written by hand."""

from __future__ import annotations

from dataclasses import dataclass

from make_ride_code_vectors import NOW, Recipe, make
from protocol_bytes import (
    READER_KEYS,
    RETIRED_MS,
    batch,
    boot,
    chain_start,
    chained,
    event,
    outcome,
    put,
    record,
    scan,
)

from transitpay.ride_code import layout
from transitpay.ride_code.signing import P256_ORDER

BOOT = 3 << 32
CODE = layout.write_text(make(Recipe(), {})).encode()
_LAST_MS = 253402300799999
_LARGEST = 2**63 - 1
_ALL_FLAGS = 2**30 - 2


@dataclass(frozen=True)
class BytesCase:
    """A record or a batch; ``expected`` is read, opened or the reason of a refusal."""

    name: str
    expected: str
    note: str
    data: bytes


@dataclass(frozen=True)
class ChainCase:
    """Records under one key of the reader."""

    name: str
    note: str
    key_number: int
    records: list[bytes]


def _cut(data: bytes, by: int = 1) -> bytes:
    """Bytes cut off at the end, and the length of the record told so."""
    return data[:2] + (len(data) - by).to_bytes(2, "big") + data[4:-by]


SCAN = scan(2, BOOT + 1, code=CODE)
_BUS = scan(
    9, BOOT + 4, direction=3, decided_by=2, decision=2, reason=24, flags=1 << 26, mode=3,
    stop_index=17, versions=(2**32 - 1, 0, 1), fare=1290,
    texts=("N368-12", "N368", "\u7d05\u78e1\u2013\u4e2d\u74b0", "KA 1234", "t-7"),
    code=b"\x80\x01\xff\0", doubt=65535,
)  # fmt: skip
READ = [
    BytesCase("record-scan", "read", "an accepted entry", SCAN),
    BytesCase("record-scan-bus", "read", "every field told, a code that is no text", _BUS),
    BytesCase("record-scan-empty", "read", "no text, no code",
              scan(1, 1, texts=("",) * 5, decision=3, reason=22, at_ms=0, doubt=0)),
    BytesCase("record-scan-largest", "read", "the largest of everything",
              scan(_LARGEST, _LARGEST, direction=5, decision=2, reason=29, flags=_ALL_FLAGS,
                   stop_index=254, fare=2**32 - 2, texts=("x" * 64,) * 5, code=b"z" * 2048,
                   at_ms=_LAST_MS)),
    *(BytesCase(f"record-outcome-{n}", "read", "what the rider did", outcome(5, BOOT + 1, n))
      for n in range(1, 5)),
    BytesCase("record-boot", "read", "after a clean end", boot(1, 3)),
    BytesCase("record-boot-unclean", "read", "after a power loss, the last boot number, no version",
              boot(6, 2**31 - 1, 0, "")),
    BytesCase("record-boot-first", "read", "the first boot of all", boot(1, 1)),
    BytesCase("record-text-edges", "read", "the bytes 32 and 126", scan(1, 1, texts=(" ~",) * 5)),
    *(BytesCase(f"record-event-{n}", "read", "an event", event(7, n, 40 if n == 3 else 0))
      for n in range(1, 10)),
    *(BytesCase(f"record-reason-{n}", "read", "each reason by its number, as reason and as flag",
                scan(4, BOOT + 2, decision=3 if n == 22 else 2, reason=n, flags=1 << n))
      for n in range(1, 30)),
]  # fmt: skip

_NO_RECORD: list[tuple[str, str, bytes]] = [
    ("record-nothing", "no bytes", b""),
    ("record-type-0", "types begin at 1", b"\0" + SCAN[1:]),
    ("record-type-5", "no such type", record(5, 1, b"")),
    ("record-zero-1", "offset 1", SCAN[:1] + b"\1" + SCAN[2:]),
    ("record-position-0", "positions begin at 1", scan(0, 1)),
    ("record-position-too-large", "2^63", scan(2**63, 1)),
    ("record-sequence-0", "sequences begin at 1", scan(1, 0)),
    ("record-sequence-too-large", "2^63", scan(1, 2**63)),
    ("record-outcome-sequence-0", "sequences begin at 1", outcome(1, 0, 1)),
    ("record-at-year-10000", "one millisecond too late", scan(1, 1, at_ms=_LAST_MS + 1)),
    ("case-27-record-length", "says one byte more than there is",
     SCAN[:2] + (len(SCAN) + 1).to_bytes(2, "big") + SCAN[4:]),
    ("case-25-record-trailing", "says one byte less than there is", SCAN + b"\0"),
    ("record-byte-of-no-field", "a byte after the code", record(1, 2, SCAN[22:] + b"\0")),
    ("case-26-record-truncated", "the code ends early", _cut(SCAN)),
    ("case-26-record-header", "21 bytes", _cut(record(4, 1, b""))),
    ("record-direction-0", "directions begin at 1", scan(1, 1, direction=0)),
    ("record-direction-6", "no such direction", scan(1, 1, direction=6)),
    ("record-decided-by-0", "reader or gateway", scan(1, 1, decided_by=0)),
    ("record-decided-by-3", "reader or gateway", scan(1, 1, decided_by=3)),
    ("record-decision-0", "no such decision", scan(1, 1, decision=0, reason=1)),
    ("record-decision-4", "no such decision", scan(1, 1, decision=4, reason=1)),
    ("record-accepted-with-reason", "accepted has none", scan(1, 1, reason=1)),
    ("record-refused-without-reason", "refused has one", scan(1, 1, decision=2)),
    ("record-reason-30", "no such reason", scan(1, 1, decision=2, reason=30)),
    ("record-flag-0", "bit 0", scan(1, 1, flags=1)),
    ("record-flag-30", "no such reason", scan(1, 1, flags=1 << 30)),
    ("record-flag-31", "no such reason", scan(1, 1, flags=1 << 31)),
    ("record-mode-4", "no such mode", scan(1, 1, mode=4)),
    ("record-text-65", "65 bytes", scan(1, 1, texts=("x" * 65, "", "", "", ""))),
    ("record-text-not-utf-8", "an over-long NUL", scan(1, 1, texts=(b"\xc0\x80", "", "", "", ""))),
    ("record-text-surrogate", "no UTF-8", scan(1, 1, texts=(b"\xed\xa0\x80", "", "", "", ""))),
    ("case-30-record-text-nul", "a NUL", scan(1, 1, texts=("a\0", "", "", "", ""))),
    ("record-text-newline", "a control character", scan(1, 1, texts=("", "", "", "", "a\n"))),
    ("record-text-31", "byte 31", scan(1, 1, texts=("\x1f", "", "", "", ""))),
    ("record-text-delete", "byte 127", scan(1, 1, texts=("", "", "\x7f", "", ""))),
    ("record-code-2049", "at most 2048", scan(1, 1, code=b"z" * 2049)),
    ("case-27-record-code-length", "a code of 5 bytes, of which 4 came",
     scan(1, 1, code=b"abcd", code_length=5)),
    ("record-outcome-0", "outcomes begin at 1", outcome(1, 1, 0)),
    ("record-outcome-5", "no such outcome", outcome(1, 1, 5)),
    ("record-boot-0", "boots begin at 1", boot(1, 0)),
    ("record-boot-too-large", "2^31", boot(1, 2**31)),
    ("record-boot-clean-2", "yes or no", boot(1, 1, 2)),
    ("record-boot-software-65", "65 bytes", boot(1, 1, 1, "x" * 65)),
    ("record-event-0", "events begin at 1", event(1, 0)),
    ("record-event-10", "no such event", event(1, 10)),
]  # fmt: skip
RECORD_CASES = [
    *READ,
    *(BytesCase(name, "bad_record", note, data) for name, note, data in _NO_RECORD),
]

#: A reader's first records: a boot, a scan and its outcome, a refusal, an event.
FIRST = [
    boot(1, 3), SCAN, outcome(3, BOOT + 1, 1),
    scan(4, BOOT + 2, decision=2, reason=10, code=CODE, at_ms=NOW * 1000 + 61_000), event(5, 1),
]  # fmt: skip
AFTER = [boot(6, 4, 0), scan(7, (4 << 32) + 1, decided_by=2, code=CODE)]
CHAIN_CASES = [
    ChainCase("chain-empty", "hash 0 alone", 1, []),
    ChainCase("chain-first-key", "five records", 1, FIRST),
    ChainCase("chain-second-key", "positions go on, the chain begins anew", 2, AFTER),
]


def _high_s(data: bytearray) -> None:
    s = P256_ORDER - int.from_bytes(data[160:192], "big")
    data[160:192] = s.to_bytes(32, "big")


def _moved(changed: int, to: int) -> list[bytes]:
    """The first records, one of them at another position."""
    found = list(FIRST)
    found[changed] = found[changed][:4] + to.to_bytes(8, "big") + found[changed][12:]
    return found


_GATE_2 = b"gate-2".ljust(32, b"\0")
_MIDDLE = chained(chain_start(), FIRST[:2])
_BAD = scan(2, BOOT + 1, direction=6)
OPENED = [
    BytesCase("batch-first", "opened", "all records so far", batch(FIRST)),
    BytesCase("batch-one", "opened", "one record", batch(FIRST[:1])),
    BytesCase("batch-middle", "opened", "records 3-5, the hash before them is that of record 2",
              batch(FIRST[2:], before=_MIDDLE)),
    BytesCase("batch-second-key", "opened", "key 2", batch(AFTER, key_number=2)),
    BytesCase("batch-last-position", "opened", "the highest first position",
              batch([event(2**63 - 500, 1)], key_number=2)),
    BytesCase("batch-last-instant", "opened", "the last millisecond of the year 9999",
              batch(AFTER, key_number=2, sealed_ms=_LAST_MS)),
    BytesCase("batch-500", "opened", "as many as there may be",
              batch([event(n, 1) for n in range(1, 501)])),
    BytesCase("case-47-batch-from-the-future-second-key", "opened",
              "sealed a year ahead, and genuine: its scans are looked at one by one",
              batch(AFTER, key_number=2, sealed_ms=(NOW + 31_536_000) * 1000)),
    BytesCase("batch-sealed-as-its-key-retired", "opened", "at the last moment, widened by u = 2",
              batch(FIRST, sealed_ms=RETIRED_MS + 2000)),
    BytesCase("case-43-batch-other-content", "opened",
              "another scan under the position and sequence of batch-first, well signed: a clone",
              batch([FIRST[0], scan(2, BOOT + 1, code=b"WIFI:"), *FIRST[2:]])),
]  # fmt: skip
_NO_BATCH: list[tuple[str, str, bytes]] = [
    ("batch-nothing", "no bytes", b""),
    ("batch-head-alone", "192 bytes", batch(FIRST)[:192]),
    ("case-26-batch-truncated", "the last byte is missing", batch(FIRST)[:-1]),
    ("case-25-batch-trailing", "one byte more", batch(FIRST) + b"\0"),
    ("case-27-batch-length", "says one byte more", batch(FIRST, edit=put(31, 255))),
    ("batch-magic", "TPB2", batch(FIRST, edit=put(0, b"TPB2"))),
    ("batch-zero-26-first", "offset 26", batch(FIRST, edit=put(26, 1))),
    ("batch-reader-first-byte", "an id has no DEL", batch(FIRST, edit=put(32, 127))),
    ("batch-zero-26", "offset 27", batch(FIRST, edit=put(27, 1))),
    ("batch-key-number-0", "keys begin at 1", batch(FIRST, edit=put(4, b"\0\0"))),
    ("batch-count-0", "no record", batch(FIRST, edit=put(6, b"\0\0"))),
    ("batch-count-more", "one more than there are", batch(FIRST, edit=put(7, 6))),
    ("batch-count-fewer", "one fewer than there are", batch(FIRST, edit=put(7, 4))),
    ("batch-first-0", "positions begin at 1", batch(_moved(0, 0), first=0)),
    ("batch-first-too-large", "2^63 - 499", batch([event(2**63 - 499, 1)])),
    ("batch-sealed-at", "one millisecond too late", batch(FIRST, sealed_ms=_LAST_MS + 1)),
    ("batch-reader-empty", "no id", batch(FIRST, edit=put(32, bytes(32)))),
    ("batch-reader-space", "an id has no space", batch(FIRST, edit=put(36, b" "))),
    ("batch-gap", "positions 1, 2, 3, 4, 6", batch(_moved(4, 6))),
    ("case-40-batch-reversed", "positions in their order", batch(FIRST[::-1], first=1)),
    ("batch-record-too-short", "a record of 21 bytes",
     batch([FIRST[0][:2] + b"\0\x15" + FIRST[0][4:], *FIRST[1:]])),
    ("case-27-batch-record-length", "the last record says more than there is",
     batch([*FIRST[:4], FIRST[4][:2] + b"\0\xff" + FIRST[4][4:]])),
]  # fmt: skip
BATCH_CASES = [
    *OPENED,
    *(BytesCase(name, "batch_unreadable", note, data) for name, note, data in _NO_BATCH),
    BytesCase("batch-count-501", "too_many_records", "one too many",
              batch([event(n, 1) for n in range(1, 502)])),
    BytesCase("batch-malformed-record", "batch_unreadable", "the second record has a direction 6",
              batch([FIRST[0], _BAD, FIRST[2]])),
    BytesCase("batch-sealed-after-its-key", "reader_key_retired", "a millisecond later than that",
              batch(FIRST, sealed_ms=RETIRED_MS + 2001)),
    BytesCase("case-47-batch-from-the-future", "reader_key_retired",
              "sealed a year ahead by a key that was replaced",
              batch(FIRST, sealed_ms=(NOW + 31_536_000) * 1000)),
    BytesCase("batch-order-unreadable-count", "batch_unreadable", "key number 0, and 501 records",
              batch([event(n, 1) for n in range(1, 502)], edit=put(4, b"\0\0"))),
    BytesCase("batch-order-count-first", "too_many_records", "501 records, from position 0 on",
              batch([event(n, 1) for n in range(1, 502)], edit=put(8, bytes(8)))),
    BytesCase("batch-order-reader-key", "batch_of_other_reader", "key 3 of gate-2",
              batch(FIRST, key_number=3, edit=put(32, _GATE_2))),
    BytesCase("batch-order-retired-signature", "reader_key_retired", "and badly signed",
              batch(FIRST, sealed_ms=RETIRED_MS + 2001, by=READER_KEYS[2])),
    BytesCase("batch-order-signature-chain", "bad_batch_signature", "and badly chained",
              batch(FIRST, edit=put(96, bytes(32)), by=READER_KEYS[2])),
    BytesCase("batch-other-reader", "batch_of_other_reader", "gate-2 in the name of gate-1",
              batch(FIRST, edit=put(32, _GATE_2))),
    BytesCase("batch-unknown-key", "unknown_reader_key", "key 3 was never enrolled",
              batch(FIRST, key_number=3)),
    BytesCase("case-47-batch-wrong-key", "bad_batch_signature", "signed with key 2, names key 1",
              batch(FIRST, by=READER_KEYS[2])),
    BytesCase("case-07-batch-high-s", "bad_batch_signature", "the malleated twin",
              batch(FIRST, after_signing=_high_s)),
    BytesCase("case-14-batch-stripped", "bad_batch_signature", "64 zero bytes",
              batch(FIRST, after_signing=put(128, bytes(64)))),
    BytesCase("case-24-batch-tag", "bad_batch_signature", "signed as a reader key",
              batch(FIRST, under="reader-key")),
    BytesCase("batch-head-changed", "bad_batch_signature", "another u after signing",
              batch(FIRST, after_signing=put(25, 9))),
    BytesCase("batch-record-changed", "broken_batch_chain", "another count in the last record",
              batch(FIRST, after_signing=lambda b: put(len(b) - 1, 1)(b))),
    BytesCase("batch-hash-before", "broken_batch_chain", "another hash before, well signed",
              batch(FIRST, edit=put(64, bytes(32)))),
    BytesCase("batch-hash-after", "broken_batch_chain", "another hash after, well signed",
              batch(FIRST, edit=put(96, bytes(32)))),
]  # fmt: skip
