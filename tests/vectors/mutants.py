"""Mutated codes, lists, records and batches for two implementations to agree on; seeded.

Each is a vector without its answer. What is changed is partly signed again by the right key, so
that both get behind the signatures and also have to accept the same.
"""

from __future__ import annotations

import json
import random

import make_ride_code_vectors as codes
from code_mutations import ISSUERS as FUZZ_ISSUERS
from code_mutations import Mutator, good_codes
from protocol_bytes import LIST_KEYS, READER, READER_KEYS, RETIRED_MS, ROOTS, tag
from protocol_list_cases import KINDS, LIST_CASES, TAKEN
from protocol_record_cases import OPENED, RECORD_CASES
from protocol_scan_cases import EXIT, SCAN_CASES, SHORT, code, other, scan
from ride_code_vector_cases import READERS

from transitpay.ride_code import keys, layout, signing
from transitpay.ride_code.golden import protocol as protocol_vectors

Vector = dict[str, object]


def ride_codes(seed: int, count: int) -> str:
    """A file of ride-code vectors without answers: half forged, half signed by the right keys."""
    choice = random.Random(seed)
    source = json.loads(codes.build())
    source["trust_lists"]["fuzz"] = {"version": 1, "keys": [_fuzz_key(n) for n in FUZZ_ISSUERS]}
    mutator = Mutator(good_codes(codes.NOW), seed)
    vectors = []
    for number in range(count):
        forged = number % 2 == 0
        kind, text = mutator.next() if forged else ("signed", _signed_code(choice))
        vectors.append(
            {
                "name": f"{number} {kind}", "note": kind, "text": text, "hex": None,
                "trust_list": "fuzz" if forged else "main",
                "deny_list": choice.choice(("none", "rider")),
                "reader": choice.choice(list(READERS)), "at": codes.NOW,
                "uncertainty_s": choice.choice((0, 0, 0, 10, 300, 301, 2**31)),
                "expect": {"verdict": "accepted", "reason": None},
            }
        )  # fmt: skip
    return json.dumps({**source, "vectors": vectors})


def _fuzz_key(number: int) -> dict[str, object]:
    public = keys.public_bytes(FUZZ_ISSUERS[number])
    return {
        "key_id": number, "algorithm": str(keys.algorithm_of(FUZZ_ISSUERS[number])),
        "public_key": public.hex(), "issuer": "alipayhk", "destinations": 3, "modes": 3,
        "not_before": "2026-06-01T04:00:00Z", "not_after": "2026-07-31T04:00:00Z",
        "status": "active", "test": False,
    }  # fmt: skip


def _signed_code(choice: random.Random) -> str:
    """A code with some odd fields, under good signatures by the keys that it names."""
    # Odd in its companion alone, which is judged after nearly all else.
    one_too_many = choice.randrange(40) == 0

    def odd(usual: int, *others: int, often: int = 12) -> int:
        strange = choice.randrange(often) == 0 and not one_too_many
        return choice.choice(others) if strange else usual

    key_id = odd(1, *range(1, 12), often=2)
    age = odd(5, 0, 59, 60, 61, 70, 71, 360, 361, -20, -21, -30, -31, 10**6, -(10**6), often=4)
    life = odd(24, 0, 1, 168, 169)
    made = codes.NOW - age
    end = odd(0, 1, 3600, -1, -8999, -9000, -9001, 2 * 10**6, often=6)
    begin = (made - 1 if end == 1 else made - 3600 * life + end) if end else made - 3600
    data = bytearray(200)
    data[0] = odd(1, 0, 2, 255, often=40)
    data[1:3] = key_id.to_bytes(2, "big")
    data[3:11] = bytes.fromhex(codes.RIDER) if choice.randrange(3) else choice.randbytes(8)
    data[11:15] = choice.choice((0, 4, 5, 6, 2**32 - 1)).to_bytes(4, "big")
    data[15:48] = keys.public_bytes(codes.DEVICES["a"])
    if choice.randrange(12) == 0:
        data[15:48] = bytes([choice.choice((2, 3, 4))]) + choice.randbytes(32)
    data[48:52] = (max(begin, 0) % 2**32).to_bytes(4, "big")
    data[52], data[53] = life, odd(12, 0, 1, 6, 120, 121)
    data[54:56] = choice.choice((0, 1, 65, 66, 200, 201, 65535)).to_bytes(2, "big")
    data[56], data[57:59] = odd(1, 0, 2, 3), odd(3, 0, 1, 2, 65535).to_bytes(2, "big")
    data[59], data[60] = odd(3, 0, 1, 2, 255), odd(8, 0, 4, 12, 0xF8, 1, 2)
    data[61:63] = odd(2000, 0, 1, 65535).to_bytes(2, "big")
    data[63:65] = odd(0, 1, 256, often=40).to_bytes(2, "big")
    data[129:133] = (made % 2**32).to_bytes(4, "big")
    data[133:135] = odd(1, 0, 2, 2000, 2001, 65535).to_bytes(2, "big")
    data[135] = odd(0, 0x10, 0x04, 0x08, 0x0C, 0x18, 0xF0, 1, 2, often=3)
    if one_too_many:
        data[60], data[135] = 1 << 2, 2 << 2
    issuer = codes.ISSUERS.get(key_id, codes.ISSUERS[1])
    data[65:129] = codes.sign(issuer, signing.ISSUER_TAG + bytes(data[:65]))
    data[136:] = codes.sign(codes.DEVICES["a"], signing.DEVICE_TAG + bytes(data[:136]))
    return layout.write_text(bytes(data))


