"""A quote is exact: worked numbers, ties, the smallest amounts, sums of parts."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transitpay.fx.agreement import Agreement, BadDebt, FxMode, agreement_on, builtin_agreements
from transitpay.fx.quote import Quote, convert, convert_by_pair, lock_quote
from transitpay.fx.rate import PublishedRate
from transitpay.money import CNY, HKD, Currency, Money

AT = datetime(2026, 11, 2, 0, 30, tzinfo=UTC)
DAY = date(2026, 11, 2)


def agreed(wallet: str, fare: Currency) -> Agreement:
    found = agreement_on(builtin_agreements(), wallet, fare, DAY)
    assert found is not None
    return found


def row(base: Currency, quote: Currency, rate: str) -> PublishedRate:
    return PublishedRate(base, quote, AT, Decimal(rate), "test", AT)


def locked(fare_minor: int, rate: str = "0.9150") -> Quote:
    terms = agreed("shenzhen-tong", HKD)
    return lock_quote(Money(fare_minor, HKD), row(HKD, CNY, rate), terms)


def test_the_worked_example_comes_out_number_by_number() -> None:
    quote = locked(5220)
    assert quote.customer_rate == Decimal("0.917745")
    assert quote.charge == Money(4791, CNY)
    assert quote.mid_value == Money(4776, CNY)
    assert quote.spread == Money(15, CNY)
    assert quote.remainder == Decimal("0.003711")
    assert quote.effective_at == AT


@pytest.mark.parametrize(
    ("minor", "rate", "rounded"),
    [(1, "0.5", 0), (3, "0.5", 2), (5, "0.5", 2), (1, "0.500001", 1), (1, "1.5", 2)],
)
def test_ties_go_to_the_even_minor_unit(minor: int, rate: str, rounded: int) -> None:
    assert convert(Money(minor, HKD), Decimal(rate), CNY)[0] == Money(rounded, CNY)


def test_the_smallest_yuan_fare_is_one_hong_kong_cent() -> None:
    quote = lock_quote(Money(1, CNY), row(CNY, HKD, "1.0928961749"), agreed("alipayhk", CNY))
    assert quote.charge == Money(1, HKD)
    assert quote.spread == Money(0, HKD)


def test_a_charge_may_round_to_nothing_and_the_quote_says_what_was_lost() -> None:
    quote = locked(1, "0.4")
    assert quote.charge == Money(0, CNY)
    assert quote.remainder == Decimal("-0.004012")


def test_a_fare_in_the_charge_currency_has_no_quote() -> None:
    assert not agreed("shenzhen-tong", CNY).needs_rate
    assert not agreed("alipayhk", HKD).needs_rate
    assert not agreed("alipay", HKD).needs_rate
    with pytest.raises(AssertionError, match="no quote"):
        lock_quote(Money(100, HKD), row(HKD, CNY, "0.9"), agreed("alipay", HKD))


def test_a_gap_and_the_wrong_direction_price_nothing() -> None:
    terms = agreed("shenzhen-tong", HKD)
    with pytest.raises(AssertionError, match="gap"):
        lock_quote(Money(1, HKD), PublishedRate(HKD, CNY, AT, None, "none", AT), terms)
    with pytest.raises(AssertionError):
        lock_quote(Money(1, HKD), row(CNY, HKD, "1.09"), terms)


@given(
    minor=st.integers(0, 10**7),
    rate=st.decimals("0.0001", "9999", places=10),
    margin=st.decimals("0", "0.5", places=4),
)
def test_charge_is_value_plus_spread_and_the_remainder_under_half_a_cent(
    minor: int, rate: Decimal, margin: Decimal
) -> None:
    we, house = FxMode.WE_CONVERT, BadDebt.HOUSE
    terms = Agreement("shenzhen-tong", HKD, DAY, we, CNY, CNY, margin, Decimal(0), house)
    quote = lock_quote(Money(minor, HKD), PublishedRate(HKD, CNY, AT, rate, "test", AT), terms)
    assert quote.spread.minor >= 0
    assert abs(quote.remainder) <= Decimal("0.005")
    exact = quote.fare.major() * quote.customer_rate
    assert abs(quote.charge.major() - exact - quote.remainder) < Decimal("1e-15")


@given(parts=st.lists(st.integers(0, 5000), min_size=1, max_size=20))
def test_the_sum_of_parts_is_within_half_a_cent_a_part_of_the_converted_sum(
    parts: list[int],
) -> None:
    whole = locked(sum(parts))
    pieces = [locked(part) for part in parts]
    difference = whole.charge.minor - sum(piece.charge.minor for piece in pieces)
    assert abs(difference) <= (len(parts) + 1) // 2 + 1
    exact = whole.remainder - sum((piece.remainder for piece in pieces), Decimal(0))
    assert exact == Decimal(difference).scaleb(-2)


def test_a_wallets_pair_multiplies_one_way_and_divides_the_other() -> None:
    price = Decimal("0.9150")
    assert convert_by_pair(Money(5220, HKD), HKD, CNY, price) == Money(4776, CNY)
    assert convert_by_pair(Money(4776, CNY), HKD, CNY, price) == Money(5220, HKD)


def test_the_newest_agreement_that_is_valid_counts() -> None:
    old = agreed("shenzhen-tong", HKD)
    new = Agreement(
        "shenzhen-tong", HKD, date(2026, 11, 3), FxMode.WE_CONVERT, CNY, CNY,
        Decimal("0.002"), Decimal("0.006"), BadDebt.HOUSE,
    )  # fmt: skip
    both = (new, old)
    assert agreement_on(both, "shenzhen-tong", HKD, date(2026, 11, 2)) == old
    assert agreement_on(both, "shenzhen-tong", HKD, date(2026, 11, 3)) == new
    assert agreement_on(both, "shenzhen-tong", HKD, date(2025, 12, 31)) is None
    assert agreement_on(both, "alipay", HKD, DAY) is None
