"""Says what a correction does to a rider's charges: the one decision on money at the wallet.

Charges that hold no money are withdrawn, what was collected pays for the journeys that stand now
(``allotment``), and the net is one further charge or refunds. While an attempt may hold money,
nothing is decided: its end is waited for. Nor is more asked for while a refund is in doubt, for a
while: the wallet may refuse it, and then that money pays. After that while what is owed beyond it
is asked for, and the rest once its end is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime

from transitpay.charging.allotment import (
    Allotment,
    Collected,
    Due,
    GiveBack,
    Part,
    allot,
    ride_of,
)
from transitpay.charging.charge import (
    Charge,
    ChargePolicy,
    awaiting,
    awaits_no_more,
    charge_id,
    in_place_of,
    new_charge,
    withdraw,
)
from transitpay.charging.lifecycle import AttemptState, ChargeState
from transitpay.charging.refund import IN_DOUBT, Refund, RefundState
from transitpay.money import Currency, Money


@dataclass(frozen=True, slots=True)
class Tied:
    """A charge with the parts that it pays and all refunds of it so far."""

    charge: Charge
    parts: tuple[Part, ...]
    refunds: tuple[Refund, ...] = ()


@dataclass(frozen=True, slots=True)
class NewDebt:
    """A charge to be made, and the journey that it is first made for."""

    journey: str
    charge: Charge


@dataclass(frozen=True, slots=True)
class Corrected:
    """What is to be saved: each charge's parts replace the ones that it had."""

    withdrawn: tuple[Charge, ...] = ()
    debts: tuple[NewDebt, ...] = ()
    parts: tuple[Part, ...] = ()
    refunds: tuple[Refund, ...] = ()


@dataclass(frozen=True, slots=True)
class InFlight:
    """An attempt of this charge is in doubt: correct once its end is known."""

    charge_id: str


@dataclass(frozen=True, slots=True)
class RefundsAwaited:
    """More is owed, and these refunds are in doubt: correct once their end is known, or later."""

    refunds: tuple[Refund, ...]


def new_debts(
    wallet: str, dues: Iterable[Due], held: Iterable[Due], at: datetime
) -> tuple[NewDebt, ...]:
    """One charge for each journey that is first paid for; ``held`` are fares without a rate."""
    return tuple(
        NewDebt(due.journey, new_charge(charge_id(due.journey), wallet, due.amount, waits, at))
        for waits, some in ((False, dues), (True, held))
        for due in some
        if due.amount.minor
    )


def correct(
    wallet: str,
    tied: Sequence[Tied],
    ended: AbstractSet[str],
    dues: Sequence[Due],
    held: Sequence[Due],
    at: datetime,
    policy: ChargePolicy | None = None,
) -> Corrected | InFlight | RefundsAwaited:
    """What becomes of one rider's charges when the ``ended`` journeys give way to others.

    ``tied`` are all charges with a part for an ended journey, those made for it of which money is
    still to go back, and whatever awaits that money. Where nothing ends, each journey gets a charge
    of its own. A rider who is denied for one of them stays so while anything is owed.
    """
    rules = policy or ChargePolicy()
    flying = [it.charge.id for it in tied if it.charge.state is ChargeState.IN_FLIGHT]
    if flying:
        return InFlight(min(flying))
    waiting = [it for it in tied if it.charge.state is ChargeState.HELD]
    asked = [it for it in tied if it.charge.state is not ChargeState.HELD]
    done = [Corrected(tuple(gone(it.charge) for it in waiting), new_debts(wallet, (), held, at))]
    units = {it.charge.amount.currency for it in asked} | {due.amount.currency for due in dues}
    for unit in sorted(units, key=str):
        some = [it for it in asked if it.charge.amount.currency == unit]
        owed = [due for due in dues if due.amount.currency == unit]
        if not some and not ended:
            done.append(Corrected(debts=new_debts(wallet, owed, (), at)))
            continue
        corrected = _correct(wallet, some, ended, owed, unit, at)
        doubtful = [refund for it in some for refund in _in_doubt(it)]
        if corrected.debts and doubtful:
            if at < min(it.created_at for it in doubtful) + rules.refund_wait:
                return RefundsAwaited(tuple(doubtful))
            corrected = _awaiting(corrected, doubtful)
        done.append(corrected)
    return _inherited(_joined(done), tied)


