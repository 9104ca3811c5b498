"""Decides for a batch of riders which journeys ought to stand, and what that changes in the books.

Pure: rows go in, values that are saved in one transaction come out. A tap that cannot be cleared
is set aside with its reason and never stops the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from transitpay.clearing import AwaitRate, Cleared, clear
from transitpay.clock import day_start, service_day
from transitpay.comparison import Booked, Changes, compare
from transitpay.fares.fare import Priced, Unpriced
from transitpay.fares.rider_pricing import price_all
from transitpay.fares.rules import rules_of
from transitpay.fares.tariff import TariffBook
from transitpay.fx.agreement import Agreement, agreement_on
from transitpay.fx.rate import NotYet, PublishedRate
from transitpay.journeys.assembly import Assembly, Pending, assemble
from transitpay.journeys.journey import Journey, JourneyKind
from transitpay.journeys.rules import RuleBook
from transitpay.journeys.statements import Statement
from transitpay.journeys.station_modes import StationMode
from transitpay.money import Currency
from transitpay.taps import Tap, TapKey

#: (issuer, rider id): who is read again; all slots of a rider are read together.
Rider = tuple[str, str]
Wanted = tuple[Currency, Currency, datetime]
ClearedJourney = tuple[Journey, Cleared]

NO_AGREEMENT = "no_agreement"
#: Beyond the longest stay: repeated taps, and clocks of readers that differ.
_MARGIN = timedelta(hours=1)
#: A week that began in the month before counts with its first days.
_WEEK = timedelta(days=7)
_LONGEST_RECHECK = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Aside:
    """A tap that is not cleared, with a stable reason."""

    key: TapKey
    reason: str


@dataclass(frozen=True, slots=True)
class Recheck:
    """A rider who must be read again at ``due_at``: a tap, a rate or a wallet is awaited.

    ``since`` is the first instant that is then concerned.
    """

    rider: Rider
    due_at: datetime
    since: datetime


@dataclass(frozen=True, slots=True)
class Horizon:
    """Journeys that begin from ``since`` on are compared with what is booked.

    Taps are read from ``taps_from`` on, so that journeys across ``since`` are made as they are;
    booked journeys from ``history_from`` on count where the rides of a month change a fare.
    """

    since: datetime
    taps_from: datetime
    history_from: datetime


@dataclass(frozen=True, slots=True)
class Settings:
    """What tariffs say of how far back is read.

    A change at an instant changes no journey that began longer than ``reach`` before it, or
    ``delayed`` where an operator caused a delay. ``habit`` is the longest period of any habit;
    ``networks`` are those where earlier rides of a month or a week change a fare.
    """

    reach: timedelta
    delayed: timedelta
    habit: timedelta | None
    networks: frozenset[str]

    def horizon(self, concerned: datetime, *, delays: bool) -> Horizon:
        """The horizon of a rider of whom nothing before ``concerned`` is concerned."""
        reach = self.delayed if delays else self.reach
        since = concerned - reach
        return Horizon(since, since - reach, min(_month(since) - _WEEK, since - reach))

    def for_habits(self, horizon: Horizon) -> Horizon:
        """The same for a rider of whom an exit is missing, which a habit may fill.

        How often habits have filled one in the month counts, and rides before it make a habit.
        """
        habit = self.habit or timedelta(0)
        taps_from = _month(horizon.since) - habit - self.delayed
        return replace(horizon, taps_from=min(taps_from, horizon.taps_from))


def _month(at: datetime) -> datetime:
    return day_start(service_day(at).replace(day=1))


def settings_of(book: TariffBook) -> Settings:
    """What all versions of the book together need."""
    tariffs = [tariff for network in book.networks for tariff in book.versions(network)]
    rules = [rules_of(tariff) for tariff in tariffs]
    none = timedelta(0)
    plain = [(it.longest_stay or it.ride_limit or none) + it.passback for it in rules]
    delayed = [it.longest_delayed + it.passback for it in rules if it.gated]
    days = [it.habit.days for it in rules if it.habit is not None]
    counting = {it.network for it in tariffs if it.terms.month_tiers is not None}
    counting |= {of for it in tariffs for cap in it.terms.caps for of in cap.networks}
    return Settings(
        max(plain, default=none) + _MARGIN,
        max([*plain, *delayed], default=none) + _MARGIN,
        timedelta(days=max(days)) if days else None,
        frozenset(counting),
    )


@dataclass(frozen=True, slots=True)
class Known:
    """What holds for all riders of a batch. ``retry`` is the shortest wait before a rider is
    read again."""

    book: TariffBook
    rules: RuleBook
    agreements: tuple[Agreement, ...]
    complete_through: Mapping[str, datetime]
    modes: tuple[StationMode, ...]
    at: datetime
    retry: timedelta


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one rider: all accepted taps of the horizon, and what is booked."""

    rider: Rider
    horizon: Horizon
    taps: Sequence[Tap]
    booked: Sequence[Booked]
    statements: Sequence[Statement]


