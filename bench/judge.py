"""Measures judging a ride code against its floor: the bare cryptography of the same codes.

Two promises. An unseen code: at least 0.70 of the speed of two P-256 verifications and one load
of a compressed key. A code whose authorisation is in the signature cache: at least 0.75 of the
speed of one verification (the cache holds the loaded device key beside the issuer signature, so
this floor has no key load). Floor and figure alternate in one run, on the same codes and keys; each
is the median of the rounds, so that a busy machine slows both alike.

    python bench/judge.py [--json] [--quick] [--codes 300] [--rounds 15]
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from transitpay.money import HKD, Money
from transitpay.ride_code import keys, layout, signing
from transitpay.ride_code.deny_list import DenyList
from transitpay.ride_code.layout import Authorisation, RideCode
from transitpay.ride_code.signature_cache import SignatureCache
from transitpay.ride_code.trust_list import IssuerKey, TrustList
from transitpay.ride_code.verdict import Accepted, ReaderRules, judge
from transitpay.taps import Direction

AT = datetime(2026, 7, 1, 4, 0, tzinfo=UTC)
NOW = int(AT.timestamp())
TARGETS = {"unseen": 0.70, "cached": 0.75}
_ECDSA = ec.ECDSA(hashes.SHA256())
_CURVE = ec.SECP256R1()


@dataclass(frozen=True)
class Prepared:
    """One code, and its cryptography taken out of it: what the floor runs on."""

    text: str
    device_key: bytes
    loaded_key: ec.EllipticCurvePublicKey
    issuer_der: bytes
    issuer_message: bytes
    device_der: bytes
    device_message: bytes


def _der(raw: bytes) -> bytes:
    return encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))


def prepare(count: int, issuer: ec.EllipticCurvePrivateKey) -> list[Prepared]:
    """Codes of ``count`` riders with a device key each."""
    found = []
    for n in range(count):
        device = keys.generate_device_key()
        it = Authorisation(
            1, f"{n:016x}", 1, keys.public_bytes(device), NOW - 3600, 24, 60, 500, HKD,
            0b11, 0b11, 0, 2, 2000,
        )  # fmt: skip
        signature = signing.sign_authorisation(it, issuer)
        code = signing.sign_code(RideCode(it, signature, NOW - 5, 1, 0), device)
        data = layout.encode(code)
        found.append(
            Prepared(
                layout.write_text(data),
                it.device_key,
                device.public_key(),
                _der(code.issuer_signature),
                signing.ISSUER_TAG + data[:65],
                _der(code.device_signature),
                signing.DEVICE_TAG + data[:136],
            )
        )
    return found


def per_code_us(work: Callable[[], None], count: int) -> float:
    """Microseconds per code of one pass."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) / count * 1e6


def measure(
    codes: list[Prepared], issuer: ec.EllipticCurvePrivateKey, rounds: int
) -> dict[str, float]:
    """Median microseconds per code of both floors and both figures, taken in turns."""
    record = IssuerKey(
        1, signing.Algorithm.ES256, keys.public_bytes(issuer), "alipayhk", 0b11, 0b11,
        AT - timedelta(days=1), AT + timedelta(days=1),
    )  # fmt: skip
    trust, deny = TrustList.of(1, [record]), DenyList(1, {("alipayhk", "f" * 16): 9})
    reader = ReaderRules(0, 0, Direction.ENTRY, highest_fare=Money(6600, HKD))
    issuer_key = issuer.public_key()
    cache = SignatureCache(2 * len(codes))

    def floor_unseen() -> None:
        for code in codes:
            issuer_key.verify(code.issuer_der, code.issuer_message, _ECDSA)
            key = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, code.device_key)
            key.verify(code.device_der, code.device_message, _ECDSA)

    def floor_cached() -> None:
        for code in codes:
            code.loaded_key.verify(code.device_der, code.device_message, _ECDSA)

    def unseen() -> None:
        for code in codes:
            assert type(judge(code.text, trust, deny, reader, AT)) is Accepted

    def cached() -> None:
        for code in codes:
            assert type(judge(code.text, trust, deny, reader, AT, 0, cache)) is Accepted

    works = {
        "floor_unseen": floor_unseen,
        "unseen": unseen,
        "floor_cached": floor_cached,
        "cached": cached,
    }
    for work in works.values():  # warm up; fills the cache
        work()
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            taken[name].append(per_code_us(work, len(codes)))
    return {name: statistics.median(values) for name, values in taken.items()}


def main() -> int:
    """Exit code 0: it was measured. What was measured stands in the output and decides nothing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="fewer codes and rounds")
    parser.add_argument("--codes", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    if given.quick:
        given.codes, given.rounds = 60, 5
    issuer = keys.generate_issuer_key()
    assert isinstance(issuer, ec.EllipticCurvePrivateKey)
    us = measure(prepare(given.codes, issuer), issuer, given.rounds)
    told: dict[str, object] = {"bench": "judge", "codes": given.codes, "rounds": given.rounds,
                               "python": platform.python_version()}  # fmt: skip
    held = True
    for name, target in TARGETS.items():
        ratio = us[f"floor_{name}"] / us[name]
        held = held and ratio >= target
        told[name] = {
            "us": round(us[name], 1),
            "floor_us": round(us[f"floor_{name}"], 1),
            "ratio_to_floor": round(ratio, 3),
            "target": target,
        }
    told["held"] = held
    if given.json:
        print(json.dumps(told))
    else:
        for name in TARGETS:
            print(f"{name}: {told[name]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
