"""A bus reader in one file: decides alone at every stop, delivers when it is near a network.

    TOKEN=tp_... python examples/bus_reader.py http://127.0.0.1:8440 kmb-bus-9 home roots 1A BUS9

The last arguments are route and vehicle. A line of the input is a scanned code, or where the bus
is now: ``stop <index> <stop id> <fare in cents>``. The fare is that of the stage, as the driver's
console sets it, and the rider sees it: on this bus it is final.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from transitpay.money import HKD, Money
from transitpay.ride_code.reader import Show
from transitpay.ride_code.records.record import Place
from transitpay.runtime.gateway_link import GatewayLink
from transitpay.runtime.key_files import read_roots
from transitpay.runtime.reader_driver import Gate, ReaderDriver

TERMINATOR = b"\n"
DELIVER_WITHIN_S = 60.0


def show(it: Show) -> None:
    """The display above the reader: signal, two short lines, the fare where it is final."""
    first, second = it.texts[0].short
    fare = "" if it.fare is None else f" {it.fare}"
    print(f"{it.signal} {it.reason or 'welcome'}{fare}: {first} {second}".rstrip(), flush=True)


def main(url: str, reader: str, home: str, roots: str, route: str, vehicle: str) -> int:
    """Scan along the route, then deliver; 0 = the gateway has every record."""
    place, fare = Place(route=route, vehicle=vehicle), None
    driver = ReaderDriver(
        Path(home),
        reader,
        GatewayLink(url, os.environ["TOKEN"]),
        read_roots(Path(roots)),
        Gate(show, open=lambda: print("boards", flush=True)),
        software="example bus reader 1",
        terminator=TERMINATOR,
        defaults={"budget_ms": "0", "store_full": "open_uncharged"},
    )
    try:
        print("ready", flush=True)
        for line in sys.stdin.buffer:
            words = line.decode("utf-8", "replace").split()
            if len(words) == 4 and words[0] == "stop":
                stop_index, stop, fare_cents = words[1:]
                place = Place(stop, route, None, vehicle, None, int(stop_index))
                fare = Money(int(fare_cents), HKD)
            else:
                driver.scan(line, place, fare, fare_is_final=fare is not None)
        delivered = driver.deliver(DELIVER_WITHIN_S)
        print("delivered" if delivered else f"{driver.waiting} records wait", flush=True)
        return 0 if delivered else 1
    finally:
        driver.close()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
