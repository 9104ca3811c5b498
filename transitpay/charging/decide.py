"""Weighs one piece of evidence about a charge: the new states, the next step, what to book.

``decide`` is pure and knows no order of arrival: a notification before its answer, an answer
after its cancel and the same evidence again all end in the same state, and the second time
changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from transitpay.charging.charge import Attempt, Charge, ChargePolicy
from transitpay.charging.evidence import (
    Break,
    BreakKind,
    CancelAnswered,
    Evidence,
    InFile,
    InquiryAnswered,
    Notified,
    NotInFile,
    PayAnswered,
)
from transitpay.charging.lifecycle import (
    HOLDING,
    OPEN,
    Action,
    AttemptState,
    ChargeState,
)
from transitpay.charging.refund import Refund, surplus_refund
from transitpay.charging.result_codes import (
    CANCEL_WINDOW_EXCEED,
    MEANING,
    ORDER_IS_CLOSED,
    TRAFFIC_LIMIT,
    Meaning,
    meaning_of,
)
from transitpay.charging.wallet_port import (
    CommandOutcome,
    Declined,
    Done,
    NotFound,
    PaymentOutcome,
    Succeeded,
    Unknown,
)
from transitpay.clock import wallet_day
from transitpay.ledger.journal import EntryKind


@dataclass(frozen=True, slots=True)
class Decision:
    """The charge as it is now, and what is to be saved with it in the same transaction.

    ``book``: CAPTURED or UNCAPTURED of the attempt that the evidence names. ``refund``: money that
    goes back. ``found``: a break for people. What is due next is in the charge.
    """

    charge: Charge
    book: EntryKind | None = None
    refund: Refund | None = None
    found: Break | None = None

    @property
    def action(self) -> Action:
        return Action.REFUND if self.refund else self.charge.action

    @property
    def next_at(self) -> datetime | None:
        return self.refund.next_at if self.refund else self.charge.next_at


def decide(
    charge: Charge, evidence: Evidence, at: datetime, policy: ChargePolicy | None = None
) -> Decision:
    """What the evidence makes of the charge at the instant ``at``."""
    rules = policy or ChargePolicy()
    attempt = charge.attempt(evidence.attempt_id)
    if attempt is None:
        detail = "the charge has no such attempt"
        return _break(charge, BreakKind.MISSING_INTERNAL, evidence.attempt_id, detail)
    answers = isinstance(evidence, PayAnswered | InquiryAnswered)
    case = _Case(charge, attempt, at, rules, answers)
    match evidence:
        case PayAnswered(outcome=outcome):
            return _pay(case, outcome)
        case InquiryAnswered(outcome=outcome):
            return _inquiry(case, outcome)
        case CancelAnswered(outcome=outcome):
            return _cancel(case, outcome)
        case Notified(outcome=outcome):
            return _notice(case, outcome)
        case InFile():
            return _in_file(case, evidence)
        case NotInFile():
            return _not_in_file(case, evidence)
        case _:
            assert_never(evidence)


@dataclass(frozen=True, slots=True)
class _Case:
    """One weighing: the charge, the attempt that the evidence names, when, by which limits.

    ``answers``: the evidence answers our own pay or inquiry, so the next one must be planned.
    """

    charge: Charge
    attempt: Attempt
    at: datetime
    policy: ChargePolicy
    answers: bool

    @property
    def same(self) -> Decision:
        return Decision(self.charge)

    @property
    def age(self) -> timedelta:
        return self.at - self.attempt.sent_at

    @property
    def may_cancel(self) -> bool:
        return self.at < self.attempt.cancel_deadline

    @property
    def cancelling(self) -> bool:
        return self.attempt.state is AttemptState.CANCELLING

    def open_to(self, state: AttemptState, action: Action, after: timedelta) -> Decision:
        """The attempt stays open: ask the wallet for ``action`` after a while."""
        moved = self.charge.with_attempt(self.attempt.to(state))
        return Decision(moved.to(ChargeState.IN_FLIGHT, action, self.at + after))

    def due_again(self, attempt: Attempt) -> Decision:
        """The attempt is over without money: the debt is due by a new one, later each time."""
        wait = min(self.policy.attempt_after * attempt.number, self.policy.backoff_max)
        moved = self.charge.with_attempt(attempt)
        return Decision(moved.to(ChargeState.DUE, Action.PAY, self.at + wait))


def _pay(case: _Case, outcome: PaymentOutcome) -> Decision:
    match outcome:
        case Succeeded():
            return _success(case, outcome, conclusive=not case.cancelling)
        case Declined(code):
            match meaning_of(code):
                case Meaning.IN_DOUBT | Meaning.OF_THE_CALL:
                    return _unknown(case, code)
                case Meaning.NO_SUCH_PAYMENT:
                    return _not_found(case)
                case _:
                    return _declined(case, code)
        case Unknown(reason):
            return _unknown(case, reason)
        case NotFound():
            return _not_found(case)
        case _:
            assert_never(outcome)


def _notice(case: _Case, outcome: Succeeded | Declined) -> Decision:
    match outcome:
        case Succeeded():
            return _success(case, outcome, conclusive=not case.cancelling)
        case Declined(code):
            return _declined(case, code)
        case _:
            assert_never(outcome)


def _inquiry(case: _Case, outcome: PaymentOutcome) -> Decision:
    """A payment result is final whatever its code; only while a cancel is out a success is not."""
    match outcome:
        case Succeeded():
            over = not case.cancelling or case.charge.action is Action.INQUIRE
            return _success(case, outcome, conclusive=over)
        case Declined(code):
            return _declined(case, code)
        case Unknown(reason):
            return _unknown(case, reason)
        case NotFound():
            return _not_found(case)
        case _:
            assert_never(outcome)


def _success(case: _Case, success: Succeeded, *, conclusive: bool) -> Decision:
    """The wallet says that it is paid. While a cancel may still win this is only noted."""
    charge, attempt = case.charge, case.attempt
    state = attempt.state
    if success.amount != attempt.amount:
        return _wrong_amount(case, success)
    if state is AttemptState.CANCELLED:
        return case.same
    if state in (AttemptState.CAPTURED, AttemptState.SURPLUS):
        known = attempt.paid.payment_id if attempt.paid else success.payment_id
        if success.payment_id == known:
            return _same_payment(case, success)
        detail = f"paid as {known} and again as {success.payment_id}"
        return _break(charge, BreakKind.STATUS_MISMATCH, attempt.id, detail)
    if not conclusive:
        return Decision(charge.with_attempt(replace(attempt, paid=success)))
    paid = replace(attempt, paid=success)
    found = None
    if state is AttemptState.DECLINED:
        detail = f"paid as {success.payment_id} after the final refusal {attempt.code}"
        found = Break(BreakKind.STATUS_MISMATCH, attempt.id, detail)
    others_hold = any(a.state in HOLDING for a in charge.attempts if a.id != attempt.id)
    owed = charge.state in (ChargeState.DUE, ChargeState.IN_FLIGHT, ChargeState.ARREARS)
    if others_hold or not owed:
        refund = surplus_refund(charge.id, attempt.id, attempt.amount, case.at)
        moved = charge.with_attempt(paid.to(AttemptState.SURPLUS))
        return Decision(moved, EntryKind.CAPTURED, refund, found)
    moved = charge.with_attempt(paid.to(AttemptState.CAPTURED))
    done = moved.to(ChargeState.CAPTURED, Action.NOTHING, None)
    return Decision(done, EntryKind.CAPTURED, None, found)


def _same_payment(case: _Case, success: Succeeded) -> Decision:
    """Told again: what the first telling left out (a notification may have no quote) is kept."""
    paid = case.attempt.paid
    if paid is None:
        return case.same
    fuller = replace(
        paid,
        settlement=paid.settlement or success.settlement,
        quote=paid.quote or success.quote,
    )
    return Decision(case.charge.with_attempt(replace(case.attempt, paid=fuller)))


def _wrong_amount(case: _Case, success: Succeeded) -> Decision:
    """Another amount never moves a charge: people look, and the attempt stays in doubt."""
    ours, theirs = case.attempt.amount, success.amount
    same_unit = ours.currency == theirs.currency
    kind = BreakKind.AMOUNT_MISMATCH if same_unit else BreakKind.CURRENCY_MISMATCH
    kept = _unknown(case, kind).charge if case.answers else case.charge
    return _break(kept, kind, case.attempt.id, f"asked {ours}, told {theirs}")


def _declined(case: _Case, code: str) -> Decision:
    """A final no: the debt stays, and the code says whether and when it is tried again."""
    if case.attempt.state not in OPEN:
        if case.attempt.state is AttemptState.CAPTURED:
            detail = f"refused with {code} after it was paid"
            return _break(case.charge, BreakKind.STATUS_MISMATCH, case.attempt.id, detail)
        return case.same
    # What ends while a cancel is out ends as CANCELLED: a success told before it must not count.
    ends = AttemptState.CANCELLED if case.cancelling else AttemptState.DECLINED
    over = replace(case.attempt.to(ends), code=code)
    unlisted = case.cancelling and code not in MEANING
    if unlisted or meaning_of(code) is Meaning.TRY_ANEW:
        return case.due_again(over)
    moved = case.charge.with_attempt(over).refused_with(code, case.at)
    if meaning_of(code) is Meaning.TRY_LATER:
        later = case.at + case.policy.arrears_retry
        return Decision(moved.to(ChargeState.ARREARS, Action.PAY, later))
    return Decision(moved.to(ChargeState.ARREARS, Action.NOTHING, None))


def _unknown(case: _Case, reason: str) -> Decision:
    """In doubt: ask again, for a while; then cancel; after 00:15 only ask, ever more rarely."""
    state, policy = case.attempt.state, case.policy
    if state not in OPEN:
        return case.same
    if state is AttemptState.CANCELLING and case.charge.action is Action.CANCEL:
        return case.same
    least = policy.traffic_backoff if reason == TRAFFIC_LIMIT else policy.inquire_every
    if state is AttemptState.CANCELLING or not case.may_cancel:
        kept = state if state is AttemptState.CANCELLING else AttemptState.UNKNOWN
        return case.open_to(kept, Action.INQUIRE, policy.backoff(least, case.age))
    if case.age >= policy.inquire_for:
        wait = policy.traffic_backoff if reason == TRAFFIC_LIMIT else timedelta(0)
        return case.open_to(AttemptState.CANCELLING, Action.CANCEL, wait)
    return case.open_to(AttemptState.UNKNOWN, Action.INQUIRE, least)


def _not_found(case: _Case) -> Decision:
    """The request never arrived, or not yet: it is sent again with the same bytes, or cancelled."""
    state = case.attempt.state
    if state not in OPEN:
        return case.same
    if state is AttemptState.CANCELLING:
        if case.charge.action is Action.INQUIRE and case.may_cancel:
            return case.open_to(state, Action.CANCEL, case.policy.cancel_every)
        return _unknown(case, "not_found")
    if case.may_cancel and case.age < case.policy.inquire_for:
        return case.open_to(AttemptState.SENT, Action.PAY, timedelta(0))
    return _unknown(case, "not_found")


def _cancel(case: _Case, outcome: CommandOutcome) -> Decision:
    """A cancel that is done wins over any success; one that is refused leaves the question."""
    state, policy = case.attempt.state, case.policy
    if state not in HOLDING:
        return case.same
    match outcome:
        case Done():
            decision = case.due_again(case.attempt.to(AttemptState.CANCELLED))
            book = EntryKind.UNCAPTURED if state is AttemptState.CAPTURED else None
            return replace(decision, book=book)
        case _ if state is not AttemptState.CANCELLING:
            return case.same
        case NotFound():
            return case.due_again(case.attempt.to(AttemptState.ABSENT))
        case Declined(code) if code in (ORDER_IS_CLOSED, CANCEL_WINDOW_EXCEED):
            if case.charge.action is Action.INQUIRE:
                return case.same
            return case.open_to(state, Action.INQUIRE, timedelta(0))
        case Declined(reason) | Unknown(reason):
            least = policy.traffic_backoff if reason == TRAFFIC_LIMIT else policy.cancel_every
            action = Action.CANCEL if case.may_cancel else Action.INQUIRE
            return case.open_to(state, action, policy.backoff(least, case.age))
        case _:
            assert_never(outcome)


def _in_file(case: _Case, row: InFile) -> Decision:
    """The wallet's file is its last word: what it holds was paid."""
    if case.attempt.state is AttemptState.CANCELLED:
        detail = f"cancelled, yet paid in the file of {row.day.isoformat()}"
        return _break(case.charge, BreakKind.STATUS_MISMATCH, case.attempt.id, detail)
    success = Succeeded(row.payment_id, row.paid_at, row.amount)
    if case.attempt.paid and case.attempt.paid.payment_id == row.payment_id:
        success = replace(case.attempt.paid, amount=row.amount)
    return _success(case, success, conclusive=True)


def _not_in_file(case: _Case, row: NotInFile) -> Decision:
    """Only what can no longer be cancelled is decided by absence, and only by several files."""
    attempt = case.attempt
    counts = attempt.state in (AttemptState.UNKNOWN, AttemptState.CANCELLING)
    too_early = row.day < wallet_day(attempt.sent_at) or row.day in attempt.absent_days
    if not counts or case.may_cancel or too_early:
        return case.same
    noted = replace(attempt, absent_days=(*attempt.absent_days, row.day))
    if len(noted.absent_days) < case.policy.absent_files:
        return Decision(case.charge.with_attempt(noted))
    return case.due_again(noted.to(AttemptState.ABSENT))


def _break(charge: Charge, kind: BreakKind, attempt_id: str, detail: str) -> Decision:
    return Decision(charge, found=Break(kind, attempt_id, detail))
