"""What operators see of their readers: the state of each, and the alarms they gave."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gateway.http.fields import Cursor, Incoming, Instant, Outgoing, PageLimit
from gateway.http.paging import encode_cursor, read_cursor
from gateway.http.web import Call, Route
from transitpay.postgres.gates import reader_states
from transitpay.postgres.reference import Role

_OPERATORS = frozenset({Role.OPERATOR})


class ReadersQuery(Incoming):
    """Readers by id; ``after`` is the ``next_after`` of the page before."""

    after: Annotated[str, Field(pattern=r"^[!-~]{0,32}$")] = ""
    limit: PageLimit = 50


class ReaderState(Outgoing):
    """A reader; null = it has not told. ``gaps`` are missing positions, from and to."""

    reader: str
    network: str
    stop: str
    direction: str
    decommissioned_at: Instant | None
    key_number: int | None
    enrolled_software: str | None
    software: str | None
    seen_at: Instant | None
    through_at: Instant | None
    last_sequence: int | None
    clock_error_ms: int | None
    uncertainty_s: int | None
    last_position: int | None
    store_held: int | None
    store_capacity: int | None
    trust_version: int | None
    deny_version: int | None
    config_version: int | None
    acknowledged_through: int | None
    highest_position: int | None
    gaps: list[tuple[int, int]]
    alarms: int


class ReadersAnswer(Outgoing):
    """A page of readers."""

    readers: list[ReaderState]
    next_after: str | None


class AlarmsQuery(Incoming):
    """Alarms, newest first; ``standing`` leaves out those that have ended."""

    standing: bool = False
    cursor: Cursor | None = None
    limit: PageLimit = 50


class AlarmRow(Outgoing):
    """A fault, once; ``ended_at`` is null while it stands."""

    kind: str
    reader: str
    subject: str
    detail: dict[str, object]
    raised_at: Instant
    ended_at: Instant | None


class AlarmsAnswer(Outgoing):
    """A page of alarms."""

    alarms: list[AlarmRow]
    next_cursor: str | None


async def readers(call: Call) -> ReadersAnswer:
    """The state of the operator's readers."""
    asked = call.query_as(ReadersQuery)
    async with call.services.database.transaction() as conn:
        rows = await reader_states.states(
            conn, call.participant, None, asked.after, asked.limit + 1
        )
    shown = [
        ReaderState.model_validate({**row, "gaps": [tuple(gap) for gap in row["gaps"]]})
        for row in rows[: asked.limit]
    ]
    more = len(rows) > asked.limit
    return ReadersAnswer(readers=shown, next_after=shown[-1].reader if more else None)


async def alarms(call: Call) -> AlarmsAnswer:
    """The alarms of the operator's readers.

    Raises: MalformedInput (``bad_cursor``).
    """
    asked = call.query_as(AlarmsQuery)
    after = read_cursor(asked.cursor)
    async with call.services.database.transaction() as conn:
        rows = await reader_states.alarms(
            conn, call.participant, None, after, asked.limit + 1, standing_only=asked.standing
        )
    shown = rows[: asked.limit]
    cursor = None
    if len(rows) > asked.limit:
        cursor = encode_cursor(shown[-1]["raised_at"], shown[-1]["id"])
    return AlarmsAnswer(
        alarms=[
            AlarmRow(
                kind=row["kind"],
                reader=row["reader"],
                subject=row["subject"],
                detail=row["detail"],
                raised_at=row["raised_at"],
                ended_at=row["ended_at"],
            )
            for row in shown
        ],
        next_cursor=cursor,
    )


ROUTES = (
    Route(
        "GET", "/v1/operator/readers", readers, "The state of each reader", _OPERATORS,
        query=ReadersQuery, answer=ReadersAnswer,
    ),
    Route(
        "GET", "/v1/operator/alarms", alarms, "Alarms of readers", _OPERATORS,
        query=AlarmsQuery, answer=AlarmsAnswer, errors=("bad_cursor",),
    ),
)  # fmt: skip
