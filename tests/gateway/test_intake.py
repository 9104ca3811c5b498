"""The queue before the tap log: groups form while one is under way, and it is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

from gateway.taps.intake import Intake
from gateway.taps.scans import Decision, Outcome, Stored
from transitpay.errors import RuleViolation, TemporarilyUnavailable
from transitpay.runtime.observe import EventLog


class GatedLog:
    """A tap log that commits when the test says so."""

    def __init__(self) -> None:
        self.groups: list[list[Any]] = []
        self.gate = asyncio.Semaphore(0)
        self.failure: Exception | None = None

    async def append(self, group: Sequence[Any]) -> list[Outcome]:
        self.groups.append(list(group))
        await self.gate.acquire()
        if self.failure is not None:
            raise self.failure
        return [Outcome(Stored.NEW, Decision.ACCEPTED, str(scan)) for scan in group]


class Running:
    """An intake at work for the time of a block."""

    def __init__(self, **limits: Any) -> None:
        self.log = GatedLog()
        self.intake = Intake(self.log, EventLog("test"), **limits)

    async def __aenter__(self) -> Running:
        self.task = asyncio.create_task(self.intake.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task

    def ask(self, *scans: Any) -> asyncio.Task[list[Outcome]]:
        return asyncio.create_task(self.intake.append(list(scans)))


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_arrives_during_a_group_is_the_next_group() -> None:
    async with Running() as it:
        first = it.ask("a")
        await settled()
        rest = [it.ask("b"), it.ask("c", "d")]
        await settled()
        assert it.log.groups == [["a"]] and not first.done()
        it.log.gate.release()
        it.log.gate.release()
        assert [o.reason for o in await first] == ["a"]
        assert [[o.reason for o in await task] for task in rest] == [["b"], ["c", "d"]]
        assert it.log.groups == [["a"], ["b", "c", "d"]]


async def test_a_group_is_bounded_and_a_request_is_never_split() -> None:
    async with Running(group_limit=3) as it:
        tasks = [it.ask(0), it.ask(1, 2), it.ask(3, 4), it.ask(5, 6, 7, 8)]
        for _ in range(9):
            it.log.gate.release()
        await asyncio.gather(*tasks)
        assert it.log.groups == [[0, 1, 2], [3, 4], [5, 6, 7, 8]]


async def test_over_the_bound_the_answer_is_no_at_once() -> None:
    async with Running(queue_limit=2) as it:
        under_way = it.ask("a")
        await settled()
        waiting = it.ask("b", "c")
        await settled()
        with pytest.raises(TemporarilyUnavailable):
            await it.intake.append(["d"])  # type: ignore[list-item]  # the fake log takes anything
        it.log.gate.release()
        it.log.gate.release()
        await asyncio.gather(under_way, waiting)


async def test_a_failed_group_fails_its_own_requests_and_no_later_ones() -> None:
    async with Running() as it:
        for failure in (TemporarilyUnavailable("database_unavailable", "away"), ValueError("bug")):
            it.log.failure = failure
            task = it.ask("a")
            it.log.gate.release()
            with pytest.raises(TemporarilyUnavailable):
                await task
        it.log.failure = RuleViolation("odd", "as it was")
        it.log.gate.release()
        with pytest.raises(RuleViolation):
            await it.ask("b")
        it.log.failure = None
        it.log.gate.release()
        assert len(await it.ask("c")) == 1


async def test_when_the_database_is_away_who_waits_is_told_at_once_and_not_stored_later() -> None:
    async with Running() as it:
        first = it.ask("a")
        await settled()
        waiting = [it.ask("b"), it.ask("c")]
        await settled()
        it.log.failure = TemporarilyUnavailable("database_unavailable", "away")
        it.log.gate.release()
        for task in (first, *waiting):
            with pytest.raises(TemporarilyUnavailable):
                await task
        await settled()
        assert it.log.groups == [["a"]] and it.intake.queued == 0


async def test_who_has_gone_is_not_stored() -> None:
    async with Running() as it:
        first, second = it.ask("a"), it.ask("b")
        await settled()
        third = it.ask("c")
        await settled()
        third.cancel()
        await settled()
        it.log.gate.release()
        it.log.gate.release()
        await asyncio.gather(first, second)
        await settled()
        assert it.log.groups == [["a", "b"]]


async def test_closing_finishes_what_waits_and_takes_nothing_more() -> None:
    async with Running() as it:
        tasks = [it.ask("a"), it.ask("b")]
        await settled()
        it.intake.close()
        with pytest.raises(TemporarilyUnavailable):
            await it.intake.append(["c"])  # type: ignore[list-item]  # the fake log takes anything
        it.log.gate.release()
        it.log.gate.release()
        await asyncio.gather(*tasks)
        await asyncio.wait_for(it.task, 30)
