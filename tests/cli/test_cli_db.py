"""`transitpay db` as a person and as a script meet it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from transitpay.postgres.schema import ROLES
from transitpay.postgres.server.embedded import EmbeddedPostgres
from transitpay.runtime.config import SETTINGS


def transitpay(home: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    outside = {k: v for k, v in os.environ.items() if k not in SETTINGS}
    return subprocess.run(
        [sys.executable, "-c", "from transitpay.cli import main; main()", *words],
        env=outside | {"TRANSITPAY_HOME": str(home)} | settings,
        capture_output=True,
        text=True,
        timeout=60,
    )


def said(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    return json.loads(done.stdout.splitlines()[-1])


def test_the_embedded_database_from_nothing_to_made_to_stopped(tmp_path: Path) -> None:
    before = transitpay(tmp_path, "db", "status", "--json")
    assert before.returncode == 1
    assert said(before)["pid"] is None and said(before)["schema"] == "unknown"
    assert said(before)["found_by"]
    try:
        started = transitpay(tmp_path, "db", "start", "--json")
        assert started.returncode == 0 and said(started)["started"]
        assert transitpay(tmp_path, "db", "status").returncode == 1  # it runs and has no tables
        first = transitpay(tmp_path, "db", "init", "--json")
        assert first.returncode == 0 and said(first)["made"]
        again = transitpay(tmp_path, "db", "init", "--json")
        assert again.returncode == 0 and not said(again)["made"]
        assert transitpay(tmp_path, "db", "migrate").returncode == 0
        made = transitpay(tmp_path, "db", "status", "--json")
        assert made.returncode == 0
        assert said(made)["schema"] == "current" and said(made)["missing_roles"] == []
        assert said(made)["server_version"] == said(made)["binaries_version"]
        assert said(made)["pid"] == said(started)["pid"]
        for_people = transitpay(tmp_path, "db", "status")
        assert "missing roles" in for_people.stdout
    finally:
        stopped = transitpay(tmp_path, "db", "stop", "--json")
    assert stopped.returncode == 0 and said(stopped)["stopped"]
    assert transitpay(tmp_path, "db", "stop").returncode == 1


def test_a_server_of_one_s_own_is_used_by_its_url(server: EmbeddedPostgres, tmp_path: Path) -> None:
    url = server.dsn(database="cli_own")
    done = transitpay(tmp_path, "db", "init", "--json", DATABASE_URL=url)
    assert done.returncode == 0, done.stderr
    assert said(done)["roles"] == list(ROLES)
    status = transitpay(tmp_path, "db", "status", "--json", DATABASE_URL=url)
    assert status.returncode == 0 and said(status)["server"] == "own"
    assert not (tmp_path / "postgres").exists()


@pytest.mark.parametrize("command", ["status", "init", "migrate"])
def test_an_unreachable_server_is_one_line_and_exit_code_3(tmp_path: Path, command: str) -> None:
    done = transitpay(tmp_path, "db", command, DATABASE_URL="postgresql://u@127.0.0.1:1/d")
    assert done.returncode == 3
    assert done.stderr.startswith("transitpay: the database is away: ")
    assert len(done.stderr.splitlines()) == 1 and done.stdout == ""


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        ("db init", {"DATABASE_URL": "nonsense"}),
        ("db init", {"TRANSITPAY_PG_BIN": "."}),
        ("db start", {"DATABASE_URL": "postgresql://u@127.0.0.1:1/d"}),
    ],
)
def test_bad_settings_are_one_line_and_exit_code_2(
    tmp_path: Path, words: str, settings: dict[str, str]
) -> None:
    done = transitpay(tmp_path, *words.split(), **settings)
    assert done.returncode == 2
    assert done.stderr.startswith(f"transitpay: {next(iter(settings))}: ")
    assert len(done.stderr.splitlines()) == 1
