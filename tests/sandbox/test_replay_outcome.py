"""Replayed fares are compared with the rows; folders that hold no taps are refused in one line."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from transitpay.errors import MalformedInput
from transitpay.postgres.journeys.replay_totals import LastTap
from transitpay.runtime.builtin import builtin_book
from transitpay.sandbox.replay.outcome import compare_pairs, read_totals
from transitpay.sandbox.replay.plan import PlannedScan
from transitpay.sandbox.replay.run import make_plan
from transitpay.sandbox.szt_folder import read_folder
from transitpay.sandbox.szt_taps import RawTap, TapKind

AT = datetime(2018, 9, 1, 3, 0, tzinfo=UTC)
HEADER = "card_no,deal_date,deal_type,deal_value,deal_money,equ_no,company_name,station,conn_mark"
ENTRY = "AAAAAAAAA,2018-09-01 06:00:00,地铁入站,0,0,1,地铁一号线,{},0"


def tap(full: int, paid: int, *, transfer: bool = False) -> RawTap:
    return RawTap(AT, TapKind.EXIT, "0" * 32, "罗湖", "c", "1", full, paid, transfer)


def test_a_pair_is_equal_when_its_fare_is_the_full_fare_of_the_row() -> None:
    scans = {
        ("out", n): PlannedScan(tap(full, 0), "out", n, True, timedelta(0))
        for n, full in enumerate((400, 500, 200))
    }
    found = compare_pairs(
        [
            LastTap("out", 0, None, "0101", "0103", 400),
            LastTap("out", 1, None, "0101", "0111", 400),
            LastTap("out", 2, "overstay", "0101", "0103", 1500),
        ],
        scans,
    )
    assert (found["comparable"], found["equal"], found["overstays"]) == (2, 1, 1)
    assert found["differing"] == [
        {"from": "0101", "to": "0111", "fare_minor": 400, "row_minor": 500}
    ]


def test_a_folder_is_read_with_all_its_files_gzipped_or_not(tmp_path: Path) -> None:
    text = "\n".join((HEADER, ENTRY.format("罗湖"), ""))
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    other = text.replace("06:00:00", "07:00:00").replace("罗湖", "罗湖站")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(other.encode()))
    rows = read_folder(tmp_path)
    assert (rows.rows, len({it.card for it in rows.taps})) == (2, 1)
    again = read_folder(tmp_path)
    assert rows.taps[0].card != again.taps[0].card, "the key of the hashes is new each time"
    plan = make_plan(rows, builtin_book(), None)
    assert {it.reader for it in plan.scans} == {"szm-0101-in"}
    totals = read_totals(rows, plan)
    assert totals["rows"]["replayed"] == 2
    assert totals["shifted_days"] == 2982


def test_bytes_that_are_no_utf8_make_a_broken_station(tmp_path: Path) -> None:
    row = ENTRY.encode().replace(b"{}", b"\xb1\xb1")
    (tmp_path / "a.csv").write_bytes(b"\n".join((HEADER.encode(), row, b"")))
    assert read_folder(tmp_path).dropped == {"broken_character": 1}


@pytest.mark.parametrize(
    ("files", "refusal"),
    [
        (None, "there is no folder"),
        ({}, "there is no .csv"),
        ({"a.csv": b"x,y\n"}, "line 1: a.csv has no column card_no"),
        ({"a.csv.gz": b"no gzip"}, "a.csv.gz: cannot be read"),
    ],
)
def test_what_holds_no_taps_is_refused_by_name(
    tmp_path: Path, files: dict[str, bytes] | None, refusal: str
) -> None:
    folder = tmp_path / "szt"
    if files is not None:
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
    with pytest.raises(MalformedInput, match=refusal):
        read_folder(folder)


def test_rows_without_one_that_can_be_replayed_are_refused(tmp_path: Path) -> None:
    text = "\n".join((HEADER, ENTRY.format("深圳大学"), ""))
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    with pytest.raises(MalformedInput, match="no row can be replayed"):
        make_plan(read_folder(tmp_path), builtin_book(), None)
