"""One day of riding: every planned scan at its planned instant, from phone to gate over HTTP.

A rider draws a code, its image crosses the air, a reader decides. Stamps are the planned
business instants, so the same seed gives the same journeys; the clock only says when to act.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import aiohttp

from transitpay.clock import Clock
from transitpay.errors import TemporarilyUnavailable
from transitpay.sandbox import optics
from transitpay.sandbox.gate import HttpWire, Reader, TapAnswer
from transitpay.sandbox.lists_mirror import ListsMirror
from transitpay.sandbox.phones import Phone
from transitpay.sandbox.riders import Case, PlannedRider, PlannedScan
from transitpay.sandbox.town import Town

_REPORT_EACH_S = 1.0
_LISTS_EACH_S = 3.0
_FLUSH_LIMIT_S = 30.0
_FLUSH_POLL_S = 0.2
#: How old a code is when it is shown: fresh ones 2-20 s, a picture of one ten minutes.
_STALE_AGE = timedelta(minutes=10)


@dataclass(slots=True)
class Diary:
    """What happened at the readers: scans made, answers of the gateway, codes drawn."""

    scans: int = 0
    codes: int = 0
    latest_lag_s: float = 0.0
    answers: dict[tuple[str, int], TapAnswer] = field(default_factory=dict)
    cases: Counter[str] = field(default_factory=Counter)

    def acknowledged(self, answer: TapAnswer) -> None:
        """The gateway has answered for this scan."""
        self.answers[(answer.reader, answer.sequence)] = answer


class RidingDay:
    """The riders of a town on one day."""

    def __init__(
        self,
        town: Town,
        riders: Sequence[PlannedRider],
        phones: Mapping[str, Phone],
        session: aiohttp.ClientSession,
        on_scan: Callable[[Diary], None],
    ) -> None:
        self.diary = Diary()
        self._town = town
        self._riders = riders
        self._session = session
        self._on_scan = on_scan
        self._clock: Clock = town.clock
        self._lists = ListsMirror(town.list_roots)
        wire = HttpWire(session, town.gateway_url)
        self.readers = {
            place.reader: Reader(
                place, town.tokens.readers[place.reader], wire, town.clock, self._lists,
                self.diary.acknowledged,
            )
            for place in town.places.readers
        }  # fmt: skip
        self._phones = phones
        for number, rider in enumerate(riders):
            for n, scan in enumerate(rider.scans):
                self.readers[scan.place.reader].expect(scan.at, _ticket(number, n))

    async def run(self) -> Diary:
        """Ride the whole day; returns when every scan is made and acknowledged.

        Raises: TemporarilyUnavailable (``readers_not_empty``).
        """
        async with asyncio.TaskGroup() as group:
            for number, rider in enumerate(self._riders):
                group.create_task(self._live(number, rider))
        for _ in range(round(_FLUSH_LIMIT_S / _FLUSH_POLL_S)):
            if not any(reader.waiting for reader in self.readers.values()):
                return self.diary
            await asyncio.sleep(_FLUSH_POLL_S)
        left = {name: reader.waiting for name, reader in self.readers.items() if reader.waiting}
        raise TemporarilyUnavailable("readers_not_empty", f"scans were not taken: {left}")

    async def report(self) -> None:
        """Upload what readers decided alone and say how far they are, until cancelled."""
        rounds = 0
        while True:
            if rounds % round(_LISTS_EACH_S / _REPORT_EACH_S) == 0:
                await self._fetch_lists()
            for reader in self.readers.values():
                if reader.waiting:
                    await reader.upload()
                await reader.heartbeat()
            rounds += 1
            await asyncio.sleep(_REPORT_EACH_S)

    async def _fetch_lists(self) -> None:
        token = next(iter(self._town.tokens.readers.values()))
        try:
            async with asyncio.timeout(3):
                await self._lists.fetch(
                    self._session, self._town.gateway_url, token, self._clock.now()
                )
        except (aiohttp.ClientError, TimeoutError):
            return

    async def _live(self, number: int, rider: PlannedRider) -> None:
        phone = self._phones[rider.account]
        inside, entry_code = False, ""
        for n, scan in enumerate(rider.scans):
            reader = self.readers[scan.place.reader]
            skipped = (scan.leaves and not inside) or (
                scan.case is Case.REPLAYED and not entry_code
            )
            if not skipped:
                await self._until(scan.at)
                code = entry_code if scan.case is Case.REPLAYED else self._code(phone, rider, scan)
                self.diary.codes += 1
                shown = optics.through_the_air(code, self.diary.codes)
                seen = await reader.scan(shown, scan.at)
                self.diary.cases[scan.case] += 1
                if scan.case is Case.FRESH:
                    inside = seen.opened and not scan.leaves
                    entry_code = code if inside else ""
            reader.over(_ticket(number, n))
            self.diary.scans += 1
            self._on_scan(self.diary)

    def _code(self, phone: Phone, rider: PlannedRider, scan: PlannedScan) -> str:
        age = _STALE_AGE if scan.case is Case.STALE else timedelta(seconds=2 + scan.at.second % 19)
        drawn_at = scan.at - age
        if scan.case is Case.FORGED:
            return phone.draw_forged(drawn_at, rider.destination)
        return phone.draw(drawn_at, rider.destination)

    async def _until(self, at: datetime) -> None:
        wait = (at - self._clock.now()) / self._clock.speed
        lag_s = -wait.total_seconds()
        self.diary.latest_lag_s = max(self.diary.latest_lag_s, lag_s)
        if lag_s < 0:
            await asyncio.sleep(-lag_s)


def _ticket(rider: int, scan: int) -> int:
    return rider * 100 + scan
