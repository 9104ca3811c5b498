"""What wallets call about authorisations: issue one for a phone, revoke a lost one."""

from __future__ import annotations

import asyncpg

from gateway.authorisation_models import (
    AuthorisationAnswer,
    AuthorisationRequest,
    RevocationAnswer,
    RevocationRequest,
)
from gateway.issuing import Wish, check_same_request, issue
from gateway.problems import not_found
from gateway.web import Call, Route
from transitpay.errors import Conflict, RuleViolation
from transitpay.postgres import denials, reference, riders
from transitpay.postgres.reference import Role
from transitpay.postgres.riders import IssuedAuthorisation

_WALLETS = frozenset({Role.WALLET})
_RIDERS = "/v1/riders/{rider_id}"


async def authorise(call: Call) -> AuthorisationAnswer:
    """Issue an authorisation; the same request gets the same one.

    Raises: RuleViolation (``not_found``, ``rider_denied``, ``no_destination``), MalformedInput
    (``bad_device_key``), Conflict (``request_repeated``), TemporarilyUnavailable
    (``no_issuer_key``).
    """
    asked, services, wallet = call.body_as(AuthorisationRequest), call.services, call.participant
    rider_id, now = _rider_id(call), services.clock.now()
    wish = Wish(
        asked.request_id,
        bytes.fromhex(asked.device_public_key),
        asked.life_hours,
        asked.ceiling_major,
        asked.max_companions,
    )

    async def work(conn: asyncpg.Connection) -> IssuedAuthorisation:
        rider = await riders.lock_rider(conn, wallet, rider_id)
        if rider is None:
            raise not_found("rider")
        known = await riders.authorisation_of_request(conn, wallet, wish.request_id)
        if known is not None:
            check_same_request(wish, rider_id, known)
            return known
        if (await denials.denial(conn, wallet, rider_id)).owes:
            raise RuleViolation("rider_denied", "the rider owes a fare; settle it first")
        key, private = services.issuer_keys.signing_key(services.lists.trust, wallet, now)
        serial = 1 + await riders.highest_serial(conn, wallet, rider_id)
        unit = await reference.participant_currency(conn, wallet)
        given = issue(wish, rider, serial, unit, key, private, now)
        await riders.insert_authorisations(conn, [given])
        return given

    given = await services.database.run(work)
    return AuthorisationAnswer(
        serial=given.serial,
        issuer_part=given.issuer_part.hex(),
        signature=given.signature.hex(),
        not_before=given.not_before,
        not_after=given.not_after,
        server_time=services.clock.now(),
    )


async def revoke(call: Call) -> RevocationAnswer:
    """Deny the authorisations of a lost phone, those up to its serial.

    Raises: RuleViolation (``not_found``, ``unknown_serial``), Conflict (``request_repeated``).
    """
    asked, wallet = call.body_as(RevocationRequest), call.participant
    rider_id, now = _rider_id(call), call.services.clock.now()

    async def work(conn: asyncpg.Connection) -> str:
        if await riders.lock_rider(conn, wallet, rider_id) is None:
            raise not_found("rider")
        if asked.through_serial > await riders.highest_serial(conn, wallet, rider_id):
            raise RuleViolation(
                "unknown_serial", "the rider has no such serial yet", field="through_serial"
            )
        return await denials.ask_revocation(
            conn, wallet, rider_id, asked.through_serial, asked.reason, now
        )

    if await call.services.database.run(work) != asked.reason:
        raise Conflict(
            "request_repeated", "this serial was revoked for another reason", field="reason"
        )
    return RevocationAnswer(rider_id=rider_id, through_serial=asked.through_serial)


def _rider_id(call: Call) -> str:
    return call.request.match_info["rider_id"]


ROUTES = (
    Route(
        "POST", f"{_RIDERS}/authorisations", authorise, "Issue an authorisation", _WALLETS,
        body=AuthorisationRequest, answer=AuthorisationAnswer,
        errors=(
            "not_found", "rider_denied", "no_destination", "bad_device_key", "request_repeated",
            "serials_used_up", "no_issuer_key",
        ),
    ),
    Route(
        "POST", f"{_RIDERS}/revocations", revoke, "Revoke the authorisations of a lost phone",
        _WALLETS, body=RevocationRequest, answer=RevocationAnswer, status=202,
        errors=("not_found", "unknown_serial", "request_repeated"),
    ),
)  # fmt: skip
