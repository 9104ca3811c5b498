"""Routes as values, and the one road from bytes to a handler and back.

A ``Route`` says who may call it, what it reads and answers, and how it can fail; the server, the
access rule and the OpenAPI document are made of the same list. The road: who calls - may they -
how long is the body - does it say what the model asks for - handle - answer.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from gateway.http.fields import Incoming
from gateway.http.problems import (
    body_too_large,
    forbidden,
    not_found,
    our_mistake,
    problem,
    status_of,
)
from gateway.services import Services
from transitpay.errors import MalformedInput, TransitPayError
from transitpay.postgres.reference import Holder, Role

_M = TypeVar("_M", bound=Incoming)
SMALL_BODY = 16 * 1024
LARGE_BODY = 1024 * 1024
_READ_LIMIT_S = 10.0
#: Where people without a session are sent.
LOGIN_PATH = "/console/login"

#: The parameters that may stand in a path, and their form.
PATH_PARAMETERS: Mapping[str, str] = {
    "rider_id": r"^[0-9a-f]{16}$",
    "list": r"^(trust|deny|config)$",
    "day": r"^20[2-9][0-9]-[01][0-9]-[0-3][0-9]$",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way to its handler, with everything that was checked before."""

    services: Services
    request: web.Request
    holder: Holder | None
    body: Incoming | None
    query: Incoming | None
    raw: bytes = b""

    @property
    def caller(self) -> Holder:
        """Who calls, on a route with roles."""
        assert self.holder is not None, "only routes with roles have a caller"
        return self.holder

    @property
    def participant(self) -> str:
        """The wallet or operator for whom the caller acts."""
        found = self.caller.actor.participant
        assert found is not None, "the database gives these roles a participant"
        return found

    def body_as(self, model: type[_M]) -> _M:
        """The body, as the model that the route names."""
        assert isinstance(self.body, model)
        return self.body

    def query_as(self, model: type[_M]) -> _M:
        """The query, as the model that the route names."""
        assert isinstance(self.query, model)
        return self.query


Handler = Callable[[Call], Awaitable[BaseModel | web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One route. ``roles`` None = open to everybody; ``errors`` are codes beyond the usual ones.

    ``raw_body`` routes get the bytes as they came, of the type that they take; readers out of
    service are let in where ``decommissioned``; ``also`` are statuses beside ``status`` that
    are no errors. ``page`` routes belong to people: they take
    the console's cookie, and their refusal is the login page.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    roles: frozenset[Role] | None
    body: type[Incoming] | None = None
    query: type[Incoming] | None = None
    answer: type[BaseModel] | None = None
    status: int = 200
    errors: tuple[str, ...] = ()
    body_limit: int = SMALL_BODY
    raw_body: bool = False
    takes: str = "application/json"
    decommissioned: bool = False
    page: bool = False
    media: str = ""
    also: tuple[int, ...] = ()

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names in the path's braces."""
        return tuple(re.findall(r"{(\w+)}", self.path))


def serve(
    route: Route, services: Services
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The aiohttp handler of a route; no error of any kind leaves it."""

    async def handle(request: web.Request) -> web.StreamResponse:
        started = asyncio.get_running_loop().time()
        try:
            answer = await _answer(route, services, request)
        except TransitPayError as error:
            answer = problem(error)
            if status_of(error) == 413:
                answer.force_close()
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:  # noqa: BLE001  # the last line of defence, logged
            services.events.error("unforeseen", exc=error, route=route.path)
            answer = problem(our_mistake())
        took = asyncio.get_running_loop().time() - started
        services.observe_request(route.path, answer.status, took)
        return answer

    return handle


async def _answer(route: Route, services: Services, request: web.Request) -> web.StreamResponse:
    holder = None
    if route.roles is not None:
        if route.page:
            holder = await services.authenticator.person(request)
            if holder is None:
                return web.Response(status=303, headers={"Location": LOGIN_PATH})
        else:
            holder = await services.authenticator.caller(request, route.decommissioned)
        if holder.actor.role not in route.roles:
            raise forbidden()
    for name in route.parameters:
        if not re.fullmatch(PATH_PARAMETERS[name], request.match_info[name]):
            raise not_found(name)
    query = _read_query(route.query, request) if route.query is not None else None
    raw, body = b"", None
    if route.body is not None or route.raw_body:
        raw = await read_body(request, route.body_limit)
    if route.body is not None:
        if request.content_type != "application/json":
            raise MalformedInput("unsupported_media_type", "send application/json")
        body = read_model(route.body, raw)
    found = await route.handler(Call(services, request, holder, body, query, raw))
    if isinstance(found, web.StreamResponse):
        return found
    return web.Response(
        body=found.model_dump_json(by_alias=True).encode(),
        status=route.status,
        content_type="application/json",
    )


async def read_body(request: web.Request, limit: int) -> bytes:
    """The body, never more than ``limit`` bytes of it.

    Raises: MalformedInput (``body_too_large``, ``body_too_slow``) before reading it to the end.
    """
    if request.content_length is not None and request.content_length > limit:
        raise body_too_large(limit)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(_READ_LIMIT_S):
            while part := await request.content.readany():
                size += len(part)
                if size > limit:
                    raise body_too_large(limit)
                parts.append(part)
    except TimeoutError:
        raise MalformedInput("body_too_slow", "the body did not come in time") from None
    return b"".join(parts)


def read_model(model: type[_M], raw: bytes) -> _M:
    """The body as a model.

    Raises: MalformedInput (``malformed_request``) naming the field; never repeating its value.
    """
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise _malformed(error) from None


def _read_query(model: type[_M], request: web.Request) -> _M:
    values: dict[str, str] = {}
    for name, value in request.query.items():
        if name in values:
            raise MalformedInput("malformed_request", "given twice", field=name[:64])
        values[name] = value
    try:
        return model.model_validate_strings(values)
    except ValidationError as error:
        raise _malformed(error) from None


def _malformed(error: ValidationError) -> MalformedInput:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    field_name = ".".join(str(part) for part in first["loc"])[:100] or None
    return MalformedInput("malformed_request", first["msg"], field=field_name)
