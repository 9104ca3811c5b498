"""What wallets call about riders: enrol, tokens, destinations; each sees its own only."""

from __future__ import annotations

import secrets

import asyncpg

from gateway.http.problems import not_found
from gateway.http.web import Call, Route
from gateway.wallets.wallet_models import (
    DestinationRequest,
    EnrolRequest,
    RiderAnswer,
    TokenRequest,
)
from transitpay.destinations import DESTINATIONS, destination_number
from transitpay.postgres.journeys import riders
from transitpay.postgres.journeys.riders import Rider
from transitpay.postgres.reference import Role

_WALLETS = frozenset({Role.WALLET})
_RIDERS = "/v1/riders/{rider_id}"


async def enrol(call: Call) -> RiderAnswer:
    """Enrol an account for a destination; again, it is the same rider."""
    asked, wallet, now = call.body_as(EnrolRequest), call.participant, call.services.clock.now()
    new_id = secrets.token_hex(8)

    async def work(conn: asyncpg.Connection) -> Rider | None:
        rider_id = await riders.enrol(
            conn, wallet, new_id, asked.account_ref, asked.access_token, now
        )
        number = destination_number(asked.destination)
        await riders.add_destination(conn, wallet, rider_id, number, now)
        return await riders.rider(conn, wallet, rider_id)

    return _rider_answer(await call.services.database.run(work))


async def set_token(call: Call) -> RiderAnswer:
    """Replace the token by which the rider is charged."""
    asked, wallet = call.body_as(TokenRequest), call.participant
    rider_id = _rider_id(call)

    async def work(conn: asyncpg.Connection) -> Rider | None:
        await riders.set_token(conn, wallet, rider_id, asked.access_token)
        return await riders.rider(conn, wallet, rider_id)

    return _rider_answer(await call.services.database.run(work))


async def add_destination(call: Call) -> RiderAnswer:
    """Switch a destination on."""
    asked, wallet = call.body_as(DestinationRequest), call.participant
    rider_id, now = _rider_id(call), call.services.clock.now()

    async def work(conn: asyncpg.Connection) -> Rider | None:
        if await riders.lock_rider(conn, wallet, rider_id) is None:
            return None
        number = destination_number(asked.destination)
        await riders.add_destination(conn, wallet, rider_id, number, now)
        return await riders.rider(conn, wallet, rider_id)

    return _rider_answer(await call.services.database.run(work))


def _rider_id(call: Call) -> str:
    return call.request.match_info["rider_id"]


def _rider_answer(rider: Rider | None) -> RiderAnswer:
    if rider is None:
        raise not_found("rider")
    return RiderAnswer(
        rider_id=rider.rider_id, destinations=[DESTINATIONS[n] for n in rider.destinations]
    )


ROUTES = (
    Route(
        "POST", "/v1/riders", enrol, "Enrol a rider for a destination", _WALLETS,
        body=EnrolRequest, answer=RiderAnswer,
    ),
    Route(
        "PUT", f"{_RIDERS}/token", set_token, "Replace a rider's access token", _WALLETS,
        body=TokenRequest, answer=RiderAnswer, errors=("not_found",),
    ),
    Route(
        "POST", f"{_RIDERS}/destinations", add_destination, "Switch a destination on", _WALLETS,
        body=DestinationRequest, answer=RiderAnswer, errors=("not_found",),
    ),
)  # fmt: skip
