"""Who rides where and when: the sandbox's demand, a pure function of seed, riders and places.

Hong Kong wallets ride in Shenzhen and on the buses of Guangdong, Shenzhen wallets in Hong Kong,
one to three journeys a day. A share of riders also does what a gate must refuse, or what is
settled only later: forgets to tap out, leaves through open gates, scans again on alighting.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import date

from transitpay.clock import day_start
from transitpay.sandbox.places import FOSHAN, GUANGZHOU, HONG_KONG, SHENZHEN, ZHONGSHAN, Places
from transitpay.sandbox.riders import Deed, PlannedRider
from transitpay.sandbox.trips import Trips

#: wallet, its riders' destination, and its share of all riders in per cent.
WALLETS = (
    ("alipayhk", SHENZHEN, 25), ("alipayhk", GUANGZHOU, 6), ("alipayhk", FOSHAN, 5),
    ("alipayhk", ZHONGSHAN, 4), ("alipay", HONG_KONG, 30), ("shenzhen-tong", HONG_KONG, 30),
)  # fmt: skip
_METROS = frozenset({HONG_KONG, SHENZHEN})
#: Of a thousand riders of these destinations so many do it, and one at least where there is one.
_DEEDS: Mapping[Deed, tuple[int, frozenset[int]]] = {
    Deed.MESSENGER: (20, frozenset({GUANGZHOU})),
    Deed.STALE: (30, _METROS),
    Deed.REPLAYED: (20, _METROS),
    Deed.FORGED: (15, _METROS),
    Deed.EXCLUDED: (15, _METROS),
    Deed.ELSEWHERE: (15, _METROS),
    Deed.MISSING_EXIT: (25, _METROS),
    Deed.DECLARES: (20, _METROS),
    Deed.POOR: (15, _METROS),
    Deed.ALIGHTS: (60, frozenset({HONG_KONG})),
    Deed.CHANGES: (80, frozenset({SHENZHEN, FOSHAN})),
    Deed.COMPANION: (20, frozenset({HONG_KONG})),
    Deed.OPEN_GATES: (20, frozenset({HONG_KONG})),
}
_POOR_MINOR = 350
_RICH_MINOR = 200_000


def plan_day(riders: int, seed: int, places: Places, day: date) -> tuple[PlannedRider, ...]:
    """The riders of a day in the order of their first scan."""
    rng = random.Random(f"{seed}:{riders}:demand")
    deeds = _deeds(rng, riders)
    planned = []
    for number in range(riders):
        wallet, destination = _wallet(number)
        mine = deeds.get(number, frozenset())
        trips = Trips(rng, places, day_start(day), destination, mine)
        planned.append(
            PlannedRider(
                f"{wallet}-{number:06d}", wallet, destination,
                _POOR_MINOR if Deed.POOR in mine else _RICH_MINOR,
                1 if Deed.COMPANION in mine else 0, trips.scans(), trips.declares,
            )
        )  # fmt: skip
    return tuple(sorted(planned, key=lambda rider: (rider.scans[0].at, rider.account)))


def _deeds(rng: random.Random, riders: int) -> Mapping[int, frozenset[Deed]]:
    """Which riders do what; each does one thing as long as there are enough of them."""
    order = list(range(riders))
    rng.shuffle(order)
    found: dict[int, frozenset[Deed]] = {}
    for deed, (permille, destinations) in _DEEDS.items():
        able = [number for number in order if _wallet(number)[1] in destinations]
        able.sort(key=lambda number: number in found)
        for number in able[: max(1, len(able) * permille // 1000)]:
            found[number] = found.get(number, frozenset()) | {deed}
    return found


def _wallet(number: int) -> tuple[str, int]:
    place = number * 37 % 100
    for wallet, destination, share in WALLETS:
        if place < share:
            return wallet, destination
        place -= share
    raise AssertionError("the shares sum to 100")
