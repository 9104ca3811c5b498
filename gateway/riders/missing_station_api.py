"""What wallets call for a rider who names the missing station of a journey."""

from __future__ import annotations

import asyncpg

from gateway.http.fields import Incoming, Instant, JourneyId, Outgoing, Word
from gateway.http.web import Call, Route
from transitpay.journeys.declarations import DeclarationRefusal
from transitpay.postgres.journeys.statements import JourneyStatement
from transitpay.postgres.reference import Role
from transitpay.runtime.declarations import Declaration, declare

_WALLETS = frozenset({Role.WALLET})


class MissingStation(Incoming):
    """Where the rider entered or left without a scan: a name, an id or a code of the station."""

    ride_id: JourneyId
    stop: Word


class MissingStationAnswer(Outgoing):
    """The declaration as it stands; ``stop`` is the station's id. The ride is corrected soon."""

    ride_id: str
    stop: str
    declared_at: Instant


async def declare_station(call: Call) -> MissingStationAnswer:
    """Keep what the rider says; the same again is the same declaration.

    Raises: RuleViolation (``not_found``, ``unknown_stop``, a ``DeclarationRefusal``), Conflict
    (``already_declared``).
    """
    asked, now = call.body_as(MissingStation), call.services.clock.now()
    wish = Declaration(
        call.participant, call.request.match_info["rider_id"], asked.ride_id, asked.stop,
        call.caller.actor.id,
    )  # fmt: skip

    async def work(conn: asyncpg.Connection) -> JourneyStatement:
        return await declare(conn, wish, now)

    said = await call.services.database.run(work)
    return MissingStationAnswer(ride_id=said.request_id, stop=said.stop, declared_at=said.stated_at)


ROUTES = (
    Route(
        "POST", "/v1/riders/{rider_id}/missing-stations", declare_station,
        "Name the missing station of a ride", _WALLETS, body=MissingStation,
        answer=MissingStationAnswer,
        errors=(
            "not_found", "unknown_stop", "already_declared",
            *(it.value for it in DeclarationRefusal),
        ),
    ),
)  # fmt: skip
