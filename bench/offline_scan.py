"""Measures an offline scan: from the text of a code to the gate's opening, its record on the disk.

Reported against 5 ms, with two floors measured in turns in the same run: the bare cryptography of
the same codes (two P-256 verifications and one key load) plus one write and fdatasync of the same
bytes to a file beside, and the same without the disk. Every code is of another rider and device.

    python bench/offline_scan.py [--json] [--quick] [--scans 1000] [--folder .]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from transitpay.money import HKD
from transitpay.ride_code import keys, layout, signing
from transitpay.ride_code.deny_list import DenyList
from transitpay.ride_code.layout import Authorisation, RideCode
from transitpay.ride_code.reader import (
    HeldLists,
    Identity,
    Now,
    Open,
    Pace,
    Reader,
    ReaderSettings,
    Write,
)
from transitpay.ride_code.trust_list import IssuerKey, TrustList
from transitpay.runtime.reader_store import ReaderStore, StoreKey, open_store

TARGET_MS = 5.0
AT = datetime(2026, 7, 1, 4, 0, tzinfo=UTC)
NOW = int(AT.timestamp())
CONFIG = {
    "operator": "mtr", "network": "mtr", "stop": "HUH", "direction": "entry", "destination": "0",
    "mode": "0", "budget_ms": "0", "highest_fare.HKD": "6600",
}  # fmt: skip
_ECDSA = ec.ECDSA(hashes.SHA256())


@dataclass(frozen=True)
class Prepared:
    """One code as scanned, and its cryptography taken out of it."""

    scanned: bytes
    device_key: bytes
    issuer_der: bytes
    issuer_message: bytes
    device_der: bytes
    device_message: bytes


def _der(raw: bytes) -> bytes:
    return encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))


def prepare(number: int, issuer: ec.EllipticCurvePrivateKey) -> Prepared:
    """The code of rider ``number``."""
    device = keys.generate_device_key()
    it = Authorisation(
        1, f"{number:016x}", 1, keys.public_bytes(device), NOW - 3600, 24, 60, 500, HKD,
        0b11, 0b11, 0, 2, 2000,
    )  # fmt: skip
    signature = signing.sign_authorisation(it, issuer)
    code = signing.sign_code(RideCode(it, signature, NOW - 5, 1, 0), device)
    data = layout.encode(code)
    return Prepared(
        layout.write_text(data).encode(),
        it.device_key,
        _der(code.issuer_signature),
        signing.ISSUER_TAG + data[:65],
        _der(code.device_signature),
        signing.DEVICE_TAG + data[:136],
    )


def reader_on(store: ReaderStore, issuer: ec.EllipticCurvePrivateKey) -> Reader:
    """A reader that decides alone, with a window as full as it gets."""
    record = IssuerKey(
        1, signing.Algorithm.ES256, keys.public_bytes(issuer), "alipayhk", 0b11, 0b11,
        AT - timedelta(days=1), AT + timedelta(days=1),
    )  # fmt: skip
    fresh = AT + timedelta(days=1)
    deny = DenyList(1, {("alipayhk", "f" * 16): 9})
    lists = HeldLists(TrustList.of(1, [record]), deny, fresh, fresh)
    identity = Identity("bench", 1, lambda head: bytes(64))
    reader, effects = Reader.started(
        identity, ReaderSettings.of(CONFIG), lists, store.memory(), Now(AT, 0), Pace()
    )
    for effect in (*effects, *reader.synced(Now(AT, 0), AT, 0)):
        if isinstance(effect, Write):
            store.append(effect.position, effect.data)
    return reader


def measure(
    codes: list[Prepared], issuer: ec.EllipticCurvePrivateKey, folder: Path
) -> dict[str, list[float]]:
    """Milliseconds of each scan and of both floors, taken in turns."""
    key = StoreKey("bench", 1, keys.public_bytes(keys.generate_device_key()))
    store, off_disk = open_store(folder / "store", key), open_store(folder / "off", key)
    reader, memory_reader = reader_on(store, issuer), reader_on(off_disk, issuer)
    public = issuer.public_key()
    beside = os.open(folder / "beside", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    curve = ec.SECP256R1()

    def crypto(code: Prepared) -> None:
        public.verify(code.issuer_der, code.issuer_message, _ECDSA)
        device = ec.EllipticCurvePublicKey.from_encoded_point(curve, code.device_key)
        device.verify(code.device_der, code.device_message, _ECDSA)

    def floor(code: Prepared) -> None:
        crypto(code)
        os.write(beside, bytes(374))
        os.fdatasync(beside)

    def durable(code: Prepared) -> None:
        for effect in reader.scan(Now(AT, 0), code.scanned):
            if isinstance(effect, Write):
                store.append(effect.position, effect.data)
            elif isinstance(effect, Open):
                return
        raise AssertionError("the gate stayed shut")

    def undurable(code: Prepared) -> None:
        effects = memory_reader.scan(Now(AT, 0), code.scanned)
        assert any(isinstance(effect, Open) for effect in effects)

    works: dict[str, Callable[[Prepared], None]] = {
        "floor": floor, "scan": durable, "floor_no_disk": crypto, "scan_no_disk": undurable,
    }  # fmt: skip
    taken: dict[str, list[float]] = {name: [] for name in works}
    for code in codes:
        for name, work in works.items():
            began = time.perf_counter()
            work(code)
            taken[name].append((time.perf_counter() - began) * 1000)
    os.close(beside)
    return taken


def quantiles(ms: list[float]) -> dict[str, float]:
    """p50 and p99, in ms."""
    cuts = statistics.quantiles(ms, n=100, method="inclusive")
    return {"p50_ms": round(cuts[49], 3), "p99_ms": round(cuts[98], 3)}


def main() -> int:
    """Exit code 0: it was measured. What was measured stands in the output and decides nothing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="fewer scans")
    parser.add_argument("--scans", type=int, default=1000)
    parser.add_argument("--folder", type=Path, default=Path("."), help="on the disk to measure")
    given = parser.parse_args()
    if given.quick:
        given.scans = 200
    issuer = keys.generate_issuer_key()
    assert isinstance(issuer, ec.EllipticCurvePrivateKey)
    codes = [prepare(n, issuer) for n in range(given.scans)]
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        taken = measure(codes, issuer, Path(folder))
    told: dict[str, object] = {
        "bench": "offline_scan",
        "scans": given.scans,
        "python": platform.python_version(),
        "target_ms": TARGET_MS,
    }
    told |= {name: quantiles(ms) for name, ms in taken.items()}
    told["held"] = quantiles(taken["scan"])["p99_ms"] <= TARGET_MS
    if given.json:
        print(json.dumps(told))
    else:
        for name, value in told.items():
            print(f"{name}: {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
