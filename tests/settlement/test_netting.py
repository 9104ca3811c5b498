"""Net positions from facts: the worked example, several currencies, and what is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest

from settlement.closing.netting import NetPosition, net, wallet_fee_of
from transitpay.errors import RuleViolation
from transitpay.ledger.window_sums import FareSum, TakingSum
from transitpay.money import CNY, Money

FEES = {"mtr": Decimal("0.015"), "shenzhen-metro": Decimal("0.01")}
RATE = Decimal("0.006")
QUOTED = FareSum(
    operator="mtr",
    wallet="shenzhen-tong",
    fare_currency="HKD",
    items=1,
    items_minor=5220,
    fare_minor=5220,
    charge_currency="CNY",
    charge_minor=4791,
    quoted=True,
    quote_fare_minor=5220,
    mid_value_minor=4776,
    spread_minor=15,
)
CAPTURED = TakingSum("shenzhen-tong", "CNY", 1, 4791, 4791, RATE)


def amounts(positions: tuple[NetPosition, ...]) -> dict[str, int]:
    return {f"{p.participant} {p.currency}": p.amount_minor for p in positions}


def test_the_worked_example_nets_to_zero_in_both_currencies() -> None:
    assert amounts(net([QUOTED], [CAPTURED], FEES)) == {
        "mtr HKD": 5142,
        "house:service_fee HKD": 78,
        "house:fx_position HKD": -5220,
        "house:fx_position CNY": 4776,
        "house:fx_spread CNY": 15,
        "house:riders_due CNY": 0,
        "house:wallet_fee CNY": -29,
        "shenzhen-tong CNY": -4762,
    }


def test_what_riders_have_not_paid_stands_with_the_riders() -> None:
    found = amounts(net([QUOTED], [], FEES))
    assert found["house:riders_due CNY"] == -4791
    assert "shenzhen-tong CNY" not in found


def test_one_operator_in_two_currencies_has_two_positions_and_two_fees() -> None:
    same = FareSum("mtr", "alipay", "CNY", 2, 700, 700, "CNY", 700)
    found = amounts(net([QUOTED, same], [], FEES))
    assert (found["mtr HKD"], found["mtr CNY"]) == (5142, 690)  # 1.5 % of 7.00 is 0.105: 0.10


def test_the_service_fee_is_of_the_window_and_not_of_each_fare() -> None:
    parts = [FareSum("mtr", w, "HKD", 1, 30, 30, "HKD", 30) for w in ("alipay", "alipayhk")]
    assert amounts(net(parts, [], FEES))["mtr HKD"] == 59  # 0.9 of 60; each alone would take 0


def test_a_fee_is_taken_per_payment_half_up() -> None:
    assert wallet_fee_of(Money(250, CNY), RATE) == Money(2, CNY)
    three = TakingSum("alipay", "CNY", 3, 250, 750, RATE)
    assert amounts(net([], [three], FEES))["alipay CNY"] == -744  # 3 x (2.50 - 0.02)


def test_a_refund_gives_no_fee_back_and_a_cancellation_does() -> None:
    refund = TakingSum("shenzhen-tong", "CNY", 1, -4791, -4791, None)
    cancel = TakingSum("shenzhen-tong", "CNY", 1, -4791, -4791, RATE)
    assert amounts(net([], [CAPTURED, refund], FEES))["shenzhen-tong CNY"] == 29
    assert amounts(net([], [CAPTURED, cancel], FEES))["shenzhen-tong CNY"] == 0


def test_more_reversals_than_fares_make_the_operator_owe() -> None:
    back = FareSum("mtr", "alipay", "HKD", 1, -5220, -5220, "HKD", -5220)
    assert amounts(net([back], [], FEES))["mtr HKD"] == -5142


def test_a_held_fare_is_earned_by_the_operator_and_held_by_the_house() -> None:
    held = FareSum("mtr", "shenzhen-tong", "HKD", 1, 5220, 5220, None, 0)
    found = amounts(net([held], [], FEES))
    assert (found["mtr HKD"], found["house:fare_held HKD"]) == (5142, -5220)


@pytest.mark.parametrize(
    ("fares", "takings", "word"),
    [
        ([FareSum("mtr", "a", "HKD", 1, 5221, 5220, "HKD", 5220)], [], "mtr"),
        ([FareSum("mtr", "a", "HKD", 1, 5220, 5220, "HKD", 5219)], [], "HKD"),
        ([], [TakingSum("alipay", "CNY", 1, 100, 99, None)], "alipay"),
    ],
)
def test_facts_that_do_not_fit_together_are_refused_by_name(
    fares: list[FareSum], takings: list[TakingSum], word: str
) -> None:
    with pytest.raises(RuleViolation, match=word) as refused:
        net(fares, takings, FEES)
    assert refused.value.code == "out_of_balance"


def test_a_quote_whose_parts_do_not_give_the_charge_is_refused() -> None:
    from dataclasses import replace

    with pytest.raises(RuleViolation, match="CNY"):
        net([replace(QUOTED, spread_minor=14)], [], FEES)
