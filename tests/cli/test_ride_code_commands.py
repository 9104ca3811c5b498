"""``transitpay keys``, ``code`` and ``vectors``, as a person and a script meet them."""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import Image

from transitpay.cli import main
from transitpay.ride_code import keys
from transitpay.ride_code.golden import ride_codes as golden
from transitpay.ride_code.layout import read_text

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["transitpay", *words])
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as done:
            main()
        printed = capsys.readouterr()
        return int(done.value.code or 0), printed.out, printed.err

    return call


def said(out: str) -> dict[str, Any]:
    found = json.loads(out.splitlines()[-1])
    assert isinstance(found, dict)
    return found


@pytest.fixture
def folder(run: Run, tmp_path: Path) -> Path:
    out = tmp_path / "keys"
    assert run("keys", "issuer", "--out", str(out), "--issuer", "alipayhk")[0] == 0
    assert run("keys", "device", "--out", str(out), "--json")[0] == 0
    return out


def made(run: Run, folder: Path, *words: str) -> str:
    code, out, _ = run(
        "code", "make", "--issuer-key", str(folder / "issuer-1.pem"),
        "--device-key", str(folder / "device.pem"), "--at", "2026-12-01T08:00", *words,
    )  # fmt: skip
    assert code == 0
    return out.strip()


def judged(run: Run, folder: Path, text: str, *words: str) -> tuple[int, dict[str, Any]]:
    trust = str(folder / "trust-list.json")
    given = ("code", "judge", text, "--trust-list", trust, "--json")
    code, out, _ = run(*given, "--at", "2026-12-01T08:00:05", *words)
    return code, said(out)


@pytest.fixture
def settled_keys(folder: Path) -> Path:
    """The keys' record as if it had been made long ago; the codes of these tests have a date."""
    path = folder / "trust-list.json"
    source = json.loads(path.read_text())
    source["keys"][0]["not_before"] = "2020-01-01T00:00:00Z"
    source["keys"][0]["not_after"] = "2040-01-01T00:00:00Z"
    path.write_text(json.dumps(source))
    return folder


