"""The cases of the golden ride-code vectors: what is special about each, and its verdict.

The expected verdicts are written by hand; the generator refuses to write a file in which our
judge disagrees with one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from transitpay.money import CNY
from transitpay.ride_code.signing import DEVICE_TAG, ED25519_ORDER, ISSUER_TAG, P256_ORDER

READERS: dict[str, dict[str, object]] = {}


def _reader(name: str, **changes: object) -> str:
    READERS[name] = {
        "destination": 0, "mode": 0, "direction": "entry", "service_excluded": False,
        "test_keys_allowed": False,
        "highest_fares": [{"currency": "HKD", "minor": 6600}, {"currency": "CNY", "minor": 6070}],
        "max_age_s": 60, "max_future_s": 20, "overstay_s": 9000, **changes,
    }  # fmt: skip
    return name


ENTRY = _reader("hong-kong-metro-entry")
EXIT = _reader("hong-kong-metro-exit", direction="exit")
SHENZHEN = _reader("shenzhen-metro-entry", destination=1)
BUS = _reader("hong-kong-bus", mode=1, direction="single")
ALIGHT = _reader("hong-kong-bus-alight", mode=1, direction="alight")
AIRPORT = _reader("airport-express-entry", mode=3)
EXCLUDED = _reader("excluded-service-entry", service_excluded=True)
SANDBOX = _reader("sandbox-entry", test_keys_allowed=True)
PATIENT = _reader("patient-entry", max_age_s=600)
DEAR = _reader(
    "dear-entry",
    highest_fares=[{"currency": "HKD", "minor": 20001}, {"currency": "CNY", "minor": 20001}],
)
_reader("first-class-zhongshan", destination=3, mode=5)
_reader("dear-exit", direction="exit",
        highest_fares=[{"currency": "HKD", "minor": 20001}])  # fmt: skip
EXACT = _reader("exact-entry", highest_fares=[{"currency": "HKD", "minor": 20000}])


@dataclass(frozen=True)
class Case:
    """One vector. ``expected`` is a reason, or ``accepted`` and its flags."""

    name: str
    expected: str
    note: str
    recipe: dict[str, object] = field(default_factory=dict)
    fields: dict[str, object] = field(default_factory=dict)
    reader: str = ENTRY
    deny: str = "none"
    uncertainty_s: int = 0
    respell: Callable[[str], str] = str
    trust: str = "main"
    at: int = 1782878400


def put(offset: int, value: bytes) -> Callable[[bytearray], None]:
    def edit(data: bytearray) -> None:
        data[offset : offset + len(value)] = value

    return edit


def signed(offset: int, value: int) -> dict[str, object]:
    return {"edit_signed": put(offset, bytes((value,)))}


def complement(at: int) -> Callable[[bytearray], None]:
    """s -> n - s of the signature at ``at``: the malleated twin."""

    def edit(data: bytearray) -> None:
        s = int.from_bytes(data[at + 32 : at + 64], "big")
        data[at + 32 : at + 64] = (P256_ORDER - s).to_bytes(32, "big")

    return edit


def _add_order(data: bytearray) -> None:
    """S -> S + L of the Ed25519 issuer signature."""
    s = int.from_bytes(data[97:129], "little") + ED25519_ORDER
    data[97:129] = s.to_bytes(32, "little")


_N = P256_ORDER.to_bytes(32, "big")
_ONE = (1).to_bytes(32, "big")
#: No point of P-256 has x = 1.
NO_POINT = b"\x02" + (1).to_bytes(32, "big")

ACCEPTED = [
    Case("accepted-es256", "accepted", "the plain case: ES256 issuer, entry"),
    Case("accepted-ed25519", "accepted", "Ed25519 issuer", fields={"key_id": 2}),
    Case("accepted-bus", "accepted", "mode 1, direction single", reader=BUS),
    Case("accepted-shenzhen", "accepted", "destination 1", {"destination": 1}, reader=SHENZHEN),
    Case("accepted-companion", "accepted", "slot 2 of at most 2", {"slot": 2}),
    Case("accepted-retired-key", "accepted", "a retired key still verifies", {}, {"key_id": 3}),
    Case("accepted-test-key", "accepted", "test keys allowed here", {}, {"key_id": 7}, SANDBOX),
    Case("accepted-age-60", "accepted", "60 s old", {"age_s": 60}),
    Case("accepted-future-20", "accepted", "20 s in the future", {"age_s": -20}),
    Case("accepted-age-70-u10", "accepted", "60 s + u", {"age_s": 70}, uncertainty_s=10),
    Case("accepted-future-30-u10", "accepted", "20 s + u", {"age_s": -30}, uncertainty_s=10),
    Case("accepted-age-360-u300", "accepted", "the cap of u", {"age_s": 360}, uncertainty_s=300),
    Case("accepted-u301", "accepted clock_fault", "u above its cap counts as 300 and is flagged",
         {"age_s": 360}, uncertainty_s=301),
    Case("accepted-life-30-age-30", "accepted", "the code's own life, 30 s",
         {"age_s": 30}, {"code_life_s": 30}),
    Case("accepted-life-600-age-600", "accepted", "reader setting 600 s, code life 600 s",
         {"age_s": 600}, {"code_life_s": 600}, PATIENT),
    Case("accepted-first-second", "accepted", "drawn in the first second of the authorisation",
         {"age_s": 5}, {"not_before": 1782878395}),
    Case("accepted-last-second", "accepted", "drawn in the last second of the authorisation",
         {"age_s": 5}, {"not_before": 1782878396 - 3600, "life_h": 1}),
    Case("accepted-quota-edge", "accepted", "counter = quota", {"counter": 2000}),
    Case("accepted-counter-65535", "accepted", "the highest counter", {"counter": 65535},
         {"quota": 65535}),
    Case("accepted-ceiling-edge", "accepted", "ceiling = highest fare", reader=EXACT),
    Case("accepted-ceiling-other-currency", "accepted", "no fare known in the ceiling's currency",
         {}, {"ceiling_major": 1, "ceiling_currency": CNY}, EXACT),
    Case("accepted-serial-6", "accepted", "the deny entry holds up to serial 5", {},
         {"serial": 6}, deny="rider"),
    Case("accepted-other-issuer-same-rider-id", "accepted", "deny entries name the issuer", {},
         {"key_id": 2}, deny="rider"),
    Case("accepted-largest-values", "accepted", "every unsigned field at its largest", {},
         {"serial": 2**32 - 1, "life_h": 168, "code_life_s": 600, "ceiling_major": 65535,
          "destinations": 65535, "modes": 255, "rider_class": 15, "quota": 65535}),
]  # fmt: skip

UNREADABLE = [
    Case("unreadable-empty", "unreadable", "no text", respell=lambda t: ""),
    Case("unreadable-lower-case", "unreadable", "lower case", respell=str.lower),
    Case("unreadable-newline", "unreadable", "nothing is trimmed", respell=lambda t: t + "\n"),
    Case("unreadable-space", "unreadable", "nothing is trimmed", respell=lambda t: " " + t[:-1]),
    Case("unreadable-prefix", "unreadable", "TP2:", respell=lambda t: "TP2:" + t[4:]),
    Case("unreadable-short", "unreadable", "one character less", respell=lambda t: t[:-1]),
    Case("unreadable-199-bytes", "unreadable", "199 bytes", respell=lambda t: t[:-3] + "U5"),
    Case("unreadable-trailing", "unreadable", "three more characters",
         respell=lambda t: t + "000"),
    Case("unreadable-triplet", "unreadable", "a triplet of 65536",
         respell=lambda t: t[:-3] + "GGW"),
    Case("unreadable-character", "unreadable", "a comma is not in the alphabet",
         respell=lambda t: t[:-1] + ","),
    Case("unreadable-nul", "unreadable", "a NUL", respell=lambda t: t[:-1] + "\0"),
    Case("unreadable-digit", "unreadable", "an Arabic-Indic digit",
         respell=lambda t: t[:-1] + "\u0661"),
    Case("unreadable-device-key-form", "unreadable", "not a compressed point", signed(15, 4)),
    Case("unreadable-life-0", "unreadable", "life 0 h", signed(52, 0)),
    Case("unreadable-life-169", "unreadable", "life 169 h", signed(52, 169)),
    Case("unreadable-code-life-0", "unreadable", "code life 0", signed(53, 0)),
    Case("unreadable-code-life-121", "unreadable", "code life 605 s", signed(53, 121)),
    Case("unreadable-currency-0", "unreadable", "currency 0", signed(56, 0)),
    Case("unreadable-currency-3", "unreadable", "currency 3", signed(56, 3)),
    Case("unreadable-companions-3", "unreadable", "at most 2 companions", signed(60, 0x0C)),
    Case("unreadable-reserved-60", "unreadable", "lowest bit of offset 60", signed(60, 0x09)),
    Case("unreadable-reserved-63", "unreadable", "offset 63", signed(63, 0x80)),
    Case("unreadable-reserved-64", "unreadable", "offset 64", signed(64, 0x01)),
    Case("unreadable-counter-0", "unreadable", "counters begin at 1", signed(134, 0)),
    Case("unreadable-slot-3", "unreadable", "slot 3", signed(135, 0x0C)),
    Case("unreadable-reserved-135", "unreadable", "lowest bit of offset 135", signed(135, 0x01)),
    Case("unknown-version-0", "unknown_version", "version 0", signed(0, 0)),
    Case("unknown-version-2", "unknown_version", "version 2", signed(0, 2)),
]  # fmt: skip

KEYS_AND_TIMES = [
    Case("unknown-key", "unknown_key", "key id 99 is in no list", {"issuer": 1}, {"key_id": 99}),
    Case("test-key", "test_key", "a test key where none is allowed", {}, {"key_id": 7}),
    Case("key-compromised", "key_compromised", "whatever time the code claims", {},
         {"key_id": 4}),
    Case("key-compromised-exit", "accepted key_compromised",
         "compromised 1 h ago: the entry may have been earlier", {}, {"key_id": 4}, EXIT),
    Case("key-compromised-exit-late", "key_compromised", "compromised 10 days ago", {},
         {"key_id": 9}, EXIT),
    Case("key-not-yet-valid", "key_not_yet_valid", "valid in 1 h", {}, {"key_id": 5}),
    Case("key-expired", "key_expired", "expired 1 h ago", {}, {"key_id": 6}),
    Case("key-expired-exit", "accepted key_expired", "within the overstay limit", {},
         {"key_id": 6}, EXIT),
    Case("authorisation-not-yet-valid", "authorisation_not_yet_valid", "drawn 1 s too early",
         {"age_s": 5}, {"not_before": 1782878396}),
    Case("authorisation-expired", "authorisation_expired", "drawn in the second of the end",
         {"age_s": 5}, {"not_before": 1782878395 - 3600, "life_h": 1}),
    Case("authorisation-expired-exit", "accepted authorisation_expired",
         "ended 8999 s before it was drawn, overstay limit 9000 s",
         {"age_s": 0}, {"not_before": 1782878400 - 3600 - 8999, "life_h": 1}, EXIT),
    Case("authorisation-expired-exit-late", "authorisation_expired",
         "ended 9000 s before it was drawn",
         {"age_s": 0}, {"not_before": 1782878400 - 3600 - 9000, "life_h": 1}, EXIT),
    Case("authorisation-of-the-far-future", "authorisation_not_yet_valid",
         "not-before + life does not fit 32 bits", {}, {"not_before": 2**32 - 1, "life_h": 168}),
    Case("code-stale", "code_stale", "61 s old", {"age_s": 61}),
    Case("code-stale-u10", "code_stale", "60 s + u + 1", {"age_s": 71}, uncertainty_s=10),
    Case("code-stale-u301", "code_stale", "u counts as 300", {"age_s": 361}, uncertainty_s=301),
    Case("code-stale-own-life", "code_stale", "31 s old, own life 30 s",
         {"age_s": 31}, {"code_life_s": 30}),
    Case("code-stale-life-600", "code_stale", "a long own life does not lengthen the reader's",
         {"age_s": 61}, {"code_life_s": 600}),
    Case("code-stale-exit", "code_stale", "an exit refuses it too", {"age_s": 61}, reader=EXIT),
    Case("code-from-future", "code_from_future", "21 s in the future", {"age_s": -21}),
    Case("code-from-future-u10", "code_from_future", "20 s + u + 1", {"age_s": -31},
         uncertainty_s=10),
]  # fmt: skip

RIGHTS = [
    Case("wrong-destination", "wrong_destination", "a Shenzhen code in Hong Kong",
         {"destination": 1}),
    Case("wrong-destination-exit", "accepted wrong_destination", "an exit opens and flags",
         {"destination": 1}, reader=EXIT),
    Case("destination-not-allowed", "destination_not_allowed", "not in the authorisation", {},
         {"destinations": 0b10}),
    Case("destination-not-allowed-by-key", "destination_not_allowed", "not in the key record", {},
         {"key_id": 8}),
    Case("mode-not-allowed", "mode_not_allowed", "not in the authorisation", {},
         {"modes": 0b10}),
    Case("mode-not-allowed-by-key", "mode_not_allowed", "mode 3 is not in the key record", {},
         {"modes": 0xFF}, AIRPORT),
    Case("companion-not-allowed", "companion_not_allowed", "slot 1 of at most 0", {"slot": 1},
         {"max_companions": 0}),
    Case("service-excluded", "service_excluded", "by the reader's configuration",
         reader=EXCLUDED),
    Case("service-excluded-first", "service_excluded",
         "said before what this code lacks", {"destination": 1}, {"modes": 0}, EXCLUDED),
    Case("denied", "denied", "serial 5 is denied", deny="rider"),
    Case("denied-lower-serial", "denied", "so is every lower one", {}, {"serial": 4},
         deny="rider"),
    Case("denied-exit", "accepted denied", "an exit opens and flags", {}, {}, EXIT, "rider"),
    Case("denied-alight", "accepted denied", "alighting is an exit", {}, {}, ALIGHT, "rider"),
    Case("quota-exceeded", "quota_exceeded", "counter = quota + 1", {"counter": 2001}),
    Case("quota-exceeded-exit", "accepted quota_exceeded", "an exit opens and flags",
         {"counter": 2001}, reader=EXIT),
    Case("ceiling-too-low", "ceiling_too_low", "ceiling 200.00, highest fare 200.01",
         reader=DEAR),
    Case("ceiling-too-low-cny", "ceiling_too_low", "compared in the ceiling's currency", {},
         {"ceiling_currency": CNY}, DEAR),
    Case("all-flags-in-order", "accepted wrong_destination mode_not_allowed denied quota_exceeded",
         "an exit tells all of them", {"destination": 1, "counter": 2001}, {"modes": 0},
         EXIT, "rider"),
    Case("order-stale-before-destination", "code_stale", "the first reason in order is the answer",
         {"age_s": 61, "destination": 1}),
    Case("order-destination-before-signature", "wrong_destination",
         "checked before any signature", {"destination": 1, "edit": put(136, bytes(64))}),
    Case("order-signature-before-denied", "bad_device_signature",
         "nobody learns from a forgery who is denied", {"edit": put(136, bytes(64))},
         deny="rider"),
]  # fmt: skip

SIGNATURES = [
    Case("issuer-signature-stripped", "bad_issuer_signature", "64 zero bytes",
         {"edit_signed": put(65, bytes(64))}),
    Case("issuer-signature-high-s", "bad_issuer_signature", "the malleated twin",
         {"edit_signed": complement(65)}),
    Case("issuer-signature-r-n", "bad_issuer_signature", "r = n", {"edit_signed": put(65, _N)}),
    Case("issuer-signature-s-0", "bad_issuer_signature", "s = 0",
         {"edit_signed": put(97, bytes(32))}),
    Case("issuer-attacker", "bad_issuer_signature", "signed by another key", {"issuer": 3}),
    Case("issuer-wrong-algorithm", "bad_issuer_signature",
         "the record of key 2 says Ed25519; an ES256 signature is not tried", {"issuer": 1},
         {"key_id": 2}),
    Case("issuer-wrong-tag", "bad_issuer_signature", "signed as a device signs",
         {"issuer_tag": DEVICE_TAG}),
    Case("issuer-no-tag", "bad_issuer_signature", "signed without a tag", {"issuer_tag": b""}),
    Case("issuer-part-changed", "bad_issuer_signature", "a higher ceiling after signing",
         {"edit": put(54, b"\xff\xff")}),
    Case("issuer-ed25519-high-s", "bad_issuer_signature", "S + L",
         {"edit_signed": _add_order}, {"key_id": 2}),
    Case("device-signature-stripped", "bad_device_signature", "64 zero bytes",
         {"edit": put(136, bytes(64))}),
    Case("device-signature-high-s", "bad_device_signature", "the malleated twin",
         {"edit": complement(136)}),
    Case("device-signature-one-one", "bad_device_signature", "r = s = 1",
         {"edit": put(136, _ONE + _ONE)}),
    Case("device-signature-s-n", "bad_device_signature", "s = n", {"edit": put(168, _N)}),
    Case("device-wrong-tag", "bad_device_signature", "signed as an issuer signs",
         {"device_tag": ISSUER_TAG}),
    Case("device-part-changed", "bad_device_signature", "another counter after signing",
         {"edit": put(134, b"\x02")}),
    Case("device-other-key", "bad_device_signature", "device b signs on device a's authorisation",
         {"device": "b"}, {"device_key": "a"}),
    Case("device-exit-stripped", "bad_device_signature", "an exit refuses it too",
         {"edit": put(136, bytes(64)), "destination": 1}, reader=EXIT),
    Case("device-key-no-point", "bad_device_signature", "the issuer signed what is no point",
         {}, {"device_key": NO_POINT}),
    Case("device-key-x-too-large", "bad_device_signature", "x >= p", {},
         {"device_key": b"\x03" + b"\xff" * 32}),
]  # fmt: skip

CASES = [*ACCEPTED, *UNREADABLE, *KEYS_AND_TIMES, *RIGHTS, *SIGNATURES]
