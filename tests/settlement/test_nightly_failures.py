"""Nights that fail, meet another one or are killed, and the command that runs them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from datetime import timedelta
from typing import Any

import pytest
from file_wallet import paid_row
from night_scene import NEXT, ROLE, Scene, scene
from night_seed import (
    CLOSE_AT,
    DAY,
    FILES_AT,
    NOON,
    WALLETS,
    Ride,
    ride,
)

from settlement.nightly import CLEAN, FAILED
from transitpay.errors import TemporarilyUnavailable

__all__ = ["scene"]  # the fixture


async def test_days_that_nobody_closed_are_closed_in_their_order(scene: Scene) -> None:
    for n in range(3):
        await ride(scene.conn, Ride(f"d{n}", "alipayhk", at=NOON + timedelta(days=n)))
    last = DAY + timedelta(days=2)
    result = await scene.night(FILES_AT + timedelta(days=2), last)
    assert [r.day for r in result.reports] == [DAY, NEXT, last]
    numbers = await scene.conn.fetch("select number, day from closing order by number")
    assert [(r["number"], r["day"]) for r in numbers] == [(1, DAY), (2, NEXT), (3, last)]


async def test_books_that_do_not_fit_fail_the_step_and_close_nothing(scene: Scene) -> None:
    await ride(scene.conn, Ride("a"))
    await scene.conn.execute("update charge set amount_minor = amount_minor + 1")
    assert (await scene.night()).exit_code == FAILED
    assert await scene.steps() == {"close house": "FAILED"}
    await scene.conn.execute("update charge set amount_minor = amount_minor - 1")
    await scene.night()
    assert (await scene.steps())["close house"] == "DONE"


async def test_a_disk_that_fails_is_a_failed_step_and_heals_by_itself(scene: Scene) -> None:
    in_the_way = scene.db.settings.home / "statements"
    in_the_way.parent.mkdir(parents=True, exist_ok=True)
    in_the_way.write_text("no folder")
    result = await scene.night()
    steps = result.reports[0].steps
    assert result.exit_code == FAILED
    assert {s.step: s.state for s in steps} == dict.fromkeys(
        ("close", "fetch", "match"), "DONE"
    ) | {"statements": "FAILED"}
    assert ["NotADirectoryError" in (s.reason or "") for s in steps if s.state == "FAILED"] == [
        True
    ]
    in_the_way.unlink()
    assert (await scene.night()).exit_code == CLEAN


async def test_a_second_night_waits_and_then_says_that_one_runs(scene: Scene) -> None:
    other = await scene.db.connect(ROLE)
    await other.execute("select pg_advisory_lock(7364011)")
    with pytest.raises(TemporarilyUnavailable) as busy:
        await scene.night(wait_s=0.3)
    assert busy.value.code == "night_running"
    both = asyncio.gather(scene.night(wait_s=20), scene.night(wait_s=20))
    await other.execute("select pg_advisory_unlock(7364011)")
    assert [r.exit_code for r in await both] == [CLEAN, CLEAN]
    assert await scene.conn.fetchval("select count(*) from closing") == 1


async def test_the_command_prints_one_object_and_a_report_lies_in_the_home(scene: Scene) -> None:
    await scene.rides("alipayhk", 2)
    process = await _command(scene, CLOSE_AT)
    said, _ = await process.communicate()
    found = json.loads(said.splitlines()[-1])
    assert (process.returncode, found["exit_code"], found["day"]) == (0, 0, "2026-10-30")
    folder = scene.db.settings.home / "reports" / "2026-10-30"
    kept = json.loads((folder / "report.json").read_text())
    assert kept["closing"]["digest"] == found["days"][0]["closing"]["digest"]


async def test_a_night_that_is_killed_at_any_moment_goes_on(scene: Scene) -> None:
    for wallet in WALLETS:
        scene.wallets.serve(wallet, DAY, map(paid_row, await scene.rides(wallet, 6)))
    for delay_s in (0.7, 1.0, 1.3, 1.6, 1.9):
        process = await _command(scene, FILES_AT)
        await asyncio.sleep(delay_s)
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.communicate()
    assert (await scene.night()).exit_code == CLEAN
    assert await scene.breaks() == []
    assert {v for k, v in (await scene.held()).items() if "receivable" in k} == {0}
    runs = await scene.conn.fetch("select wallet, revision from recon_run order by 1")
    assert [(r["wallet"], r["revision"]) for r in runs] == [(w, 1) for w in sorted(WALLETS)]


async def _command(scene: Scene, at: Any) -> Any:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "settlement", "nightly", "--day", DAY.isoformat()),
        *("--at", at.isoformat(), "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=os.environ | scene.db.settings.environment(),
    )
