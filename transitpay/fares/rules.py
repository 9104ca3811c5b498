"""How taps become journeys on each network and day of a tariff book, for the assembly."""

from __future__ import annotations

from datetime import date, timedelta

from transitpay.errors import TransitPayError
from transitpay.fares.tariff import FlatFares, Tariff, TariffBook
from transitpay.journeys.rules import Habit, JourneyRules, RuleBook


def rules_of(tariff: Tariff) -> JourneyRules:
    """The rules of one version."""
    terms = tariff.terms
    habit = terms.habit
    return JourneyRules(
        limit=_minutes(terms.limit_minutes),
        longest_stay=_minutes(terms.longest_stay_minutes),
        delayed_stay=timedelta(hours=terms.delayed_stay_hours),
        max_wait=timedelta(hours=terms.max_wait_hours),
        passback=timedelta(minutes=terms.passback_minutes),
        ride_limit=_minutes(terms.ride_limit_minutes),
        waiting=_waiting(tariff),
        late_window=timedelta(days=terms.late_window_days),
        discount_wait=frozenset().union(*(it.after for it in terms.transfers if it.is_by_code)),
        companions_wait=terms.companions_count,
        habit=None if habit is None else Habit(habit.times, habit.days, habit.a_month),
    )


def rule_book(book: TariffBook) -> RuleBook:
    """The rules of every version of the book; a day before the first version has none.

    The id of a stop or route is that of the version in force, by whatever name it goes there; a
    text that the version does not know, or knows as more than one stop, is its own id.
    """

    def stop_id(network: str, day: date, text: str) -> str:
        try:
            return book.tariff(network, day).find_stop(text).id
        except TransitPayError:
            return text

    versions = {
        network: [(tariff.valid_from, rules_of(tariff)) for tariff in book.versions(network)]
        for network in book.networks
    }
    return RuleBook(versions, stop_id)


def _waiting(tariff: Tariff) -> frozenset[str]:
    """The routes of which the fare is not known before riders alight: those with sections."""
    if not tariff.terms.forgotten_alighting_full or not isinstance(tariff.fares, FlatFares):
        return frozenset()
    return tariff.fares.sectional_routes


def _minutes(of: int | None) -> timedelta | None:
    return None if of is None else timedelta(minutes=of)
