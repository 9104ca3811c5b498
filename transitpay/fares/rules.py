"""How taps become journeys in each network of a tariff book, for the assembly of journeys."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from transitpay.fares.tariff import Tariff, TariffBook
from transitpay.journeys.journey import JourneyRules


def rules_of(tariff: Tariff) -> JourneyRules:
    """The rules of one version."""
    terms = tariff.terms
    max_wait = timedelta(hours=terms.max_wait_hours)
    if terms.limit_minutes is None or terms.longest_stay_minutes is None:
        return JourneyRules(max_wait=max_wait)
    return JourneyRules(
        limit=timedelta(minutes=terms.limit_minutes),
        longest_stay=timedelta(minutes=terms.longest_stay_minutes),
        max_wait=max_wait,
    )


def journey_rules(book: TariffBook, day: date | None = None) -> Mapping[str, JourneyRules]:
    """The rules of every network of the book: of the version of a day, or of the newest.

    A network whose first version begins after ``day`` has no rules on that day.
    """
    rules: dict[str, JourneyRules] = {}
    for network in book.networks:
        if day is None:
            rules[network] = rules_of(book.latest(network))
        elif book.versions(network)[0].valid_from <= day:
            rules[network] = rules_of(book.tariff(network, day))
    return rules
