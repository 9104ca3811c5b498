"""Every error that leaves the gateway: the one table error -> HTTP status, and its body.

A code that stands in ``ERRORS`` has the status written there; any other has that of its family.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from gateway.http.fields import Problem
from transitpay.errors import MalformedInput, RuleViolation, TemporarilyUnavailable, TransitPayError

PROBLEM_JSON = "application/problem+json"

STATUS_OF_FAMILY: Mapping[str, int] = {
    "malformed_input": 400,
    "rule_violation": 422,
    "conflict": 409,
    "temporarily_unavailable": 503,
    "error": 500,
}
#: code -> (status, what it means and what the caller does next).
ERRORS: Mapping[str, tuple[int, str]] = {
    "malformed_request": (400, "A field is missing, unknown or of another form; change it."),
    "bad_cursor": (400, "Not a cursor of ours; begin with the first page."),
    "bad_device_key": (400, "Not a compressed P-256 point."),
    "bad_reader_key": (400, "Not a compressed P-256 point."),
    "bad_authorisation": (400, "Not the 65 bytes of an authorisation for this rider."),
    "bad_issuer_signature": (400, "The named key did not sign these bytes, or with a high s."),
    "bad_public_key": (400, "Not a key of this algorithm."),
    "bad_proof": (400, "The key did not sign the proof that you hold it."),
    "bad_period": (400, "It ends before it begins; change the instants."),
    "batch_unreadable": (400, "The batch or a record in it is malformed."),
    "body_too_slow": (400, "The body did not come in time."),
    "unauthenticated": (401, "No token or signature that we believe."),
    "forbidden": (403, "Your role may not do this."),
    "not_found": (404, "No such thing, or it is not yours."),
    "method_not_allowed": (405, "This path has other methods."),
    "sequence_conflict": (409, "The sequence was used for another scan; a clone alarm is raised."),
    "request_repeated": (409, "The request id was used with other content; take a new one."),
    "reader_has_key": (409, "The reader has a key; an admin must allow another one."),
    "reader_key_retired": (409, "The key was replaced by another one before this was sealed."),
    "already_declared": (409, "Another station was declared for this ride; that one stays."),
    "already_approved": (409, "It was approved and counts; it is not withdrawn any more."),
    "already_withdrawn": (409, "It was withdrawn, and stays so; propose it anew under another id."),
    "already_replaced": (409, "A later record has replaced this one; replace that one."),
    "serial_repeated": (409, "Another authorisation of the rider has this serial."),
    "serial_not_rising": (409, "The rider has had a higher serial; sign with the next one."),
    "body_too_large": (413, "Send less at once."),
    "unsupported_media_type": (415, "Send the type that the route takes."),
    "day_out_of_range": (422, "The scan is too old or in the future; it is kept for people."),
    "no_destination": (422, "Enrol the rider for a destination first."),
    "rider_denied": (422, "The rider owes a fare or is suspended; the refusals say what to do."),
    "key_not_usable": (422, "No active key of yours, or not valid when the authorisation begins."),
    "rights_exceeded": (422, "It grants a destination or mode that its key or rider has not."),
    "unknown_stop": (
        422,
        "Neither a reader of the network nor a tariff knows this stop; spell it as they do.",
    ),
    "not_incomplete": (422, "No station of this journey is missing; there is nothing to name."),
    "given_back": (422, "The operator gave this fare back; there is nothing to name."),
    "came_too_late": (422, "Its scan came too late and costs nothing; there is nothing to name."),
    "covered_by_mode": (
        422,
        "The operator had opened the gates or waived the fare; there is nothing to name.",
    ),
    "claims_not_taken": (422, "Riders name no stations on this network; ask its operator."),
    "crossed_accounts": (
        422,
        "That day may hold a journey in with one account and out with another; ask the operator.",
    ),
    "claim_too_late": (422, "The days for naming the station are over; ask the operator."),
    "claims_used_up": (422, "The rider has named as many stations as a month allows."),
    "four_eyes": (422, "Nobody approves a proposal of their own; another person must."),
    "unknown_serial": (422, "The rider has no authorisation with this serial yet."),
    "too_many_records": (422, "A batch has at most 500 records."),
    "batch_of_other_reader": (422, "The batch names another reader than you are."),
    "unknown_reader_key": (422, "No key of this number is enrolled."),
    "bad_batch_signature": (422, "The signature is not that of the key."),
    "broken_batch_chain": (422, "The records do not lead to the last hash of the head."),
    "sealed_records_needed": (422, "The reader has a key: upload sealed batches."),
    "reader_key_unproved": (422, "The proof is not this key's for this reader."),
    "serials_used_up": (422, "The rider has had every serial."),
    "internal_error": (500, "Our mistake; it is logged."),
    "temporarily_unavailable": (503, "Too busy or starting; send the same again."),
    "database_unavailable": (503, "The database is away; send the same again."),
    "database_busy": (503, "Writers met too often; send the same again."),
    "no_issuer_key": (503, "No active issuing key of your wallet is on this machine."),
    "list_key_missing": (503, "No list key is on this machine, so no list is signed; taps go on."),
    "no_partner_key": (503, "Our own partner key is not on this machine."),
}
LIST_KEY_MISSING = "list_key_missing"
#: One line for people per status.
TITLES: Mapping[int, str] = {
    400: "Malformed request",
    401: "Authentication needed",
    403: "Not allowed for this role",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict with an earlier request",
    413: "Body too large",
    415: "Unsupported media type",
    422: "Not allowed by a rule",
    500: "Our mistake",
    503: "Temporarily unavailable",
}
#: Seconds after which a 503 may be tried again.
RETRY_AFTER_S = 1


def status_of(error: TransitPayError) -> int:
    """The HTTP status of an error: of its code where that is known, else of its family."""
    known = ERRORS.get(error.code)
    return known[0] if known else STATUS_OF_FAMILY[error.family]


def problem(error: TransitPayError) -> web.Response:
    """The answer for an error."""
    status = status_of(error)
    body = Problem(
        type=f"urn:transitpay:problem:{error.code}",
        title=TITLES[status],
        status=status,
        detail=error.message,
        code=error.code,
        field=error.field,
    )
    headers: dict[str, str] = {}
    if status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return web.Response(
        body=body.model_dump_json(exclude_none=True).encode(),
        status=status,
        content_type=PROBLEM_JSON,
        headers=headers,
    )


def unauthenticated(why: str = "a valid bearer token is needed") -> TransitPayError:
    """The caller did not say who it is, or is not believed."""
    return RuleViolation("unauthenticated", why)


def forbidden() -> TransitPayError:
    """The caller is known and this is not its business."""
    return RuleViolation("forbidden", "this role may not do this")


def not_found(what: str) -> TransitPayError:
    """There is no such thing, or it belongs to somebody else."""
    return RuleViolation("not_found", f"there is no such {what}")


def body_too_large(limit: int) -> TransitPayError:
    """The body is longer than this route takes."""
    return MalformedInput("body_too_large", f"a body here has at most {limit} bytes")


def our_mistake() -> TransitPayError:
    """What the caller sees of an error that we did not foresee."""
    return TransitPayError("internal_error", "the request could not be served; it is logged")


def starting() -> TransitPayError:
    """We have not heard from the database yet."""
    return TemporarilyUnavailable("temporarily_unavailable", "the gateway is still starting")


def list_key_missing() -> TransitPayError:
    """Nobody has signed the list, and we have no list key to do it."""
    return TemporarilyUnavailable(LIST_KEY_MISSING, "no list key is here to sign the list with")
