"""What operators call about suspensions for missing exits: list them, let a rider go."""

from __future__ import annotations

import re
from typing import Annotated

import asyncpg
from pydantic import Field

from gateway.http.fields import Cursor, Incoming, Instant, Outgoing, PageLimit, Sentence
from gateway.http.web import Call, Route
from transitpay.errors import MalformedInput
from transitpay.postgres.journeys import suspensions
from transitpay.postgres.journeys.suspensions import ListedSuspension
from transitpay.postgres.reference import Role
from transitpay.runtime.suspensions import let_go

_PEOPLE = frozenset({Role.OPERATOR, Role.ADMIN})


class SuspensionsQuery(Incoming):
    """Which page; leave ``cursor`` out for the first."""

    limit: PageLimit = 50
    cursor: Cursor | None = None


class SuspensionRecord(Outgoing):
    """A suspension of a rider of some wallet; ``until`` null: only a person ends it."""

    suspension: int
    network: str
    why: str
    counted: int
    more_than: int
    days: int
    since: Instant
    until: Instant | None
    ended_at: Instant | None
    let_go_by: str | None
    end_reason: str | None


class SuspensionsAnswer(Outgoing):
    """Newest first; ``next_cursor`` is null on the last page."""

    suspensions: list[SuspensionRecord]
    next_cursor: str | None


class EndWish(Incoming):
    """Which suspension ends, and why; what was missing up to now is forgiven."""

    suspension: Annotated[int, Field(ge=1, le=2**63 - 1)]
    reason: Sentence


async def list_suspensions(call: Call) -> SuspensionsAnswer:
    """A page of the suspensions in the operator's networks; an admin sees all."""
    asked = call.query_as(SuspensionsQuery)
    if asked.cursor is not None and not re.fullmatch(r"[0-9]{1,18}", asked.cursor):
        raise MalformedInput("bad_cursor", "this is no cursor of ours", field="cursor")
    before = int(asked.cursor) if asked.cursor else None
    async with call.services.database.transaction() as conn:
        found = await suspensions.listed(
            conn, _operator(call), before=before, limit=asked.limit + 1
        )
    page = found[: asked.limit]
    more = str(page[-1].id) if len(found) > asked.limit else None
    return SuspensionsAnswer(suspensions=[_record(it) for it in page], next_cursor=more)


async def end_suspension(call: Call) -> SuspensionRecord:
    """Let a rider go; the same again is the same. Settlement ends it within seconds.

    Raises: RuleViolation (``not_found``), Conflict (``request_repeated``).
    """
    asked, by, now = call.body_as(EndWish), call.caller.actor.id, call.services.clock.now()

    async def work(conn: asyncpg.Connection) -> ListedSuspension:
        return await let_go(conn, asked.suspension, asked.reason, by, now)

    return _record(await call.services.database.run(work))


def _operator(call: Call) -> str | None:
    return call.participant if call.caller.actor.role is Role.OPERATOR else None


def _record(it: ListedSuspension) -> SuspensionRecord:
    return SuspensionRecord(
        suspension=it.id,
        network=it.network,
        why=it.why,
        counted=it.counted,
        more_than=it.more_than,
        days=it.days,
        since=it.since,
        until=it.until,
        ended_at=it.ended_at,
        let_go_by=it.let_go_by,
        end_reason=it.end_reason,
    )


ROUTES = (
    Route(
        "GET", "/v1/operator/suspensions", list_suspensions, "Suspensions for missing exits",
        _PEOPLE, query=SuspensionsQuery, answer=SuspensionsAnswer, errors=("bad_cursor",),
    ),
    Route(
        "POST", "/v1/operator/suspension-ends", end_suspension, "Let a suspended rider go",
        _PEOPLE, body=EndWish, answer=SuspensionRecord, errors=("not_found", "request_repeated"),
    ),
)  # fmt: skip
