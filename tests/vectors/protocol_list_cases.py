"""The cases of signed lists: what is received, what is held, and the answer, written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from make_ride_code_vectors import ISSUERS, NOW
from protocol_bytes import (
    DAY,
    LIST_KEYS,
    READER,
    ROOTS,
    certificate,
    config,
    delta,
    deny,
    head,
    put,
    removed,
    trust,
    whole,
)

from transitpay.ride_code import keys
from transitpay.ride_code.signing import P256_ORDER

KINDS = {"trust": 1, "deny": 2, "config": 3}


@dataclass(frozen=True)
class ListCase:
    """One list; ``expected`` is taken, unchanged or the reason of a refusal."""

    name: str
    expected: str
    note: str
    data: bytes
    held: bytes | None = None
    asked: str = "deny"
    scope: str = ""
    now: int = NOW
    u: int = 0


RIDERS = [deny(1, 0x0011223344556677, 5), deny(1, 0x8899AABBCCDDEEFF, 2**32 - 1), deny(2, 1, 0)]
HELD = whole("deny", 41, RIDERS)
NEXT = [RIDERS[0], deny(1, 0x0102030405060708, 9), deny(2, 1, 3)]
_NEXT_HEAD = head("deny", 42, NEXT)
AFTER = _NEXT_HEAD + b"".join(NEXT)
_PUTS = [b"\x01" + NEXT[1], removed(RIDERS[1], 10), b"\x01" + NEXT[2]]
DELTA = delta(41, _NEXT_HEAD, _PUTS)
_ES256 = keys.public_bytes(ISSUERS[1])
_ED = keys.public_bytes(ISSUERS[2])
#: An Ed25519 point of order 8: anybody could sign for it.
_ORDER_8 = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
TRUST = [
    trust(1, _ES256, "alipayhk"),
    trust(2, _ED, "alipay", algorithm=2, number=2),
    trust(3, _ES256, "alipayhk", status=2),
    trust(4, _ES256, "alipayhk", status=3, lost=NOW - 3600),
    trust(5, _ES256, "shenzhen-tong", flags=1, number=3),
    trust(65535, _ES256, "i" * 32, number=65535, since=0, until=2**32 - 1),
]
STRANGE_TRUST = [
    trust(1, _ES256, "alipayhk", algorithm=9),
    trust(2, _ES256, "alipayhk", status=4),
    trust(3, _ES256, "alipayhk", flags=2),
    trust(4, b"\x02" + (1).to_bytes(32, "big"), "alipayhk"),
    trust(5, _ORDER_8, "alipayhk", algorithm=2),
    trust(6, _ES256, "alipayhk", algorithm=2),
    trust(7, _ES256, "alipayhk", number=0),
    trust(8, _ES256, "alipayhk", since=NOW, until=NOW),
    trust(9, _ES256, "alipayhk", lost=NOW),
    trust(10, _ES256, "alipay hk"),
    trust(11, _ES256, "alipayhk"),
]
_P = 2**255 - 19


def _ed(key_id: int, y: int) -> bytes:
    """An Ed25519 key by its y."""
    return trust(key_id, y.to_bytes(32, "little"), "alipay", algorithm=2)


_Y8 = int.from_bytes(_ORDER_8, "little")
ED25519_TRUST = [
    _ed(1, 1), _ed(2, _P - 1), _ed(3, 0), _ed(4, 2**255), _ed(5, _Y8), _ed(6, _P - _Y8),
    _ed(7, _P + 1), _ed(8, _P + 3), _ed(9, 2), _ed(10, 2**255 - 1), _ed(11, 3), _ed(12, 3 + 2**255),
    trust(13, _ED + b"\1", "alipay", algorithm=2), trust(14, _ED, "alipay", algorithm=2),
    _ed(15, 4), _ed(16, 5), _ed(17, _P - 3), _ed(18, _P), _ed(19, 6), _ed(20, 7), _ed(21, 8),
]  # fmt: skip
#: The generator of the SM2 curve (GB/T 32918.5), and bytes that are no point of it.
_SM2 = bytes.fromhex("0232c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7")
SM2_TRUST = [
    trust(5, _SM2, "mot", algorithm=3),
    trust(65023, _SM2, "mot", algorithm=3),
    trust(65024, _SM2, "mot", algorithm=3),
    trust(65281, _SM2, "mot", algorithm=3),
    trust(65282, b"\x02" + b"\xff" * 32, "mot", algorithm=3),
    trust(65283, _ES256, "mot", algorithm=3),
    trust(65284, _ES256, "mot"),
]
CONFIG = sorted(
    [config("stop", "HUH"), config("direction", "entry"), config("mode", "0"),
     config("languages", "zh-Hant,zh-Hans,en"), config("text", "\u7d05\u78e1")]
)  # fmt: skip
STRANGE_CONFIG = sorted([config("a", b"\xff"), config("b", b"x\0y"), config("c", b"ok")])

_EXAMPLE = whole("trust", 7, TRUST[:1])


def _high_s(data: bytes, at: int) -> bytes:
    s = P256_ORDER - int.from_bytes(data[at + 32 : at + 64], "big")
    return data[: at + 32] + s.to_bytes(32, "big") + data[at + 64 :]


def _list(records: Sequence[bytes] = RIDERS, version: int = 41, **given: object) -> bytes:
    return whole("deny", version, records, **given)


def _edit(offset: int, value: bytes | int) -> bytes:
    return _list(edit=put(offset, value))


def _cert(offset: int, value: bytes | int) -> bytes:
    return _list(cert=certificate(edit=put(offset, value)))


TAKEN = [
    ListCase("list-deny-whole", "taken", "the first list of a reader", HELD),
    ListCase("list-deny-empty", "taken", "nobody is denied", _list([])),
    ListCase("list-trust-whole", "taken", "issuer keys", whole("trust", 7, TRUST), asked="trust"),
    ListCase("list-trust-strange-records", "taken",
             "records with values outside their table are as if they were not there",
             whole("trust", 8, STRANGE_TRUST), asked="trust"),
    ListCase("list-trust-sm2", "taken", "SM2 points alone, and with key ids of roots alone",
             whole("trust", 9, SM2_TRUST), asked="trust"),
    ListCase("case-22-list-trust-ed25519", "taken",
             "Ed25519 keys in their only spelling, on the curve, not of small order",
             whole("trust", 10, ED25519_TRUST), asked="trust"),
    ListCase("list-config-whole", "taken", "a reader's own settings",
             whole("config", 3, CONFIG, scope=READER), asked="config", scope=READER),
    ListCase("list-config-strange-records", "taken", "values that are no text are left out",
             whole("config", 4, STRANGE_CONFIG, scope=READER), asked="config", scope=READER),
    ListCase("list-config-scope-of-32", "taken", "an id that fills its field",
             whole("config", 1, CONFIG, scope="r" * 32), asked="config", scope="r" * 32),
    ListCase("list-second-root", "taken", "the other root certifies as well",
             _list(cert=certificate(root=2))),
    ListCase("list-next-version", "taken", "41 is held, 42 comes whole", AFTER, HELD),
    ListCase("list-largest-version", "taken", "all 64 bits", _list(version=2**64 - 1), HELD),
    ListCase("list-newer-key-lower-version", "taken", "list key 2, version 1, over key 1, 41",
             _list(version=1, key_id=2), HELD),
    ListCase("list-only-this-kind", "taken", "a certificate for deny lists alone",
             _list(cert=certificate(kinds=0b0100))),
    ListCase("case-34-list-stale", "taken", "past its use by: used, and stale",
             _list(use_by=NOW), now=NOW),
    ListCase("list-not-yet-stale", "taken", "one second before its use by",
             _list(use_by=NOW + 1), now=NOW),
    ListCase("list-certificate-first-second", "taken", "now = issued at = not before",
             _list(issued=NOW, cert=certificate(since=NOW))),
    ListCase("list-certificate-last-second", "taken", "now = not after - 1",
             _list(cert=certificate(until=NOW + 1))),
    ListCase("list-certificate-early-u10", "taken", "now + u = not before",
             _list(issued=NOW + 10, cert=certificate(since=NOW + 10)), u=10),
    ListCase("list-certificate-late-u10", "taken", "now - u = not after - 1",
             _list(cert=certificate(until=NOW - 9)), u=10),
    ListCase("delta-put-replace-remove", "taken", "one of each", DELTA, HELD),
    ListCase("delta-empty", "taken", "a new version of the same records",
             delta(41, head("deny", 42, RIDERS), []), HELD),
    ListCase("delta-removal-of-nothing", "taken", "the removal of an absent key changes nothing",
             delta(41, head("deny", 42, RIDERS), [removed(deny(9, 9, 9), 10)]), HELD),
    ListCase("delta-to-nothing", "taken", "all are removed",
             delta(41, head("deny", 42, []), [removed(r, 10) for r in RIDERS]), HELD),
    ListCase("delta-trust", "taken", "a key is withdrawn",
             delta(7, head("trust", 8, [*TRUST[1:]]), [removed(TRUST[0], 2)]),
             whole("trust", 7, TRUST), "trust"),
    ListCase("delta-by-newer-key", "taken", "list key 2 goes on from version 41 of key 1",
             delta(41, head("deny", 42, NEXT, key_id=2), _PUTS), HELD),
    ListCase("example-trust-list", "taken", "the worked example: one key", _EXAMPLE, asked="trust"),
    ListCase("example-trust-delta", "taken", "the worked example: a second key is put",
             delta(7, head("trust", 8, TRUST[:2]), [b"\x01" + TRUST[1]]), _EXAMPLE, "trust"),
    ListCase("delta-sorted-by-first-byte", "taken", "issuers 1 and 256",
             delta(41, head("deny", 42, [*RIDERS, deny(256, 0, 1)]),
                   [b"\1" + RIDERS[0], b"\1" + deny(256, 0, 1)]), HELD),
    ListCase("list-unchanged", "unchanged", "the list that is held", HELD, HELD),
    ListCase("delta-unchanged", "unchanged", "the head that is held, whatever the base",
             delta(3, HELD[:278], []), HELD),
]  # fmt: skip

UNREADABLE = [
    ListCase(name, "list_unreadable", note, data, held)
    for name, note, data, held in [
        ("list-nothing", "no bytes", b"", None),
        ("case-26-list-head-truncated", "277 bytes", _list([])[:-1], None),
        ("case-26-list-truncated", "the last byte is missing", HELD[:-1], None),
        ("case-25-list-trailing", "one byte more", HELD + b"\0", None),
        ("case-27-list-count", "one record fewer than the head says",
         _edit(28, (4).to_bytes(4, "big")), None),
        ("list-magic", "TPL2", _edit(0, b"TPL2"), None),
        ("list-kind-0", "kind 0", _edit(4, 0), None),
        ("list-kind-4", "kind 4", _edit(4, 4), None),
        ("list-zero-5", "offset 5", _edit(5, 1), None),
        ("list-record-size", "records of 15", _edit(6, b"\0\x0f"), None),
        ("list-key-size", "keys of 9", _edit(8, b"\0\x09"), None),
        ("list-zero-10", "offset 11", _edit(11, 1), None),
        ("list-zero-10-first", "offset 10", _edit(10, 1), None),
        ("list-certificate-zero-50-first", "offset 50 of the certificate", _cert(50, 1), None),
        ("delta-zero-4-first", "offset 4", DELTA[:4] + b"\1" + DELTA[5:], HELD),
        ("delta-removal-with-one-byte", "the byte after its key",
         delta(41, _NEXT_HEAD, [b"\2" + RIDERS[0][:10] + b"\1\0\0\0"]), HELD),
        ("delta-unsorted-first-byte", "keys are compared from their first byte on",
         delta(41, _NEXT_HEAD, [b"\1" + deny(256, 1, 1), b"\1" + deny(1, 2, 1)]), HELD),
        ("list-unsorted-first-byte", "keys are compared from their first byte on",
         _list([deny(256, 1, 1), deny(1, 2, 1)]), None),
        ("list-version-0", "versions begin at 1", _list(version=0), None),
        ("list-use-by", "use by = issued at", _list(issued=NOW, use_by=NOW), None),
        ("list-certificate-magic", "TPC2", _cert(0, b"TPC2"), None),
        ("list-certificate-zero-41", "offset 41 of the certificate", _cert(41, 1), None),
        ("list-certificate-zero-50", "offset 53 of the certificate", _cert(53, 1), None),
        ("list-unsorted", "two records changed places", _list([RIDERS[1], RIDERS[0]]), None),
        ("list-key-twice", "one rider twice", _list([RIDERS[0], RIDERS[0]]), None),
        ("case-26-delta-truncated", "the last byte is missing", DELTA[:-1], HELD),
        ("case-25-delta-trailing", "one byte more", DELTA + b"\0", HELD),
        ("case-27-delta-count", "one change fewer than it says",
         DELTA[:16] + (4).to_bytes(4, "big") + DELTA[20:], HELD),
        ("delta-zero-4", "offset 7", DELTA[:7] + b"\1" + DELTA[8:], HELD),
        ("delta-zero-20", "offset 20", DELTA[:20] + b"\1" + DELTA[21:], HELD),
        ("delta-operation-0", "neither put nor removal",
         delta(41, _NEXT_HEAD, [b"\0" + NEXT[1]]), HELD),
        ("delta-operation-3", "neither put nor removal",
         delta(41, _NEXT_HEAD, [b"\3" + NEXT[1]]), HELD),
        ("delta-removal-with-content", "a removed record has its key alone",
         delta(41, _NEXT_HEAD, [b"\2" + RIDERS[0]]), HELD),
        ("delta-unsorted", "changes by key", delta(41, _NEXT_HEAD, [_PUTS[2], _PUTS[0]]), HELD),
        ("delta-key-twice", "one change a key", delta(41, _NEXT_HEAD, [_PUTS[0], _PUTS[0]]), HELD),
        ("delta-alone", "no head", DELTA[:24], HELD),
    ]
]  # fmt: skip

_OTHER = certificate(by=LIST_KEYS[3])
_NO_POINT = certificate(edit=put(8, b"\x02" + (1).to_bytes(32, "big")))
REFUSED = [
    ListCase("list-other-kind", "list_wrong_scope", "a deny list where the trust list was asked",
             HELD, asked="trust"),
    ListCase("list-other-reader", "list_wrong_scope", "another reader's config",
             whole("config", 3, CONFIG, scope="gate-2"), asked="config", scope=READER),
    ListCase("list-scope-prefix", "list_wrong_scope", "all 32 bytes are compared",
             whole("config", 3, CONFIG, scope="gate-11"), asked="config", scope=READER),
    ListCase("list-scope-not-zero", "list_wrong_scope", "a deny list has no scope",
             _list(scope=READER)),
    ListCase("list-root-0", "list_bad_certificate", "root 0", _cert(4, 0)),
    ListCase("list-root-3", "list_bad_certificate", "root 3", _cert(4, 3)),
    ListCase("list-root-other", "list_bad_certificate", "root 1 is named, root 2 signed",
             _list(cert=certificate(by=ROOTS[2]))),
    ListCase("case-16-list-attacker", "list_bad_certificate", "an attacker certifies himself",
             _list(key_id=3, cert=certificate(key_id=3, by=LIST_KEYS[3]))),
    ListCase("case-07-list-certificate-high-s", "list_bad_certificate", "the malleated twin",
             _list(cert=_high_s(certificate(), 54))),
    ListCase("case-14-list-certificate-stripped", "list_bad_certificate", "64 zero bytes",
             _list(cert=certificate()[:54] + bytes(64))),
    ListCase("case-24-list-certificate-tag", "list_bad_certificate", "signed as a list",
             _list(cert=certificate(under="list"))),
    ListCase("list-kind-not-certified", "list_bad_certificate", "a key for trust lists alone",
             _list(cert=certificate(kinds=0b0010))),
    ListCase("list-certificate-not-yet", "list_certificate_expired", "now = not before - 1",
             _list(issued=NOW + 5, cert=certificate(since=NOW + 1))),
    ListCase("list-certificate-over", "list_certificate_expired", "now = not after",
             _list(cert=certificate(until=NOW))),
    ListCase("list-certificate-not-yet-u10", "list_certificate_expired", "now + u = not before - 1",
             _list(issued=NOW + 11, cert=certificate(since=NOW + 11)), u=10),
    ListCase("list-certificate-over-u10", "list_certificate_expired", "now - u = not after",
             _list(cert=certificate(until=NOW - 10)), u=10),
    ListCase("list-issued-before-certificate", "list_certificate_expired",
             "issued at = not before - 1, which u does not excuse",
             _list(issued=NOW - 61, cert=certificate(since=NOW - 60)), u=300),
    ListCase("list-issued-after-certificate", "list_certificate_expired", "issued at = not after",
             _list(issued=NOW + 20, cert=certificate(until=NOW + 20))),
    ListCase("list-other-key", "list_bad_signature", "another list key signed",
             _list(by=LIST_KEYS[2])),
    ListCase("case-07-list-high-s", "list_bad_signature", "the malleated twin", _high_s(HELD, 214)),
    ListCase("case-14-list-stripped", "list_bad_signature", "64 zero bytes",
             HELD[:214] + bytes(64) + HELD[278:]),
    ListCase("case-24-list-tag", "list_bad_signature", "signed as a batch", _list(under="batch")),
    ListCase("list-head-changed", "list_bad_signature", "a later use by after signing",
             HELD[:24] + (NOW + 9 * DAY).to_bytes(4, "big") + HELD[28:]),
    ListCase("case-22-list-key-no-point", "list_bad_signature", "a root certified no point",
             _list(cert=_NO_POINT)),
    ListCase("case-34-list-rolled-back", "list_rolled_back", "41 after 42",
             HELD, AFTER),
    ListCase("list-older-key-higher-version", "list_rolled_back",
             "a stolen list key 1 cannot go on once key 2 has signed",
             _list(version=2**64 - 1), _list(version=1, key_id=2)),
    ListCase("list-same-version-other-head", "list_rolled_back", "two lists of version 41",
             _list(NEXT), HELD),
    ListCase("list-same-version-other-root", "list_rolled_back",
             "the same records under another certificate are another head",
             _list(cert=certificate(root=2)), HELD),
    ListCase("delta-rolled-back", "list_rolled_back", "a delta to an older version",
             delta(41, head("deny", 40, RIDERS), []), HELD),
    ListCase("delta-nothing-held", "list_wrong_base", "a delta needs its base", DELTA),
    ListCase("delta-other-base", "list_wrong_base", "40 is held, the base is 41",
             DELTA, _list(version=40)),
    ListCase("list-digest", "list_bad_digest", "a serial after signing", HELD[:-1] + b"\1"),
    ListCase("delta-digest", "list_bad_digest", "a change is missing",
             delta(41, _NEXT_HEAD, _PUTS[:2]), HELD),
    ListCase("delta-count", "list_bad_digest", "the head says four records",
             delta(41, head("deny", 42, NEXT, edit=put(31, 4)), _PUTS), HELD),
    ListCase("list-order-1-2", "list_unreadable", "length before scope", HELD[:-1], asked="trust"),
    ListCase("list-order-2-3", "list_wrong_scope", "scope before certificate",
             _list(cert=_OTHER), asked="trust"),
    ListCase("list-order-3-4", "list_bad_certificate", "its signature before its time",
             _list(cert=certificate(by=ROOTS[2], until=NOW - 1))),
    ListCase("list-order-4-5", "list_certificate_expired", "its time before the list's signature",
             _list(by=LIST_KEYS[2], cert=certificate(until=NOW - 1))),
    ListCase("list-order-5-6", "list_bad_signature", "the signature before the version",
             _list(version=40, by=LIST_KEYS[2]), HELD),
    ListCase("list-order-6-8", "list_rolled_back", "the version before the digest",
             _list(version=40)[:-1] + b"\1", HELD),
    ListCase("delta-order-6-7", "list_rolled_back", "the version before the base",
             delta(7, head("deny", 40, RIDERS), []), HELD),
]  # fmt: skip

LIST_CASES = [*TAKEN, *UNREADABLE, *REFUSED]
