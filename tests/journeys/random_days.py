"""Random days of one rider on all nine networks, for properties of assembly and pricing.

The tariffs are the built-in ones, with what none of them has: sections on a route that waits, a
passback at gates, a cap, tiers that a few rides reach, and a new version in the middle of the days.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import TypeVar

from hypothesis import strategies as st

from transitpay.fares.rules import rule_book
from transitpay.fares.tariff import FlatFares, Tariff, TariffBook
from transitpay.fares.terms import Cap, CapPeriod, HabitTerms, MonthTier
from transitpay.journeys.statements import Statement, StatementKind
from transitpay.journeys.station_modes import Mode, StationMode
from transitpay.money import Money
from transitpay.runtime.builtin import builtin_book
from transitpay.taps import Direction, RiderRef, Tap, TapKey

#: 06:00 local time on a Saturday, two days before the end of a month.
START = datetime(2026, 10, 30, 22, 0, tzinfo=UTC)
FAR = START + timedelta(days=40)
NEW_VERSION = date(2026, 11, 2)
MINUTE = timedelta(minutes=1)

_STOPS = {"mtr": ("2", "78", "68"), "shenzhen-metro": ("0101", "0712", "0111")}
_ROUTES = {
    "kmb": ("1A", "B1"),
    "citybus": ("6", "B3"),
    "nlb": ("1", "B2"),
    "shenzhen-bus": ("M462", "22路"),
    "guangzhou-bus": ("1路", "B1"),
    "foshan-bus": ("101路", "105路"),
    "zhongshan-bus": ("001路", "002路"),
}
_NETWORKS = ("mtr", "mtr", "shenzhen-metro", "shenzhen-metro", "shenzhen-bus", *_ROUTES)
_SLOTS = (0, 0, 0, 1)
_STAYS = (3, 30, 19, 20, 21, 40, 40, 75, 150, 151, 209, 210, 211, 300, 301, 420, 500)
#: How long after it was made a tap reaches us; the last comes after the late window.
_DELAYS = (0, 0, 0, 1, 60, 2000, 9000, 10079, 10081)


def _tariffs() -> Iterator[Tariff]:
    book = builtin_book()
    for network in book.networks:
        tariff, terms = book.latest(network), book.latest(network).terms
        if network == "mtr":
            day_cap = Cap(CapPeriod.DAY, Money(3000, tariff.currency), frozenset({"mtr"}), "a cap")
            habit = HabitTerms(1, 28, 1, "a habit")
            terms = replace(terms, passback_minutes=5, caps=(day_cap,), habit=habit)
            later = replace(terms, limit_minutes=140)
            yield replace(tariff, terms=later, version="new", valid_from=NEW_VERSION)
        if network == "shenzhen-bus" and isinstance(tariff.fares, FlatFares):
            fares = replace(tariff.fares, by_section={("M462", "a", "b"): 150})
            terms = replace(terms, forgotten_alighting_full=True)
            tariff = replace(tariff, fares=fares)
        if terms.month_tiers is not None:
            tiers = (MonthTier(200, 80), MonthTier(500, 50))
            terms = replace(terms, month_tiers=replace(terms.month_tiers, tiers=tiers))
        yield replace(tariff, terms=terms)


BOOK = TariffBook(_tariffs(), builtin_book().calendars.values())
RULES = rule_book(BOOK)
NETWORKS = BOOK.networks


@dataclass(frozen=True)
class Days:
    """Taps of one rider, each once, and what is said of them; ``chance`` orders and cuts them."""

    taps: tuple[Tap, ...]
    modes: tuple[StationMode, ...]
    statements: tuple[Statement, ...]
    chance: Random


_T = TypeVar("_T")


class _Choices:
    """Choices that are read off bytes; smaller bytes make simpler choices."""

    def __init__(self, of: bytes) -> None:
        self._left = iter(of)

    def below(self, size: int) -> int:
        return next(self._left) % size

    def one(self, of: tuple[_T, ...]) -> _T:
        return of[self.below(len(of))]


_BYTES = st.binary(min_size=20, max_size=20)


@st.composite
def days(draw: st.DrawFn, most: int = 6, late: bool = True) -> Days:
    """Up to ``most`` rides within three days; ``late``: some taps come after the late window."""
    taps: list[Tap] = []
    for of in draw(st.lists(_BYTES, min_size=1, max_size=most)):
        taps += _ride(_Choices(of), len(taps), _DELAYS if late else _DELAYS[:6])
    modes = [_mode(_Choices(of), n) for n, of in enumerate(draw(st.lists(_BYTES, max_size=4)))]
    some = draw(st.lists(_BYTES, max_size=2))
    said = [_statement(_Choices(of), n, taps) for n, of in enumerate(some)]
    return Days(tuple(taps), tuple(modes), tuple(said), Random(draw(_BYTES)))


def _ride(pick: _Choices, number: int, delays: tuple[int, ...]) -> Iterator[Tap]:
    """The two taps of a ride at gates or with an alighting scan, or one of them, or a boarding."""
    network, slot = pick.one(_NETWORKS), pick.one(_SLOTS)
    start = pick.below(3) * 1440 + pick.below(20) * 60 + pick.below(4)
    kept = pick.one(("both", "both", "both", "first", "last", "twice", "again"))
    gated = network in _STOPS
    stay = pick.one(_STAYS) if gated else pick.one(_STAYS[:10])
    places = _STOPS[network] if gated else ("a", "b")
    route = None if gated else pick.one(_ROUTES[network])
    directions = (Direction.ENTRY, Direction.EXIT) if gated else (Direction.BOARD, Direction.ALIGHT)
    seconds = pick.one((0, 0, 1))
    first, last = timedelta(minutes=start), timedelta(minutes=start + stay, seconds=seconds)
    moments = {"both": (first, last), "first": (first,), "last": (last,)}
    moments["twice"] = (first, first + pick.below(6) * MINUTE, last)
    moments["again"] = (first, last, first + timedelta(days=1))
    for i, moment in enumerate(moments[kept]):
        direction = directions[moment == last]
        at = START + moment
        yield Tap(
            key=TapKey(at.date(), f"{network}-{direction}", number + i),
            rider=RiderRef("alipayhk", "00000000000000a1", slot),
            operator=network,
            network=network,
            stop=places[0] if len(moments[kept]) > 2 and moment != last else pick.one(places),
            direction=direction,
            at=at,
            route=route,
            vehicle=pick.one((None, None, "V1", "V2")) if route else None,
            received_at=at + pick.one(delays) * MINUTE,
        )


def _mode(pick: _Choices, number: int) -> StationMode:
    network = pick.one(("mtr", "shenzhen-metro", "kmb"))
    start = START + (pick.below(2) * 1440 + pick.below(20) * 60) * MINUTE
    kind, stop = pick.one(tuple(Mode)), pick.one((None, *_STOPS.get(network, ("1A", "B1"))))
    end = pick.one((None, start + 600 * MINUTE, start + 90 * MINUTE, start))
    replaces = "request 0" if number and pick.below(2) else None
    return StationMode(
        number, "mtr", f"request {number}", network, stop, kind, start, end, "test", replaces,
        "operator", start,
    )  # fmt: skip


def _statement(pick: _Choices, number: int, taps: list[Tap]) -> Statement:
    tap, kind = pick.one(tuple(taps)), pick.one(tuple(StatementKind))
    stop = pick.one(_STOPS.get(tap.network, ("1A",)))
    if kind is StatementKind.GIVEN_BACK:
        return Statement(f"s{number}", tap.key, kind, None, START)
    return Statement(f"s{number}", tap.key, kind, stop, START + pick.below(3) * MINUTE)


def batches(of: Days) -> list[list[Tap]]:
    """The taps in some order, some of them twice, cut into batches."""
    mixed = [*of.taps, *(tap for tap in of.taps if of.chance.random() < 0.3)]
    of.chance.shuffle(mixed)
    cuts = sorted(of.chance.randrange(len(mixed) + 1) for _ in range(of.chance.randrange(4)))
    return [mixed[a:b] for a, b in zip([0, *cuts], [*cuts, len(mixed)], strict=True)]
