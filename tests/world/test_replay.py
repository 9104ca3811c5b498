"""The replay as a user runs it: every row is counted, every acknowledged tap accounted for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LIMIT_S = 240
TRANSITPAY = (sys.executable, "-c", "from transitpay.cli import main; main()")
HEADER = (
    "card_no,deal_date,deal_type,deal_value,deal_money,equ_no,company_name,station,car_no,"
    "conn_mark,close_date"
)


def replay(*arguments: str) -> subprocess.CompletedProcess[str]:
    env = {name: text for name, text in os.environ.items() if name != "DATABASE_URL"}
    command = [*TRANSITPAY, "replay", "--json", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, env=env)


def totals_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr[-3000:]
    totals = json.loads(done.stdout)
    assert isinstance(totals, dict)
    return totals


def row(card: int, time: str, kind: str, full: int, place: str, company: str = "地铁一号线") -> str:
    letters = "".join("ABCDEFGHIJ"[int(digit)] for digit in f"{card:09d}")
    paid = full * 8 // 10
    return (
        f"{letters},2018-09-01 {time},{kind},{full},{paid},2630,{company},{place},X-1,0,"
        "2018-09-01 00:00:00"
    )


def rides() -> list[str]:
    """Ten whole rides, ten entries and ten exits alone, ten bus boardings, and five odd rows."""
    rows = []
    for n in range(10):
        rows.append(row(n, f"06:0{n}:10", "地铁入站", 0, "罗湖站" if n % 2 else "罗湖"))
        rows.append(row(n, f"06:3{n}:00", "地铁出站", 300, "会展中心"))
        rows.append(row(100 + n, f"06:1{n}:00", "地铁入站", 0, "国贸"))
        rows.append(row(200 + n, f"06:2{n}:00", "地铁出站", 500, "车公庙"))
        rows.append(row(300 + n, f"06:4{n}:00", "巴士", 250, "74路", "巴士集团"))
    odd = [
        row(400, "06:50:00", "地铁入站", 0, ""),
        row(401, "06:50:00", "地铁入站", 0, "-"),
        row(402, "06:50:00", "地铁出站", 200, "?I岭"),
        row(403, "06:50:00", "地铁入站", 0, "深圳大学"),
    ]
    return [*rows, *odd, rows[-1]]


@pytest.mark.demo
def test_every_row_is_counted_and_every_tap_ends_in_one_journey(tmp_path: Path) -> None:
    szt = tmp_path / "szt"
    szt.mkdir()
    (szt / "taps.csv").write_text("\n".join((HEADER, *rides(), "")), encoding="utf-8")
    totals = totals_of(replay("--szt", str(szt)))
    rows = totals["rows"]
    assert (rows["read"], rows["replayed"]) == (55, 50)
    assert rows["dropped"] == {
        "broken_character": 1,
        "dash_station": 1,
        "empty_station": 1,
        "exact_duplicate": 1,
    }
    assert rows["unmapped"] == {"深圳大学": 1}
    assert totals["taps"]["decisions"] == {"accepted": 50}
    assert totals["taps"]["booked_or_set_aside"] == 50
    assert totals["taps"]["pending"] == 0
    found = {(it["network"], it["reason"]): it["journeys"] for it in totals["journeys"]}
    assert found == {
        ("shenzhen-metro", ""): 10,
        ("shenzhen-metro", "missing_exit"): 10,
        ("shenzhen-metro", "missing_entry"): 10,
        ("shenzhen-bus", ""): 10,
    }
    assert (totals["pairs"]["comparable"], totals["pairs"]["equal"]) == (10, 10)
    assert {it["state"] for it in totals["charges"]} == {"CAPTURED"}
    assert sum(it["charges"] for it in totals["charges"]) == 40
    assert sum(totals["wallet_debits"].values()) == 40
    assert totals["ledger"]["balanced"] is True
    assert totals["fx"]["rates"][0]["gaps"] == 0
    assert totals["expected_rides"] == {"rides": 40, "differing": 0}
    assert totals["faults"] == []


@pytest.mark.demo
def test_published_taps_are_replayed_up_to_a_limit() -> None:
    data = os.environ.get("TRANSITPAY_DATA")
    if not data:
        pytest.skip("TRANSITPAY_DATA is unset: no folder with the published taps")
    totals = totals_of(replay("--szt", str(Path(data) / "szt"), "--limit", "600"))
    rows, taps = totals["rows"], totals["taps"]
    assert rows["read"] == 47_000
    assert sum(rows["dropped"].values()) == 1_969
    assert 500 < rows["replayed"] <= 600
    counted = rows["replayed"] + sum(rows["unmapped"].values()) + rows["left_out_by_limit"]
    assert counted == 47_000 - 1_969
    assert taps["sent"] == taps["booked_or_set_aside"] == rows["replayed"]
    assert taps["refusals"] == {}
    assert totals["ledger"]["balanced"] is True
    assert {it["wallet"] for it in totals["charges"]} == {"alipayhk", "shenzhen-tong"}
    assert totals["faults"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--szt", "nowhere"), "--szt: there is no folder nowhere"),
        (("--szt", ".", "--data", "nowhere"), "--data: there is no folder nowhere"),
        (("--szt", ".", "--limit", "0"), "--limit"),
        ((), "--szt"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: tuple[str, ...], said: str) -> None:
    done = replay(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert said.split(":")[0] == json.loads(done.stdout)["field"]
