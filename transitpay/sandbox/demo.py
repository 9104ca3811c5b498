"""The demo: one day of cross-border riding and its night, with real processes, then the tables."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from transitpay.sandbox.day import RidingDay, put_up_readers
from transitpay.sandbox.demand import plan_day
from transitpay.sandbox.desk import declare_exits, open_gates
from transitpay.sandbox.diary import Diary
from transitpay.sandbox.enrolment import enrol_all
from transitpay.sandbox.expected import Said
from transitpay.sandbox.gate import SandboxReader
from transitpay.sandbox.memory import MemoryWatch
from transitpay.sandbox.night import run_night
from transitpay.sandbox.outcome import Outcome, charges_settled, outcome
from transitpay.sandbox.phones import Phone
from transitpay.sandbox.riders import PlannedRider, all_scans
from transitpay.sandbox.town import Town, TownPlan, running_town

#: The business day that is ridden.
DAY = date(2026, 10, 30)
#: Business seconds from 06:00 to 22:00, in which riders travel, and on to 08:30.
_DAY_S, _NIGHT_S = 57_600, 37_800
#: Seconds of the machine that both take for few riders, and the day more for each further one. A
#: rider's day costs so many times their enrolment, which tells how fast the machine is just now.
_LEAST_S = 36.0
_A_RIDER_S = 0.024
_DAY_PER_ENROLMENT = 5.0
_FREE_RIDERS = 200
NIGHT_SPEED = round((_DAY_S + _NIGHT_S) / _LEAST_S)
#: Seconds of the machine before the business day begins: settlement publishes rates some seconds
#: ahead, so that a restart of its own leaves no gap, and the first ride needs one.
_LEAD_S = 9.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What was asked for; ``plants`` None is the usual number of planted breaks."""

    riders: int
    seed: int
    folder: Path
    data: Path | None
    port: int | None
    gateways: int
    plants: int | None


class Watcher(Protocol):
    """Who is told how the demo gets on."""

    def event(self, text: str) -> None: ...

    def enrolled(self, riders: int, of: int) -> None: ...

    def planned(self, scans: int) -> None: ...

    def progress(self, diary: Diary, town: Town) -> None: ...


def speed_for(riders: int, enrolled_s: float = 0.0) -> int:
    """Business seconds per second of the machine while riders travel, so that the machine keeps
    up; all riders were enrolled within ``enrolled_s`` on it."""
    a_rider_s = max(_A_RIDER_S, enrolled_s / riders * _DAY_PER_ENROLMENT)
    least_s = _DAY_S / NIGHT_SPEED
    return round(_DAY_S / (least_s + max(0, riders - _FREE_RIDERS) * a_rider_s))


async def run_demo(
    options: DemoOptions,
    watcher: Watcher,
    after: Callable[[Town, Outcome], Awaitable[None]],
) -> Outcome:
    """Ride the day, run the night, compare everything; ``after`` runs while all still runs.

    Raises: what ``running_town`` raises; TemporarilyUnavailable from the day and the night.
    """
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    plan = _plan(options)
    riders: tuple[PlannedRider, ...] = ()
    phones: dict[str, Phone] = {}
    readers: Mapping[str, SandboxReader] = {}
    diary = Diary()

    async def evening(town: Town) -> int:
        nonlocal riders, phones, readers
        readers = await put_up_readers(town, diary)
        riders = plan_day(options.riders, options.seed, town.places, DAY)
        count, began_s = itertools.count(1), loop.time()
        phones = await enrol_all(
            town, riders, lambda: watcher.enrolled(next(count), options.riders)
        )
        return speed_for(options.riders, loop.time() - began_s)

    async with (
        running_town(plan, watcher.event, evening=evening) as town,
        _session() as session,
    ):
        database = town.supervisor
        memory = MemoryWatch(lambda: database.pids().get("postgres"))
        sampling = asyncio.create_task(memory.run())
        try:
            watcher.planned(sum(1 for _ in all_scans(riders)))
            day = RidingDay(
                town, riders, phones, readers, diary, session,
                lambda diary: watcher.progress(diary, town),
            )  # fmt: skip
            result = await _day_and_night(town, day, watcher, session)
        finally:
            sampling.cancel()
        result.totals |= {
            "seconds": round(loop.time() - started_s, 1),
            "memory_mib": memory.peak_bytes >> 20,
            "riders": options.riders,
            "seed": options.seed,
            "speed": town.plan.speed,
            "restarts": town.supervisor.restarts,
            "faults": list(result.faults),
        }
        await after(town, result)
    return result


def _plan(options: DemoOptions) -> TownPlan:
    """What is started for these options."""
    return TownPlan(
        folder=options.folder,
        data=options.data,
        seed=options.seed,
        speed=speed_for(options.riders),
        night_speed=NIGHT_SPEED,
        lead_s=_LEAD_S,
        first_day=DAY,
        gateway_port=options.port,
        gateways=options.gateways,
        plants=options.plants,
    )


async def _day_and_night(
    town: Town, day: RidingDay, watcher: Watcher, session: aiohttp.ClientSession
) -> Outcome:
    await day.open_gates()
    reporting = asyncio.create_task(day.report())
    opening = asyncio.create_task(open_gates(town, session))
    declaring = asyncio.create_task(declare_exits(town, day.riders, session))
    try:
        diary = await day.run()
        watcher.event("the last rider is home")
        night = await run_night(town, DAY, watcher.event)
        said = Said((await opening,), await declaring)
        left = await charges_settled(town)
        found = await outcome(town, diary, said, DAY, session)
    finally:
        for task in (reporting, opening, declaring):
            task.cancel()
        await asyncio.gather(reporting, opening, declaring, return_exceptions=True)
        day.close_gates()
    if left:
        found.faults.append(f"{left} charges still wait for an answer of their wallet")
    if night.code not in (0, 1):
        found.faults.append(f"the nightly run ended with code {night.code}")
    found.totals["settlement"]["night"] = _short(night.report)
    found.totals["latest_lag_s"] = round(diary.latest_lag_s, 2)
    return found


def _short(report: Any) -> Any:  # the nightly command's own JSON
    """The night's word without its long lists."""
    if not isinstance(report, dict):
        return report
    return {name: value for name, value in report.items() if not isinstance(value, list)}


@asynccontextmanager
async def _session() -> AsyncIterator[aiohttp.ClientSession]:
    limits = aiohttp.TCPConnector(limit=48)
    async with aiohttp.ClientSession(
        connector=limits, timeout=aiohttp.ClientTimeout(total=15)
    ) as session:
        yield session
