"""Taps a second that one core makes into journeys and fares, beside its floor.

A day of nine networks is made from a seed, cohort by cohort: the taps of so many riders, some of
them twice, arrive in disorder as lines of text. ``floor`` parses, sorts and groups them by rider
and does nothing else; ``pure`` is ``assemble`` and ``price_all`` on the very same groups. Both are
processor time of one process, taken in turns cohort by cohort, so a busy machine disturbs them
little. A cohort is forgotten before the next: memory depends on the riders in flight, and not on
the taps of the day. Each row is a process of its own.

    python bench/price_day.py [--json] [--quick] [--profile]
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import platform
import pstats
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from transitpay.clock import day_start
from transitpay.fares.fare import Priced
from transitpay.fares.rider_pricing import price_all
from transitpay.fares.rules import rule_book
from transitpay.fares.tariff import FlatFares, TariffBook
from transitpay.journeys.assembly import assemble
from transitpay.runtime.builtin import builtin_book
from transitpay.taps import Direction, RiderRef, Tap, TapKey

DAY = date(2026, 11, 4)
TAPS, QUICK_TAPS = 1_000_000, 50_000
#: Riders whose taps are held at once.
IN_FLIGHT = 1_000
#: Further numbers of riders in flight, of which only the memory is asked, and for how many taps.
MEMORY_AT, MEMORY_TAPS = (2_000, 4_000, 8_000, 16_000), 200_000
SEED = 20261104
TARGET_TAPS_A_SECOND = 20_000
#: Ten times the taps may take so many times the time.
TARGET_GROWTH = 11.5
#: Of a thousand taps so many arrive twice; of a thousand rides so many lack their exit.
_TWICE_PERMILLE, _NO_EXIT_PERMILLE = 10, 15
#: Of a hundred riders, how many travel in which networks (with the parts of their rides), and
#: whose codes they show.
_REGIONS = (
    (52, {"mtr": 30, "kmb": 12, "citybus": 8, "nlb": 2}, ("alipay", "shenzhen-tong")),
    (36, {"shenzhen-metro": 22, "shenzhen-bus": 14}, ("alipayhk", "shenzhen-tong")),
    (12, {"guangzhou-bus": 6, "foshan-bus": 4, "zhongshan-bus": 2}, ("alipayhk",)),
)
#: Where riders may scan again when they alight.
_ALIGHTS = ("kmb", "citybus")


class Town:
    """Makes the taps of riders from a seed."""

    def __init__(self, book: TariffBook, seed: int) -> None:
        self._random = random.Random(seed)
        networks = [network for _, rides, _ in _REGIONS for network in rides]
        self._places = {it: [stop.id for stop in book.latest(it).stops] for it in networks}
        self._gated = {it for it in networks if not _flat(book, it)}
        self._sequence = 0
        self._start_s = int(day_start(DAY, 5).timestamp())

    def cohort(self, riders: int, most_taps: int) -> list[str]:
        """The taps of so many riders as lines of text, in the order in which they arrive."""
        lines: list[str] = []
        for _ in range(riders):
            if len(lines) >= most_taps:
                break
            lines += self._rider()
        chance = self._random
        lines += chance.sample(lines, len(lines) * _TWICE_PERMILLE // 1000)
        chance.shuffle(lines)
        return lines[:most_taps]

    def _rider(self) -> Iterator[str]:
        chance = self._random
        [(_, rides, wallets)] = chance.choices(_REGIONS, [part for part, _, _ in _REGIONS])
        rider, wallet = f"{chance.getrandbits(64):016x}", chance.choice(wallets)
        at_s = self._start_s + chance.randrange(5 * 3600)
        for _ in range(chance.choice((1, 2, 2, 2, 3))):
            [network] = chance.choices(list(rides), list(rides.values()))
            for direction, stop in self._ride(network):
                yield self._line(wallet, rider, network, direction, stop, at_s)
                at_s += chance.randrange(600, 3000)
            at_s += chance.choice((600, 1800, 4 * 3600))

    def _ride(self, network: str) -> list[tuple[Direction, str]]:
        chance, places = self._random, self._places[network]
        if network in self._gated:
            come, go = chance.sample(places, 2)
            whole = chance.randrange(1000) >= _NO_EXIT_PERMILLE
            return [(Direction.ENTRY, come), (Direction.EXIT, go)][: 2 if whole else 1]
        route = chance.choice(places)
        if network in _ALIGHTS and chance.randrange(3) == 0:
            return [(Direction.BOARD, route), (Direction.ALIGHT, route)]
        return [(Direction.BOARD, route)]

    def _line(
        self, wallet: str, rider: str, network: str, direction: Direction, stop: str, at_s: int
    ) -> str:
        self._sequence += 1
        route = "" if network in self._gated else stop
        reader = f"{network}-{stop}"
        return (
            f"{DAY}\t{reader}\t{self._sequence}\t{wallet}\t{rider}\t0\t{network}\t{network}\t"
            f"{stop}\t{direction}\t{at_s}\t{route}"
        )


def _flat(book: TariffBook, network: str) -> bool:
    return isinstance(book.latest(network).fares, FlatFares)


def parse(line: str) -> Tap:
    """The tap of a line."""
    day, reader, sequence, wallet, rider, slot, operator, network, stop, direction, at_s, route = (
        line.split("\t")
    )
    at = datetime.fromtimestamp(int(at_s), UTC)
    return Tap(
        TapKey(date.fromisoformat(day), reader, int(sequence)), RiderRef(wallet, rider, int(slot)),
        operator, network, stop, Direction(direction), at, route or None, received_at=at,
    )  # fmt: skip


def floor(lines: list[str]) -> dict[tuple[str, str], list[Tap]]:
    """What cannot be left out: the taps parsed, sorted and grouped by rider."""
    groups: dict[tuple[str, str], list[Tap]] = {}
    for tap in sorted(map(parse, lines), key=lambda tap: tap.order):
        groups.setdefault((tap.rider.issuer, tap.rider.rider_id), []).append(tap)
    return groups


def run_day(taps: int, in_flight: int, watch: cProfile.Profile | None = None) -> dict[str, object]:
    """Assemble and price a day of so many taps, as many riders at once as are in flight."""
    book = builtin_book()
    rules = rule_book(book)
    town = Town(book, SEED)
    done_at = day_start(DAY, 4) + timedelta(days=2)
    known = {network: done_at for network in book.networks}
    left, floor_s, pure_s = taps, 0.0, 0.0
    counts = {"riders": 0, "journeys": 0, "pending": 0, "unpriced": 0, "fares_minor": 0}
    while left:
        lines = town.cohort(in_flight, left)
        left -= len(lines)
        began = time.process_time()
        groups = floor(lines)
        parsed = time.process_time()
        if watch is not None:
            watch.enable()
        for group in groups.values():
            assembly = assemble(group, rules, known, done_at)
            counts["journeys"] += len(assembly.journeys)
            counts["pending"] += len(assembly.pending)
            for it in price_all(assembly.journeys, book):
                if isinstance(it, Priced):
                    counts["fares_minor"] += it.fare.amount.minor
                else:
                    counts["unpriced"] += 1
        if watch is not None:
            watch.disable()
        floor_s += parsed - began
        pure_s += time.process_time() - parsed
        counts["riders"] += len(groups)
    return {
        "taps": taps, "riders_in_flight": in_flight, **counts,
        "floor_s": round(floor_s, 2), "pure_s": round(pure_s, 2),
        "floor_taps_a_second": round(taps / floor_s),
        "pure_taps_a_second": round(taps / pure_s),
        "with_floor_taps_a_second": round(taps / (floor_s + pure_s)),
        "peak_rss_mib": round(_peak_kib() / 1024, 1),
    }  # fmt: skip


def _peak_kib() -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        return int(next(line for line in status if line.startswith("VmHWM:")).split()[1])


def child(taps: int, in_flight: int) -> dict[str, float]:
    """A row in a process of its own, so that its memory is its own."""
    command = [sys.executable, __file__, "--one", str(taps), "--in-flight", str(in_flight)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    row = json.loads(done.stdout)
    assert isinstance(row, dict)
    return row


def profile(taps: int) -> None:
    """Where the time goes: the functions with the most time of their own."""
    watch = cProfile.Profile()
    run_day(taps, IN_FLIGHT, watch)
    pstats.Stats(watch).strip_dirs().sort_stats("tottime").print_stats(25)


def measure(taps: int) -> dict[str, object]:
    """A tenth of the taps, all of them, a tenth again; the memory with more riders in flight."""
    # Before and after: what the machine does beside this changes within minutes.
    tenths = [child(taps // 10, IN_FLIGHT)]
    whole = child(taps, IN_FLIGHT)
    tenths.append(child(taps // 10, IN_FLIGHT))
    growth = whole["pure_s"] / statistics.mean(it["pure_s"] for it in tenths)
    rate = whole["pure_taps_a_second"]
    return {
        "bench": "price_day", "tenths": tenths, "whole": whole,
        "memory": {
            number: child(min(taps, MEMORY_TAPS), number)["peak_rss_mib"] for number in MEMORY_AT
        },
        "ratio_to_floor": round(whole["floor_s"] / (whole["floor_s"] + whole["pure_s"]), 3),
        "growth_of_ten_times": round(growth, 2), "target_growth": TARGET_GROWTH,
        "target_taps_a_second": TARGET_TAPS_A_SECOND,
        "held": growth <= TARGET_GROWTH and rate >= TARGET_TAPS_A_SECOND,
        "python": platform.python_version(), "cpus": os.cpu_count(),
    }  # fmt: skip


def main() -> int:
    """Exit code 0: it was measured. What was measured stands in the output and decides nothing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="fewer taps")
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    parser.add_argument("--taps", type=int, help="of the whole day")
    parser.add_argument("--one", type=int, help="one row of so many taps in this process")
    parser.add_argument("--in-flight", type=int, default=IN_FLIGHT, help="with --one")
    given = parser.parse_args()
    taps = given.taps or (QUICK_TAPS if given.quick else TAPS)
    if given.one:
        print(json.dumps(run_day(given.one, given.in_flight)))
    elif given.profile:
        profile(taps)
    else:
        told = measure(taps)
        if given.json:
            print(json.dumps(told))
        else:
            for name, value in told.items():
                print(f"{name}: {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
