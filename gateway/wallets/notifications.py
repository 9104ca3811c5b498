"""Payment notifications of wallets: verify, store, commit, and only then a signed answer.

What a notification means is settlement's business; here it is evidence, kept byte for byte. A
signature that is not believed gets a plain refusal: an answer with our signature is an ack.
"""

from __future__ import annotations

from aiohttp import web

from gateway.http.problems import unauthenticated
from gateway.http.web import SMALL_BODY, Call, Route
from transitpay.charging import partner_answers, signature
from transitpay.charging.partner_messages import NOTIFY_PATH
from transitpay.charging.signature import TOLERANCE, NotBelieved
from transitpay.postgres.money import inboxes


async def notify(call: Call) -> web.Response:
    """Take a notification; the same again gets the same kind of ack.

    Raises: RuleViolation (``unauthenticated``), TemporarilyUnavailable: no ack, send it again.
    """
    services, request, body = call.services, call.request, call.raw
    now = services.clock.now()
    book = await services.partners.book()
    believed = signature.verify_request(
        request.method,
        request.path_qs,
        list(request.headers.items()),
        body,
        book.keys,
        now,
        TOLERANCE * services.clock.speed,
    )
    if isinstance(believed, NotBelieved):
        services.events.warning("notification_refused", reason=believed.reason.value)
        raise unauthenticated(f"the signature is not believed: {believed.reason.value}")
    wallet = book.wallets[believed.client_id]
    signer = services.partners.signer(book, wallet)
    async with services.database.transaction() as conn:
        fresh = await inboxes.insert_notification(conn, wallet, body, now)
    services.events.info("notification_stored", wallet=wallet, fresh=fresh)
    answer = partner_answers.build_notification_answer()
    headers = signer.response_headers(request.method, request.path_qs, answer, services.clock.now())
    return web.Response(body=answer, content_type="application/json", headers=headers)


ROUTES = (
    Route(
        "POST", NOTIFY_PATH, notify, "A wallet's signed word on a payment", None,
        raw_body=True, body_limit=SMALL_BODY, errors=("unauthenticated", "no_partner_key"),
    ),
)  # fmt: skip
