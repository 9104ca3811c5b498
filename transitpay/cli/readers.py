"""``transitpay readers``: the state of readers, and what is wrong with them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

import click
from rich.console import Console

from transitpay.cli.tables import new_table
from transitpay.postgres.gates import reader_states
from transitpay.postgres.journeys.records import Row
from transitpay.postgres.pool import Connection, connect, database_errors
from transitpay.postgres.server.embedded import running_database
from transitpay.runtime.config import Settings

_T = TypeVar("_T")
_ROLE = "transitpay_gateway"
_MOST = 100_000

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_operator = click.option("--operator", help="Only the readers of this operator.")


@click.group()
def readers() -> None:
    """Readers: how they are, what they have uploaded, what is wrong."""


@readers.command("list")
@_operator
@_as_json
def list_(operator: str | None, as_json: bool) -> None:
    """The state of each reader, by id."""

    async def work(conn: Connection) -> list[Row]:
        return await reader_states.states(conn, operator, None, "", _MOST)

    rows = _run(work)
    if as_json:
        _print_json({"readers": [dict(row) for row in rows]})
        return
    table = new_table(
        "Readers", "reader", "seen", "clock:", "store:", "trust/deny/config", "software",
        "here through:", "highest:", "missing:", "alarms:",
    )  # fmt: skip
    for row in rows:
        table.add_row(
            row["reader"], _text(row["seen_at"]), _ms(row["clock_error_ms"]), _store(row),
            _versions(row), _text(row["software"]), _text(row["acknowledged_through"]),
            _text(row["highest_position"]), _missing(row["gaps"]), str(row["alarms"]),
        )  # fmt: skip
    Console().print(table)


@readers.command()
@click.argument("id_", metavar="ID")
@_as_json
@click.pass_context
def show(ctx: click.Context, id_: str, as_json: bool) -> None:
    """One reader, with its alarms. Exit code 1: there is no such reader."""

    async def work(conn: Connection) -> tuple[list[Row], list[Row]]:
        found = await reader_states.states(conn, None, id_, "", 1)
        return found, await reader_states.alarms(conn, None, id_, None, _MOST)

    found, raised = _run(work)
    if not found:
        click.echo(f"transitpay: there is no reader {id_!r}", err=True)
        ctx.exit(1)
    if as_json:
        _print_json({**found[0], "alarms": [_alarm(row) for row in raised]})
        return
    for name, value in found[0].items():
        click.echo(f"{name}: {_text(value)}")
    _print_alarms(raised)


@readers.command()
@_operator
@click.option("--standing", is_flag=True, help="Only alarms that have not ended.")
@click.option("--limit", type=click.IntRange(1, _MOST), default=200, show_default=True)
@_as_json
def alarms(operator: str | None, standing: bool, limit: int, as_json: bool) -> None:
    """What is wrong with readers, or with what they read, newest first."""

    async def work(conn: Connection) -> list[Row]:
        return await reader_states.alarms(conn, operator, None, None, limit, standing_only=standing)

    rows = _run(work)
    if as_json:
        _print_json({"alarms": [_alarm(row) for row in rows]})
        return
    _print_alarms(rows)


def _print_alarms(rows: Sequence[Row]) -> None:
    table = new_table("Alarms", "raised", "ended", "kind", "reader", "subject")
    for row in rows:
        table.add_row(
            _text(row["raised_at"]), _text(row["ended_at"]), row["kind"], row["reader"],
            row["subject"],
        )  # fmt: skip
    Console().print(table)


def _run(work: Callable[[Connection], Awaitable[_T]]) -> _T:
    settings = Settings.from_environment()

    async def once() -> _T:
        conn = await connect(settings.dsn(_ROLE), application_name="transitpay-readers")
        try:
            with database_errors():
                async with conn.transaction(readonly=True):
                    return await work(conn)
        finally:
            await conn.close()

    with running_database(settings):
        return asyncio.run(once())


def _alarm(row: Row) -> dict[str, object]:
    return {name: value for name, value in row.items() if name != "id"}


def _print_json(found: dict[str, object]) -> None:
    click.echo(json.dumps(found, ensure_ascii=False, default=_text))


def _text(value: object) -> str:
    if value is None:
        return "-"
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else str(value)


def _ms(error: int | None) -> str:
    return "-" if error is None else f"{error:+d} ms"


def _store(row: Row) -> str:
    held, capacity = row["store_held"], row["store_capacity"]
    return "-" if held is None or not capacity else f"{held}/{capacity}"


def _versions(row: Row) -> str:
    names = ("trust_version", "deny_version", "config_version")
    return "/".join(_text(row[name]) for name in names)


def _missing(gaps: Sequence[Sequence[int]]) -> str:
    return str(sum(last - first + 1 for first, last in gaps)) if gaps else "-"
