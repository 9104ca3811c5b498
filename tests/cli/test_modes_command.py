"""``transitpay modes`` records and shows station modes in the same tables as the operators' API."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner

from transitpay.cli import cli
from transitpay.errors import Conflict, MalformedInput, RuleViolation
from transitpay.postgres.reference import Actor, Participant, ReaderRegistration, Role
from transitpay.runtime import access
from transitpay.taps import Direction

AT = datetime(2026, 10, 30, 1, 0, tzinfo=UTC)
SET = (
    "set", "m1", "--operator", "mtr", "--by", "operator:mtr", "--stop", "78", "--mode",
    "gates_open", "--from", "2026-05-02T10:00:00+08:00", "--reason", "network overloaded", "--json",
)  # fmt: skip


@pytest.fixture
async def home(db: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    conn = await db.connect("transitpay_gateway")
    for operator in ("mtr", "kmb"):
        await access.enrol_participant(conn, Participant(operator, "operator", "O", "HKD"), AT)
        actor = Actor(f"operator:{operator}", "O", Role.OPERATOR, operator)
        await access.admit_actor(conn, actor, AT)
    await access.admit_actor(conn, Actor("admin", "A", Role.ADMIN), AT)
    it = ReaderRegistration("g1", "mtr", "mtr", 0, 0, "78", Direction.ENTRY)
    await access.register_reader(conn, it, AT)
    for name, value in db.settings.environment().items():
        monkeypatch.setenv(name, value)
    return db


async def run(*words: str) -> Any:
    def once() -> Any:
        return CliRunner().invoke(cli, ["modes", *words], catch_exceptions=False)

    result = await asyncio.to_thread(once)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00+14:00", "2020-12-31T23:59:59Z", "2100-01-01T00:00:00Z",
           "9999-12-31T23:59:59-14:00"],
)  # fmt: skip
async def test_an_instant_of_no_time_of_ours_is_refused_as_the_api_does(home: Any, at: str) -> None:
    begins = SET[SET.index("--from") + 1]
    for words in (
        [at if word == begins else word for word in SET],
        [*SET, "--until", at],
        ["list", "--as-of", at],
    ):
        with pytest.raises(MalformedInput, match="must lie between 2020 and 2100") as refusal:
            await run(*words)
        assert refusal.value.code == "bad_option"
    for edge in ("2021-01-01T00:00:00Z", "2099-12-31T23:59:59Z"):
        await run("list", "--as-of", edge, "--json")


async def test_a_mode_set_is_listed_and_ended_by_another(home: Any) -> None:
    made = await run(*SET)
    assert await run(*SET) == made, "twice is once"
    assert (await run("list", "--json"))["modes"] == [made]
    words = [w if w != "m1" else "m2" for w in SET]
    until = "2026-05-02T12:00:00+08:00"
    await run(*words, "--until", until, "--replaces", "m1")
    found = (await run("list", "--network", "mtr", "--json"))["modes"]
    assert [it["request_id"] for it in found] == ["m2"]
    everything = (await run("list", "--history", "--json"))["modes"]
    assert [it["request_id"] for it in everything] == ["m2", "m1"]
    long_ago = await run("list", "--as-of", "2026-01-01T00:00:00Z", "--json")
    assert long_ago["modes"] == []


async def test_an_admin_may_speak_for_an_operator_and_another_operator_may_not(home: Any) -> None:
    words = list(SET)
    words[words.index("operator:mtr")] = "operator:kmb"
    with pytest.raises(RuleViolation, match="may not speak"):
        await run(*words)
    words[words.index("operator:kmb")] = "admin"
    assert (await run(*words))["recorded_by"] == "admin"


async def test_what_cannot_be_recorded_is_named(home: Any) -> None:
    await run(*SET)
    with pytest.raises(Conflict) as repeated:
        await run(*SET, "--until", "2026-05-03T10:00:00+08:00")
    assert repeated.value.code == "request_repeated"
    with pytest.raises(MalformedInput) as naive:
        await run("list", "--as-of", "2026-05-02T10:00:00")
    assert naive.value.field == "as-of"