def protocol(seed: int, lists: int, records: int, batches: int, rows: int) -> str:
    """A file of reader-protocol vectors without answers."""
    choice = random.Random(seed)
    made = [_list(choice, n) for n in range(lists)]
    made += [_record(choice, n) for n in range(records)]
    made += [_batch(choice, n) for n in range(batches)]
    pool = _pool_of_codes()
    made += [_row_of_scans(choice, pool, n) for n in range(rows)]
    source = json.loads(protocol_vectors.shipped_text())
    return json.dumps({**source, "vectors": made})


def _vector(name: str, kind: str, data: bytes, **more: object) -> Vector:
    expect = {"answer": "unknown"}
    return {"name": name, "note": kind, "kind": kind, "hex": data.hex(), "expect": expect, **more}


def _shaken(choice: random.Random, data: bytes, first: int, last: int) -> bytes:
    """One to three bytes between two offsets overwritten, often by a neighbour of the old one."""
    changed = bytearray(data)
    for _ in range(choice.randint(1, 3)):
        at = choice.randrange(first, min(last, len(changed)))
        changed[at] = choice.choice(
            (0, 1, 2, 3, 255, changed[at] ^ 1 << choice.randrange(8), (changed[at] + 1) % 256)
        )
    return bytes(changed)


def _cut(choice: random.Random, data: bytes) -> bytes:
    """Some bytes more or fewer, anywhere."""
    at, some = choice.randrange(len(data)), choice.choice((1, 2, 14, 15, 22, 88, 278))
    twice = data[:at] + data[at : at + some] + data[at:]
    without = data[:at] + data[at + some :]
    return choice.choice((data[:-some], data[some:], data[:at], without, data + bytes(some), twice))


def _list(choice: random.Random, number: int) -> Vector:
    case = choice.choice(TAKEN if choice.randrange(4) else LIST_CASES)
    data, held, asked = case.data, case.held, KINDS[case.asked]
    front = 24 if data[:4] == b"TPD1" else 0
    if len(data) >= front + 278:
        match choice.randrange(5):
            case 0:
                data = _shaken(choice, data, 0, len(data))
            case 1:
                data = _cut(choice, data)
            case 2:
                data = _list_signed(choice, data, front)
            case 3:
                data = (
                    _shaken(choice, data, front + 278, len(data))
                    if len(data) > front + 278
                    else data
                )
            case _:
                held = choice.choice([None, *(c.held for c in LIST_CASES if c.asked == case.asked)])
    u, off = choice.choice((0, 0, 10, 300)), choice.choice((0, 0, 0, 1, 60, -60, 30 * 86400))
    return _vector(
        f"list {number} {case.name}", "list", data, held=None if held is None else held.hex(),
        asked_kind=asked, asked_scope=case.scope, now=case.now + off, uncertainty_s=u,
    )  # fmt: skip


