"""Writes the golden vectors of the reader protocol; run it only to add vectors.

Keys and signatures come from labels (RFC 6979), so two runs write the same bytes. The answers in
the case tables are written by hand; what else an answer tells is ours, and the second
implementation is held to it.

    python tests/vectors/make_reader_protocol_vectors.py
"""

from __future__ import annotations

import json
from pathlib import Path

from make_ride_code_vectors import WARNING, private_hex
from protocol_bytes import LIST_KEYS, READER, READER_KEYS, RETIRED_MS, ROOTS, tag
from protocol_list_cases import KINDS, LIST_CASES
from protocol_record_cases import BATCH_CASES, CHAIN_CASES, RECORD_CASES
from protocol_scan_cases import SCAN_CASES

from transitpay.ride_code import keys
from transitpay.ride_code.golden.protocol import FORMAT, answer, read_vectors

TARGET = (
    Path(__file__).parents[2] / "transitpay" / "ride_code" / "vectors" / "reader-protocol-v1.json"
)
_TAGS = ("list-key", "list", "batch", "reader-key", "record")


def _vectors() -> list[tuple[str, dict[str, object]]]:
    """(the expected answer in one word, the vector without its answer), in the file's order."""
    found: list[tuple[str, dict[str, object]]] = []
    for case in LIST_CASES:
        source: dict[str, object] = {
            "name": case.name, "note": case.note, "kind": "list", "hex": case.data.hex(),
            "held": None if case.held is None else case.held.hex(),
            "asked_kind": KINDS[case.asked], "asked_scope": case.scope,
            "now": case.now, "uncertainty_s": case.u,
        }  # fmt: skip
        found.append((case.expected, source))
    for one in RECORD_CASES:
        told = {"name": one.name, "note": one.note, "kind": "record", "hex": one.data.hex()}
        found.append((one.expected, {**told}))
    for chain in CHAIN_CASES:
        source = {
            "name": chain.name, "note": chain.note, "kind": "chain", "reader": READER,
            "public_key": keys.public_bytes(READER_KEYS[chain.key_number]).hex(),
            "records": [record.hex() for record in chain.records],
        }  # fmt: skip
        found.append(("hashes", source))
    for one in BATCH_CASES:
        told = {"name": one.name, "note": one.note, "kind": "batch", "reader": READER}
        found.append((one.expected, {**told, "hex": one.data.hex()}))
    for row in SCAN_CASES:
        source = {
            "name": row.name, "note": row.note, "kind": "scans", "trust": row.trust.hex(),
            "deny": None if row.deny is None else row.deny.hex(), "config": row.config.hex(),
            "events": list(row.events),
        }  # fmt: skip
        found.append((row.expected, source))
    return found


def _word(found: dict[str, object]) -> object:
    """An answer as the case tables write it."""
    if found["answer"] == "refused":
        return found["reason"]
    decisions = found.get("decisions")
    if not isinstance(decisions, list):
        return found["answer"]
    words = {"already_answered": "again", "accepted": "open"}
    told = []
    for one in decisions:
        assert one["decision"] == "accepted" or not one["opens"]
        first = words.get(one["decision"]) or one["reason"]
        first = "held" if first == "open" and not one["opens"] else first
        told.append(":".join([first, *one["flags"]]))
    return " ".join(told)


def _enrolled() -> dict[str, dict[str, object]]:
    """The reader's keys; key 2 replaced key 1."""
    retired = {1: RETIRED_MS, 2: None}
    return {
        str(n): {"public_key": keys.public_bytes(key).hex(), "retired_at_ms": retired[n]}
        for n, key in READER_KEYS.items()
    }


def _hex_keys(of: dict[int, object]) -> dict[str, str]:
    return {str(n): keys.public_bytes(key).hex() for n, key in of.items()}  # type: ignore[arg-type] # keys


def build() -> str:
    """The text of the vector file."""
    private = {
        **{f"root {n} TEST ONLY": private_hex(k) for n, k in ROOTS.items()},
        **{f"list key {n} TEST ONLY": private_hex(k) for n, k in LIST_KEYS.items()},
        **{f"{READER} key {n} TEST ONLY": private_hex(k) for n, k in READER_KEYS.items()},
    }
    document: dict[str, object] = {
        "format": FORMAT,
        "warning": WARNING,
        "tags": {name: tag(name).hex() for name in _TAGS},
        "test_only_private_keys": private,
        "roots": _hex_keys({**ROOTS}),
        "readers": {READER: _enrolled()},
    }
    expected = _vectors()
    blank = {"answer": "unknown"}
    document["vectors"] = [{**source, "expect": blank} for _, source in expected]
    file = read_vectors(json.dumps(document))
    vectors = []
    for (word, source), vector in zip(expected, file.vectors, strict=True):
        found = answer(vector, file)
        assert _word(found) == word, f"{vector.name}: {_word(found)}, not {word}"
        vectors.append({**source, "expect": found})
    document["vectors"] = vectors
    return json.dumps(document, indent=1, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    TARGET.write_text(build(), encoding="utf-8")
    print(f"{len(json.loads(TARGET.read_text())['vectors'])} vectors")
