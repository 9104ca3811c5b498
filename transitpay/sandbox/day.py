"""One day of riding: every planned scan at its planned instant, from phone to gate over HTTP.

A rider draws a code, its image crosses the air, a reader decides. Stamps are the planned
business instants, so the same seed gives the same journeys; the clock only says when to act.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import aiohttp

from transitpay.clock import Clock
from transitpay.errors import TemporarilyUnavailable
from transitpay.ride_code.signature_cache import SignatureCache
from transitpay.sandbox import optics
from transitpay.sandbox.coverage import plan_coverage
from transitpay.sandbox.diary import Diary, Shown
from transitpay.sandbox.gate import SandboxReader
from transitpay.sandbox.gate_lists import GateLists
from transitpay.sandbox.phones import Phone
from transitpay.sandbox.riders import Case, PlannedRider, PlannedScan
from transitpay.sandbox.town import Town
from transitpay.sandbox.waiting import wait_while_it_moves
from transitpay.sandbox.wire import HttpWire

_TEND_EACH_S, _A_MOMENT_S = 1.0, 0.01
#: How many readers start, or speak to the gateway in the background, at once.
_AT_ONCE = 8
#: After so long without one more record taken, the gateway takes none.
_FLUSH_QUIET_S = 30.0
_FLUSH_POLL_S = 0.2
#: How old a code is when it is shown: fresh ones 2-20 s, a picture of one ten minutes.
_STALE_AGE = timedelta(minutes=10)


async def put_up_readers(town: Town, diary: Diary) -> Mapping[str, SandboxReader]:
    """The readers of a town, by id, their keys enrolled and their first lists fetched.

    Raises: TemporarilyUnavailable (``reader_not_enrolled``, ``no_reader_lists``).
    """
    places, roots = town.places.readers, town.list_roots
    coverage = plan_coverage(places, town.plan.seed, town.plan.first_day)
    known = SignatureCache()
    async with aiohttp.ClientSession() as session:
        wire = HttpWire(session, town.gateway_url)
        readers = {
            it.reader: SandboxReader(
                it, town.tokens.readers[it.reader], wire, town.clock, coverage[it.reader],
                GateLists(it.reader, roots), diary, town.plan.folder / "readers" / it.reader,
                known,
            )
            for it in places
        }  # fmt: skip
        await _each(reader.enrol for reader in readers.values())
    return readers


class RidingDay:
    """The riders of a town on one day."""

    def __init__(
        self,
        town: Town,
        riders: Sequence[PlannedRider],
        phones: Mapping[str, Phone],
        readers: Mapping[str, SandboxReader],
        diary: Diary,
        session: aiohttp.ClientSession,
        on_scan: Callable[[Diary], None],
    ) -> None:
        self.diary = diary
        self._town = town
        self.riders = riders
        self._session = session
        self._on_scan = on_scan
        self._clock: Clock = town.clock
        self.readers = readers
        wire = HttpWire(session, town.gateway_url)
        for reader in readers.values():
            reader.wire, reader.clock = wire, town.clock
        self._phones = phones
        for number, rider in enumerate(riders):
            for n, scan in enumerate(rider.scans):
                self.readers[scan.place.reader].expect(scan.at, _ticket(number, n))

    async def open_gates(self) -> None:
        """Every reader starts."""
        await _each(reader.start for reader in self.readers.values())

    def close_gates(self) -> None:
        """Every reader ends in good order."""
        for reader in self.readers.values():
            reader.close()

    async def run(self) -> Diary:
        """Ride the whole day; returns when every scan is made and acknowledged.

        Raises: TemporarilyUnavailable (``readers_not_empty``).
        """
        async with asyncio.TaskGroup() as group:
            for number, rider in enumerate(self.riders):
                group.create_task(self._live(number, rider))
        left = await wait_while_it_moves(self._waiting, _FLUSH_QUIET_S, _FLUSH_POLL_S)
        if left:
            raise TemporarilyUnavailable("readers_not_empty", f"scans were not taken: {left}")
        return self.diary

    async def _waiting(self) -> dict[str, int]:
        return {name: it.waiting for name, it in self.readers.items() if it.waiting}

    async def report(self) -> None:
        """Deliver records, report and fetch lists, until cancelled."""
        turns = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for reader in self.readers.values():
                group.create_task(self._keep(reader, turns))

    async def _keep(self, reader: SandboxReader, turns: asyncio.Semaphore) -> None:
        """Tend a reader each second, and at once when its network comes back."""
        while True:
            async with turns:
                await reader.tend()
            pause_s = _TEND_EACH_S
            back_at = reader.coverage.back_at(self._clock.now())
            if back_at is not None:
                away_s = (back_at - self._clock.now()).total_seconds() / self._clock.speed
                pause_s = min(pause_s, max(away_s, 0.0) + _A_MOMENT_S)
            await asyncio.sleep(pause_s)

    async def _live(self, number: int, rider: PlannedRider) -> None:
        phone = self._phones[rider.account]
        inside: set[int] = set()  # the slots whose last entry or boarding opened
        entry_code = ""
        for n, scan in enumerate(rider.scans):
            reader = self.readers[scan.place.reader]
            skipped = (scan.leaves and scan.slot not in inside) or (
                scan.case is Case.REPLAYED and not entry_code
            )
            if not skipped:
                await self._until(scan.at)
                code = entry_code if scan.case is Case.REPLAYED else self._code(phone, rider, scan)
                self.diary.codes += 1
                shown = optics.through_the_air(code, self.diary.codes)
                seen = await reader.scan(shown, scan.at)
                self.diary.cases[scan.case] += 1
                self.diary.shown[scan.place.reader, seen.sequence] = Shown(
                    rider.wallet, phone.rider_id, scan.slot, scan.place, scan.at
                )
                if scan.case is Case.FRESH:
                    inside.discard(scan.slot)
                    if seen.opened and not scan.leaves:
                        inside.add(scan.slot)
                    entry_code = code if inside else ""
            reader.over(_ticket(number, n))
            self.diary.scans += 1
            self._on_scan(self.diary)

    def _code(self, phone: Phone, rider: PlannedRider, scan: PlannedScan) -> str:
        age = _STALE_AGE if scan.case is Case.STALE else timedelta(seconds=2 + scan.at.second % 19)
        drawn_at = scan.at - age
        if scan.case is Case.FORGED:
            return phone.draw_forged(drawn_at, rider.destination)
        return phone.draw(drawn_at, rider.destination, scan.slot)

    async def _until(self, at: datetime) -> None:
        wait = (at - self._clock.now()) / self._clock.speed
        lag_s = -wait.total_seconds()
        self.diary.latest_lag_s = max(self.diary.latest_lag_s, lag_s)
        if lag_s < 0:
            await asyncio.sleep(-lag_s)


async def _each(calls: Iterable[Callable[[], Awaitable[None]]]) -> None:
    """Make these calls, a few at once."""
    waiting = iter(calls)

    async def work() -> None:
        for call in waiting:
            await call()

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(work())


def _ticket(rider: int, scan: int) -> int:
    return rider * 100 + scan
