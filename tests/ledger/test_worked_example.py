"""One fare from clearing to bank, number by number, in both ways of converting."""

from datetime import UTC, date, datetime
from decimal import Decimal

from transitpay.fx.agreement import agreement_on, builtin_agreements
from transitpay.fx.quote import lock_quote
from transitpay.fx.rate import PublishedRate
from transitpay.ledger import bookings, settlement_bookings
from transitpay.ledger.balances import balances, is_balanced, unsettled
from transitpay.ledger.bookings import FareSubject
from transitpay.ledger.journal import Entry
from transitpay.money import CNY, HKD, Money

AT = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)
SZT = FareSubject("2026-11-02/tst-03/17", "mtr", "shenzhen-tong", "c17")
ALIPAY = FareSubject("2026-11-02/tst-03/18", "mtr", "alipay", "c18")
FARE = Money(5220, HKD)


def lines(entry: Entry | None) -> list[str]:
    assert entry is not None
    return [f"Dr {p.debit} Cr {p.credit} {p.amount}" for p in entry.postings]


def example() -> list[tuple[Entry | None, list[str]]]:
    """The entries of the worked example with the lines they must have."""
    terms = agreement_on(builtin_agreements(), "shenzhen-tong", HKD, date(2026, 11, 2))
    assert terms is not None
    rate = PublishedRate(HKD, CNY, AT, Decimal("0.9150"), "test", AT)
    quote = lock_quote(FARE, rate, terms)
    fee = settlement_bookings.fee_of(quote.charge, terms.fee_rate)
    service = settlement_bookings.fee_of(FARE, Decimal("0.015"))
    bought_at = Money(4782, CNY)  # 52.20 at 0.9160 is 47.8152
    told = settlement_bookings
    return [
        (
            bookings.cleared_we_convert(SZT, quote, AT),
            [
                "Dr fx_position Cr operator_payable:mtr HKD 52.20",
                "Dr rider_due:shenzhen-tong Cr fx_position CNY 47.76",
                "Dr rider_due:shenzhen-tong Cr income:fx_spread CNY 0.15",
            ],
        ),
        (
            bookings.captured("shenzhen-tong", quote.charge, AT, "c17-1", "c17"),
            ["Dr wallet_receivable:shenzhen-tong Cr rider_due:shenzhen-tong CNY 47.91"],
        ),
        (
            told.wallet_fee("shenzhen-tong", fee, AT, "b1"),
            ["Dr expense:wallet_fee Cr wallet_receivable:shenzhen-tong CNY 0.29"],
        ),
        (
            told.wallet_file("shenzhen-tong", quote.charge - fee, AT, "b1"),
            ["Dr wallet_in_transit:shenzhen-tong Cr wallet_receivable:shenzhen-tong CNY 47.62"],
        ),
        (
            told.wallet_banked("shenzhen-tong", Money(4762, CNY), AT, "r1"),
            ["Dr bank Cr wallet_in_transit:shenzhen-tong CNY 47.62"],
        ),
        (
            told.operator_window("mtr", FARE, service, AT, "mtr/2026-11-02/HKD"),
            [
                "Dr operator_payable:mtr Cr income:service_fee HKD 0.78",
                "Dr operator_payable:mtr Cr payout_in_transit:mtr HKD 51.42",
            ],
        ),
        (
            told.cover(FARE, bought_at, quote.mid_value, AT, "d1"),
            [
                "Dr fx_position Cr bank CNY 47.82",
                "Dr bank Cr fx_position HKD 52.20",
                "Dr expense:fx_result Cr fx_position CNY 0.06",
            ],
        ),
        (
            told.operator_paid("mtr", Money(5142, HKD), AT, "p1"),
            ["Dr payout_in_transit:mtr Cr bank HKD 51.42"],
        ),
    ]


def test_we_convert_books_every_line_of_the_example_and_ends_settled() -> None:
    entries = []
    for entry, expected in example():
        assert lines(entry) == expected
        assert entry is not None
        entries.append(entry)
    held = balances(entries)
    assert is_balanced(held)
    assert unsettled(held) == {}
    assert {key: m.minor for key, m in held.items() if m.minor} == {
        ("income:fx_spread", CNY): -15,
        ("expense:wallet_fee", CNY): 29,
        ("expense:fx_result", CNY): 6,
        ("bank", CNY): -20,
        ("income:service_fee", HKD): -78,
        ("bank", HKD): 78,
    }


def test_wallet_converts_has_no_position_and_stays_in_the_fares_currency() -> None:
    fee = settlement_bookings.fee_of(FARE, Decimal("0.006"))
    cleared = bookings.cleared_wallet_converts(ALIPAY, FARE, AT)
    assert lines(cleared) == ["Dr rider_due:alipay Cr operator_payable:mtr HKD 52.20"]
    rest = [
        bookings.captured("alipay", FARE, AT, "c18-1", "c18"),
        settlement_bookings.wallet_fee("alipay", fee, AT, "b2"),
        settlement_bookings.wallet_file("alipay", FARE - fee, AT, "b2"),
        settlement_bookings.wallet_banked("alipay", Money(5189, HKD), AT, "r2"),
        settlement_bookings.operator_window("mtr", FARE, Money(78, HKD), AT, "w2"),
        settlement_bookings.operator_paid("mtr", Money(5142, HKD), AT, "p2"),
    ]
    held = balances([cleared, *(entry for entry in rest if entry is not None)])
    assert is_balanced(held) and unsettled(held) == {}
    assert {unit for _, unit in held} == {HKD}
    assert {key[0]: m.minor for key, m in held.items() if m.minor} == {
        "expense:wallet_fee": 31,
        "income:service_fee": -78,
        "bank": 47,
    }


def test_a_held_fare_released_stands_exactly_like_one_cleared_at_once() -> None:
    terms = agreement_on(builtin_agreements(), "shenzhen-tong", HKD, date(2026, 11, 2))
    assert terms is not None
    quote = lock_quote(FARE, PublishedRate(HKD, CNY, AT, Decimal("0.9150"), "t", AT), terms)
    held = bookings.cleared_held(SZT, FARE, AT)
    assert lines(held) == ["Dr fare_held Cr operator_payable:mtr HKD 52.20"]
    release = bookings.released(SZT, quote, AT)
    assert lines(release)[0] == "Dr fx_position Cr fare_held HKD 52.20"
    later = {k: m for k, m in balances([held, release]).items() if m.minor}
    assert later == balances([bookings.cleared_we_convert(SZT, quote, AT)])
