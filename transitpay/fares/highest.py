"""The highest plain fare from a stop: what a ride code's ceiling is compared with at an entry.

A matrix gives the highest fare of the stop's row, a bus network the fare of the route. Made from
the tariff book once, when it is loaded, so that nobody at a gate needs the matrix.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from transitpay.fares.names import fold
from transitpay.fares.tariff import FlatFares, Tariff, TariffBook
from transitpay.money import Money

#: The stop of a fare that holds for every route no list names.
ANY_ROUTE = "*"


@dataclass(frozen=True, slots=True)
class HighestFare:
    """The highest fare from ``stop`` (on a bus network: of the route) by one tariff version.

    ``names`` are the stop's other spellings, folded.
    """

    network: str
    stop: str
    valid_from: date
    names: tuple[str, ...]
    fare: Money


def highest_fares(book: TariffBook) -> list[HighestFare]:
    """One a stop, route and version, in the order of network, version and stop."""
    found: list[HighestFare] = []
    for network in book.networks:
        for tariff in book.versions(network):
            found += sorted(_of_tariff(tariff), key=lambda it: it.stop)
    return found


def _of_tariff(tariff: Tariff) -> Iterable[HighestFare]:
    fares = tariff.fares
    if isinstance(fares, FlatFares):
        highest = dict(fares.by_route)
        others = [*fares.holiday_by_route.items()]
        others += [(it[0], minor) for it, minor in fares.by_boarding.items()]
        others += [(it[0], minor) for it, minor in fares.by_section.items()]
        for route, minor in others:
            highest[route] = max(minor, highest.get(route, 0))
        if fares.default_minor is not None:
            highest[ANY_ROUTE] = fares.default_minor
    else:
        # The diagonal is no fare; what is charged at the same station has rules of its own.
        dearest = [0] * len(fares.rows)
        for i, _, minor in fares.priced():
            dearest[i] = max(dearest[i], minor)
        highest = {stop: dearest[fares.area(stop)] for stop in fares.ids}
    names = {stop.id: tuple(sorted({fold(n) for n in stop.names})) for stop in tariff.stops}
    for stop, minor in highest.items():
        yield HighestFare(
            tariff.network, stop, tariff.valid_from, names.get(stop, ()),
            Money(minor, tariff.currency),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class StopFares:
    """Finds the highest fare from a stop in any of its spellings."""

    fares: tuple[HighestFare, ...] = ()
    _versions: Mapping[str, list[tuple[date, dict[str, HighestFare]]]] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        versions: dict[tuple[str, date], dict[str, HighestFare]] = {}
        for it in self.fares:
            spellings = versions.setdefault((it.network, it.valid_from), {})
            for name in {*it.names, it.stop.lstrip("0")}:
                known = spellings.get(name)
                # A name of two stops stands for the dearer one.
                if known is None or known.fare.minor < it.fare.minor:
                    spellings[name] = it
        for it in self.fares:
            versions[it.network, it.valid_from][it.stop] = it
        by_network: dict[str, list[tuple[date, dict[str, HighestFare]]]] = {}
        for (network, begins), spellings in sorted(versions.items(), key=lambda v: v[0]):
            by_network.setdefault(network, []).append((begins, spellings))
        object.__setattr__(self, "_versions", by_network)

    def find(self, network: str, stop: str, day: date) -> HighestFare | None:
        """The highest fare from ``stop`` on a service day; None = no tariff knows the stop."""
        spellings = self._in_force(network, day)
        for name in (stop, stop.lstrip("0"), fold(stop), ANY_ROUTE):
            if name in spellings:
                return spellings[name]
        return None

    def stop_id(self, network: str, stop: str, day: date) -> str:
        """The id of a stop by which two spellings are one; an unknown stop is itself."""
        found = self.find(network, stop, day)
        return stop if found is None or found.stop == ANY_ROUTE else found.stop

    def _in_force(self, network: str, day: date) -> Mapping[str, HighestFare]:
        versions = self._versions.get(network, [])
        return next((names for begins, names in reversed(versions) if begins <= day), {})
