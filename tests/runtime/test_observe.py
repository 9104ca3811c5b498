"""Log lines hold events and ids, and never what opens a gate or an account."""

from __future__ import annotations

import io
import json
import logging
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from transitpay.runtime.config import Settings
from transitpay.runtime.observe import REDACTED, EventLog, clean, configure_logging


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    configure_logging(Settings(home=Path("home")), "gateway", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def test_an_event_is_one_json_object_with_its_ids(lines: io.StringIO) -> None:
    EventLog("gateway.taps.intake").info("tap_stored", reader="mtr-001", sequence=7, n=None)
    line = json.loads(lines.getvalue())
    assert line.pop("at").endswith("+00:00")
    assert line == {
        "level": "info",
        "service": "gateway",
        "part": "gateway.taps.intake",
        "event": "tap_stored",
        "reader": "mtr-001",
        "sequence": 7,
        "n": None,
    }


def test_text_is_for_people() -> None:
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    settings = Settings(home=Path("home"), log_format="text", log_level="warning")
    configure_logging(settings, "gateway", stream)
    EventLog("x").info("quiet")
    EventLog("x").warning("loud", day="2026-11-02")
    root.handlers[:] = handlers
    root.setLevel(level)
    assert stream.getvalue().endswith("WARNING x: loud day=2026-11-02\n")
    assert "quiet" not in stream.getvalue()


def test_no_road_into_the_log_lets_a_secret_pass(lines: io.StringIO) -> None:
    token = secrets.token_urlsafe(32)
    code = "TP1:" + "6BF$ %*+-./:XY9" * 20
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    short = "s3cr3t-short"
    log = EventLog("x")
    log.info("a", token=short, access_token=short, password=short, signature=short)
    log.info("b", detail={"authorization": short, "inner": [token]}, code=code, body=code.encode())
    log.info("c", note=pem, url=f"postgresql://admin:{short}@db/x", database_url=short)
    log.warning(f"d {token} {code}")
    logging.getLogger("aiohttp.access").info("GET /x Authorization: Bearer %s", short)
    try:
        raise ValueError(f"bad code {code} {pem}")
    except ValueError as error:
        log.error("e", exc=error)
    said = lines.getvalue()
    body_of_pem = pem.splitlines()[1]
    for secret in (token, code[4:20], short, body_of_pem):
        assert secret not in said
    assert said.count(REDACTED) >= 10
    assert all(json.loads(line) for line in said.splitlines())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rider_id", "00ff00ff00ff00ff"),
        ("entry_key", "capture:chg-20261102-mtr-001-7"),
        ("request_id", "a" * 39),
        ("file_sha256", "0" * 64),
        ("journey_id", "20261102-mtr-001-7"),
        ("code", "database_unavailable"),
        ("accepted", True),
    ],
)
def test_ids_counts_and_codes_are_kept(name: str, value: object) -> None:
    assert clean(name, value) == value


def test_a_digest_is_kept_only_under_a_digest_s_name() -> None:
    assert clean("note", "0" * 64) == REDACTED
    assert clean("file_sha256", "G" * 64) == REDACTED
