"""The proof as a user runs it: counts and exit code, every doubtful row by its place, no card."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from transitpay.cli.fare_proof import fare_proof

HEADER = "card_no,deal_date,deal_type,deal_value,deal_money,equ_no,company_name,station,conn_mark"
RIDE = (
    "JJJJJJJJJ,2018-09-01 06:00:00,地铁入站,0,0,1,地铁一号线,罗湖站,0",
    "JJJJJJJJJ,2018-09-01 06:10:00,地铁出站,200,190,2,地铁一号线,国贸,0",
)
HALF = "JJJJJJJJI,2018-09-01 07:00:00,巴士,200,100,1,巴士集团,74路,0"
ODD = "JJJJJJJJI,2018-09-01 08:00:00,巴士,200,111,1,巴士集团,74路,0"


@pytest.fixture()
def szt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("TRANSITPAY_DATA", raising=False)
    folder = tmp_path / "szt"
    folder.mkdir()
    return folder


def put(folder: Path, *rows: str) -> None:
    (folder / "a.csv").write_text("\n".join((HEADER, *rows, "")), encoding="utf-8")


def test_rows_that_follow_and_rows_inferred_are_counted_apart(szt: Path) -> None:
    put(szt, *RIDE, HALF)
    done = CliRunner().invoke(fare_proof, ["--szt", str(szt), "--pairs", "1", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["rows"] == {"read": 3, "charged": 2, "entries": 1, "unreadable": 0}
    assert told["verdicts"]["adult"] == {"bus": 0, "metro_exit": 1, "all": 1}
    assert [it["row"] for it in told["inferred"]["half"]] == ["a.csv line 4"]
    assert (told["pairs"]["equal"], told["pairs"]["differing"], told["held"]) == (1, [], True)


def test_too_few_equal_pairs_or_an_unexplained_row_are_exit_code_1(szt: Path) -> None:
    put(szt, *RIDE, HALF)
    assert CliRunner().invoke(fare_proof, ["--szt", str(szt), "--pairs", "2"]).exit_code == 1
    put(szt, *RIDE, ODD)
    done = CliRunner().invoke(fare_proof, ["--szt", str(szt), "--pairs", "1"])
    assert done.exit_code == 1
    assert (
        "unexplained: a.csv line 4: bus of CNY 2.00 paid CNY 1.11, adults CNY 1.60" in done.output
    )
    assert "JJJJJJJJ" not in done.output, "no card is printed"
