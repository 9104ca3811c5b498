"""Whatever becomes of refunds in doubt, and whenever, the rider pays what the rides cost, once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from transitpay.charging.allotment import Due
from transitpay.charging.charge import Charge, ChargePolicy, begin
from transitpay.charging.correcting import (
    Corrected,
    RefundsAwaited,
    Tied,
    correct,
    left_in,
    refund_ended,
)
from transitpay.charging.decide import decide
from transitpay.charging.evidence import PayAnswered
from transitpay.charging.lifecycle import ChargeState
from transitpay.charging.refund import IN_DOUBT, Refund, RefundState
from transitpay.charging.wallet_port import Succeeded
from transitpay.money import HKD, Money

WALLET = "alipayhk"
POLICY = ChargePolicy()
#: What the two rides cost after each correction; then which refunds end, and how.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 9), st.integers(0, 9)),
        st.tuples(st.just("ends"), st.sampled_from([RefundState.REFUNDED, RefundState.REFUSED])),
        st.just(("pays", None)),
    ),
    max_size=12,
)


@dataclass
class Rider:
    """One rider's charges as the database would have them; two rides, each with its revision."""

    at: datetime = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)
    tied: dict[str, Tied] = field(default_factory=dict)
    cost: dict[str, int] = field(default_factory=dict)
    revision: int = 0

    def ride(self, *costs: int) -> None:
        """The rides cost this now: a first booking, or a correction after the wait is over."""
        ended = frozenset(self.cost)
        self.revision += 1
        self.at += POLICY.refund_wait
        cost = {f"j{n}~{self.revision}": minor for n, minor in enumerate(costs)}
        dues = [Due(journey, Money(minor, HKD)) for journey, minor in cost.items()]
        found = correct(WALLET, list(self.tied.values()), ended, dues, (), self.at, POLICY)
        assert isinstance(found, Corrected)
        doubtful = sum(it.amount.minor for it in self.refunds() if it.state in IN_DOUBT)
        awaiting = sum(it.charge.amount.minor for it in found.debts if it.charge.awaits)
        if any(it.charge.awaits is None for it in found.debts):
            assert awaiting == doubtful, "no more is asked for than no refund can pay"
        self.save(found, cost)
        if found.debts and doubtful:
            soon = min(it.created_at for it in self.refunds() if it.state in IN_DOUBT)
            early = soon + POLICY.refund_wait - timedelta(seconds=1)
            again = correct(
                WALLET, list(self.tied.values()), frozenset(cost),
                [Due(f"{it.journey}x", it.amount) for it in dues], (), early, POLICY,
            )  # fmt: skip
            assert isinstance(again, RefundsAwaited), "before the wait is over it waits"

    def save(self, found: Corrected, cost: dict[str, int]) -> None:
        for it in found.withdrawn:
            del self.tied[it.id]
        for debt in found.debts:
            assert debt.charge.id not in self.tied
            self.tied[debt.charge.id] = Tied(debt.charge, ())
        for name, it in self.tied.items():
            own = tuple(p for p in found.parts if p.charge_id == name)
            gone = tuple(r for r in found.refunds if r.charge_id == name)
            self.tied[name] = Tied(it.charge, own, (*it.refunds, *gone))
        self.cost = cost
        self.check()

    def refunds(self) -> list[Refund]:
        return [refund for it in self.tied.values() for refund in it.refunds]

    def ends(self, state: RefundState) -> None:
        """The wallet says what became of the oldest refund in doubt."""
        doubtful = sorted((it for it in self.refunds() if it.state in IN_DOUBT), key=lambda r: r.id)
        if not doubtful:
            return
        ended = replace(doubtful[0], state=state, next_at=None)
        it = self.tied[ended.charge_id]
        known = tuple(ended if r.id == ended.id else r for r in it.refunds)
        self.tied[ended.charge_id] = paid = replace(it, refunds=known)
        for waits in [w for w in self.tied.values() if w.charge.awaits == ended.id]:
            found = refund_ended(ended, paid, waits, self.at)
            assert isinstance(found, Charge) is (state is RefundState.REFUNDED), "asked for once"
            if isinstance(found, Charge):
                self.tied[found.id] = replace(waits, charge=found)
            else:
                del self.tied[waits.charge.id]
                self.tied[ended.charge_id] = replace(paid, parts=found.parts)
        self.check()

    def pays(self, _: None = None) -> None:
        """Whatever is asked for is paid."""
        for name, it in self.tied.items():
            if it.charge.state is ChargeState.DUE and it.charge.next_at is not None:
                flying = begin(it.charge, self.at, POLICY)
                told = Succeeded(f"w-{name}", self.at, it.charge.amount)
                paid = decide(flying, PayAnswered(f"{name}-1", told), self.at).charge
                self.tied[name] = replace(it, charge=paid)
        self.check()

    def check(self) -> None:
        """Rides are paid for by parts, and no charge pays more than it has or asks for."""
        for journey, minor in self.cost.items():
            parts = [p.minor for it in self.tied.values() for p in it.parts if p.journey == journey]
            assert sum(parts) == minor
        for it in self.tied.values():
            held = left_in(it) if it.charge.state is ChargeState.CAPTURED else None
            used = sum(p.minor for p in it.parts)
            assert used == it.charge.amount.minor if held is None else 0 <= used <= held
        awaited = [it.charge.awaits for it in self.tied.values() if it.charge.awaits]
        assert len(set(awaited)) == len(awaited), "a refund pays one debt"


@given(STEPS, st.sampled_from([RefundState.REFUNDED, RefundState.REFUSED]))
def test_the_rider_pays_what_the_rides_cost_whatever_becomes_of_the_refunds(
    steps: list[tuple[object, object]], last: RefundState
) -> None:
    rider = Rider()
    rider.ride(5, 5)
    rider.pays()
    for what, how in steps:
        if what == "pays":
            rider.pays()
        elif what == "ends":
            assert isinstance(how, RefundState)
            rider.ends(how)
        else:
            assert isinstance(what, int) and isinstance(how, int)
            rider.ride(what, how)
    while any(it.state in IN_DOUBT for it in rider.refunds()):
        rider.ends(last)
    rider.pays()
    collected = sum(it.charge.amount.minor for it in rider.tied.values())
    back = sum(it.amount.minor for it in rider.refunds() if it.state is RefundState.REFUNDED)
    kept = sum(it.amount.minor for it in rider.refunds() if it.state is RefundState.REFUSED)
    assert 0 <= collected - back - sum(rider.cost.values()) <= kept
