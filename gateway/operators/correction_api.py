"""What operators call about journeys with a missing end: propose a station, approve, withdraw."""

from __future__ import annotations

import re
from typing import Literal

import asyncpg

from gateway.http.fields import (
    Cursor,
    Incoming,
    Instant,
    JourneyId,
    Outgoing,
    PageLimit,
    Sentence,
    ShortId,
    Word,
)
from gateway.http.web import Call, Route
from transitpay.errors import MalformedInput
from transitpay.postgres.approvals import Withdrawal
from transitpay.postgres.journeys import corrections
from transitpay.postgres.journeys.corrections import Correction, Stage
from transitpay.postgres.reference import Role
from transitpay.runtime.corrections import (
    CorrectionWish,
    approve_correction,
    overridden_by,
    propose_correction,
    withdraw_correction,
)

_OPERATORS = frozenset({Role.OPERATOR})


class JourneyCorrectionWish(Incoming):
    """Where the missing end of a journey of yours was. ``request_id`` is your key."""

    request_id: ShortId
    journey_id: JourneyId
    stop: Word
    reason: Sentence


class ApprovalWish(Incoming):
    """Which correction you approve; you did not propose it."""

    request_id: ShortId


class WithdrawalWish(Incoming):
    """Which correction of yours or another's is withdrawn, and why."""

    request_id: ShortId
    reason: Sentence


class JourneyCorrection(Outgoing):
    """A correction; it counts once ``approved_by`` is somebody, never if ``withdrawn_by`` is."""

    request_id: str
    journey_id: str
    network: str
    stop: str
    reason: str
    proposed_by: str
    proposed_at: Instant
    approved_by: str | None
    approved_at: Instant | None
    withdrawn_by: str | None
    withdrawn_at: Instant | None
    withdrawn_why: str | None


class ApprovedCorrection(JourneyCorrection):
    """An approved one; ``overridden_by`` is what the journey, as booked now, goes by instead."""

    overridden_by: Literal["station_mode", "given_back"] | None


class CorrectionsQuery(Incoming):
    """``waiting``: only those that nobody has approved or withdrawn."""

    waiting: bool = False
    limit: PageLimit = 50
    cursor: Cursor | None = None


class CorrectionsAnswer(Outgoing):
    """Newest first; ``next_cursor`` is null on the last page."""

    corrections: list[JourneyCorrection]
    next_cursor: str | None


async def propose(call: Call) -> JourneyCorrection:
    """Put a correction up for approval; the same request is the same correction.

    Raises: RuleViolation (``not_found``, ``unknown_stop``, ``not_incomplete``, ``given_back``,
    ``came_too_late``), Conflict (``request_repeated``, ``already_withdrawn``).
    """
    asked, now = call.body_as(JourneyCorrectionWish), call.services.clock.now()
    wish = CorrectionWish(
        call.participant, asked.request_id, asked.journey_id, asked.stop, asked.reason,
        call.caller.actor.id,
    )  # fmt: skip

    async def work(conn: asyncpg.Connection) -> Correction:
        return await propose_correction(conn, wish, now)

    return shown(await call.services.database.run(work))


async def approve(call: Call) -> ApprovedCorrection:
    """Let a correction count; again, it is the same. Says what overrides it.

    Raises: RuleViolation (``not_found``, ``four_eyes``), Conflict (``already_withdrawn``).
    """
    asked, now = call.body_as(ApprovalWish), call.services.clock.now()
    operator, by = call.participant, call.caller.actor.id

    async def work(conn: asyncpg.Connection) -> tuple[Correction, str | None]:
        done = await approve_correction(conn, operator, asked.request_id, by, now)
        return done, await overridden_by(conn, done)

    done, other = await call.services.database.run(work)
    fields = shown(done).model_dump()
    return ApprovedCorrection.model_validate({**fields, "overridden_by": other})


async def withdraw(call: Call) -> JourneyCorrection:
    """Take a correction back that waits; again, it is the same.

    Raises: RuleViolation (``not_found``), Conflict (``already_approved``, ``already_withdrawn``).
    """
    asked, operator = call.body_as(WithdrawalWish), call.participant
    it = Withdrawal(call.caller.actor.id, call.services.clock.now(), asked.reason)

    async def work(conn: asyncpg.Connection) -> Correction:
        return await withdraw_correction(conn, operator, asked.request_id, it)

    return shown(await call.services.database.run(work))


async def list_corrections(call: Call) -> CorrectionsAnswer:
    """A page of the operator's corrections."""
    asked = call.query_as(CorrectionsQuery)
    if asked.cursor is not None and not re.fullmatch(r"[0-9]{1,18}", asked.cursor):
        raise MalformedInput("bad_cursor", "this is no cursor of ours", field="cursor")
    async with call.services.database.transaction() as conn:
        found = await corrections.corrections(
            conn,
            call.participant,
            stage=Stage.WAITING if asked.waiting else None,
            before=int(asked.cursor) if asked.cursor else None,
            limit=asked.limit + 1,
        )
    page = found[: asked.limit]
    more = str(page[-1].said.approval) if len(found) > asked.limit else None
    return CorrectionsAnswer(corrections=[shown(it) for it in page], next_cursor=more)


def shown(it: Correction) -> JourneyCorrection:
    """A correction as operators see it: no rider."""
    return JourneyCorrection(
        request_id=it.said.request_id,
        journey_id=it.journey_id,
        network=it.said.network,
        stop=it.said.stop,
        reason=it.said.reason,
        proposed_by=it.said.stated_by,
        proposed_at=it.said.stated_at,
        approved_by=it.approved_by,
        approved_at=it.approved_at,
        withdrawn_by=it.withdrawn.by if it.withdrawn else None,
        withdrawn_at=it.withdrawn.at if it.withdrawn else None,
        withdrawn_why=it.withdrawn.why if it.withdrawn else None,
    )


_PATH = "/v1/operator/journey-corrections"
ROUTES = (
    Route(
        "POST", _PATH, propose, "Propose where a missing station was", _OPERATORS,
        body=JourneyCorrectionWish, answer=JourneyCorrection,
        errors=(
            "not_found", "unknown_stop", "not_incomplete", "given_back", "came_too_late",
            "request_repeated", "already_withdrawn",
        ),
    ),
    Route(
        "POST", f"{_PATH}/approvals", approve, "Approve another person's correction", _OPERATORS,
        body=ApprovalWish, answer=ApprovedCorrection,
        errors=("not_found", "four_eyes", "already_withdrawn"),
    ),
    Route(
        "POST", f"{_PATH}/withdrawals", withdraw, "Withdraw a correction that waits", _OPERATORS,
        body=WithdrawalWish, answer=JourneyCorrection,
        errors=("not_found", "already_approved", "already_withdrawn"),
    ),
    Route(
        "GET", _PATH, list_corrections, "Corrections of journeys, waiting or all", _OPERATORS,
        query=CorrectionsQuery, answer=CorrectionsAnswer, errors=("bad_cursor",),
    ),
)  # fmt: skip
