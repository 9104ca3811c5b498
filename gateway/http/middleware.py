"""Turns aiohttp's own refusals (no such path, no such method) into problems like all others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from gateway.http.problems import not_found, problem
from transitpay.errors import RuleViolation

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def refusals_as_problems(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Every refusal has the same form, wherever it was made."""
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed as refusal:
        allowed = ", ".join(sorted(refusal.allowed_methods))
        answer = problem(RuleViolation("method_not_allowed", f"this path takes {allowed}"))
        answer.headers["Allow"] = allowed
        return answer
    except web.HTTPNotFound:
        return problem(not_found("path"))
