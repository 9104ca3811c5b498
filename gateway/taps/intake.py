"""Group commit: scans that arrive while one group is being stored form the next group.

One group is under way at a time, so that a busy gateway writes few, large ones. An answer leaves
only after its group is durable. The tap log bounds the time of a group; when it says that the
database is away, everybody who waits is told at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence

from gateway.taps.scans import JudgedScan, Outcome
from gateway.taps.tap_log import TapLog
from transitpay.errors import TemporarilyUnavailable, TransitPayError
from transitpay.runtime.observe import EventLog

_Waiting = tuple[Sequence[JudgedScan], asyncio.Future[list[Outcome]]]


class Intake:
    """The queue before a tap log. ``run`` is its one worker and must be running."""

    def __init__(
        self, log: TapLog, events: EventLog, *, group_limit: int = 512, queue_limit: int = 4096
    ) -> None:
        self._tap_log = log
        self._events = events
        self._group_limit = group_limit
        self._queue_limit = queue_limit
        self._queue: deque[_Waiting] = deque()
        self._queued = 0
        self._arrived = asyncio.Event()
        self._closing = False

    @property
    def queued(self) -> int:
        """Scans that wait for their group."""
        return self._queued

    async def append(self, scans: Sequence[JudgedScan]) -> list[Outcome]:
        """The outcomes of ``scans``, in order, once they are durable.

        Raises: TemporarilyUnavailable (``temporarily_unavailable``: too many wait;
        ``database_unavailable``). The scans may have been stored: ask again.
        """
        if self._closing or self._queued + len(scans) > self._queue_limit:
            raise TemporarilyUnavailable("temporarily_unavailable", "too many scans are waiting")
        answer: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self._queue.append((scans, answer))
        self._queued += len(scans)
        self._arrived.set()
        return await answer

    async def run(self) -> None:
        """Commit group after group until ``close``."""
        while True:
            await self._arrived.wait()
            group = self._next_group()
            if group:
                await self._commit(group)
            elif self._closing:
                return
            else:
                self._arrived.clear()

    def close(self) -> None:
        """Take nothing more; ``run`` ends when what waits is done."""
        self._closing = True
        self._arrived.set()

    def _next_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        count = 0
        while self._queue:
            scans, answer = self._queue[0]
            if group and count + len(scans) > self._group_limit:
                break
            self._queue.popleft()
            self._queued -= len(scans)
            if not answer.done():
                group.append((scans, answer))
                count += len(scans)
        return group

    async def _commit(self, group: Sequence[_Waiting]) -> None:
        try:
            outcomes = await self._tap_log.append([scan for scans, _ in group for scan in scans])
        except TemporarilyUnavailable as error:
            self._fail(group, error)
            self._fail(self._queue, error)
        except TransitPayError as error:
            self._fail(group, error)
        except Exception as error:  # noqa: BLE001  # the worker loop outlives every group
            self._events.error("group_failed", exc=error, scans=sum(len(s) for s, _ in group))
            self._fail(group, TemporarilyUnavailable("temporarily_unavailable", "the group failed"))
        else:
            start = 0
            for scans, answer in group:
                if not answer.done():
                    answer.set_result(outcomes[start : start + len(scans)])
                start += len(scans)

    def _fail(self, group: Iterable[_Waiting], error: TransitPayError) -> None:
        for _, answer in group:
            if not answer.done():
                answer.set_exception(type(error)(error.code, error.message, field=error.field))
