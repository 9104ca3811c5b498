"""What wallets call about authorisations: issue, report what they signed, renew, revoke."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from gateway.http.problems import not_found
from gateway.http.web import Call, Route
from gateway.wallets.authorisation_models import (
    AuthorisationAnswer,
    AuthorisationRequest,
    CurrentAnswer,
    CurrentAuthorisation,
    RenewalDue,
    RenewalsAnswer,
    RenewalsQuery,
    RevocationAnswer,
    RevocationRequest,
    SignedAuthorisation,
)
from transitpay.destinations import bitmap
from transitpay.errors import (
    Conflict,
    MalformedInput,
    RuleViolation,
    TemporarilyUnavailable,
)
from transitpay.money import currency
from transitpay.postgres import reference
from transitpay.postgres.journeys import riders
from transitpay.postgres.reference import Role
from transitpay.postgres.trust import authorisations, denials, issuer_keys
from transitpay.ride_code.issuing import (
    IssuedAuthorisation,
    Wish,
    check_same_request,
    issue,
    renew_at,
    signed_elsewhere,
)
from transitpay.ride_code.layout import rider_bytes

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
        asked.rider_class,
        asked.quota,
    )

    async def work(conn: asyncpg.Connection) -> IssuedAuthorisation:
        rider = await riders.lock_rider(conn, wallet, rider_id)
        if rider is None:
            raise not_found("rider")
        known = await authorisations.of_request(conn, wallet, wish.request_id)
        if known is not None:
            check_same_request(wish, rider_id, known)
            return known
        await _refuse_barred(conn, wallet, rider_id)
        key, private = services.issuer_keys.signing_key(services.lists.trust, wallet, now)
        if not await issuer_keys.is_active(conn, key.key_id):
            raise TemporarilyUnavailable("no_issuer_key", "the key was withdrawn just now")
        serial = 1 + await authorisations.highest_serial(conn, wallet, rider_id)
        unit = currency(await reference.participant_currency(conn, wallet))
        given = issue(
            wish, wallet, rider_id, bitmap(rider.destinations), serial, unit, key, private, now
        )
        await authorisations.insert(conn, [given])
        return given

    return _answer(call, await services.database.run(work))


async def report(call: Call) -> AuthorisationAnswer:
    """Store an authorisation that the wallet signed; the same one again is stored once.

    Raises: MalformedInput (``bad_authorisation``, ``bad_device_key``, ``bad_issuer_signature``),
    RuleViolation (``not_found``, ``key_not_usable``, ``rights_exceeded``, ``rider_denied``),
    Conflict (``serial_repeated``, ``serial_not_rising``).
    """
    asked, services, wallet = call.body_as(SignedAuthorisation), call.services, call.participant
    rider_id, now = _rider_id(call), services.clock.now()
    part, signature = bytes.fromhex(asked.issuer_part), bytes.fromhex(asked.signature)
    keys = services.lists.trust.keys

    async def work(conn: asyncpg.Connection) -> IssuedAuthorisation:
        rider = await riders.lock_rider(conn, wallet, rider_id)
        if rider is None:
            raise not_found("rider")
        serial = int.from_bytes(part[11:15], "big")
        known = await authorisations.of_serial(conn, wallet, rider_id, serial)
        if known is not None:
            if (known.issuer_part, known.signature) != (part, signature):
                raise Conflict(
                    "serial_repeated", "another authorisation has this serial", field="issuer_part"
                )
            return known
        given = signed_elsewhere(
            wallet, rider_id, bitmap(rider.destinations), part, signature, keys, now
        )
        if not await issuer_keys.is_active(conn, given.content.key_id):
            raise RuleViolation("key_not_usable", "the key was withdrawn", field="issuer_part")
        await _refuse_barred(conn, wallet, rider_id)
        if given.serial <= await authorisations.highest_serial(conn, wallet, rider_id):
            raise Conflict(
                "serial_not_rising", "the rider has had a higher serial", field="issuer_part"
            )
        await authorisations.insert(conn, [given])
        return given

    return _answer(call, await services.database.run(work))


async def current(call: Call) -> CurrentAnswer:
    """What the rider's devices may use now."""
    wallet, rider_id, now = call.participant, _rider_id(call), call.services.clock.now()
    async with call.services.database.transaction() as conn:
        if await riders.rider(conn, wallet, rider_id) is None:
            raise not_found("rider")
        found = await authorisations.current(conn, wallet, rider_id, now)
        denial = await denials.denial(conn, wallet, rider_id)
    return CurrentAnswer(
        authorisations=[
            CurrentAuthorisation(
                serial=it.serial,
                issuer_part=it.issuer_part.hex(),
                signature=it.signature.hex(),
                not_before=it.not_before,
                not_after=it.not_after,
                renew_at=_renew_at(call, it),
                device_public_key=it.device_key.hex(),
                key_id=it.content.key_id,
                replaces=it.replaces,
            )
            for it in found
        ],
        denied_through=denial.serial,
        server_time=now,
    )


