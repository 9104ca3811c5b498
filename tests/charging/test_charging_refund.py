"""One request id is one refund, whatever the wallet answers and however often."""

from datetime import UTC, datetime, timedelta

import pytest

from transitpay.charging.charge import ChargePolicy
from transitpay.charging.refund import (
    Refund,
    RefundState,
    decide_refund,
)
from transitpay.charging.wallet_port import (
    CommandOutcome,
    Declined,
    Done,
    NotFound,
    Unknown,
)
from transitpay.money import CNY, Money

T0 = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)
POLICY = ChargePolicy()
DUE = Money(4791, CNY)


def made(minor: int) -> Refund:
    money = Money(minor, CNY)
    return Refund("r1", "c17", "c17-1", money, RefundState.PREPARED, T0, T0)


@pytest.mark.parametrize("minor", [0, -1])
def test_less_than_a_minor_unit_is_not_refunded(minor: int) -> None:
    with pytest.raises(AssertionError):
        made(minor)


@pytest.mark.parametrize(
    ("outcome", "state", "wait_s"),
    [
        (Unknown("timeout"), RefundState.UNKNOWN, 3),
        (Unknown("REQUEST_TRAFFIC_EXCEED_LIMIT"), RefundState.UNKNOWN, 30),
        (NotFound(), RefundState.UNKNOWN, 3),
        (Declined("INVALID_SIGNATURE"), RefundState.UNKNOWN, 3),
        (Declined("PROCESS_FAIL"), RefundState.REFUSED, None),
        (Declined("REFUND_AMOUNT_EXCEED"), RefundState.REFUSED, None),
        (Done("w-r1", T0), RefundState.REFUNDED, None),
    ],
)
def test_an_answer_twice_is_one_refund(
    outcome: CommandOutcome, state: RefundState, wait_s: int | None
) -> None:
    first = decide_refund(made(100), outcome, T0, POLICY)
    again = decide_refund(first.refund, outcome, T0, POLICY)
    assert first.refund.state is state
    assert first.book == (state is RefundState.REFUNDED)
    assert (again.refund, again.book) == (first.refund, False)
    due = None if wait_s is None else T0 + timedelta(seconds=wait_s)
    assert first.refund.next_at == due
    assert first.refund.id == "r1"