def due_again(it: Tied, at: datetime) -> Corrected | None:
    """What becomes of a charge whose payment was cancelled after all; None: it is due as it was.

    Where a correction had given back some of it, or was about to, only what it still pays for is
    owed: it gives way to a charge of that.
    """
    owed = sum(part.minor for part in it.parts)
    if it.charge.state is not ChargeState.DUE or owed == it.charge.amount.minor:
        return None
    if not owed:
        return Corrected((gone(it.charge),))
    name = charge_id(it.charge.id, *(part.journey for part in it.parts))
    amount = Money(owed, it.charge.amount.currency)
    debt = NewDebt(it.parts[0].journey, new_charge(name, it.charge.wallet, amount, False, at))
    parts = tuple(Part(name, part.journey, part.minor) for part in it.parts)
    return Corrected((gone(it.charge),), (debt,), parts)


def refund_ended(refund: Refund, payment: Tied, debt: Tied, at: datetime) -> Corrected | Charge:
    """What becomes of a debt that awaited a refund, whose end is known now: as if it had been known
    when the ride was corrected.

    The wallet refused it: the money that it keeps pays, and the debt is gone. It went back, or a
    cancel has returned all of the payment: the debt falls due (a charge, as it is now).
    """
    assert refund.state not in IN_DOUBT, "its end is known"
    kept = refund.state is RefundState.REFUSED and payment.charge.state is ChargeState.CAPTURED
    if not kept or refund.attempt_id != _paid(payment.charge):
        return awaits_no_more(debt.charge, at)
    pays = payment.charge.id
    parts = _merge([*payment.parts, *(replace(part, charge_id=pays) for part in debt.parts)])
    assert sum(part.minor for part in parts) <= left_in(payment), "it keeps as much as is awaited"
    return Corrected(withdrawn=(gone(debt.charge),), parts=parts)


def gone(charge: Charge) -> Charge:
    """The charge, withdrawn. Only one that holds no money is."""
    now = withdraw(charge)
    assert now is not None, f"{charge.state} is not withdrawn"
    return now


def left_in(it: Tied) -> int:
    """What a captured charge still holds: collected, less what was given back.

    A refund that the wallet refused is not given back.
    """
    paid = _paid(it.charge)
    return it.charge.amount.minor - sum(
        r.amount.minor
        for r in it.refunds
        if r.attempt_id == paid and r.state is not RefundState.REFUSED
    )


def _correct(
    wallet: str,
    tied: Sequence[Tied],
    ended: AbstractSet[str],
    dues: Sequence[Due],
    unit: Currency,
    at: datetime,
) -> Corrected:
    captured = [it for it in tied if it.charge.state is ChargeState.CAPTURED]
    unpaid = [it for it in tied if it.charge.state is not ChargeState.CAPTURED]
    owed = {due.journey: due.amount.minor for due in dues}
    for part in (p for it in unpaid for p in it.parts if p.journey not in ended):
        # The charge is withdrawn, so what it would have paid for others is due again.
        owed[part.journey] = owed.get(part.journey, 0) + part.minor
    pool = [free for it in captured for free in _freed(it, ended, unit)]
    further = charge_id(*ended, *owed, unit.code)
    again = [Due(journey, Money(minor, unit)) for journey, minor in owed.items()]
    found = allot(pool, again, further)
    return Corrected(
        tuple(gone(it.charge) for it in unpaid),
        _further(wallet, found, further, unit, at),
        _merge([*(p for it in captured for p in it.parts if p.journey not in ended), *found.parts]),
        tuple(_refund(back, captured, unit, at) for back in found.give_back),
    )


def _freed(it: Tied, ended: AbstractSet[str], unit: Currency) -> list[Collected]:
    """Money of a captured charge that pays for nothing any more."""
    paid = _paid(it.charge)
    free = [
        Collected(p.charge_id, paid, p.journey, Money(p.minor, unit))
        for p in it.parts
        if p.journey in ended
    ]
    idle = left_in(it) - sum(p.minor for p in it.parts)
    assert idle >= 0, "parts are at most what the charge holds"
    return [*free, Collected(it.charge.id, paid, "", Money(idle, unit))] if idle else free


def _further(
    wallet: str, found: Allotment, further: str, unit: Currency, at: datetime
) -> tuple[NewDebt, ...]:
    if not found.further_minor:
        return ()
    first = min(p.journey for p in found.parts if p.charge_id == further)
    charge = new_charge(further, wallet, Money(found.further_minor, unit), False, at)
    return (NewDebt(first, charge),)


