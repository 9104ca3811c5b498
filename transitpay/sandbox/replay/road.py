"""Sends the planned scans: riders enrol with their wallets, readers upload batches over HTTP.

Business time passes meanwhile. A scan is drawn and uploaded once its instant has passed and its
rider is enrolled, so that a rate is published for every instant before it is needed. Scans go in
passes by time, exits after all else of their pass, so that a run's journeys do not depend on the
order of its uploads. What is not acknowledged is sent again, unchanged.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import aiohttp

from transitpay.destinations import DESTINATIONS
from transitpay.errors import TemporarilyUnavailable
from transitpay.sandbox.places import SHENZHEN
from transitpay.sandbox.replay.codes import Phones
from transitpay.sandbox.replay.plan import PlannedScan, ReplayPlan
from transitpay.sandbox.szt_taps import TapKind
from transitpay.sandbox.town import Town
from transitpay.sandbox.wire import HttpWire

_ENROL_AT_ONCE = 24
_UPLOADS_AT_ONCE = 4
#: How many scans are drawn and sent in one pass, and how many before others may run.
_PASS, _BREATH = 8000, 25
#: Seconds of the machine between two passes, and more for many scans: fewer, larger batches.
_PASS_EACH_S, _SCANS_A_SECOND_MORE = 1.0, 15_000
_REPORT_EACH_S, _REPORT_RARELY_S = 3.0, 10.0
_RETRY_S = 0.3
#: The most records of one upload.
BATCH_LIMIT = 500
#: Seconds of the machine that one call may be answered "not now".
_CALL_LIMIT_S = 60.0


@dataclass(slots=True)
class Sent:
    """How far the road is, what the gateway said of each scan, and the rider of each card."""

    enrolled: int = 0
    sent: int = 0
    decisions: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    accepted: set[tuple[str, int]] = field(default_factory=set)
    riders: dict[str, str] = field(default_factory=dict)


class Road:
    """The way of the planned scans into the gateway of a town."""

    def __init__(
        self,
        town: Town,
        plan: ReplayPlan,
        phones: Phones,
        session: aiohttp.ClientSession,
        told: Callable[[Sent], None],
    ) -> None:
        self.sent = Sent()
        self._town = town
        self._plan = plan
        self._phones = phones
        self._session = session
        self._wire = HttpWire(session, town.gateway_url)
        self._told = told
        self._next = 0
        self._uploading = asyncio.Semaphore(_UPLOADS_AT_ONCE)
        self._last = Counter({place.reader: 0 for place in plan.readers})
        self._through_at = datetime.min

    async def run(self) -> Sent:
        """Enrol everybody and send everything.

        Raises: TemporarilyUnavailable (``not_enrolled``, ``not_uploaded``).
        """
        self._through_at = self._plan.scans[0].at - timedelta(seconds=1)
        try:
            async with asyncio.TaskGroup() as group:
                cards = self._cards()
                for _ in range(_ENROL_AT_ONCE):
                    group.create_task(self._enrol(cards))
                group.create_task(self._send_all())
        except* TemporarilyUnavailable as failed:
            raise _first(failed) from None
        return self.sent

    async def report(self) -> None:
        """Let all readers say how far they are, until cancelled; rarely while taps go in.

        An entry waits for gates that may hold its exit, a bus ride for whatever may hold the ride
        before it, by which it would be cheaper.
        """
        loop = asyncio.get_running_loop()
        told_s = loop.time()
        while True:
            if self._next == len(self._plan.scans) or loop.time() > told_s + _REPORT_RARELY_S:
                await self.heartbeats()
                told_s = loop.time()
            await asyncio.sleep(_REPORT_EACH_S)

    async def heartbeats(self) -> None:
        """Every reader reports once."""
        if self._next == len(self._plan.scans):
            self._through_at = self._town.clock.now()
        through = self._through_at.isoformat()
        await asyncio.gather(*(self._heartbeat(it.reader, through) for it in self._plan.readers))

    # -- enrolment -----------------------------------------------------------------------------

    def _cards(self) -> Iterator[PlannedScan]:
        """The first scan of each card, in order."""
        seen: set[str] = set()
        for scan in self._plan.scans:
            if scan.raw.card not in seen:
                seen.add(scan.raw.card)
                yield scan

    async def _enrol(self, cards: Iterator[PlannedScan]) -> None:
        for scan in cards:
            url = f"{self._town.sandbox.wallet_url(scan.wallet)}/app/enrol"
            body = {"account": scan.raw.card, "destination": DESTINATIONS[SHENZHEN]}
            answer = await _until_answered("not_enrolled", partial(_post, self._session, url, body))
            self.sent.riders[scan.raw.card] = answer["rider_id"]
            self.sent.enrolled += 1
            self._told(self.sent)

    # -- uploads -------------------------------------------------------------------------------

    async def _send_all(self) -> None:
        scans = self._plan.scans
        pause_s = _PASS_EACH_S + len(scans) / _SCANS_A_SECOND_MORE
        while self._next < len(scans):
            ready = self._ready()
            if ready:
                await self._send(ready)
            self._next += len(ready)
            self._told(self.sent)
            if len(ready) < _PASS and self._next < len(scans):
                await asyncio.sleep(pause_s)

    def _ready(self) -> Sequence[PlannedScan]:
        """The next scans whose time has passed and whose riders are enrolled."""
        scans, now, end = self._plan.scans, self._town.clock.now(), self._next
        while (
            end < min(len(scans), self._next + _PASS)
            and scans[end].at < now
            and scans[end].raw.card in self.sent.riders
        ):
            end += 1
        return scans[self._next : end]

    async def _send(self, scans: Sequence[PlannedScan]) -> None:
        """Upload these scans and, when all are acknowledged, move the reported time forward."""
        first: dict[str, list[dict[str, Any]]] = {}
        then: dict[str, list[dict[str, Any]]] = {}
        for number, scan in enumerate(scans):
            turn = then if scan.raw.kind is TapKind.EXIT else first
            turn.setdefault(scan.reader, []).append(self._record(scan))
            if number % _BREATH == 0:
                await asyncio.sleep(0)
        for turn in (first, then):
            async with asyncio.TaskGroup() as group:
                for reader, of in turn.items():
                    for start in range(0, len(of), BATCH_LIMIT):
                        part = of[start : start + BATCH_LIMIT]
                        group.create_task(self._upload(reader, part))
        self._through_at = max(self._through_at, scans[-1].at - timedelta(seconds=1))

    def _record(self, scan: PlannedScan) -> dict[str, Any]:
        record: dict[str, Any] = {
            "sequence": scan.sequence,
            "at": scan.at.isoformat(),
            "code": self._phones.draw(scan, self.sent.riders[scan.raw.card]),
            "opened": True,
        }
        if scan.raw.kind is TapKind.BUS:
            record |= {"route": scan.raw.place, "stage_fare_minor": scan.raw.full_fare_minor}
        return record

    async def _upload(self, reader: str, records: Sequence[dict[str, Any]]) -> None:
        self._last[reader] = max(self._last[reader], records[-1]["sequence"])
        # What the reader vouches for is what all of it has reached the gateway before this batch.
        body = {
            "records": records,
            "through_at": self._through_at.isoformat(),
            "last_sequence": self._last[reader],
        }
        token = self._town.tokens.readers[reader]
        async with self._uploading:
            answer = await _until_answered(
                "not_uploaded", partial(self._wire.post, "/v1/taps/batch", token, body)
            )
        for result in answer["results"]:
            self.sent.sent += 1
            self.sent.decisions[result["decision"] or result["stored"]] += 1
            if result["decision"] == "accepted":
                self.sent.accepted.add((reader, result["sequence"]))
            elif result["reason"] is not None:
                self.sent.refusals[result["reason"]] += 1

    async def _heartbeat(self, reader: str, through_at: str) -> None:
        """One report; a missed one is made good by the next."""
        body = {"last_sequence": self._last[reader], "through_at": through_at}
        async with self._uploading:
            await self._wire.post("/v1/readers/heartbeat", self._town.tokens.readers[reader], body)


async def _until_answered(code: str, call: Callable[[], Awaitable[tuple[int, Any]]]) -> Any:
    """The JSON of a call, asked again while the other side is away.

    Raises: TemporarilyUnavailable with this code.
    """
    status, answer = 0, None
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _CALL_LIMIT_S
    while loop.time() < deadline:
        status, answer = await call()
        if status == 200:
            return answer
        if 400 <= status < 500:
            break
        await asyncio.sleep(_RETRY_S)
    raise TemporarilyUnavailable(code, f"was answered {status}: {str(answer)[:200]}")


async def _post(session: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> tuple[int, Any]:
    """Status and JSON; status 0 where there was no answer."""
    try:
        async with session.post(url, json=body) as answer:
            return answer.status, await answer.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return 0, None


def _first(failed: BaseExceptionGroup[TemporarilyUnavailable]) -> TemporarilyUnavailable:
    found: BaseException = failed
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, TemporarilyUnavailable)
    return found
