"""Writes the golden vectors of Ministry of Transport codes; run it only to add some.

Everything is derived from labels: the TEST ONLY keys, and from key and message the nonces of
their signatures. So two runs write the same bytes, and a difference is a changed layout.

    python tests/vectors/make_mot_vectors.py
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from transitpay.ride_code.deny_list import DenyList
from transitpay.ride_code.golden.ride_codes import FORMAT, describe, judge_vector, read_vectors
from transitpay.ride_code.mot import curve, layout
from transitpay.ride_code.mot.layout import INTEROPERABLE_ROOTS, LOCAL_ROOTS
from transitpay.ride_code.signing import Algorithm
from transitpay.ride_code.trust_list import IssuerKey, KeyStatus, TrustList
from transitpay.sandbox.mot_issuer import SandboxIssuer, SandboxSm2Key, draw

TARGET = Path(__file__).parents[2] / "transitpay" / "ride_code" / "vectors" / "mot-v1.json"
AT = datetime(2026, 7, 1, 4, 0, tzinfo=UTC)
NOW = int(AT.timestamp())
#: The first second after July in China.
AUGUST = int(datetime(2026, 7, 31, 16, tzinfo=UTC).timestamp())
WARNING = (
    "TEST ONLY. Every key in this file is public, private halves included. Never put one of"
    " them into a trust list that opens a gate."
)
ROOTS = {n: SandboxSm2Key.named(f"mot root {n}") for n in (7, 8, 9)}
ISSUER = SandboxSm2Key.named("mot issuer")
USERS = {name: SandboxSm2Key.named(f"mot user {name}") for name in ("a", "b")}
STRANGER = SandboxSm2Key.named("mot stranger")
ISSUERS = {
    **{f"root {n}": SandboxIssuer(key, n, ISSUER) for n, key in ROOTS.items()},
    "root 6": SandboxIssuer(ROOTS[7], 6, ISSUER),
    "july": SandboxIssuer(ROOTS[7], 7, ISSUER, expires=(2026, 7)),
    "stranger": SandboxIssuer(ROOTS[7], 7, STRANGER),
    "strange root": SandboxIssuer(STRANGER, 7, ISSUER),
}
_READER = {
    "destination": 1, "mode": 0, "direction": "entry", "service_excluded": False,
    "test_keys_allowed": False, "highest_fares": [{"currency": "CNY", "minor": 3500}],
    "max_age_s": 60, "max_future_s": 20, "overstay_s": 9000,
}  # fmt: skip
READERS: dict[str, dict[str, object]] = {
    "szt-entry": _READER,
    "szt-exit": {**_READER, "direction": "exit"},
    "szt-strict": {**_READER, "mot_max_age_s": 120},
    "gz-entry": {**_READER, "destination": 2},
    "hk-entry": {**_READER, "destination": 0},
    "szt-test": {**_READER, "test_keys_allowed": True},
    "szt-light-rail": {**_READER, "mode": 2},
}

Edit = Callable[[bytearray], None]


@dataclass(frozen=True)
class Case:
    """One vector: how its code is made, who reads it when, and what comes of it."""

    name: str
    note: str
    expected: str = "accepted"
    reader: str = "szt-entry"
    deny: str = "none"
    at: int = NOW
    u: int = 0
    issuer: str = "root 7"
    user: str = "a"
    age_s: int = 5
    expires_at: int = NOW + 86400
    fields: dict[str, Any] = field(default_factory=dict)
    edit: Edit | None = None
    respell: Callable[[str], str] | None = None


def put(offset: int, value: bytes) -> Edit:
    """Other bytes at an offset, not signed again."""

    def edit(data: bytearray) -> None:
        data[offset : offset + len(value)] = value

    return edit


def number(offset: int, change: Callable[[int], int]) -> Edit:
    """Another 32-byte number at an offset."""

    def edit(data: bytearray) -> None:
        value = change(int.from_bytes(data[offset : offset + 32], "big"))
        data[offset : offset + 32] = value.to_bytes(32, "big")

    return edit


def cut(length: int) -> Edit:
    """Only the first bytes."""
    return lambda data: data.__delitem__(slice(length, None))


def _malformed() -> list[Case]:
    bad = "unreadable"
    return [
        Case("short", "one byte too few", bad, edit=cut(331)),
        Case("trailing", "one byte too many", bad, edit=lambda d: d.append(0)),
        Case("declared-length", "declares one byte more", bad, edit=put(1, b"\x01\x4a")),
        Case("declared-extension", "declares an extension that is not there", bad,
             edit=put(197, b"\x01")),
        Case("extension-33", "declares 33 bytes of extension", bad, edit=put(197, b"\x21")),
        Case("record-mark", "the certificate begins with 25", bad, edit=put(3, b"\x25")),
        Case("month-13", "the certificate expires in month 13", bad, edit=put(14, b"\x13")),
        Case("month-not-bcd", "the month is 0A", bad, edit=put(14, b"\x0a")),
        Case("signature-mark", "the user signature begins with 16", bad, edit=put(267, b"\x16")),
        Case("account-type-6", "no such account type", bad, fields={"account_type": 6}),
        Case("life-0", "a code that lives for 0 s", bad, fields={"code_life_s": 0}),
        Case("uncompressed-key", "a user key that begins with 04", bad, edit=put(158, b"\x04")),
        Case("version-82", "another first byte", "unknown_version", edit=put(0, b"\x82")),
        Case("lower-case", "the text in lower case", bad, respell=str.lower),
        Case("no-prefix", "the text without MOT:", bad, respell=lambda t: t[4:]),
        Case("line-end", "a line end after the text", bad, respell=lambda t: t + "\n"),
    ]  # fmt: skip


def _signatures() -> list[Case]:
    issuer, user, n = "bad_issuer_signature", "bad_device_signature", curve.ORDER
    return [
        Case("root-stripped", "64 zero bytes", issuer, edit=put(56, bytes(64))),
        Case("issuer-stripped", "64 zero bytes", issuer, edit=put(199, bytes(64))),
        Case("user-stripped", "64 zero bytes", user, edit=put(268, bytes(64))),
        Case("user-s-mirrored", "s replaced by n - s", user, edit=number(300, lambda s: n - s)),
        Case("user-s-is-n", "s = n", user, edit=number(300, lambda s: n)),
        Case("user-r-is-0", "r = 0", user, edit=number(268, lambda r: 0)),
        Case("issuer-r-plus-s-is-n", "r + s = n", issuer,
             edit=lambda d: number(231, lambda s: n - int.from_bytes(d[199:231], "big"))(d)),
        Case("strange-root", "a root that is not the listed one", issuer, issuer="strange root"),
        Case("ceiling-raised", "a field of the authorisation changed", issuer,
             edit=put(155, b"\x00\xff\xff")),
        Case("account-swapped", "another payment account", issuer, edit=put(135, b"2")),
        Case("generated-later", "another generated-at", user,
             edit=put(263, (NOW).to_bytes(4, "big"))),
        Case("version-swapped", "81 for 80: the user signed the other", user, "gz-entry",
             edit=put(0, b"\x81")),
    ]  # fmt: skip


def _rules() -> list[Case]:
    return [
        Case("accepted", "an interoperable code"),
        Case("accepted-extension", "32 bytes of extension", fields={"extension": b"\xa5" * 32}),
        Case("accepted-local", "a local code, where local codes open", reader="gz-entry",
             fields={"local": True}),
        Case("local-elsewhere", "a local code in another city", "destination_not_allowed",
             fields={"local": True}),
        Case("hong-kong", "the root opens in Shenzhen only", "destination_not_allowed", "hk-entry"),
        Case("light-rail", "the root opens metro and bus", "mode_not_allowed", "szt-light-rail"),
        Case("unknown-root", "root 6 is in no list", "unknown_key", issuer="root 6"),
        Case("compromised-root", "root 8", "key_compromised", issuer="root 8"),
        Case("compromised-root-exit", "at an exit within the overstay limit",
             "accepted key_compromised", "szt-exit", issuer="root 8"),
        Case("test-root", "root 9", "test_key", issuer="root 9"),
        Case("test-account", "account type 4", "test_key", fields={"account_type": 4}),
        Case("test-account-allowed", "where test keys ride", reader="szt-test",
             fields={"account_type": 4}),
        Case("month-last-second", "31 July 23:59:59 in China", issuer="july", at=AUGUST - 1,
             age_s=NOW - AUGUST + 1, expires_at=AUGUST + 9),
        Case("month-over", "1 August 00:00:00 in China", "key_expired", issuer="july", at=AUGUST,
             age_s=NOW - AUGUST, expires_at=AUGUST + 9),
        Case("expiry-last-second", "drawn a second before the expiry", expires_at=NOW - 4),
        Case("expired", "drawn at the expiry", "authorisation_expired", expires_at=NOW - 5),
        Case("expired-exit", "at an exit within the overstay limit",
             "accepted authorisation_expired", "szt-exit", expires_at=NOW - 5),
        Case("age-600", "600 s old", age_s=600, fields={"code_life_s": 3600}),
        Case("age-601", "601 s old, whatever it says of its life", "code_stale", age_s=601,
             fields={"code_life_s": 3600}),
        Case("life-30", "30 s old, of 30", age_s=30, fields={"code_life_s": 30}),
        Case("life-31", "31 s old, of 30", "code_stale", age_s=31, fields={"code_life_s": 30}),
        Case("strict-120", "120 s old at a reader of 120", reader="szt-strict", age_s=120),
        Case("strict-121", "121 s old at a reader of 120", "code_stale", "szt-strict", age_s=121),
        Case("doubt", "610 s old, the reader doubts its clock by 10 s", u=10, age_s=610),
        Case("clock-fault", "the reader doubts its clock by 301 s", "accepted clock_fault", u=301),
        Case("future-20", "20 s ahead", age_s=-20),
        Case("future-21", "21 s ahead", "code_from_future", age_s=-21),
        Case("denied", "the account owes", "denied", deny="rider"),
        Case("released", "its next authorisation", deny="rider", expires_at=NOW + 86401),
        Case("denied-exit", "who is inside gets out", "accepted denied", "szt-exit", deny="rider"),
        Case("ceiling", "the highest fare is 35.00 CNY", fields={"ceiling_fen": 3500}),
        Case("ceiling-low", "a fen less", "ceiling_too_low", fields={"ceiling_fen": 3499}),
        Case("other-user", "another user key, same account", user="b"),
        Case("same-second", "another authorisation, same user key and second: one replay key",
             expires_at=NOW + 7, fields={"extension": b"x"}),
    ]  # fmt: skip


CASES = [*_rules(), *_signatures(), *_malformed()]


def make(case: Case) -> bytes:
    """The bytes of a case."""
    by, user = ISSUERS[case.issuer], USERS[case.user]
    authorised = by.authorise(user.public.data, case.expires_at, **case.fields)
    data = bytearray(draw(by, authorised, user, NOW - case.age_s))
    if case.edit:
        case.edit(data)
    return bytes(data)


def trust_list() -> TrustList:
    """Root 7 for both kinds of code, root 8 compromised, root 9 for tests."""
    day = timedelta(days=1)

    def key(root: int, **changes: object) -> IssuerKey:
        it = IssuerKey(
            INTEROPERABLE_ROOTS + root, Algorithm.SM2, ROOTS[root].public.data, "t-union",
            0b10, 0b11, AT - 30 * day, AT + 365 * day,
        )  # fmt: skip
        return replace(it, **changes)  # type: ignore[arg-type] # fields of the list below

    lost = KeyStatus.COMPROMISED
    since = AT - timedelta(hours=1)
    return TrustList.of(
        1,
        [key(7), key(7, key_id=LOCAL_ROOTS + 7, destinations=0b100),
         key(8, status=lost, compromised_at=since), key(9, test=True)],
    )  # fmt: skip


def build() -> str:
    """The text of the vector file."""
    rider = layout.parse(make(CASES[0])).authorisation.rider_id
    named = {
        **{f"root {n} TEST ONLY": key for n, key in ROOTS.items()},
        "issuer TEST ONLY": ISSUER,
        **{f"user {name} TEST ONLY": key for name, key in USERS.items()},
    }
    document: dict[str, object] = {
        "format": FORMAT,
        "warning": WARNING,
        "test_only_private_keys": {name: f"{key.scalar:064x}" for name, key in named.items()},
        "trust_lists": {"main": trust_list().to_object()},
        "deny_lists": {
            "none": DenyList(1).to_object(),
            "rider": DenyList(2, {("t-union", rider): NOW + 86400}).to_object(),
        },
        "readers": READERS,
    }
    vectors = []
    for case in CASES:
        data = make(case)
        plain = layout.write_text(data)
        text = case.respell(plain) if case.respell else plain
        vectors.append(
            {
                "name": f"mot-{case.name}", "note": case.note, "text": text,
                "hex": data.hex() if text == plain else None, "trust_list": "main",
                "deny_list": case.deny, "reader": case.reader, "at": case.at,
                "uncertainty_s": case.u,
                "expect": {"verdict": "rejected", "reason": "unreadable", "flags": []},
            }
        )  # fmt: skip
    document["vectors"] = vectors
    for case, vector, entry in zip(CASES, read_vectors(json.dumps(document)), vectors, strict=True):
        found = describe(judge_vector(vector))
        flags = found["flags"]
        assert isinstance(flags, list)
        told = found["reason"] or " ".join(["accepted", *flags])
        assert told == case.expected, f"{case.name}: {told}, not {case.expected}"
        entry["expect"] = found
    return json.dumps(document, indent=1, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    TARGET.write_text(build(), encoding="utf-8")
    print(f"{len(CASES)} vectors")