async def renewals(call: Call) -> RenewalsAnswer:
    """A page of the wallet's authorisations that must be replaced."""
    asked, now = call.query_as(RenewalsQuery), call.services.clock.now()
    after = _read_cursor(asked.cursor)
    async with call.services.database.transaction() as conn:
        found = await authorisations.renewals(conn, call.participant, after, now, asked.limit + 1)
    page = found[: asked.limit]
    more = len(found) > asked.limit
    return RenewalsAnswer(
        renewals=[
            RenewalDue(
                rider_id=it.rider_id,
                serial=it.serial,
                device_public_key=it.device_key.hex(),
                not_after=it.not_after,
                reason=it.reason,
            )
            for it in page
        ],
        next_cursor=f"{page[-1].rider_id}-{page[-1].serial}" if more else None,
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
        if asked.through_serial > await authorisations.highest_serial(conn, wallet, rider_id):
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


async def _refuse_barred(conn: asyncpg.Connection, wallet: str, rider_id: str) -> None:
    if (await denials.denial(conn, wallet, rider_id)).barred:
        raise RuleViolation("rider_denied", "the rider owes a fare or is suspended")


def _answer(call: Call, given: IssuedAuthorisation) -> AuthorisationAnswer:
    return AuthorisationAnswer(
        serial=given.serial,
        issuer_part=given.issuer_part.hex(),
        signature=given.signature.hex(),
        not_before=given.not_before,
        not_after=given.not_after,
        renew_at=_renew_at(call, given),
        server_time=call.services.clock.now(),
    )


def _renew_at(call: Call, given: IssuedAuthorisation) -> datetime:
    return renew_at(given, call.services.lists.trust.keys[given.content.key_id])


def _read_cursor(text: str | None) -> tuple[str, int]:
    """(rider id, serial) of the last row; before everything where there is none."""
    rider_id, dash, serial = (text or f"{0:016x}-0").partition("-")
    if not dash or not serial.isdecimal() or len(serial) > 10:
        raise MalformedInput("bad_cursor", "this is no cursor of ours", field="cursor")
    try:
        rider_bytes(rider_id)
    except MalformedInput:
        raise MalformedInput("bad_cursor", "this is no cursor of ours", field="cursor") from None
    return rider_id, int(serial)


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
        "POST", f"{_RIDERS}/authorisations/signed", report,
        "Report an authorisation that the wallet signed", _WALLETS,
        body=SignedAuthorisation, answer=AuthorisationAnswer,
        errors=(
            "not_found", "rider_denied", "bad_authorisation", "bad_device_key",
            "bad_issuer_signature", "key_not_usable", "rights_exceeded", "serial_repeated",
            "serial_not_rising",
        ),
    ),
    Route(
        "GET", f"{_RIDERS}/authorisations/current", current, "What the rider's devices may use",
        _WALLETS, answer=CurrentAnswer, errors=("not_found",),
    ),
    Route(
        "GET", "/v1/wallet/renewals", renewals, "Authorisations that must be replaced", _WALLETS,
        query=RenewalsQuery, answer=RenewalsAnswer, errors=("bad_cursor",),
    ),
    Route(
        "POST", f"{_RIDERS}/revocations", revoke, "Revoke the authorisations of a lost phone",
        _WALLETS, body=RevocationRequest, answer=RevocationAnswer, status=202,
        errors=("not_found", "unknown_serial", "request_repeated"),
    ),
)  # fmt: skip
