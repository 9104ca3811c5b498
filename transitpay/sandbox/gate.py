"""A reader of the sandbox: the SDK, with its store on the disk and the gateway over HTTP.

Business time is fast and a scan is stamped with its planned instant, so the reader is told the
time before each call; the network takes the machine's time. A turnstile whose network is away,
or whose gateway does not answer, decides alone as a bus does, and everything is uploaded later.
"""

from __future__ import annotations

import asyncio
import heapq
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from transitpay.clock import Clock
from transitpay.errors import TemporarilyUnavailable
from transitpay.ride_code.keys import generate_device_key, public_bytes
from transitpay.ride_code.lists.config_list import config_values
from transitpay.ride_code.lists.signed_list import ListKind
from transitpay.ride_code.reader import (
    Ask,
    Beat,
    Effects,
    Fetch,
    Identity,
    Now,
    Open,
    Pace,
    Reader,
    ReaderSettings,
    Send,
    Show,
    Write,
)
from transitpay.ride_code.reader.gateway_words import read_beat
from transitpay.ride_code.reader.upkeep import newer
from transitpay.ride_code.records import record_bytes
from transitpay.ride_code.records.record import DecidedBy, ScanRecord
from transitpay.ride_code.records.record import Place as ScanPlace
from transitpay.ride_code.signature_cache import SignatureCache
from transitpay.ride_code.signing import DevicePrivateKey, prove_reader_key, sign_batch
from transitpay.runtime.reader_store import Chunk, ReaderStore, StoreKey, open_store
from transitpay.sandbox.coverage import Coverage
from transitpay.sandbox.diary import Diary, TapAnswer
from transitpay.sandbox.gate_lists import GateLists
from transitpay.sandbox.places import Place
from transitpay.sandbox.wire import OCTETS, HttpWire

