"""Readers of the sandbox: turnstiles that ask the gateway, bus readers that decide alone.

A sequence number belongs to a scan and is given before anybody is asked. The same request is
asked again under it until the gateway has answered; a turnstile that waits too long decides alone
as a bus reader does, and what was not acknowledged is kept and uploaded later. Nothing is lost.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import aiohttp

from transitpay.clock import Clock
from transitpay.ride_code.verdict import Accepted, ReaderRules, judge
from transitpay.sandbox.lists_mirror import ListsMirror
from transitpay.sandbox.places import Place

#: How long a turnstile asks before it decides alone, in seconds of the machine.
ONLINE_LIMIT_S = 6.0
_ASK_TIMEOUT_S = 4.0
_RETRY_S = 0.15
BATCH_LIMIT = 500
_NO_TIME = datetime.max.replace(tzinfo=UTC)


class Wire(Protocol):
    """How a reader reaches the gateway."""

    async def post(self, path: str, token: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Status and JSON; status 0 where there was no answer."""
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """What the rider sees: ``acknowledged`` says that the gateway has the scan on disk."""

    opened: bool
    decision: str
    reason: str | None
    acknowledged: bool


@dataclass(frozen=True, slots=True)
class TapAnswer:
    """What the gateway said of one scan, for the last check."""

    at: datetime
    reader: str
    sequence: int
    decision: str | None
    reason: str | None


@dataclass(slots=True)
class _Record:
    body: dict[str, Any]
    at: datetime


@dataclass(slots=True)
class Reader:
    """One reader; ``told`` is called once for each scan that the gateway has acknowledged."""

    place: Place
    token: str
    wire: Wire
    clock: Clock
    lists: ListsMirror
    told: Callable[[TapAnswer], None]
    sequence: int = 0
    _expected: list[tuple[datetime, int]] = field(default_factory=list)
    _over: set[int] = field(default_factory=set)
    _kept: dict[int, _Record] = field(default_factory=dict)

    def expect(self, at: datetime, ticket: int) -> None:
        """A scan is planned here; until it is over, nothing later may be called complete."""
        heapq.heappush(self._expected, (at, ticket))

    def over(self, ticket: int) -> None:
        """The planned scan is made, or will not be made."""
        self._over.add(ticket)
        while self._expected and self._expected[0][1] in self._over:
            self._over.discard(heapq.heappop(self._expected)[1])

    @property
    def waiting(self) -> int:
        """Scans that the gateway has not acknowledged."""
        return len(self._kept)

    def through_at(self) -> datetime:
        """Up to here every scan of this reader has reached the gateway."""
        planned = self._expected[0][0] if self._expected else _NO_TIME
        unsent = min((record.at for record in self._kept.values()), default=_NO_TIME)
        return min(self.clock.now(), planned - timedelta(seconds=1), unsent - timedelta(seconds=1))

    async def scan(self, text: str, at: datetime) -> Seen:
        """One scan from the camera to the signal."""
        self.sequence += 1
        body: dict[str, Any] = {"sequence": self.sequence, "at": at.isoformat(), "code": text}
        if self.place.route is not None:
            body["route"] = self.place.route
        self._kept[self.sequence] = record = _Record(body, at)
        if self.place.online:
            seen = await self._ask(record)
            if seen is not None:
                return seen
        return self._decide_alone(record)

    async def upload(self) -> bool:
        """Send what is kept, decided alone, as one batch; true = nothing is kept any more."""
        ready = [(n, r) for n, r in self._kept.items() if "opened" in r.body][:BATCH_LIMIT]
        if not ready:
            return not self._kept
        batch = {
            "records": [record.body for _, record in ready],
            "through_at": self.through_at().isoformat(),
            "last_sequence": self.sequence,
        }
        status, answer = await self.wire.post("/v1/taps/batch", self.token, batch)
        if status != 200:
            return False
        for result in answer["results"]:
            number = int(result["sequence"])
            kept = self._kept.pop(number, None)
            if kept is not None:
                self._tell(kept.at, number, result["decision"], result["reason"])
        return not self._kept

    async def heartbeat(self) -> bool:
        """Say how far this reader has reported."""
        body = {"last_sequence": self.sequence, "through_at": self.through_at().isoformat()}
        status, _ = await self.wire.post("/v1/readers/heartbeat", self.token, body)
        return status == 200

    async def _ask(self, record: _Record) -> Seen | None:
        number = int(record.body["sequence"])
        try:
            async with asyncio.timeout(ONLINE_LIMIT_S):
                while True:
                    status, answer = await self.wire.post("/v1/taps", self.token, record.body)
                    if status == 200:
                        del self._kept[number]
                        decision, reason = answer["decision"], answer["reason"]
                        self._tell(record.at, number, decision, reason)
                        return Seen(bool(answer["open"]), decision, reason, True)
                    await asyncio.sleep(_RETRY_S)
        except TimeoutError:
            return None

    def _decide_alone(self, record: _Record) -> Seen:
        place = self.place
        rules = ReaderRules(
            place.destination,
            place.mode,
            place.direction,
            service_excluded=place.excluded,
            test_keys_allowed=True,
        )
        verdict = judge(
            str(record.body["code"]), self.lists.trust, self.lists.deny, rules, record.at,
            cache=self.lists.cache,
        )  # fmt: skip
        opened = isinstance(verdict, Accepted)
        record.body["opened"] = opened
        if isinstance(verdict, Accepted):
            return Seen(True, "accepted", None, False)
        record.body["reader_reason"] = str(verdict.reason)
        return Seen(False, "refused", str(verdict.reason), False)

    def _tell(self, at: datetime, number: int, decision: str | None, reason: str | None) -> None:
        self.told(TapAnswer(at, self.place.reader, number, decision, reason))


@dataclass(slots=True)
class HttpWire:
    """The gateway over HTTP, at one of several addresses in turn."""

    session: aiohttp.ClientSession
    url: str

    async def post(self, path: str, token: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Status and JSON; status 0 where there was no answer."""
        try:
            async with self.session.post(
                self.url + path,
                json=body,
                headers={"Authorization": f"Bearer {token}"},
                timeout=aiohttp.ClientTimeout(total=_ASK_TIMEOUT_S),
            ) as answer:
                return answer.status, await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return 0, None
