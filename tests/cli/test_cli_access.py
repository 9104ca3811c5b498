"""transitpay access enrols everybody, may be run twice, and prints a token once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from transitpay.cli.access import access
from transitpay.errors import Conflict, MalformedInput
from transitpay.ride_code import keys

Run = Callable[..., dict[str, Any]]


@pytest.fixture
async def environment(db: Any) -> dict[str, str]:
    found: dict[str, str] = db.settings.environment()
    return found


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    def call(*words: str) -> dict[str, Any]:
        result = CliRunner().invoke(access, [*words, "--json"], env=environment)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
        return found

    return call


READER = ["--operator", "mtr", "--destination", "hong-kong", "--mode", "metro", "--stop", "HUH",
          "--direction", "entry"]  # fmt: skip


def test_everybody_is_enrolled_once_and_gets_one_token(run: Run, db: Any) -> None:
    for words in (
        ["wallet", "alipayhk", "--name", "AlipayHK"],
        ["operator", "mtr", "--service-fee-rate", "0.015"],
        ["reader", "g1", *READER],
        ["actor", "ann", "--role", "finance"],
    ):
        first, second = run(*words), run(*words)
        assert first["token"].startswith("tp_") and second["token"] is None
        assert first["actor"] == second["actor"]
        third = run(*words, "--new-token", "--revoke")
        assert third["token"] not in (None, first["token"])


def test_an_issuer_key_is_made_once_and_stays(run: Run, db: Any) -> None:
    run("wallet", "alipayhk")
    first, second = (
        run("issuer-key", "1", "--wallet", "alipayhk"),
        run("issuer-key", "1", "--wallet", "alipayhk"),
    )
    assert first == second
    file = db.settings.home / "keys" / "issuer-1.pem"
    assert file.stat().st_mode & 0o077 == 0
    private = keys.load_issuer_pem(file.read_bytes())
    assert keys.public_bytes(private).hex() == first["public_key_hex"]
    with pytest.raises(Conflict, match="key id 1 names another key"):
        other = keys.public_bytes(keys.generate_issuer_key()).hex()
        run("issuer-key", "1", "--wallet", "alipayhk", "--public-key", other)


def test_a_partner_is_connected_with_its_key_and_ours(run: Run, db: Any, tmp_path: Any) -> None:
    pem = tmp_path / "partner.pem"
    pem.write_bytes(keys.public_pem(keys.generate_partner_key()))
    words = ["wallet", "alipayhk", "--base-url", "http://127.0.0.1:1", "--client-id", "C"]
    words += ["--our-client-id", "H", "--file-layout", "alipayhk", "--partner-key", str(pem)]
    first = run(*words)
    assert first["our_public_key_file"] == str(db.settings.home / "keys" / "partner-1.pub.pem")
    run(*words)
    pem.write_bytes(keys.public_pem(keys.generate_partner_key()))
    with pytest.raises(Conflict):
        run(*words)
    pem.write_text("no key")
    with pytest.raises(MalformedInput):
        run(*words, "--partner-key-version", "2")


def test_what_does_not_fit_together_is_refused(run: Run) -> None:
    with pytest.raises(MalformedInput, match="actor_participant_fkey"):
        run("reader", "g1", *READER)
    with pytest.raises(MalformedInput, match="participant_id_check"):
        run("wallet", "NOT AN ID")
    run("wallet", "alipayhk")
    with pytest.raises(Conflict, match="another kind"):
        run("operator", "alipayhk")
    with pytest.raises(MalformedInput, match="is not 0 to 1"):
        run("operator", "mtr", "--service-fee-rate", "1.5")
    run("actor", "ann", "--role", "finance")
    with pytest.raises(Conflict, match="another role"):
        run("actor", "ann", "--role", "admin")
