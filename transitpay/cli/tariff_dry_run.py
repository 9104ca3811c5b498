"""``transitpay tariffs dry-run``: what riders would have paid by another tariff."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from transitpay.cli.database import with_connection
from transitpay.cli.options import as_json_option
from transitpay.cli.tables import amount_text, new_progress, new_table, wide_console
from transitpay.cli.tariff_reading import (
    day_of,
    show_refusal,
    tariff_named,
    wish_options,
)
from transitpay.errors import MalformedInput
from transitpay.fares.trial import Change, Effect, Trial
from transitpay.postgres.pool import Connection
from transitpay.runtime.config import Settings
from transitpay.runtime.tariff_files import Wish
from transitpay.runtime.tariff_trial import try_tariff


@click.command("dry-run")
@click.argument("files", nargs=-1, required=True)
@click.option("--from", "first", required=True, help="First service day of the journeys.")
@click.option("--to", "last", required=True, help="Last service day, included.")
@click.option("--largest", type=click.IntRange(0, 1000), default=10, show_default=True,
    help="So many of the journeys that change most.")  # fmt: skip
@wish_options
@as_json_option
@click.pass_context
def dry_run(
    context: click.Context,
    wish: Wish,
    files: tuple[str, ...],
    first: str,
    last: str,
    largest: int,
    as_json: bool,
) -> None:
    """Price booked journeys of past days as if a tariff had been in force; write nothing.

    FILES are an operator's files, or one stored version: NETWORK/VERSION. Journeys of other
    networks of the same riders are priced too: transfers and months may change them. Exit code 1:
    the files have problems.
    """
    settings = Settings.from_environment()
    first_day, last_day = day_of(first, "--from"), day_of(last, "--to")
    if last_day < first_day:
        raise MalformedInput("bad_day", f"{last_day} is before {first_day}", field="--to")
    tariff = tariff_named(settings, files[0], tuple(map(Path, files[1:])), wish)
    if isinstance(tariff, tuple):
        show_refusal(tariff, as_json)
        context.exit(1)
    progress = new_progress(Console(stderr=True))
    progress.disable = as_json

    async def work(conn: Connection) -> Trial:
        bar = progress.add_task("riders", total=None)

        def told(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)

        return await try_tariff(conn, tariff, first_day, last_day, largest, told)

    with progress:
        trial = with_connection(settings, work)
    if as_json:
        click.echo(json.dumps(_trial(tariff.version, trial), ensure_ascii=False))
        return
    _show(tariff.version, trial)


def _show(version: str, trial: Trial) -> None:
    console = wide_console()
    table = new_table(
        f"By {version}", "network", "wallet", "journeys:", "changed:", "before:", "after:",
        "difference:",
    )  # fmt: skip
    for it in trial.effects():
        unit = it.before.currency.code
        more = it.after.minor - it.before.minor
        table.add_row(
            it.network, it.wallet, f"{it.journeys:,}", f"{it.changed:,}",
            *(amount_text(minor, unit) for minor in (it.before.minor, it.after.minor, more)),
        )  # fmt: skip
    console.print(table)
    if trial.largest():
        table = new_table("Largest changes", "service day", "network", "wallet", "journey",
            "before:", "after:")  # fmt: skip
        for change in trial.largest():
            table.add_row(
                str(change.service_day), change.network, change.wallet, change.id,
                str(change.before), str(change.after),
            )  # fmt: skip
        console.print(table)
    for code, count in sorted(trial.unpriced.items()):
        console.print(f"{count:,} journeys would have no fare: {code}")


def _trial(version: str, trial: Trial) -> dict[str, object]:
    return {
        "version": version,
        "effects": [_effect(it) for it in trial.effects()],
        "largest": [_change(it) for it in trial.largest()],
        "unpriced": dict(sorted(trial.unpriced.items())),
    }


def _effect(it: Effect) -> dict[str, object]:
    return {
        "network": it.network,
        "wallet": it.wallet,
        "journeys": it.journeys,
        "changed": it.changed,
        "currency": it.before.currency.code,
        "before_minor": it.before.minor,
        "after_minor": it.after.minor,
    }


def _change(it: Change) -> dict[str, object]:
    return {
        "journey": it.id,
        "network": it.network,
        "wallet": it.wallet,
        "service_day": it.service_day.isoformat(),
        "before_minor": it.before.minor,
        "after_minor": it.after.minor,
    }
