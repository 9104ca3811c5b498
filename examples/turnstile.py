"""A turnstile in one file: asks the gateway, decides alone without it, delivers everything later.

    TOKEN=tp_... python examples/turnstile.py http://127.0.0.1:8440 huh-entry-1 home roots

``home`` is the reader's folder: its key, lists and records. ``roots`` holds the public root keys of
the lists (root-1.pub, root-2.pub). Each line of the input is a scanned code, "fire" opens the gates
and "calm" ends that. What the gate does is printed; a real one moves a motor in ``Hardware``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from transitpay.ride_code.reader import Show
from transitpay.runtime.gateway_link import GatewayLink
from transitpay.runtime.key_files import read_roots
from transitpay.runtime.reader_driver import Gate, ReaderDriver

TERMINATOR = b"\n"
DELIVER_WITHIN_S = 60.0


class Hardware:
    """Prints what a gate would do."""

    def open(self) -> None:
        print("gate opens", flush=True)

    def hold(self, held: bool) -> None:
        print("gates stay open" if held else "gates shut", flush=True)

    def show(self, it: Show) -> None:
        number = f"{it.sequence >> 32}-{it.sequence & 0xFFFFFFFF}"
        words = " / ".join(text.short[0] for text in it.texts)
        print(f"{number} {it.signal} {it.reason or 'welcome'}: {words}", flush=True)


def main(url: str, reader: str, home: str, roots: str) -> int:
    """Scan every line of the input, then deliver; 0 = the gateway has every record."""
    hardware = Hardware()
    driver = ReaderDriver(
        Path(home),
        reader,
        GatewayLink(url, os.environ["TOKEN"]),
        read_roots(Path(roots)),
        Gate(hardware.show, hardware.open, hardware.hold),
        software="example turnstile 1",
        terminator=TERMINATOR,
    )
    try:
        print("ready", flush=True)
        for line in sys.stdin.buffer:
            if line.strip() in (b"fire", b"calm"):
                driver.open_locally(line.strip() == b"fire")
            else:
                driver.scan(line)
        delivered = driver.deliver(DELIVER_WITHIN_S)
        print("delivered" if delivered else f"{driver.waiting} records wait", flush=True)
        return 0 if delivered else 1
    finally:
        driver.close()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
