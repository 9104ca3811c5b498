"""``transitpay journeys``: corrections of missing ends by two people, suspensions for them."""

from __future__ import annotations

import json

import click

from transitpay.cli.database import in_transaction
from transitpay.cli.options import as_json_option, reason_option
from transitpay.clock import instant_text, waited
from transitpay.postgres.approvals import Withdrawal
from transitpay.postgres.journeys import corrections, suspensions
from transitpay.postgres.journeys.corrections import Correction, Stage
from transitpay.postgres.journeys.suspensions import ListedSuspension
from transitpay.postgres.pool import Connection
from transitpay.runtime.config import Settings
from transitpay.runtime.corrections import (
    CorrectionWish,
    approve_correction,
    propose_correction,
    withdraw_correction,
)
from transitpay.runtime.suspensions import let_go

_MOST = 200
_by = click.option("--by", required=True, help="Who you are: an actor of the operator.")
_operator = click.option("--operator", required=True)


@click.group()
def journeys() -> None:
    """Journeys with a missing end: correct, approve or withdraw a correction, let riders go."""


@journeys.command("correct")
@click.argument("request_id")
@_operator
@_by
@click.option("--journey", "journey_id", required=True, help="Its id.")
@click.option("--stop", required=True, help="Where the rider entered or left: name, id or code.")
@reason_option
@as_json_option
def correct(
    request_id: str, operator: str, by: str, journey_id: str, stop: str, reason: str, as_json: bool
) -> None:
    """Propose a correction under REQUEST_ID; it counts when another person approves it."""
    settings = Settings.from_environment()
    wish = CorrectionWish(operator, request_id, journey_id, stop, reason, by)

    async def work(conn: Connection) -> Correction:
        return await propose_correction(conn, wish, settings.clock().now())

    _say(in_transaction(settings, work), as_json)


@journeys.command("approve")
@click.argument("request_id")
@_operator
@_by
@as_json_option
def approve(request_id: str, operator: str, by: str, as_json: bool) -> None:
    """Approve the correction REQUEST_ID that somebody else proposed."""
    settings = Settings.from_environment()

    async def work(conn: Connection) -> Correction:
        return await approve_correction(conn, operator, request_id, by, settings.clock().now())

    _say(in_transaction(settings, work), as_json)


@journeys.command("withdraw")
@click.argument("request_id")
@_operator
@_by
@reason_option
@as_json_option
def withdraw(request_id: str, operator: str, by: str, reason: str, as_json: bool) -> None:
    """Take back the correction REQUEST_ID that waits: nobody can approve it any more.

    Who proposed it does, or another. The same again changes nothing; one that is approved, or
    withdrawn for another reason, is refused (exit code 2). The journey can be corrected anew
    under another id.
    """
    settings = Settings.from_environment()

    async def work(conn: Connection) -> Correction:
        it = Withdrawal(by, settings.clock().now(), reason)
        return await withdraw_correction(conn, operator, request_id, it)

    _say(in_transaction(settings, work), as_json)


@journeys.command("list")
@click.option("--operator", help="Only this operator's.")
@click.option("--waiting", is_flag=True, help="Only those that nobody has approved or withdrawn.")
@as_json_option
def list_(operator: str | None, waiting: bool, as_json: bool) -> None:
    """Show the newest corrections, newest first, and for how long they wait."""
    settings = Settings.from_environment()
    stage = Stage.WAITING if waiting else None

    async def work(conn: Connection) -> list[Correction]:
        return await corrections.corrections(conn, operator, stage=stage, limit=_MOST)

    found, now = in_transaction(settings, work), settings.clock().now()
    if as_json:
        told = [_object(it) for it in found]
        click.echo(json.dumps({"corrections": told}, ensure_ascii=False))
        return
    for it in found:
        fields = _object(it)
        if it.stage is Stage.WAITING:
            fields["waits"] = waited(it.said.stated_at, now)
        click.echo("  ".join(f"{k}={value}" for k, value in fields.items() if value is not None))
    if not found:
        click.echo("no corrections")


@journeys.command("suspensions")
@click.option("--operator", help="Only in the networks of this operator.")
@as_json_option
def suspensions_(operator: str | None, as_json: bool) -> None:
    """Show the newest suspensions for missing exits, newest first."""
    settings = Settings.from_environment()

    async def work(conn: Connection) -> list[ListedSuspension]:
        return await suspensions.listed(conn, operator, limit=_MOST)

    found = [_suspension(it) for it in in_transaction(settings, work)]
    if as_json:
        click.echo(json.dumps({"suspensions": found}, ensure_ascii=False))
        return
    for it in found:
        click.echo("  ".join(f"{name}={value}" for name, value in it.items() if value is not None))
    if not found:
        click.echo("no suspensions")


@journeys.command("let-go")
@click.argument("suspension", type=click.IntRange(1, 2**63 - 1))
@click.option("--by", required=True, help="Who you are: an admin, or an actor of the operator.")
@reason_option
@as_json_option
def let_go_(suspension: int, by: str, reason: str, as_json: bool) -> None:
    """End SUSPENSION, an evasion too; what was missing up to now is forgiven."""
    settings = Settings.from_environment()

    async def work(conn: Connection) -> ListedSuspension:
        return await let_go(conn, suspension, reason, by, settings.clock().now())

    _print(_suspension(in_transaction(settings, work)), as_json)


def _suspension(it: ListedSuspension) -> dict[str, object]:
    return {
        "suspension": it.id,
        "wallet": it.rider[0],
        "rider": it.rider[1],
        "network": it.network,
        "why": it.why,
        "counted": it.counted,
        "days": it.days,
        "since": instant_text(it.since),
        "until": instant_text(it.until),
        "ended_at": instant_text(it.ended_at),
        "let_go_by": it.let_go_by,
        "end_reason": it.end_reason,
    }


def _object(it: Correction) -> dict[str, object]:
    return {
        "operator": it.said.stated_for,
        "request_id": it.said.request_id,
        "journey": it.journey_id,
        "network": it.said.network,
        "stop": it.said.stop,
        "reason": it.said.reason,
        "proposed_by": it.said.stated_by,
        "proposed_at": instant_text(it.said.stated_at),
        "approved_by": it.approved_by,
        "approved_at": instant_text(it.approved_at),
        "withdrawn_by": it.withdrawn.by if it.withdrawn else None,
        "withdrawn_at": instant_text(it.withdrawn.at) if it.withdrawn else None,
        "withdrawn_why": it.withdrawn.why if it.withdrawn else None,
    }


def _say(it: Correction, as_json: bool) -> None:
    _print(_object(it), as_json)


def _print(found: dict[str, object], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    for name, value in found.items():
        click.echo(f"{name}: {value}")
