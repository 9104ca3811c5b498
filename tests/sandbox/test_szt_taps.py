"""Published card taps: every quirk is counted by its reason, and no card number comes out."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from transitpay.errors import MalformedInput
from transitpay.sandbox.szt_taps import Drop, TapKind, TapRows, read_taps

KEY = bytes(range(32))
HEADER = (
    "card_no,deal_date,deal_type,deal_money,deal_value,equ_no,company_name,station,car_no,"
    "conn_mark,close_date"
)
CLOSE = "2018-09-01 00:00:00"
ENTRY = f"AAAAAAAAA,2018-09-01 06:00:00,地铁入站,0,0,263027121,地铁五号线,坂田,IGT-121,0,{CLOSE}"
EXIT = f"AAAAAAAAA,2018-09-01 06:30:00,地铁出站,380,400,263035112,地铁五号线,太安,OGT-1,0,{CLOSE}"
BUS = f"BBBBBBBBB,2018-09-01 06:10:00,巴士,160,200,231017343,巴士集团,M506,01620D,1,{CLOSE}"


def read(*rows: str, header: str = HEADER) -> TapRows:
    return read_taps([("taps.csv", "\n".join((header, *rows)) + "\n")], KEY)


def test_rows_become_taps_in_the_order_of_time() -> None:
    found = read(EXIT, ENTRY, BUS)
    assert [tap.kind for tap in found.taps] == [TapKind.ENTRY, TapKind.BUS, TapKind.EXIT]
    entry, bus, exit = found.taps
    assert entry.at == datetime(2018, 8, 31, 22, 0, tzinfo=UTC)
    assert (entry.place, entry.company, entry.equipment) == ("坂田", "地铁五号线", "263027121")
    assert (exit.full_fare_minor, exit.paid_minor, exit.transfer) == (400, 380, False)
    assert (bus.place, bus.full_fare_minor, bus.paid_minor, bus.transfer) == (
        "M506",
        200,
        160,
        True,
    )
    assert found.rows == 3 and not found.dropped


def test_columns_are_found_by_header_and_may_be_quoted() -> None:
    header = (
        "deal_date,close_date,card_no,deal_value,deal_type,company_name,car_no,station,conn_mark,"
        "deal_money,equ_no"
    )
    row = (
        f'"2018-09-01 06:30:00","{CLOSE}",AAAAAAAAA,400,地铁出站,地铁五号线,OGT-1,太安,0,380,'
        "263035112"
    )
    assert read(row, header=header).taps == read(EXIT).taps


def test_a_card_leaves_only_as_a_keyed_hash_that_is_the_same_within_a_run() -> None:
    found = read(ENTRY, EXIT, BUS)
    cards = [tap.card for tap in found.taps]
    assert cards[0] == cards[2] != cards[1]
    assert all(len(card) == 32 and set(card) <= set("0123456789abcdef") for card in cards)
    assert "AAAAAAAAA" not in repr(found) and "BBBBBBBBB" not in repr(found)
    other_key = read_taps([("taps.csv", f"{HEADER}\n{ENTRY}\n")], bytes(32))
    assert other_key.taps[0].card != cards[0]


def test_a_short_or_missing_key_is_a_mistake_of_ours() -> None:
    with pytest.raises(AssertionError):
        read_taps([], b"short")


@pytest.mark.parametrize(
    ("station", "reason"),
    [
        ("", Drop.EMPTY_STATION),
        ("  ", Drop.EMPTY_STATION),
        ("-", Drop.DASH_STATION),
        ("?I岭", Drop.BROKEN_NAME),
        ("\ufffd岭", Drop.BROKEN_NAME),
    ],
)
def test_a_row_without_a_readable_station_is_dropped_by_its_reason(
    station: str, reason: Drop
) -> None:
    found = read(BUS, EXIT.replace("太安", station))
    assert found.dropped == {reason: 1}
    assert found.examples == {reason: "taps.csv line 3"}
    assert found.kinds == {TapKind.BUS: 1, TapKind.EXIT: 1}
    assert (found.rows, len(found.taps)) == (2, 1)


def test_an_exact_duplicate_counts_once_also_across_files() -> None:
    text = f"{HEADER}\n{BUS}\n"
    found = read_taps([("a.csv", text), ("b.csv", text)], KEY)
    assert found.dropped == {Drop.DUPLICATE: 1}
    assert found.examples == {Drop.DUPLICATE: "b.csv line 2"}
    assert len(found.taps) == 1


def test_a_row_that_differs_in_one_column_is_no_duplicate() -> None:
    assert len(read(BUS, BUS.replace("01620D", "01621D")).taps) == 2


@pytest.mark.parametrize(
    "row",
    [
        EXIT.replace("380", "3.80"),
        EXIT.replace("400", "-400"),
        EXIT.replace("06:30:00", "24:30:00"),
        EXIT.replace("地铁出站", "轮渡"),
        EXIT.replace("AAAAAAAAA", ""),
        EXIT + ",more",
        EXIT.rpartition(",")[0],
    ],
)
def test_a_row_that_cannot_be_read_is_counted_and_never_guessed(row: str) -> None:
    found = read(row, BUS)
    assert found.dropped == {Drop.UNREADABLE: 1}
    assert [tap.kind for tap in found.taps] == [TapKind.BUS]


def test_a_file_without_a_column_is_refused_by_name() -> None:
    with pytest.raises(MalformedInput, match=r"line 1: taps.csv has no column conn_mark"):
        read(header=HEADER.replace("conn_mark", "mark"))
    with pytest.raises(MalformedInput, match="has no column card_no"):
        read_taps([("empty.csv", "")], KEY)


def test_a_byte_order_mark_is_no_part_of_the_header() -> None:
    assert len(read(ENTRY, header="\ufeff" + HEADER).taps) == 1


@pytest.fixture(scope="module")
def published() -> TapRows:
    folder = os.environ.get("TRANSITPAY_DATA")
    if not folder:
        pytest.skip("TRANSITPAY_DATA is unset: no folder with the published taps")
    paths = sorted((Path(folder) / "szt").glob("*.csv.gz"))
    return read_taps([(p.name, gzip.decompress(p.read_bytes()).decode()) for p in paths], KEY)


def test_the_published_rows_are_counted_as_they_are(published: TapRows) -> None:
    assert published.rows == 47_000
    assert published.kinds == {TapKind.BUS: 18_324, TapKind.ENTRY: 18_980, TapKind.EXIT: 9_696}
    assert published.dropped == {
        Drop.EMPTY_STATION: 1_535,
        Drop.DASH_STATION: 369,
        Drop.BROKEN_NAME: 64,
        Drop.DUPLICATE: 1,
    }
    assert len(published.taps) == 47_000 - 1_969


def test_the_published_taps_lie_in_one_night_and_morning(published: TapRows) -> None:
    first, last = published.taps[0], published.taps[-1]
    assert first.at == datetime(2018, 8, 31, 11, 29, 49, tzinfo=UTC)
    assert last.at == datetime(2018, 9, 1, 3, 30, 58, tzinfo=UTC)
