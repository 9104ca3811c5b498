"""Runs a worker for ever: at once while there is work, ever more seldom while there is none.

A lost database is one line in the log, a pause, and then it goes on. An error that nobody
expected is logged with its trace and counted; the worker goes on after a pause.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from settlement.metrics import SettlementMetrics
from transitpay.errors import TemporarilyUnavailable
from transitpay.runtime.observe import EventLog

_log = EventLog("settlement.worker")


@dataclass(frozen=True, slots=True)
class Pace:
    """Real seconds between two passes: ``busy_s`` after work, up to ``idle_s`` after none."""

    busy_s: float = 0.0
    least_s: float = 0.02
    idle_s: float = 0.5
    away_s: float = 5.0


async def run_worker(
    name: str,
    once: Callable[[], Awaitable[int]],
    stop: asyncio.Event,
    metrics: SettlementMetrics,
    pace: Pace | None = None,
) -> None:
    """Call ``once`` until ``stop`` is set; it says how much it did."""
    times = pace or Pace()
    wait_s, away = times.least_s, False
    while not stop.is_set():
        try:
            did = await once()
        except TemporarilyUnavailable as problem:
            if not away:
                _log.warning("unavailable", worker=name, code=problem.code, why=problem.message)
            away, did = True, 0
            wait_s = min(max(wait_s, 0.1) * 2, times.away_s)
        except Exception as problem:  # noqa: BLE001 - the worker loop: the others go on
            _log.error("worker_failed", worker=name, exc=problem)
            metrics.failures.inc(worker=name)
            did, wait_s = 0, min(max(wait_s, 0.1) * 2, times.away_s)
        else:
            if away:
                _log.info("available_again", worker=name)
            away = False
            wait_s = times.least_s if did else min(wait_s * 2, times.idle_s)
        await rest(stop, times.busy_s if did else wait_s)


async def rest(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, or less when ``stop`` is set."""
    if seconds <= 0:
        await asyncio.sleep(0)
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
