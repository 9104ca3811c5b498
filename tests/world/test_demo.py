"""The demo as a user runs it: books balance, planted is found, and kill -9 in the middle heals."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

LIMIT_S = 240
TRANSITPAY = (sys.executable, "-c", "from transitpay.cli import main; main()")
#: The day begins about this long after the processes are there; it lasts about 20 s.
BEFORE_THE_DAY_S = 9
NETWORKS = {
    *("mtr", "kmb", "citybus", "nlb", "shenzhen-metro", "shenzhen-bus"),
    *("guangzhou-bus", "zhongshan-bus", "foshan-bus"),
}


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [*TRANSITPAY, "demo", "--json", "--home", str(folder)]
    env = {name: text for name, text in os.environ.items() if name != "DATABASE_URL"}
    return subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    )


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    said, told = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, told[-3000:]
    totals = json.loads(said)
    assert isinstance(totals, dict)
    return totals


def pids(folder: Path) -> dict[str, int]:
    try:
        found = json.loads((folder / "run" / "pids.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    assert isinstance(found, dict)
    return found


def await_processes(folder: Path, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 60
    while not {"gateway", "settlement", "postgres"} <= set(pids(folder)):
        assert process.poll() is None, process.communicate()[1][-3000:]
        assert time.monotonic() < until, "the processes did not start"
        time.sleep(0.1)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.demo
def test_a_day_without_plants_ends_balanced_and_without_a_break(tmp_path: Path) -> None:
    totals = result(start(tmp_path / "demo", "--riders", "20", "--no-plants"))
    assert totals["ledger"]["balanced"] is True
    assert totals["taps"]["unbooked"] == 0
    reconciliation = totals["reconciliation"]
    wallets = ["alipay", "alipayhk", "shenzhen-tong"]
    assert sorted(reconciliation["wallets"]) == wallets
    assert reconciliation["planted"] == reconciliation["found"] == {w: {} for w in wallets}
    assert totals["restarts"] == 0
    assert {"code_stale", "replay", "bad_device_signature", "wrong_destination"} <= set(
        totals["refusals"]
    )
    gates = totals["gates"]
    assert gates["decided_by"]["gateway"] > gates["decided_by"]["reader"] > 0
    assert gates["delivered_late"] > 0 and gates["batches"] > 0
    assert gates["lists_taken"]["trust whole"] > 0
    assert sum(totals["wallet_debits"].values()) > 0
    assert pids(tmp_path / "demo") == {}, "everything is ended"


@pytest.mark.demo
def test_kill_9_of_gateway_settlement_and_postgresql_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    process = start(folder, "--riders", "60", "--seed", "2")
    await_processes(folder, process)
    time.sleep(BEFORE_THE_DAY_S)
    for name in ("gateway", "settlement", "postgres"):
        time.sleep(4)
        os.kill(pids(folder)[name], signal.SIGKILL)
    totals = result(process)
    assert {it["network"] for it in totals["networks"]} == NETWORKS
    assert totals["said"] == {"station_modes": 1, "declared_exits": 1}
    assert sum(totals["corrections"].values()) > 0 < len(totals["refunds"])
    assert totals["expected_rides"]["differing"] == 0
    assert totals["restarts"] == 3
    assert totals["ledger"]["balanced"] is True
    assert totals["taps"]["unbooked"] == 0
    # A scan on which reader and gateway differ may be accepted all the same: it is no fault.
    assert totals["taps"]["untold"] == 0, (totals["taps"], totals["gates"]["differences"])
    reconciliation = totals["reconciliation"]
    assert reconciliation["planted"] == reconciliation["found"]
    assert all(reconciliation["planted"].values()), "each wallet planted something"
    assert totals["faults"] == []


@pytest.mark.demo
def test_sigterm_ends_the_demo_and_everything_it_started(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    process = start(folder, "--riders", "5")
    await_processes(folder, process)
    started = pids(folder)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert [name for name, pid in started.items() if alive(pid)] == []


def test_a_busy_port_is_one_line_and_exit_code_3(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = str(taken.getsockname()[1])
        process = start(tmp_path / "demo", "--port", port)
        said, told = process.communicate(timeout=60)
    assert process.returncode == 3
    assert json.loads(said)["field"] == "--port"
    assert told.strip().splitlines()[-1].startswith(f"transitpay: --port: port {port} on 127.0.0.1")


def test_a_missing_data_folder_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    missing = tmp_path / "no-such-folder"
    process = start(tmp_path / "demo", "--data", str(missing))
    said, told = process.communicate(timeout=60)
    assert process.returncode == 2
    assert json.loads(said)["reason"] == f"there is no folder {missing}"
    assert told.strip() == f"transitpay: --data: there is no folder {missing}"


def test_an_unreachable_database_is_one_line_and_exit_code_3(tmp_path: Path) -> None:
    command = [*TRANSITPAY, "demo", "--home", str(tmp_path / "demo")]
    env = dict(os.environ) | {"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nothing"}
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)
    assert done.returncode == 3
    assert done.stderr.strip().splitlines()[-1].startswith("transitpay: ")
