"""A correction at the wallet: unpaid debts are withdrawn, paid ones pay for what stands now."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from transitpay.charging.allotment import Due, Part
from transitpay.charging.charge import (
    Charge,
    ChargePolicy,
    Refusal,
    begin,
    charge_id,
    new_charge,
    release,
)
from transitpay.charging.correcting import (
    Corrected,
    InFlight,
    RefundsAwaited,
    Tied,
    correct,
    due_again,
    new_debts,
    refund_ended,
)
from transitpay.charging.decide import decide
from transitpay.charging.evidence import CancelAnswered, PayAnswered
from transitpay.charging.lifecycle import Action, ChargeState
from transitpay.charging.refund import Refund, RefundState
from transitpay.charging.wallet_port import Declined, Done, Succeeded
from transitpay.money import CNY, HKD, Money

T0 = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
WALLET = "alipayhk"


def money(minor: int) -> Money:
    return Money(minor, HKD)


def flying(name: str, minor: int) -> Charge:
    return begin(new_charge(name, WALLET, money(minor), False, T0), T0, ChargePolicy())


def captured(name: str, minor: int) -> Charge:
    paid = PayAnswered(f"{name}-1", Succeeded(f"w-{name}", T0, money(minor)))
    return decide(flying(name, minor), paid, T0).charge


def refused(name: str, minor: int, at: datetime, code: str = "USER_BALANCE_NOT_ENOUGH") -> Charge:
    return decide(flying(name, minor), PayAnswered(f"{name}-1", Declined(code)), at).charge


def tied(charge: Charge, *parts: tuple[str, int], refunds: tuple[Refund, ...] = ()) -> Tied:
    return Tied(charge, tuple(Part(charge.id, j, minor) for j, minor in parts), refunds)


def corrected(some: list[Tied], ended: set[str], *dues: tuple[str, int]) -> Corrected:
    owed = [Due(journey, money(minor)) for journey, minor in dues]
    found = correct(WALLET, some, ended, owed, (), T0)
    assert isinstance(found, Corrected)
    return found


def refund(charge: Charge, minor: int, state: RefundState) -> Refund:
    return Refund(f"{charge.id}-r1", charge.id, f"{charge.id}-1", money(minor), state, T0, None)


@pytest.mark.parametrize("state", [ChargeState.DUE, ChargeState.ARREARS, ChargeState.HELD])
def test_a_debt_that_holds_no_money_gives_way_to_one_for_the_new_fare(state: ChargeState) -> None:
    charge = new_charge("c1", WALLET, money(1000), state is ChargeState.HELD, T0)
    if state is ChargeState.ARREARS:
        charge = refused("c1", 1000, T0)
    found = corrected([tied(charge, ("j1", 1000))], {"j1"}, ("j1~2", 850))
    assert [it.state for it in found.withdrawn] == [ChargeState.WITHDRAWN]
    (debt,) = found.debts
    then = ChargeState.ARREARS if state is ChargeState.ARREARS else ChargeState.DUE
    assert (debt.journey, debt.charge.amount, debt.charge.state) == ("j1~2", money(850), then)
    assert debt.charge.id != "c1" and found.parts == (Part(debt.charge.id, "j1~2", 850),)
    assert found.refunds == ()


@pytest.mark.parametrize("minor", [850, 1000, 1400])
def test_what_a_correction_makes_of_a_refused_debt_is_refused_and_asked_for_no_sooner(
    minor: int,
) -> None:
    old = refused("c1", 1000, T0 + HOUR)
    (debt,) = corrected([tied(old, ("j1", 1000))], {"j1"}, ("j1~2", minor)).debts
    heir = debt.charge
    assert (heir.state, heir.action) == (ChargeState.ARREARS, Action.PAY)
    assert heir.next_at == old.next_at == T0 + HOUR + ChargePolicy().arrears_retry
    assert heir.refused == Refusal("USER_BALANCE_NOT_ENOUGH", T0 + HOUR) and heir.denies_rider
    assert heir.attempts == ()


def test_of_several_refused_debts_the_earliest_refusal_and_instant_are_inherited() -> None:
    some = [
        tied(refused("c1", 500, T0 + HOUR, "PROCESS_FAIL"), ("j1", 500)),
        tied(refused("c2", 500, T0 + 3 * HOUR), ("j2", 500)),
        tied(refused("c3", 500, T0 + 2 * HOUR), ("j3", 500)),
        tied(captured("c4", 500), ("j4", 500)),
        tied(new_charge("c5", WALLET, money(500), False, T0), ("j5", 500)),
    ]
    (debt,) = corrected(some, {"j1", "j2", "j3", "j4", "j5"}, ("j1~2", 3000)).debts
    assert debt.charge.amount == money(2500)
    assert debt.charge.next_at == T0 + 2 * HOUR + ChargePolicy().arrears_retry
    assert debt.charge.refused == Refusal("PROCESS_FAIL", T0 + HOUR)


def test_what_only_a_person_asks_for_again_stays_with_the_person_after_a_correction() -> None:
    old = refused("c1", 1000, T0, "PROCESS_FAIL")
    (debt,) = corrected([tied(old, ("j1", 1000))], {"j1"}, ("j1~2", 850)).debts
    assert (debt.charge.state, debt.charge.action) == (ChargeState.ARREARS, Action.NOTHING)
    assert debt.charge.next_at is None and debt.charge.denies_rider


def test_a_refusal_that_is_not_the_rider_s_fault_is_not_inherited() -> None:
    old = refused("c1", 1000, T0, "PAYMENT_AMOUNT_EXCEED_LIMIT")
    (debt,) = corrected([tied(old, ("j1", 1000))], {"j1"}, ("j1~2", 850)).debts
    assert (debt.charge.state, debt.charge.refused) == (ChargeState.DUE, None)


def test_a_refused_debt_that_is_corrected_to_nothing_leaves_none() -> None:
    found = corrected([tied(refused("c1", 1000, T0), ("j1", 1000))], {"j1"}, ("j1~2", 0))
    assert found.debts == () and not found.withdrawn[0].denies_rider


def test_a_refused_debt_that_waits_for_a_rate_denies_the_rider_all_the_same() -> None:
    old = tied(refused("c1", 1000, T0), ("j1", 1000))
    found = correct(WALLET, [old], {"j1"}, (), [Due("j1~2", money(70))], T0)
    assert isinstance(found, Corrected)
    (debt,) = found.debts
    assert debt.charge.state is ChargeState.HELD and debt.charge.denies_rider
    assert release(debt.charge, money(64), T0).denies_rider
    (again,) = corrected([tied(debt.charge, ("j1~2", 70))], {"j1~2"}, ("j1~3", 60)).debts
    assert (again.charge.state, again.charge.next_at) == (ChargeState.ARREARS, T0)
    assert again.charge.denies_rider


def test_a_fare_that_waits_for_a_rate_inherits_the_refusal_of_its_own_ride_alone() -> None:
    debt, paid = tied(refused("c1", 1000, T0), ("j1", 1000)), tied(captured("c2", 500), ("j2", 500))
    waits = tied(new_charge("c3", WALLET, money(70), True, T0), ("j3", 70))
    held = [Due("j2~2", money(40)), Due("j3~2", money(60)), Due("j4", money(50))]
    found = correct(
        WALLET, [debt, paid, waits], {"j1", "j2", "j3"}, [Due("j1~2", money(850))], held, T0
    )
    assert isinstance(found, Corrected)
    denies = {it.journey: it.charge.denies_rider for it in found.debts}
    assert denies == {"j1~2": True, "j2~2": False, "j3~2": False, "j4": True}


def test_while_an_attempt_may_hold_money_nothing_is_corrected() -> None:
    some = [tied(captured("c1", 500), ("j1", 500)), tied(flying("c2", 500), ("j2", 500))]
    assert correct(WALLET, some, {"j1", "j2"}, (), (), T0) == InFlight("c2")


def test_a_cheaper_fare_is_one_linked_refund_and_its_part_shrinks() -> None:
    found = corrected([tied(captured("c1", 1000), ("j1", 1000))], {"j1"}, ("j1~2", 850))
    (back,) = found.refunds
    assert (back.id, back.attempt_id, back.amount) == ("c1-r1", "c1-1", money(150))
    assert found.parts == (Part("c1", "j1~2", 850),) and found.debts == ()


def test_what_a_charge_pays_for_others_stays_as_it_is() -> None:
    some = [tied(captured("c1", 1000), ("j1", 400), ("j9", 600))]
    found = corrected(some, {"j1"}, ("j1~2", 700))
    (debt,) = found.debts
    assert debt.charge.amount == money(300)
    assert set(found.parts) == {
        Part("c1", "j1~2", 400),
        Part("c1", "j9", 600),
        Part(debt.charge.id, "j1~2", 300),
    }


def test_a_withdrawn_debt_of_several_journeys_stays_due_for_those_that_stand() -> None:
    unpaid = new_charge("c1", WALLET, money(300), False, T0)
    found = corrected([tied(unpaid, ("j1", 100), ("j2", 200))], {"j1"})
    (debt,) = found.debts
    assert found.parts == (Part(debt.charge.id, "j2", 200),)
    assert debt.charge.amount == money(200)


def test_what_was_given_back_is_gone_and_what_was_refused_is_not() -> None:
    charge = captured("c1", 1000)
    gone = refund(charge, 400, RefundState.UNKNOWN)
    some = tied(charge, ("j1", 600), refunds=(gone,))
    (back,) = corrected([some], {"j1"}).refunds
    assert (back.id, back.amount) == ("c1-r2", money(600))
    refused = replace(gone, state=RefundState.REFUSED)
    some = tied(charge, ("j1", 600), refunds=(refused,))
    found = corrected([some], {"j1"}, ("j1~2", 900))
    assert found.parts == (Part("c1", "j1~2", 900),), "the refused money pays the dearer fare"
    assert [it.amount for it in found.refunds] == [money(100)]


def test_a_payment_that_is_cancelled_after_a_correction_is_due_for_what_it_still_pays() -> None:
    paid = captured("c1", 1000)
    due = decide(paid, CancelAnswered("c1-1", Done("w", T0)), T0).charge
    assert due.state is ChargeState.DUE
    assert due_again(tied(due, ("j1", 1000)), T0) is None
    found = due_again(tied(due, ("j1", 400), ("j2", 200)), T0)
    assert found is not None and [it.id for it in found.withdrawn] == ["c1"]
    (debt,) = found.debts
    assert debt.charge.amount == money(600) and debt.journey == "j1"
    assert found.parts == (Part(debt.charge.id, "j1", 400), Part(debt.charge.id, "j2", 200))
    none = due_again(tied(due), T0)
    assert none is not None and none.debts == () and len(none.withdrawn) == 1


def test_each_currency_is_corrected_alone() -> None:
    some = [tied(captured("c1", 1000), ("j1", 1000))]
    owed = [Due("j1~2", Money(900, CNY))]
    found = correct(WALLET, some, {"j1"}, owed, (), T0)
    assert isinstance(found, Corrected)
    assert [it.amount for it in found.refunds] == [money(1000)]
    assert [it.charge.amount for it in found.debts] == [Money(900, CNY)]


def test_first_journeys_have_a_charge_each_and_free_ones_none() -> None:
    dues = [Due("j1", money(500)), Due("j2", money(0)), Due("j3", money(300))]
    found = correct(WALLET, [], frozenset(), dues, [Due("j4", money(70))], T0)
    assert isinstance(found, Corrected)
    assert {(it.journey, it.charge.id, it.charge.state) for it in found.debts} == {
        ("j1", charge_id("j1"), ChargeState.DUE),
        ("j3", charge_id("j3"), ChargeState.DUE),
        ("j4", charge_id("j4"), ChargeState.HELD),
    }
    assert sum(part.minor for part in found.parts) == 870
    assert new_debts(WALLET, (), (), T0) == ()


def test_a_charge_id_is_opaque_and_the_same_for_the_same_journeys() -> None:
    assert charge_id("a", "b") == charge_id("b", "a") != charge_id("a")
    assert charge_id("2026-11-02/bus-7/17") == "c-kicxtnb2dz7adgkw6tsuuhahfq"


def test_a_correction_from_nothing_is_one_further_charge_for_all_its_journeys() -> None:
    found = corrected([], {"j1", "j2"}, ("j1~2", 500), ("j2~2", 300))
    (debt,) = found.debts
    assert debt.charge.amount == money(800)
    assert found.parts == (Part(debt.charge.id, "j1~2", 500), Part(debt.charge.id, "j2~2", 300))
    assert corrected([], {"j1"}, ("j1~2", 0)) == Corrected()


@pytest.mark.parametrize("state", [RefundState.PREPARED, RefundState.UNKNOWN])
def test_while_a_refund_is_in_doubt_no_more_is_asked_for_and_less_still_goes_back(
    state: RefundState,
) -> None:
    charge = captured("c1", 1000)
    doubtful = tied(charge, ("j1", 600), refunds=(refund(charge, 400, state),))
    owed = [Due("j1~2", money(601))]
    assert correct(WALLET, [doubtful], {"j1"}, owed, (), T0) == RefundsAwaited(doubtful.refunds)
    assert corrected([doubtful], {"j1"}, ("j1~2", 600)).refunds == ()
    assert [it.amount for it in corrected([doubtful], {"j1"}, ("j1~2", 599)).refunds] == [money(1)]


WAIT = ChargePolicy().refund_wait


def after_the_wait(owed_minor: int) -> tuple[Tied, Corrected]:
    """10.00 is collected, 4.00 of it in doubt; after the wait so much is owed for one ride."""
    charge = captured("c1", 1000)
    payment = tied(charge, ("j1", 600), refunds=(refund(charge, 400, RefundState.UNKNOWN),))
    owed = [Due("j1~2", money(owed_minor))]
    just_before = T0 + WAIT - timedelta(microseconds=1)
    assert isinstance(correct(WALLET, [payment], {"j1"}, owed, (), just_before), RefundsAwaited)
    found = correct(WALLET, [payment], {"j1"}, owed, (), T0 + WAIT)
    assert isinstance(found, Corrected)
    return payment, found


@pytest.mark.parametrize(("owed", "awaiting", "due"), [(601, 1, 0), (1000, 400, 0), (1001, 400, 1)])
def test_after_the_wait_what_a_refund_in_doubt_may_pay_awaits_it_and_the_rest_is_due(
    owed: int, awaiting: int, due: int
) -> None:
    _, found = after_the_wait(owed)
    minors = {it.charge.awaits: it.charge.amount.minor for it in found.debts}
    assert minors == {"c1-r1": awaiting} | ({None: due} if due else {})
    assert all((it.charge.next_at is None) == (it.charge.awaits is not None) for it in found.debts)
    assert len({it.charge.id for it in found.debts}) == len(found.debts)
    of = {it.charge.id: it.charge.amount.minor for it in found.debts} | {"c1": 600}
    assert {p.charge_id: p.minor for p in found.parts} == of


@pytest.mark.parametrize("state", [RefundState.REFUNDED, RefundState.REFUSED])
def test_the_end_of_a_refund_makes_what_awaited_it_due_or_pays_it(state: RefundState) -> None:
    payment, found = after_the_wait(1000)
    [debt] = found.debts
    waits = Tied(debt.charge, tuple(p for p in found.parts if p.charge_id == debt.charge.id))
    ended = refund(payment.charge, 400, state)
    paid = tied(payment.charge, ("j1~2", 600), refunds=(ended,))
    now = refund_ended(ended, paid, waits, T0 + WAIT + HOUR)
    if state is RefundState.REFUNDED:
        assert isinstance(now, Charge)
        assert (now.next_at, now.awaits) == (T0 + WAIT + HOUR, None)
    else:
        assert isinstance(now, Corrected) and [it.id for it in now.withdrawn] == [debt.charge.id]
        assert now.parts == (Part("c1", "j1~2", 1000),) and not now.debts and not now.refunds


def test_what_awaits_a_refund_that_is_refused_falls_due_where_a_cancel_returned_the_payment() -> (
    None
):
    payment, found = after_the_wait(1000)
    [debt] = found.debts
    done = CancelAnswered("c1-1", Done("cancelled", T0))
    cancelled = decide(payment.charge, done, T0).charge
    ended = refund(payment.charge, 400, RefundState.REFUSED)
    now = refund_ended(ended, tied(cancelled, refunds=(ended,)), Tied(debt.charge, ()), T0)
    assert isinstance(now, Charge) and now.awaits is None


def test_what_awaits_a_refund_inherits_no_refusal() -> None:
    charge = captured("c1", 1000)
    payment = tied(charge, ("j1", 600), refunds=(refund(charge, 400, RefundState.UNKNOWN),))
    denied = tied(refused("c2", 500, T0), ("j2", 500))
    owed = [Due("j1~2", money(600)), Due("j2~2", money(401))]
    found = correct(WALLET, [payment, denied], {"j1", "j2"}, owed, (), T0 + WAIT)
    assert isinstance(found, Corrected)
    denies = {it.charge.awaits: it.charge.denies_rider for it in found.debts}
    assert denies == {"c1-r1": False, None: True}


def test_two_refunds_in_doubt_are_awaited_by_a_debt_each() -> None:
    one, two = captured("c1", 1000), captured("c2", 500)
    some = [
        tied(one, ("j1", 600), refunds=(refund(one, 400, RefundState.UNKNOWN),)),
        tied(two, ("j2", 300), refunds=(refund(two, 200, RefundState.PREPARED),)),
    ]
    owed = [Due("j1~2", money(900)), Due("j2~2", money(550))]
    found = correct(WALLET, some, {"j1", "j2"}, owed, (), T0 + WAIT)
    assert isinstance(found, Corrected)
    assert {it.charge.awaits: it.charge.amount.minor for it in found.debts} == {
        "c1-r1": 400,
        "c2-r1": 150,
    }
    assert {p.journey: 0 for p in found.parts} == {"j1~2": 0, "j2~2": 0}
    assert sum(p.minor for p in found.parts if p.journey == "j1~2") == 900


def test_a_refund_of_another_attempt_in_doubt_keeps_no_correction_waiting() -> None:
    charge = captured("c1", 1000)
    surplus = replace(refund(charge, 1000, RefundState.UNKNOWN), attempt_id="c1-0")
    found = corrected([tied(charge, ("j1", 1000), refunds=(surplus,))], {"j1"}, ("j1~2", 1200))
    assert [it.charge.amount for it in found.debts] == [money(200)]


def test_refused_money_of_a_fare_that_was_given_back_pays_for_what_stands_later() -> None:
    charge = captured("c1", 1000)
    refused = refund(charge, 1000, RefundState.REFUSED)
    found = corrected([tied(charge, refunds=(refused,))], {"j1~2"}, ("j1~3", 700))
    assert found.debts == () and found.parts == (Part("c1", "j1~3", 700),)
    assert [(it.id, it.amount) for it in found.refunds] == [("c1-r2", money(300))]
