"""A tariff is one dated version of a network's fares; a book holds all versions of all networks."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from transitpay.errors import MalformedInput, RuleViolation
from transitpay.fares.calendars import HolidayCalendar
from transitpay.fares.names import Language, fold, simplified, traditional
from transitpay.fares.terms import Terms
from transitpay.money import Currency, Money

#: Services that a rider may ask for and that never accept a ride code.
EXCLUDED: Mapping[str, str] = {
    "airport-express": "Airport Express does not accept the ride code",
    "light-rail": "Light Rail does not accept the ride code",
    "mtr-bus": "MTR Bus does not accept the ride code",
    "first-class": "First Class of the East Rail Line does not accept the ride code",
    "longhua-tram": "the Longhua tram does not accept the ride code",
    "business-car": "the business cars of Shenzhen Metro do not accept the ride code",
}


@dataclass(frozen=True, slots=True)
class Stop:
    """A station, a route or a bus stop: its id, then every name and code it goes by.

    ``en``, ``zh_hant`` and ``zh_hans`` are the names of a rider's view, empty where the operator
    publishes none.
    """

    id: str
    names: tuple[str, ...]
    en: str = ""
    zh_hant: str = ""
    zh_hans: str = ""

    @property
    def label(self) -> str:
        """The name to show first."""
        return self.names[0]

    def name(self, language: Language) -> str:
        """The name in a language, never empty.

        One form of Chinese is written in the other where each character has one such form, else
        the form that exists is shown; without any Chinese name, or any English one, the label.
        """
        match language:
            case Language.EN:
                return self.en or self.label
            case Language.ZH_HANT:
                return self.zh_hant or traditional(self.zh_hans) or self.zh_hans or self.label
            case Language.ZH_HANS:
                return self.zh_hans or simplified(self.zh_hant) or self.label


class TariffKind(StrEnum):
    """What decides the plain fare."""

    MATRIX = "matrix"
    FLAT = "flat"


@dataclass(frozen=True, slots=True, eq=False)
class MatrixFares:
    """A fare for each pair of stops in minor units; None where a ride between them has no fare.

    ``rows[i][j]`` is the fare from the i-th of ``ids`` to the j-th. Where fares belong to areas it
    is that from the i-th area to the j-th, and ``area_of`` is the area of each of ``ids``. A stop's
    fare to itself is never read: leaving where one entered has rules of its own.
    """

    ids: tuple[str, ...]
    rows: tuple[tuple[int | None, ...], ...]
    area_of: tuple[int, ...] = ()
    areas: tuple[tuple[str, ...], ...] = field(init=False, repr=False)
    _place: Mapping[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        places = self.area_of or tuple(range(len(self.ids)))
        areas: list[list[str]] = [[] for _ in self.rows]
        for stop, place in zip(self.ids, places, strict=True):
            areas[place].append(stop)
        object.__setattr__(self, "areas", tuple(tuple(stops) for stops in areas))
        object.__setattr__(self, "_place", dict(zip(self.ids, places, strict=True)))
        assert len(self._place) == len(self.ids), "ids of stops are unique"
        assert all(areas) and min(places, default=0) >= 0, "every area has stops"
        assert all(len(row) == len(self.rows) for row in self.rows)

    def minor(self, from_id: str, to_id: str) -> int | None:
        """The fare of a pair of different stops."""
        assert from_id != to_id, "the diagonal of a matrix is not a fare"
        return self.rows[self._place[from_id]][self._place[to_id]]

    def area(self, stop_id: str) -> int:
        """The place in the rows of a stop's area, or of the stop itself where it has none."""
        return self._place[stop_id]

    def priced(self) -> Iterator[tuple[int, int, int]]:
        """The fares that there are: area from, area to, minor units."""
        for i, row in enumerate(self.rows):
            for j, minor in enumerate(row):
                if minor is not None and self.rides(i, j):
                    yield i, j, minor

    def rides(self, i: int, j: int) -> int:
        """How many pairs of different stops there are from one area to another, or within it."""
        return len(self.areas[i]) * (len(self.areas[j]) - (i == j))


@dataclass(frozen=True, slots=True, eq=False)
class FlatFares:
    """A fare for each route in minor units; ``default_minor`` for a route that is not listed.

    On the holidays of the tariff's calendar ``holiday_by_route`` comes first. ``by_boarding`` is
    the fare of a route from the stop where a rider boards, ``by_section`` that from one stop to
    another, for riders who scan again when they alight; both come before the route's own.
    """

    by_route: Mapping[str, int]
    default_minor: int | None = None
    holiday_by_route: Mapping[str, int] = field(default_factory=dict)
    by_boarding: Mapping[tuple[str, str], int] = field(default_factory=dict)
    by_section: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    sectional_routes: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sectional_routes", frozenset(it[0] for it in self.by_section))


