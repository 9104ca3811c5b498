"""Who may call what: the complete table of routes and roles, and what refusals look like."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from gateway_world import AT, World

from gateway.app import ROUTES
from gateway.http.web import Route
from transitpay.postgres import reference
from transitpay.postgres.reference import Role
from transitpay.runtime import access

PEOPLE = "finance auditor admin"
#: Every route of the gateway with its roles; "open" = everybody, also without a token.
TABLE = {
    "POST /v1/taps": "reader",
    "POST /v1/taps/batch": "reader",
    "POST /v1/readers/enrol": "reader",
    "POST /v1/readers/records": "reader",
    "POST /v1/readers/heartbeat": "reader",
    "GET /v1/lists/{list}": "reader",
    "POST /v1/riders": "wallet",
    "PUT /v1/riders/{rider_id}/token": "wallet",
    "POST /v1/riders/{rider_id}/destinations": "wallet",
    "POST /v1/riders/{rider_id}/authorisations": "wallet",
    "POST /v1/riders/{rider_id}/authorisations/signed": "wallet",
    "GET /v1/riders/{rider_id}/authorisations/current": "wallet",
    "GET /v1/wallet/renewals": "wallet",
    "POST /v1/wallet/issuer-keys": "wallet",
    "GET /v1/wallet/issuer-keys": "wallet",
    "POST /v1/riders/{rider_id}/revocations": "wallet",
    "GET /v1/riders/{rider_id}/rides": "wallet",
    "POST /v1/riders/{rider_id}/missing-stations": "wallet",
    "GET /v1/riders/{rider_id}/ride": "wallet",
    "GET /v1/riders/{rider_id}/refusals": "wallet",
    "POST /v1/operator/refunds": "operator",
    "GET /v1/operator/journeys": "operator",
    "GET /v1/operator/statements": "operator",
    "POST /v1/operator/journey-corrections": "operator",
    "POST /v1/operator/journey-corrections/approvals": "operator",
    "POST /v1/operator/journey-corrections/withdrawals": "operator",
    "GET /v1/operator/journey-corrections": "operator",
    "GET /v1/operator/suspensions": "operator admin",
    "POST /v1/operator/suspension-ends": "operator admin",
    "GET /v1/operator/readers": "operator",
    "GET /v1/operator/alarms": "operator",
    "POST /v1/operator/station-modes": "operator",
    "GET /v1/operator/station-modes": "operator",
    "GET /v1/reports/days/{day}": PEOPLE,
    "GET /console": f"{PEOPLE} operator",
    "GET /console/rider": PEOPLE,
    "GET /console/missing-ends": f"{PEOPLE} operator",
    "POST /console/missing-ends": "operator",
    "POST /aps/api/v1/payments/notifyPayment": "open",
    "GET /console/login": "open",
    "POST /console/login": "open",
    "POST /console/logout": "open",
    "GET /console/style.css": "open",
    "GET /healthz": "open",
    "GET /metrics": "open",
    "GET /v1/openapi.json": "open",
}
ACTORS = {
    Role.READER: "mtr-in-1",
    Role.WALLET: "wallet:alipayhk",
    Role.OPERATOR: "operator:mtr",
    Role.FINANCE: "finance",
    Role.AUDITOR: "auditor",
    Role.ADMIN: "admin",
}


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


def test_the_table_names_every_route_with_its_roles() -> None:
    found = {
        name(route): "open" if route.roles is None else {str(role) for role in route.roles}
        for route in ROUTES
    }
    assert found == {k: v if v == "open" else set(v.split()) for k, v in TABLE.items()}


async def test_every_other_role_gets_403_and_nobody_gets_401(world: World) -> None:
    client = await world.start()
    for route in ROUTES:
        if route.roles is None or route.page:
            continue
        path = route.path.replace("{rider_id}", "0" * 16).replace("{day}", "2026-10-30")
        path = path.replace("{list}", "deny")
        for headers in ({}, {"Authorization": "Bearer tp_no"}, {"Authorization": "Basic eA=="}):
            async with client.request(route.method, path, headers=headers) as answer:
                assert answer.status == 401, name(route)
                assert (await answer.json())["code"] == "unauthenticated"
                assert answer.headers["WWW-Authenticate"] == "Bearer"
        for role, actor in ACTORS.items():
            headers = world.auth(actor)
            async with client.request(route.method, path, headers=headers) as answer:
                refused = answer.status == 403
                assert refused == (role not in route.roles), f"{name(route)} as {role}"
                assert answer.status != 500


async def test_a_revoked_token_and_a_decommissioned_reader_are_let_in_no_more(
    world: World,
) -> None:
    conn = await world.db.connect("transitpay_gateway")
    await reference.revoke_tokens(conn, "finance", AT)
    await world.reader(conn, "mtr-in-1", "mtr", "entry", decommissioned_at=AT)  # type: ignore[arg-type] # text is what StrEnum is
    await access.admit_actor(
        conn, reference.Actor("mtr-stray", "no reader of that name", Role.READER, "mtr"), AT
    )
    client = await world.start()
    for actor, path in (("finance", "/v1/reports/days/2026-10-30"),
                        ("mtr-in-1", "/v1/lists/trust")):  # fmt: skip
        async with client.get(path, headers=world.auth(actor)) as answer:
            assert answer.status == 401


async def test_a_token_ends_when_it_says_so(world: World) -> None:
    conn = await world.db.connect("transitpay_gateway")
    for text, ends in (("tp_past", AT), ("tp_open", AT + timedelta(seconds=1))):
        await reference.put_token(conn, "auditor", access.token_sha256(text), ends)
    client = await world.start()
    for text, status in (("tp_past", 401), ("tp_open", 200)):
        headers = {"Authorization": f"Bearer {text}"}
        async with client.get("/v1/reports/days/2026-10-30", headers=headers) as answer:
            assert answer.status == status


@pytest.mark.parametrize(
    ("path", "limit"), [("/v1/taps", 16 * 1024), ("/v1/taps/batch", 1024 * 1024)]
)
async def test_a_body_over_the_limit_is_refused_before_it_is_read(
    world: World, path: str, limit: int
) -> None:
    client = await world.start()
    headers = {**world.auth("mtr-in-1"), "Content-Type": "application/json"}
    async with client.post(path, data=b" " * limit, headers=headers) as answer:
        assert answer.status == 400
    async with client.post(path, data=b" " * (limit + 1), headers=headers) as answer:
        assert answer.status == 413
        assert answer.content_type == "application/problem+json"

    async def endless() -> object:
        for _ in range(1 + 2 * limit // 4096):
            yield b" " * 4096

    async with client.post(path, data=endless(), headers=headers) as answer:
        assert answer.status == 413


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"sequence": -1}, "sequence"),
        ({"sequence": "1"}, "sequence"),
        ({"sequence": 2**63}, "sequence"),
        ({"at": "2026-10-30T01:00:00"}, "at"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "at"),
        ({"direction": "sideways"}, "direction"),
        ({"stop": "a\u0000b"}, "stop"),
        ({"extra": 1}, "extra"),
        ({"code": "x" * 2049}, "code"),
        ({"uncertainty_s": -1}, "uncertainty_s"),
    ],
)
async def test_a_malformed_tap_names_its_field_and_never_repeats_it(
    world: World, change: dict[str, object], field: str
) -> None:
    client = await world.start()
    body = {**world.scan("mtr-in-1", "secret-code-text"), **change}
    problem = await world.tap(client, "mtr-in-1", body, status=400)
    assert (problem["code"], problem["field"]) == ("malformed_request", field)
    assert "secret-code-text" not in str(problem)
    assert await world.value("select count(*) from tap") == 0


async def test_other_content_types_and_broken_json_are_refused(world: World) -> None:
    client = await world.start()
    headers = world.auth("mtr-in-1")
    async with client.post("/v1/taps", data=b"{}", headers=headers) as answer:
        assert answer.status == 415
    headers["Content-Type"] = "application/json"
    for raw in (b"{", b"[]", b"\xff\xfe", b'{"sequence":1,"sequence":2}', b'"\\ud800"'):
        async with client.post("/v1/taps", data=raw, headers=headers) as answer:
            assert answer.status == 400


async def test_unknown_paths_and_methods_are_problems_too(world: World) -> None:
    client = await world.start()
    for method, path, status in (("GET", "/v1/none", 404), ("DELETE", "/v1/taps", 405)):
        async with client.request(method, path) as answer:
            assert answer.status == status
            assert answer.content_type == "application/problem+json"
            assert re.fullmatch(r"[a-z_]+", (await answer.json())["code"])
    async with client.get("/v1/riders/NOPE/rides", headers=world.auth("wallet:alipayhk")) as answer:
        assert answer.status == 404
