"""What the commands of ``transitpay tariffs`` have in common: their files, options, problems."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import click

from transitpay.cli.database import in_transaction
from transitpay.clock import service_day
from transitpay.errors import MalformedInput, RuleViolation
from transitpay.fares.document import tariff_of
from transitpay.fares.tariff import Tariff
from transitpay.fares.tariff_files import Problem
from transitpay.fares.tariff_files.gtfs import GtfsChoice
from transitpay.postgres.journeys import tariff_versions
from transitpay.postgres.journeys.tariff_versions import StoredVersion
from transitpay.postgres.pool import Connection
from transitpay.runtime.config import Settings
from transitpay.runtime.tariff_files import NAMES, Reading, Wish, read_tariffs

_P = ParamSpec("_P")
_T = TypeVar("_T")

by_option = click.option(
    "--by", required=True, help="Who does it: an actor of the operator, or an admin."
)
#: The first day of files that are only looked at.
ANY_DAY = date(2000, 1, 1)
#: Names that --gtfs takes; the starred ones several times.
_GTFS = ("agency", "media", "rider", "network*", "product*", "transfer-from*")


@dataclass(frozen=True, slots=True)
class Refused:
    """Files with problems, for which there is no tariff."""

    problems: tuple[Problem, ...]


def wish_options(
    command: Callable[Concatenate[Wish, _P], _T],
) -> Callable[_P, _T]:
    """The options that say what files are; the command gets them as its first argument."""

    @click.option("--network", help="Whose tariff it is, where the files do not say.")
    @click.option("--valid-from", help="First service day. [the day in a file's name]")
    @click.option(
        "--terms",
        type=click.Path(path_type=Path),
        help="Terms file to stand beside the fares. [the published one in the package]",
    )
    @click.option("--format", "form", type=click.Choice(NAMES), help="[by the files' names]")
    @click.option("--version", help="A name for the version. [the files' name and SHA-256]")
    @click.option(
        "--gtfs",
        "gtfs",
        multiple=True,
        metavar="NAME=VALUE",
        help=f"Which part of a GTFS feed: {', '.join(_GTFS)} (* several times).",
    )
    @functools.wraps(command)
    def wished(*args: _P.args, **more: _P.kwargs) -> _T:
        wish = Wish(
            _text(more.pop("form")),
            _text(more.pop("network")),
            _day(_text(more.pop("valid_from")), "--valid-from"),
            _path(more.pop("terms")),
            _text(more.pop("version")),
            _gtfs(more.pop("gtfs")),
        )
        return command(wish, *args, **more)

    return wished


def _text(value: object) -> str | None:
    assert value is None or isinstance(value, str)
    return value


def _path(value: object) -> Path | None:
    assert value is None or isinstance(value, Path)
    return value


def day_of(text: str, field: str) -> date:
    """A day such as 2027-06-27. Raises: MalformedInput (``bad_day``)."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise MalformedInput(
            "bad_day", f"{text!r} is no day such as 2027-06-27", field=field
        ) from None


def _day(text: str | None, field: str) -> date | None:
    return None if text is None else day_of(text, field)


def _gtfs(given: object) -> GtfsChoice:
    assert isinstance(given, tuple)
    found: dict[str, list[str]] = {}
    for text in given:
        name, equals, value = str(text).partition("=")
        if not equals or not value or not {name, f"{name}*"} & set(_GTFS):
            raise MalformedInput("bad_option", f"{text!r} is no NAME=VALUE", field="--gtfs")
        found.setdefault(name, []).append(value)
    one = {name: found[name][-1] for name in ("agency", "media", "rider") if name in found}
    ours: dict[str, str] = {}
    for text in found.get("transfer-from", ()):
        theirs, colon, own = text.partition(":")
        if not colon:
            raise MalformedInput("bad_option", f"{text!r} is no THEIRS:OURS", field="--gtfs")
        ours[theirs] = own
    return GtfsChoice(
        one.get("agency"), _set(found.get("network")), one.get("media"), one.get("rider"),
        _set(found.get("product")), ours,
    )  # fmt: skip


def _set(values: Sequence[str] | None) -> frozenset[str] | None:
    return None if values is None else frozenset(values)


