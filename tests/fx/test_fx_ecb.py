"""The ECB's two text forms are read; every problem is named by its line."""

import os
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from transitpay.fx.ecb import LineProblem, parse_history

HEAD = "Date,USD,CNY,HKD,\n"


def test_the_cross_is_yuan_per_hong_kong_dollar() -> None:
    read = parse_history(HEAD + "2026-10-30,1.1172,7.4326,8.7652,\n2026-10-29,1.1,N/A,8.7,\n")
    assert [(c.day, c.cny_per_hkd) for c in read.crosses] == [
        (date(2026, 10, 30), Decimal("0.8479669603"))
    ]
    assert (read.missing, read.problems) == (1, ())


def test_the_single_day_form_has_blanks_and_another_date() -> None:
    read = parse_history("Date, USD, CNY, HKD, \n30 October 2026, 1.1172, 7.4326, 8.7652, \n")
    assert [c.day for c in read.crosses] == [date(2026, 10, 30)]


def test_every_problem_is_named_by_its_line_and_gives_no_rate() -> None:
    text = HEAD + (
        "2026-10-30,1,7.4,8.7,\n"
        "2026-10-30,1,7.5,8.7,\n"
        "30/10/2026,1,7.6,8.7,\n"
        '2026-10-27,1,"7,4",8.7,\n'
        "2026-10-26,1,0,8.7,\n"
        "2026-10-23,1,7.4,x,\n"
        "2026-10-22,1,7.41,8.7,\n"
        "2026-10-21,1,7.41,8.7,\n"
    )
    read = parse_history(text)
    assert [c.day.day for c in read.crosses] == [22, 30]
    assert read.problems == (
        LineProblem(3, "2026-10-30 is given twice"),
        LineProblem(4, "Date: '30/10/2026' is not a day"),
        LineProblem(5, "has 5 columns, the header 4"),
        LineProblem(6, "a rate is not above zero"),
        LineProblem(7, "HKD: 'x' is not a plain decimal rate"),
        LineProblem(9, "repeats every figure of the line before"),
    )


@pytest.mark.parametrize("text", ["", "<html><body>sorry</body></html>", "Date,USD,\n"])
def test_an_error_page_is_one_problem_at_its_first_line(text: str) -> None:
    read = parse_history(text)
    assert read.crosses == () and [p.line for p in read.problems] == [1]


def test_a_days_rate_is_observed_at_four_in_the_afternoon_in_frankfurt() -> None:
    (cross,) = parse_history(HEAD + "2026-10-30,1,7.4326,8.7652,\n").crosses
    now = datetime(2026, 10, 30, 20, tzinfo=UTC)
    assert cross.observation(now).observed_at == datetime(2026, 10, 30, 15, tzinfo=UTC)


def test_the_whole_history_reads_without_a_problem() -> None:
    home = os.environ.get("TRANSITPAY_DATA")
    if not home:
        pytest.skip("TRANSITPAY_DATA is unset: the ECB history is not there to read")
    with zipfile.ZipFile(Path(home) / "fx_ecb" / "eurofxref-hist.zip") as packed:
        read = parse_history(packed.read("eurofxref-hist.csv").decode())
    assert read.problems == ()
    assert (len(read.crosses), len(read.crosses) + read.missing) == (5527, 7126)
    assert read.crosses[-1].cny_per_hkd == Decimal("0.8479669603")
    single = parse_history((Path(home) / "fx_ecb" / "eurofxref.csv").read_text())
    assert single.crosses == read.crosses[-1:] and single.problems == ()
