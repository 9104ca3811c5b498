"""With CI set a property gets the same examples in every run; a soak gets more, and others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent
PROPERTY = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
import luck
luck.load_profile()
for name in sys.argv[2:]:
    importlib.import_module(name)
from hypothesis import given, strategies as st
drawn = []
@given(st.lists(st.integers(0, 10**6)), st.text())
def property_of_ours(numbers, words):
    drawn.append((numbers, words))
property_of_ours()
print(json.dumps([drawn, [it.values[0] for it in luck.seeds(7, 8)]]))
"""


def drawn(tmp_path: Path, *loaded: str, **environment: str) -> tuple[list[object], list[int]]:
    """The examples of a property in a process of its own, and the seeds in place of 7 and 8."""
    script = tmp_path / "script.py"
    script.write_text(PROPERTY, encoding="utf-8")
    outside = {n: v for n, v in os.environ.items() if n not in ("CI", "SOAK", "SOAK_SEED")}
    ran = subprocess.run(
        [sys.executable, str(script), str(TESTS), *loaded], cwd=TESTS.parent, timeout=60,
        capture_output=True, text=True, check=True,
        env=outside | environment | {"PYTHONPATH": str(TESTS.parent)},
    )  # fmt: skip
    found, seeds = json.loads(ran.stdout)
    return found, seeds


def test_in_ci_the_examples_are_the_same_whatever_was_imported_before(tmp_path: Path) -> None:
    first, seeds = drawn(tmp_path, CI="1")
    assert (len(first), seeds) == (100, [7, 8])
    assert drawn(tmp_path, "transitpay.fares.pricing", CI="1") == (first, seeds)


def test_for_developers_they_differ_and_are_as_many(tmp_path: Path) -> None:
    (first, seeds), (second, _) = drawn(tmp_path), drawn(tmp_path)
    assert first != second and len(first) == len(second) == 100
    assert seeds == [7, 8]


def test_a_soak_draws_more_and_other_seeds_which_its_own_seed_brings_again(tmp_path: Path) -> None:
    found, seeds = drawn(tmp_path, CI="1", SOAK="3", SOAK_SEED="17")
    assert len(found) == 300 and len(set(seeds)) == 6 and 7 not in seeds
    others, again = drawn(tmp_path, CI="1", SOAK="3", SOAK_SEED="17")
    assert others != found and again == seeds
    assert drawn(tmp_path, SOAK="3", SOAK_SEED="18")[1] != seeds
