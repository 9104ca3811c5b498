"""``GET /v1/lists/...``: signed lists for readers, in bytes.

Source: docs/reader-protocol.md, "Lists".
"""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field

from gateway.http.fields import Incoming
from gateway.http.web import Call, Route
from gateway.lists.reader_config import config_values_of
from gateway.lists.serving import ServedList
from gateway.services import Services
from transitpay.postgres.reference import ReaderRegistration, Role
from transitpay.ride_code.lists.signed_list import ListKind
from transitpay.runtime.config import SANDBOX

_PIECE = 64 * 1024
OCTETS = "application/octet-stream"


class HaveQuery(Incoming):
    """The version that the reader holds; without it the whole list is sent."""

    have: Annotated[int, Field(ge=0, le=2**64 - 1)] | None = None


async def signed_list(call: Call) -> web.StreamResponse:
    """A list for the calling reader; 304 where its entity tag is the one that the reader has.

    Raises: TemporarilyUnavailable (``list_key_missing``).
    """
    have = call.query_as(HaveQuery).have
    kind = ListKind(call.request.match_info["list"])
    served = call.services.list_server
    if kind is ListKind.CONFIG:
        reader = call.caller.reader
        assert reader is not None, "readers are registered, or they are not let in"
        found = await served.config(reader.id, settings_of(call.services, reader), have)
    else:
        found = await served.shared(kind, have)
    return await _sent(call.request, found)


def settings_of(services: Services, reader: ReaderRegistration) -> dict[str, str]:
    """What the config of a reader says now."""
    now, places = services.clock.now(), services.places.current
    return config_values_of(
        reader,
        test_keys_allowed=services.settings.env == SANDBOX,
        highest_fares=places.highest_fares(reader.network, reader.stop, reader.direction, now),
        gates=places.open_gates(reader.network, reader.stop, now),
    )


async def _sent(request: web.Request, found: ServedList) -> web.StreamResponse:
    headers = {"ETag": f'"{found.tag}"', "Cache-Control": "no-cache"}
    asked = request.if_none_match or ()
    if any(tag.value == found.tag for tag in asked):
        return web.Response(status=304, headers=headers)
    answer = web.StreamResponse(headers=headers)
    answer.content_type = OCTETS
    answer.content_length = found.length
    await answer.prepare(request)
    for piece in found.pieces:
        view = memoryview(piece)
        for start in range(0, len(view), _PIECE):
            await answer.write(view[start : start + _PIECE])
    await answer.write_eof()
    return answer


ROUTES = (
    Route(
        "GET", "/v1/lists/{list}", signed_list, "A signed list, whole or as a delta",
        frozenset({Role.READER}), query=HaveQuery, media=OCTETS, also=(304,),
        errors=("list_key_missing",),
    ),
)  # fmt: skip
