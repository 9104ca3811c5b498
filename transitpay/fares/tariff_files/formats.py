"""Every format that tariffs are read from: the files it needs, and what reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase

from transitpay.fares.tariff_files import hk_bus, hk_bus_stops
from transitpay.fares.tariff_files.gtfs import GtfsChoice, read_gtfs
from transitpay.fares.tariff_files.mtr import read_mtr_fares, read_station_names
from transitpay.fares.tariff_files.plain_csv import read_plain_csv
from transitpay.fares.tariff_files.problem import Parsed, Problem, SourceFile
from transitpay.fares.tariff_files.shenzhen_metro import read_shenzhen_metro
from transitpay.fares.terms_file import TermsFile

#: role of a file in its format -> the files that were given for it, in their order.
Files = Mapping[str, tuple[SourceFile, ...]]


@dataclass(frozen=True, slots=True)
class Job:
    """From which service day a tariff counts, and the terms of its network beside the fares.

    ``gtfs`` says which part of a GTFS feed is meant.
    """

    valid_from: date
    terms: TermsFile
    gtfs: GtfsChoice = field(default_factory=GtfsChoice)

    @property
    def network(self) -> str:
        """The network whose tariff is read."""
        return self.terms.network


@dataclass(frozen=True, slots=True)
class Role:
    """What a file is for; ``pattern`` is how such files are named, without regard to case."""

    name: str
    pattern: str
    required: bool = True
    several: bool = False


@dataclass(frozen=True, slots=True)
class Format:
    """A format; ``networks`` are those it is for (empty: any)."""

    name: str
    roles: tuple[Role, ...]
    reader: Callable[[Files, Job], Parsed]
    networks: tuple[str, ...] = ()

    def read(self, files: Iterable[SourceFile], job: Job) -> Parsed:
        """The tariff; each file has the first role whose pattern its name fits."""
        return self.read_roles([(self.role_of(file.name), file) for file in files], job)

    def read_roles(self, files: Iterable[tuple[str | None, SourceFile]], job: Job) -> Parsed:
        """The tariff, of files whose roles are known (None: a file that the format cannot use)."""
        sorted_files: dict[str, tuple[SourceFile, ...]] = {role.name: () for role in self.roles}
        problems: list[Problem] = []
        for role, file in files:
            if role is None or role not in sorted_files:
                wanted = ", ".join(role.pattern for role in self.roles)
                reason = f"is no file of the format {self.name}, which has {wanted}"
                problems.append(Problem(file.name, None, "file", reason))
            else:
                sorted_files[role] += (file,)
        for known in self.roles:
            given = sorted_files[known.name]
            if known.required and not given:
                reason = f"the format {self.name} needs it"
                problems.append(Problem(known.pattern, None, known.name, reason))
            if len(given) > 1 and not known.several:
                problems.append(Problem(given[1].name, None, known.name, "a second such file"))
        if self.networks and job.network not in self.networks:
            reason = f"files of this format are those of {', '.join(self.networks)}"
            problems.append(Problem(self.name, None, "network", f"{reason}, not {job.network}"))
        return Parsed(None, tuple(problems)) if problems else self.reader(sorted_files, job)

    def role_of(self, name: str) -> str | None:
        """The role of a file of this name, whatever folder it is in."""
        bare = name.replace("\\", "/").rsplit("/", 1)[-1].casefold().removesuffix(".gz")
        fits = (role.name for role in self.roles if fnmatchcase(bare, role.pattern.casefold()))
        return next(fits, None)


def _mtr(files: Files, job: Job) -> Parsed:
    names, problems = read_station_names(files["stations"][0])
    parsed = read_mtr_fares(files["fares"][0], job.valid_from, names, job.terms)
    if problems:
        return Parsed(None, (*problems, *parsed.problems))
    return parsed


def _route_bus(files: Files, job: Job) -> Parsed:
    weekdays = files["weekdays"][0] if files["weekdays"] else None
    return hk_bus.read_route_bus(
        files["routes"][0], job.network, job.valid_from, job.terms, weekdays
    )


def _boarding_fares(files: Files, job: Job) -> Parsed:
    return hk_bus_stops.read_boarding_fares(
        files["list"][0], job.network, job.valid_from, job.terms
    )


def _shenzhen_metro(files: Files, job: Job) -> Parsed:
    stations, fares, network = (files[role][0] for role in ("stations", "fares", "map"))
    business, distances = (next(iter(files[role]), None) for role in ("business", "distances"))
    return read_shenzhen_metro(
        stations, fares, network, job.valid_from, job.terms, business, distances
    )


def _plain_csv(files: Files, job: Job) -> Parsed:
    return read_plain_csv(files["stops"], files["fares"], job.valid_from, job.terms)


def _gtfs(files: Files, job: Job) -> Parsed:
    zipped, tables = files["feed"], files["tables"]
    if bool(zipped) == bool(tables):
        reason = "either one archive or the files of one feed"
        return Parsed(None, (Problem("*.zip", None, "feed", reason),))
    if zipped:
        return read_gtfs(zipped[0], job.valid_from, job.terms, job.gtfs)
    by_name = {file.name.replace("\\", "/").rsplit("/", 1)[-1]: file for file in tables}
    return read_gtfs(by_name, job.valid_from, job.terms, job.gtfs)


#: name -> format.
FORMATS: Mapping[str, Format] = {
    it.name: it
    for it in (
        Format(
            "mtr",
            (
                Role("fares", "mtr_lines_fares*.csv"),
                Role("stations", "mtr_lines_and_stations*.csv"),
            ),
            _mtr,
            ("mtr",),
        ),
        Format(
            "route-bus",
            (
                Role("routes", "route_bus*.xml"),
                Role("weekdays", "*weekday*.csv", required=False),
            ),
            _route_bus,
            tuple(hk_bus.COMPANIES),
        ),
        Format(
            "boarding-fares",
            (Role("list", "routefarelist*.json"),),
            _boarding_fares,
            tuple(hk_bus_stops.COMPANIES),
        ),
        Format(
            "shenzhen-metro",
            (
                Role("stations", "metro-fare-stations*.json"),
                Role("fares", "metro-fares-standard*.json"),
                Role("map", "metro-network*.json"),
                Role("business", "metro-fares-business*.json", required=False),
                Role("distances", "metro-line-metrics*.json", required=False),
            ),
            _shenzhen_metro,
            ("shenzhen-metro",),
        ),
        Format(
            "csv",
            (
                Role("stops", "*stops*.csv", required=False, several=True),
                Role("fares", "*fares*.csv", several=True),
            ),
            _plain_csv,
        ),
        Format(
            "gtfs",
            (
                Role("feed", "*.zip", required=False),
                Role("tables", "*.txt", required=False, several=True),
            ),
            _gtfs,
        ),
    )
}
