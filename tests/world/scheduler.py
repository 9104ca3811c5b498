"""One heap of what is to happen, in a total order, under a clock that nothing but it moves.

No thread, no event loop, no wall clock. Two events of one instant happen in the order in which
they were planned. Chance comes from named streams, so that one actor's draws never shift another's.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Action = Callable[[], None]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Scheduler:
    """Virtual time and its order of events; true time, as no reader or phone knows it."""

    def __init__(self, seed: int, at: datetime) -> None:
        self.seed = seed
        self._now_us = (at - _EPOCH) // _MICROSECOND
        self._planned = 0
        self._heap: list[tuple[int, int, Action]] = []
        self.happened = 0

    @property
    def now(self) -> datetime:
        """The true time."""
        return _EPOCH + self._now_us * _MICROSECOND

    @property
    def now_ms(self) -> int:
        """The true time in whole milliseconds since 1970."""
        return self._now_us // 1000

    def chance(self, name: str) -> random.Random:
        """The stream of this name; the same for the same seed, whatever else is drawn."""
        return random.Random(f"{self.seed}:{name}")

    def at(self, when: datetime, action: Action) -> None:
        """Plan an action; one of the past happens next."""
        self._push(max(self._now_us, (when - _EPOCH) // _MICROSECOND), action)

    def after(self, seconds: float, action: Action) -> None:
        """Plan an action in so many seconds."""
        self._push(self._now_us + round(seconds * 1_000_000), action)

    def run(self, until: datetime) -> None:
        """Let everything happen that is planned before this instant."""
        end_us = (until - _EPOCH) // _MICROSECOND
        while self._heap and self._heap[0][0] < end_us:
            self._now_us, _, action = heapq.heappop(self._heap)
            self.happened += 1
            action()
        self._now_us = max(self._now_us, end_us)

    def _push(self, when_us: int, action: Action) -> None:
        heapq.heappush(self._heap, (when_us, self._planned, action))
        self._planned += 1
