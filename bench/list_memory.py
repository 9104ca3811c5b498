"""The memory of a reader while a delta is applied to a large deny list, beside its floor.

Each figure is the highest resident memory (VmHWM) of a process of its own. ``reader`` imports the
whole reader of a Linux turnstile, opens its lists, applies the delta and looks riders up; ``floor``
is the bare interpreter with cryptography imported; ``whole`` is a reader that is sent all of the
next version instead of the delta.

    python bench/list_memory.py [--json] [--quick]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import struct
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from transitpay.ride_code import keys
from transitpay.ride_code.lists.list_signing import ListSigner, certify, kinds_bitmap
from transitpay.ride_code.lists.record_table import changes_between, changes_over
from transitpay.ride_code.lists.signed_list import Delta, ListCertificate, ListKind

AT = datetime(2026, 7, 1, tzinfo=UTC)
ENTRIES = 1_000_000
QUICK_ENTRIES = 50_000
#: New denials, releases and higher serials of one delta, each.
CHANGES = 1_000

FLOOR = """
import sys
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives import hashes
"""
READER = """
import json, sys, time
from datetime import datetime
from pathlib import Path
import transitpay.runtime.reader_driver
from transitpay.ride_code.deny_list import DenyTable
from transitpay.ride_code.lists.list_taking import Taken
from transitpay.ride_code.lists.signed_list import ListKind
from transitpay.runtime.list_files import ListFiles

folder, root, delta, at = Path(sys.argv[1]), bytes.fromhex(sys.argv[2]), sys.argv[3], sys.argv[4]
at = datetime.fromisoformat(at)
opened = time.perf_counter()
files = ListFiles(folder, "gate-1", {1: root})
began = time.perf_counter()
assert files.held(ListKind.DENY) is not None
found = files.take(ListKind.DENY, Path(delta).read_bytes(), at)
assert isinstance(found, Taken), found
took = time.perf_counter() - began
held = files.held(ListKind.DENY)
deny = DenyTable(held.head.version, held.table, {"alipayhk": 1})
places = range(0, len(held.table), max(1, len(held.table) // 1000))
riders = [held.table.key(place)[2:].hex() for place in places]
looked = time.perf_counter()
assert all(deny.denies("alipayhk", rider, 0) for rider in riders)
each_us = (time.perf_counter() - looked) / len(riders) * 1e6
told = {"open_s": began - opened, "delta_s": took, "lookup_us": each_us}
"""
PEAK = """
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(peak.split()[1])
"""


def deny_records(entries: int, first: int = 0) -> dict[bytes, bytes]:
    """Key -> record, of riders whose ids are as random as real ones."""
    found = {}
    for number in range(first, first + entries):
        key = b"\x00\x01" + hashlib.sha256(struct.pack(">Q", number)).digest()[:8]
        found[key] = key + struct.pack(">I", number % 5)
    return found


def prepare(folder: Path, entries: int, signer: ListSigner) -> tuple[Path, Path]:
    """Write the held list and its next version: the paths of a delta and of the whole."""
    old = deny_records(entries)
    new = old | deny_records(CHANGES, entries)
    for key in sorted(old)[:: max(1, entries // CHANGES)]:
        new[key] = key + struct.pack(">I", 9)
    for key in sorted(old)[1 :: max(1, entries // CHANGES)]:
        del new[key]
    before, after = (b"".join(table[k] for k in sorted(table)) for table in (old, new))
    use_by = AT + timedelta(days=1)
    held = signer.head(ListKind.DENY, 1, before, AT, use_by).encode() + before
    (folder / "deny.list").write_bytes(held)
    base = ListKind.DENY.table(before)
    changes = changes_between(base, ListKind.DENY.table(after))
    head = signer.head(ListKind.DENY, 2, after, AT, use_by)
    delta = folder / "delta"
    delta.write_bytes(Delta(1, head, changes_over(changes, base)).encode())
    whole = folder / "whole"
    whole.write_bytes(head.encode() + after)
    return delta, whole


def child(program: str, *arguments: str) -> list[str]:
    """Run a program in a bare interpreter; the lines that it printed."""
    command = [sys.executable, "-c", program + PEAK, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\n")


def measure(entries: int) -> dict[str, object]:
    """Floor and figure of one run, in kB."""
    root, key = keys.generate_device_key(), keys.generate_device_key()
    unsigned = ListCertificate(
        1, kinds_bitmap(ListKind), 1, keys.public_bytes(key), AT, AT + timedelta(365)
    )
    signer = ListSigner(key, certify(unsigned, root))
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        delta, whole = prepare(folder, entries, signer)
        public = keys.public_bytes(root).hex()
        reader = READER + "print(json.dumps(told))\n"
        held = (folder / "deny.list").read_bytes()
        told, peak, _ = child(reader, str(folder), public, str(delta), AT.isoformat())
        (folder / "deny.list").write_bytes(held)
        _, whole_peak, _ = child(reader, str(folder), public, str(whole), AT.isoformat())
        floor, _ = child(FLOOR)
        list_size, delta_size = len(held), delta.stat().st_size
    return {
        "entries": entries, "list_bytes": list_size, "delta_bytes": delta_size,
        "reader_peak_kb": int(peak), "whole_peak_kb": int(whole_peak), "floor_peak_kb": int(floor),
        **{name: round(value, 3) for name, value in json.loads(told).items()},
        "python": platform.python_version(), "cpus": os.cpu_count(),
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    found = measure(QUICK_ENTRIES if asked.quick else ENTRIES)
    if asked.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:>16} {value}")


if __name__ == "__main__":
    main()
