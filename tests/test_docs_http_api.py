"""The page about the HTTP API names every route and every error that the gateway has."""

from __future__ import annotations

from pathlib import Path

from gateway.app import ROUTES
from gateway.problems import ERRORS

PAGE = (Path(__file__).parent.parent / "docs/reference/http-api.md").read_text(encoding="utf-8")


def test_every_route_of_partners_and_readers_is_on_the_page() -> None:
    paths = {route.path for route in ROUTES if not route.path.startswith("/console")}
    assert [path for path in sorted(paths) if path not in PAGE] == []


def test_every_error_is_on_the_page_with_its_status() -> None:
    wanted = [f"| {status} | `{code}` |" for code, (status, _) in ERRORS.items()]
    assert [row for row in wanted if row not in PAGE] == []
