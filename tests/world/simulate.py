"""Runs seeds of the deterministic world: ``python -m tests.world.simulate --seed 7 --trace``.

Exit code 0: every invariant held. 1: one did not; the command that replays it is printed.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from .invariants import broken_by
from .town import Town, build

_TAIL = 60


def run_seed(seed: int, days: float) -> Town:
    """One world from its first event to its last."""
    town = build(seed, days)
    town.run()
    return town


def replay_command(seed: int, days: float) -> str:
    """What shows this seed again, event by event."""
    return f"python -m tests.world.simulate --seed {seed} --days {days} --trace"


def report(town: Town, seed: int, days: float) -> str:
    """What a failing seed says; empty if every invariant held."""
    found = broken_by(town)
    if not found:
        return ""
    lines = [f"seed {seed} breaks {len(found)} promises:", *found[:10]]
    lines += ["", *town.trace.lines[-_TAIL:], "", f"replay it: {replay_command(seed, days)}"]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    asked = argparse.ArgumentParser(prog="python -m tests.world.simulate", description=__doc__)
    asked.add_argument("--seed", type=int, default=1, help="the first seed")
    asked.add_argument("--seeds", type=int, default=1, help="how many seeds from it on")
    asked.add_argument("--days", type=float, default=1.0, help="days that riders ride")
    asked.add_argument("--trace", action="store_true", help="print every event")
    it = asked.parse_args(arguments)
    failed, totals = 0, Counter[str]()
    for seed in range(it.seed, it.seed + it.seeds):
        town = run_seed(seed, it.days)
        if it.trace:
            print("\n".join(town.trace.lines))
        totals.update(town.summary())
        told = report(town, seed, it.days)
        if told:
            failed += 1
            print(told, file=sys.stderr)
        if it.seeds == 1:
            print(f"digest {town.trace.digest}")
    print(" ".join(f"{name} {number}" for name, number in totals.items()))
    print(f"{it.seeds} seeds, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
