"""The Shenzhen Tong adult card of 2018 as a tariff, and rides on it that are known by value alone.

The published card taps name what a ride costs undiscounted and rarely where it began. So the
metro of this tariff has one gate, and for each value a station that is so far away from it: the
value of a row stands in for its pair of stations, and all discounts are those of any tariff.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from transitpay.fares.published import SHENZHEN_SINCE
from transitpay.fares.tariff import FlatFares, MatrixFares, Stop, Tariff, TariffBook
from transitpay.fares.terms import Terms
from transitpay.fares.terms_file import FareFacts, facts_of
from transitpay.journeys.journey import Journey, boarding, passage
from transitpay.money import CNY, Money
from transitpay.runtime.builtin import published
from transitpay.sandbox.szt_taps import TapKind
from transitpay.taps import Direction, RiderRef, Tap, TapKey

CARD = "shenzhen-tong-card"
METRO, BUS = "shenzhen-metro", "shenzhen-bus"
_VERSION = "shenzhen-tong-card-2018-08-31"
_SOURCE = "card taps of 31 August and 1 September 2018 (grade D)"
_GATE = "gate"
_ROUTE = "any"
_AT = datetime(2018, 9, 1, 2, 0, tzinfo=UTC)
_RIDE = timedelta(minutes=20)
_BEFORE = timedelta(minutes=30)
_LIMIT = timedelta(minutes=210)


class Ride(NamedTuple):
    """All that is known of a charged ride: its mode, undiscounted value, and mark of a transfer."""

    kind: TapKind
    value_minor: int
    transfer: bool


def card_book(values_minor: Iterable[int]) -> TariffBook:
    """The tariff of the card in 2018, whose metro can be ridden for each of these values.

    Discounts and transfers are those of the published terms of 2018 for this card.
    """
    return TariffBook((_metro(sorted(set(values_minor))), _bus()))


def journeys_of(ride: Ride) -> tuple[Journey, ...]:
    """The journey of a ride, the last one; before it what the mark says there was: a bus."""
    before = (boarding(_tap(BUS, _ROUTE, Direction.SINGLE, _AT - _BEFORE, 1, 200)),)
    own = _journey(ride)
    return (*before, own) if ride.transfer else (own,)


def _journey(ride: Ride) -> Journey:
    if ride.kind is TapKind.BUS:
        return boarding(_tap(BUS, _ROUTE, Direction.SINGLE, _AT, 2, ride.value_minor))
    assert ride.kind is TapKind.EXIT, "an entry is no ride"
    entry = _tap(METRO, _GATE, Direction.ENTRY, _AT, 2)
    exit = _tap(METRO, _station(ride.value_minor), Direction.EXIT, _AT + _RIDE, 3)
    return passage(entry, exit, _LIMIT)


def _tap(
    network: str, stop: str, direction: Direction, at: datetime, sequence: int,
    fare_minor: int | None = None,
) -> Tap:  # fmt: skip
    return Tap(
        TapKey(SHENZHEN_SINCE, "card-reader", sequence), RiderRef(CARD, "0" * 16), network,
        network, stop, direction, at, route=stop if network == BUS else None,
        stage_fare_minor=fare_minor,
    )  # fmt: skip


def _station(value_minor: int) -> str:
    return f"at-{value_minor}"


def _metro(values: list[int]) -> Tariff:
    ids = (_GATE, *(_station(value) for value in values))
    fares = (0, *values)
    rows = tuple(tuple(max(one, other) for other in fares) for one in fares)
    terms = published(METRO, FareFacts(Money(200, CNY), Money(1500, CNY)))
    return _tariff(METRO, ids, MatrixFares(ids, rows), terms)


def _bus() -> Tariff:
    fares = FlatFares({_ROUTE: 200})
    return _tariff(BUS, (_ROUTE,), fares, published(BUS, facts_of(fares, CNY)))


def _tariff(
    network: str, stops: Iterable[str], fares: MatrixFares | FlatFares, terms: Terms
) -> Tariff:
    return Tariff(
        network=network,
        operator=network,
        currency=CNY,
        version=_VERSION,
        valid_from=SHENZHEN_SINCE,
        source=_SOURCE,
        stops=tuple(Stop(it, (it,)) for it in stops),
        fares=fares,
        terms=terms,
    )
