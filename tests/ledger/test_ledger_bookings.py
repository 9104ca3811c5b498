"""Entries balance by construction; corrections, refunds and write-offs undo what they should."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transitpay.errors import MalformedInput
from transitpay.fx.agreement import Agreement, BadDebt, FxMode
from transitpay.fx.quote import Quote, lock_quote
from transitpay.fx.rate import PublishedRate
from transitpay.ledger import accounts, bookings, settlement_bookings
from transitpay.ledger.accounts import AccountKind, kind_of
from transitpay.ledger.balances import balances, is_balanced, unsettled
from transitpay.ledger.bookings import FareSubject
from transitpay.ledger.journal import Entry, Posting
from transitpay.money import CNY, HKD, Money

AT = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)
SUBJECT = FareSubject("2026-11-02/tst-03/17", "mtr", "shenzhen-tong", "c17")
TERMS = Agreement(
    "shenzhen-tong", HKD, AT.date(), FxMode.WE_CONVERT, CNY, CNY,
    Decimal("0.003"), Decimal("0.006"), BadDebt.HOUSE,
)  # fmt: skip


def quoted(minor: int, rate: str = "0.9150") -> Quote:
    row = PublishedRate(HKD, CNY, AT, Decimal(rate), "test", AT)
    return lock_quote(Money(minor, HKD), row, TERMS)


def nonzero(entries: list[Entry]) -> dict[str, int]:
    return {f"{n} {u}": m.minor for (n, u), m in balances(entries).items() if m.minor}


@given(minor=st.integers(1, 10**6), rate=st.decimals("0.01", "100", places=10))
def test_every_clearing_balances_whatever_the_fare_and_rate(minor: int, rate: Decimal) -> None:
    quote = quoted(minor, str(rate))
    entries = [
        bookings.cleared_we_convert(SUBJECT, quote, AT),
        bookings.cleared_same_currency(SUBJECT, quote.fare, AT),
        bookings.cleared_held(SUBJECT, quote.fare, AT),
        bookings.released(SUBJECT, quote, AT),
    ]
    for entry in entries:
        assert is_balanced(balances([entry]))
    assert nonzero([entries[0]]).get("rider_due:shenzhen-tong CNY", 0) == quote.charge.minor


@given(first=st.integers(1, 10_000), second=st.integers(1, 10_000))
def test_a_correction_leaves_what_a_clearing_of_the_new_fare_alone_would(
    first: int, second: int
) -> None:
    before, after = quoted(first, "0.9150"), quoted(second, "0.9300")
    entries = [
        bookings.cleared_we_convert(SUBJECT, before, AT),
        bookings.taken_back(SUBJECT, before, AT),
        bookings.cleared_we_convert(SUBJECT, after, AT),
    ]
    assert nonzero(entries) == nonzero([bookings.cleared_we_convert(SUBJECT, after, AT)])


def test_a_fare_in_one_currency_and_a_held_one_are_taken_back_whole() -> None:
    fare = Money(500, HKD)
    plain = [bookings.cleared_same_currency(SUBJECT, fare, AT)]
    assert nonzero([*plain, bookings.taken_back(SUBJECT, fare, AT)]) == {}
    held = [bookings.cleared_held(SUBJECT, fare, AT)]
    assert nonzero([*held, bookings.taken_back(SUBJECT, fare, AT, held=True)]) == {}


def test_a_full_refund_brings_every_account_back_to_zero() -> None:
    quote = quoted(5220)
    undone = bookings.taken_back(SUBJECT, quote, AT)
    entries = [
        bookings.cleared_we_convert(SUBJECT, quote, AT),
        bookings.captured("shenzhen-tong", quote.charge, AT, "c17-1", "c17"),
        undone,
        bookings.refunded("shenzhen-tong", quote.charge, AT, "c17-1-r", "c17"),
    ]
    assert nonzero(entries) == {}


def test_a_cancel_that_wins_makes_the_debt_due_again() -> None:
    entries = [
        bookings.cleared_same_currency(SUBJECT, Money(500, CNY), AT),
        bookings.captured("shenzhen-tong", Money(500, CNY), AT, "c17-1", "c17"),
        bookings.uncaptured("shenzhen-tong", Money(500, CNY), AT, "c17-1", "c17"),
    ]
    assert nonzero(entries)["rider_due:shenzhen-tong CNY"] == 500
    assert len({entry.key for entry in entries}) == 3


@pytest.mark.parametrize(
    ("bearer", "left"),
    [
        (
            BadDebt.HOUSE,
            {
                "bad_debt CNY": 4791,
                "fx_position CNY": -4776,
                "fx_position HKD": 5220,
                "income:fx_spread CNY": -15,
                "operator_payable:mtr HKD": -5220,
            },
        ),
        (
            BadDebt.ISSUER,
            {
                "wallet_receivable:shenzhen-tong CNY": 4791,
                "fx_position CNY": -4776,
                "fx_position HKD": 5220,
                "income:fx_spread CNY": -15,
                "operator_payable:mtr HKD": -5220,
            },
        ),
        (BadDebt.OPERATOR, {}),
    ],
)
def test_a_debt_is_borne_by_whom_the_agreement_names(bearer: BadDebt, left: dict[str, int]) -> None:
    quote = quoted(5220)
    cleared = bookings.cleared_we_convert(SUBJECT, quote, AT)
    assert nonzero([cleared, bookings.written_off(SUBJECT, quote, bearer, AT, "c17")]) == left


def test_a_cover_that_gains_credits_the_result() -> None:
    entry = settlement_bookings.cover(Money(5220, HKD), Money(4770, CNY), Money(4776, CNY), AT, "d")
    assert entry is not None
    held = balances([entry])
    assert held["expense:fx_result", CNY] == Money(-6, CNY)
    assert held["fx_position", CNY] == Money(4776, CNY)


def test_an_event_with_nothing_to_post_has_no_entry() -> None:
    assert settlement_bookings.wallet_fee("alipay", Money(0, HKD), AT, "b") is None
    assert settlement_bookings.operator_window("mtr", Money(0, HKD), Money(0, HKD), AT, "w") is None


def test_a_negative_window_debits_the_payout() -> None:
    entry = settlement_bookings.operator_window("mtr", Money(-100, HKD), Money(0, HKD), AT, "w")
    assert entry is not None
    assert nonzero([entry]) == {"operator_payable:mtr HKD": -100, "payout_in_transit:mtr HKD": 100}


def test_a_posting_moves_something_between_two_known_accounts() -> None:
    with pytest.raises(AssertionError):
        Posting("bank", "fare_held", Money(0, HKD))
    with pytest.raises(AssertionError):
        Posting("bank", "bank", Money(1, HKD))
    with pytest.raises(MalformedInput, match="not an account"):
        Posting("bank", "pocket", Money(1, HKD))


def test_every_account_name_has_its_kind() -> None:
    assert kind_of("fx_position") is AccountKind.POSITION
    assert kind_of(accounts.rider_due("alipayhk")) is AccountKind.CLEARING
    for name in ("rider_due", "rider_due:", "rider_due:X", "bank:HKD", "rider_due:a:b"):
        with pytest.raises(MalformedInput):
            kind_of(name)


def test_what_waits_to_be_settled_is_named() -> None:
    cleared = bookings.cleared_same_currency(SUBJECT, Money(500, CNY), AT)
    assert set(unsettled(balances([cleared]))) == {
        ("rider_due:shenzhen-tong", CNY),
        ("operator_payable:mtr", CNY),
    }
