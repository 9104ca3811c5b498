"""Reads the files that a command names into tariffs, with every problem of all of them at once."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from transitpay.errors import MalformedInput
from transitpay.fares.document import FORMAT, read_document
from transitpay.fares.tariff import Tariff
from transitpay.fares.tariff_files import Parsed, Problem, SourceFile
from transitpay.fares.tariff_files.formats import FORMATS, Format, Job
from transitpay.fares.tariff_files.gtfs import GtfsChoice
from transitpay.fares.term_faults import faults, faults_of_currency
from transitpay.fares.terms_file import TermsFile, read_terms_file
from transitpay.fares.version_rules import unfit_day, unfit_name
from transitpay.money import Currency
from transitpay.runtime.builtin import published_terms
from transitpay.runtime.unpacked import read_unpacked, why_unreadable

DOCUMENT = "document"
_LIKE_A_DAY = re.compile("[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}")
#: Every format that can be asked for.
NAMES = (*FORMATS, DOCUMENT)


@dataclass(frozen=True, slots=True)
class Wish:
    """What was said beside the files; None where they say it themselves.

    ``otherwise`` is the first day where nobody says one.
    """

    format: str | None = None
    network: str | None = None
    valid_from: date | None = None
    terms: Path | None = None
    version: str | None = None
    gtfs: GtfsChoice = field(default_factory=GtfsChoice)
    otherwise: date | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """The tariffs of some files; none where there is a problem."""

    tariffs: tuple[Tariff, ...]
    problems: tuple[Problem, ...] = ()
    left_out: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def read_source(path: Path, problems: list[Problem]) -> SourceFile:
    """A file, unpacked where it is gzipped; empty where it cannot be read, a problem noted."""
    try:
        content = read_unpacked(path)
    except (OSError, EOFError, zlib.error) as error:
        problems.append(
            Problem(path.name, None, "file", f"cannot be read: {why_unreadable(error)}")
        )
        content = b""
    return SourceFile(path.name, content)


def day_in_name(name: str, problems: list[Problem]) -> date | None:
    """The day in a file's name such as ``mtr_lines_fares.2027-06-27.csv``.

    What looks like a day and is none is a problem.
    """
    for part in name.split("."):
        try:
            return date.fromisoformat(part)
        except ValueError:
            if _LIKE_A_DAY.fullmatch(part):
                problems.append(Problem(name, None, "file", f"{part} in its name is no day"))
    return None


def read_tariffs(paths: Sequence[Path], wish: Wish) -> Reading:
    """The tariffs of the files: one of all files together, of documents one each.

    Raises: MalformedInput (``unknown_format``, ``missing_network``, ``missing_day``,
    ``unknown_network``) where the files do not say it and nobody else did; (``bad_version``,
    ``bad_day``) for a name or first day that no version has.
    """
    if wish.version is not None and (reason := unfit_name(wish.version)) is not None:
        raise MalformedInput("bad_version", reason, field="--version")
    _refuse_day(wish.valid_from)
    problems: list[Problem] = []
    files = [read_source(path, problems) for path in paths]
    if problems:
        return Reading((), tuple(problems))
    if wish.format == DOCUMENT or (wish.format is None and all(map(_is_document, files))):
        return _documents(files, wish)
    form = FORMATS[wish.format] if wish.format else _format_of(files)
    if wish.gtfs != GtfsChoice() and form.name != "gtfs":
        reason = f"these files are read as {form.name}, not as a GTFS feed"
        raise MalformedInput("bad_option", reason, field="--gtfs")
    terms = _terms(form, wish, problems)
    days = {day for file in files if (day := day_in_name(file.name, problems)) is not None}
    if terms is None or problems:
        return Reading((), tuple(problems))
    day = wish.valid_from or (days.pop() if len(days) == 1 else wish.otherwise)
    if day is None:
        raise MalformedInput(
            "missing_day", "no file's name holds the one first day", field="--valid-from"
        )
    _refuse_day(day)
    parsed = form.read(files, Job(day, terms, wish.gtfs))
    return _reading(parsed, wish, terms)


def _refuse_day(day: date | None) -> None:
    if day is not None and (reason := unfit_day(day)) is not None:
        raise MalformedInput("bad_day", reason, field="--valid-from")


def _reading(parsed: Parsed, wish: Wish, terms: TermsFile) -> Reading:
    tariff = parsed.tariff
    if tariff is None:
        return Reading((), parsed.problems, parsed.left_out, parsed.warnings)
    named = tariff.version if wish.terms is None else f"{tariff.version}+{terms.version}"
    tariff = replace(tariff, version=wish.version or named)
    found = faults(tariff.terms, tariff.network, tariff.currency)
    found += faults_of_currency(tariff, _published_currencies())
    problems = tuple(
        Problem(terms.name, terms.line(at), ".".join(map(str, at)), reason) for at, reason in found
    )
    if (reason := unfit_name(tariff.version)) is not None:
        problems += (Problem(terms.name, None, "version", reason),)
    return Reading(() if problems else (tariff,), problems, parsed.left_out, parsed.warnings)


def _published_currencies() -> Mapping[str, Currency]:
    return {network: file.currency for network, file in published_terms().items()}


def _is_document(file: SourceFile) -> bool:
    return f'"{FORMAT}"'.encode() in file.content


def _documents(files: Iterable[SourceFile], wish: Wish) -> Reading:
    tariffs: list[Tariff] = []
    problems: list[Problem] = []
    for file in files:
        read = read_document(file)
        problems += read.problems
        if read.tariff is not None:
            own = read.tariff
            for at, reason in faults_of_currency(own, _published_currencies()):
                where = ".".join(map(str, at if at == ("currency",) else ("terms", *at)))
                problems.append(Problem(file.name, None, where, reason))
            tariffs.append(
                replace(
                    own,
                    version=wish.version or own.version,
                    valid_from=wish.valid_from or own.valid_from,
                )
            )
    return Reading(() if problems else tuple(tariffs), tuple(problems))


def _format_of(files: Sequence[SourceFile]) -> Format:
    """The first format that has a use for every file, and something that it needs among them."""
    for form in FORMATS.values():
        roles = {form.role_of(file.name) for file in files}
        needed = {role.name for role in form.roles if role.required}
        if None not in roles and (needed & roles or not needed):
            return form
    names = ", ".join(file.name for file in files)
    raise MalformedInput(
        "unknown_format", f"{names}: name one of {', '.join(NAMES)}", field="--format"
    )


def _terms(form: Format, wish: Wish, problems: list[Problem]) -> TermsFile | None:
    """The terms of the network beside the fares: those of the file, else the published ones."""
    own = None
    if wish.terms is not None:
        source = read_source(wish.terms, problems)
        read = read_terms_file(source)
        problems += [] if problems else read.problems
        if read.file is None:
            return None
        own = read.file
        if wish.network not in (None, own.network):
            reason = f"{own.network} where {wish.network} is asked for"
            problems.append(Problem(own.name, None, "network", reason))
            return None
        return own
    network = wish.network or (form.networks[0] if len(form.networks) == 1 else None)
    if network is None:
        raise MalformedInput(
            "missing_network", f"{form.name} is read for one network", field="--network"
        )
    published = published_terms()
    if network not in published:
        raise MalformedInput(
            "unknown_network",
            f"no published terms of {network!r}, name a file of them with --terms; published: "
            + ", ".join(published),
            field="--network",
        )
    return published[network]
