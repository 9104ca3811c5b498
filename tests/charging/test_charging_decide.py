"""Every step of a charge, each taken twice; the failure cases of collecting, by name."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from transitpay.charging.charge import (
    Charge,
    ChargePolicy,
    begin,
    new_charge,
    release,
    retry_now,
    withdraw,
)
from transitpay.charging.decide import Decision, decide
from transitpay.charging.evidence import (
    BreakKind,
    CancelAnswered,
    Evidence,
    InFile,
    InquiryAnswered,
    Notified,
    NotInFile,
    PayAnswered,
)
from transitpay.charging.lifecycle import Action, AttemptState, ChargeState
from transitpay.charging.wallet_port import (
    Declined,
    Done,
    NotFound,
    Succeeded,
    Unknown,
    WalletQuote,
)
from transitpay.ledger.journal import EntryKind
from transitpay.money import CNY, HKD, Money

T0 = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)
#: 00:15 UTC+8 of 3 November.
DEADLINE = datetime(2026, 11, 2, 16, 15, tzinfo=UTC)
POLICY = ChargePolicy()
DUE = Money(4791, CNY)
PAID = Succeeded("w1", T0, DUE)
TIMEOUT = Unknown("timeout")


def s(seconds: int) -> datetime:
    return T0 + timedelta(seconds=seconds)


def sent() -> Charge:
    return begin(new_charge("c17", "shenzhen-tong", DUE, False, T0), T0, POLICY)


def twice(charge: Charge, evidence: Evidence, at: datetime) -> Decision:
    """The decision; weighed again it changes nothing and books nothing."""
    first = decide(charge, evidence, at, POLICY)
    again = decide(first.charge, evidence, at, POLICY)
    assert again.charge == first.charge
    assert again.book is None and again.refund is None
    if first.found and again.found:
        assert (first.found.kind, first.found.attempt_id) == (
            again.found.kind,
            again.found.attempt_id,
        )
    return first


def state(charge: Charge, n: int = 1) -> AttemptState:
    return charge.attempts[n - 1].state


def unknown() -> Charge:
    return twice(sent(), PayAnswered("c17-1", TIMEOUT), s(8)).charge


def cancelling() -> Charge:
    return twice(unknown(), InquiryAnswered("c17-1", TIMEOUT), s(60)).charge


def after_cancel() -> Charge:
    """Cancelled, and the second attempt begun."""
    due = twice(cancelling(), CancelAnswered("c17-1", Done()), s(61)).charge
    return begin(due, s(121), POLICY)


def test_a_success_captures_and_books_once() -> None:
    done = twice(sent(), PayAnswered("c17-1", PAID), s(1))
    assert done.book is EntryKind.CAPTURED
    assert done.charge.state is ChargeState.CAPTURED
    assert (done.action, done.next_at) == (Action.NOTHING, None)
    assert done.charge.attempts[0].paid == PAID


def test_a_notification_before_the_answer_and_a_hundred_more_are_one_capture() -> None:
    charge, booked = sent(), 0
    for n in range(100):
        decision = decide(charge, Notified("c17-1", PAID), s(n), POLICY)
        charge, booked = decision.charge, booked + (decision.book is not None)
    decision = decide(charge, PayAnswered("c17-1", PAID), s(200), POLICY)
    assert (booked, decision.book, decision.charge) == (1, None, charge)


def test_the_answers_quote_is_kept_although_a_notification_without_it_came_first() -> None:
    quote = WalletQuote("q1", HKD, CNY, Decimal("0.9"))
    full = replace(PAID, settlement=Money(5220, HKD), quote=quote)
    told = decide(sent(), Notified("c17-1", PAID), s(1), POLICY).charge
    done = twice(told, PayAnswered("c17-1", full), s(2))
    assert (done.book, done.charge.attempts[0].paid) == (None, full)
    assert twice(done.charge, Notified("c17-1", PAID), s(3)).charge == done.charge


def test_a_timeout_is_asked_every_three_seconds_for_a_minute_then_cancelled() -> None:
    charge, at, asked = sent(), s(2), []
    charge = twice(charge, PayAnswered("c17-1", TIMEOUT), at).charge
    while charge.action is Action.INQUIRE:
        assert charge.next_at is not None
        at = charge.next_at
        asked.append((at - T0).seconds)
        charge = twice(begin(charge, at, POLICY), InquiryAnswered("c17-1", TIMEOUT), at).charge
    assert asked == list(range(5, 63, 3))
    assert (charge.action, charge.next_at, state(charge)) == (
        Action.CANCEL,
        s(62),
        AttemptState.CANCELLING,
    )


@pytest.mark.parametrize(
    ("second", "then"), [(59, AttemptState.UNKNOWN), (60, AttemptState.CANCELLING)]
)
def test_the_minute_of_asking_has_an_edge(second: int, then: AttemptState) -> None:
    charge = twice(unknown(), InquiryAnswered("c17-1", TIMEOUT), s(second)).charge
    assert state(charge) is then


def test_a_timeout_before_the_wallet_is_sent_again_with_the_same_id() -> None:
    again = twice(unknown(), InquiryAnswered("c17-1", NotFound()), s(11))
    assert (again.action, again.next_at) == (Action.PAY, s(11))
    assert len(again.charge.attempts) == 1
    done = twice(begin(again.charge, s(11), POLICY), PayAnswered("c17-1", PAID), s(12))
    assert done.book is EntryKind.CAPTURED


def test_not_found_after_the_minute_is_cancelled_before_anything_new() -> None:
    charge = twice(unknown(), InquiryAnswered("c17-1", NotFound()), s(60)).charge
    assert charge.action is Action.CANCEL
    charge = twice(charge, CancelAnswered("c17-1", NotFound()), s(61)).charge
    assert (state(charge), charge.state) == (AttemptState.ABSENT, ChargeState.DUE)


def test_a_cancel_that_times_out_is_repeated_until_it_succeeds_then_a_new_attempt() -> None:
    charge = cancelling()
    charge = twice(charge, CancelAnswered("c17-1", TIMEOUT), s(68)).charge
    assert charge.action is Action.CANCEL
    assert charge.next_at == s(68 + 17)
    charge = twice(charge, CancelAnswered("c17-1", Done()), s(90)).charge
    assert (state(charge), charge.state) == (AttemptState.CANCELLED, ChargeState.DUE)
    assert charge.next_at == s(150)
    second = begin(charge, s(150), POLICY)
    assert [a.id for a in second.attempts] == ["c17-1", "c17-2"]
    assert begin(charge, s(149), POLICY) == charge


def test_an_order_that_is_closed_to_cancelling_is_asked_how_it_ended() -> None:
    charge = twice(cancelling(), CancelAnswered("c17-1", Declined("ORDER_IS_CLOSED")), s(61)).charge
    assert (charge.action, state(charge)) == (Action.INQUIRE, AttemptState.CANCELLING)
    paid = twice(charge, InquiryAnswered("c17-1", PAID), s(62))
    assert (paid.book, state(paid.charge)) == (EntryKind.CAPTURED, AttemptState.CAPTURED)
    closed = twice(charge, InquiryAnswered("c17-1", Declined("ORDER_IS_CLOSED")), s(62)).charge
    assert (state(closed), closed.state) == (AttemptState.CANCELLED, ChargeState.DUE)
    gone = twice(charge, InquiryAnswered("c17-1", NotFound()), s(62)).charge
    assert gone.action is Action.CANCEL
    doubt = twice(charge, InquiryAnswered("c17-1", TIMEOUT), s(62)).charge
    assert (doubt.action, doubt.next_at) == (Action.INQUIRE, s(62) + timedelta(seconds=62) / 4)


def test_a_success_told_while_cancelling_is_noted_and_the_cancel_wins() -> None:
    noted = twice(cancelling(), Notified("c17-1", PAID), s(61))
    assert (noted.book, noted.action) == (None, Action.CANCEL)
    assert noted.charge.attempts[0].paid == PAID
    over = twice(noted.charge, CancelAnswered("c17-1", Done()), s(62))
    assert (over.book, over.charge.state) == (None, ChargeState.DUE)


def test_a_success_notification_after_the_cancel_changes_nothing() -> None:
    charge = after_cancel()
    late = decide(charge, Notified("c17-1", PAID), s(130), POLICY)
    assert late == Decision(charge)


def test_a_cancel_that_wins_after_the_capture_makes_the_debt_due_again() -> None:
    captured = twice(sent(), PayAnswered("c17-1", PAID), s(1)).charge
    won = twice(captured, CancelAnswered("c17-1", Done()), s(2))
    assert won.book is EntryKind.UNCAPTURED
    assert (state(won.charge), won.charge.state) == (AttemptState.CANCELLED, ChargeState.DUE)


@pytest.mark.parametrize(
    ("second", "action"), [(-1, Action.CANCEL), (0, Action.INQUIRE), (1, Action.INQUIRE)]
)
def test_no_cancel_is_sent_from_a_quarter_past_midnight_on(second: int, action: Action) -> None:
    charge = begin(cancelling(), DEADLINE + timedelta(seconds=second), POLICY)
    assert charge.action is action
    late = DEADLINE + timedelta(seconds=second)
    asked = twice(unknown(), InquiryAnswered("c17-1", TIMEOUT), late).charge
    assert asked.action is action
    refused = twice(cancelling(), CancelAnswered("c17-1", TIMEOUT), late).charge
    assert refused.action is action
    window = Declined("CANCEL_WINDOW_EXCEED")
    assert twice(cancelling(), CancelAnswered("c17-1", window), late).action is Action.INQUIRE


def test_after_the_deadline_inquiries_back_off_and_the_files_decide() -> None:
    late = DEADLINE + timedelta(hours=1)
    charge = twice(unknown(), InquiryAnswered("c17-1", NotFound()), late).charge
    assert (state(charge), charge.next_at) == (AttemptState.UNKNOWN, late + timedelta(hours=1))
    early = twice(charge, NotInFile("c17-1", date(2026, 11, 1)), late).charge
    assert early == charge
    once = twice(charge, NotInFile("c17-1", date(2026, 11, 2)), late).charge
    assert state(once) is AttemptState.UNKNOWN
    absent = twice(once, NotInFile("c17-1", date(2026, 11, 3)), late).charge
    assert (state(absent), absent.state) == (AttemptState.ABSENT, ChargeState.DUE)
    row = InFile("c17-1", "w1", T0, DUE, date(2026, 11, 2))
    assert twice(charge, row, late).book is EntryKind.CAPTURED


def test_a_file_without_the_payment_says_nothing_while_it_can_be_cancelled() -> None:
    row = NotInFile("c17-1", date(2026, 11, 2))
    before = DEADLINE - timedelta(seconds=1)
    assert twice(unknown(), row, before).charge == unknown()
    assert twice(unknown(), row, DEADLINE).charge != unknown()


def test_a_late_success_of_an_absent_attempt_is_taken_or_refunded() -> None:
    absent = twice(
        twice(unknown(), InquiryAnswered("c17-1", NotFound()), s(60)).charge,
        CancelAnswered("c17-1", NotFound()),
        s(61),
    ).charge
    assert twice(absent, Notified("c17-1", PAID), s(70)).charge.state is ChargeState.CAPTURED
    second = begin(absent, s(200), POLICY)
    surplus = twice(second, Notified("c17-1", PAID), s(201))
    assert state(surplus.charge) is AttemptState.SURPLUS
    assert (surplus.book, surplus.action) == (EntryKind.CAPTURED, Action.REFUND)
    assert surplus.refund is not None and surplus.refund.id == "c17-1-r"
    assert surplus.charge.state is ChargeState.IN_FLIGHT


def test_no_balance_is_arrears_tried_again_and_cleared_on_payment() -> None:
    owing = twice(sent(), PayAnswered("c17-1", Declined("USER_BALANCE_NOT_ENOUGH")), s(1)).charge
    assert (owing.state, owing.next_at) == (ChargeState.ARREARS, s(1) + POLICY.arrears_retry)
    assert owing.denies_rider
    retried = begin(owing, s(1) + POLICY.arrears_retry, POLICY)
    assert retried.state is ChargeState.IN_FLIGHT and retried.denies_rider
    unknown = PayAnswered("c17-2", Unknown("timeout"))
    assert twice(retried, unknown, s(90_000)).charge.denies_rider
    again = twice(retried, PayAnswered("c17-2", Declined("ORDER_IS_CLOSED")), s(90_000)).charge
    assert again.state is ChargeState.DUE and again.denies_rider
    paid = twice(retried, PayAnswered("c17-2", replace(PAID, payment_id="w2")), s(90_000)).charge
    assert (paid.state, paid.denies_rider) == (ChargeState.CAPTURED, False)
    assert retry_now(owing, s(5)).next_at == s(5)
    assert retry_now(paid, s(5)) == paid


def test_process_fail_is_never_tried_again_by_itself() -> None:
    failed = twice(sent(), PayAnswered("c17-1", Declined("PROCESS_FAIL")), s(1)).charge
    assert (failed.state, failed.action, failed.next_at) == (
        ChargeState.ARREARS,
        Action.NOTHING,
        None,
    )
    assert failed.denies_rider
    ours = twice(sent(), PayAnswered("c17-1", Declined("CURRENCY_NOT_SUPPORT")), s(1)).charge
    assert not ours.denies_rider


@pytest.mark.parametrize("code", ["INVALID_SIGNATURE", "ACCESS_DENIED", "REPEAT_REQ_INCONSISTENT"])
def test_a_refusal_of_the_call_says_nothing_about_the_payment(code: str) -> None:
    charge = twice(sent(), PayAnswered("c17-1", Declined(code)), s(1)).charge
    assert (state(charge), charge.action) == (AttemptState.UNKNOWN, Action.INQUIRE)


def test_a_traffic_limit_is_unknown_with_a_longer_pause() -> None:
    limit = Unknown("REQUEST_TRAFFIC_EXCEED_LIMIT")
    assert twice(sent(), PayAnswered("c17-1", limit), s(1)).next_at == s(31)
    assert twice(unknown(), InquiryAnswered("c17-1", limit), s(60)).next_at == s(90)
    assert twice(cancelling(), CancelAnswered("c17-1", limit), s(61)).next_at == s(91)


def test_an_expired_or_closed_order_gets_a_new_attempt() -> None:
    charge = twice(sent(), PayAnswered("c17-1", Declined("ORDER_IS_CLOSED")), s(1)).charge
    assert (charge.state, charge.next_at) == (ChargeState.DUE, s(61))


@pytest.mark.parametrize(
    ("amount", "kind"),
    [
        (Money(4790, CNY), BreakKind.AMOUNT_MISMATCH),
        (Money(4791, HKD), BreakKind.CURRENCY_MISMATCH),
    ],
)
def test_another_amount_opens_a_break_and_never_moves_a_charge(
    amount: Money, kind: BreakKind
) -> None:
    wrong = replace(PAID, amount=amount)
    told = twice(sent(), Notified("c17-1", wrong), s(1))
    assert (told.charge, told.book) == (sent(), None)
    assert told.found is not None and told.found.kind is kind
    answered = twice(sent(), PayAnswered("c17-1", wrong), s(1))
    assert answered.charge.action is Action.INQUIRE
    captured = twice(sent(), PayAnswered("c17-1", PAID), s(1)).charge
    assert twice(captured, Notified("c17-1", wrong), s(2)).charge == captured
    row = InFile("c17-1", "w1", T0, amount, date(2026, 11, 2))
    assert twice(captured, row, s(3)).found is not None


def test_an_unknown_attempt_is_a_break() -> None:
    found = twice(sent(), Notified("c17-9", PAID), s(1)).found
    assert found is not None and found.kind is BreakKind.MISSING_INTERNAL


def test_we_said_failed_and_the_wallet_says_paid() -> None:
    owing = twice(sent(), PayAnswered("c17-1", Declined("USER_BALANCE_NOT_ENOUGH")), s(1)).charge
    paid = twice(owing, InFile("c17-1", "w1", T0, DUE, date(2026, 11, 2)), s(2))
    assert (paid.charge.state, paid.book) == (ChargeState.CAPTURED, EntryKind.CAPTURED)
    assert paid.found is not None and paid.found.kind is BreakKind.STATUS_MISMATCH


def test_a_refusal_or_another_payment_id_after_the_capture_is_a_break() -> None:
    captured = twice(sent(), PayAnswered("c17-1", PAID), s(1)).charge
    for evidence in (
        Notified("c17-1", Declined("PROCESS_FAIL")),
        Notified("c17-1", replace(PAID, payment_id="w9")),
    ):
        odd = twice(captured, evidence, s(2))
        assert odd.charge == captured
        assert odd.found is not None and odd.found.kind is BreakKind.STATUS_MISMATCH


def test_a_cancelled_payment_in_the_file_as_paid_is_a_break() -> None:
    charge = after_cancel()
    found = twice(charge, InFile("c17-1", "w1", T0, DUE, date(2026, 11, 2)), s(200))
    assert found.charge == charge and found.found is not None


def test_a_dead_worker_is_repeated_with_the_same_attempt_and_later_asked_for() -> None:
    assert begin(sent(), s(59), POLICY) == sent()
    asked = begin(sent(), s(60), POLICY)
    assert (asked.action, state(asked)) == (Action.INQUIRE, AttemptState.UNKNOWN)


def test_a_held_charge_is_released_once_with_its_amount() -> None:
    held = new_charge("c17", "shenzhen-tong", Money(5220, HKD), True, T0)
    assert begin(held, s(999), POLICY) == held
    due = release(held, DUE, s(5))
    assert (due.state, due.amount, due.next_at) == (ChargeState.DUE, DUE, s(5))
    assert release(due, Money(1, CNY), s(6)) == due


def test_a_debt_is_withdrawn_only_while_no_attempt_may_hold_money() -> None:
    due = new_charge("c17", "shenzhen-tong", DUE, False, T0)
    gone = withdraw(due)
    assert gone is not None and gone.state is ChargeState.WITHDRAWN
    assert withdraw(gone) == gone
    assert withdraw(sent()) is None
    assert withdraw(twice(sent(), PayAnswered("c17-1", PAID), s(1)).charge) is None
    assert withdraw(new_charge("c", "alipay", DUE, True, T0), ChargeState.WRITTEN_OFF) is None


def test_the_sandbox_scales_the_short_delays() -> None:
    fast = POLICY.scaled(60)
    assert fast.inquire_every == timedelta(minutes=3)
    assert fast.arrears_retry == POLICY.arrears_retry


def test_attempt_ids_fit_the_wire() -> None:
    longest = new_charge("c" * 56, "alipay", DUE, False, T0)
    assert len(begin(longest, T0, POLICY).attempts[0].id) <= 64
    with pytest.raises(AssertionError):
        new_charge("c" * 57, "alipay", DUE, False, T0)
    with pytest.raises(AssertionError):
        new_charge("c", "alipay", Money(0, CNY), False, T0)
