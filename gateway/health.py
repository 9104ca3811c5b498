"""What machines look at: is it well, its numbers, its description."""

from __future__ import annotations

from typing import Literal

from aiohttp import web

from gateway.http.fields import Outgoing
from gateway.http.web import Call, Route
from transitpay.postgres.trust import lists


class Health(Outgoing):
    """The database answers and the lists are here. ``lists`` says whether readers can have them."""

    status: Literal["ok"]
    trust_version: int
    deny_version: int
    lists: Literal["signed", "list_key_missing"]


async def health(call: Call) -> Health:
    """200 only if a tap could be decided now.

    Raises: TemporarilyUnavailable.
    """
    async with call.services.database.transaction(2.0) as conn:
        await lists.versions(conn)
    known = call.services.lists
    return Health(
        status="ok",
        trust_version=known.trust.version,
        deny_version=known.deny.version,
        lists="signed" if known.has_list_key else "list_key_missing",
    )


async def metrics(call: Call) -> web.Response:
    """The numbers of this process, in Prometheus' text format."""
    text = call.services.metrics.render()
    return web.Response(text=text, headers={"Content-Type": "text/plain; version=0.0.4"})


async def description(call: Call) -> web.Response:
    """The OpenAPI document."""
    return web.json_response(call.services.openapi)


_AWAY = ("temporarily_unavailable", "database_unavailable")
ROUTES = (
    Route(
        "GET", "/healthz", health, "Whether taps can be decided", None, answer=Health, errors=_AWAY
    ),
    Route("GET", "/metrics", metrics, "Numbers of this process", None, media="text/plain"),
    Route("GET", "/v1/openapi.json", description, "This document", None, media="application/json"),
)
