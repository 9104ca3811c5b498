"""Decides what a batch of riders' taps becomes: journeys, fares, what is cleared, what waits.

Pure: rows go in, values that are saved in one transaction come out. A tap that cannot be cleared
is set aside with its reason and never stops the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from transitpay.clearing import AwaitRate, Cleared, clear
from transitpay.errors import TransitPayError
from transitpay.fares.fare import Fare
from transitpay.fares.pricing import price
from transitpay.fares.tariff import TariffBook
from transitpay.fx.agreement import Agreement, agreement_on
from transitpay.fx.rate import NotYet, PublishedRate
from transitpay.journeys.assembly import Pending, assemble
from transitpay.journeys.journey import Journey
from transitpay.journeys.late import ClosedJourney, part
from transitpay.journeys.rules import RuleBook
from transitpay.money import Currency
from transitpay.taps import Tap, TapKey

#: (issuer, rider id): who is read again; all slots of a rider are read together.
Rider = tuple[str, str]
Wanted = tuple[Currency, Currency, datetime]

LATE = "late_after_close"
NO_AGREEMENT = "no_agreement"
_LONGEST_RECHECK = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Aside:
    """A tap that is not cleared, with a stable reason."""

    key: TapKey
    reason: str


@dataclass(frozen=True, slots=True)
class Recheck:
    """A rider who must be read again at ``due_at``: a tap or a rate is awaited."""

    rider: Rider
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Assembled:
    """Finished journeys, the taps set aside, and who waits for a tap."""

    journeys: tuple[Journey, ...]
    aside: tuple[Aside, ...]
    rechecks: tuple[Recheck, ...]


@dataclass(frozen=True, slots=True)
class Priced:
    """A journey with its fare and the agreement by which it is charged."""

    journey: Journey
    fare: Fare
    agreement: Agreement

    @property
    def wanted(self) -> Wanted | None:
        """The rate that clearing needs, or None where nothing is converted by us."""
        if not self.agreement.needs_rate:
            return None
        unit = self.fare.amount.currency
        return (unit, self.agreement.charge_currency, self.journey.priced_at)


def assemble_riders(
    taps: Iterable[Tap],
    closed: Iterable[ClosedJourney],
    rules: RuleBook,
    complete_through: Mapping[str, datetime],
    at: datetime,
    retry: timedelta,
) -> Assembled:
    """The journeys of many riders. ``retry`` is the shortest wait before somebody is read again."""
    by_rider: dict[Rider, list[Tap]] = {}
    for tap in taps:
        by_rider.setdefault((tap.rider.issuer, tap.rider.rider_id), []).append(tap)
    closed_of: dict[Rider, list[ClosedJourney]] = {}
    for known in closed:
        closed_of.setdefault((known.rider.issuer, known.rider.rider_id), []).append(known)
    journeys: list[Journey] = []
    aside: list[Aside] = []
    rechecks: list[Recheck] = []
    for rider, of in by_rider.items():
        parted = part(of, closed_of.get(rider, ()), rules)
        aside += [Aside(tap.key, LATE) for tap in parted.late]
        for segment in parted.segments:
            found = assemble(segment, rules, complete_through, at)
            journeys += found.journeys
            aside += [Aside(it.tap.key, str(it.reason)) for it in found.set_aside]
            rechecks += [Recheck(rider, _recheck_pending(it, at, retry)) for it in found.pending]
    return Assembled(tuple(journeys), tuple(aside), tuple(rechecks))


def price_journeys(
    journeys: Iterable[Journey], book: TariffBook, agreements: Sequence[Agreement]
) -> tuple[list[Priced], list[Aside]]:
    """Fares by the tariff and the agreement of the service day; refusals set all taps aside."""
    priced: list[Priced] = []
    aside: list[Aside] = []
    for journey in journeys:
        try:
            tariff = book.tariff(journey.network, journey.service_day)
            fare = price(journey, tariff, journey.rider.issuer)
        except TransitPayError as refusal:
            aside += [Aside(tap.key, refusal.code) for tap in journey.taps]
            continue
        wallet, unit = journey.rider.issuer, fare.amount.currency
        agreement = agreement_on(agreements, wallet, unit, journey.service_day)
        if agreement is None:
            aside += [Aside(tap.key, NO_AGREEMENT) for tap in journey.taps]
        else:
            priced.append(Priced(journey, fare, agreement))
    return priced, aside


def clear_journeys(
    priced: Iterable[Priced],
    rates: Mapping[Wanted, PublishedRate | NotYet | None],
    at: datetime,
    retry: timedelta,
) -> tuple[list[tuple[Journey, Cleared]], list[Recheck]]:
    """What is cleared now, and who waits until the rate log passes the journey."""
    done: list[tuple[Journey, Cleared]] = []
    rechecks: list[Recheck] = []
    for it in priced:
        rate = None if it.wanted is None else rates[it.wanted]
        outcome = clear(it.journey, it.fare, it.agreement, rate)
        if isinstance(outcome, AwaitRate):
            rider = (it.journey.rider.issuer, it.journey.rider.rider_id)
            rechecks.append(Recheck(rider, at + _wait(at - outcome.until, retry)))
        else:
            done.append((it.journey, outcome))
    return done, rechecks


def earliest(rechecks: Iterable[Recheck]) -> list[Recheck]:
    """One recheck a rider, the first that is due."""
    first: dict[Rider, Recheck] = {}
    for it in rechecks:
        known = first.get(it.rider)
        if known is None or it.due_at < known.due_at:
            first[it.rider] = it
    return [first[rider] for rider in sorted(first)]


def _recheck_pending(waiting: Pending, at: datetime, retry: timedelta) -> datetime:
    """When the limit has passed; then, while readers stay silent, ever more rarely."""
    if at <= waiting.due_at:
        return waiting.due_at + retry
    again = at + _wait(at - waiting.due_at, retry)
    return min(again, max(waiting.give_up_at, at) + retry)


def _wait(age: timedelta, retry: timedelta) -> timedelta:
    return max(retry, min(age // 4, _LONGEST_RECHECK))
