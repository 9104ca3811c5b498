"""What gateways are told of tariffs beside highest fares: names of stops, wallets, claims.

Made from the tariff book when it is loaded, so that nobody who answers a rider needs the tariffs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from transitpay.fares.names import Language
from transitpay.fares.tariff import Stop, TariffBook


@dataclass(frozen=True, slots=True)
class StopName:
    """A station, a route or a bus stop as riders read it."""

    network: str
    stop: str
    zh_hant: str
    zh_hans: str
    en: str


@dataclass(frozen=True, slots=True)
class JourneyTerms:
    """What one version of a tariff says of wallets and of journeys with a missing end.

    ``longest_stay`` is the longest stay that an exit closes, None on networks without gates.
    ``a_month`` and ``within_days`` are the quota of declarations, None where riders make none.
    ``wallets`` are those whose codes the network takes, empty where it takes those of all.
    """

    network: str
    valid_from: date
    longest_stay: timedelta | None
    a_month: int | None
    within_days: int | None
    wallets: frozenset[str] = frozenset()


def stop_names(book: TariffBook) -> list[StopName]:
    """The names of every stop as its newest version has them, in the order of network and id."""
    found: dict[tuple[str, str], StopName] = {}
    for network in book.networks:
        for tariff in book.versions(network):
            stops: Iterable[Stop] = (*tariff.boarding_stops, *tariff.stops)
            found |= {(network, it.id): _named(network, it) for it in stops}
    return [found[key] for key in sorted(found)]


def journey_terms(book: TariffBook) -> list[JourneyTerms]:
    """Of every version, in the order of network and day."""
    return [
        JourneyTerms(
            network,
            tariff.valid_from,
            None
            if tariff.terms.longest_stay_minutes is None
            else timedelta(minutes=tariff.terms.longest_stay_minutes),
            None if tariff.terms.claims is None else tariff.terms.claims.a_month,
            None if tariff.terms.claims is None else tariff.terms.claims.within_days,
            tariff.terms.wallets,
        )
        for network in book.networks
        for tariff in book.versions(network)
    ]


def _named(network: str, stop: Stop) -> StopName:
    return StopName(
        network,
        stop.id,
        stop.name(Language.ZH_HANT),
        stop.name(Language.ZH_HANS),
        stop.name(Language.EN),
    )


def limited_networks(terms: Iterable[JourneyTerms]) -> dict[str, tuple[JourneyTerms, ...]]:
    """The terms of networks that do not take the codes of every wallet, in the order given."""
    of: dict[str, list[JourneyTerms]] = {}
    for it in terms:
        of.setdefault(it.network, []).append(it)
    return {name: tuple(all_) for name, all_ in of.items() if any(it.wallets for it in all_)}


def takes_codes(terms: Iterable[JourneyTerms], wallet: str, day: date) -> bool:
    """Whether a network takes codes of ``wallet`` on a service day, as far as anybody said.

    ``terms`` are the network's, in the order of their days.
    """
    in_force = [it for it in terms if it.valid_from <= day]
    return not in_force or not in_force[-1].wallets or wallet in in_force[-1].wallets
