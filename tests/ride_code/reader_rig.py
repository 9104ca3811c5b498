"""A reader on a bench: a scheme of keys, two clocks that a test moves, a disk that is a list.

Every list of effects is carried out as a driver does it, and held to the promise: no gate opens
before the record of that very scan, accepted, is on the disk.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from ride_code_scheme import AT, Scheme

from transitpay.ride_code import keys, signing
from transitpay.ride_code.deny_list import DenyList
from transitpay.ride_code.layout import RideCode, encode, write_text
from transitpay.ride_code.reader import (
    Ask,
    Beat,
    Effects,
    Fetch,
    HeldLists,
    HoldOpen,
    Identity,
    Memory,
    Now,
    Open,
    Pace,
    Reader,
    ReaderSettings,
    Send,
    Show,
    Write,
)
from transitpay.ride_code.records.record import Decision, EventRecord, Record, ScanRecord
from transitpay.ride_code.records.record_bytes import parse
from transitpay.ride_code.signature_cache import SignatureCache

CONFIG = {
    "operator": "mtr", "network": "mtr", "stop": "HUH", "direction": "entry",
    "destination": "0", "mode": "0", "budget_ms": "0", "passback_s": "0",
}  # fmt: skip


@dataclass
class Rig:
    """``wall`` is the machine's clock, ``mono`` its monotonic one; ``disk`` the records."""

    scheme: Scheme
    config: dict[str, str] = field(default_factory=lambda: dict(CONFIG))
    wall: datetime = AT
    mono: int = 1000
    capacity: int = 50_000
    boot: int = 0
    acknowledged: int = 0
    lists: HeldLists | None = None
    disk: list[bytes] = field(default_factory=list)
    opened: list[int] = field(default_factory=list)
    shown: list[Show] = field(default_factory=list)
    holds: list[bool] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    others: list[Any] = field(default_factory=list)
    disk_works: bool = True
    cache: SignatureCache | None = None

    def __post_init__(self) -> None:
        self.key = keys.generate_device_key()
        if self.lists is None:
            self.lists = self.held()
        self.start(clean=True)
        self.sync()

    @property
    def now(self) -> Now:
        return Now(self.wall, self.mono)

    def held(self, deny: DenyList | None = None, **changes: Any) -> HeldLists:
        """Lists that are fresh for a month."""
        fresh = AT + timedelta(30)
        found = HeldLists(self.scheme.trust(), deny or DenyList(4), fresh, fresh, 9)
        return replace(found, **changes)

    def start(self, *, clean: bool = False) -> None:
        """Power on: what the disk holds is all that is left."""
        self.boot += 1
        records = [parse(data) for data in self.disk]
        unsent = next((r.at for r in records if r.position > self.acknowledged), None)
        memory = Memory(
            self.boot, clean, len(records), self.acknowledged, self.capacity, records, unsent
        )  # fmt: skip
        identity = Identity("g1", 1, lambda head: signing.sign_batch(head, self.key), "test 1")
        assert self.lists is not None
        settings = ReaderSettings.of(self.config)
        self.reader, effects = Reader.started(
            identity, settings, self.lists, memory, self.now, Pace(30_000, 300_000, 2_000),
            self.cache,
        )  # fmt: skip
        self.do(effects)

    def sync(self) -> None:
        """The machine's clock was set right."""
        self.do(self.reader.synced(self.now, self.wall, 0))

    def pass_time(self, s: float) -> None:
        """Both clocks go on."""
        self.mono += int(s * 1000)
        self.wall += timedelta(milliseconds=int(s * 1000))

    def set_wall(self, by_s: int) -> None:
        """Somebody sets the machine's wall clock."""
        self.wall += timedelta(seconds=by_s)

    def do(self, effects: Effects) -> None:
        """Carry out effects in order."""
        for effect in effects:
            match effect:
                case Write():
                    if not self.disk_works:
                        self.do(self.reader.not_written(self.now, effect))
                        return
                    assert effect.position == len(self.disk) + 1
                    self.disk.append(effect.data)
                case Open():
                    self.opened.append(effect.sequence)
                    kept = [s for s in self.scans()[-1:] if s.sequence == effect.sequence]
                    full = self.reader.journal.level.is_full
                    assert full if not kept else kept[0].decision is Decision.ACCEPTED
                case HoldOpen():
                    self.holds.append(effect.open)
                case Show():
                    self.shown.append(effect)
                case Ask():
                    self.asks.append(effect)
                case Send() | Beat() | Fetch():
                    self.others.append(effect)

    def text(self, **code: Any) -> bytes:
        """A code drawn 5 s ago by the rider's own clock (the rig's wall clock at first)."""
        return self.drawn(self.scheme.code(**code))

    def drawn(self, code: RideCode) -> bytes:
        return write_text(encode(code)).encode()

    def scan(self, code: bytes, **given: Any) -> str:
        """Scan; says what the gate did: "open", or the reason that is shown; flags follow."""
        opened, shown = len(self.opened), len(self.shown)
        records = len(self.disk)
        self.do(self.reader.scan(self.now, code, **given))
        return self._said(opened, shown, records)

    def hear(self, status: int, body: bytes, sequence: int | None = None) -> str:
        """The gateway answers the last question."""
        opened, shown, records = len(self.opened), len(self.shown), len(self.disk)
        asked = self.asks[-1].sequence if sequence is None else sequence
        self.do(self.reader.answered(self.now, asked, status, body))
        return self._said(opened, shown, records)

    def _said(self, opened: int, shown: int, records: int) -> str:
        new = self.opened[opened:]
        assert len(new) <= 1
        if new:
            first = next(iter(self.scans(records)), None)
            if first is not None:
                assert (first.sequence, first.decision) == (new[0], Decision.ACCEPTED)
            flags = first.flags if first is not None else ("unrecorded",)
            return ":".join(["open", *flags])
        if len(self.shown) == shown:
            return "waiting"
        return str(self.shown[-1].reason)

    @property
    def records(self) -> list[Record]:
        return [parse(data) for data in self.disk]

    def scans(self, start: int = 0) -> list[ScanRecord]:
        return [r for r in self.records[start:] if isinstance(r, ScanRecord)]

    def events(self) -> list[str]:
        return [str(r.kind) for r in self.records if isinstance(r, EventRecord)]
