"""``transitpay tariffs diff`` and ``check``: what changes, and what a person should look at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from transitpay.cli.database import in_transaction
from transitpay.cli.options import as_json_option
from transitpay.cli.tariff_reading import (
    ANY_DAY,
    problem_count,
    reading_json,
    show_problems,
    show_refusal,
    tariff_named,
    wish_options,
)
from transitpay.errors import MalformedInput
from transitpay.fares.difference import Difference, FareMove, difference
from transitpay.fares.plausibility import doubts
from transitpay.fares.tariff import Tariff
from transitpay.fares.tariff_files import Problem
from transitpay.postgres.pool import Connection
from transitpay.runtime.config import Settings
from transitpay.runtime.tariff_beside import refuse_unknown
from transitpay.runtime.tariff_beside import unlikely as doubts_stored
from transitpay.runtime.tariff_files import Reading, Wish, read_tariffs
from transitpay.runtime.tariff_versions import stored_before


@click.command()
@click.argument("old")
@click.argument("new")
@click.option(
    "--beside", multiple=True, type=click.Path(path_type=Path),
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
    pair = [tariff_named(settings, text, beside, wish) for text in (old, new)]
    problems = [problem for one in pair if isinstance(one, tuple) for problem in one]
    if problems:
        show_refusal(problems, as_json)
        context.exit(1)
    before, after = (one for one in pair if isinstance(one, Tariff))
    found = difference(before, after)
    if as_json:
        click.echo(json.dumps(_difference(before, after, found), ensure_ascii=False))
        return
    for line in found.words() or ["no fare, stop or term differs"]:
        click.echo(line)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--stored", is_flag=True,
    help="Hold it against stored networks, wallets, names, the version before, as `import` does.",
)  # fmt: skip
@wish_options
@as_json_option
@click.pass_context
def check(
    context: click.Context,
    wish: Wish,
    files: tuple[Path, ...],
    stored: bool,
    as_json: bool,
) -> None:
    """List every problem of an operator's FILES, then what is unlikely in their tariff.

    Stores nothing. Exit code 1: there are problems, and `import` would refuse the files.
    """
    reading = _dated(files, wish)
    problems = list(reading.problems)
    unlikely = (_beside if stored else _alone)(reading.tariffs)
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
            what = f"{tariff.network} {tariff.version}, {tariff.counted}"
            click.echo(f"{what}: can be imported")
    if problems:
        click.echo(problem_count(problems), err=True)
        context.exit(1)


def _alone(tariffs: Sequence[Tariff]) -> list[str]:
    return [text for tariff in tariffs for text in doubts(tariff)]


def _beside(tariffs: Sequence[Tariff]) -> list[str]:
    """What is unlikely.

    Raises: MalformedInput (``bad_tariff``), Conflict (``other_content``, ``already_withdrawn``) as
    an import would.
    """

    async def work(conn: Connection) -> list[str]:
        await refuse_unknown(conn, tariffs)
        for tariff in tariffs:
            await stored_before(conn, tariff)
        return [text for tariff in tariffs for text in await doubts_stored(conn, tariff)]

    return in_transaction(Settings.from_environment(), work)


def _dated(files: tuple[Path, ...], wish: Wish) -> Reading:
    """The files as ``import`` reads them; that nobody says the first day is one problem more."""
    try:
        return read_tariffs(files, wish)
    except MalformedInput as error:
        if error.code != "missing_day":
            raise
        reading = read_tariffs(files, replace(wish, otherwise=ANY_DAY))
        problem = Problem(files[0].name, None, error.field or "", error.message)
        return replace(reading, tariffs=(), problems=(problem, *reading.problems))


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
