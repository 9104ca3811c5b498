"""What we write for people and participants: statements, payouts, breaks, the page."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from settlement.closing.batches import house_file, payout_file, payouts, statement
from settlement.closing.csv_text import csv_text, guarded
from settlement.closing.netting import NetPosition
from settlement.closing.night_report import write_report
from settlement.closing.report import DayReport, breaks_csv, page
from transitpay.ledger.digest import Closing
from transitpay.ledger.night import StoredBreak, StoredRun, StoredStep
from transitpay.ledger.window_sums import WindowLine

DAY = date(2026, 10, 30)
AT = datetime(2026, 10, 31, 0, 30, tzinfo=UTC)
POSITIONS = (
    NetPosition("house:service_fee", "HKD", 78, {"service_fee": 78}),
    NetPosition("mtr", "HKD", 5142, {"fares": 5220, "service_fee": -78}),
    NetPosition("kmb", "HKD", -985, {"fares": -1000, "service_fee": 15}),
    NetPosition("citybus", "HKD", 0, {"fares": 0, "service_fee": 0}),
)


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2+3", "@sum(a1)", "\t=1", "\r=1", "\n=1"])
def test_a_text_that_a_spreadsheet_would_run_is_shown_as_text(text: str) -> None:
    assert guarded(text) == "'" + text


@pytest.mark.parametrize(
    ("cell", "written"),
    [(-4791, "-4791"), (Decimal("-47.91"), "-47.91"), ("a=b", "a=b"), (None, ""), ("", "")],
)
def test_numbers_keep_their_minus_and_other_text_is_untouched(cell: object, written: str) -> None:
    assert guarded(cell) == written  # type: ignore[arg-type]  # parametrised over all cell types


def test_commas_quotes_and_newlines_stay_in_their_cell() -> None:
    assert csv_text(["a", "b"], [['x,"y"\nz', 1]]) == 'a,b\n"x,""y""\nz",1\n'


def test_an_operators_statement_lists_items_then_sums_then_the_net() -> None:
    line = WindowLine("j-a", "fare", DAY, "HKD", 5220, "j-a")
    made = statement("mtr", DAY, [line], POSITIONS)
    assert made.name == "mtr_statement_20261030.csv"
    assert made.content.decode().splitlines() == [
        "record,item,kind,day,reference,currency,amount",
        "ITEM,j-a,fare,2026-10-30,j-a,HKD,52.20",
        "SUM,fares,,2026-10-30,,HKD,52.20",
        "SUM,service_fee,,2026-10-30,,HKD,-0.78",
        "NET,1,,2026-10-30,,HKD,51.42",
    ]


def test_payouts_are_paid_collected_or_nothing_and_keep_their_ids() -> None:
    ordered = payouts(POSITIONS, {"mtr", "kmb", "citybus"}, DAY)
    assert payout_file(ordered, DAY).content.decode().splitlines() == [
        "batch,operator,currency,amount,action",
        "20261030-mtr-HKD,mtr,HKD,51.42,PAY",
        "20261030-kmb-HKD,kmb,HKD,-9.85,COLLECT",
        "20261030-citybus-HKD,citybus,HKD,0.00,NONE",
    ]
    assert b"service_fee,HKD,0.78" in house_file(POSITIONS, DAY).content


@pytest.fixture
def report() -> DayReport:
    evil = "=HYPERLINK(1)<script>alert(1)</script>"
    found = StoredBreak(
        n=1,
        day=DAY,
        wallet="alipay",
        kind="missing_internal",
        request_id=evil,
        internal_minor=None,
        external_minor=-4791,
        currency="HKD",
        detail={"row_kind": "refund", "why": "never ours", "rate": Decimal("0.8")},
        state="OPEN",
    )
    run = StoredRun(1, "alipay", DAY, 1, b"\x01" * 32, {"matched": 3}, AT)
    step = StoredStep(DAY, "close", "house", "DONE", None, None, AT)
    closing = Closing(1, DAY, AT, 3, bytes(32), b"\x02" * 32)
    return DayReport(DAY, closing, [("mtr", "HKD", 5142, {"fares": 5220})], [run], [found], [step])


def test_breaks_as_csv_show_amounts_in_major_units_and_guard_ids(report: DayReport) -> None:
    line = breaks_csv(report).splitlines()[1]
    assert line.startswith("alipay,2026-10-30,1,missing_internal,OPEN,refund,'=HYPERLINK")
    assert line.endswith(",HKD,,-47.91,never ours")


def test_the_page_shows_what_stands_in_a_file_as_text(report: DayReport) -> None:
    html = page(report)
    assert "<script>" not in html and "&lt;script&gt;" in html
    assert "51.42" in html and "02" * 32 in html and "1 open" in html


def test_a_report_is_three_files_that_hold_the_same(report: DayReport, tmp_path: Path) -> None:
    folder = write_report(report, tmp_path)
    assert {p.name for p in folder.iterdir()} == {"report.json", "report.html", "breaks.csv"}
    first = {p.name: p.read_bytes() for p in folder.iterdir()}
    write_report(report, tmp_path)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == first
    kept = json.loads(first["report.json"])
    assert kept["open_breaks"] == 1 and kept["net"][0]["amount_minor"] == 5142


def test_a_day_that_is_not_closed_has_a_page_too() -> None:
    assert "Not closed" in page(DayReport(DAY, None, [], [], [], []))
