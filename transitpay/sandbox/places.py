"""Where the sandbox's riders travel: stations and routes of the tariff book, each with readers.

The same places exist with and without the public data; with it, further stations are drawn from
the published tables by the seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from transitpay.destinations import DESTINATIONS
from transitpay.fares.tariff import TariffBook
from transitpay.money import CNY, Money
from transitpay.sandbox.sections import section_end
from transitpay.taps import Direction

HONG_KONG, SHENZHEN, GUANGZHOU, ZHONGSHAN, FOSHAN = range(len(DESTINATIONS))
METRO, BUS, AIRPORT_EXPRESS = 0, 1, 3
#: How many stations of a metro have gates in the sandbox.
STATIONS = 16
#: Of each region, the networks of buses that it has; all nine networks are these and two metros.
BUSES: Mapping[int, tuple[str, ...]] = {
    HONG_KONG: ("kmb", "citybus", "nlb"),
    SHENZHEN: ("shenzhen-bus",),
    GUANGZHOU: ("guangzhou-bus",),
    ZHONGSHAN: ("zhongshan-bus",),
    FOSHAN: ("foshan-bus",),
}
_MTR_FIRST = ("1", "2", "3", "6", "8", "64", "68", "72", "74", "75", "76", "78")
_SHENZHEN_FIRST = (
    *("0101", "0102", "0103", "0108", "0111", "0115"),
    *("0221", "0230", "0401", "0410", "1113"),
)
_ROUTES: Mapping[str, tuple[str, ...]] = {
    "kmb": ("B1", "276B", "1A", "960"),
    "citybus": ("B3", "B3X", "B7", "969"),
    "nlb": ("B2", "B2P"),
    "shenzhen-bus": ("22路", "74路", "81路", "M462"),
    "guangzhou-bus": ("1路", "B1", "B25"),
    "zhongshan-bus": ("001路", "002路"),
    "foshan-bus": ("101路", "105路"),
}
#: What the readers of these routes are set to, for no list names the fare.
_STAGE_FARES = {("guangzhou-bus", "B25"): Money(300, CNY)}
#: Where riders may scan again when they alight, and part of the fare is given back.
SCANNED_AGAIN = {network: _ROUTES[network] for network in ("kmb", "citybus")}
#: Seconds within which a second boarding of one rider is refused.
_PASSBACK_S = {"kmb": 300}
_BUS_PASSBACK_S = 5
_AIRPORT_EXPRESS_STOP = "44"


@dataclass(frozen=True, slots=True)
class Place:
    """One reader: where it stands, what it means; ``online`` = it has a line of its own.

    ``stage_fare`` is what it says of the fare, where the tariff does not.
    """

    reader: str
    operator: str
    network: str
    destination: int
    mode: int
    stop: str
    direction: Direction
    passback_s: int
    online: bool
    excluded: bool = False
    route: str | None = None
    stage_fare: Money | None = None


@dataclass(frozen=True, slots=True)
class Bus:
    """A bus: where riders board, and where they may scan again when they alight."""

    board: Place
    alight: Place | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """All readers; ``metro`` and ``buses`` by destination, ``metro`` as (stop, way in, way out)."""

    readers: tuple[Place, ...]
    metro: Mapping[int, tuple[tuple[str, Place, Place], ...]]
    buses: Mapping[int, tuple[Bus, ...]]
    airport_express: Place


def make_places(book: TariffBook, seed: int) -> Places:
    """The readers of a sandbox day."""
    metro = {
        HONG_KONG: tuple(_stations(book, "mtr", HONG_KONG, _MTR_FIRST, seed)),
        SHENZHEN: tuple(_stations(book, "shenzhen-metro", SHENZHEN, _SHENZHEN_FIRST, seed)),
    }
    buses = {
        destination: tuple(bus for network in of for bus in _buses(book, network, destination))
        for destination, of in BUSES.items()
    }
    express = Place(
        "ael-44-in", "mtr", "airport-express", HONG_KONG, AIRPORT_EXPRESS, _AIRPORT_EXPRESS_STOP,
        Direction.ENTRY, 300, online=True, excluded=True,
    )  # fmt: skip
    gates = [gate for side in metro.values() for _, way_in, out in side for gate in (way_in, out)]
    boards = [it for of in buses.values() for bus in of for it in (bus.board, bus.alight) if it]
    return Places((*gates, *boards, express), metro, buses, express)


def _stations(
    book: TariffBook, network: str, destination: int, first: tuple[str, ...], seed: int
) -> Iterator[tuple[str, Place, Place]]:
    tariff = book.latest(network)
    known = {stop.id for stop in tariff.stops}
    chosen = [stop for stop in first if stop in known]
    others = sorted(known - set(chosen))
    more = min(len(others), STATIONS - len(chosen))
    chosen += random.Random(f"{seed}:{network}").sample(others, max(0, more))
    for stop in chosen:
        way_in, out = (
            Place(
                f"{network}-{stop}-{word}"[-32:], tariff.operator, network, destination, METRO,
                stop, direction, 300, online=True,
            )
            for word, direction in (("in", Direction.ENTRY), ("out", Direction.EXIT))
        )  # fmt: skip
        yield stop, way_in, out


def _buses(book: TariffBook, network: str, destination: int) -> Iterator[Bus]:
    """A bus of each route; riders of Hong Kong board, those of others scan once and no more."""
    tariff = book.latest(network)
    again = network in SCANNED_AGAIN
    direction = Direction.BOARD if destination == HONG_KONG else Direction.SINGLE
    for number, route in enumerate(_ROUTES[network], start=1):
        stop = tariff.find_stop(route, field="route").id
        board = Place(
            f"{network}-bus-{number}", tariff.operator, network, destination, BUS, stop, direction,
            _PASSBACK_S.get(network, _BUS_PASSBACK_S), online=False, route=stop,
            stage_fare=_STAGE_FARES.get((network, route)),
        )  # fmt: skip
        alight = replace(
            board, reader=f"{board.reader}-off", direction=Direction.ALIGHT, stop=section_end(stop)
        )
        yield Bus(board, alight if again else None)
