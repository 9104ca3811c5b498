"""An operator names the missing end of a journey: one proposes it, another approves.

A proposal that is to come to nothing is withdrawn, by whoever proposed it or by another.

The use case behind the operators' API, the console and ``transitpay journeys``.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import date, datetime

from transitpay.errors import Conflict, RuleViolation
from transitpay.journeys.journey import Excuse, FilledBy
from transitpay.journeys.statements import StatementKind
from transitpay.postgres import approvals
from transitpay.postgres.approvals import Withdrawal
from transitpay.postgres.journeys import corrections, missing_ends, statements
from transitpay.postgres.journeys.corrections import Correction
from transitpay.postgres.journeys.missing_ends import StandingJourney
from transitpay.postgres.journeys.statements import JourneyStatement
from transitpay.postgres.pool import Connection
from transitpay.postgres.reference import Role
from transitpay.runtime.withdrawing import is_withdrawn, refuse_withdrawn


@dataclass(frozen=True, slots=True)
class CorrectionWish:
    """Where the missing end of a journey of the operator was; ``request_id`` is its key."""

    operator: str
    request_id: str
    journey_id: str
    stop: str
    reason: str
    by: str


async def propose_correction(conn: Connection, wish: CorrectionWish, at: datetime) -> Correction:
    """Put a correction up for approval; the same request is the same correction.

    Raises: RuleViolation (``not_found``, ``forbidden``, ``unknown_stop``, ``not_incomplete``,
    ``given_back``), Conflict (``request_repeated``, ``already_withdrawn``).
    """
    await _check_speaker(conn, wish.by, wish.operator)
    await corrections.lock_corrections(conn, wish.operator)
    known = await corrections.correction(conn, wish.operator, wish.request_id)
    if known is not None:
        if (known.journey_id, known.said.reason) != (_key(wish), wish.reason) or (
            known.said.stop != await _stop(conn, wish, known.said.network, known.said.service_day)
        ):
            raise Conflict(
                "request_repeated", "this request id was used for another one", field="request_id"
            )
        refuse_withdrawn(known.withdrawn, "request_id")
        return known
    journey = await missing_ends.standing_journey(conn, wish.journey_id)
    if journey is None or journey.operator != wish.operator:
        raise RuleViolation("not_found", "there is no such journey of yours", field="journey_id")
    stop = await _stop(conn, wish, journey.network, journey.service_day)
    _check_missing_end(journey)
    said = JourneyStatement(
        wish.operator, wish.request_id, StatementKind.CORRECTED, journey.rider, journey.tap,
        journey.since, journey.network, journey.service_day, stop, wish.reason, wish.by, at,
    )  # fmt: skip
    subject = f"journey-correction:{wish.operator}/{wish.request_id}"
    number = await approvals.propose(conn, subject, _digest(said), wish.by, at)
    said = replace(said, approval=number)
    await statements.insert_statement(conn, said)
    await approvals.note(conn, at, wish.by, "journey_correction_proposed", subject, {})
    return Correction(said, None, None)


async def approve_correction(
    conn: Connection, operator: str, request_id: str, by: str, at: datetime
) -> Correction:
    """Let a correction count, and have its rider read again; again, it is the same.

    Raises: RuleViolation (``not_found``, ``forbidden``, ``four_eyes``), Conflict
    (``already_withdrawn``).
    """
    known = await _proposed(conn, operator, request_id, by)
    if known.approved_by is not None:
        return known
    refuse_withdrawn(known.withdrawn, "request_id")
    said = known.said
    if by == said.stated_by:
        raise RuleViolation("four_eyes", "nobody approves a proposal of their own", field="by")
    assert said.approval is not None, "the database gives every correction its approval"
    await approvals.approve(conn, said.approval, by, at)
    await statements.read_again(conn, said.rider, said.tapped_at, at)
    subject = f"journey-correction:{operator}/{request_id}"
    await approvals.note(conn, at, by, "journey_correction_approved", subject, {})
    return Correction(said, by, at)


async def withdraw_correction(
    conn: Connection, operator: str, request_id: str, it: Withdrawal
) -> Correction:
    """Take a correction back, so that nobody can approve it; again, it is the same.

    Raises: RuleViolation (``not_found``, ``forbidden``), Conflict (``already_approved``,
    ``already_withdrawn``).
    """
    known = await _proposed(conn, operator, request_id, it.by)
    counts = known.approved_by is not None
    if is_withdrawn(counts, known.withdrawn, it.why, "request_id"):
        return known
    assert known.said.approval is not None, "the database gives every correction its approval"
    await approvals.withdraw(conn, known.said.approval, it)
    subject = f"journey-correction:{operator}/{request_id}"
    await approvals.note(conn, it.at, it.by, "journey_correction_withdrawn", subject, {})
    return replace(known, withdrawn=it)


async def _proposed(conn: Connection, operator: str, request_id: str, by: str) -> Correction:
    """The correction as it stands until we end. Raises: ``not_found``, ``forbidden``."""
    await _check_speaker(conn, by, operator)
    await corrections.lock_corrections(conn, operator)
    known = await corrections.correction(conn, operator, request_id)
    if known is None:
        raise RuleViolation("not_found", "there is no such correction", field="request_id")
    return known


async def overridden_by(conn: Connection, correction: Correction) -> str | None:
    """What the journey goes by instead of the correction, as it is booked now; None = nothing.

    ``given_back``, or ``station_mode`` where gates stood open or the fare was waived.
    """
    journey = await missing_ends.standing_journey(conn, correction.journey_id)
    if journey is None:
        return None
    if journey.excuse is Excuse.GIVEN_BACK:
        return "given_back"
    modes = (Excuse.EMERGENCY, Excuse.FREE)
    if journey.excuse in modes or journey.filled_by is FilledBy.OPEN_GATES:
        return "station_mode"
    return None


def _key(wish: CorrectionWish) -> str:
    """The journey's id without its revision."""
    return wish.journey_id.partition("~")[0]


async def _stop(conn: Connection, wish: CorrectionWish, network: str, day: date) -> str:
    stop = await missing_ends.known_stop(conn, network, wish.stop, day)
    if stop is None:
        raise RuleViolation("unknown_stop", "no tariff of the network knows it", field="stop")
    return stop


def _check_missing_end(journey: StandingJourney) -> None:
    if not journey.has_missing_end:
        raise RuleViolation("not_incomplete", "no end of it is missing", field="journey_id")
    if journey.filled_by is FilledBy.OPEN_GATES:
        reason = "open gates name its end, before any correction: correct that station mode"
        raise RuleViolation("not_incomplete", reason, field="journey_id")
    if journey.excuse is Excuse.GIVEN_BACK:
        raise RuleViolation("given_back", "its fare was given back", field="journey_id")
    if journey.excuse is Excuse.LATE:
        reason = "its scan came too late, so the ride costs nothing"
        raise RuleViolation("came_too_late", reason, field="journey_id")


async def _check_speaker(conn: Connection, by: str, operator: str) -> None:
    actor = await approvals.actor(conn, by)
    speaks = actor is not None and actor.role is Role.OPERATOR and actor.participant == operator
    if not speaks:
        raise RuleViolation("forbidden", f"{by!r} may not speak for {operator}", field="by")


def _digest(said: JourneyStatement) -> bytes:
    """SHA-256 of what the second person approves."""
    day, reader, sequence = said.tap
    content = [said.stated_for, said.request_id, f"{day}/{reader}/{sequence}", said.stop]
    return hashlib.sha256(json.dumps([*content, said.reason]).encode()).digest()