def readable(paths: Sequence[Path], wish: Wish) -> tuple[Tariff, ...] | Refused:
    """The tariffs of the files; what is left out and doubtful is told on standard error."""
    reading = read_tariffs(paths, wish)
    for name, told in (("left out", reading.left_out), ("warning", reading.warnings)):
        show_problems(name, told)
    return Refused(reading.problems) if reading.problems else reading.tariffs


def show_problems(kind: str, problems: Sequence[Problem], most: int | None = 20) -> None:
    """One line a problem on standard error; of what is no obstacle the first ones."""
    shown = problems if most is None else problems[:most]
    for problem in shown:
        click.echo(f"{kind}: {problem}", err=True)
    if len(problems) > len(shown):
        click.echo(f"{kind}: and {len(problems) - len(shown):,} more", err=True)


def show_refusal(problems: Sequence[Problem], as_json: bool) -> None:
    """All problems of files that another command than `import` needs a tariff of."""
    if as_json:
        told = {"problems": [problem_json(it) for it in problems]}
        click.echo(json.dumps(told, ensure_ascii=False))
    show_problems("problem", problems, None)


def problem_count(problems: Sequence[Problem]) -> str:
    """How many there are, in words."""
    return "1 problem" if len(problems) == 1 else f"{len(problems):,} problems"


def problem_json(problem: Problem) -> Mapping[str, object]:
    """A problem as an object."""
    return {
        "file": problem.file,
        "line": problem.line,
        "field": problem.field,
        "reason": problem.reason,
    }


def reading_json(reading: Reading) -> dict[str, object]:
    """The problems of some files, and what is left out and doubtful."""
    return {
        "problems": [problem_json(it) for it in reading.problems],
        "left_out": [problem_json(it) for it in reading.left_out],
        "warnings": [problem_json(it) for it in reading.warnings],
    }


async def known_versions(conn: Connection, network: str | None) -> list[StoredVersion]:
    """The stored versions of a network, or of all.

    Raises: RuleViolation (``unknown_network``) where only others have some.
    """
    known = await tariff_versions.versions(conn, network)
    if known or network is None:
        return known
    others = sorted({it.network for it in await tariff_versions.versions(conn, None)})
    if others:
        reason = f"no tariff of {network!r} is stored; stored are those of {', '.join(others)}"
        raise RuleViolation("unknown_network", reason, field="network")
    return known


async def stored_tariff(conn: Connection, network: str, version: str | None, day: date) -> Tariff:
    """A stored version by its name, or the one in force on a day.

    Raises: RuleViolation (``not_found``, ``unknown_network``).
    """
    known = await known_versions(conn, network)
    if version is None:
        found = [it for it in known if it.counts_at is not None and it.valid_from <= day]
        found = sorted(found, key=lambda it: (it.valid_from, it.counts_at))[-1:]
    else:
        found = [it for it in known if it.version == version or it.sha256.hex() == version]
    if not found:
        what = f"version {version}" if version else f"tariff in force on {day}"
        raise RuleViolation("not_found", f"{network} has no {what}")
    key = (network, found[0].version)
    return tariff_of((await tariff_versions.documents(conn, [key]))[key], found[0].counts_at)


def tariff_named(
    settings: Settings, text: str, beside: Sequence[Path], wish: Wish
) -> Tariff | tuple[Problem, ...]:
    """The tariff of a file, or the stored NETWORK, NETWORK@DAY or NETWORK/VERSION.

    Where the file has problems, those.
    """
    path = Path(text)
    if path.exists():
        reading = read_tariffs([path, *beside], replace(wish, otherwise=ANY_DAY))
        if len(reading.tariffs) > 1:
            raise MalformedInput("several_tariffs", "one tariff is compared with one", field=text)
        return reading.tariffs[0] if reading.tariffs else reading.problems
    network, slash, version = text.partition("/")
    if not network or "/" in version or "." in network:
        raise MalformedInput("no_such_file", f"there is no file {text}", field="file")
    network, at, day = network.partition("@") if not slash else (network, "", "")

    async def work(conn: Connection) -> Tariff:
        on = day_of(day, text) if at else service_day(settings.clock().now())
        return await stored_tariff(conn, network, version or None, on)

    return in_transaction(settings, work)