@dataclass(frozen=True, slots=True)
class Reading:
    """What one rider's facts come to. ``aside`` are all taps that make no journey now.

    ``lacks_exit``: a journey has no tap for its end, so habits matter.
    """

    rider: Rider
    changes: Changes
    aside: tuple[Aside, ...]
    rechecks: tuple[Recheck, ...]
    lacks_exit: bool


def read_rider(facts: Facts, known: Known) -> Reading:
    """The journeys that ought to stand, their fares, and the difference to what is booked."""
    since = facts.horizon.since
    found = assemble(
        facts.taps,
        known.rules,
        known.complete_through,
        known.at,
        modes=known.modes,
        statements=facts.statements,
    )
    journeys = [it for it in found.journeys if it.first_tap.at >= since]
    history = [it.priced for it in facts.booked if it.journey.first_tap.at < since]
    ought: list[Priced] = []
    refused: list[Unpriced] = []
    for it in price_all(journeys, known.book, history):
        if isinstance(it, Unpriced):
            refused.append(it)
        elif _agreement(it, known.agreements) is None:
            refused.append(Unpriced(it.journey, NO_AGREEMENT, "no agreement with the wallet"))
        else:
            ought.append(it)
    changes = compare(
        ought,
        [it for it in facts.booked if it.journey.first_tap.at >= since],
        {tap.key for tap in facts.taps},
        {it.tap.key for it in found.pending},
        [it.journey for it in refused],
    )
    waits = [_recheck_pending(facts.rider, it, known) for it in found.pending]
    aside = _aside(found, refused, changes, since)
    lacks = any(it.entry is not None and it.exit is None and _is_gated(it) for it in journeys)
    return Reading(facts.rider, changes, aside, tuple(waits), lacks)


def _is_gated(journey: Journey) -> bool:
    return journey.kind is JourneyKind.ENTRY_EXIT


def _aside(
    found: Assembly, refused: Sequence[Unpriced], changes: Changes, since: datetime
) -> tuple[Aside, ...]:
    booked = {key for it in changes.kept for key in it.taps}
    alone = [Aside(it.tap.key, it.reason) for it in found.set_aside if it.tap.at >= since]
    alone += [Aside(tap.key, it.code) for it in refused for tap in it.journey.taps]
    return tuple(it for it in alone if it.key not in booked)


@dataclass(frozen=True, slots=True)
class Booking:
    """What is booked of one reading: new journeys, and a correction or None.

    A correction is all or nothing: it waits until each journey that replaces has its rate.
    """

    reading: Reading
    new: tuple[ClearedJourney, ...]
    replacing: tuple[ClearedJourney, ...]
    corrects: bool
    rechecks: tuple[Recheck, ...]

    def without_correction(self, due_at: datetime) -> Booking:
        """The same, with the correction left for later."""
        wait = Recheck(self.reading.rider, due_at, _corrected_since(self.reading))
        return replace(self, corrects=False, replacing=(), rechecks=(*self.rechecks, wait))


