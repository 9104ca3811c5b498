"""The deterministic world: every seed keeps every promise, and is the same world in every run."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from luck import seeds

from .invariants import INVARIANTS, broken_by
from .simulate import main, report, run_seed
from .town import build

TOP = Path(__file__).parent.parent.parent
DAYS = 1.0
SEEDS_OF_CI = 200
LIMIT_S = 120
PROCESSES = 2


def work_of_children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def failures(seed: int) -> str:
    return report(run_seed(seed, DAYS), seed, DAYS)


@pytest.mark.parametrize("seed", seeds(*range(1, 6)))
def test_a_seed_keeps_every_promise(seed: int) -> None:
    assert failures(seed) == ""


@pytest.mark.heavy
def test_two_hundred_seeds_keep_every_promise_within_two_minutes() -> None:
    before_s = work_of_children_s()
    with ProcessPoolExecutor(PROCESSES) as processes:
        told = [it for it in processes.map(failures, range(1000, 1000 + SEEDS_OF_CI)) if it]
    assert told == [], "\n\n".join(told[:3])
    # Their own work: what a busy machine does besides is no matter of theirs.
    assert (work_of_children_s() - before_s) / PROCESSES < LIMIT_S


def test_a_world_holds_everything_that_can_go_wrong() -> None:
    totals: dict[str, int] = {}
    for seed in range(1, 6):
        for name, number in run_seed(seed, DAYS).summary().items():
            totals[name] = totals.get(name, 0) + number
    assert totals["opened"] > 100 and totals["offline"] > 50 and totals["doubles"] > 3
    assert totals["starts"] > 5 * 14, "some readers lost their power"


def test_a_seed_is_the_same_world_in_every_process_whatever_its_hash_seed() -> None:
    def told(hash_seed: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "tests.world.simulate", "--seed", "3", "--trace"],
            cwd=TOP, env=os.environ | {"PYTHONHASHSEED": hash_seed}, capture_output=True,
            text=True, check=True, timeout=60,
        ).stdout  # fmt: skip

    first = told("0")
    assert "digest" in first
    assert told("4711") == first
    assert f"digest {run_seed(3, DAYS).trace.digest}" in first


def test_another_seed_is_another_world() -> None:
    assert build(1, 0.1).scheduler.chance("town").random() != (
        build(2, 0.1).scheduler.chance("town").random()
    )
    assert run_seed(1, 0.1).trace.digest != run_seed(2, 0.1).trace.digest


def test_a_failing_seed_prints_its_events_and_the_one_command_that_replays_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    town = run_seed(1, 0.2)
    town.witness.sequences_used_twice.append(("HUH-in-1", 7))
    assert [it[:3] for it in broken_by(town)] == ["I5 "]
    told = report(town, 1, 0.2)
    assert "HUH-in-1" in told and "replay it: python -m tests.world.simulate --seed 1" in told
    assert main(["--seed", "1", "--days", "0.2"]) == 0
    assert "1 seeds, 0 failed" in capsys.readouterr().out


def test_invariants_are_numbered_from_1_and_told_on_their_page() -> None:
    assert [it.number for it in INVARIANTS] == list(range(1, len(INVARIANTS) + 1))
    page = (TOP / "docs" / "explanation" / "world.md").read_text(encoding="utf-8")
    for it in INVARIANTS:
        assert f"| I{it.number} | {it.says} |" in page
