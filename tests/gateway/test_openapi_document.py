"""The OpenAPI document names every route with every status that it answers."""

from __future__ import annotations

import ast
import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gateway_world import World
from luck import seeds

import gateway
from gateway.app import ROUTES
from gateway.http.openapi import document, error_codes
from gateway.http.problems import ERRORS, STATUS_OF_FAMILY, TITLES
from transitpay import errors

DOCUMENT: Any = document(ROUTES, "test")
GATEWAY = Path(gateway.__file__).parent
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,negative_data_rejection"
)
SEED = 20261030
FAMILIES = {"MalformedInput", "RuleViolation", "Conflict", "TemporarilyUnavailable"}


def test_every_route_is_described_and_nothing_else() -> None:
    found = {
        (method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods
    }
    assert found == {(route.method, route.path) for route in ROUTES}


def test_operation_ids_are_unique() -> None:
    ids = [o["operationId"] for path in DOCUMENT["paths"].values() for o in path.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: f"{r.method} {r.path}")
def test_every_error_status_of_a_route_is_described(route: Any) -> None:
    responses = DOCUMENT["paths"][route.path][route.method.lower()]["responses"]
    expected = {str(ERRORS[code][0]) for code in error_codes(route)}
    expected |= {str(route.status), *map(str, route.also)}
    assert set(responses) == expected
    if route.roles is not None and not route.page:
        assert {"401", "403", "503"} <= set(responses)
    if route.body is not None:
        assert {"400", "413", "415"} <= set(responses)


def test_every_reference_leads_to_a_schema() -> None:
    def references(node: Any) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return own + [r for value in node.values() for r in references(value)]
        return [r for it in node for r in references(it)] if isinstance(node, list) else []

    names = {ref.removeprefix("#/components/schemas/") for ref in references(DOCUMENT)}
    assert names <= set(DOCUMENT["components"]["schemas"])


def test_every_family_and_code_has_a_status_with_a_title() -> None:
    families = {c.family for c in vars(errors).values() if isinstance(c, type)
                and issubclass(c, errors.TransitPayError)}  # fmt: skip
    assert families == set(STATUS_OF_FAMILY)
    assert {status for status, _ in ERRORS.values()} | set(STATUS_OF_FAMILY.values()) <= set(TITLES)


def test_every_code_that_the_gateway_raises_stands_in_the_table() -> None:
    raised = set()
    for path in GATEWAY.rglob("*.py"):
        if path.stem == "__main__":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in FAMILIES | {"TransitPayError"}
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                raised.add(node.args[0].value)
    assert raised and raised <= set(ERRORS)


async def test_the_document_is_served_without_a_token(world: World) -> None:
    client = await world.start()
    async with client.get("/v1/openapi.json") as answer:
        found = await answer.json()
    assert found["openapi"] == "3.1.0" and found["paths"].keys() == DOCUMENT["paths"].keys()


async def fuzz(world: World, actor: str, seed: int, tmp_path: Path, *options: str) -> None:
    """Run schemathesis as one actor against a real gateway; every check must hold."""
    client = await world.start()
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", str(client.make_url("/v1/openapi.json")),
        "--header", f"Authorization: Bearer {world.tokens[actor]}", "--checks", CHECKS,
        "--exclude-path-regex", "^/(console|metrics|aps)", "--seed", str(seed),
        "--workers", "1", "--no-color", *options,
    ]  # fmt: skip
    child = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=tmp_path
    )
    output, _ = await child.communicate()
    assert child.returncode == 0, output.decode()[-8000:]


@pytest.mark.parametrize("seed", seeds(SEED))
async def test_schemathesis_finds_no_answer_that_is_not_documented(
    world: World, seed: int, tmp_path: Path
) -> None:
    await fuzz(
        world, "mtr-in-1", seed, tmp_path, "--phases", "fuzzing", "--max-examples", "8",
        "--include-path-regex", "^/v1/(taps$|readers)",
    )  # fmt: skip


@pytest.mark.heavy
@pytest.mark.parametrize("actor", ["mtr-in-1", "wallet:alipayhk", "operator:mtr", "finance"])
async def test_schemathesis_at_length(world: World, actor: str, tmp_path: Path) -> None:
    phases = "examples,coverage,fuzzing"
    await fuzz(world, actor, SEED, tmp_path, "--phases", phases, "--max-examples", "60")
