"""``transitpay fare`` answers for all nine networks, with what came before and around a ride."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner, Result

from transitpay.cli import cli
from transitpay.cli.fare import NETWORKS
from transitpay.cli.fare_question import Asked, read_question
from transitpay.errors import MalformedInput
from transitpay.fares.tariff import Stop, TariffKind
from transitpay.runtime.builtin import builtin_book

MONDAY = ("--at", "2026-10-05")


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["fare", *words])


def ask(*words: str) -> dict[str, object]:
    answer = run(*words, "--json")
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    assert isinstance(found, dict)
    return found


def amount(*words: str) -> tuple[object, list[str]]:
    answer = ask(*MONDAY, *words)
    lines = answer["lines"]
    assert isinstance(lines, list)
    return answer["amount"], [line["code"] for line in lines]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRANSITPAY_DATA", raising=False)


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_has_a_fare_without_any_file(network: str) -> None:
    tariff = builtin_book().latest(network)
    to = ["--to", tariff.stops[1].id] if tariff.kind is TariffKind.MATRIX else []
    answer = ask("--network", network, "--from", tariff.stops[0].id, *to)
    assert answer["amount_minor"]


def test_a_question_names_the_ride_before_and_what_the_month_cost() -> None:
    bus = ("--network", "shenzhen-bus", "--from", "22")
    within = ("--after", "Shenzhen Metro", "--after-minutes", "90")
    assert amount(*bus, *within) == ("1.20", ["fare", "code_tier", "transfer"])
    assert amount(*bus, *within[:3], "91") == ("1.60", ["fare", "code_tier"])
    guangzhou = ("--network", "guangzhou-bus", "--from", "B1", "--month-spend")
    assert amount(*guangzhou, "79.99") == ("2.00", ["fare"])
    assert amount(*guangzhou, "80.00") == ("1.60", ["fare", "month_tier"])
    assert amount(*guangzhou, "200") == ("1.00", ["fare", "month_tier"])


def test_what_the_month_cost_gives_no_transfer_on_its_first_morning() -> None:
    words = ("--network", "foshan-bus", "--from", "101路", "--month-spend", "60")
    answer = ask(*words, "--at", "2026-10-01T04:30")
    assert answer["amount"] == "1.60"


def test_the_business_car_has_a_fare_that_no_code_pays() -> None:
    words = ("--network", "shenzhen-metro", "--from", "罗湖", "--to", "机场")
    answer = ask(*words, "--business-from", "福田", "--business-to", "机场")
    assert (answer["amount"], answer["ride_code_accepted"]) == ("22.00", False)
    said = run(*words, "--business-from", "福田", "--business-to", "机场")
    assert "ride codes are refused in the business car" in said.stdout


@pytest.mark.parametrize(
    ("km", "expected"),
    [
        ("17", "2.00"),
        ("17.001", "3.00"),
        ("17.0005", "3.00"),
        ("17.000", "2.00"),
        ("30.1", "4.00"),
        ("44.9999", "4.00"),
        ("45", "5.00"),
    ],
)
def test_a_route_of_foshan_costs_what_its_length_says(km: str, expected: str) -> None:
    words = ("--network", "foshan-bus", "--from", "888", "--length-km", km)
    assert amount(*words) == (expected, ["fare"])


@pytest.mark.parametrize(
    ("km", "expected"), [("15", "3.00"), ("15.0001", "4.00"), ("25", "4.00"), ("50", "5.00")]
)
def test_a_long_route_of_foshan_costs_what_the_distance_ridden_says(km: str, expected: str) -> None:
    words = ("--network", "foshan-bus", "--from", "888", "--length-km", "50", "--ridden-km", km)
    assert amount(*words) == (expected, ["fare"])
    short = ask(*words[:-3], "44.9", "--ridden-km", "15")
    assert short["amount"] == "4.00"
    assert short["without_effect"] == [
        "--ridden-km: a route of this length costs the same for every distance"
    ]


def test_what_is_not_known_of_a_network_is_said() -> None:
    answer = ask("--network", "nlb", "--from", "B2")
    unknown = answer["unknown"]
    assert isinstance(unknown, list) and "Weekday fares" in unknown[-1]
    said = run("--network", "nlb", "--from", "B2")
    assert "not known: Weekday fares" in said.stdout


def test_a_wallet_that_a_network_does_not_take_ends_with_1_and_the_reason() -> None:
    words = ["--network", "zhongshan-bus", "--from", "001路", "--wallet", "alipay", "--json"]
    answer = run(*words)
    assert answer.exit_code == 1
    assert json.loads(answer.stdout)["refused"] == "wallet_not_accepted"
    car = ["--network", "mtr", "--from", "2", "--to", "78", "--business-from", "2"]
    refused = run(*car, "--business-to", "78", "--json")
    assert (refused.exit_code, json.loads(refused.stdout)["refused"]) == (1, "no_business_car")


@pytest.mark.parametrize(
    ("words", "field", "code"),
    [
        ("mtr 2 --to 78 --board-at x", "--board-at", "not_of_this_network"),
        ("mtr 2 --to 78 --length-km 5", "--length-km", "not_of_this_network"),
        ("kmb 6 --business-from 6", "--business-from", "not_of_this_network"),
        ("kmb 6 --length-km 5", "--length-km", "not_of_this_network"),
        ("nlb B2 --alight-at x", "--alight-at", "not_of_this_network"),
        ("kmb 6 --alight-at x --minutes 181", "--minutes", "bad_minutes"),
        ("kmb 6 --after mtr --after-minutes -1", "--after-minutes", "bad_minutes"),
        ("kmb 6 --after ferry", "--after", "unknown_network"),
        ("guangzhou-bus B1 --month-spend 5.005", "--month-spend", "bad_amount"),
        ("shenzhen-bus 22 --after ferry", "--after", "unknown_network"),
        (
            "shenzhen-bus 22 --after shenzhen-bus --after-minutes 99999999999",
            "--after-minutes",
            "bad_minutes",
        ),
        ("foshan-bus 1 --length-km 1e999999999", "--length-km", "bad_length"),
        ("foshan-bus 1 --length-km 1e1", "--length-km", "bad_length"),
        ("foshan-bus 1 --length-km １７", "--length-km", "bad_length"),
        ("foshan-bus 1 --length-km 1000", "--length-km", "bad_length"),
        ("foshan-bus 1 --length-km 0", "--length-km", "bad_length"),
        ("foshan-bus 1 --length-km far", "--length-km", "bad_length"),
        ("foshan-bus 1 --ridden-km 5", "--length-km", "bad_length"),
        ("foshan-bus 1 --length-km 50 --ridden-km 0", "--ridden-km", "bad_length"),
        ("foshan-bus 1 --length-km 50 --ridden-km 50.001", "--ridden-km", "bad_length"),
        ("guangzhou-bus 1 --ridden-km 5", "--ridden-km", "not_of_this_network"),
        ("mtr 2 --to 78 --ridden-km 5", "--ridden-km", "not_of_this_network"),
        ("shenzhen-metro 0101 --to 1113 --business-from 0221", "--business-to", "missing_stop"),
        (
            "shenzhen-metro 0101 --to 1113 --business-from 0101 --business-to 1113",
            "--business-from",
            "not_on_business_line",
        ),
    ],
)
def test_an_option_that_does_not_fit_is_named(words: str, field: str, code: str) -> None:
    network, start, *others = words.split()
    answer = run("--network", network, "--from", start, *others, "--json")
    assert isinstance(answer.exception, MalformedInput)
    said = json.loads(answer.stdout)
    assert (said["field"], said["refused"]) == (field, code)


def test_a_ride_before_the_first_tariff_names_the_option_that_says_when_it_was() -> None:
    words = ["--network", "shenzhen-bus", "--from", "22", "--at", "2018-08-31T04:10", "--json"]
    ask(*words[:-1], "--after", "shenzhen-metro", "--after-minutes", "10")
    late = ["--after", "shenzhen-metro", "--after-minutes", "11"]
    answer = run(*words, *late)
    said = json.loads(answer.stdout)
    assert (answer.exit_code, said["field"]) == (1, "--after-minutes")
    assert said["refused"] == "no_tariff"


def test_a_bus_stop_that_is_named_must_be_one_on_which_fares_depend() -> None:
    tariff = builtin_book().latest("kmb")
    stops = replace(tariff, boarding_stops=(Stop("S1", ("Pier",)),))
    asked = Asked("B1", None, "alipayhk", 30, "S1", "S1", *[None] * 4, 30, *[None] * 3)
    at = datetime(2026, 10, 30, 4, tzinfo=UTC)
    assert read_question(asked, stops, at).asked == asked
    for name in ("board_at", "alight_at"):
        with pytest.raises(MalformedInput, match="'S2' is the id of no bus stop") as refusal:
            read_question(replace(asked, **{name: "S2"}), stops, at)
        assert refusal.value.field == f"--{name.replace('_', '-')}"


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("kmb 6 --month-spend 5.00", "--month-spend"),
        ("kmb 6 --after mtr", "--after"),
        ("shenzhen-metro 0101 --to 1113 --after mtr", "--after"),
        ("kmb 6 --to 6", "--to"),
        ("kmb 6 --board-at x", "--board-at"),
        ("kmb 6 --alight-at x", "--alight-at"),
    ],
)
def test_an_option_that_no_rule_reads_costs_nothing_and_is_told(words: str, option: str) -> None:
    network, start, *others = words.split()
    asked = ["--network", network, "--from", start]
    to = others[:2] if network == "shenzhen-metro" else []
    plain = json.loads(run(*asked, *to, "--json").stdout)
    told = json.loads(run(*asked, *others, "--json").stdout)
    assert told["lines"] == plain["lines"]
    assert [said.split(":")[0] for said in told["without_effect"]] == [option]
    assert plain["without_effect"] == []
    assert f"without effect: {option}" in run(*asked, *others).output
