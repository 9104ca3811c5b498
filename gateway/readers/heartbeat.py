"""Heartbeats: what a reader says of its clock, store and lists; what it should fetch or may delete.

A clock that is further off than the reader's own doubt is an alarm; readers of which nothing is
heard are found by a sweep.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from gateway.database import Database
from gateway.http.fields import Incoming, Instant, Outgoing, Sequence64, Word
from gateway.http.web import Call, Route
from gateway.lists.api import settings_of
from gateway.taps.judging import CLOCK_TOLERANCE
from gateway.taps.scan_alarms import AT_HEARTBEAT
from transitpay.clock import Clock
from transitpay.postgres.gates import reader_alarms, reader_states
from transitpay.postgres.gates.reader_alarms import Alarm, AlarmKind
from transitpay.postgres.gates.reader_states import Report
from transitpay.postgres.reference import Role
from transitpay.ride_code.lists.signed_list import ListKind
from transitpay.ride_code.verdict import UNCERTAINTY_CAP_S

_READERS = frozenset({Role.READER})
#: A reader that has missed so many heartbeats of half a minute is silent.
SILENT_AFTER = timedelta(minutes=10)
#: Whoever stole a list key may have given a reader any version; its heartbeats are heard all the
#: same, and the highest number of the database stands for what is above it.
_Version = Annotated[int, Field(ge=0, le=2**64 - 1), AfterValidator(lambda v: min(v, 2**63 - 1))]
_Count = Annotated[int, Field(ge=0, le=2**31 - 1)]


class HeartbeatRequest(Incoming):
    """Every scan up to ``through_at`` has been sent; the rest is how the reader is."""

    last_sequence: Sequence64
    through_at: Instant
    at: Instant | None = None
    uncertainty_s: Annotated[int, Field(ge=0, le=65535)] | None = None
    last_position: Sequence64 | None = None
    store_held: _Count | None = None
    store_capacity: _Count | None = None
    trust_version: _Version | None = None
    deny_version: _Version | None = None
    config_version: _Version | None = None
    software: Word | None = None


class HeartbeatAnswer(Outgoing):
    """The versions of the signed lists, 0 = none: fetch one of which you hold another. Records up
    to ``acknowledged_through`` may be deleted."""

    trust_version: int
    deny_version: int
    config_version: int
    acknowledged_through: int
    server_time: Instant


async def heartbeat(call: Call) -> HeartbeatAnswer:
    """Note how the reader is and how far it has reported."""
    asked, services = call.body_as(HeartbeatRequest), call.services
    reader, now = call.caller.actor.id, services.clock.now()
    report = report_of(asked, now)
    fault = clock_fault(report, CLOCK_TOLERANCE * services.clock.speed)
    async with services.database.transaction() as conn:
        await reader_states.put_report(conn, reader, report, now)
        if fault:
            detail: dict[str, object] = {
                "clock_error_ms": report.clock_error_ms,
                "uncertainty_s": report.uncertainty_s,
            }
            alarm = Alarm(reader, AlarmKind.CLOCK_FAULT, AT_HEARTBEAT, detail)
            await reader_alarms.raise_alarms(conn, [alarm], now)
        elif report.clock_error_ms is not None:
            await reader_alarms.end_alarm(conn, reader, AlarmKind.CLOCK_FAULT, AT_HEARTBEAT, now)
        acknowledged = await reader_states.acknowledged_through(conn, reader)
    registered, lists = call.caller.reader, services.lists
    assert registered is not None, "readers are registered, or they are not let in"
    settings = settings_of(services, registered)
    return HeartbeatAnswer(
        trust_version=lists.signed_version(ListKind.TRUST),
        deny_version=lists.signed_version(ListKind.DENY),
        config_version=await services.list_server.config_version(reader, settings),
        acknowledged_through=acknowledged,
        server_time=services.clock.now(),
    )


def report_of(asked: HeartbeatRequest, now: datetime) -> Report:
    """What is stored of a heartbeat. A reader cannot have reported a time that has not come: its
    word is cut to our clock."""
    error = None if asked.at is None else (asked.at - now) // timedelta(milliseconds=1)
    return Report(
        asked.last_sequence, min(asked.through_at, now), error, asked.uncertainty_s,
        asked.last_position, asked.store_held, asked.store_capacity, asked.trust_version,
        asked.deny_version, asked.config_version, asked.software,
    )  # fmt: skip


def clock_fault(report: Report, tolerance: timedelta) -> bool:
    """Whether the clock is further off than what the reader doubts, or its doubt is beyond the
    cap."""
    doubt_s = report.uncertainty_s or 0
    if doubt_s > UNCERTAINTY_CAP_S:
        return True
    limit = tolerance + timedelta(seconds=doubt_s)
    error = report.clock_error_ms
    return error is not None and abs(error) > limit // timedelta(milliseconds=1)


class Silence:
    """Notes which readers called (``heard``), and finds those of which nothing is heard."""

    def __init__(self, database: Database, clock: Clock, heard: dict[str, datetime]) -> None:
        self._database = database
        self._clock = clock
        self._heard = heard

    async def sweep(self) -> None:
        """Raise and end alarms of silence. Raises: TemporarilyUnavailable."""
        now, heard = self._clock.now(), dict(self._heard)
        async with self._database.transaction() as conn:
            if heard:
                await reader_states.note_heard(conn, heard)
            await reader_states.note_silence(conn, now - SILENT_AFTER, now)
        for reader, at in heard.items():
            if self._heard.get(reader) == at:
                del self._heard[reader]


ROUTES = (
    Route(
        "POST", "/v1/readers/heartbeat", heartbeat, "Report how the reader is", _READERS,
        body=HeartbeatRequest, answer=HeartbeatAnswer,
    ),
)  # fmt: skip
