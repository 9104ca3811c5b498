"""The OpenAPI 3.1 document, made of the routes and their pydantic models.

Nothing is written by hand: a route that exists is described, with every status it can answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway.http.fields import Problem
from gateway.http.problems import ERRORS, PROBLEM_JSON
from gateway.http.web import PATH_PARAMETERS, Route

Json = dict[str, object]
_REF = "#/components/schemas/{model}"


def document(routes: Iterable[Route], version: str) -> Json:
    """The document; the same routes give the same bytes."""
    listed = list(routes)
    paths: dict[str, dict[str, Json]] = {}
    for route in listed:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "TransitPay gateway",
            "version": version,
            "description": "Ride codes at the gate, riders of wallets, records of operators.",
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(listed),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def error_codes(route: Route) -> list[str]:
    """Every error code that a route can answer with, by status."""
    codes = {*route.errors, "internal_error"}
    if route.roles is not None:
        codes |= {"forbidden", "temporarily_unavailable", "database_unavailable", "database_busy"}
        if not route.page:
            codes.add("unauthenticated")
    if route.body is not None or route.raw_body:
        codes |= {"body_too_large", "body_too_slow"}
        codes |= {"temporarily_unavailable", "database_unavailable"}
    if route.body is not None:
        codes |= {"malformed_request", "unsupported_media_type"}
    if route.query is not None:
        codes.add("malformed_request")
    if route.parameters:
        codes.add("not_found")
    return sorted(codes, key=lambda code: (ERRORS[code][0], code))


def _operation(route: Route) -> Json:
    operation: Json = {
        "operationId": f"{route.handler.__module__.rpartition('.')[2]}_{route.handler.__name__}",
        "summary": route.summary,
        "responses": _responses(route),
    }
    if route.roles is not None:
        operation["security"] = [] if route.page else [{"bearer": []}]
        operation["x-roles"] = sorted(role.value for role in route.roles)
    parameters = [*_path_parameters(route), *_query_parameters(route)]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _ref(route.body)}},
        }
    elif route.raw_body:
        media = "application/x-www-form-urlencoded" if route.page else route.takes
        operation["requestBody"] = {
            "required": True,
            "content": {media: {"schema": {"type": "object"}}},
        }
    return operation


def _responses(route: Route) -> Json:
    found: Json = {}
    media = "application/json" if route.answer is not None else route.media
    content: Json = {}
    if media:
        schema = _ref(route.answer) if route.answer is not None else {}
        content = {"content": {media: {"schema": schema}}}
    found[str(route.status)] = {"description": HTTPStatus(route.status).phrase, **content}
    for status in route.also:
        found[str(status)] = {"description": HTTPStatus(status).phrase}
    by_status: dict[int, list[str]] = {}
    for code in error_codes(route):
        by_status.setdefault(ERRORS[code][0], []).append(code)
    for status, codes in by_status.items():
        found[str(status)] = {
            "description": "; ".join(f"{code}: {ERRORS[code][1]}" for code in codes),
            "content": {PROBLEM_JSON: {"schema": _ref(Problem)}},
        }
    return found


def _path_parameters(route: Route) -> list[Json]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": PATH_PARAMETERS[name]},
        }
        for name in route.parameters
    ]


def _query_parameters(route: Route) -> list[Json]:
    if route.query is None:
        return []
    schema = route.query.model_json_schema()
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": field}
        for name, field in schema["properties"].items()
    ]


def _ref(model: type[BaseModel]) -> Json:
    return {"$ref": _REF.format(model=model.__name__)}


def _schemas(routes: list[Route]) -> Mapping[str, object]:
    incoming = {route.body for route in routes if route.body is not None}
    outgoing = {route.answer for route in routes if route.answer is not None} | {Problem}
    wanted: list[tuple[type[BaseModel], str]] = [
        *((model, "validation") for model in incoming),
        *((model, "serialization") for model in outgoing),
    ]
    wanted.sort(key=lambda pair: pair[0].__name__)
    _, definitions = models_json_schema(wanted, ref_template=_REF)  # type: ignore[arg-type]  # mode is a Literal
    found: Mapping[str, object] = definitions["$defs"]
    return found
