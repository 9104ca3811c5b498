"""Golden ride-code vectors of abuse: each name begins with the number of its case.

What has no bytes of its own (two gates at once, a lost night) has no vector here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ride_code_vector_cases import (
    AIRPORT,
    DEAR,
    ENTRY,
    EXIT,
    NO_POINT,
    SANDBOX,
    Case,
    complement,
    put,
    signed,
)

from transitpay.ride_code.signing import P256_ORDER

NOW = 1782878400
DAY = 86400
_N = P256_ORDER.to_bytes(32, "big")


def _dated(name: str, expected: str, note: str, drawn: str, scanned: str, **given: Any) -> Case:
    """A code drawn at one instant and scanned at another, under a permission of an hour before."""
    made, at = (
        int(datetime.fromisoformat(it).replace(tzinfo=UTC).timestamp()) for it in (drawn, scanned)
    )
    fields = {"not_before": made - 3600, "life_h": 2}
    return Case(name, expected, note, {"age_s": NOW - made}, fields, trust="years", at=at, **given)


ABUSE = [
    Case("case-04-age-59", "accepted", "a screenshot of 59 s", {"age_s": 59}),
    Case("case-04-age-61", "code_stale", "a screenshot of 61 s", {"age_s": 61}),
    Case("case-04-age-61-u1", "accepted", "61 s, of which the reader doubts one", {"age_s": 61},
         uncertainty_s=1),
    Case("case-07-issuer-high-s", "bad_issuer_signature", "n - s, signed again by the device",
         {"edit_signed": complement(65)}),
    Case("case-07-device-high-s", "bad_device_signature", "n - s", {"edit": complement(136)}),
    Case("case-08-lower-case", "unreadable", "the same bytes", respell=str.lower),
    Case("case-08-carriage-return", "unreadable", "the same bytes", respell=lambda t: t + "\r"),
    Case("case-08-triplet-plus-65536", "unreadable", "the first triplet, counted on past 65535",
         respell=lambda t: "TP1:" + _past(t[4:7]) + t[7:]),
    Case("case-10-counter-collision", "accepted",
         "the replay key of accepted-es256 under other bytes: two phones from one backup",
         {"destination": 1}, reader="shenzhen-metro-entry"),
    Case("case-11-slot-3", "unreadable", "slot 3", signed(135, 0x0C)),
    Case("case-11-slot-above-maximum", "companion_not_allowed", "slot 2 of at most 1", {"slot": 2},
         {"max_companions": 1}),
    Case("case-12-for-tomorrow", "code_from_future", "drawn a day ahead", {"age_s": -DAY},
         {"life_h": 168}),
    Case("case-12-for-tomorrow-u300", "code_from_future", "whatever the reader doubts",
         {"age_s": -321}, uncertainty_s=2**31),
    _dated("case-13-year-end", "accepted", "2 s over the year's end",
           "2026-12-31T23:59:59", "2027-01-01T00:00:01"),
    _dated("case-13-year-end-ahead", "accepted", "a phone 10 s ahead, at the year's end",
           "2027-01-01T00:00:05", "2026-12-31T23:59:55"),
    _dated("case-13-leap-day", "accepted", "into 29 February",
           "2028-02-28T23:59:50", "2028-02-29T00:00:10"),
    _dated("case-13-after-leap-day", "accepted", "out of 29 February",
           "2028-02-29T23:59:50", "2028-03-01T00:00:10"),
    _dated("case-13-a-year-ago", "code_stale", "the same second a year ago",
           "2026-02-28T12:00:00", "2027-02-28T12:00:00"),
    Case("case-14-device-signature-stripped", "bad_device_signature", "64 zero bytes",
         {"edit": put(136, bytes(64))}),
    Case("case-15-issuer-signature-stripped", "bad_issuer_signature",
         "64 zero bytes, signed by the device", {"edit_signed": put(65, bytes(64))}),
    Case("case-16-both-by-an-attacker", "bad_issuer_signature", "keys 3 and b in place of 1 and a",
         {"issuer": 3, "device": "b"}, {"device_key": "b"}),
    Case("case-17-es256-under-ed25519", "bad_issuer_signature",
         "the record says Ed25519, the code is signed with ES256", {"issuer": 1}, {"key_id": 2}),
    Case("case-17-ed25519-under-es256", "bad_issuer_signature",
         "the record says ES256, the code is signed with Ed25519", {"issuer": 2}, {"key_id": 1}),
    Case("case-18-another-key-id", "bad_issuer_signature", "key id 3 over a signature of key 1",
         {"edit": put(2, b"\x03")}),
    Case("case-19-another-issuer", "bad_issuer_signature",
         "alipayhk signs in the name of alipay", {"issuer": 1}, {"key_id": 2}),
    Case("case-20-key-compromised", "key_compromised", "whatever time the code claims",
         {"age_s": 0}, {"key_id": 9}),
    Case("case-20-key-not-yet-valid", "key_not_yet_valid", "in an hour", {}, {"key_id": 5}),
    Case("case-20-key-expired-since-drawn", "key_expired", "valid when drawn, not when scanned",
         {"age_s": 30}, {}, trust="just-expired"),
    Case("case-21-test-key", "test_key", "in production", {}, {"key_id": 7}),
    Case("case-21-test-key-sandbox", "accepted", "in a sandbox", {}, {"key_id": 7}, SANDBOX),
    Case("case-22-no-point", "bad_device_signature", "signed by the issuer, on no curve", {},
         {"device_key": NO_POINT}),
    Case("case-22-identity", "unreadable", "the identity has no compressed form",
         {"edit_signed": put(15, bytes(33))}),
    Case("case-22-r-0", "bad_device_signature", "r = 0", {"edit": put(136, bytes(32))}),
    Case("case-22-r-n", "bad_device_signature", "r = n", {"edit": put(136, _N)}),
    Case("case-22-s-0", "bad_device_signature", "s = 0", {"edit": put(168, bytes(32))}),
    Case("case-22-s-n", "bad_device_signature", "s = n", {"edit": put(168, _N)}),
    Case("case-23-spliced", "bad_device_signature", "b signs over a's issuer part",
         {"device": "b"}, {"device_key": "a"}),
    Case("case-24-signed-as-batch", "bad_device_signature", "the tag of a reader's batch",
         {"device_tag": b"TransitPay/batch/v1\0"}),
    Case("case-24-signed-as-list", "bad_issuer_signature", "the tag of a list",
         {"issuer_tag": b"TransitPay/list/v1\0"}),
    Case("case-25-trailing-triplet", "unreadable", "202 bytes", respell=lambda t: t + "000"),
    Case("case-26-truncated", "unreadable", "198 bytes", respell=lambda t: t[:-3]),
    Case("case-26-half", "unreadable", "100 bytes", respell=lambda t: t[:154]),
    Case("case-29-version-255", "unknown_version", "version 255", signed(0, 255)),
    Case("case-30-nul", "unreadable", "a NUL", respell=lambda t: t[:50] + "\0" + t[51:]),
    Case("case-30-full-width-digit", "unreadable", "U+FF11",
         respell=lambda t: t[:50] + "\uff11" + t[51:]),
    Case("case-30-right-to-left", "unreadable", "U+202E", respell=lambda t: "\u202e" + t[1:]),
    Case("case-32-airport-express", "mode_not_allowed", "a metro and bus code", reader=AIRPORT),
    Case("case-32-another-region", "wrong_destination", "a Shenzhen code in Hong Kong",
         {"destination": 1}, reader=ENTRY),
    Case("case-33-ceiling", "ceiling_too_low", "200.00 where the highest fare is 200.01",
         reader=DEAR),
    Case("case-33-ceiling-exit", "accepted ceiling_too_low", "an exit never refuses it",
         reader="dear-exit"),
    Case("case-34-denied-at-entry", "denied", "the list came first", deny="rider"),
    Case("case-34-denied-at-exit", "accepted denied", "the list came between entry and exit", {},
         {}, EXIT, "rider"),
    Case("case-35-quota", "quota_exceeded", "the 2001st code", {"counter": 2001}),
    Case("case-37-clock-day-ahead", "code_stale", "a gate a day ahead that says so",
         {"age_s": DAY}, {"not_before": NOW - DAY - 3600, "life_h": 48}, uncertainty_s=DAY),
    Case("case-37-clock-five-minutes", "accepted", "a gate 5 min ahead that says so",
         {"age_s": 300}, uncertainty_s=300),
    Case("case-38-ahead-20", "accepted", "a phone 20 s ahead", {"age_s": -20}),
    Case("case-38-ahead-21", "code_from_future", "a phone 21 s ahead", {"age_s": -21}),
    Case("accepted-code-life-5", "accepted", "the shortest own life", {"age_s": 5},
         {"code_life_s": 5}),
    Case("code-stale-life-5", "code_stale", "the shortest own life", {"age_s": 6},
         {"code_life_s": 5}),
    Case("accepted-destination-3-mode-5", "accepted", "bits above the first two",
         {"destination": 3},
         {"destinations": 0b1000, "modes": 0b100000}, "first-class-zhongshan", trust="everywhere"),
    Case("destination-3-not-allowed", "destination_not_allowed", "all bits but this one",
         {"destination": 3}, {"destinations": 0xFFF7, "modes": 0b100000}, "first-class-zhongshan",
         trust="everywhere"),
    Case("mode-5-not-allowed", "mode_not_allowed", "all bits but this one", {"destination": 3},
         {"destinations": 0b1000, "modes": 0xDF}, "first-class-zhongshan", trust="everywhere"),
    *(
        Case(f"key-edge-{name}", expected, note, {"age_s": 0}, {"key_id": key_id}, reader,
             trust="edges")
        for name, expected, note, key_id, reader in [
            ("first-second", "accepted", "not before = now", 1, ENTRY),
            ("too-early", "key_not_yet_valid", "not before = now + 1", 4, ENTRY),
            ("last-second", "accepted", "not after = now + 1", 2, ENTRY),
            ("over", "key_expired", "not after = now", 3, ENTRY),
            ("exit-over", "accepted key_expired", "an exit opens from that second on", 3, EXIT),
            ("exit-overstay", "accepted key_expired", "not after = now - overstay + 1", 6, EXIT),
            ("exit-overstayed", "key_expired", "not after = now - overstay", 5, EXIT),
            ("exit-lost", "accepted key_compromised", "lost at now - overstay + 1", 8, EXIT),
            ("exit-lost-long", "key_compromised", "lost at now - overstay", 7, EXIT),
            ("exit-lost-undated", "key_compromised", "nobody told when", 9, EXIT),
        ]
    ),
    Case("unknown-key-of-another-format", "unknown_key",
         "an SM2 root of Ministry of Transport codes is no key of ours", {"issuer": 1},
         {"key_id": 65281}, trust="sm2"),
]  # fmt: skip


def _past(triplet: str) -> str:
    """The same 16 bits, counted on by 65536 where three characters can say so, else the largest."""
    letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
    value = sum(letters.index(c) * 45**n for n, c in enumerate(triplet)) + 65536
    high, rest = divmod(value, 2025)
    return letters[rest % 45] + letters[rest // 45] + letters[min(high, 44)]
