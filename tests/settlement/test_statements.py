"""Wallet files: what is read, what is tolerated, and what makes a file no file."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from settlement.closing.statements import FileFacts, Statement, parse
from settlement.reconciling.layouts import (
    ALIPAY_CN,
    ALIPAYHK,
    TRANSITPAY,
    FileKind,
    Layout,
    RowKind,
)

DAY = date(2026, 10, 30)
OURS_HEAD = ",".join(TRANSITPAY.header)
HK_HEAD = ",".join(ALIPAYHK.header)
CN_HEAD = "|".join(ALIPAY_CN.header)


def ours(*rows: str, total: str | None = None) -> str:
    lines = [OURS_HEAD, *rows]
    if total is not None:
        lines.append(total)
    return "\n".join(lines) + "\n"


PAID = (
    "ITEM,20261030-CNY,c1-1,,W1,PAYMENT,SUCCESS,4791,29,4762,CNY,"
    "2026-10-30T08:05:09+08:00,2026-10-31"
)
REFUNDED = (
    "ITEM,20261030-CNY,c1-r1,c1-1,W2,REFUND,SUCCESS,-4791,0,-4791,CNY,"
    "2026-10-30T09:00:00+08:00,2026-10-31"
)
TOTAL = "TOTAL,20261030-CNY,2,,,,,0,29,-29,CNY,,2026-10-31"
GOOD = ours(PAID, REFUNDED, total=TOTAL)


def read(text: str | bytes, layout: Layout = TRANSITPAY, batch: str = "") -> Statement:
    raw = text.encode() if isinstance(text, str) else text
    return parse(raw, FileFacts(layout, FileKind.TRANSACTIONS, DAY, batch))


def hk(**fields: str) -> str:
    row = {
        "Partner_transaction_id": "c1-1",
        "Transaction_id": "W1",
        "Amount": "47.91",
        "Fee": "0.29",
        "Settlement": "47.62",
        "Currency": "HKD",
        "Payment_time": "10/30/2026 8:05:09",
        "Settlement_time": "",
        "Issue": "ALIPAYHK",
        "Product": "AGREEMENT_PAY",
        "Type": "PAYMENT",
        "Status": "SUCCESS",
        "Remarks": "",
        "Original_partner_transaction_ID": "",
    } | fields
    return f"{HK_HEAD}\n{','.join(row[name] for name in ALIPAYHK.header)}\n"


def cn(**fields: str) -> str:
    row = dict.fromkeys(ALIPAY_CN.header, "") | {
        "Partner_transaction_id": "c1-1",
        "Transaction_id": "W1",
        "Amount": "52.20",
        "Rmb_amount": "44.26",
        "Fee": "0.31",
        "Settlement": "51.89",
        "Rmb_settlement": "44.00",
        "Currency": "HKD",
        "Rate": "0.84796700",
        "Payment_time": "2026-10-30 23:59:59",
        "Settlement_time": "2026-10-31 08:00:00",
        "Type": "P",
        "Status": "L",
        "Secondary_merchant_name": "深圳巴士",
    }
    row |= fields
    return f"{CN_HEAD}\r\n{'|'.join(row[name] for name in ALIPAY_CN.header)}\r\n"


def codes(statement: Statement) -> list[str]:
    assert statement.rows == () and statement.problem_count == len(statement.problems)
    return [problem.code for problem in statement.problems]


def test_our_layout_gives_signed_minor_units_and_its_control_total_holds() -> None:
    statement = read(GOOD)
    assert statement.problems == ()
    paid, refunded = statement.rows
    assert (paid.amount_minor, paid.fee_minor, paid.settlement_minor) == (4791, 29, 4762)
    assert paid.completed_at == datetime(2026, 10, 30, 0, 5, 9, tzinfo=UTC)
    assert (refunded.kind, refunded.amount_minor, refunded.original_id) == (
        RowKind.REFUND,
        -4791,
        "c1-1",
    )


def test_an_hour_without_padding_and_missing_seconds_are_read() -> None:
    long = read(hk(), ALIPAYHK).rows[0]
    short = read(hk(Payment_time="10/30/2026 8:05"), ALIPAYHK).rows[0]
    assert long.completed_at == datetime(2026, 10, 30, 0, 5, 9, tzinfo=UTC)
    assert short.completed_at == datetime(2026, 10, 30, 0, 5, tzinfo=UTC)


def test_day_before_month_is_refused_and_never_guessed() -> None:
    assert codes(read(hk(Payment_time="30/10/2026 8:05"), ALIPAYHK)) == ["bad_time"]


def test_an_unsigned_refund_becomes_negative() -> None:
    text = hk(Type="REFUND", Fee="0.00", Settlement="-47.91")
    row = read(text, ALIPAYHK).rows[0]
    assert (row.amount_minor, row.settlement_minor) == (-4791, -4791)


@pytest.mark.parametrize(
    "text",
    [
        hk(Amount="-47.91"),
        hk(Type="REFUND", Settlement="47.91"),
        hk(Type="CANCEL", Settlement="47.62"),
    ],
)
def test_a_wrong_sign_is_a_problem(text: str) -> None:
    assert codes(read(text, ALIPAYHK)) == ["bad_sign"]


def test_the_pipe_layout_is_gb18030_with_the_riders_debit_and_rate() -> None:
    row = read(cn().encode("gb18030"), ALIPAY_CN).rows[0]
    assert (row.amount_minor, row.other_minor, row.rate) == (5220, 4426, Decimal("0.84796700"))
    assert row.batch == "20261030-20261031-HKD"


def test_the_pipe_layout_in_utf8_is_known_by_its_mark() -> None:
    raw = b"\xef\xbb\xbf" + cn().encode()
    assert len(read(raw, ALIPAY_CN).rows) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.replace("\n", "\r\n").encode(),
        (GOOD + "\n\r\n  \n").encode(),
        GOOD.replace("c1-1,,W1", " c1-1 ,, W1  ").encode(),
        GOOD.replace("W1,PAYMENT", '"W1","PAYMENT"').encode(),
    ],
)
def test_marks_line_ends_blanks_and_quotes_change_nothing(raw: bytes) -> None:
    assert read(raw).rows == read(GOOD).rows


def test_an_empty_line_between_rows_is_a_problem() -> None:
    assert codes(read(ours(PAID, "", REFUNDED, total=TOTAL))) == ["blank_line"]


def test_an_empty_day_is_a_file_without_rows() -> None:
    statement = read(ours(total="TOTAL,20261030-CNY,0,,,,,0,0,0,CNY,,2026-10-31"))
    assert statement == Statement((), (), 0)
    assert read(HK_HEAD + "\n", ALIPAYHK) == Statement((), (), 0)


@pytest.mark.parametrize(
    "total",
    [
        TOTAL.replace(",2,,", ",3,,"),
        TOTAL.replace(",0,29,", ",1,29,"),
        TOTAL.replace(",29,-29", ",30,-29"),
        TOTAL.replace("-29,", "-28,"),
        TOTAL.replace("CNY,,", "HKD,,"),
    ],
)
def test_a_total_that_differs_makes_the_file_no_file(total: str) -> None:
    assert codes(read(ours(PAID, REFUNDED, total=total))) == ["total_differs"]


def test_a_file_cut_before_its_total_is_known_as_cut() -> None:
    assert codes(read(ours(PAID, REFUNDED))) == ["no_total"]


def test_rows_after_the_total_are_a_problem() -> None:
    assert codes(
        read(
            ours(PAID, total=TOTAL.replace(",2,,", ",1,,").replace("0,29,-29", "4791,29,4762"))
            + REFUNDED
            + "\n"
        )
    ) == ["after_total"]


def test_a_last_line_without_line_end_is_known_as_cut() -> None:
    assert "cut" in codes(read(hk().rstrip("\n"), ALIPAYHK))


def test_a_cut_inside_a_character_names_its_line() -> None:
    raw = cn(Remarks="", Secondary_merchant_name="深").encode("gb18030")
    cut = raw[: raw.index("深".encode("gb18030")) + 1]
    statement = read(cut, ALIPAY_CN)
    assert statement.problems[0].line == 2 and statement.problems[0].code == "bad_text"


def test_one_bad_row_refuses_the_whole_file_and_names_its_line() -> None:
    text = ours(PAID, REFUNDED.replace("-4791,0", "-47.91,0"), total=TOTAL)
    statement = read(text)
    assert statement.rows == ()
    assert (statement.problems[0].line, statement.problems[0].code) == (3, "bad_amount")


@pytest.mark.parametrize(
    "amount",
    ["1,234.5", "4.791", "", "NaN", "1e3", "+1.00", "--1", "４", "9" * 17, "1" * 17 + ".23"],
)
def test_what_is_no_plain_amount_is_a_problem(amount: str) -> None:
    text = hk(Amount=f'"{amount}"')
    assert codes(read(text, ALIPAYHK)) == ["bad_amount"]


def test_other_columns_or_another_order_are_a_wrong_header() -> None:
    swapped = HK_HEAD.replace("Amount,Fee", "Fee,Amount")
    statement = read(hk().replace(HK_HEAD, swapped), ALIPAYHK)
    assert codes(statement) == ["wrong_header"]
    assert "'Fee', not 'Amount'" in statement.problems[0].text
    assert codes(read(hk().replace(HK_HEAD, HK_HEAD + ",More"), ALIPAYHK)) == ["wrong_header"]
    assert codes(read(GOOD, ALIPAYHK)) == ["wrong_header"]
    assert codes(read(b"", ALIPAYHK)) == ["wrong_header"]


@pytest.mark.parametrize(
    ("time", "code"),
    [
        ("10/31/2026 0:00:00", ["wrong_day"]),
        ("10/22/2026 23:59", ["wrong_day"]),
        ("10/29/2026 23:59", ["wrong_day"]),
    ],
)
def test_another_days_rows_are_a_problem(time: str, code: list[str]) -> None:
    assert codes(read(hk(Payment_time=time), ALIPAYHK)) == code


@pytest.mark.parametrize("year", ["0001", "1999", "9999"])
def test_a_time_outside_the_calendar_is_a_problem_and_no_crash(year: str) -> None:
    assert codes(read(hk(Payment_time=f"12/31/{year} 23:59"), ALIPAYHK)) == ["bad_time"]
    row = PAID.replace("2026-10-30T08:05:09", f"{year}-01-01T00:00:00")
    assert codes(read(ours(row, REFUNDED, total=TOTAL)))[0] == "bad_time"
    settled = cn().replace("2026-10-31", f"{year}-01-01")
    assert settled != cn() and codes(read(settled.encode("gb18030"), ALIPAY_CN)) == ["bad_time"]


def test_a_late_row_beside_todays_is_read() -> None:
    late = hk(Payment_time="10/29/2026 23:59", Partner_transaction_id="c0-1").splitlines()[1]
    assert len(read(hk() + late + "\n", ALIPAYHK).rows) == 2


def test_a_newline_inside_quotes_is_part_of_the_field_and_later_lines_keep_their_numbers() -> None:
    first = hk(Remarks='"two\nlines"')
    bad = hk(Amount="x").splitlines()[1]
    statement = read(first + bad + "\n", ALIPAYHK)
    assert statement.problems[0].line == 4


def test_a_thousand_problems_are_listed_and_the_rest_counted() -> None:
    bad = hk(Amount="x").splitlines()[1]
    statement = read(HK_HEAD + "\n" + f"{bad}\n" * 1200, ALIPAYHK)
    assert len(statement.problems) == 1000
    assert statement.problem_count == 1200
