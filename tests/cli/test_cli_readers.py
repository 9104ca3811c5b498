"""transitpay readers shows how readers are; transitpay access lets one change its key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result

from transitpay.cli.access import access
from transitpay.cli.readers import readers
from transitpay.clock import SystemClock
from transitpay.postgres.gates import reader_alarms, reader_states
from transitpay.postgres.gates.reader_alarms import Alarm, AlarmKind
from transitpay.postgres.gates.reader_states import Report

READER = ["--operator", "mtr", "--destination", "hong-kong", "--mode", "metro", "--stop", "HUH",
          "--direction", "entry"]  # fmt: skip
Call = Callable[..., Result]


@pytest.fixture
async def call(db: Any) -> Call:
    environment = db.settings.environment()

    def run(command: Any, *words: str) -> Result:
        return CliRunner().invoke(command, list(words), env=environment)

    return run


@pytest.fixture
async def told(db: Any, call: Call) -> Any:
    """Two readers; one has sent a heartbeat and has a gap and an alarm that is over."""
    for words in (["operator", "mtr"], ["reader", "g1", *READER], ["reader", "g2", *READER]):
        result = await asyncio.to_thread(call, access, *words)
        assert result.exit_code == 0, result.output
    conn = await db.connect("transitpay_gateway")
    at = SystemClock().now()
    report = Report(7, at, -1200, 1, 9, 4, 50_000, 3, 2, 1, "gate 2.1")
    await reader_states.put_report(conn, "g1", report, at)
    alarms = [
        Alarm("g1", AlarmKind.GAP, "4-6", {"from": 4, "to": 6}),
        Alarm("g1", AlarmKind.CLOCK_FAULT, "heartbeat", {}),
    ]
    await reader_alarms.raise_alarms(conn, alarms, at)
    later = at + timedelta(seconds=1)
    await reader_alarms.end_alarm(conn, "g1", AlarmKind.CLOCK_FAULT, "heartbeat", later)
    return conn


def test_readers_are_listed_with_what_they_told(told: Any, call: Call) -> None:
    found = json.loads(call(readers, "list", "--json").stdout)["readers"]
    assert [it["reader"] for it in found] == ["g1", "g2"]
    assert found[0]["clock_error_ms"] == -1200 and found[0]["gaps"] == [[4, 6]]
    assert (found[0]["alarms"], found[1]["alarms"], found[1]["seen_at"]) == (1, 0, None)
    assert json.loads(call(readers, "list", "--operator", "kmb", "--json").stdout)["readers"] == []
    assert "g1" in call(readers, "list").stdout


def test_one_reader_is_shown_with_its_alarms_and_an_unknown_one_is_said(
    told: Any, call: Call
) -> None:
    found = json.loads(call(readers, "show", "g1", "--json").stdout)
    assert {it["kind"] for it in found["alarms"]} == {"gap", "clock_fault"}
    assert "software: gate 2.1" in call(readers, "show", "g1").stdout
    assert call(readers, "show", "nobody").exit_code == 1


def test_alarms_are_listed_and_those_that_ended_left_out_on_demand(told: Any, call: Call) -> None:
    assert len(json.loads(call(readers, "alarms", "--json").stdout)["alarms"]) == 2
    [standing] = json.loads(call(readers, "alarms", "--standing", "--json").stdout)["alarms"]
    assert (standing["kind"], standing["subject"]) == ("gap", "4-6")
    assert "4-6" in call(readers, "alarms").stdout


async def test_an_admin_lets_one_reader_enrol_another_key(db: Any, told: Any) -> None:
    environment = db.settings.environment()
    words = ["reader", "g1", *READER, "--allow-new-key"]
    result = await asyncio.to_thread(CliRunner().invoke, access, words, env=environment)
    assert result.exit_code == 0
    assert await told.fetchval("select new_key_allowed from reader where id = 'g1'")
    assert not await told.fetchval("select new_key_allowed from reader where id = 'g2'")