def _list_signed(choice: random.Random, data: bytes, front: int) -> bytes:
    """Fields of head and certificate changed, and signed again by the keys that belong to them."""
    head = data[front : front + 278]
    signed, certificate = head[:96], head[96:150]
    if choice.randrange(2):
        signed = _shaken(choice, signed, 4, 96)
    if choice.randrange(2):
        certificate = _shaken(choice, certificate, 4, 8)
    if choice.randrange(3) == 0:
        certificate = _shaken(choice, certificate, 41, 54)
    root = ROOTS.get(certificate[4], ROOTS[1])
    key = next((k for k in LIST_KEYS.values() if keys.public_bytes(k) == certificate[8:41]), root)
    certificate += codes.sign(root, tag("list-key") + certificate)
    head = signed + certificate + codes.sign(key, tag("list") + signed)
    return data[:front] + head + data[front + 278 :]


def _record(choice: random.Random, number: int) -> Vector:
    case = choice.choice(RECORD_CASES)
    data = case.data
    if len(data) > 23:
        start = choice.choice((0, 22))
        data = choice.choice((data, _cut(choice, data))) if not choice.randrange(3) else data
        if len(data) > 22:
            data = _shaken(choice, data, start, min(len(data), start + 60))
        if len(data) > 4 and choice.randrange(3):
            data = data[:2] + (len(data) % 65536).to_bytes(2, "big") + data[4:]
    return _vector(f"record {number} {case.name}", "record", data)


def _pool_of_codes() -> list[tuple[int, str]]:
    """(second at which it is fresh, code) of some riders, slots and counters."""
    riders: list[dict[str, object]] = [{}, {"serial": 6}, {"key_id": 2}, {"rider_id": "0f" * 8}]
    return [
        (after, code(counter, after, slot, **rider))
        for rider in riders for slot in (0, 1) for counter in (1, 2, 2001)
        for after in range(0, 400, 25)
    ]  # fmt: skip


def _row_of_scans(choice: random.Random, pool: list[tuple[int, str]], number: int) -> Vector:
    """Scans, outcomes, restarts and set clocks, around the edges of debounce and passback."""
    case = choice.choice(SCAN_CASES)
    after, scanned, events, shown = 0, 0, [], choice.choice(pool)[1]
    riders = [choice.choice(pool) for _ in range(3)]
    for _ in range(choice.randint(2, 9)):
        after += choice.choice((0, 200, 1999, 2000, 2001, 5000, 25_000, 29_999, 30_000, 299_999))
        fresh = [it for at, it in (*riders, *pool) if 0 <= after - 1000 * at <= 25_000]
        match choice.randrange(10):
            case 0:
                events.append(other(after, restart=True))
            case 1 if scanned:
                of, what = choice.randrange(scanned), choice.randint(1, 4)
                events.append(other(after, outcome=what, of=of))
            case _:
                again = choice.randrange(3) == 0
                shown = shown if again or not fresh else choice.choice(fresh[:4])
                u, back = choice.choice((0, 0, 300, 301)), choice.choice((0, 0, 0, 10_000))
                events.append(scan(after, shown, u, back))
                scanned += 1
    config = choice.choice((case.config, SHORT, EXIT))
    return _vector(
        f"scans {number} {case.name}", "scans", b"", trust=case.trust.hex(), config=config.hex(),
        deny=None if case.deny is None else case.deny.hex(), events=events,
    )  # fmt: skip


def _batch(choice: random.Random, number: int) -> Vector:
    case = choice.choice([c for c in OPENED if len(c.data) < 10_000])
    data = case.data
    match choice.randrange(4):
        case 0:
            data = _shaken(choice, data, 0, len(data))
        case 1:
            data = _cut(choice, data)
        case 2:
            data = _shaken(choice, data, 192, len(data))
        case _:
            signed = _shaken(choice, data[:128], 4, choice.choice((8, 32, 128)))
            if choice.randrange(4) == 0:  # about the moment when key 1 was replaced
                sealed_ms = RETIRED_MS + choice.choice((1999, 2000, 2001, 10**6))
                signed = data[:16] + sealed_ms.to_bytes(8, "big") + data[24:128]
            key = READER_KEYS.get(int.from_bytes(signed[4:6], "big"), READER_KEYS[1])
            data = signed + codes.sign(key, tag("batch") + signed) + data[192:]
    sender = "another-gate" if choice.randrange(40) == 0 else READER
    return _vector(f"batch {number} {case.name}", "batch", data, reader=sender)