SOFTWARE = "sandbox gate"
#: How long a turnstile waits for the gateway before it decides alone, in the machine's time.
_ASK_LIMIT_S = 2.0
#: The same in business time, as the reader sees it: well within its budget.
_ANSWER_AFTER = timedelta(milliseconds=100)
#: Seconds of the machine between two heartbeats, and between two looks for new lists, of which
#: the answer to a heartbeat tells anyhow.
_BEAT_EACH_S, _LISTS_EACH_S = 2.0, 30.0
_NO_TIME = datetime.max.replace(tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the rider sees, and the number of the scan at its reader."""

    opened: bool
    reason: str | None
    sequence: int


@dataclass(slots=True)
class SandboxReader:
    """One reader, of which ``enrol`` and ``start`` come first.

    ``folder`` is its disk, which nobody cuts the power of; ``known`` are the issuer signatures
    that this reader or another one of the process found valid.
    """

    place: Place
    token: str
    wire: HttpWire
    clock: Clock
    coverage: Coverage
    lists: GateLists
    diary: Diary
    folder: Path
    known: SignatureCache
    _key: DevicePrivateKey = field(default_factory=generate_device_key)
    _enrolled: StoreKey | None = None
    _reader: Reader = field(init=False)
    _store: ReaderStore = field(init=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _expected: list[tuple[datetime, int]] = field(default_factory=list)
    _over: set[int] = field(default_factory=set)
    _work: list[Send | Beat | Fetch] = field(default_factory=list)
    _ask: Ask | None = None
    _opened: bool = False
    _sequence: int = 0
    _show: Show | None = None

    # -- the start -----------------------------------------------------------------------------

    async def enrol(self) -> None:
        """Enrol the key and fetch the lists.

        Raises: TemporarilyUnavailable (``reader_not_enrolled``, ``no_reader_lists``).
        """
        self._enrolled = await self._enrol()
        for kind in ListKind:
            await self._fetch(kind)
        if self.lists.held(ListKind.CONFIG) is None:
            raise TemporarilyUnavailable("no_reader_lists", f"{self.place.reader} got no config")

    async def start(self) -> None:
        """Open the store and start the SDK, after ``enrol``."""
        assert self._enrolled is not None, "enrol comes first"
        self._store = open_store(self.folder, self._enrolled, durable=False)
        signer = partial(sign_batch, key=self._key)
        identity = Identity(self._enrolled.reader, self._enrolled.number, signer, SOFTWARE)
        self._reader, effects = Reader.started(
            identity, self._settings(), self.lists.as_held(), self._store.memory(),
            now_of(self.clock.now()), self._pace(), self.known,
        )  # fmt: skip
        async with self._lock:
            await self._do(effects)

    def _settings(self) -> ReaderSettings:
        config = self.lists.held(ListKind.CONFIG)
        assert config is not None, "enrol comes first"
        return ReaderSettings.of(config_values(config.table))

    def close(self) -> None:
        """End in good order."""
        self._store.close()

    async def _enrol(self) -> StoreKey:
        point, reader = public_bytes(self._key), self.place.reader
        request = {
            "public_key": point.hex(),
            "proof": prove_reader_key(reader, self._key).hex(),
            "software": SOFTWARE,
        }
        status, told = await self.wire.post("/v1/readers/enrol", self.token, request)
        if status != 200:
            raise TemporarilyUnavailable("reader_not_enrolled", f"{reader} was answered {status}")
        return StoreKey(reader, told["key_number"], point, told["first_position"])

    def _pace(self) -> Pace:
        second_ms = 1000 * self.clock.speed
        return Pace(round(_BEAT_EACH_S * second_ms), round(_LISTS_EACH_S * second_ms), 1)

    # -- what is planned here ------------------------------------------------------------------

    def expect(self, at: datetime, ticket: int) -> None:
        """A scan is planned here; until it is over, nothing later may be called complete."""
        heapq.heappush(self._expected, (at, ticket))

    def over(self, ticket: int) -> None:
        """The planned scan is made, or will not be made."""
        self._over.add(ticket)
        while self._expected and self._expected[0][1] in self._over:
            self._over.discard(heapq.heappop(self._expected)[1])

    @property
    def waiting(self) -> int:
        """Records that the gateway has not acknowledged."""
        return self._store.last_position - self._store.acknowledged

    def _time(self) -> datetime:
        """The reader's time between scans: it never passes a scan that is planned and not made."""
        planned = self._expected[0][0] if self._expected else _NO_TIME
        return min(self.clock.now(), planned - timedelta(seconds=1))

    # -- scans ---------------------------------------------------------------------------------

    async def scan(self, text: str, at: datetime) -> Seen:
        """One scan from the camera to the signal."""
        async with self._lock:
            self._ask, self._show, self._opened = None, None, False
            now = await self._tell_time(at)
            place, fare = ScanPlace(self.place.stop, self.place.route), self.place.stage_fare
            await self._do(self._reader.scan(now, text.encode(), place, fare))
            if self._ask is not None:
                await self._do(await self._answer(self._ask, at))
            assert self._show is not None, "every scan is answered"
            return Seen(self._opened, self._show.reason, self._sequence)

    async def _answer(self, ask: Ask, at: datetime) -> Effects:
        """What the reader makes of the gateway's answer, or of none."""
        later, sequence = now_of(at + _ANSWER_AFTER), ask.sequence
        if not self.coverage.reaches(at):
            return self._reader.unanswered(later, sequence)
        status, body = await self.wire.call(
            "POST", "/v1/taps", self.token, ask.body, timeout_s=_ASK_LIMIT_S
        )
        if status == 0:
            return self._reader.unanswered(later, sequence)
        if status == 200:
            decision = json.loads(body)["decision"]
            self.diary.acknowledged(TapAnswer(at, self.place.reader, sequence, decision))
        return self._reader.answered(later, sequence, status, body)

    # -- in the background ---------------------------------------------------------------------

    async def tend(self) -> None:
        """Deliver, report and fetch what is due, as far as the network reaches."""
        async with self._lock:
            at = self._time()
            await self._do(self._reader.tend(await self._tell_time(at)))
            work, self._work = self._work, []
        reached = self.coverage.reaches(self.clock.now())
        for effect in work:
            match effect:
                case Send():
                    await self._send(effect, reached)
                case Beat() if reached:
                    await self._beat(effect)
                case Fetch() if reached:
                    await self._fetch(ListKind(effect.name.value))
                    await self._hold()
                case _:
                    pass

    async def _beat(self, effect: Beat) -> None:
        """Report, and fetch the lists of which the gateway has other versions.

        The planned instants are our clock, so the gateway's time is not taken.
        """
        status, body = await self.wire.call(
            "POST", "/v1/readers/heartbeat", self.token, effect.body
        )
        told = read_beat(status, body)
        if told is not None:
            async with self._lock:
                await self._do(newer(self._reader.lists, told))

    async def _send(self, effect: Send, reached: bool) -> None:
        async with self._lock:
            chunk = self._store.chunk(effect.first_position, effect.limit)
            if not reached or chunk is None:
                through = None if chunk is not None else self._store.acknowledged
                await self._do(self._reader.sent(now_of(self._time()), through))
                return
            now = await self._tell_time(self._time())
            body = self._reader.seal(now, chunk.first_position, chunk.before, chunk.records)
        status, answer = await self.wire.call(
            "POST", "/v1/readers/records", self.token, body, OCTETS
        )
        async with self._lock:
            through = None
            if status == 200:
                through = self._acknowledge(chunk, answer)
                self._store.acknowledge(through)
            await self._do(self._reader.sent(now_of(self._time()), through))

    def _acknowledge(self, chunk: Chunk, answer: bytes) -> int:
        """Note what the gateway has; returns up to which position it has everything."""
        told = json.loads(answer)
        other = {row["sequence"]: row["decision"] for row in told["differences"]}
        other |= {row["sequence"]: None for row in told["apart"]}
        self.diary.batches += 1
        now = self.clock.now()
        for record in map(record_bytes.parse, chunk.records):
            if not isinstance(record, ScanRecord):
                continue
            decision = other.get(record.sequence, str(record.decision))
            self.diary.acknowledged(
                TapAnswer(record.at, self.place.reader, record.sequence, decision)
            )
            if record.decided_by is DecidedBy.READER:
                self.diary.delivered(now - record.at)
        return int(told["acknowledged_through"])

    async def _fetch(self, kind: ListKind) -> None:
        held = self.lists.held(kind)
        query = "" if held is None else f"?have={held.head.version}"
        status, body = await self.wire.call("GET", f"/v1/lists/{kind}{query}", self.token)
        if status == 200 and (form := self.lists.take(kind, body, self.clock.now())) is not None:
            self.diary.lists[f"{kind} {form}"] += 1

    async def _hold(self) -> None:
        async with self._lock:
            self._reader.hold(self.lists.as_held())
            await self._do(self._reader.configure(self._settings()))

    # -- effects -------------------------------------------------------------------------------

    async def _tell_time(self, at: datetime) -> Now:
        """The station's time source; the lock is held."""
        now = now_of(at)
        await self._do(self._reader.synced(now, at, 0))
        return now

    async def _do(self, effects: Effects) -> None:
        """Carry out effects in order; the lock is held."""
        for effect in effects:
            match effect:
                case Write():
                    self._store.append(effect.position, effect.data)
                    record = record_bytes.parse(effect.data)
                    if isinstance(record, ScanRecord):
                        self._sequence = record.sequence
                        self.diary.decided[record.decided_by] += 1
                case Open():
                    self._opened = True
                case Show():
                    self._show = effect
                case Ask():
                    self._ask = effect
                case Send() | Beat() | Fetch():
                    self._work.append(effect)
                case _:
                    pass


def now_of(at: datetime) -> Now:
    """The two clocks of a reader whose business time is ``at``."""
    return Now(at, (at - _EPOCH) // _MILLISECOND)
