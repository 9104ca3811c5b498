"""A network or wallet is found in any spelling, and every refusal of a fare is JSON too."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from transitpay.cli import cli
from transitpay.errors import MalformedInput


@pytest.mark.parametrize("network", ["MTR", "Shenzhen Metro", "shenzhen_metro", "KMB"])
def test_the_spelling_of_a_network_does_not_matter(network: str) -> None:
    ends = {"MTR": ["2", "--to", "78"], "KMB": ["B1"]}.get(network, ["罗湖", "--to", "国贸"])
    given = ["--network", network, "--from", *ends, "--json"]
    answer = CliRunner().invoke(cli, ["fare", *given])
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.stdout)["amount_minor"] > 0


@pytest.mark.parametrize("wallet", ["AlipayHK", "Alipay HK", "alipay-hk"])
def test_the_spelling_of_a_wallet_does_not_matter(wallet: str) -> None:
    given = ["--network", "zhongshan-bus", "--from", "001路", "--wallet", wallet, "--json"]
    answer = CliRunner().invoke(cli, ["fare", *given])
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.stdout)["wallet"] == "alipayhk"


def test_an_excluded_service_is_refused_with_exit_code_1_and_a_reason() -> None:
    given = ["--network", "Airport Express", "--from", "Hong Kong", "--to", "Airport", "--json"]
    answer = CliRunner().invoke(cli, ["fare", *given])
    assert answer.exit_code == 1
    assert json.loads(answer.stdout)["refused"] == "service_excluded"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (["--from", "Nowhere", "--to", "78"], "unknown_stop"),
        (["--from", "2", "--to", "78", "--at", "0001-01-01T00:00"], "bad_time"),
        (["--from", "2", "--to", "78", "--at", "9999-12-31T23:59:59"], "bad_time"),
    ],
)
def test_what_cannot_be_read_is_said_in_json_and_names_its_option(
    given: list[str], code: str
) -> None:
    answer = CliRunner().invoke(cli, ["fare", "--network", "mtr", *given, "--json"])
    assert isinstance(answer.exception, MalformedInput)
    said = json.loads(answer.stdout)
    assert said["refused"] == code
    assert said["field"].startswith("--")


def test_an_unknown_station_of_the_small_network_points_to_the_operators_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TRANSITPAY_DATA", raising=False)
    given = ["--network", "mtr", "--from", "39", "--to", "76"]
    answer = CliRunner().invoke(cli, ["fare", *given])
    assert "--data reads the operators' files" in str(answer.exception)


@pytest.mark.parametrize(
    ("stage", "reason"), [("5.05", "not a multiple of HKD 0.10"), ("x", "not an amount in HKD")]
)
def test_a_stage_fare_that_no_reader_could_set_names_its_option(stage: str, reason: str) -> None:
    given = ["--network", "kmb", "--from", "B1", "--stage-fare", stage]
    answer = CliRunner().invoke(cli, ["fare", *given])
    assert str(answer.exception).startswith("--stage-fare: ")
    assert reason in str(answer.exception)


def test_the_minutes_of_a_stay_do_not_matter_on_a_bus() -> None:
    given = ["--network", "kmb", "--from", "B1", "--minutes", "-1", "--json"]
    answer = CliRunner().invoke(cli, ["fare", *given])
    assert json.loads(answer.stdout)["amount_minor"] == 1530
