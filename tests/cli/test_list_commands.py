"""``transitpay lists``, and ``keys`` of roots and lists, as a person and a script meet them."""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.lists.list_keys import ListKeys
from tests.ride_code.list_scheme import deny_bytes
from transitpay.cli import main
from transitpay.clock import SystemClock
from transitpay.ride_code.lists.config_list import config_records
from transitpay.ride_code.lists.list_signing import ListSigner
from transitpay.ride_code.lists.record_table import changes_between, changes_over
from transitpay.ride_code.lists.signed_list import Delta, ListKind

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["transitpay", *map(str, words)])
        monkeypatch.setattr("sys.stdin", io.StringIO())
        with pytest.raises(SystemExit) as done:
            main()
        printed = capsys.readouterr()
        return int(done.value.code or 0), printed.out, printed.err

    return call


def said(out: str) -> dict[str, Any]:
    found = json.loads(out.splitlines()[-1])
    assert isinstance(found, dict)
    return found


class Keys:
    """Both roots, each in its folder, and list key 1 of a gateway."""

    def __init__(self, run: Run, home: Path) -> None:
        self.run, self.home = run, home
        for number in (1, 2):
            assert run("keys", "root", "--out", self.root(number), "--number", number)[0] == 0
        self.certify(1)
        self.now = SystemClock().now().replace(microsecond=0)  # the key holds since before

    def root(self, number: int) -> Path:
        return self.home / f"safe-{number}"

    def certify(self, key_id: int, *more: object, root: int = 1) -> tuple[int, str, str]:
        file = self.root(root) / f"root-{root}.pem"
        return self.run(
            "keys", "certify-list", "--root", file, "--out", self.home / "keys",
            "--key-id", key_id, "--json", *more,
        )  # fmt: skip

    def signer(self, at: datetime | None = None) -> ListSigner:
        found = ListKeys(self.home / "keys").signer(ListKind.DENY, at or self.now)
        assert found is not None
        return found

    def whole(self, kind: ListKind, records: bytes, version: int = 1, reader: str = "") -> Path:
        use_by = self.now + timedelta(days=1)
        head = self.signer().head(kind, version, records, self.now, use_by, reader)
        file = self.home / f"{kind}-{version}"
        file.write_bytes(head.encode() + records)
        return file


@pytest.fixture
def made(run: Run, tmp_path: Path) -> Keys:
    return Keys(run, tmp_path)


def test_a_root_is_made_once_and_only_its_owner_may_read_it(run: Run, made: Keys) -> None:
    file = made.root(1) / "root-1.pem"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(bytes.fromhex((made.root(1) / "root-1.pub").read_text())) == 33
    before = file.read_bytes()
    code, _, err = run("keys", "root", "--out", made.root(1), "--number", 1)
    assert code == 2 and "is there already" in err and file.read_bytes() == before


def test_a_list_key_and_its_certificate_are_what_a_gateway_signs_with(made: Keys) -> None:
    assert made.signer().certificate.key_id == 1
    assert stat.S_IMODE((made.home / "keys" / "list-1.pem").stat().st_mode) == 0o600
    assert made.certify(1)[0] == 2, "an id is never given twice"
    assert made.certify(2, "--begins", "2099-01-01T00:00:00Z", "--days", 1, root=2)[0] == 0
    assert made.signer().certificate.key_id == 1, "the next one has not begun"
    assert made.signer(datetime(2099, 1, 1, 5, tzinfo=UTC)).certificate.root == 2


def test_a_list_key_may_be_for_one_kind_alone(made: Keys) -> None:
    made.certify(7, "--kind", "trust")
    keys = ListKeys(made.home / "keys")
    found = {k: s.certificate.key_id for k in ListKind if (s := keys.signer(k, made.now))}
    assert found == {ListKind.TRUST: 7, ListKind.DENY: 1, ListKind.CONFIG: 1}


@pytest.mark.parametrize("root", ["root-3.pem", "missing/root-1.pem", "list-1.pem"])
def test_what_is_no_root_certifies_nothing(run: Run, made: Keys, root: str) -> None:
    code, _, err = run(
        "keys", "certify-list", "--root", made.home / root, "--out", made.home, "--key-id", 5
    )
    assert code == 2 and "root-1.pem or root-2.pem" in err


def test_a_list_is_shown_in_plain_words(run: Run, made: Keys) -> None:
    file = made.whole(ListKind.DENY, deny_bytes({1: 5, 2: 6}), 3)
    code, out, _ = run("lists", "show", file)
    assert code == 0 and "version: 3" in out and "stale: False" in out
    assert "0000000000000002" in out
    found = said(run("lists", "show", file, "--json", "--limit", 1)[1])
    assert (found["list"], found["entries"], found["list_key_id"]) == ("deny", 2, 1)
    assert found["sound"] and found["certified_by_root"] == 1
    assert found["shown"] == [
        {"issuer_number": 1, "rider_id": "0" * 15 + "1", "denied_through_serial": 5}
    ]


def test_a_config_and_a_certificate_are_shown_too(run: Run, made: Keys) -> None:
    file = made.whole(ListKind.CONFIG, config_records({"stop": "HUH"}), reader="gate-1")
    found = said(run("lists", "show", file, "--json")[1])
    assert (found["reader"], found["shown"]) == ("gate-1", [{"name": "stop", "value": "HUH"}])
    found = said(run("lists", "show", made.home / "keys" / "list-1.cert", "--json")[1])
    assert found["may_sign"] == ["trust", "deny", "config"]


def test_a_list_is_checked_as_a_reader_would(run: Run, made: Keys) -> None:
    old = made.whole(ListKind.DENY, deny_bytes({1: 5}), 3)
    new = made.whole(ListKind.DENY, deny_bytes({2: 5}), 4)
    base, then = (ListKind.DENY.table(f.read_bytes()[278:]) for f in (old, new))
    head = made.signer().head(
        ListKind.DENY, 4, then.records, made.now, made.now + timedelta(days=1)
    )
    delta = made.home / "delta"
    delta.write_bytes(Delta(3, head, changes_over(changes_between(base, then), base)).encode())
    spoiled = made.home / "spoiled"
    spoiled.write_bytes(new.read_bytes()[:-1] + b"\x09")
    roots, others = ("--roots", made.root(1)), ("--roots", made.root(2))
    for words, code, verdict in (
        ((new, *roots), 0, "taken"),
        ((new, *roots, "--held", old), 0, "taken"),
        ((delta, *roots, "--held", old), 0, "taken"),
        ((new, *roots, "--held", new), 0, "unchanged"),
        ((old, *roots, "--held", new), 1, "list_rolled_back"),
        ((delta, *roots), 1, "list_wrong_base"),
        ((new, *others), 1, "list_bad_certificate"),
        ((new, *roots, "--kind", "trust"), 1, "list_wrong_scope"),
        ((spoiled, *roots), 1, "list_bad_digest"),
        ((made.root(1) / "root-1.pub", *roots), 1, "list_unreadable"),
    ):
        found = run("lists", "check", *words, "--json")
        told = said(found[1])
        assert (found[0], told.get("reason", told["verdict"])) == (code, verdict), words
    changes = said(run("lists", "show", delta, "--json")[1])["shown"]
    assert [change["change"] for change in changes] == ["remove", "put"]


def test_a_file_that_is_no_list_is_told_in_one_line(run: Run, made: Keys) -> None:
    for file in (made.root(1) / "root-1.pub", made.home / "nowhere"):
        code, _, err = run("lists", "show", file)
        assert code == 2 and err.startswith("transitpay: ") and err.count("\n") == 1