@dataclass(frozen=True, slots=True, eq=False)
class Tariff:
    """One version of a network's fares, in force from ``valid_from`` (a service day) on.

    On a bus network ``stops`` are its routes, and ``boarding_stops`` the places where they stop,
    as far as fares depend on them. ``numbers`` are the ids that are nothing but a name that other
    routes have too: the number of several variants of a route.
    """

    network: str
    operator: str
    currency: Currency
    version: str
    valid_from: date
    source: str
    stops: tuple[Stop, ...]
    fares: MatrixFares | FlatFares
    terms: Terms
    recorded_at: datetime | None = None
    boarding_stops: tuple[Stop, ...] = ()
    numbers: frozenset[str] = field(init=False, repr=False)
    _by_id: Mapping[str, Stop] = field(init=False, repr=False)
    _by_name: Mapping[str, tuple[Stop, ...]] = field(init=False, repr=False)
    _boarding: Mapping[str, Stop] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        numbers = _numbers(self.stops) if isinstance(self.fares, FlatFares) else frozenset()
        object.__setattr__(self, "numbers", numbers)
        named: dict[str, list[Stop]] = {}
        for stop in self.stops:
            texts = {*stop.names, stop.en, stop.zh_hant, stop.zh_hans} - (numbers - {stop.id})
            for name in {fold(text) for text in texts}:
                named.setdefault(name, []).append(stop)
        named.pop("", None)
        object.__setattr__(self, "_by_id", {stop.id: stop for stop in self.stops})
        object.__setattr__(self, "_by_name", {name: tuple(of) for name, of in named.items()})
        object.__setattr__(self, "_boarding", {stop.id: stop for stop in self.boarding_stops})
        assert len(self._by_id) == len(self.stops), "ids of stops are unique"
        assert len(self._boarding) == len(self.boarding_stops), "ids of bus stops are unique"

    @property
    def kind(self) -> TariffKind:
        """Whether the pair of stops or the route decides."""
        return TariffKind.MATRIX if isinstance(self.fares, MatrixFares) else TariffKind.FLAT

    @property
    def counted(self) -> str:
        """How many stations or routes there are, in words; numbers of variants are no routes."""
        count = len(self.stops) - len(self.numbers)
        word = "station" if self.kind is TariffKind.MATRIX else "route"
        return f"{count:,} {word}" + ("" if count == 1 else "s")

    def find_stop(self, text: str, *, field: str = "stop") -> Stop:
        """The stop with this id, name or code; on a bus network the route.

        Zeros before the number of a station make no difference: 039 is 39, 101 is 0101.
        A route that a tariff with a default fare does not list is a stop of its own.

        Raises: MalformedInput (``unknown_stop``, ``ambiguous_stop``) naming the candidates.
        """
        found = self._by_id.get(text.strip())
        if found is not None:
            return found
        several = self._by_name.get(fold(text), ()) if text.strip() else ()
        several = several or self._by_number(text.strip())
        if len(several) == 1:
            return several[0]
        word = "station" if self.kind is TariffKind.MATRIX else "route"
        if several:
            raise MalformedInput(
                "ambiguous_stop",
                f"{text!r} is more than one {word} of {self.network}, name one by its id: "
                + "; ".join(f"{stop.id} ({self._what(stop)})" for stop in several),
                field=field,
            )
        if self._has_default() and fold(text):
            return Stop(text.strip(), (text.strip(),))
        raise MalformedInput(
            "unknown_stop",
            f"{text!r} is no {word} of {self.network}{self._nearest(text)}",
            field=field,
        )

    def plain_fare(self, from_stop: Stop, to_stop: Stop | None = None) -> Money:
        """The published fare before any rule: of a pair of stops, or of a route.

        Raises: MalformedInput (``missing_stop``) for a matrix without ``to_stop``;
        (``not_priceable``) for a route that has fares from some stops alone; RuleViolation
        (``no_fare``) where a pair of stops has none: nothing is charged in its place.
        """
        if isinstance(self.fares, MatrixFares):
            if to_stop is None:
                raise MalformedInput("missing_stop", f"{self.network} needs both stations")
            fare = self.fares.minor(from_stop.id, to_stop.id)
            if fare is None:
                ends = f"from {from_stop.label} to {to_stop.label}"
                raise RuleViolation("no_fare", f"{self.network} has no fare {ends}", field="stop")
            return Money(fare, self.currency)
        minor = self.fares.by_route.get(from_stop.id, self.fares.default_minor)
        if minor is None:
            reason = f"route {from_stop.label} of {self.network} has no fare of its own"
            raise MalformedInput("not_priceable", reason, field="route")
        return Money(minor, self.currency)

    def has_fare(self, from_stop: Stop, to_stop: Stop) -> bool:
        """Whether a pair of different stations has a fare."""
        assert isinstance(self.fares, MatrixFares), "routes have fares, or are not listed"
        return self.fares.minor(from_stop.id, to_stop.id) is not None

    def boarding_stop(self, stop_id: str) -> Stop | None:
        """The bus stop with this id, if fares depend on it; a reader sends the id alone."""
        return self._boarding.get(stop_id)

    def is_listed(self, stop: Stop) -> bool:
        """False for a route that has only the default fare."""
        return stop.id in self._by_id

    def _by_number(self, text: str) -> tuple[Stop, ...]:
        """The stations whose id or code is this number; routes are no numbers."""
        if self.kind is TariffKind.FLAT or not (text.isascii() and text.isdigit()):
            return ()
        number = text.lstrip("0")
        return tuple(
            stop
            for stop in self.stops
            if any(n.isdigit() and n.lstrip("0") == number for n in (stop.id, *stop.names))
        )

    def _has_default(self) -> bool:
        return isinstance(self.fares, FlatFares) and self.fares.default_minor is not None

    def _what(self, stop: Stop) -> str:
        if self.kind is TariffKind.FLAT:
            return f"{stop.label}, {self.plain_fare(stop)}"
        return stop.label

    def _nearest(self, text: str) -> str:
        near = difflib.get_close_matches(fold(text), list(self._by_name), n=3)
        stops = {stop.id: stop for name in near for stop in self._by_name[name]}
        if not stops:
            return ""
        return "; nearest: " + ", ".join(f"{s.label} ({s.id})" for s in stops.values())


