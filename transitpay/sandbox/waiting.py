"""Waits for work that a slow machine does slowly: as long as it moves, and not by a fixed limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

Left = TypeVar("Left")


async def wait_while_it_moves(
    left: Callable[[], Awaitable[Left]], quiet_s: float, poll_s: float
) -> Left:
    """Ask what is left until that is nothing (falsy), or has not changed for ``quiet_s``."""
    still, last = 0.0, await left()
    while last and still < quiet_s:
        await asyncio.sleep(poll_s)
        now = await left()
        still = still + poll_s if now == last else 0.0
        last = now
    return last
