"""The settings of a tariff beside its table of fares: limits, surcharges, discounts, rounding.

Every value is data of one dated version, with its source where it is not the operator's file.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from transitpay.journeys.suspension import Suspension
from transitpay.money import Money, Rounding

#: Products that no ride code is issued for: they can be asked for, and nobody waits for them.
CARDS = frozenset({"shenzhen-tong-card"})


class OverstayMode(StrEnum):
    """What a stay over the limit does to the fare."""

    ADD = "add"
    RAISE_TO = "raise_to"


@dataclass(frozen=True, slots=True)
class Overstay:
    """A stay over the limit: ``amount`` comes on top of the fare, or the fare is raised to it."""

    mode: OverstayMode
    amount: Money
    source: str


@dataclass(frozen=True, slots=True)
class SameStation:
    """Leaving where one entered, up to and including ``up_to_minutes`` (None: ever after)."""

    up_to_minutes: int | None
    amount: Money
    text: str


@dataclass(frozen=True, slots=True)
class CodeDiscount:
    """What a wallet's ride codes pay of the fare on the days from ``first_day`` to ``last_day``."""

    wallet: str
    percent: int
    first_day: date
    last_day: date
    source: str

    def __post_init__(self) -> None:
        assert 0 <= self.percent <= 100, "a discount pays from 0 to 100 %"


@dataclass(frozen=True, slots=True)
class Tier:
    """Ride codes pay ``percent`` of the part of a fare up to ``up_to_minor`` (None: the rest)."""

    up_to_minor: int | None
    percent: int

    def __post_init__(self) -> None:
        assert 0 <= self.percent <= 100, "a tier pays from 0 to 100 %"


@dataclass(frozen=True, slots=True)
class Transfer:
    """``off`` is taken from a ride that begins up to and including ``within_minutes`` after one.

    The time runs from the exit of a gated ride, or the boarding of another, of the ride of the
    networks ``after`` that ended last; it gives the transfer once. A ride never costs less than 0.
    ``wallets`` empty: the codes of every wallet; ``first_day``: not before this service day.
    """

    after: frozenset[str]
    within_minutes: int
    off: Money
    source: str
    wallets: frozenset[str] = frozenset()
    first_day: date | None = None

    def __post_init__(self) -> None:
        assert self.off.minor >= 0, "a transfer makes nothing dearer"

    def holds(self, wallet: str, day: date) -> bool:
        """Whether codes of ``wallet`` have it on a service day."""
        in_time = self.first_day is None or self.first_day <= day
        return in_time and (not self.wallets or wallet in self.wallets)

    @property
    def is_by_code(self) -> bool:
        """Whether any ride code has it."""
        return not self.wallets or not self.wallets <= CARDS


@dataclass(frozen=True, slots=True)
class MonthTier:
    """What a ride costs once the month's spend before it has reached ``from_minor``.

    ``including``: a spend of exactly that belongs to this tier.
    """

    from_minor: int
    percent: int
    including: bool = True

    def __post_init__(self) -> None:
        assert 0 <= self.percent <= 100, "a tier pays from 0 to 100 %"


@dataclass(frozen=True, slots=True)
class MonthTiers:
    """Tiers of a calendar month of service days, the lowest first; below them the ride is full."""

    tiers: tuple[MonthTier, ...]
    source: str


@dataclass(frozen=True, slots=True)
class BusinessCar:
    """The business car costs the whole path and ``times`` the part ridden in it, undiscounted."""

    times: int
    stops: frozenset[str]
    source: str


@dataclass(frozen=True, slots=True)
class LengthStep:
    """The fare of routes up to and including ``up_to_km`` (None: of all that are longer)."""

    up_to_km: int | None
    fare: Money


@dataclass(frozen=True, slots=True)
class LongRoutes:
    """Routes from ``from_km`` on go by the distance ridden.

    ``fare`` to ``first_km``, then ``more`` for each begun ``each_km``, never above ``highest``.
    """

    from_km: int
    fare: Money
    first_km: int
    each_km: int
    more: Money
    highest: Money


@dataclass(frozen=True, slots=True)
class LengthFares:
    """The fare of a bus route by its length, the shortest step first."""

    steps: tuple[LengthStep, ...]
    long: LongRoutes | None
    source: str


class CapPeriod(StrEnum):
    """For how long a cap adds up; all begin and end with service days, a week with its Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Cap:
    """Riders pay no more than ``amount`` in a period for all rides of the cap's ``networks``."""

    period: CapPeriod
    amount: Money
    networks: frozenset[str]
    source: str


