"""With ``--json`` every refusal of every command is one JSON object on standard output."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import click
import pytest
from click.testing import CliRunner

from transitpay.cli import cli
from transitpay.errors import TransitPayError

MODE = "modes set m1 --operator mtr --by nobody --reason r --mode"


async def refused(words: str) -> tuple[str, str | None]:
    """(code, field) of the one object; the reason is that of the line on standard error."""

    def once() -> Any:
        return CliRunner().invoke(cli, [*words.split(), "--json"])

    result = await asyncio.to_thread(once)
    (line,) = result.stdout.splitlines()
    told = json.loads(line)
    assert set(told) == {"refused", "field", "reason"} and result.exit_code != 0
    if isinstance(result.exception, TransitPayError):
        assert (told["refused"], told["reason"]) == (
            result.exception.code,
            result.exception.message,
        )
    else:
        assert told["reason"] in result.stderr
    return told["refused"], told["field"]


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ("fare --network mtr", "--from"),
        ("fare --network mtr --from 1 --to 2 --minutes long", "--minutes"),
        ("fare --network mtr --from 1 --colour red", "--colour"),
        ("tariffs import x.csv", "--by"),
        ("tariffs dry-run x.csv --from 2027-01-01 --to 2027-01-01 --largest -1", "--largest"),
        (f"{MODE} closed --from 2026-10-30T10:00:00Z", "--mode"),
        ("journeys let-go first --by a --reason r", "suspension"),
        ("nothing", None),
    ],
)
async def test_options_that_cannot_be_read_are_told_by_name(words: str, field: str | None) -> None:
    assert await refused(words) == ("bad_option", field)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("fare --network light-rail --from 1", "service_excluded"),
        ("fare --network mtr --from nowhere --to 2", "unknown_stop"),
        ("fare-proof --szt /nowhere", "no_taps_folder"),
        (f"{MODE} gates_open --from 2026-10-30T10:00:00", "bad_option"),
        (f"{MODE} gates_open --from 2026-10-30T10:00:00Z", "forbidden"),
        ("modes list --as-of soon", "bad_option"),
        ("journeys let-go 1 --by nobody --reason r", "forbidden"),
        ("tariffs confirm mtr zzz --by nobody", "forbidden"),
    ],
)
async def test_what_is_not_allowed_is_told_with_its_code(
    db: Any, monkeypatch: pytest.MonkeyPatch, words: str, code: str
) -> None:
    for name, value in db.settings.environment().items():
        monkeypatch.setenv(name, value)
    assert (await refused(words))[0] == code


@pytest.mark.parametrize("words", ["ledger check", "ledger refused-refunds", "modes list"])
async def test_a_database_that_is_away_is_told_too(
    monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://a:b@127.0.0.1:1/c")
    assert (await refused(words))[0] == "database_unavailable"


async def test_tables_of_another_version_are_a_refusal_and_no_fault_of_ours(
    db: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await db.connect()
    await owner.execute("alter table approval rename column withdrawn_why to other_why")
    for name, value in db.settings.environment().items():
        monkeypatch.setenv(name, value)
    for words in ("journeys list", "tariffs list"):
        assert (await refused(words))[0] == "other_tables"


def test_without_json_nothing_is_printed_but_the_line() -> None:
    result = CliRunner().invoke(cli, ["fare", "--network", "mtr", "--from", "x", "--to", "2"])
    assert result.stdout == "" and isinstance(result.exception, TransitPayError)
    result = CliRunner().invoke(cli, ["fare"])
    assert result.stdout == "" and result.exit_code == click.UsageError.exit_code
