"""A person lets a suspended rider go: the use case behind the API and ``transitpay journeys``."""

from __future__ import annotations

from datetime import datetime

from transitpay.errors import Conflict, RuleViolation
from transitpay.postgres import approvals
from transitpay.postgres.journeys import statements, suspensions
from transitpay.postgres.journeys.suspensions import ListedSuspension
from transitpay.postgres.pool import Connection
from transitpay.postgres.reference import Role


async def let_go(
    conn: Connection, number: int, reason: str, by: str, at: datetime
) -> ListedSuspension:
    """End a suspension, of whatever kind; the same again is the same. Settlement does it at once.

    ``by`` is an admin, or a person of an operator whose network it is. What was missing up to
    ``at`` is forgiven. One that is over already stays as it is.

    Raises: RuleViolation (``not_found``, ``forbidden``), Conflict (``request_repeated``).
    """
    actor = await approvals.actor(conn, by)
    if actor is None or actor.role not in (Role.ADMIN, Role.OPERATOR):
        raise RuleViolation("forbidden", f"{by!r} may not end a suspension", field="by")
    operator = actor.participant if actor.role is Role.OPERATOR else None
    found = await suspensions.listed(conn, operator, number=number)
    if not found:
        raise RuleViolation("not_found", "there is no such suspension", field="suspension")
    was = found[0]
    if was.ended_at is not None and was.let_go_by is None:
        return was
    await suspensions.let_go(conn, number, reason, by, at)
    [kept] = await suspensions.listed(conn, operator, number=number)
    if kept.end_reason != reason:
        raise Conflict("request_repeated", "it was ended for another reason", field="reason")
    if was.let_go_by is None:
        await statements.read_again(conn, kept.rider, at, at)
        await approvals.note(conn, at, by, "suspension_ended", f"suspension:{number}", {})
    return kept