@dataclass(frozen=True, slots=True)
class Claims:
    """How many missing stations a rider may declare a calendar month, within how many days."""

    a_month: int
    within_days: int
    source: str


@dataclass(frozen=True, slots=True)
class HabitTerms:
    """A missing exit is taken to be where the rider left at least ``times`` of the last ``days``.

    It is so only where that was every ride from the same entry, and ``a_month`` times at most.
    """

    times: int
    days: int
    a_month: int
    source: str

    def __post_init__(self) -> None:
        assert 0 < self.days <= 30, "a habit is one of 1 to 30 days"
        assert self.times > 0, "a habit is one of a ride at least"


@dataclass(frozen=True, slots=True)
class TermSource:
    """Where the value of one term comes from: ``overstay``, or of several ``same_station 2``.

    Grades: A operator or government, B press, C weak web page, D shown by data, several by comma;
    or "our reading".
    """

    term: str
    source: str
    grade: str


@dataclass(frozen=True, slots=True)
class Terms:
    """The dated settings of one version of a tariff.

    ``limit_minutes`` is the longest plain stay, and ``longest_stay_minutes`` the longest that an
    exit can close; both are None on networks without gates. ``delayed_stay_hours`` is the longest
    where a date waiver says that the operator caused a delay. ``maximum_fare`` is charged where a
    tap is missing. ``same_station_at`` names stops with their own price for leaving where one
    entered. ``walks`` are the pairs of stops that the operator publishes at 0.00. A discounted
    amount is rounded with ``rounding`` to a multiple of ``step_minor``. ``ride_limit_minutes`` is
    set where riders scan again when they alight. ``calendar`` names the days on which holiday
    fares hold. Discounts by history are for the holder's own rides (slot 0), and for those of each
    companion's slot by itself where ``companions_count``. ``wallets`` are those whose codes are
    accepted, empty: all. ``default_fare`` is that of a route that no list names, where no file of
    fares says another; ``by_length`` goes by what is told of such a route. ``unknown`` says in
    words which rules were looked for and not found; ``sources`` whence the others are.
    """

    step_minor: int
    rounding: Rounding = Rounding.HALF_UP
    limit_minutes: int | None = None
    longest_stay_minutes: int | None = None
    max_wait_hours: int = 72
    overstay: Overstay | None = None
    maximum_fare: Money | None = None
    same_station: tuple[SameStation, ...] = ()
    same_station_at: tuple[tuple[str, Money], ...] = ()
    walks: frozenset[frozenset[str]] = frozenset()
    code_discounts: tuple[CodeDiscount, ...] = ()
    tiers: tuple[Tier, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    default_fare: Money | None = None
    by_length: LengthFares | None = None
    month_tiers: MonthTiers | None = None
    caps: tuple[Cap, ...] = ()
    ride_limit_minutes: int | None = None
    forgotten_alighting_full: bool = False
    calendar: str | None = None
    companions_count: bool = False
    passback_minutes: int = 0
    late_window_days: int = 7
    delayed_stay_hours: int = 24
    business_car: BusinessCar | None = None
    suspensions: tuple[Suspension, ...] = ()
    claims: Claims | None = None
    habit: HabitTerms | None = None
    wallets: frozenset[str] = frozenset()
    unknown: tuple[str, ...] = ()
    sources: tuple[TermSource, ...] = ()

    def __post_init__(self) -> None:
        assert self.step_minor > 0, "amounts are multiples of a step"
        gated = self.limit_minutes is not None
        assert gated == (self.longest_stay_minutes is not None)
        if self.limit_minutes is not None and self.longest_stay_minutes is not None:
            until = self.limit_minutes + self.max_wait_hours * 60
            assert 0 < self.limit_minutes <= self.longest_stay_minutes <= until, (
                "the longest stay lies between the limit and the limit + the longest wait"
            )
        assert not gated or self.ride_limit_minutes is None, "gates or a second scan, not both"
        assert gated == (self.maximum_fare is not None), "a missing tap needs a price"
        assert not self.same_station or self.same_station[-1].up_to_minutes is None
        assert not self.tiers or self.tiers[-1].up_to_minor is None

    def accepts(self, wallet: str) -> bool:
        """Whether the network takes codes of ``wallet``."""
        return not self.wallets or wallet in self.wallets

    def discount(self, wallet: str, day: date) -> CodeDiscount | None:
        """The discount that the codes of ``wallet`` have on a service day, if any."""
        for found in self.code_discounts:
            if found.wallet == wallet and found.first_day <= day <= found.last_day:
                return found
        return None
