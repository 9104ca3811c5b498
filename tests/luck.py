"""How much of a test is left to luck: how many examples a property gets, and which.

A landing must not fail by luck: with ``CI`` set, as .ci/run sets it, a property gets the same
examples in every run. For developers they differ from run to run. ``make soak`` is the place of
luck: SOAK times as many examples, drawn from SOAK_SEED, and other seeds where seeds are listed.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

SOAK = int(os.environ.get("SOAK", "0"))
SOAK_SEED = int(os.environ.get("SOAK_SEED", "0"))


def examples(number: int) -> int:
    """How many examples a property gets for which ``number`` are enough."""
    return number * max(SOAK, 1)


def seeds(*listed: int) -> list[Any]:
    """The listed seeds as parameters of a test; in a soak SOAK times as many that are drawn."""
    chance = Random(SOAK_SEED)
    drawn = [chance.randrange(1, 1 << 31) for _ in range(SOAK * len(listed))]
    return [pytest.param(seed, marks=pytest.mark.seeded) for seed in drawn or listed]


def load_profile() -> None:
    """Before any module with a property is imported: a property takes the profile's values then."""
    # How long an example takes, and its making, says how busy the machine is.
    own = settings(
        settings.get_profile("default"),
        max_examples=examples(100),
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.register_profile("transitpay", own)
    settings.register_profile("transitpay-ci", own, derandomize=True, database=None)
    settings.register_profile("transitpay-soak", own, database=None)
    if SOAK:
        settings.load_profile("transitpay-soak")
    elif os.environ.get("CI"):
        settings.load_profile("transitpay-ci")
        # Hypothesis draws numbers and words out of whatever modules are loaded by then.
        providers._get_local_constants = Constants
    else:
        settings.load_profile("transitpay")
