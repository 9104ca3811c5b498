"""Decides which collected money pays for which journey after a correction, and what moves for it.

Money that paid for journeys which no longer stand pays for those that stand instead. What is then
missing is one further charge; what is left goes back, in as few refunds as can be.

Worked: a ride of HKD 10.00 becomes one of 8.50: its charge pays 8.50, and 1.50 of it goes back. A
ride of 5.00 becomes one of 7.00: 5.00 of its charge, and a further charge of 2.00.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from transitpay.money import Currency, Money


@dataclass(frozen=True, slots=True)
class Collected:
    """Money of a charge that is free: it paid for ``journey``, which no longer stands.

    ``journey`` empty: it pays for nothing, because a wallet refused to give it back.
    """

    charge_id: str
    attempt_id: str
    journey: str
    amount: Money

    def __post_init__(self) -> None:
        assert self.amount.minor > 0


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be paid for a journey; 0 for a free one."""

    journey: str
    amount: Money

    def __post_init__(self) -> None:
        assert self.amount.minor >= 0


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """So much of a charge pays for a journey."""

    charge_id: str
    journey: str
    minor: int


@dataclass(frozen=True, slots=True, order=True)
class GiveBack:
    """So much of what an attempt collected goes back to the rider."""

    charge_id: str
    attempt_id: str
    minor: int


@dataclass(frozen=True, slots=True)
class Allotment:
    """The parts of all charges that ``pool`` named, and what moves at the wallet: one or neither.

    ``further_minor`` is the amount of the one further charge, 0 if nothing is missing.
    """

    parts: tuple[Part, ...]
    further_minor: int
    give_back: tuple[GiveBack, ...]


def ride_of(journey_id: str) -> str:
    """The natural key in a journey's id: its revisions have it in common."""
    return journey_id.partition("~")[0]


def allot(pool: Iterable[Collected], dues: Iterable[Due], further_id: str) -> Allotment:
    """What pays for ``dues``: one rider, one currency; the order of the input does not matter.

    A journey is paid by the charges of its own earlier revision first. ``further_id`` is the id
    of the further charge, should there be one.
    """
    free = sorted(pool, key=lambda it: (it.charge_id, it.journey))
    owed = sorted(dues, key=lambda it: it.journey)
    assert len({it.journey for it in owed}) == len(owed), "a journey is due once"
    _one_currency([*(it.amount.currency for it in free), *(it.amount.currency for it in owed)])
    left: dict[str, int] = {}
    for it in free:
        left[it.charge_id] = left.get(it.charge_id, 0) + it.amount.minor
    over = sum(left.values()) - sum(it.amount.minor for it in owed)
    back: dict[str, int] = {}
    if over > 0:
        spare, _ = _pay(dict(left), free, owed)
        back = _choose(left, spare, over)
        left = {charge: minor - back.get(charge, 0) for charge, minor in left.items()}
    elif over < 0:
        left[further_id] = -over
    rest, paid = _pay(left, free, owed)
    parts = paid + _pay_rest(rest, owed, paid)
    attempts = {it.charge_id: it.attempt_id for it in free}
    return Allotment(
        _merged(parts),
        max(-over, 0),
        tuple(GiveBack(charge, attempts[charge], back[charge]) for charge in sorted(back)),
    )


def _pay(
    left: dict[str, int], free: list[Collected], owed: list[Due]
) -> tuple[dict[str, int], list[Part]]:
    """Each journey by the charges of its own ride; (what is left of each charge, the parts)."""
    own: dict[str, list[str]] = {}
    for it in free:
        own.setdefault(ride_of(it.journey), []).append(it.charge_id)
    parts: list[Part] = []
    for due in owed:
        missing = due.amount.minor
        for charge in own.get(ride_of(due.journey), ()):
            taken = min(missing, left[charge])
            if taken:
                parts.append(Part(charge, due.journey, taken))
                left[charge] -= taken
                missing -= taken
    return left, parts


def _pay_rest(left: dict[str, int], owed: list[Due], paid: list[Part]) -> list[Part]:
    """What is not paid yet, by whatever is left, in the order of journeys and charges."""
    parts: list[Part] = []
    charges = sorted(left)
    for due in owed:
        missing = due.amount.minor - sum(p.minor for p in paid if p.journey == due.journey)
        for charge in charges:
            taken = min(missing, left[charge])
            if taken:
                parts.append(Part(charge, due.journey, taken))
                left[charge] -= taken
                missing -= taken
        assert missing == 0, "what is missing is the further charge"
    return parts


def _choose(left: dict[str, int], spare: dict[str, int], over: int) -> dict[str, int]:
    """From which charges ``over`` goes back: as few as can be.

    One charge that holds enough gives all, the one that has most to spare first. Otherwise the
    largest give first, which is the least number of them.
    """
    enough = [charge for charge, minor in left.items() if minor >= over]
    if enough:
        return {min(enough, key=lambda it: (-min(spare[it], over), -left[it], it)): over}
    back: dict[str, int] = {}
    for charge in sorted(left, key=lambda it: (-left[it], -spare[it], it)):
        if over:
            back[charge] = min(left[charge], over)
            over -= back[charge]
    return back


def _merged(parts: list[Part]) -> tuple[Part, ...]:
    sums: dict[tuple[str, str], int] = {}
    for part in parts:
        key = (part.charge_id, part.journey)
        sums[key] = sums.get(key, 0) + part.minor
    return tuple(Part(*key, minor) for key, minor in sorted(sums.items()))


def _one_currency(units: list[Currency]) -> None:
    assert len(set(units)) <= 1, "one allotment, one currency"
