"""``transitpay modes``: open gates, waivers and emergencies of stops and networks."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from transitpay.cli.database import in_transaction
from transitpay.cli.options import reason_option
from transitpay.clock import FIRST_YEAR, LAST_YEAR, instant_text
from transitpay.errors import MalformedInput, RuleViolation
from transitpay.journeys.station_modes import Mode, StationMode
from transitpay.postgres import approvals
from transitpay.postgres.gates import station_modes
from transitpay.postgres.pool import Connection
from transitpay.postgres.reference import Role
from transitpay.runtime.config import Settings
from transitpay.runtime.station_modes import record_mode

_MOST = 200
_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def modes() -> None:
    """Station modes: what an operator declared for a stop or a network, and when."""


@modes.command("list")
@click.option("--operator", help="Only this operator's.")
@click.option("--network", help="Only of this network.")
@click.option("--as-of", help="As it was known at this instant (ISO 8601 with an offset).")
@click.option("--history", is_flag=True, help="Records that were replaced, too.")
@_as_json
def list_(
    operator: str | None, network: str | None, as_of: str | None, history: bool, as_json: bool
) -> None:
    """Show the newest records, newest first."""
    settings = Settings.from_environment()
    then = settings.clock().now() if as_of is None else _instant(as_of, "as-of")

    async def work(conn: Connection) -> list[StationMode]:
        return await station_modes.modes(
            conn, operator, network, then, standing=not history, before=None, limit=_MOST
        )

    found = [_object(it) for it in in_transaction(settings, work)]
    if as_json:
        click.echo(json.dumps({"modes": found}, ensure_ascii=False))
        return
    for it in found:
        click.echo("  ".join(f"{name}={value}" for name, value in it.items() if value is not None))
    if not found:
        click.echo("no station modes")


@modes.command("set")
@click.argument("request_id")
@click.option("--operator", required=True)
@click.option("--by", required=True, help="Who declares it: an actor of the operator, or an admin.")
@click.option("--network", help="The operator's id if not given.")
@click.option("--stop", help="Without it the whole network.")
@click.option("--mode", required=True, type=click.Choice([m.value for m in Mode]))
@click.option("--from", "valid_from", required=True, help="ISO 8601 with an offset.")
@click.option("--until", "valid_until", help="Without it until a later record ends it.")
@reason_option
@click.option("--replaces", help="Request id of the record that this one corrects or ends.")
@_as_json
def set_(
    request_id: str,
    operator: str,
    by: str,
    network: str | None,
    stop: str | None,
    mode: str,
    valid_from: str,
    valid_until: str | None,
    reason: str,
    replaces: str | None,
    as_json: bool,
) -> None:
    """Record a mode under REQUEST_ID; the same again is the same record."""
    settings = Settings.from_environment()
    until = None if valid_until is None else _instant(valid_until, "until")
    wish = StationMode(
        0, operator, request_id, network or operator, stop, Mode(mode),
        _instant(valid_from, "from"), until, reason, replaces, by, settings.clock().now(),
    )  # fmt: skip

    async def work(conn: Connection) -> StationMode:
        actor = await approvals.actor(conn, by)
        if actor is None or not (
            actor.role is Role.ADMIN
            or (actor.role is Role.OPERATOR and actor.participant == operator)
        ):
            raise RuleViolation("forbidden", f"{by!r} may not speak for {operator}", field="by")
        return await record_mode(conn, wish)

    made = _object(in_transaction(settings, work))
    if as_json:
        click.echo(json.dumps(made, ensure_ascii=False))
        return
    for name, value in made.items():
        click.echo(f"{name}: {value}")


def _instant(text: str, option: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise MalformedInput("bad_option", "not ISO 8601 with an offset", field=option)
    if not FIRST_YEAR < at.year < LAST_YEAR:
        reason = f"must lie between {FIRST_YEAR} and {LAST_YEAR}"
        raise MalformedInput("bad_option", reason, field=option)
    return at.astimezone(UTC)


def _object(it: StationMode) -> dict[str, object]:
    return {
        "request_id": it.request_id,
        "operator": it.operator,
        "network": it.network,
        "stop": it.stop,
        "mode": str(it.mode),
        "valid_from": instant_text(it.valid_from),
        "valid_until": instant_text(it.valid_until),
        "reason": it.reason,
        "replaces": it.replaces,
        "recorded_by": it.recorded_by,
        "recorded_at": instant_text(it.recorded_at),
    }
