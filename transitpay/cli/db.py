"""``transitpay db``: what the database is and holds, and making it."""

from __future__ import annotations

import asyncio
import json

import click

from transitpay.clock import instant_text
from transitpay.errors import Conflict, RuleViolation, TransitPayError
from transitpay.postgres import schema
from transitpay.postgres.schema import ROLES, SchemaState
from transitpay.postgres.server.binaries import find_binaries
from transitpay.postgres.server.embedded import EmbeddedPostgres, running_database
from transitpay.runtime.config import Settings

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def db() -> None:
    """Database: what it is, make it, bring it up to date."""


@db.command()
@_as_json
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Say where the database is, whether it runs and what it holds; changes nothing.

    Exit code 0: the tables of this version are there. 1: they are not, or the embedded server
    does not run. 3: the server of DATABASE_URL does not answer.
    """
    settings = Settings.from_environment()
    found: dict[str, object] = {"server": "embedded" if settings.database_url is None else "own"}
    reachable = True
    if settings.database_url is None:
        found |= _embedded(settings)
        reachable = found["pid"] is not None
    state = "unknown"
    if reachable:
        holds = asyncio.run(schema.status(settings.admin_dsn()))
        state = holds.state.value
        found |= {
            "server_version": holds.server_version,
            "fingerprint": holds.fingerprint,
            "applied_at": instant_text(holds.applied_at),
            "expected_fingerprint": holds.expected,
            "missing_roles": list(holds.missing_roles),
        }
    _say(found | {"schema": state}, as_json)
    complete = state == SchemaState.CURRENT and not found["missing_roles"]
    ctx.exit(0 if complete else 1)


@db.command()
@_as_json
@click.pass_context
def init(ctx: click.Context, as_json: bool) -> None:
    """Make the database, its roles and tables; a second time changes nothing.

    Without DATABASE_URL the embedded server is used, and started for the time of the command.
    """
    settings = Settings.from_environment()
    with running_database(settings):
        try:
            made = asyncio.run(
                schema.init(
                    settings.admin_dsn(),
                    at=settings.clock().now(),
                    role_password=settings.role_password,
                )
            )
        except Conflict as refusal:
            _refuse(ctx, refusal, as_json)
            return
    digest = schema.fingerprint(schema.schema_text())
    _say({"made": made, "schema": "current", "fingerprint": digest, "roles": list(ROLES)}, as_json)


@db.command()
@_as_json
@click.pass_context
def migrate(ctx: click.Context, as_json: bool) -> None:
    """Bring the tables to this version. Until 0.1 a changed schema is refused (exit code 1)."""
    settings = Settings.from_environment()
    with running_database(settings):
        try:
            asyncio.run(schema.migrate(settings.admin_dsn()))
        except Conflict as refusal:
            _refuse(ctx, refusal, as_json)
            return
    _say({"schema": "current", "changed": False}, as_json)


@db.command()
@_as_json
def start(as_json: bool) -> None:
    """Start the embedded server and leave it running."""
    server = _own_server(Settings.from_environment())
    server.start()
    _say({"pid": server.pid, "started": server.started_here, "dsn": server.dsn()}, as_json)


@db.command()
@_as_json
@click.pass_context
def stop(ctx: click.Context, as_json: bool) -> None:
    """Stop the embedded server, whoever started it (exit code 1: it did not run)."""
    stopped = _own_server(Settings.from_environment()).stop(whoever_started=True)
    _say({"stopped": stopped}, as_json)
    ctx.exit(0 if stopped else 1)


def _own_server(settings: Settings) -> EmbeddedPostgres:
    if settings.database_url is not None:
        raise RuleViolation(
            "own_server",
            "it names a server of your own: start and stop that there",
            field="DATABASE_URL",
        )
    return EmbeddedPostgres(settings.home, pg_bin=settings.pg_bin, tied=False)


def _embedded(settings: Settings) -> dict[str, object]:
    server = _own_server(settings)
    found: dict[str, object] = {"home": str(settings.home), "pid": server.pid}
    try:
        binaries = find_binaries(settings.pg_bin, server.files.cluster_major())
    except TransitPayError as error:
        return found | {"binaries": None, "problem": str(error)}
    return found | {
        "binaries": str(binaries.folder),
        "found_by": binaries.origin,
        "binaries_version": binaries.version,
    }


def _refuse(ctx: click.Context, refusal: Conflict, as_json: bool) -> None:
    if as_json:
        told = {"refused": refusal.code, "field": refusal.field, "reason": refusal.message}
        click.echo(json.dumps(told))
    else:
        click.echo(f"refused: {refusal}", err=True)
    ctx.exit(1)


def _say(values: dict[str, object], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(values))
        return
    width = max(map(len, values))
    for name, value in values.items():
        text = ", ".join(map(str, value)) or "none" if isinstance(value, list) else value
        words = name.replace("_", " ")
        click.echo(f"{words:<{width}}  {'-' if text is None else text}")
