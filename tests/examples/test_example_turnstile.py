"""The turnstile of the examples: online, while the gateway is away, and its upload afterwards."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from gateway.app import SERVICES, build_app
from transitpay.clock import SystemClock
from transitpay.money import HKD
from transitpay.postgres.reference import Participant, ReaderRegistration
from transitpay.ride_code import keys, layout, signing
from transitpay.ride_code.layout import Authorisation, RideCode
from transitpay.runtime import access
from transitpay.taps import Direction

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "turnstile.py"


@pytest.fixture
async def token(db: Any) -> str:
    """The token of a reader in an enrolled database."""
    conn, at = await db.connect("transitpay_gateway"), datetime.now(UTC)
    await access.enrol_participant(conn, Participant("alipayhk", "wallet", "W", "HKD"), at)
    await access.enrol_participant(conn, Participant("mtr", "operator", "M", "HKD"), at)
    await access.enrol_issuer_key(
        conn, "alipayhk", 1, db.settings.home / "keys", at, destinations=1, modes=1
    )
    reader = ReaderRegistration("g1", "mtr", "mtr", 0, 0, "HUH", Direction.ENTRY)
    made = await access.register_reader(conn, reader, at)
    assert made.token is not None
    return made.token


@pytest.fixture
async def gateway(db: Any, token: str) -> AsyncIterator[TestClient[Any, Any]]:
    client: TestClient[Any, Any] = TestClient(TestServer(build_app(db.settings, SystemClock())))
    await client.start_server()
    await client.app[SERVICES].lists.refresh()
    yield client
    await client.close()


def fresh_code(db: Any) -> str:
    issuer = keys.load_issuer_pem((db.settings.home / "keys" / "issuer-1.pem").read_bytes())
    device, now = keys.generate_device_key(), int(datetime.now(UTC).timestamp())
    it = Authorisation(
        1, os.urandom(8).hex(), 1, keys.public_bytes(device), now - 60, 72, 60, 500, HKD, 1, 1, 0,
        0, 2000,
    )  # fmt: skip
    code = RideCode(it, signing.sign_authorisation(it, issuer), now, 1, 0)
    return layout.write_text(layout.encode(signing.sign_code(code, device)))


async def run(url: str, token: str, records: Path, *codes: str) -> tuple[int, str]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLE), url, str(records),
        env={**os.environ, "TOKEN": token, "BUDGET_S": "5"},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await child.communicate("".join(f"{code}\n" for code in codes).encode())
    assert child.returncode is not None
    return child.returncode, out.decode()


async def test_it_opens_for_a_code_once_and_uploads_what_it_did(
    db: Any, gateway: TestClient[Any, Any], token: str, tmp_path: Path
) -> None:
    good, records = fresh_code(db), tmp_path / "records.jsonl"
    url = str(gateway.make_url("")).rstrip("/")
    status, out = await run(url, token, records, "no code", good, good)
    assert status == 0
    assert out.splitlines() == [
        "1 CLOSED unreadable", "2 OPEN", "3 CLOSED already_answered", "uploaded 3",
    ]  # fmt: skip
    status, out = await run(url, token, records)
    assert (status, out) == (0, "uploaded 3\n")
    rows = await (await db.connect()).fetch(
        "select decision, reader_opened, flags from tap order by sequence"
    )
    assert [tuple(row) for row in rows] == [
        ("refused", False, []), ("accepted", True, []), ("already_answered", False, []),
    ]  # fmt: skip


async def test_scans_of_a_gateway_that_is_away_are_told_later(
    db: Any, gateway: TestClient[Any, Any], token: str, tmp_path: Path
) -> None:
    records = tmp_path / "records.jsonl"
    status, out = await run("http://127.0.0.1:9", token, records, fresh_code(db))
    assert status != 0 and out == "1 CLOSED gateway_away\n"
    url = str(gateway.make_url("")).rstrip("/")
    assert await run(url, token, records) == (0, "uploaded 1\n")
    row = await (await db.connect()).fetchrow("select decision, reason, tier from tap")
    assert tuple(row) == ("refused", "gateway_away", "batch")


def test_an_example_is_short() -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < 80
