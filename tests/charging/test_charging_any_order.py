"""In any order of evidence a charge keeps its promises, and the table has no dead step."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from transitpay.charging.charge import Attempt, Charge, ChargePolicy, begin, new_charge
from transitpay.charging.decide import decide
from transitpay.charging.evidence import (
    CancelAnswered,
    Evidence,
    InFile,
    InquiryAnswered,
    Notified,
    NotInFile,
    PayAnswered,
)
from transitpay.charging.lifecycle import (
    ATTEMPT_EDGES,
    HOLDING,
    OPEN,
    Action,
    AttemptState,
    ChargeState,
)
from transitpay.charging.result_codes import MEANING
from transitpay.charging.wallet_port import (
    CommandOutcome,
    Declined,
    Done,
    NotFound,
    PaymentOutcome,
    Succeeded,
    Unknown,
)
from transitpay.ledger.journal import EntryKind
from transitpay.money import CNY, Money

T0 = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)
POLICY = ChargePolicy()
DUE = Money(4791, CNY)
PAID = Succeeded("w1", T0, DUE)
TIMEOUT = Unknown("timeout")
REFUSALS = [Declined(code) for code in sorted(MEANING)]
NOTICES: list[Succeeded | Declined] = [PAID, Declined("PROCESS_FAIL")]
PAYMENTS: list[PaymentOutcome] = [PAID, TIMEOUT, NotFound(), *REFUSALS]
COMMANDS: list[CommandOutcome] = [Done(), TIMEOUT, NotFound(), *REFUSALS]


@st.composite
def anything(draw: st.DrawFn) -> Evidence:
    attempt = f"c17-{draw(st.integers(1, 3))}"
    day = date(2026, 11, draw(st.integers(1, 6)))
    kinds: list[Evidence] = [
        PayAnswered(attempt, draw(st.sampled_from(PAYMENTS))),
        InquiryAnswered(attempt, draw(st.sampled_from(PAYMENTS))),
        CancelAnswered(attempt, draw(st.sampled_from(COMMANDS))),
        Notified(attempt, draw(st.sampled_from(NOTICES))),
        InFile(attempt, "w1", T0, DUE, day),
        NotInFile(attempt, day),
    ]
    return draw(st.sampled_from(kinds))


@given(st.lists(st.tuples(st.one_of(st.none(), anything()), st.integers(0, 40_000)), max_size=25))
def test_in_any_order_of_events_the_books_hold_what_the_attempts_hold(
    events: list[tuple[Evidence | None, int]],
) -> None:
    charge, at, booked = new_charge("c17", "alipay", DUE, False, T0), T0, 0
    for evidence, pause in events:
        at += timedelta(seconds=pause)
        before = {a.id: a.state for a in charge.attempts}
        charge = begin(charge, at, POLICY)
        if evidence is not None:
            decision = decide(charge, evidence, at, POLICY)
            again = decide(decision.charge, evidence, at, POLICY)
            assert (again.charge, again.book, again.refund) == (decision.charge, None, None)
            charge = decision.charge
            booked += {EntryKind.CAPTURED: 1, EntryKind.UNCAPTURED: -1, None: 0}[decision.book]
        after = {a.id: a.state for a in charge.attempts}
        for name, old in before.items():
            steps = {(old, new) for new in [after[name]] if new is not old}
            hops = {(old, m) for m in AttemptState} & ATTEMPT_EDGES
            two = {(old, new) for _, m in hops for x, new in ATTEMPT_EDGES if x is m}
            assert steps <= ATTEMPT_EDGES | two
    paid = [a for a in charge.attempts if a.state is AttemptState.CAPTURED]
    surplus = [a for a in charge.attempts if a.state is AttemptState.SURPLUS]
    assert booked == len(paid) + len(surplus)
    assert (charge.state is ChargeState.CAPTURED) == bool(paid)
    assert (charge.state is ChargeState.IN_FLIGHT) == (charge.open_attempt is not None)
    assert sum(a.state in HOLDING for a in charge.attempts) <= 1


def reached() -> set[tuple[AttemptState, AttemptState]]:
    """Every step that some evidence makes of some attempt, tried out."""
    found = set()
    codes = ["USER_BALANCE_NOT_ENOUGH", "ORDER_IS_CLOSED", "CANCEL_WINDOW_EXCEED"]
    refusals = [Declined(code) for code in codes]
    payments: list[PaymentOutcome] = [PAID, TIMEOUT, NotFound(), *refusals]
    commands: list[CommandOutcome] = [Done(), TIMEOUT, NotFound(), *refusals]
    for start in AttemptState:
        for action in (Action.INQUIRE, Action.CANCEL):
            open_now = start in OPEN
            whole = ChargeState.IN_FLIGHT if open_now else ChargeState.DUE
            if start is AttemptState.CAPTURED:
                whole = ChargeState.CAPTURED
            days = (date(2026, 11, 2),)
            attempt = Attempt("c-1", 1, DUE, start, T0, absent_days=days)
            for seconds in (1, 70, 50_000):
                charge = Charge("c", "alipay", DUE, whole, action, T0, (attempt,))
                gone = replace(charge, state=ChargeState.WITHDRAWN)
                every: list[Evidence] = [NotInFile("c-1", date(2026, 11, 4))]
                every += [PayAnswered("c-1", o) for o in payments]
                every += [InquiryAnswered("c-1", o) for o in payments]
                every += [CancelAnswered("c-1", c) for c in commands]
                for evidence in every:
                    for subject in [charge] if open_now else [charge, gone]:
                        if subject is gone and start is AttemptState.CAPTURED:
                            continue
                        after = decide(
                            subject, evidence, T0 + timedelta(seconds=seconds), POLICY
                        ).charge
                        if after.attempts[0].state is not start:
                            found.add((start, after.attempts[0].state))
    return found


def test_the_table_has_no_step_that_nothing_takes() -> None:
    assert reached() == ATTEMPT_EDGES
