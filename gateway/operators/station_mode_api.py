"""What operators call about station modes: declare one, correct or end it, read the history."""

from __future__ import annotations

import re
from typing import Annotated

import asyncpg
from pydantic import Field

from gateway.http.fields import (
    Cursor,
    Incoming,
    Instant,
    Outgoing,
    PageLimit,
    Sentence,
    ShortId,
    Word,
)
from gateway.http.web import Call, Route
from transitpay.errors import MalformedInput
from transitpay.journeys.station_modes import Mode, StationMode
from transitpay.postgres.gates import station_modes
from transitpay.postgres.reference import Role
from transitpay.runtime.station_modes import record_mode

_OPERATORS = frozenset({Role.OPERATOR})
ModeText = Annotated[Mode, Field(strict=False)]


class StationModeWish(Incoming):
    """A mode of a stop, or without ``stop`` of a whole network. ``request_id`` is your key.

    ``valid_until`` null is until further notice. To correct or end a record send another that
    ``replaces`` it; one that ends when it begins says that it never held.
    """

    request_id: ShortId
    network: Word
    stop: Word | None = None
    mode: ModeText
    valid_from: Instant
    valid_until: Instant | None = None
    reason: Sentence
    replaces: ShortId | None = None


class StationModeRecord(Outgoing):
    """A record as it stands for ever."""

    request_id: str
    network: str
    stop: str | None
    mode: ModeText
    valid_from: Instant
    valid_until: Instant | None
    reason: str
    replaces: str | None
    recorded_by: str
    recorded_at: Instant


class StationModesQuery(Incoming):
    """Which network; ``as_of``: as it was known then; ``history``: replaced records too."""

    network: Word | None = None
    as_of: Instant | None = None
    history: bool = False
    limit: PageLimit = 50
    cursor: Cursor | None = None


class StationModesAnswer(Outgoing):
    """Newest first; ``next_cursor`` is null on the last page."""

    modes: list[StationModeRecord]
    next_cursor: str | None


async def declare(call: Call) -> StationModeRecord:
    """Record a mode; the same request is the same record.

    Raises: MalformedInput (``bad_period``), RuleViolation (``not_found``, ``unknown_stop``),
    Conflict (``request_repeated``, ``already_replaced``).
    """
    asked = call.body_as(StationModeWish)
    wish = StationMode(
        0, call.participant, asked.request_id, asked.network, asked.stop, asked.mode,
        asked.valid_from, asked.valid_until, asked.reason, asked.replaces, call.caller.actor.id,
        call.services.clock.now(),
    )  # fmt: skip

    async def work(conn: asyncpg.Connection) -> StationMode:
        return await record_mode(conn, wish)

    return _record(await call.services.database.run(work))


async def history(call: Call) -> StationModesAnswer:
    """A page of the operator's records."""
    asked = call.query_as(StationModesQuery)
    if asked.cursor is not None and not re.fullmatch(r"[0-9]{1,18}", asked.cursor):
        raise MalformedInput("bad_cursor", "this is no cursor of ours", field="cursor")
    async with call.services.database.transaction() as conn:
        found = await station_modes.modes(
            conn,
            call.participant,
            asked.network,
            asked.as_of or call.services.clock.now(),
            standing=not asked.history,
            before=int(asked.cursor) if asked.cursor else None,
            limit=asked.limit + 1,
        )
    page = found[: asked.limit]
    more = str(page[-1].id) if len(found) > asked.limit else None
    return StationModesAnswer(modes=[_record(it) for it in page], next_cursor=more)


def _record(it: StationMode) -> StationModeRecord:
    return StationModeRecord(
        request_id=it.request_id,
        network=it.network,
        stop=it.stop,
        mode=it.mode,
        valid_from=it.valid_from,
        valid_until=it.valid_until,
        reason=it.reason,
        replaces=it.replaces,
        recorded_by=it.recorded_by,
        recorded_at=it.recorded_at,
    )


ROUTES = (
    Route(
        "POST", "/v1/operator/station-modes", declare, "Declare, correct or end a station mode",
        _OPERATORS, body=StationModeWish, answer=StationModeRecord,
        errors=(
            "bad_period", "not_found", "unknown_stop", "request_repeated", "already_replaced",
        ),
    ),
    Route(
        "GET", "/v1/operator/station-modes", history, "Station modes, as known at an instant",
        _OPERATORS, query=StationModesQuery, answer=StationModesAnswer, errors=("bad_cursor",),
    ),
)  # fmt: skip
