"""A reader on Linux: the SDK with its files, its clock and a blocking link to the gateway.

One thread scans; another keeps the gateway informed. The SDK is under one lock, and what it says is
done under that lock in the order said; the network is never waited for under it. See
docs/how-to/turnstile.md.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import assert_never

from transitpay.clock import Clock, SystemClock
from transitpay.errors import TemporarilyUnavailable
from transitpay.money import Money
from transitpay.ride_code.keys import load_device_pem
from transitpay.ride_code.reader import (
    Ask,
    Beat,
    Effects,
    Fetch,
    HoldOpen,
    Identity,
    ListName,
    Now,
    Open,
    Pace,
    Reader,
    ReaderSettings,
    Send,
    Show,
    Write,
    scanned,
)
from transitpay.ride_code.records.record import Passage, Place
from transitpay.ride_code.signing import sign_batch
from transitpay.runtime.gateway_link import OCTETS, GatewayLink, Reply
from transitpay.runtime.observe import EventLog
from transitpay.runtime.reader_enrolment import enrolled
from transitpay.runtime.reader_lists import ReaderLists
from transitpay.runtime.reader_store import CAPACITY, ReaderStore, open_store

_BACKGROUND_S = 0.1
_TIMEOUT_S = 10.0
#: How long a start waits for the gateway to tell the time.
_FIRST_BEAT_S = 2.0


@dataclass(frozen=True, slots=True)
class Gate:
    """The hardware. Each is called in the order of the reader's effects and does not block."""

    show: Callable[[Show], None]
    open: Callable[[], None]
    hold: Callable[[bool], None] = lambda held: None


def machine_now(clock: Clock) -> Now:
    """The two clocks of this machine."""
    return Now(clock.now(), time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000)


