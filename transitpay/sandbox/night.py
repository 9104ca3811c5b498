"""The night of a sandbox: runs ``python -m settlement nightly`` at 00:30 and 08:30 of its clock."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from transitpay.clock import Clock, day_start
from transitpay.errors import TemporarilyUnavailable
from transitpay.sandbox.town import Town

#: 0 clean, 1 breaks above the limit, 2 waiting past a deadline: the command has said its word.
_HAS_SPOKEN = frozenset({0, 1, 2})
_TRIES = 8
_RETRY_S = 1.0
_NAP_S = 0.1
_LIMIT_S = 90.0


@dataclass(frozen=True, slots=True)
class NightRun:
    """One run of the command: its exit code and the JSON object that it printed."""

    code: int
    report: Any  # the command's own JSON


async def sleep_until(clock: Clock, at: datetime) -> None:
    """Wait for an instant of this clock, which may turn faster meanwhile."""
    while True:
        wait_s = ((at - clock.now()) / clock.speed).total_seconds()
        if wait_s <= 0:
            return
        await asyncio.sleep(min(wait_s, _NAP_S))


async def run_night(town: Town, day: date, on_event: Callable[[str], None]) -> NightRun:
    """Both runs of a day's night, in their time; the second one's word is returned.

    Raises: TemporarilyUnavailable (``night_failed``).
    """
    morrow = day + timedelta(days=1)
    await sleep_until(town.clock, day_start(morrow, 0, 30))
    on_event("00:30, the night closes the day")
    await _nightly(town, day)
    await sleep_until(town.clock, day_start(morrow, 8, 30))
    on_event("08:30, the night fetches the wallets' files and reconciles")
    run = await _nightly(town, day)
    for _ in range(_TRIES):
        if not _waits(run.report):
            break
        await asyncio.sleep(_RETRY_S)  # a wallet that was away is asked again
        run = await _nightly(town, day)
    return run


def _waits(report: Any) -> bool:
    """True while a step of the report waits."""
    days = report.get("days", ())
    return any(step["state"] == "WAITING" for day in days for step in day["steps"])


async def _nightly(town: Town, day: date) -> NightRun:
    """Run the command until it has spoken; a killed database or run is tried again."""
    log = town.plan.folder / "log" / "nightly.log"
    last = ""
    for _ in range(_TRIES):
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "settlement", "nightly"),
                *("--day", day.isoformat(), "--json"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=dict(town.environment()),
            )
        try:
            async with asyncio.timeout(_LIMIT_S):
                said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        code = process.returncode
        assert code is not None
        last = said.decode("utf-8", "replace").strip()
        report = _last_object(last)
        if code in _HAS_SPOKEN and report:
            return NightRun(code, report)
        await asyncio.sleep(_RETRY_S)
    raise TemporarilyUnavailable(
        "night_failed", f"the nightly run fails: {last[-300:]} (see {log})"
    )


def _last_object(text: str) -> Any:
    """The JSON object that ends the output; nothing if there is none."""
    for candidate in (text, text[text.find("{") :], text.rpartition("\n")[2]):
        with suppress(json.JSONDecodeError):
            return json.loads(candidate)
    return {}
