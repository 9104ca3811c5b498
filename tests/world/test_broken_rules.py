"""Each invariant can fail: its rule is broken on purpose, and it is the one that says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from gateway.readers.uploads import Told, Upload, UploadOutcome
from gateway.taps.scans import JudgedScan, Outcome
from transitpay.postgres.gates.known_scans import SpentCode
from transitpay.postgres.gates.tap_groups import CodeUse
from transitpay.ride_code.deny_list import DenyTable
from transitpay.ride_code.lists.signed_list import ListKind
from transitpay.ride_code.reader import reader as sdk
from transitpay.ride_code.reader.effects import Show, Signal
from transitpay.ride_code.reader.memory import Memory
from transitpay.ride_code.reader.window import Window
from transitpay.ride_code.reasons import RULES, ExitPolicy, Reason
from transitpay.ride_code.trust_list import KeyStatus, TrustList

from . import readers
from . import town as town_module
from .gateways import Gateway
from .invariants import INVARIANTS, broken_by
from .memory_log import MemoryTapLog
from .readers import ReaderActor
from .stores import RecordStore
from .town import Town, build, deny
from .witness import Shown

Patch = pytest.MonkeyPatch
_SEEDS = range(1, 25)
_DAYS = 1.0


class ForgetfulLog(MemoryTapLog):
    """A tap log that forgets which codes are spent."""

    def append(self, group: Sequence[JudgedScan]) -> list[Outcome]:
        self.uses.clear()
        return super().append(group)


class LossyLog(MemoryTapLog):
    """A tap log that answers before it is durable, and then loses one scan in ten."""

    def append(self, group: Sequence[JudgedScan]) -> list[Outcome]:
        outcomes = super().append(group)
        for scan in group:
            if scan.key.sequence % 10 == 3:
                self.taps.pop(scan.key, None)
                self.uses = {code: use for code, use in self.uses.items() if use.tap != scan.key}
        return outcomes


class SilentLog(MemoryTapLog):
    """A tap log that refuses a double without a word."""

    def upload(self, uploads: Sequence[Upload], told: Told) -> list[UploadOutcome]:
        outcomes = super().upload(uploads, told)
        for key, record in self.records.items():
            word = record.word._replace(difference=None, liable=None)
            self.records[key] = record._replace(word=word)
        return outcomes


class FirstComeLog(MemoryTapLog):
    """A tap log in which of two scans of one code the one that comes first has it."""

    def _spent(self, use: CodeUse, yields: bool) -> SpentCode:
        return super()._spent(use, False)


def first_come_first_served(town: Town, patch: Patch) -> None:
    patch.setattr(town_module, "MemoryTapLog", FirstComeLog)


def say_nothing_of_doubles(town: Town, patch: Patch) -> None:
    town.store.log = SilentLog(town.store.log.debounce)


def forget_replay(town: Town, patch: Patch) -> None:
    town.store.log = ForgetfulLog(town.store.log.debounce)


def lose_scans(town: Town, patch: Patch) -> None:
    town.store.log = LossyLog(town.store.log.debounce)


def open_before_writing(town: Town, patch: Patch) -> None:
    for reader in town.readers.values():
        reader.open_before_write = True


def forget_the_boot_number(town: Town, patch: Patch) -> None:
    opened = RecordStore.opened

    def first_boot_again(disk: Any, capacity: int) -> RecordStore:
        disk.replace("boot", bytes(4))
        return opened(disk, capacity)

    patch.setattr(RecordStore, "opened", staticmethod(first_boot_again))


def ignore_the_deny_list(town: Town, patch: Patch) -> None:
    held = ReaderActor._held_lists

    def nobody_denied(self: ReaderActor) -> Any:
        lists, settings = held(self)
        nobody = DenyTable(lists.deny.version, ListKind.DENY.table(b""), {})
        return replace(lists, deny=nobody), settings

    patch.setattr(ReaderActor, "_held_lists", nobody_denied)


def believe_withdrawn_keys(town: Town, patch: Patch) -> None:
    held = ReaderActor._held_lists

    def all_active(self: ReaderActor) -> Any:
        lists, settings = held(self)
        keys = [
            replace(key, status=KeyStatus.ACTIVE, compromised_at=None)
            for key in lists.trust.keys.values()
        ]
        return replace(lists, trust=TrustList.of(lists.trust.version, keys)), settings

    patch.setattr(ReaderActor, "_held_lists", all_active)


def take_any_list(town: Town, patch: Patch) -> None:
    take = readers.take
    patch.setattr(readers, "take", lambda body, held, *rest: take(body, None, *rest))


def greet_everybody(town: Town, patch: Patch) -> None:
    show = sdk.show

    def green(*given: Any) -> Show:
        return replace(show(*given), signal=Signal.GREEN)

    patch.setattr(sdk, "show", green)


def acknowledge_what_is_not_stored(town: Town, patch: Patch) -> None:
    records = Gateway.records

    def careless(self: Gateway, reader: str, body: bytes, reply: Callable[..., None]) -> None:
        if self.scheduler.now.second % 3 == 0:
            first, count = int.from_bytes(body[8:16]), int.from_bytes(body[6:8])
            reply(first + count - 1)
        else:
            records(self, reader, body, reply)

    patch.setattr(Gateway, "records", careless)


def keep_the_denied_inside(town: Town, patch: Patch) -> None:
    patch.setitem(RULES, Reason.DENIED, replace(RULES[Reason.DENIED], at_exit=ExitPolicy.REFUSE))
    for rider in town.riders:
        for hour in range(2, 24, 3):
            town.scheduler.after(hour * 3600.0, deny(town, rider))


def forget_codes(town: Town, patch: Patch) -> None:
    patch.setattr(Window, "is_spent", lambda self, key: False)


def forget_codes_when_the_power_goes(town: Town, patch: Patch) -> None:
    recalled = Memory.recalled
    patch.setattr(Memory, "recalled", lambda *it: (Window(), recalled(*it)[1]))

    def cut(seen: Shown) -> None:
        reader = town.readers[seen.reader]
        town.scheduler.after(0.2, reader.power_off)
        town.scheduler.after(0.3, reader.power_on)

    town.witness.listeners.append(cut)


BREACHES = [
    (1, forget_replay),
    (2, say_nothing_of_doubles),
    (3, lose_scans),
    (4, open_before_writing),
    (5, forget_the_boot_number),
    (6, believe_withdrawn_keys),
    (7, ignore_the_deny_list),
    (8, take_any_list),
    (9, greet_everybody),
    (10, acknowledge_what_is_not_stored),
    (11, keep_the_denied_inside),
    (12, forget_codes),
    (12, forget_codes_when_the_power_goes),
    (13, say_nothing_of_doubles),
    (14, first_come_first_served),
]


@pytest.mark.parametrize(("number", "breach"), BREACHES, ids=lambda it: getattr(it, "__name__", it))
def test_a_broken_rule_is_seen_by_its_invariant(
    monkeypatch: Patch, number: int, breach: Callable[[Town, Patch], None]
) -> None:
    seen: set[str] = set()
    for seed in _SEEDS:
        town = build(seed, _DAYS)
        with monkeypatch.context() as patch:
            breach(town, patch)
            town.run()
            seen |= {told.partition(" ")[0] for told in broken_by(town)}
        if f"I{number}" in seen:
            return
    pytest.fail(f"{breach.__name__} broke {sorted(seen)}, and I{number} said nothing")


def test_every_invariant_has_a_breach() -> None:
    assert {number for number, _ in BREACHES} == {it.number for it in INVARIANTS}
