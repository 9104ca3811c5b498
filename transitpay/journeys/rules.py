"""How taps become journeys: dated rules of each network, and a book that holds all of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

#: (network, service day, a stop or route as somebody spelled it) -> its id.
StopIds = Callable[[str, date, str], str]


@dataclass(frozen=True, slots=True)
class Habit:
    """A rider left at one stop at least ``times`` of all rides from a stop within ``days``."""

    times: int
    days: int
    a_month: int

    def __post_init__(self) -> None:
        # A month's journeys are made from the taps of 31 days before it; a ride may begin a day
        # earlier than it ends.
        assert 0 < self.days <= 30 and self.times > 0


@dataclass(frozen=True, slots=True)
class JourneyRules:
    """The dated settings of a network that decide how taps become journeys.

    ``limit`` is the longest stay of a plain journey; None marks a network without gates, where
    every boarding is a journey. ``longest_stay`` is the longest stay that an exit can still close
    as an overstay; an exit after it belongs to no entry, unless the operator caused a delay and
    the stay is no longer than ``delayed_stay``. ``max_wait`` is how long after the limit
    we wait for readers that stay silent. Two taps of one direction at one stop less than
    ``passback`` apart are one passage. ``ride_limit`` is how long after a boarding the alighting
    scan can come, on networks that have one; on the routes ``waiting`` (ids; None: on all) the
    fare is not known before it. A tap that reached us more than ``late_window`` after it was made
    joins no other. ``discount_wait`` are the networks whose readers may hold the ride before, by
    which this one would be cheaper: of the holder's own rides, and of companions' too where
    ``companions_wait``. ``habit``: a missing exit is filled by where the rider left
    most.
    """

    limit: timedelta | None = None
    longest_stay: timedelta | None = None
    delayed_stay: timedelta = timedelta(hours=24)
    max_wait: timedelta = timedelta(hours=72)
    passback: timedelta = timedelta(0)
    ride_limit: timedelta | None = None
    waiting: frozenset[str] | None = frozenset()
    late_window: timedelta = timedelta(days=7)
    discount_wait: frozenset[str] = frozenset()
    companions_wait: bool = False
    habit: Habit | None = None

    def __post_init__(self) -> None:
        assert (self.limit is None) == (self.longest_stay is None)
        assert self.limit is None or self.ride_limit is None, "gates or alighting scans, not both"
        if self.limit is not None and self.longest_stay is not None:
            assert timedelta(0) < self.limit <= self.longest_stay <= self.limit + self.max_wait

    @property
    def longest_delayed(self) -> timedelta:
        """The longest stay that an exit can close where the operator caused a delay."""
        assert self.limit is not None and self.longest_stay is not None
        return max(self.longest_stay, min(self.delayed_stay, self.limit + self.max_wait))

    @property
    def gated(self) -> bool:
        """True where riders tap in and out."""
        return self.limit is not None

    def waits(self, route: str) -> bool:
        """Whether a boarding of the route (its id) waits for its alighting scan."""
        if self.ride_limit is None:
            return False
        return self.waiting is None or route in self.waiting


class RuleBook:
    """The rules of every network on every service day, and the ids of stops.

    ``versions`` are (first service day, rules), in any order; a version holds until the next one
    begins. ``stop_ids`` gives the id of a stop, on a network of buses of a route, however it is
    spelled; without it every spelling is an id. Answers are kept: make one book and use it often.
    """

    __slots__ = ("_days", "_ids", "_known", "_rules", "_stop_ids")

    def __init__(
        self,
        versions: Mapping[str, Sequence[tuple[date, JourneyRules]]],
        stop_ids: StopIds | None = None,
    ) -> None:
        in_order = {network: sorted(of, key=lambda it: it[0]) for network, of in versions.items()}
        self._days = {network: [day for day, _ in of] for network, of in in_order.items()}
        self._rules = {network: [rules for _, rules in of] for network, of in in_order.items()}
        self._stop_ids = stop_ids
        self._known: dict[tuple[str, date], JourneyRules | None] = {}
        self._ids: dict[tuple[str, int, str], str] = {}

    @classmethod
    def always(cls, rules: Mapping[str, JourneyRules]) -> RuleBook:
        """The book of rules that never change."""
        return cls({network: [(date.min, of)] for network, of in rules.items()})

    @property
    def networks(self) -> frozenset[str]:
        """The networks that have rules on some day."""
        return frozenset(self._days)

    def on(self, network: str, day: date) -> JourneyRules | None:
        """The rules of a service day; None where the network has none yet, or never."""
        key = (network, day)
        if key not in self._known:
            version = self._version(network, day)
            self._known[key] = None if version < 0 else self._rules[network][version]
        return self._known[key]

    def stop_id(self, network: str, day: date, text: str) -> str:
        """The id of a stop or route on a service day; what nobody knows is its own id."""
        if self._stop_ids is None:
            return text
        key = (network, self._version(network, day), text)
        if key not in self._ids:
            self._ids[key] = self._stop_ids(network, day, text)
        return self._ids[key]

    def _version(self, network: str, day: date) -> int:
        return bisect_right(self._days.get(network, ()), day) - 1
