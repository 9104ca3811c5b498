"""``transitpay fare`` by the files of a tariff: what an operator asks before it is imported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from transitpay.cli.fare import fare
from transitpay.errors import MalformedInput
from transitpay.fares.document import document_of
from transitpay.runtime.builtin import builtin_book

_STOPS = """network,kind,id,en
kmb,stop,lp,Long Ping
kmb,stop,tl,Tai Lam
kmb,stop,kt,Kwun Tong
shenzhen-bus,stop,a,First
shenzhen-bus,stop,b,Second
"""
_FARES = """network,kind,from,to,route,amount,currency
kmb,flat,,,268C,18.40,HKD
kmb,boarding,tl,,268C,14.10,HKD
kmb,section,lp,tl,268C,14.10,HKD
kmb,section,lp,kt,268C,18.40,HKD
shenzhen-bus,flat,,,M500,8.00,CNY
shenzhen-bus,section,a,b,M500,5.00,CNY
"""

_TRAM = """network = "tram"
currency = "CNY"

[step]
value = "0.50"
source = "all its fares"
grade = "D"
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.delenv("TRANSITPAY_DATA", raising=False)
    (tmp_path / "own-stops.csv").write_text(_STOPS, "utf-8")
    (tmp_path / "own-fares.csv").write_text(_FARES, "utf-8")
    return [
        "--tariff",
        str(tmp_path / "own-stops.csv"),
        "--tariff",
        str(tmp_path / "own-fares.csv"),
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("kmb 268C --board-at lp", ["18.40", "fare"]),
        ("kmb 268C --board-at tl", ["14.10", "fare"]),
        ("kmb 268C --board-at lp --alight-at tl", ["14.10", "fare", "section_refund"]),
        ("kmb 268C --board-at lp --alight-at kt", ["18.40", "fare"]),
        ("shenzhen-bus M500 --board-at a", ["8.00", "fare", "no_alighting"]),
        (
            "shenzhen-bus M500 --board-at a --alight-at b --after shenzhen-metro",
            ["3.50", "section_fare", "code_tier", "code_tier", "transfer"],
        ),
    ],
)
def test_fares_by_boarding_stop_and_by_section_are_those_of_the_files(
    files: list[str], words: str, expected: list[str]
) -> None:
    network, route, *others = words.split()
    asked = ["--network", network, "--from", route, *others, *files, "--json"]
    told = CliRunner().invoke(fare, asked)
    assert told.exit_code == 0, told.output
    answer = json.loads(told.stdout)
    assert [answer["amount"], *(line["code"] for line in answer["lines"])] == expected


def test_terms_stand_beside_the_files_of_a_network_that_nobody_publishes(
    tmp_path: Path,
) -> None:
    (tmp_path / "tram.toml").write_text(_TRAM, "utf-8")
    (tmp_path / "tram-fares.csv").write_text("kind,route,amount\nflat,9,2.50\n", "utf-8")
    own = ["--tariff", str(tmp_path / "tram-fares.csv"), "--terms", str(tmp_path / "tram.toml")]
    told = CliRunner().invoke(fare, ["--network", "tram", "--from", "9", *own, "--json"])
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["amount"] == "2.50"


def test_files_that_give_no_fare_are_refused_by_name(files: list[str], tmp_path: Path) -> None:
    def refused(*words: str) -> tuple[str, str]:
        error = CliRunner().invoke(fare, words).exception
        assert isinstance(error, MalformedInput)
        return error.code, error.field or error.message

    assert refused("--network", "kmb", "--from", "6", "--terms", "x") == ("no_fares", "--terms")
    code, reason = refused("--network", "nlb", "--from", "6", *files)
    assert (code, "no fare of nlb" in reason) == ("bad_tariff_file", True)
    document = tmp_path / "other.json"
    document.write_bytes(document_of(builtin_book().latest("mtr")))
    words = ("--network", "kmb", "--from", "6", "--tariff", str(document))
    assert refused(*words) == ("other_network", "--tariff")


def test_a_service_without_ride_codes_stays_refused_whatever_files_say(files: list[str]) -> None:
    asked = ["--network", "light-rail", "--from", "1", *files, "--json"]
    told = CliRunner().invoke(fare, asked)
    assert (told.exit_code, json.loads(told.stdout)["refused"]) == (1, "service_excluded")
