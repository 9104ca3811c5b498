"""A reader's lists as files: the old or the new one, whenever the power goes; never an older."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.ride_code.list_scheme import AT, ListScheme, deny_bytes
from transitpay.errors import TemporarilyUnavailable
from transitpay.ride_code.lists.list_taking import ListRefusal, Refused, Taken, Unchanged
from transitpay.ride_code.lists.signed_list import ListKind
from transitpay.runtime.list_files import ListFiles

OLD = {n: 1 for n in range(0, 5000, 2)}
NEW = OLD | {1: 1, 4000: 7}
DENY = ListKind.DENY


class PowerLoss(BaseException):
    """Nothing of ours runs after it."""


class Shop:
    """A folder with list version 1 in it, and a delta to version 2."""

    def __init__(self, folder: Path) -> None:
        self.scheme = ListScheme()
        self.folder = folder
        self.old = self.scheme.held(deny_bytes(OLD), 1)
        self.delta = self.scheme.delta(self.old, deny_bytes(NEW), 2)
        self.new = self.scheme.whole(deny_bytes(NEW), 2)
        assert isinstance(self.start().take(DENY, b"".join(self.old.chunks()), AT), Taken)

    def start(self) -> ListFiles:
        return ListFiles(self.folder, "gate-1", self.scheme.wanted().roots)

    def version(self) -> int | None:
        """What a new start finds; its bytes are those of that version."""
        found = self.start().held(DENY)
        if found is None:
            return None
        assert bytes(found.table.records) == deny_bytes(OLD if found.head.version == 1 else NEW)
        return found.head.version


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "lists")


def test_a_delta_is_kept_and_found_again(shop: Shop) -> None:
    files = shop.start()
    assert isinstance(files.take(DENY, shop.delta, AT), Taken)
    held = files.held(DENY)
    assert held is not None and held.head.version == 2
    assert shop.version() == 2
    assert files.take(DENY, (shop.folder / "deny.list").read_bytes(), AT) == Unchanged()
    assert [p.name for p in shop.folder.iterdir()] == ["deny.list"]


def test_case_34_a_list_is_not_rolled_back_by_a_restart(shop: Shop) -> None:
    shop.start().take(DENY, shop.delta, AT)
    rolled_back = Refused(ListRefusal.LIST_ROLLED_BACK)
    assert shop.start().take(DENY, b"".join(shop.old.chunks()), AT) == rolled_back
    assert shop.version() == 2


STEPS = ("fsync", "replace", "open", "fsync", "close")


@pytest.mark.parametrize("step", range(len(STEPS)))
@pytest.mark.parametrize("before", [True, False])
def test_case_34_the_power_goes_before_or_after_any_step(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, step: int, before: bool
) -> None:
    files, done = shop.start(), []

    def watched(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            done.append(name)
            here = len(done) == step + 1
            if here and before:
                raise PowerLoss
            found = real(*given, **named)
            if here:
                raise PowerLoss
            return found

        return call

    with monkeypatch.context() as patched:
        for name in set(STEPS):
            patched.setattr(os, name, watched(name, getattr(os, name)))
        with pytest.raises(PowerLoss):
            files.take(DENY, shop.delta, AT)
    assert tuple(done[: step + 1]) == STEPS[: step + 1], (
        "written through before it is renamed, and after"
    )
    renamed = step > 1 or (step == 1 and not before)
    assert shop.version() == (2 if renamed else 1)
    again = shop.start().take(DENY, shop.delta, AT)
    assert again == Unchanged() if renamed else isinstance(again, Taken)
    assert shop.version() == 2


@pytest.mark.parametrize("kept", [0, 1, 277, 278, 300, 20_000])
def test_a_file_that_was_begun_when_the_power_went_is_no_list(shop: Shop, kept: int) -> None:
    (shop.folder / "deny.new").write_bytes(shop.new[:kept])
    assert shop.version() == 1
    assert isinstance(shop.start().take(DENY, shop.delta, AT), Taken)
    assert shop.version() == 2


def test_a_process_killed_while_it_writes_leaves_the_old_list(shop: Shop) -> None:
    program = (
        "import os, sys\n"
        "from datetime import datetime\n"
        "from pathlib import Path\n"
        "from transitpay.ride_code.lists.signed_list import ListKind\n"
        "from transitpay.runtime.list_files import ListFiles\n"
        "files = ListFiles(Path(sys.argv[1]), 'gate-1', {1: bytes.fromhex(sys.argv[2])})\n"
        "os.fsync = lambda number: os.kill(os.getpid(), 9)\n"
        "files.take(ListKind.DENY, sys.stdin.buffer.read(), datetime.fromisoformat(sys.argv[3]))\n"
    )
    root = shop.scheme.wanted().roots[1].hex()
    command = [sys.executable, "-c", program, str(shop.folder), root, AT.isoformat()]
    ended = subprocess.run(command, input=shop.delta, check=False)
    assert ended.returncode == -9
    assert (shop.folder / "deny.new").exists() and shop.version() == 1


def test_a_full_disk_leaves_the_list_that_is_held(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = shop.start()

    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(TemporarilyUnavailable, match="No space left") as caught:
            files.take(DENY, shop.delta, AT)
    assert caught.value.code == "list_not_kept"
    held = files.held(DENY)
    assert held is not None and held.head.version == 1
    assert isinstance(files.take(DENY, shop.delta, AT), Taken), "there is room again"


@pytest.mark.parametrize("position", [0, 40, 230, 277, 278 + 13])
def test_a_file_in_which_a_bit_has_changed_is_as_if_it_were_not_there(
    shop: Shop, position: int
) -> None:
    path = shop.folder / "deny.list"
    spoiled = bytearray(path.read_bytes())
    spoiled[position] ^= 1
    path.write_bytes(spoiled)
    assert shop.version() is None
    assert isinstance(shop.start().take(DENY, shop.new, AT), Taken), "the whole list mends it"


@pytest.mark.parametrize("length", [0, 100, 278, 1000])
def test_a_truncated_file_is_as_if_it_were_not_there(shop: Shop, length: int) -> None:
    path = shop.folder / "deny.list"
    path.write_bytes(path.read_bytes()[:length])
    assert shop.version() is None


def test_a_config_belongs_to_its_reader(shop: Shop) -> None:
    config = shop.scheme.whole(b"", 1, kind=ListKind.CONFIG, scope="gate-1")
    assert isinstance(shop.start().take(ListKind.CONFIG, config, AT), Taken)
    other = ListFiles(shop.folder, "gate-2", shop.scheme.wanted().roots)
    assert other.held(ListKind.CONFIG) is None, "a disk that was moved to another reader"
    wrong = Refused(ListRefusal.LIST_WRONG_SCOPE)
    assert other.take(ListKind.CONFIG, config, AT) == wrong


def test_a_stale_list_with_an_expired_certificate_is_still_held(shop: Shop) -> None:
    signer = shop.scheme.signer(1, not_after=AT + timedelta(hours=1))
    records = deny_bytes(NEW)
    assert isinstance(
        shop.start().take(DENY, shop.scheme.whole(records, 2, signer=signer), AT), Taken
    )
    assert shop.version() == 2, "time is no matter for what was taken in time"


@pytest.mark.heavy
def test_a_reader_needs_64_mb_while_a_delta_meets_a_million_denials() -> None:
    from bench import list_memory  # heavy: it runs processes of its own

    found = list_memory.measure(list_memory.ENTRIES)
    assert int(str(found["reader_peak_kb"])) <= 64 * 1024
    assert int(str(found["whole_peak_kb"])) <= 64 * 1024, "nor where the whole list is sent"
    assert int(str(found["list_bytes"])) <= 16 * 1024 * 1024
