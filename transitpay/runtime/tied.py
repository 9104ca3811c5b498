"""Ties the life of a child process to ours, so that none outlives a supervisor that was killed."""

from __future__ import annotations

import ctypes
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def stop_with_parent(how: signal.Signals) -> Callable[[], None] | None:
    """For ``preexec_fn``: Linux sends ``how`` to the child when the thread that started it ends.

    None where the system has no such request; the child then outlives a parent that was killed.
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is None:
        return None

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, how, 0, 0, 0)

    return ask
