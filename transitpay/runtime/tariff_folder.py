"""Reads the folder of public data into a tariff book; all parsing is done by pure functions.

Expected below the folder: ``mtr/mtr_lines_fares.csv`` and ``mtr_lines_and_stations.csv``,
``mtr/history/mtr_lines_fares.<day>.csv``, ``shenzhen_metro/metro-*.json``,
``hk_bus/ROUTE_BUS.<day>.xml`` and for New Lantao Bus ``hk_bus/*weekday*.csv``; each may be
gzipped (``.gz``). Networks that no file describes (Shenzhen buses) come from the built-in tariffs.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

from transitpay.errors import MalformedInput
from transitpay.fares.published import HK_BUS_SINCE, MTR_ADULT_FARES_SINCE, SHENZHEN_SINCE
from transitpay.fares.tariff import Tariff, TariffBook
from transitpay.fares.tariff_files import Parsed, Problem, SourceFile
from transitpay.fares.tariff_files.hk_bus import COMPANIES, read_route_bus
from transitpay.fares.tariff_files.mtr import read_mtr_fares, read_station_names
from transitpay.fares.tariff_files.shenzhen_metro import read_shenzhen_metro
from transitpay.fares.terms_file import TermsFile
from transitpay.runtime.builtin import builtin_book, builtin_tariffs, published_terms
from transitpay.runtime.calendars import known_calendars
from transitpay.runtime.tariff_files import day_in_name
from transitpay.runtime.unpacked import read_unpacked, why_unreadable

#: The day of the newest copy of the MTR file, whose name carries none.
_MTR_UNDATED = date(2026, 6, 9)
#: A file's day is when it was copied; these fares were in force before.
_IN_FORCE_SINCE = {("mtr_lines_fares", date(2024, 7, 5)): MTR_ADULT_FARES_SINCE}
_PROBLEMS_SHOWN = 3
#: The network beside whose list a file of our own gives the fares of weekdays.
_WITH_WEEKDAYS = "nlb"
_Reader = Callable[[Path, TermsFile, list[Problem]], list[Tariff]]


def load_book(data: Path | None, networks: Collection[str] | None = None) -> TariffBook:
    """The tariffs of the folder ``data`` (None: the built-in ones alone).

    Only the files of ``networks`` are read, where it is given; other networks keep their built-in
    tariff.

    Raises: MalformedInput (``no_data_folder``, ``no_data_file``, ``bad_tariff_file``); the last
    names the first problems with file, line and field.
    """
    if data is None:
        return builtin_book()
    if not data.is_dir():
        raise MalformedInput("no_data_folder", f"there is no folder {data}", field="data")
    wanted = [network for network in _READERS if networks is None or network in networks]
    tariffs = [tariff for tariff in builtin_tariffs() if tariff.network not in wanted]
    terms = published_terms()
    problems: list[Problem] = []
    for network in wanted:
        tariffs += _READERS[network](data, terms[network], problems)
    if problems:
        raise refusal(problems)
    return TariffBook(tariffs, known_calendars())


def refusal(problems: Sequence[Problem]) -> MalformedInput:
    """What a question is told where files have problems: the first of them, and how many more."""
    shown = "; ".join(str(problem) for problem in problems[:_PROBLEMS_SHOWN])
    more = len(problems) - _PROBLEMS_SHOWN
    return MalformedInput("bad_tariff_file", shown + (f"; and {more} more" if more > 0 else ""))


def _mtr(data: Path, terms: TermsFile, problems: list[Problem]) -> list[Tariff]:
    folder = data / "mtr"
    names, bad_names = read_station_names(_one(folder, "mtr_lines_and_stations.csv"))
    problems += bad_names
    paths = [*_all(folder, "mtr_lines_fares*.csv*")]
    paths += _all(folder / "history", "mtr_lines_fares*.csv*")
    if not paths:
        raise _absent(folder, "mtr_lines_fares.csv")
    return _keep(
        (
            read_mtr_fares(_read(path), _day(path, _MTR_UNDATED, problems), names, terms)
            for path in paths
        ),
        problems,
    )


def _shenzhen_metro(data: Path, terms: TermsFile, problems: list[Problem]) -> list[Tariff]:
    folder = data / "shenzhen_metro"
    parsed = read_shenzhen_metro(
        _one(folder, "metro-fare-stations.json"),
        _one(folder, "metro-fares-standard.json"),
        _one(folder, "metro-network.json"),
        SHENZHEN_SINCE,
        terms,
    )
    return _keep([parsed], problems)


def _hk_bus(network: str) -> _Reader:
    def read(data: Path, terms: TermsFile, problems: list[Problem]) -> list[Tariff]:
        folder = data / "hk_bus"
        paths = _all(folder, "ROUTE_BUS*.xml*")
        if not paths:
            raise _absent(folder, "ROUTE_BUS.xml")
        weekdays = _weekdays(folder, paths, problems) if network == _WITH_WEEKDAYS else {}
        return _keep(
            (
                read_route_bus(
                    _read(path),
                    network,
                    _day(path, HK_BUS_SINCE, problems),
                    terms,
                    weekdays.get(path),
                )
                for path in paths
            ),
            problems,
        )

    return read


def _weekdays(
    folder: Path, paths: list[Path], problems: list[Problem]
) -> Mapping[Path, SourceFile]:
    """The weekday fares beside each list: those of the day in its name, else those without one."""
    by_day: dict[date | None, Path] = {}
    for path in _all(folder, "*weekday*.csv*"):
        if by_day.setdefault(day_in_name(path.name, problems), path) != path:
            problems.append(Problem(path.name, None, "weekdays", "a second such file"))
    days = {path: day_in_name(path.name, []) for path in paths}
    problems += [
        Problem(path.name, None, "weekdays", f"no ROUTE_BUS file is of {day}")
        for day, path in by_day.items()
        if day is not None and day not in days.values()
    ]
    own = {path: by_day.get(day, by_day.get(None)) for path, day in days.items()}
    return {path: _read(beside) for path, beside in own.items() if beside is not None}


#: network -> what reads its files; the order is that of loading.
_READERS: dict[str, _Reader] = {
    "mtr": _mtr,
    "shenzhen-metro": _shenzhen_metro,
    **{network: _hk_bus(network) for network in COMPANIES},
}


def _keep(parsed: Iterable[Parsed], problems: list[Problem]) -> list[Tariff]:
    tariffs: list[Tariff] = []
    for result in parsed:
        problems += [problem for problem in result.problems if problem not in problems]
        if result.tariff is not None:
            tariffs.append(result.tariff)
    return tariffs


def _day(path: Path, undated: date, problems: list[Problem]) -> date:
    """The first day of a file's fares, from ``name.<day>.csv`` where the name holds one."""
    day = day_in_name(path.name, problems) or undated
    return _IN_FORCE_SINCE.get((path.name.partition(".")[0], day), day)


def _all(folder: Path, pattern: str) -> list[Path]:
    if not folder.is_dir() and folder.name != "history":
        raise MalformedInput("no_data_folder", f"there is no folder {folder}", field="data")
    return sorted(folder.glob(pattern))


def _one(folder: Path, name: str) -> SourceFile:
    for path in _all(folder, f"{name}*"):
        if path.name in (name, f"{name}.gz"):
            return _read(path)
    raise _absent(folder, name)


def _absent(folder: Path, name: str) -> MalformedInput:
    return MalformedInput("no_data_file", f"there is no {name} in {folder}", field="data")


def _read(path: Path) -> SourceFile:
    try:
        content = read_unpacked(path)
    except (OSError, EOFError, zlib.error) as error:
        reason = f"{path.name} cannot be read: {why_unreadable(error)}"
        raise MalformedInput("bad_tariff_file", reason) from None
    return SourceFile(path.name, content)
