"""docs/reference/http-api.md names the routes, roles and errors that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.app import ROUTES
from gateway.http.problems import ERRORS
from gateway.taps.tap_models import MAX_BATCH

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "http-api.md"
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: f"{r.method} {r.path}")
def test_every_route_stands_on_the_page_with_its_roles(route: object) -> None:
    from gateway.http.web import Route

    assert isinstance(route, Route)
    [line] = [
        it
        for it in TEXT.splitlines()
        if it.startswith("|") and f"`{route.method} {route.path}`" in it
    ]
    said = set(line.split("|")[2].strip().split(", "))
    if route.roles is None:
        assert said in ({"everybody"}, {"a wallet's signature"})
    else:
        assert said == {role.value for role in route.roles}


def test_no_route_stands_there_that_is_none() -> None:
    named = set(re.findall(r"`((?:GET|POST|PUT) /[^` ]*)`", TEXT))
    assert named == {f"{route.method} {route.path}" for route in ROUTES}


def test_the_table_of_errors_is_the_program_s() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (.*) \|$", TEXT, re.MULTILINE)
    assert rows == [(code, str(status), text) for code, (status, text) in ERRORS.items()]


def test_the_batch_limit_is_the_one_written() -> None:
    assert f"At most {MAX_BATCH} records" in TEXT
