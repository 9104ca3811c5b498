"""The example readers against a live gateway whose network is cut in the middle."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer
from reader_town import EXAMPLES, Example, Proxy, Riders, enrol

from gateway.app import SERVICES, build_app
from transitpay.clock import SystemClock
from transitpay.postgres.gates import reader_keys
from transitpay.runtime.key_files import ensure_sandbox_list_key


@dataclass
class Town:
    db: Any
    proxy: Proxy
    riders: Riders
    tokens: dict[str, str]
    home: Path
    runs: list[Example]

    async def turnstile(self) -> Example:
        arguments = (self.proxy.url, "gate-1", str(self.home / "gate"), str(self.roots))
        return await self._run("turnstile.py", "gate-1", *arguments)

    async def bus(self) -> Example:
        arguments = (self.proxy.url, "bus-9", str(self.home / "bus"), str(self.roots), "1A", "BUS9")
        return await self._run("bus_reader.py", "bus-9", *arguments)

    async def _run(self, script: str, reader: str, *arguments: str) -> Example:
        made = await Example.run(script, self.tokens[reader], *arguments)
        self.runs.append(made)
        if script == "turnstile.py":
            assert await made.says() == "gates shut"
        assert await made.says() == "ready"
        return made

    @property
    def roots(self) -> Path:
        return Path(self.db.settings.home) / "keys"

    async def taps(self) -> list[tuple[Any, ...]]:
        rows = await (await self.db.connect()).fetch(
            "select tap.code, tap.decision, tap.reason, record.decided_by, tap.tier from tap"
            " left join tap_record record using (tapped_day, reader, sequence) order by sequence"
        )
        return [tuple(row) for row in rows]


@pytest.fixture
async def town(db: Any, tmp_path: Path) -> AsyncIterator[Town]:
    tokens = await enrol(db)
    ensure_sandbox_list_key(db.settings.home, datetime.now(UTC))
    app = build_app(db.settings, SystemClock())
    server = TestServer(app)
    await server.start_server()
    await app[SERVICES].lists.refresh()
    assert server.port is not None
    proxy = Proxy(server.port)
    await proxy.mend()
    made = Town(db, proxy, Riders(db.settings.home / "keys"), tokens, tmp_path, [])
    yield made
    for run in made.runs:
        await run.kill()
    if proxy.server is not None:
        await proxy.cut()
    await server.close()


async def opens(run: Example, code: str) -> str:
    """The gate opens for this code; what it shows then."""
    assert await run.hears(code) == "gate opens"
    return await run.says()


async def test_a_turnstile_goes_on_without_its_network_and_delivers_every_scan_once(
    town: Town,
) -> None:
    gate = await town.turnstile()
    codes = [town.riders.code() for _ in range(6)]
    assert (await opens(gate, codes[0])).startswith("1-1 green welcome")
    assert (await gate.hears("no code")).startswith("1-2 red unreadable")
    await town.proxy.cut()
    for number, code in enumerate(codes[1:5], start=3):
        assert (await opens(gate, code)).startswith(f"1-{number} green welcome")
    assert (await gate.hears(codes[4])).startswith("1-7 green already_answered")
    stale = town.riders.code(age_s=400)
    assert (await gate.hears(stale)).startswith("1-8 red code_stale")
    await town.proxy.mend()
    assert (await opens(gate, codes[5])).startswith("1-9 ")
    assert await gate.end() == (0, "delivered")
    taps = await town.taps()
    assert [(bytes(t[0]).decode(), t[1], t[2]) for t in taps] == [
        (codes[0], "accepted", None),
        ("no code", "refused", "unreadable"),
        *((code, "accepted", None) for code in codes[1:5]),
        (codes[4], "already_answered", "already_answered"),
        (stale, "refused", "code_stale"),
        (codes[5], "accepted", None),
    ]
    assert [t[4] for t in taps[:8]] == ["online", "online", *["batch"] * 6]
    assert [t[3] for t in taps[2:8]] == ["reader"] * 6


async def test_a_turnstile_that_loses_its_power_delivers_what_it_did_after_the_next_start(
    town: Town,
) -> None:
    gate = await town.turnstile()
    first, second, third = (town.riders.code() for _ in range(3))
    await opens(gate, first)
    await town.proxy.cut()
    await opens(gate, second)
    await gate.kill()
    again = await town.turnstile()  # without a network
    assert (await again.hears(second)).startswith("2-1 red replay")
    assert (await opens(again, third)).startswith("2-2 green welcome")
    await town.proxy.mend()
    assert await again.end() == (0, "delivered")
    taps = await town.taps()
    assert [(bytes(t[0]).decode(), t[1]) for t in taps] == [
        (first, "accepted"), (second, "accepted"), (second, "refused"), (third, "accepted"),
    ]  # fmt: skip


async def test_a_network_that_swallows_everything_costs_riders_three_time_budgets_at_most(
    town: Town,
) -> None:
    gate = await town.turnstile()
    codes = [town.riders.code() for _ in range(8)]
    town.proxy.hanging = True
    for code in codes:
        assert " green welcome" in await opens(gate, code)
    town.proxy.hanging = False
    await town.proxy.cut()  # what hangs is given up
    await town.proxy.mend()
    assert await gate.end() == (0, "delivered")
    taps = await town.taps()
    assert [(bytes(t[0]).decode(), t[1], t[3]) for t in taps] == [
        (code, "accepted", "reader") for code in codes
    ]


async def test_a_scan_that_both_decided_is_one_tap_and_the_late_answer_moves_nothing(
    town: Town,
) -> None:
    gate = await town.turnstile()
    first, second = town.riders.code(), town.riders.code()
    town.proxy.back_s = 0.6
    assert " green welcome" in await opens(gate, first)
    await asyncio.sleep(1)  # the answer comes, too late
    town.proxy.back_s = 0.0
    assert " green welcome" in await opens(gate, second)
    assert await gate.end() == (0, "delivered")
    taps = await town.taps()
    assert [(bytes(t[0]).decode(), t[1]) for t in taps] == [
        (first, "accepted"), (second, "accepted"),
    ]  # fmt: skip
    assert taps[0][3:] == ("reader", "online")


async def test_gates_opened_by_the_fire_contact_keep_the_codes_that_are_shown(town: Town) -> None:
    gate = await town.turnstile()
    assert await gate.hears("fire") == "gates stay open"
    code = town.riders.code()
    assert (await gate.hears(code)).startswith("1-1 green welcome")
    assert await gate.hears("calm") == "gates shut"
    assert await gate.end() == (0, "delivered")
    rows = await (await town.db.connect()).fetch("select mode from tap_record")
    assert [row["mode"] for row in rows] == ["local"]


async def test_a_bus_reader_rides_out_of_reach_and_delivers_at_the_depot(town: Town) -> None:
    bus = await town.bus()
    codes = [town.riders.code() for _ in range(4)]
    child = bus.child
    assert child.stdin is not None
    for number, code in enumerate(codes):
        child.stdin.write(f"stop {number} ST{number} {590 - number}\n".encode())
        assert await bus.hears(code) == "boards"
        assert (await bus.says()).startswith(f"green welcome HKD 5.{90 - number}")
        if number == 1:
            await town.proxy.cut()
    assert (await bus.hears("Octopus")).startswith("red unreadable:")
    await town.proxy.mend()
    assert await bus.end() == (0, "delivered")
    rows = await (await town.db.connect()).fetch(
        "select code, decision, stop, route, vehicle, stage_fare_minor, tier from tap"
        " order by sequence"
    )
    assert [tuple(row)[1:] for row in rows[:4]] == [
        ("accepted", f"ST{n}", "1A", "BUS9", 590 - n, "batch") for n in range(4)
    ]
    assert [bytes(row["code"]).decode() for row in rows] == [*codes, "Octopus"]


async def test_a_reader_that_lost_its_disk_begins_a_new_chain_once_an_admin_allows_it(
    town: Town,
) -> None:
    gate = await town.turnstile()
    first, second = town.riders.code(), town.riders.code()
    await opens(gate, first)
    assert await gate.end() == (0, "delivered")
    shutil.rmtree(town.home / "gate")
    refused = await Example.run(
        "turnstile.py", town.tokens["gate-1"], town.proxy.url, "gate-1",
        str(town.home / "gate"), str(town.roots),
    )  # fmt: skip
    town.runs.append(refused)
    assert await refused.says() == "" and await refused.child.wait() != 0
    conn = await town.db.connect("transitpay_gateway")
    await reader_keys.allow_new_key(conn, "gate-1", True)
    again = await town.turnstile()
    assert " green welcome" in await opens(again, second)
    assert await again.end() == (0, "delivered")
    rows = await conn.fetch("select number, first_position from reader_key order by number")
    assert [row["number"] for row in rows] == [1, 2] and rows[1]["first_position"] > 1
    assert [(bytes(t[0]).decode(), t[1]) for t in await town.taps()] == [
        (first, "accepted"), (second, "accepted"),
    ]  # fmt: skip


async def test_a_reader_without_its_gateway_at_the_very_first_start_does_not_start(
    town: Town,
) -> None:
    await town.proxy.cut()
    run = await Example.run(
        "turnstile.py", town.tokens["gate-1"], town.proxy.url, "gate-1", str(town.home / "g"),
        str(town.roots),
    )  # fmt: skip
    town.runs.append(run)
    assert await run.says() == "" and await asyncio.wait_for(run.child.wait(), 30) != 0


async def test_a_reader_takes_no_list_that_does_not_lead_back_to_its_roots(town: Town) -> None:
    strange = town.home / "strange"
    ensure_sandbox_list_key(strange, datetime.now(UTC))
    run = await Example.run(
        "turnstile.py", town.tokens["gate-1"], town.proxy.url, "gate-1", str(town.home / "g"),
        str(strange / "keys"),
    )  # fmt: skip
    town.runs.append(run)
    assert await run.says() == "" and await asyncio.wait_for(run.child.wait(), 30) != 0
    assert list((town.home / "g" / "lists").iterdir()) == []


@pytest.mark.parametrize("name", ["turnstile.py", "bus_reader.py"])
def test_an_example_is_short(name: str) -> None:
    assert len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) < 80