def wanted_rates(readings: Iterable[Reading], known: Known) -> list[Wanted]:
    """The rates that clearing these needs."""
    wanted: list[Wanted] = []
    for reading in readings:
        for it in (*reading.changes.new, *reading.changes.replacing):
            want = _wanted(it, _agreed(it, known))
            if want is not None:
                wanted.append(want)
    return wanted


def book_reading(
    reading: Reading,
    rates: Mapping[Wanted, PublishedRate | NotYet | None],
    revisions: Mapping[TapKey, int],
    known: Known,
) -> Booking:
    """What is cleared now, and what waits until the rate log passes a journey."""
    rechecks: list[Recheck] = []
    done: list[list[ClearedJourney]] = []
    for several in (reading.changes.new, reading.changes.replacing):
        cleared: list[ClearedJourney] = []
        for it in several:
            agreement = _agreed(it, known)
            want = _wanted(it, agreement)
            rate = None if want is None else rates[want]
            revision = revisions.get(it.journey.key, 0) + 1
            outcome = clear(it.journey, it.fare, agreement, rate, revision)
            if isinstance(outcome, AwaitRate):
                due_at = known.at + wait(known.at - outcome.until, known.retry)
                rechecks.append(Recheck(reading.rider, due_at, it.journey.first_tap.at))
            else:
                cleared.append((it.journey, outcome))
        done.append(cleared)
    new, replacing = done
    whole = len(replacing) == len(reading.changes.replacing)
    if not whole:
        due_at = min(it.due_at for it in rechecks)
        rechecks.append(Recheck(reading.rider, due_at, _corrected_since(reading)))
    corrects = whole and bool(reading.changes.ended)
    return Booking(
        reading, tuple(new), tuple(replacing) if corrects else (), corrects, tuple(rechecks)
    )


def earliest(rechecks: Iterable[Recheck]) -> list[Recheck]:
    """One recheck a rider: the first that is due, for all that is concerned."""
    first: dict[Rider, Recheck] = {}
    for it in rechecks:
        known = first.get(it.rider, it)
        due_at, since = min(known.due_at, it.due_at), min(known.since, it.since)
        first[it.rider] = Recheck(it.rider, due_at, since)
    return [first[rider] for rider in sorted(first)]


def wait(age: timedelta, retry: timedelta) -> timedelta:
    """How long to wait for what has been awaited for ``age``: ever longer, an hour at most."""
    return max(retry, min(age // 4, _LONGEST_RECHECK))


def _corrected_since(reading: Reading) -> datetime:
    return min(it.booked.journey.first_tap.at for it in reading.changes.ended)


def _recheck_pending(rider: Rider, waiting: Pending, known: Known) -> Recheck:
    """When the limit has passed; then, while readers stay silent, ever more rarely."""
    at, retry = known.at, known.retry
    if at <= waiting.due_at:
        return Recheck(rider, waiting.due_at + retry, waiting.tap.at)
    again = at + wait(at - waiting.due_at, retry)
    return Recheck(rider, min(again, max(waiting.give_up_at, at) + retry), waiting.tap.at)


def _agreement(it: Priced, agreements: Sequence[Agreement]) -> Agreement | None:
    journey, fare = it.journey, it.fare
    wallet, unit = journey.rider.issuer, fare.amount.currency
    return agreement_on(agreements, wallet, unit, journey.service_day)


def _agreed(it: Priced, known: Known) -> Agreement:
    found = _agreement(it, known.agreements)
    assert found is not None, "what has no agreement is set aside"
    return found


def _wanted(it: Priced, agreement: Agreement) -> Wanted | None:
    """The rate that clearing needs, or None where nothing is converted by us."""
    if not agreement.needs_rate or it.fare.amount.minor == 0:
        return None
    return (it.fare.amount.currency, agreement.charge_currency, it.journey.priced_at)
