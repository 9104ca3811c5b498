"""From recorded card taps to scans of readers: days shifted, places named, sequences given.

Pure. A station has one reader for each direction and a bus company one for each route, as if a
station's or depot's computer forwarded what its gates recorded. A station that today's fare table
does not name is counted and left out, never guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from transitpay.clock import wallet_day
from transitpay.sandbox.places import BUS, METRO, SHENZHEN, Place
from transitpay.sandbox.szt_taps import RawTap, TapKind
from transitpay.taps import Direction

#: The wallets among which riders are divided: one whose fares we convert, one of the same currency.
WALLETS = ("alipayhk", "shenzhen-tong")
METRO_NETWORK, BUS_NETWORK = "shenzhen-metro", "shenzhen-bus"
#: As at every reader of Shenzhen's buses and gates in the sandbox.
_BUS_PASSBACK_S, _METRO_PASSBACK_S = 5, 300
_WEEK = 7


@dataclass(frozen=True, slots=True)
class PlannedScan:
    """One scan to be made: ``raw`` as it was recorded, and where it stands in the replay.

    ``last`` says that the card is not seen again.
    """

    raw: RawTap
    reader: str
    sequence: int
    last: bool
    shift: timedelta

    @property
    def at(self) -> datetime:
        """The shifted instant."""
        return self.raw.at + self.shift

    @property
    def wallet(self) -> str:
        """The wallet of this card's rider."""
        return wallet_of(self.raw.card)


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """The scans in the order of time, the readers that make them, and what was left out.

    ``unmapped`` counts the taps at each station that the fare table does not name, ``left_out``
    the usable taps beyond the limit. ``shift`` is a whole number of weeks.
    """

    scans: tuple[PlannedScan, ...]
    readers: tuple[Place, ...]
    unmapped: Mapping[str, int]
    left_out: int
    cards: int
    shift: timedelta


def wallet_of(card: str) -> str:
    """Which wallet a card becomes a rider of, by its hash."""
    return WALLETS[int(card[:8], 16) % len(WALLETS)]


def weeks_until(day: date, near: date) -> timedelta:
    """The shift by whole weeks that puts ``day`` on its weekday within the week up to ``near``.

    Worked: 2018-09-01, a Saturday, goes to 2026-10-31, a Saturday, for 2026-11-01.
    """
    return timedelta(days=(near - day).days // _WEEK * _WEEK)


def sample(taps: Sequence[RawTap], limit: int | None) -> tuple[RawTap, ...]:
    """At most ``limit`` taps: whole cards, spread evenly over the cards in their first order."""
    if limit is None or len(taps) <= limit:
        return tuple(taps)
    sizes = Counter(tap.card for tap in taps)
    cards = list(sizes)
    wanted = max(1, len(cards) * limit // len(taps))
    while wanted:
        chosen = {cards[n * len(cards) // wanted] for n in range(wanted)}
        if sum(sizes[card] for card in chosen) <= limit:
            return tuple(tap for tap in taps if tap.card in chosen)
        wanted -= max(1, wanted // 100)
    return ()


def plan_replay(
    taps: Sequence[RawTap],
    station_id: Callable[[str], str | None],
    near: date,
    limit: int | None = None,
) -> ReplayPlan:
    """The replay of ``taps``, which are in the order of time.

    ``station_id`` gives the fare table's id of a station's name, None where it has none. The days
    are shifted to the last week up to ``near`` so that the last tap keeps its weekday.
    """
    kept = sample(taps, limit)
    shift = weeks_until(wallet_day(kept[-1].at), near) if kept else timedelta(0)
    stations = {
        name: station_id(name)
        for name in sorted({tap.place for tap in kept if tap.kind is not TapKind.BUS})
    }
    unmapped: Counter[str] = Counter()
    mapped: list[RawTap] = []
    for tap in kept:
        if tap.kind is not TapKind.BUS and stations[tap.place] is None:
            unmapped[tap.place] += 1
        else:
            mapped.append(tap)
    places = _readers(mapped, stations)
    left = Counter(tap.card for tap in mapped)
    cards = len(left)
    sequences: Counter[str] = Counter()
    scans = []
    for tap in mapped:
        reader = places[_post(tap, stations)].reader
        sequences[reader] += 1
        left[tap.card] -= 1
        scans.append(PlannedScan(tap, reader, sequences[reader], not left[tap.card], shift))
    return ReplayPlan(
        tuple(scans), tuple(places.values()), unmapped, len(taps) - len(kept), cards, shift
    )


_Post = tuple[Direction, str, str]


def _post(tap: RawTap, stations: Mapping[str, str | None]) -> _Post:
    """What has one reader: (direction, station id, ""), or (single, company, route)."""
    if tap.kind is TapKind.BUS:
        return (Direction.SINGLE, tap.company, tap.place)
    stop = stations[tap.place]
    assert stop is not None, "unmapped stations are left out before"
    return (Direction.ENTRY if tap.kind is TapKind.ENTRY else Direction.EXIT, stop, "")


def _readers(taps: Sequence[RawTap], stations: Mapping[str, str | None]) -> dict[_Post, Place]:
    posts = sorted({_post(tap, stations) for tap in taps})
    found: dict[_Post, Place] = {}
    for number, post in enumerate(posts, start=1):
        direction, where, route = post
        if direction is Direction.SINGLE:
            found[post] = Place(
                f"szb-{number:04d}", BUS_NETWORK, BUS_NETWORK, SHENZHEN, BUS, route, direction,
                _BUS_PASSBACK_S, online=False, route=route,
            )  # fmt: skip
        else:
            way = "in" if direction is Direction.ENTRY else "out"
            found[post] = Place(
                f"szm-{where}-{way}", METRO_NETWORK, METRO_NETWORK, SHENZHEN, METRO, where,
                direction, _METRO_PASSBACK_S, online=False,
            )  # fmt: skip
    return found