def _numbers(stops: Iterable[Stop]) -> frozenset[str]:
    bare = {stop.id for stop in stops if stop.names == (stop.id,)}
    return frozenset(
        name for stop in stops for name in stop.names if name in bare and name != stop.id
    )


class TariffBook:
    """All versions that count; one is in force until the next one of its network begins.

    Of two that begin on one day the one recorded later counts, and one with ``recorded_at`` comes
    after one without. ``calendars`` are the holiday calendars by name.

    Raises: MalformedInput (``two_versions``) where nothing says which of two counts.
    """

    __slots__ = ("_versions", "calendars")

    def __init__(
        self, tariffs: Iterable[Tariff], calendars: Iterable[HolidayCalendar] = ()
    ) -> None:
        versions: dict[str, dict[date, Tariff]] = {}
        for tariff in tariffs:
            of_network = versions.setdefault(tariff.network, {})
            other = of_network.get(tariff.valid_from)
            if other is None or _supersedes(tariff, other):
                of_network[tariff.valid_from] = tariff
        self._versions = {
            network: tuple(of[day] for day in sorted(of)) for network, of in versions.items()
        }
        self.calendars: Mapping[str, HolidayCalendar] = {it.name: it for it in calendars}

    @property
    def networks(self) -> tuple[str, ...]:
        """The networks that have a tariff, in alphabetical order."""
        return tuple(sorted(self._versions))

    def versions(self, network: str) -> tuple[Tariff, ...]:
        """The versions of a network, oldest first.

        Raises: RuleViolation (``service_excluded``), MalformedInput (``unknown_network``).
        """
        if network in EXCLUDED:
            raise RuleViolation("service_excluded", EXCLUDED[network], field="network")
        if network not in self._versions:
            raise MalformedInput(
                "unknown_network",
                f"no tariff of {network!r}; known: {', '.join(self.networks)}",
                field="network",
            )
        return self._versions[network]

    def tariff(self, network: str, day: date) -> Tariff:
        """The version in force on a service day.

        Raises: as ``versions``; RuleViolation (``no_tariff``) for a day before the first version.
        """
        versions = self.versions(network)
        in_force = [tariff for tariff in versions if tariff.valid_from <= day]
        if not in_force:
            raise RuleViolation(
                "no_tariff",
                f"{network} has no tariff for {day}; the first is in force from "
                f"{versions[0].valid_from}",
                field="service_day",
            )
        return in_force[-1]

    def latest(self, network: str) -> Tariff:
        """The newest version. Raises: as ``versions``."""
        return self.versions(network)[-1]

    def find_stop(self, network: str, text: str, *, field: str = "stop") -> Stop:
        """The stop of the newest version. Raises: as ``versions`` and ``Tariff.find_stop``."""
        return self.latest(network).find_stop(text, field=field)


def _supersedes(tariff: Tariff, other: Tariff) -> bool:
    """Whether the first of two that begin on one day counts. Raises: as ``TariffBook``."""
    if tariff.recorded_at == other.recorded_at:
        raise MalformedInput(
            "two_versions",
            f"{other.version} and {tariff.version} both begin on {tariff.valid_from}",
            field="valid_from",
        )
    if tariff.recorded_at is None or other.recorded_at is None:
        return other.recorded_at is None
    return tariff.recorded_at > other.recorded_at