def test_private_keys_are_for_their_owner_alone_and_never_overwritten(
    run: Run, folder: Path
) -> None:
    for name in ("issuer-1.pem", "device.pem"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    before = (folder / "device.pem").read_bytes()
    code, out, err = run("keys", "device", "--out", str(folder))
    assert (code, out) == (2, "") and "device.pem" in err and err.count("\n") == 1
    assert (folder / "device.pem").read_bytes() == before


def test_a_second_issuer_key_joins_the_trust_list(run: Run, folder: Path) -> None:
    words = ("keys", "issuer", "--out", str(folder), "--issuer", "alipay", "--key-id", "2")
    code, out, _ = run(*words, "--algorithm", "Ed25519", "--test", "--json")
    assert code == 0 and said(out)["version"] == 2
    source = json.loads((folder / "trust-list.json").read_text())
    assert [(k["key_id"], k["algorithm"], k["test"]) for k in source["keys"]] == [
        (1, "ES256", False), (2, "Ed25519", True),
    ]  # fmt: skip
    assert run(*words)[0] == 2


def test_a_partner_key_is_rsa_2048(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("keys", "partner", "--out", str(tmp_path), "--name", "alipayhk", "--json")
    assert code == 0
    assert said(out)["private_key"] == str(tmp_path / "alipayhk.pem")
    key = keys._load((tmp_path / "alipayhk.pem").read_bytes())
    assert getattr(key, "key_size", None) == 2048
    assert run("keys", "partner", "--out", str(tmp_path), "--name", "../x")[0] == 2


def test_a_made_code_is_accepted_at_an_entry(run: Run, settled_keys: Path) -> None:
    text = made(run, settled_keys, "--rider-id", "00112233445566ff", "--serial", "3")
    code, told = judged(run, settled_keys, text, "--highest-fare", "66.00HKD")
    assert code == 0 and told["verdict"] == "accepted"
    assert (told["issuer"], told["rider_id"]) == ("alipayhk", "00112233445566ff")


def test_a_refusal_is_exit_code_1_with_texts_and_action(run: Run, settled_keys: Path) -> None:
    text = made(run, settled_keys)
    code, told = judged(run, settled_keys, text, "--destination", "shenzhen")
    assert (code, told["reason"], told["action"]) == (1, "wrong_destination", "refresh")
    assert set(told["texts"]) == {"zh-Hant", "zh-Hans", "en"}
    assert judged(run, settled_keys, text, "--excluded")[1]["reason"] == "service_excluded"
    assert judged(run, settled_keys, "TP1:")[1]["reason"] == "unreadable"


def test_a_deny_list_is_heeded(run: Run, settled_keys: Path) -> None:
    text = made(run, settled_keys, "--rider-id", "00" * 8)
    deny = settled_keys / "deny.json"
    entry = {"issuer": "alipayhk", "rider_id": "00" * 8, "serial": 1}
    deny.write_text(json.dumps({"version": 1, "entries": [entry]}))
    code, told = judged(run, settled_keys, text, "--deny-list", str(deny))
    assert (code, told["reason"]) == (1, "denied")
    code, told = judged(run, settled_keys, text, "--deny-list", str(deny), "--direction", "exit")
    assert (code, told["flags"]) == (0, ["denied"])


def test_a_malformed_list_is_named_in_one_line(run: Run, settled_keys: Path) -> None:
    text = made(run, settled_keys)
    bad = settled_keys / "bad.json"
    bad.write_text('{"version": 1, "keys": [{"key_id": 1}]}')
    code, out, err = run("code", "judge", text, "--trust-list", str(bad))
    assert (
        (code, out) == (2, "") and err.startswith("transitpay: keys[0].") and "\n" not in err[:-1]
    )
    bad.write_bytes(b"\xff")
    assert run("code", "judge", text, "--trust-list", str(bad))[0] == 2


def test_reading_shows_hex_and_fields(run: Run, settled_keys: Path) -> None:
    text = made(run, settled_keys, "--counter", "9", "--currency", "CNY")
    code, out, _ = run("code", "read", "-", "--json", stdin=text + "\n")
    told = said(out)
    assert code == 0 and bytes.fromhex(told["hex"]) == read_text(text)
    assert (told["counter"], told["ceiling"]) == (9, "CNY 500.00")
    assert told["destination"] == "hong-kong" and "metro" in told["modes"]
    assert "counter: 9" in run("code", "read", text)[1]
    assert run("code", "read", text.lower())[0] == 2


def test_drawing_writes_files_or_the_terminal(run: Run, settled_keys: Path) -> None:
    text = made(run, settled_keys)
    png, svg = settled_keys / "code.png", settled_keys / "code.svg"
    code, out, _ = run("code", "draw", text, "--png", str(png), "--svg", str(svg), "--json")
    assert code == 0 and said(out) == {"png": str(png), "svg": str(svg)}
    assert png.read_bytes().startswith(b"\x89PNG") and svg.read_text().startswith("<svg")
    assert "\u2588" in run("code", "draw", text)[1]
    nowhere = str(settled_keys / "no-such-folder" / "a.png")
    code, _, err = run("code", "draw", text, "--png", nowhere)
    assert code == 2 and nowhere in err


@pytest.mark.parametrize(
    "words",
    [("--at", "noon"), ("--rider-id", "1"), ("--life-h", "169"), ("--code-life-s", "7"),
     ("--slot", "3"), ("--destination", "macau")],
)  # fmt: skip
def test_a_code_with_a_bad_field_is_not_made(
    run: Run, folder: Path, words: tuple[str, str]
) -> None:
    pem = ("--issuer-key", str(folder / "issuer-1.pem"), "--device-key", str(folder / "device.pem"))
    code, out, err = run("code", "make", *pem, *words)
    assert (code, out) == (2, "") and err


def test_our_judge_agrees_with_the_shipped_vectors(run: Run) -> None:
    code, out, _ = run("vectors", "check", "--json")
    told = said(out)
    assert code == 0 and told["agree"] == told["vectors"] > 100 and told["differences"] == []
    assert "vectors agree" in run("vectors", "check")[1]


def test_another_implementation_is_told_where_it_differs(run: Run, tmp_path: Path) -> None:
    known = golden.read_vectors(golden.shipped_text())
    answers = {v.name: {"verdict": v.expected.verdict, "reason": v.expected.reason} for v in known}
    path = tmp_path / "answers.json"
    path.write_text(json.dumps(answers))
    assert run("vectors", "check", "--answers", str(path))[0] == 0
    answers["denied"] = {"verdict": "accepted", "reason": None}
    del answers["code-stale"]
    path.write_text(json.dumps(answers))
    code, out, _ = run("vectors", "check", "--answers", str(path), "--json")
    assert code == 1
    assert said(out)["differences"] == [
        {"name": "code-stale", "expected": "rejected code_stale", "given": None},
        {"name": "denied", "expected": "rejected denied", "given": "accepted"},
    ]
    path.write_text("nonsense")
    assert run("vectors", "check", "--answers", str(path))[0] == 2


def test_the_vector_file_can_be_shown_and_given_back(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "vectors.json"
    path.write_text(run("vectors", "show")[1])
    assert path.read_text() == golden.shipped_text()
    assert run("vectors", "check", "--file", str(path))[0] == 0
    assert said(run("vectors", "show", "--json")[1])["format"] == golden.FORMAT


def test_a_refusal_is_one_line_even_where_a_file_names_a_field_with_line_ends(
    run: Run, tmp_path: Path
) -> None:
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps({"a\nb\r\u2028c": {"verdict": "accepted"}}), encoding="utf-8")
    code, out, err = run("vectors", "check", "--answers", str(answers))
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1 and "is no vector of this file" in err


def test_an_empty_highest_fare_is_refused_not_ignored(run: Run, folder: Path) -> None:
    text = made(run, folder)
    trust = str(folder / "trust-list.json")
    code, _, err = run("code", "judge", text, "--trust-list", trust, "--highest-fare", "")
    assert code == 2 and len(err.splitlines()) == 1


def mot_vector(name: str) -> dict[str, Any]:
    vectors = json.loads(golden.shipped_text("mot"))["vectors"]
    return next(v for v in vectors if v["name"] == name)


def test_a_ministry_of_transport_code_is_read_judged_and_drawn(run: Run, tmp_path: Path) -> None:
    vector = mot_vector("mot-accepted")
    code, out, _ = run("code", "read", vector["text"], "--json")
    found = said(out)
    assert code == 0 and found["hex"] == vector["hex"] and found["version"] == "interoperable"
    assert found["rider_id"] == vector["expect"]["rider_id"] and found["ceiling"] == "CNY 35.00"
    trust = tmp_path / "trust.json"
    trust.write_text(json.dumps(json.loads(golden.shipped_text("mot"))["trust_lists"]["main"]))
    words = ("code", "judge", vector["text"], "--trust-list", str(trust), "--json",
             "--destination", "shenzhen", "--at")  # fmt: skip
    assert run(*words, "2026-07-01T04:00:00Z")[0] == 0
    code, out, _ = run(*words, "2026-07-01T04:10:00Z")
    assert code == 1 and said(out)["reason"] == "code_stale"
    png = tmp_path / "mot.png"
    assert run("code", "draw", vector["text"], "--png", str(png))[0] == 0
    [found_code] = zxingcpp.read_barcodes(Image.open(png))
    assert found_code.bytes.hex() == vector["hex"]
