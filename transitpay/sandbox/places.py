"""Where the sandbox's riders travel: stations and routes of the tariff book, each with readers.

The same places exist with and without the public data; with it, further stations are drawn from
the published tables by the seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from transitpay.fares.tariff import TariffBook
from transitpay.taps import Direction

HONG_KONG, SHENZHEN = 0, 1
METRO, BUS, AIRPORT_EXPRESS = 0, 1, 3
#: How many stations of a metro have gates in the sandbox.
STATIONS = 16
_MTR_FIRST = ("1", "2", "3", "6", "8", "64", "68", "72", "74", "75", "76", "78")
_SHENZHEN_FIRST = (
    *("0101", "0102", "0103", "0108", "0111", "0115"),
    *("0221", "0230", "0401", "0410", "1113"),
)
_ROUTES: Mapping[str, tuple[str, ...]] = {
    "kmb": ("B1", "276B", "1A", "960"),
    "citybus": ("B3", "B3X", "B7", "969"),
    "shenzhen-bus": ("22路", "74路", "81路", "M462"),
}
#: Seconds within which a second entry of one rider is refused.
_PASSBACK_S = {"kmb": 300, "citybus": 5, "shenzhen-bus": 5}
_AIRPORT_EXPRESS_STOP = "44"


@dataclass(frozen=True, slots=True)
class Place:
    """One reader: where it stands, what it means; ``online`` = it has a line of its own."""

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


@dataclass(frozen=True, slots=True)
class Places:
    """All readers; ``metro`` and ``buses`` by destination, ``metro`` as (stop, way in, way out)."""

    readers: tuple[Place, ...]
    metro: Mapping[int, tuple[tuple[str, Place, Place], ...]]
    buses: Mapping[int, tuple[Place, ...]]
    airport_express: Place


def make_places(book: TariffBook, seed: int) -> Places:
    """The readers of a sandbox day."""
    metro = {
        HONG_KONG: tuple(_stations(book, "mtr", HONG_KONG, _MTR_FIRST, seed)),
        SHENZHEN: tuple(_stations(book, "shenzhen-metro", SHENZHEN, _SHENZHEN_FIRST, seed)),
    }
    buses = {
        HONG_KONG: (*_routes(book, "kmb", HONG_KONG), *_routes(book, "citybus", HONG_KONG)),
        SHENZHEN: tuple(_routes(book, "shenzhen-bus", SHENZHEN)),
    }
    express = Place(
        "ael-44-in", "mtr", "airport-express", HONG_KONG, AIRPORT_EXPRESS, _AIRPORT_EXPRESS_STOP,
        Direction.ENTRY, 300, online=True, excluded=True,
    )  # fmt: skip
    gates = [gate for side in metro.values() for _, way_in, out in side for gate in (way_in, out)]
    boards = [board for side in buses.values() for board in side]
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


def _routes(book: TariffBook, network: str, destination: int) -> Iterator[Place]:
    tariff = book.latest(network)
    direction = Direction.SINGLE if destination == SHENZHEN else Direction.BOARD
    for number, route in enumerate(_ROUTES[network], start=1):
        stop = tariff.find_stop(route, field="route").id
        yield Place(
            f"{network}-bus-{number}", tariff.operator, network, destination, BUS, stop,
            direction, _PASSBACK_S[network], online=False, route=stop,
        )  # fmt: skip
