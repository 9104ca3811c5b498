"""``transitpay fare`` answers one question, and says in one line why it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from transitpay.cli import main


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRANSITPAY_DATA", raising=False)


def run(
    *words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["transitpay", "fare", *words])
    with pytest.raises(SystemExit) as done:
        main()
    printed = capsys.readouterr()
    code = done.value.code
    return (0 if code is None else int(code)), printed.out, printed.err


ASK = ("--network", "mtr", "--from", "Admiralty", "--at", "2026-10-01")


def test_json_has_the_amount_its_lines_and_the_tariff(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (*ASK, "--to", "落馬洲", "--minutes", "151", "--json")
    code, out, err = run(*words, monkeypatch=monkeypatch, capsys=capsys)
    answer = json.loads(out.splitlines()[-1])
    assert (code, err) == (0, "")
    assert (answer["amount_minor"], answer["currency"]) == (11820, "HKD")
    assert [line["amount_minor"] for line in answer["lines"]] == [5220, 6600]
    first, second = answer["lines"]
    assert first["text"] == first["texts"]["en"] == "Admiralty to Lok Ma Chau, adult"
    assert first["texts"]["zh-Hant"] == "金鐘至落馬洲，成人車費" and first["note"] is None
    assert second["note"].startswith("surcharge of the highest adult single fare")
    assert answer["tariff"]["valid_from"] == "2024-06-30"
    assert answer["to"]["names"] == ["Lok Ma Chau", "落馬洲", "落马洲", "LMC"]
    assert (answer["at"], answer["service_day"]) == ("2026-10-01T04:00:00+00:00", "2026-10-01")


def test_people_get_a_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(*ASK, "--to", "LMC", monkeypatch=monkeypatch, capsys=capsys)
    assert code == 0
    assert "52.20" in out and "金鐘" in out and "total" in out
    assert "金鐘至落馬洲，成人車費" in out and "金钟至落马洲，成人票价" in out


def test_a_bus_needs_only_its_route_and_takes_the_readers_stage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--network", "shenzhen-bus", "--from", "103路", "--stage-fare", "8.00")
    code, out, _ = run(*words, "--json", monkeypatch=monkeypatch, capsys=capsys)
    assert code == 0
    assert json.loads(out)["amount_minor"] == 595


@pytest.mark.parametrize(
    ("at", "minor"),
    [
        ("2021-12-31T23:59:00", 475),
        ("2022-01-01T03:59:59", 475),
        ("2022-01-01 04:00", 500),
        ("2021-12-31T20:00:00Z", 500),
    ],
)
def test_a_time_without_zone_is_local_and_the_service_day_begins_at_four(
    at: str, minor: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--network", "shenzhen-metro", "--from", "罗湖", "--to", "深圳北", "--at", at)
    wallet = ("--wallet", "alipay", "--json")
    _, out, _ = run(*words, *wallet, monkeypatch=monkeypatch, capsys=capsys)
    assert json.loads(out)["amount_minor"] == minor


@pytest.mark.parametrize(
    ("network", "at", "reason"),
    [
        ("airport-express", "2026-10-01", "Airport Express does not accept the ride code"),
        ("light-rail", "2026-10-01", "Light Rail does not accept the ride code"),
        ("mtr", "2020-01-01", "the first is in force from 2024-06-30"),
    ],
)
def test_what_is_not_allowed_ends_with_1_and_the_reason(
    network: str,
    at: str,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("--network", network, "--from", "44", "--to", "47", "--at", at, "--json")
    code, out, err = run(*words, monkeypatch=monkeypatch, capsys=capsys)
    assert code == 1
    assert reason in err
    assert reason in json.loads(out)["reason"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((*ASK, "--to", "Atlantis"), "--to: 'Atlantis' is no station of mtr"),
        (ASK, "--to: mtr needs both stations"),
        ((*ASK, "--to", "LMC", "--wallet", "cash"), "--wallet: 'cash' is none of alipayhk"),
        ((*ASK, "--to", "LMC", "--minutes", "301"), "--minutes: 301 is not from 0 to 300"),
        ((*ASK, "--to", "LMC", "--minutes", "-1"), "--minutes: -1 is not from 0"),
        ((*ASK, "--to", "LMC", "--at", "soon"), "--at: 'soon' is neither a day nor an ISO time"),
        ((*ASK, "--to", "LMC", "--stage-fare", "5.00"), "--stage-fare: only buses have one"),
        (("--network", "tram", "--from", "1"), "network: no tariff of 'tram'; known: citybus"),
        (("--network", "kmb", "--from", "6", "--stage-fare", "x"), "is not an amount in HKD"),
    ],
)
def test_a_question_that_cannot_be_read_ends_with_2_and_one_line(
    words: tuple[str, ...],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = run(*words, monkeypatch=monkeypatch, capsys=capsys)
    assert (code, out) == (2, "")
    assert expected in err
    assert len(err.splitlines()) == 1


def test_a_missing_folder_of_data_ends_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (*ASK, "--to", "LMC", "--data", str(tmp_path / "nowhere"))
    code, _, err = run(*words, monkeypatch=monkeypatch, capsys=capsys)
    assert code == 2
    assert str(tmp_path / "nowhere") in err