def _refund(back: GiveBack, captured: Sequence[Tied], unit: Currency, at: datetime) -> Refund:
    it = next(it for it in captured if it.charge.id == back.charge_id)
    refund_id = f"{back.charge_id}-r{len(it.refunds) + 1}"
    amount = Money(back.minor, unit)
    assert back.minor <= left_in(it), "no more than is left"
    return Refund(refund_id, back.charge_id, back.attempt_id, amount, RefundState.PREPARED, at, at)


def _in_doubt(it: Tied) -> list[Refund]:
    """Refunds of what was captured to which the wallet has not said yes or no."""
    if it.charge.state is not ChargeState.CAPTURED:
        return []
    paid = _paid(it.charge)
    return [r for r in it.refunds if r.state in IN_DOUBT and r.attempt_id == paid]


def _awaiting(corrected: Corrected, doubtful: Sequence[Refund]) -> Corrected:
    """The same, with the one further charge divided: what the money of a refund in doubt would pay
    awaits that refund in a charge of its own, and only what is missing in any case is due now.

    Worked: 20 is missing and refunds of 12 and 5 are in doubt: 12 and 5 await, 3 is due.
    """
    [debt] = corrected.debts
    whole, rest = debt.charge, [p for p in corrected.parts if p.charge_id == debt.charge.id]
    debts: list[NewDebt] = []
    parts = [p for p in corrected.parts if p.charge_id != whole.id]
    for refund in sorted(doubtful, key=lambda it: it.id):
        name = charge_id(whole.id, refund.id)
        paid, rest = _up_to(rest, refund.amount.minor, name)
        if paid:
            debts.append(_debt(whole, paid))
            debts[-1] = replace(debts[-1], charge=awaiting(debts[-1].charge, refund.id))
            parts += paid
    if rest:
        debts.append(_debt(whole, rest))
    return replace(corrected, debts=tuple(debts), parts=tuple(sorted([*parts, *rest])))


def _up_to(parts: Sequence[Part], most: int, name: str) -> tuple[list[Part], list[Part]]:
    """(``most`` of the parts, in their order, as those of another charge; what is left of them)."""
    taken: list[Part] = []
    left: list[Part] = []
    for part in sorted(parts):
        minor = min(part.minor, most)
        most -= minor
        if minor:
            taken.append(Part(name, part.journey, minor))
        if part.minor > minor:
            left.append(replace(part, minor=part.minor - minor))
    return taken, left


def _debt(whole: Charge, parts: Sequence[Part]) -> NewDebt:
    amount = Money(sum(p.minor for p in parts), whole.amount.currency)
    return NewDebt(
        min(p.journey for p in parts), replace(whole, id=parts[0].charge_id, amount=amount)
    )


def _paid(charge: Charge) -> str:
    return next(a.id for a in charge.attempts if a.state is AttemptState.CAPTURED)


def _merge(parts: Iterable[Part]) -> tuple[Part, ...]:
    sums: dict[tuple[str, str], int] = {}
    for part in parts:
        key = (part.charge_id, part.journey)
        sums[key] = sums.get(key, 0) + part.minor
    return tuple(Part(*key, minor) for key, minor in sorted(sums.items()))


def _inherited(found: Corrected, tied: Sequence[Tied]) -> Corrected:
    debts = tuple(
        replace(it, charge=in_place_of(it.charge, _replaced(it, tied))) for it in found.debts
    )
    return replace(found, debts=debts)


def _replaced(debt: NewDebt, tied: Sequence[Tied]) -> list[Charge]:
    """The charges whose refusal the debt inherits: all of them, as one debt takes their place.

    A fare that waits for a rate is a debt of its own ride, and no wallet is asked for it: that of
    another ride, which may be paid, is not inherited where the charges of its own are known.
    """
    if debt.charge.state is ChargeState.HELD:
        ride = ride_of(debt.journey)
        own = [it.charge for it in tied if any(ride_of(p.journey) == ride for p in it.parts)]
        if own:
            return own
    return [it.charge for it in tied]


def _joined(done: Sequence[Corrected]) -> Corrected:
    """All of it; a charge of one journey alone has one part."""
    parts = [part for it in done for part in it.parts]
    shared = {part.charge_id for part in parts}
    debts = tuple(debt for it in done for debt in it.debts)
    alone = [
        Part(debt.charge.id, debt.journey, debt.charge.amount.minor)
        for debt in debts
        if debt.charge.id not in shared
    ]
    return Corrected(
        tuple(charge for it in done for charge in it.withdrawn),
        debts,
        tuple(sorted((*parts, *alone))),
        tuple(refund for it in done for refund in it.refunds),
    )
