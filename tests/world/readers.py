"""A reader of the world: the SDK, and a driver that carries out its effects one after another.

A write takes the time that a disk takes, so the power can go between a decision and its record,
and between a record and the gate. Everything that the driver keeps is lost then; the disk's
synced part is not.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from transitpay.ride_code import keys
from transitpay.ride_code.deny_list import DenyTable
from transitpay.ride_code.lists.config_list import config_values
from transitpay.ride_code.lists.list_taking import ListRefusal, Refused, Taken, Wanted, take
from transitpay.ride_code.lists.signed_list import ListKind, SignedList, scope_of
from transitpay.ride_code.lists.trust_records import trust_list_of
from transitpay.ride_code.reader import (
    Ask,
    Beat,
    Effects,
    Fetch,
    HeldLists,
    HoldOpen,
    Identity,
    Open,
    Pace,
    Reader,
    ReaderSettings,
    Send,
    Show,
    Write,
)
from transitpay.ride_code.records.sealed_batch import chain_end, chain_start
from transitpay.ride_code.signing import sign_batch

from .clocks import ReaderClock
from .disks import Disk
from .gateways import Gateway
from .key_pool import repeatable_key
from .links import Link
from .list_office import ROOTS
from .phones import Drawn
from .scheduler import Scheduler
from .stores import RecordStore
from .trace import Trace
from .witness import Shown, Witness

PACE = Pace(beat_ms=1_200_000, lists_ms=1_800_000, send_after_ms=2_000)
_TEND_EACH_S, _TEND_AFTER_SCAN_S = 600.0, 3.0
_ANSWER_LIMIT_S = 20.0
_SYNC_S = (0.0005, 0.012)

Told = Callable[[Shown | None], None]


@dataclass(slots=True)
class ReaderActor:
    """One machine. ``reader`` is None while it is dark; ``life`` tells its starts apart."""

    name: str
    scheduler: Scheduler
    chance: random.Random
    clock: ReaderClock
    disk: Disk
    link: Link
    gateways: list[Gateway]
    witness: Witness
    trace: Trace
    capacity: int
    #: Breaks a rule on purpose; for tests of the invariants alone.
    open_before_write: bool = False
    reader: Reader | None = None
    life: int = 0
    store: RecordStore = field(init=False)
    _calls: deque[Callable[[Reader], Effects]] = field(default_factory=deque)
    _effects: deque[object] = field(default_factory=deque)
    _busy: bool = False
    _shown_codes: dict[int, tuple[Drawn, Told]] = field(default_factory=dict)
    _opened: dict[int, bool] = field(default_factory=dict)
    _positions: dict[int, int] = field(default_factory=dict)
    _answered: set[int] = field(default_factory=set)
    _holding: bool = False

    @property
    def public_key(self) -> bytes:
        """The key that it enrolled."""
        return keys.public_bytes(repeatable_key(f"reader {self.name}"))

    # -- power ---------------------------------------------------------------------------------

    def power_on(self) -> None:
        """Start: read the disk, tell the SDK what is there."""
        if self.reader is not None:
            return
        self.life += 1
        self.clock.restart()
        self.store = RecordStore.opened(self.disk, self.capacity)
        lists, settings = self._held_lists()
        key = repeatable_key(f"reader {self.name}")
        identity = Identity(self.name, 1, lambda head: sign_batch(head, key), "world")
        memory = self.store.memory(self.store.clean)
        self.trace.note(
            self.name, "starts", boot=memory.boot, records=memory.last_position,
            acknowledged=memory.acknowledged,
        )  # fmt: skip
        self.reader, effects = Reader.started(
            identity, settings, lists, memory, self.clock.now, PACE
        )
        self._effects.extend(effects)
        self._busy = True
        self._carry_out()
        self._tend_on()

    def power_off(self) -> None:
        """The power goes, at whatever moment this is."""
        if self.reader is None:
            return
        before = len(self.store.records)
        self.reader, self._busy = None, False
        self.life += 1
        self.disk.power_loss()
        for memory in (self._calls, self._effects, self._shown_codes, self._opened, self._answered):
            memory.clear()
        self._positions.clear()
        self.trace.note(self.name, "loses power", records=before)

    # -- scans ---------------------------------------------------------------------------------

    def show(self, drawn: Drawn, told: Told) -> None:
        """A code is held before the camera."""
        if self.reader is None:
            self.trace.note(self.name, "is dark", rider=drawn.rider)
            told(None)
            return

        def scan(reader: Reader) -> Effects:
            sequence = reader.next_sequence
            effects = reader.scan(self.clock.now, drawn.text.encode())
            if reader.next_sequence == sequence:
                told(None)
                return effects
            self._shown_codes[sequence] = (drawn, told)
            self.witness.asked(self.name, sequence, f"{drawn.text} {self.life}".encode())
            return effects

        self._call(scan)

    # -- the driver ----------------------------------------------------------------------------

    def _call(self, make: Callable[[Reader], Effects]) -> None:
        self._calls.append(make)
        self._next_call()

    def _next_call(self) -> None:
        while self._calls and not self._busy and self.reader is not None:
            make = self._calls.popleft()
            self._effects.extend(make(self.reader))
            self._busy = True
            self._carry_out()

    def _carry_out(self) -> None:
        """Carry out effects in their order, each done before the next."""
        while self._effects:
            effect = self._effects.popleft()
            if isinstance(effect, Write):
                self._write(effect)
                return
            self._do(effect)
        self._busy = False
        self._next_call()

    def _write(self, effect: Write) -> None:
        self.store.append(effect.data)
        if effect.data[0] == 1:
            sequence = int.from_bytes(effect.data[22:30], "big")
            self._positions[sequence] = effect.position
        if self.open_before_write and self._effects and isinstance(self._effects[0], Open):
            self._do(self._effects.popleft())
        self._later(self.chance.uniform(*_SYNC_S), self._written)

    def _written(self) -> None:
        self.store.sync()
        self._carry_out()

    def _do(self, effect: object) -> None:
        match effect:
            case Ask():
                self._ask(effect)
            case Open():
                self._opened[effect.sequence] = self._is_durable(effect.sequence)
            case Show():
                self._light(effect)
            case HoldOpen():
                self._holding = effect.open
                self.trace.note(self.name, "holds", open=effect.open)
            case Send():
                self._send(effect)
            case Beat():
                self._beat(effect)
            case Fetch():
                self._fetch(ListKind(effect.name.value), effect.have_version)
            case _:
                raise AssertionError(f"an effect that no driver knows: {effect}")

    def _is_durable(self, sequence: int) -> bool:
        position = self._positions.get(sequence)
        return position is not None and position <= self.store.synced

    def _light(self, effect: Show) -> None:
        drawn, told = self._shown_codes.pop(effect.sequence)
        reader = self.reader
        assert reader is not None
        seen = Shown(
            self.scheduler.now, self.name, effect.sequence, drawn,
            effect.sequence in self._opened, effect.signal.value,
            effect.reason.value if effect.reason else None,
            effect.sequence in self._answered,
            self._opened.pop(effect.sequence, False),
            reader.lists.deny.version, reader.lists.trust.version,
        )  # fmt: skip
        self.trace.note(
            self.name, "opens" if seen.opened else "refuses", rider=drawn.rider,
            sequence=effect.sequence, signal=seen.signal, reason=seen.reason,
            by="gateway" if seen.by_gateway else "reader",
        )  # fmt: skip
        self.witness.saw(seen)
        told(seen)
        self._later(_TEND_AFTER_SCAN_S, self._tend)

    # -- the network ---------------------------------------------------------------------------

    def _gateway(self) -> Gateway:
        return self.chance.choice(self.gateways)

    def _ask(self, effect: Ask) -> None:
        sequence, gateway = effect.sequence, self._gateway()

        def answered(status: int, body: bytes) -> None:
            def tell(reader: Reader) -> Effects:
                late = reader.late_answers
                effects = reader.answered(self.clock.now, sequence, status, body)
                if status == 200 and reader.late_answers == late:
                    self._answered.add(sequence)
                return effects

            self._call(tell)

        reply = self._reply(answered)
        self.link.send(lambda: gateway.tap(self.name, effect.body, reply))
        self._later(
            effect.timeout_ms / 1000,
            lambda: self._call(lambda it: it.unanswered(self.clock.now, sequence)),
        )

    def _send(self, effect: Send) -> None:
        records = self.store.part(effect.first_position, effect.limit)
        reader = self.reader
        assert reader is not None
        if not records:
            self._call(lambda it: it.sent(self.clock.now, None))
            return
        start = chain_start(self.name, self.public_key)
        before = chain_end(start, self.store.records[: effect.first_position - 1])
        body = reader.seal(self.clock.now, effect.first_position, before, records)
        gateway, asked = self._gateway(), _Once()

        def answered(acknowledged: int | None) -> None:
            if asked.first():
                if acknowledged is not None:
                    self.store.acknowledge(acknowledged)
                self._call(lambda it: it.sent(self.clock.now, acknowledged))

        reply = self._reply(answered)
        self.link.send(lambda: gateway.records(self.name, body, reply))
        self._later(_ANSWER_LIMIT_S, lambda: answered(None))

    def _beat(self, effect: Beat) -> None:
        began, gateway = self.clock.now, self._gateway()

        def answered(status: int, body: bytes) -> None:
            self._call(lambda it: it.beaten(self.clock.now, began, status, body))

        reply = self._reply(answered)
        self.link.send(lambda: gateway.heartbeat(self.name, effect.body, reply))

    def _fetch(self, kind: ListKind, have_version: int) -> None:
        gateway = self._gateway()
        reply = self._reply(lambda body: self._take(kind, body))
        self.link.send(lambda: gateway.list_body(kind, self._scope(kind), have_version, reply))

    def _reply(self, answered: Callable[..., None]) -> Callable[..., None]:
        """The way back of an answer: over the link, to the machine as it runs now."""
        life = self.life

        def reply(*told: object) -> None:
            self.link.send(lambda: answered(*told) if self.life == life else None)

        return reply

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        life = self.life
        self.scheduler.after(seconds, lambda: action() if self.life == life else None)

    def _tend(self) -> None:
        self._call(lambda it: it.tend(self.clock.now))

    def _tend_on(self) -> None:
        self._tend()
        self._later(_TEND_EACH_S, self._tend_on)

    # -- lists ---------------------------------------------------------------------------------

    def install(self, kind: ListKind, body: bytes) -> None:
        """What is on the disk when the machine is put up."""
        self.disk.replace(kind.value, body)

    def _scope(self, kind: ListKind) -> str:
        return self.name if kind is ListKind.CONFIG else ""

    def _held(self, kind: ListKind) -> SignedList:
        return SignedList.parse(self.disk.read(kind.value))

    def _held_lists(self) -> tuple[HeldLists, ReaderSettings]:
        trust, deny, config = (self._held(kind) for kind in ListKind)
        keys_of = trust_list_of(trust.head.version, trust.table)
        denied = DenyTable(deny.head.version, deny.table, keys_of.issuer_numbers())
        lists = HeldLists(keys_of, denied, trust.head.use_by, deny.head.use_by, config.head.version)
        return lists, ReaderSettings.of(config_values(config.table))

    def _take(self, kind: ListKind, body: bytes) -> None:
        reader = self.reader
        assert reader is not None
        wanted = Wanted(kind, ROOTS, scope_of(self._scope(kind)))
        clock = reader.clock.read(self.clock.now)
        found = take(body, self._held(kind), wanted, clock.at, clock.uncertainty_s)
        if isinstance(found, Taken):
            self.disk.replace(kind.value, b"".join(bytes(it) for it in found.chunks()))
            self.witness.took_list(self.name, kind.value, found.head.rank)
            self.trace.note(self.name, "takes list", kind=kind.value, version=found.head.version)
            reader.lists, settings = self._held_lists()
            if kind is ListKind.CONFIG:
                self._call(lambda it: it.configure(settings))
        elif isinstance(found, Refused):
            self.trace.note(self.name, "refuses list", kind=kind.value, reason=found.reason)
            self._call(lambda it: it.list_refused(self.clock.now))
            if found.reason in (ListRefusal.LIST_WRONG_BASE, ListRefusal.LIST_BAD_DIGEST):
                self._fetch(kind, 0)


@dataclass(slots=True)
class _Once:
    """Answers once."""

    done: bool = False

    def first(self) -> bool:
        was, self.done = self.done, True
        return not was