class ReaderDriver:
    """A running reader. ``home`` is its folder: key, lists and records. ``defaults`` are settings
    for where its config list names none.

    Raises: Conflict, MalformedInput, TemporarilyUnavailable (``not_enrolled``, ``no_config``: the
    very first start needs the gateway), OSError.
    """

    def __init__(
        self,
        home: Path,
        reader: str,
        link: GatewayLink,
        roots: Mapping[int, bytes],
        gate: Gate,
        *,
        software: str = "",
        terminator: bytes = b"",
        clock: Clock | None = None,
        capacity: int = CAPACITY,
        pace: Pace | None = None,
        defaults: Mapping[str, str] | None = None,
    ) -> None:
        self._link, self._gate, self._terminator = link, gate, terminator
        self._clock = clock or SystemClock()
        who = enrolled(home, reader, link, software, self.now)
        self._lists = ReaderLists(home / "lists", reader, roots, link, defaults)
        settings = self._first_settings()
        self._store: ReaderStore = open_store(
            home / "records", who.key, capacity=capacity, existing=not who.is_new
        )
        who.keep()
        signer = partial(sign_batch, key=load_device_pem(who.pem))
        identity = Identity(reader, who.key.number, signer, software)
        self._lock, self._asking = threading.RLock(), ThreadPoolExecutor(4)
        self._background: list[Send | Beat | Fetch] = []
        self._asked: dict[int, Future[Reply]] = {}
        self._stopped, self._events = threading.Event(), EventLog("reader")
        self._thread = threading.Thread(target=self._tend, name="reader", daemon=True)
        self.reader, effects = Reader.started(
            identity, settings, self._lists.held, self._store.memory(), self.now(), pace
        )
        with self._lock:
            self._do(effects)
            if who.heard is not None:
                it = who.heard
                self._do(self.reader.synced(it.when, it.true_at, it.error_ms))
        self._thread.start()
        self._hear_the_time()

    def now(self) -> Now:
        """This moment."""
        return machine_now(self._clock)

    def scan(
        self,
        data: bytes,
        place: Place | None = None,
        fare: Money | None = None,
        fare_is_final: bool = False,
    ) -> None:
        """A code was read: returns when the rider has been answered, within the time budget."""
        code = scanned(data, self._terminator)
        with self._lock:
            before = self.reader.next_sequence
            self._do(self.reader.scan(self.now(), code, place, fare, fare_is_final))
            asked = self._asked.pop(before, None)
            budget_s = self.reader.settings.budget_ms / 1000
        if asked is None:
            return
        try:
            reply = asked.result(budget_s)
        except TimeoutError:
            with self._lock:
                self._do(self.reader.tick(self.now()))
            asked.add_done_callback(lambda done: self._hear(before, done.result()))
            return
        self._hear(before, reply)

    def passage(self, sequence: int, passage: Passage) -> None:
        """What the gate saw the rider do."""
        with self._lock:
            self._do(self.reader.passage(self.now(), sequence, passage))

    def open_locally(self, is_open: bool) -> None:
        """The fire contact, or the key that opens the gates."""
        with self._lock:
            self._do(self.reader.open_locally(self.now(), is_open))

    @property
    def waiting(self) -> int:
        """Records that the gateway has not acknowledged."""
        return self._store.last_position - self._store.acknowledged

    def deliver(self, within_s: float) -> bool:
        """Wait until every record is acknowledged; False if that takes longer."""
        until = time.monotonic() + within_s
        while self.waiting and time.monotonic() < until:
            self._stopped.wait(_BACKGROUND_S)
        return not self.waiting

    def close(self) -> None:
        """End in good order; what is not acknowledged stays in the store."""
        self._stopped.set()
        self._thread.join()
        self._asking.shutdown()
        with self._lock:
            self._store.close()

    # -- effects -----------------------------------------------------------------------------

    def _do(self, effects: Effects) -> None:
        """Carry out effects in order; the lock is held."""
        for effect in effects:
            match effect:
                case Write():
                    try:
                        self._store.append(effect.position, effect.data)
                    except TemporarilyUnavailable:
                        self._do(self.reader.not_written(self.now(), effect))
                        return
                case Open():
                    self._gate.open()
                case HoldOpen():
                    self._gate.hold(effect.open)
                case Show():
                    self._gate.show(effect)
                case Ask():
                    self._asked[effect.sequence] = self._asking.submit(
                        self._link.call, "POST", "/v1/taps", effect.body, effect.timeout_ms / 1000
                    )
                case Send() | Beat() | Fetch():
                    self._background.append(effect)
                case _:
                    assert_never(effect)

    def _hear(self, sequence: int, reply: Reply) -> None:
        with self._lock:
            if reply.status:
                heard = self.reader.answered(self.now(), sequence, reply.status, reply.body)
            else:
                heard = self.reader.unanswered(self.now(), sequence)
            self._do(heard)

    # -- in the background ---------------------------------------------------------------------

    def _first_settings(self) -> ReaderSettings:
        """The settings held; a reader that has none yet asks for all its lists first."""
        if self._lists.settings() is None:
            for name in ListName:
                self._lists.fetch(name, self._clock.now(), 0)
        settings = self._lists.settings()
        if settings is None:
            raise TemporarilyUnavailable("no_config", "the reader has never had its settings")
        return settings

    def _hear_the_time(self) -> None:
        """Give the first heartbeat a moment, where nothing else has told the time."""
        until = time.monotonic() + _FIRST_BEAT_S
        while self.reader.doubts_its_clock and time.monotonic() < until:
            time.sleep(_BACKGROUND_S / 10)

    def _tend(self) -> None:
        """The worker loop: what fails is told and tried again; no rider ever waits for it."""
        while not self._stopped.is_set():
            try:
                self._tend_once()
            except Exception as error:  # noqa: BLE001 - the loop lives as long as the reader
                self._events.error("reader_background_failed", exc=error)
            self._stopped.wait(_BACKGROUND_S)

    def _tend_once(self) -> None:
        with self._lock:
            self._do(self.reader.tend(self.now()))
            work, self._background = self._background, []
        for effect in work:
            match effect:
                case Send():
                    self._send(effect)
                case Beat():
                    self._beat(effect)
                case Fetch():
                    self._fetch(effect)

    def _send(self, it: Send) -> None:
        through = None
        try:
            with self._lock:
                chunk = self._store.chunk(it.first_position, it.limit)
                assert chunk is not None, "only what waits is sent"
                body = self.reader.seal(
                    self.now(), chunk.first_position, chunk.before, chunk.records
                )
            reply = self._link.call("POST", "/v1/readers/records", body, _TIMEOUT_S, OCTETS)
            through = _acknowledged(reply)
        finally:
            with self._lock:
                if through is not None:
                    self._store.acknowledge(through)
                self._do(self.reader.sent(self.now(), through))

    def _beat(self, it: Beat) -> None:
        began = self.now()
        reply = self._link.call("POST", "/v1/readers/heartbeat", it.body, _TIMEOUT_S)
        with self._lock:
            self._do(self.reader.beaten(self.now(), began, reply.status, reply.body))

    def _fetch(self, it: Fetch) -> None:
        with self._lock:
            clock = self.reader.clock.read(self.now())
        found = self._lists.fetch(it.name, clock.at, clock.uncertainty_s)
        with self._lock:
            if found.refused:
                self._do(self.reader.list_refused(self.now()))
            if found.changed:
                self.reader.hold(self._lists.held)
                settings = self._lists.settings()
                if settings is not None:
                    self._do(self.reader.configure(settings))


def _acknowledged(reply: Reply) -> int | None:
    """How far the gateway has our records; None if the batch was not taken."""
    if reply.status != 200:
        return None
    try:
        through = json.loads(reply.body)["acknowledged_through"]
    except (ValueError, KeyError, TypeError):
        return None
    return through if type(through) is int else None
