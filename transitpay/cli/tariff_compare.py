"""``transitpay tariffs diff`` and ``check``: what changes, and what a person should look at."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import click

from transitpay.cli.database import in_transaction
from transitpay.cli.tariff_reading import (
    as_json_option,
    day_of,
    reading_json,
    show_problems,
    stored_tariff,
    wish_options,
)
from transitpay.clock import service_day
from transitpay.errors import MalformedInput
from transitpay.fares.difference import Difference, FareMove, difference
from transitpay.fares.plausibility import doubts
from transitpay.fares.tariff import Tariff
from transitpay.fares.tariff_files import Problem
from transitpay.postgres.pool import Connection
from transitpay.runtime.config import Settings
from transitpay.runtime.tariff_files import Wish, read_tariffs

#: The first day of files that are only compared.
_ANY_DAY = date(2000, 1, 1)


@click.command()
@click.argument("old")
@click.argument("new")
@click.option(
    "--beside", multiple=True, type=click.Path(dir_okay=False, path_type=Path),
    help="File that both need, such as the list of stations; may be given several times.",
)  # fmt: skip
@wish_options
@as_json_option
@click.pass_context
def diff(
    context: click.Context, wish: Wish, old: str, new: str, beside: tuple[Path, ...], as_json: bool
) -> None:
    """Say in plain words what NEW changes against OLD.

    Each is a file, or a stored version: NETWORK (in force today), NETWORK@DAY (on that day) or
    NETWORK/VERSION. Exit code 1: a file has problems.
    """
    settings = Settings.from_environment()
    pair = [_tariff(settings, text, beside, wish) for text in (old, new)]
    problems = [problem for one in pair if isinstance(one, tuple) for problem in one]
    if problems:
        show_problems("problem", problems, None)
        context.exit(1)
    before, after = (one for one in pair if isinstance(one, Tariff))
    found = difference(before, after)
    if as_json:
        click.echo(json.dumps(_difference(before, after, found), ensure_ascii=False))
        return
    for line in found.words() or ["no fare, stop or term differs"]:
        click.echo(line)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=Path))
@wish_options
@as_json_option
@click.pass_context
def check(
    context: click.Context,
    wish: Wish,
    files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """List every problem of an operator's FILES, then what is unlikely in their tariff.

    Stores nothing. Exit code 1: there are problems, and `import` would refuse the files.
    """
    wish = wish if wish.valid_from else replace(wish, valid_from=_ANY_DAY)
    reading = read_tariffs(files, wish)
    problems = list(reading.problems)
    unlikely: list[str] = []
    for tariff in reading.tariffs:
        unlikely += doubts(tariff)
    if as_json:
        told = reading_json(reading) | {"unlikely": unlikely, "tariffs": len(reading.tariffs)}
        click.echo(json.dumps(told, ensure_ascii=False))
    else:
        show_problems("problem", problems, None)
        show_problems("left out", reading.left_out)
        show_problems("warning", reading.warnings)
        for text in unlikely:
            click.echo(f"look at: {text}")
        for tariff in reading.tariffs:
            what = f"{tariff.network} {tariff.version}, {len(tariff.stops):,} stops"
            click.echo(f"{what}: can be imported")
    if problems:
        click.echo(f"{len(problems):,} problems", err=True)
        context.exit(1)


def _tariff(
    settings: Settings, text: str, beside: tuple[Path, ...], wish: Wish
) -> Tariff | tuple[Problem, ...]:
    """A stored version, or that of a file; where the file has problems, those."""
    path = Path(text)
    if path.exists():
        undated = wish if wish.valid_from else replace(wish, valid_from=_ANY_DAY)
        reading = read_tariffs([path, *beside], undated)
        if len(reading.tariffs) > 1:
            raise MalformedInput("several_tariffs", "one tariff is compared with one", field=text)
        return reading.tariffs[0] if reading.tariffs else reading.problems
    network, slash, version = text.partition("/")
    network, at, day = network.partition("@") if not slash else (network, "", "")

    async def work(conn: Connection) -> Tariff:
        on = day_of(day, text) if at else service_day(settings.clock().now())
        return await stored_tariff(conn, network, version or None, on)

    return in_transaction(settings, work)


def _difference(old: Tariff, new: Tariff, found: Difference) -> dict[str, object]:
    return {
        "old": old.version,
        "new": new.version,
        "same": found.same,
        "changed_fares": found.changed_fares,
        "currency": new.currency.code,
        "moves": [_move(move) for move in found.moves],
        "new_stops": list(found.new_stops),
        "gone_stops": list(found.gone_stops),
        "renamed": list(found.renamed),
        "terms": list(found.terms),
        "words": found.words(),
    }


def _move(move: FareMove) -> dict[str, object]:
    return {
        "kind": move.kind,
        "way": str(move.way),
        "count": move.count,
        "least_minor": move.least.minor,
        "most_minor": move.most.minor,
        "example": str(move.example),
    }
