"""``transitpay tariffs``: versions of tariffs, from operators' files to what is charged."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import click

from transitpay.cli.database import in_transaction
from transitpay.cli.options import as_json_option, reason_option
from transitpay.cli.tables import new_table, wide_console
from transitpay.cli.tariff_compare import check, diff
from transitpay.cli.tariff_dry_run import dry_run
from transitpay.cli.tariff_reading import (
    Refused,
    by_option,
    known_versions,
    problem_count,
    problem_json,
    readable,
    show_problems,
    stored_tariff,
    wish_options,
)
from transitpay.clock import instant_text, service_day, waited
from transitpay.errors import RuleViolation
from transitpay.fares.document import document_of
from transitpay.fares.tariff import Tariff
from transitpay.postgres import approvals
from transitpay.postgres.journeys.tariff_versions import StoredVersion
from transitpay.postgres.pool import Connection
from transitpay.postgres.reference import Actor
from transitpay.runtime.config import Settings
from transitpay.runtime.tariff_beside import unlikely
from transitpay.runtime.tariff_files import Wish
from transitpay.runtime.tariff_versions import (
    Recorded,
    Recording,
    confirm_tariff,
    counting_at,
    import_tariffs,
    withdraw_tariff,
)

_WAITS = "waits for a second person"
_WITHDRAWN = "withdrawn"


@click.group()
def tariffs() -> None:
    """Tariffs: import, compare, try out and list the versions of each network."""


@tariffs.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@by_option
@wish_options
@as_json_option
@click.pass_context
def import_(
    context: click.Context, wish: Wish, files: tuple[Path, ...], by: str, as_json: bool
) -> None:
    """Store the tariff of an operator's FILES as a version.

    All problems of all files are listed in one run, and then nothing is stored (exit code 1). The
    same again changes nothing; other content under the same name is refused (2). What is unlikely
    is told, as `check --stored` tells it. A version that changes booked journeys waits until a
    second person runs `transitpay tariffs confirm`, or somebody `transitpay tariffs withdraw`.
    """
    settings = Settings.from_environment()
    read = readable(files, wish)
    if isinstance(read, Refused):
        _refuse(context, read, as_json)
        return

    async def work(conn: Connection) -> tuple[list[Recorded], list[str]]:
        odd = [text for tariff in read for text in await unlikely(conn, tariff)]
        at = settings.clock().now()
        return await import_tariffs(conn, read, await _actor(conn, by), at), odd

    done, odd = in_transaction(settings, work)
    for text in odd:
        click.echo(f"look at: {text}", err=True)
    _say(done, as_json)


@tariffs.command()
@click.argument("network")
@click.argument("version")
@by_option
@as_json_option
def confirm(network: str, version: str, by: str, as_json: bool) -> None:
    """Let a version count that changes booked journeys; another person than who imported it.

    Everybody who rode NETWORK since its first day is read again: corrections follow.
    """
    settings = Settings.from_environment()

    async def work(conn: Connection) -> list[Recorded]:
        actor = await _actor(conn, by)
        return [await confirm_tariff(conn, network, version, actor, settings.clock().now())]

    _say(in_transaction(settings, work), as_json)


@tariffs.command()
@click.argument("network")
@click.argument("version")
@by_option
@reason_option
@as_json_option
def withdraw(network: str, version: str, by: str, reason: str, as_json: bool) -> None:
    """Take back a version that waits: nobody can confirm it any more.

    Who imported it does, or another. Its name is spent: the same files are imported anew with
    `--version`. The same again changes nothing; what counts, and another reason, is refused (2).
    """
    settings = Settings.from_environment()

    async def work(conn: Connection) -> StoredVersion:
        actor = await _actor(conn, by)
        return await withdraw_tariff(conn, network, version, actor, reason, settings.clock().now())

    it = in_transaction(settings, work)
    if as_json:
        click.echo(json.dumps(_version(it, _WITHDRAWN), ensure_ascii=False))
        return
    click.echo(_end(it))


@tariffs.command("list")
@click.option("--network", help="Only this network's.")
@as_json_option
def list_(network: str | None, as_json: bool) -> None:
    """Show the stored versions: in force, to come, past, superseded, waiting or withdrawn."""
    settings = Settings.from_environment()

    async def work(conn: Connection) -> list[StoredVersion]:
        return await known_versions(conn, network)

    known = in_transaction(settings, work)
    now = settings.clock().now()
    states = states_of(known, service_day(now))
    rows = [_version(it, states[it.network, it.version]) for it in known]
    if as_json:
        click.echo(json.dumps({"versions": rows}, ensure_ascii=False))
        return
    table = new_table("Tariffs", "network", "from", "state", "version", "recorded by", "sha256")
    for it, row in zip(known, rows, strict=True):
        age = f", {waited(it.recorded_at, now)}" if it.waits else ""
        table.add_row(
            it.network, str(it.valid_from), f"{row['state']}{age}", it.version,
            it.recorded_by or "with the package or data", it.sha256.hex()[:12],
        )  # fmt: skip
    wide_console().print(table)
    for it in known:
        if it.withdrawn is not None:
            click.echo(_end(it))
    if not known:
        click.echo("no tariff is stored; settlement stores its own at its first start")


@tariffs.command()
@click.argument("network")
@click.argument("version", required=False)
def show(network: str, version: str | None) -> None:
    """Print the document of a stored version, or of the one in force today.

    One that does not count is told on standard error.
    """
    settings = Settings.from_environment()

    async def work(conn: Connection) -> tuple[Tariff, list[StoredVersion]]:
        today = service_day(settings.clock().now())
        tariff = await stored_tariff(conn, network, version, today)
        return tariff, await known_versions(conn, network)

    tariff, known = in_transaction(settings, work)
    [it] = [it for it in known if it.version == tariff.version]
    if it.counts_at is None:
        click.echo(f"{network} {it.version}: {_WAITS}" if it.waits else _end(it), err=True)
    click.echo(document_of(tariff).decode())


tariffs.add_command(diff)
tariffs.add_command(check)
tariffs.add_command(dry_run)


def states_of(known: list[StoredVersion], today: date) -> dict[tuple[str, str], str]:
    """In force, to come, past, superseded (another of the same day counts), waiting, withdrawn."""
    counting = counting_at(known)
    newest: dict[tuple[str, date], StoredVersion] = {}
    for it in known:
        key = (it.network, it.version)
        other = newest.get((it.network, it.valid_from))
        if key in counting and (
            other is None or counting[key] > counting[other.network, other.version]
        ):
            newest[it.network, it.valid_from] = it
    in_force = {
        it.network: max(day for net, day in newest if net == it.network and day <= today)
        for it in newest.values()
        if it.valid_from <= today
    }
    states: dict[tuple[str, str], str] = {}
    for it in known:
        if it.withdrawn is not None:
            state = _WITHDRAWN
        elif it.counts_at is None:
            state = _WAITS
        elif newest[it.network, it.valid_from] is not it:
            state = "superseded"
        elif it.valid_from > today:
            state = "to come"
        else:
            state = "in force" if in_force[it.network] == it.valid_from else "past"
        states[it.network, it.version] = state
    return states


async def _actor(conn: Connection, by: str) -> Actor:
    actor = await approvals.actor(conn, by)
    if actor is None:
        raise RuleViolation("forbidden", f"there is no actor {by!r}", field="--by")
    return actor


def _refuse(context: click.Context, read: Refused, as_json: bool) -> None:
    if as_json:
        problems = [problem_json(it) for it in read.problems]
        click.echo(json.dumps({"stored": [], "problems": problems}, ensure_ascii=False))
    show_problems("problem", read.problems, None)
    click.echo(f"{problem_count(read.problems)}; nothing is stored", err=True)
    context.exit(1)


def _version(it: StoredVersion, state: str) -> dict[str, object]:
    return {
        "network": it.network,
        "version": it.version,
        "valid_from": it.valid_from.isoformat(),
        "state": state,
        "sha256": it.sha256.hex(),
        "recorded_by": it.recorded_by,
        "recorded_at": instant_text(it.recorded_at),
        "counts_at": instant_text(it.counts_at),
        "withdrawn_by": it.withdrawn.by if it.withdrawn else None,
        "withdrawn_at": instant_text(it.withdrawn.at) if it.withdrawn else None,
        "withdrawn_why": it.withdrawn.why if it.withdrawn else None,
    }


def _end(it: StoredVersion) -> str:
    assert it.withdrawn is not None
    by, at, why = it.withdrawn.by, it.withdrawn.at, it.withdrawn.why
    return f"{it.network} {it.version}: withdrawn by {by}, {at:%Y-%m-%d %H:%M} UTC: {why}"


def _say(done: list[Recorded], as_json: bool) -> None:
    if as_json:
        told = [
            {
                "network": it.network,
                "version": it.version,
                "valid_from": it.valid_from.isoformat(),
                "became": str(it.what),
                "riders_read_again": it.riders,
            }
            for it in done
        ]
        click.echo(json.dumps({"stored": told}, ensure_ascii=False))
        return
    for it in done:
        match it.what:
            case Recording.COUNTS:
                text = f"counts from {it.valid_from} on"
                text += f"; {it.riders:,} riders are read again" if it.riders else ""
            case Recording.WAITS:
                text = (
                    f"changes booked journeys since {it.valid_from} and waits: another person runs"
                    f" `transitpay tariffs confirm {it.network} '{it.version}' --by ...`"
                )
            case _:
                text = "is stored already; nothing changed"
        click.echo(f"{it.network} {it.version}: {text}")
