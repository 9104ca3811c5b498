"""Refunds never give back more than was taken, and one request id is one refund."""

from datetime import UTC, datetime, timedelta

import pytest

from transitpay.charging.charge import Charge, ChargePolicy, begin, new_charge
from transitpay.charging.decide import decide
from transitpay.charging.evidence import PayAnswered
from transitpay.charging.refund import (
    Refund,
    RefundRefusal,
    RefundState,
    decide_refund,
    propose_refund,
)
from transitpay.charging.wallet_port import (
    CommandOutcome,
    Declined,
    Done,
    NotFound,
    Succeeded,
    Unknown,
)
from transitpay.money import CNY, HKD, Money

T0 = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)
POLICY = ChargePolicy()
DUE = Money(4791, CNY)


def captured() -> Charge:
    charge = begin(new_charge("c17", "shenzhen-tong", DUE, False, T0), T0, POLICY)
    return decide(charge, PayAnswered("c17-1", Succeeded("w1", T0, DUE)), T0, POLICY).charge


def proposed(minor: int, *earlier: Refund, name: str = "r1") -> Refund | RefundRefusal:
    return propose_refund(captured(), earlier, Money(minor, CNY), name, T0)


def made(minor: int, *earlier: Refund, name: str = "r1") -> Refund:
    refund = proposed(minor, *earlier, name=name)
    assert isinstance(refund, Refund)
    return refund


def test_partial_refunds_stop_at_the_capture() -> None:
    first = made(4000)
    assert proposed(792, first, name="r2") is RefundRefusal.OVER_THE_CAPTURE
    second = made(791, first, name="r2")
    assert proposed(1, first, second, name="r3") is RefundRefusal.NOTHING_LEFT


def test_a_refused_refund_leaves_its_amount_free() -> None:
    refused = decide_refund(made(4791), Declined("REFUND_WINDOW_EXCEED"), T0).refund
    assert refused.state is RefundState.REFUSED and refused.next_at is None
    assert made(4791, refused, name="r2").amount == DUE


def test_the_same_id_gives_the_stored_refund() -> None:
    first = made(100)
    assert proposed(100, first) == first


@pytest.mark.parametrize("minor", [0, -1])
def test_less_than_a_minor_unit_is_not_refunded(minor: int) -> None:
    assert proposed(minor) is RefundRefusal.BELOW_ONE_MINOR_UNIT


def test_only_what_is_captured_is_refunded_in_its_own_currency() -> None:
    due = new_charge("c17", "shenzhen-tong", DUE, False, T0)
    assert propose_refund(due, (), DUE, "r1", T0) is RefundRefusal.NOT_CAPTURED
    other = propose_refund(captured(), (), Money(1, HKD), "r1", T0)
    assert other is RefundRefusal.OTHER_CURRENCY


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
