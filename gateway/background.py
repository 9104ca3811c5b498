"""The tasks that run beside the requests, each with an owner, a pace and a stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine

from transitpay.errors import TransitPayError
from transitpay.runtime.observe import EventLog

_RETRY_S = 1.0


class Background:
    """Owns tasks; ``stop`` ends them."""

    def __init__(self, events: EventLog) -> None:
        self._events = events
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        """Run ``work`` beside everything else."""
        task = asyncio.create_task(work, name=name)
        self._tasks.append(task)
        return task

    async def stop(self) -> None:
        """Cancel what still runs and wait for it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def every(self, pause_s: float, work: Callable[[], Awaitable[object]], name: str) -> None:
        """Call ``work`` for ever with a pause between; a failure is told once, and its end."""
        failing = False
        while True:
            try:
                await work()
                if failing:
                    self._events.info("recovered", work=name)
                failing = False
            except TransitPayError as error:
                if not failing:
                    self._events.warning("unavailable", work=name, code=error.code)
                failing = True
            except Exception as error:  # noqa: BLE001  # the worker loop outlives every round
                if not failing:
                    self._events.error("work_failed", work=name, exc=error)
                failing = True
            await asyncio.sleep(min(pause_s, _RETRY_S) if failing else pause_s)
