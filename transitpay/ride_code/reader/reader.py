"""A reader: each call is something that happened, each answer the effects to carry out in order.

    scan -> same code again within the debounce -> Write, Show
         -> asked: Ask -> answered in time      -> Write, Open, Show   as the gateway said
                       -> no answer in time     -> Write, Open, Show   decided alone
         -> not asked                           -> Write, Open, Show   decided alone

No call blocks, reads a clock, opens a file, or raises for anything that a rider, a scanner or a
network can do. The effects of one call are carried out before the next call is made.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from transitpay.money import Money
from transitpay.ride_code.reader.admission import Decided, LocalState, decide
from transitpay.ride_code.reader.breaker import Breaker
from transitpay.ride_code.reader.codes import judge_scanned
from transitpay.ride_code.reader.effects import Effect, Effects, HoldOpen, Now, Open, Show, Write
from transitpay.ride_code.reader.gateway_words import may_be_asked, read_answer, read_beat
from transitpay.ride_code.reader.held_lists import HeldLists
from transitpay.ride_code.reader.journal import Journal
from transitpay.ride_code.reader.last_answers import LastAnswers
from transitpay.ride_code.reader.memory import Identity, Memory
from transitpay.ride_code.reader.own_clock import OwnClock
from transitpay.ride_code.reader.scans import Scan
from transitpay.ride_code.reader.settings import ReaderSettings
from transitpay.ride_code.reader.store_level import StoreLevel
from transitpay.ride_code.reader.texts import show
from transitpay.ride_code.reader.upkeep import Pace, Report, Upkeep, newer
from transitpay.ride_code.reader.window import Window
from transitpay.ride_code.reasons import Reason
from transitpay.ride_code.records.record import (
    BootRecord,
    DecidedBy,
    Decision,
    EventKind,
    Mode,
    OutcomeRecord,
    Passage,
    Place,
)
from transitpay.ride_code.records.sealed_batch import encode_head, head_of, seal
from transitpay.ride_code.signature_cache import SignatureCache
from transitpay.ride_code.verdict import UNCERTAINTY_CAP_S, Accepted

_MILLISECOND = timedelta(milliseconds=1)


@dataclass(slots=True)
class Reader:
    """One turnstile or bus reader; made by ``started``."""

    identity: Identity
    settings: ReaderSettings
    lists: HeldLists
    clock: OwnClock
    journal: Journal
    window: Window
    breaker: Breaker
    upkeep: Upkeep
    next_sequence: int
    late_answers: int = 0
    local_open: bool = False
    _doubted: bool = False
    _held_open: bool = False
    _asked: dict[int, Scan] = field(default_factory=dict)
    _answers: LastAnswers = field(default_factory=LastAnswers)
    _settled: dict[int, tuple[Scan, Decided, Show]] = field(default_factory=dict)
    _cache: SignatureCache = field(default_factory=SignatureCache)

    @staticmethod
    def started(
        identity: Identity,
        settings: ReaderSettings,
        lists: HeldLists,
        memory: Memory,
        now: Now,
        pace: Pace | None = None,
        cache: SignatureCache | None = None,
    ) -> tuple[Reader, Effects]:
        """The reader after a start, and the first effects: how its gates stand, its boot.

        ``cache``: readers of one process and thread may share theirs.
        """
        window, last = memory.recalled(lists.trust)
        clock = OwnClock.after_start(now, last)
        level = StoreLevel(memory.capacity, memory.last_position - memory.acknowledged)
        reader = Reader(
            identity, settings, lists, clock, Journal(memory.last_position + 1, level), window,
            Breaker(settings.breaker_after, settings.breaker_pause_ms),
            Upkeep(
                pace or Pace(),
                memory.acknowledged,
                (memory.unsent_at or clock.at) - _MILLISECOND,
                now.monotonic_ms,
                now.monotonic_ms,
            ),
            memory.boot << 32 | 1,
            _cache=SignatureCache() if cache is None else cache,
        )  # fmt: skip
        return reader, reader._boot(now, memory)

    # -- scans ------------------------------------------------------------------------------

    def scan(
        self,
        now: Now,
        code: bytes,
        place: Place | None = None,
        fare: Money | None = None,
        fare_is_final: bool = False,
    ) -> Effects:
        """A code was read. ``code`` is what ``scanned`` made of the scanner's bytes; ``place``
        says more than the settings do where the reader moves."""
        effects = self.tick(now)
        if any(asked.code == code for asked in self._asked.values()):
            return effects  # the camera saw it again; its answer is on the way
        scan = self._look(now, code, place, fare, fare_is_final)
        key, now_ms = scan.replay_key, now.monotonic_ms
        debounce_ms = self.settings.debounce_ms
        if key is not None and (first := self._answers.within(key, now_ms, debounce_ms)):
            return effects + self._already_answered(scan, first)
        if self._is_worth_asking(scan) and self.breaker.may_ask(now_ms):
            self._asked[scan.sequence] = scan
            return (*effects, scan.ask(self.settings.budget_ms))
        return effects + self._decide_alone(now, scan)

    def answered(self, now: Now, sequence: int, status: int, body: bytes) -> Effects:
        """The gateway answered an ``Ask``. What comes too late, or twice, is never acted on."""
        effects = self.tick(now)
        scan = self._asked.pop(sequence, None)
        if scan is None:
            self.late_answers += 1
            return effects
        answer = read_answer(sequence, status, body)
        if answer is None:
            self.breaker.failed(now.monotonic_ms)
            return effects + self._decide_alone(now, scan)
        self.breaker.succeeded(now.monotonic_ms)
        told = Decided(DecidedBy.GATEWAY, answer.decision, answer.reason, answer.flags)
        return effects + self._settle(now, scan, told)

    def unanswered(self, now: Now, sequence: int) -> Effects:
        """The ``Ask`` failed: no connection, or the driver's own time limit."""
        effects = self.tick(now)
        scan = self._asked.pop(sequence, None)
        if scan is None:
            return effects
        self.breaker.failed(now.monotonic_ms)
        return effects + self._decide_alone(now, scan)

    def tick(self, now: Now) -> Effects:
        """Time has passed: decides alone what waited too long, and notices a clock at fault."""
        self._settled.clear()
        effects = self._notice_doubt(now)
        for scan in [s for s in self._asked.values() if self._deadline_ms(s) <= now.monotonic_ms]:
            del self._asked[scan.sequence]
            self.breaker.failed(now.monotonic_ms)
            effects += self._decide_alone(now, scan)
        return effects

    @property
    def doubts_its_clock(self) -> bool:
        """Whether a clock fault is on: nobody has told it the time, or too long ago."""
        return self._doubted

    def next_deadline_ms(self) -> int | None:
        """The monotonic instant at which ``tick`` decides a scan that still waits."""
        return min(map(self._deadline_ms, self._asked.values()), default=None)

    def passage(self, now: Now, sequence: int, passage: Passage) -> Effects:
        """What the gate saw the rider do after the scan with this sequence."""
        self.window.outcome(sequence, passage)
        if self.journal.level.is_full:
            return ()
        clock, position = self.clock.read(now), self.journal.position
        record = OutcomeRecord(position, clock.at, clock.uncertainty_s, sequence, passage)
        return self._recorded(now, (self.journal.write(record),))

    def not_written(self, now: Now, failed: Write) -> Effects:
        """This ``Write`` failed and nothing after it was done: the scans that were to be recorded
        from there on follow the policy of a full store, and so do the next ones until ``tend``."""
        self.journal.take_back(failed)
        effects: Effects = ()
        for position in sorted(p for p in self._settled if p >= failed.position):
            effects += self._settle_unrecorded(now, *self._settled.pop(position))
        return effects

    # -- the station ------------------------------------------------------------------------

    @property
    def mode(self) -> Mode:
        """How the station is run; what is switched at the gate itself comes first."""
        return Mode.LOCAL if self.local_open else self.settings.gates

    def open_locally(self, now: Now, is_open: bool) -> Effects:
        """The fire contact, or the key that opens the gates: everybody passes, scanned or not."""
        if is_open == self.local_open:
            return ()
        self.local_open = is_open
        kind = EventKind.LOCAL_OPEN_BEGINS if is_open else EventKind.LOCAL_OPEN_ENDS
        held = self._hold()
        return held + self._recorded(now, self.journal.event(kind, self.clock.read(now)))

    def hold(self, lists: HeldLists) -> None:
        """Other lists are held from now on."""
        self.lists = lists

    def configure(self, settings: ReaderSettings) -> Effects:
        """New settings came with a config list."""
        self.settings = settings
        self.breaker.after = settings.breaker_after
        self.breaker.pause_ms = settings.breaker_pause_ms
        return self._hold()

    def list_refused(self, now: Now) -> Effects:
        """A list that came was not taken; the one held so far stays."""
        event = self.journal.event(EventKind.LIST_REFUSED, self.clock.read(now))
        return self._recorded(now, event)

    def synced(self, now: Now, true_at: datetime, error_ms: int) -> Effects:
        """A time source (NTP, GPS, the gateway) said that it is ``true_at``; never a phone."""
        self.clock = OwnClock.synced(now, true_at, error_ms)
        return self.tick(now)

    # -- what is said to the gateway in the background ----------------------------------------

    def tend(self, now: Now) -> Effects:
        """What is to be sent, told and fetched by now; call it once a second or so."""
        self.journal.level.failed = False
        clock, level = self.clock.read(now), self.journal.level
        if not level.waiting and not self._asked:
            self.upkeep.through_at = clock.at - _MILLISECOND
        through_at = min(self.upkeep.through_at, clock.at)
        report = Report(
            self.next_sequence - 1, through_at, clock.at, clock.uncertainty_s,
            self.journal.position - 1, level.waiting, level.capacity, self.identity.software,
        )  # fmt: skip
        return self.tick(now) + self.upkeep.due(now.monotonic_ms, self.lists, report)

    def seal(self, now: Now, first_position: int, before: bytes, records: list[bytes]) -> bytes:
        """The body of ``POST /v1/readers/records`` for these records out of the store; ``before``
        is the hash before the first of them."""
        clock, who = self.clock.read(now), self.identity
        head = encode_head(
            head_of(
                who.reader, who.key_number, first_position, before, records, clock.at,
                clock.uncertainty_s,
            )
        )  # fmt: skip
        self.upkeep.sealing(records[-1])
        return seal(head, who.sign(head), records)

    def sent(self, now: Now, acknowledged: int | None) -> Effects:
        """The gateway has every record up to this position; None = the batch was not taken."""
        level = self.journal.level
        level.waiting -= self.upkeep.sent(now.monotonic_ms, acknowledged, level.waiting)
        return self._recorded(now, ())

    def beaten(self, now: Now, began: Now, status: int, body: bytes) -> Effects:
        """A heartbeat that was sent at ``began`` was answered: the gateway's time sets our clock
        unless we know it better, and lists that it has in other versions are fetched."""
        told = read_beat(status, body)
        if told is None:
            return ()
        trip_ms = max(now.monotonic_ms - began.monotonic_ms, 0)
        effects: Effects = newer(self.lists, told)
        if self.clock.is_helped_by(now, trip_ms):
            effects = self.synced(now, told.time_after(trip_ms), trip_ms) + effects
        return effects

    # -- inside -----------------------------------------------------------------------------

    def _boot(self, now: Now, memory: Memory) -> Effects:
        clock = self.clock.read(now)
        boot = BootRecord(
            self.journal.position, clock.at, clock.uncertainty_s, memory.boot,
            memory.ended_clean, self.identity.software,
        )  # fmt: skip
        self._held_open = self.mode is not Mode.NORMAL
        effects: Effects = (HoldOpen(self._held_open),)
        if self.journal.level.has_room_for_event():
            effects += (self.journal.write(boot),)
        return self._recorded(now, effects) + self._notice_doubt(now)

    def _look(
        self, now: Now, code: bytes, place: Place | None, fare: Money | None, final: bool
    ) -> Scan:
        """Judge a code and give it its sequence, which no other scan has had or will have."""
        clock, settings = self.clock.read(now), self.settings
        verdict = judge_scanned(
            code, self.lists, settings.rules, clock.at, clock.uncertainty_s, self._cache
        )
        sequence, self.next_sequence = self.next_sequence, self.next_sequence + 1
        return Scan(
            sequence, now.monotonic_ms, clock, code, settings.direction,
            place or Place(settings.stop), fare, final, self.mode, self.lists.versions, verdict,
        )  # fmt: skip

    def _is_worth_asking(self, scan: Scan) -> bool:
        """Not where we know better, where the gates stand open, or where nothing can be kept."""
        if self.settings.budget_ms == 0 or scan.mode is not Mode.NORMAL:
            return False
        if self.journal.level.is_full or not may_be_asked(scan.code):
            return False
        return not self.window.has_spent(scan.code, scan.replay_key, self.lists.trust)

    def _deadline_ms(self, scan: Scan) -> int:
        return scan.began_ms + self.settings.budget_ms

    def _already_answered(self, scan: Scan, first: Show) -> Effects:
        again = replace(first, sequence=scan.sequence, reason=Reason.ALREADY_ANSWERED)
        decided = Decided(DecidedBy.READER, Decision.ALREADY_ANSWERED, Reason.ALREADY_ANSWERED)
        return (*self._record(scan, decided, again), again)

    def _decide_alone(self, now: Now, scan: Scan) -> Effects:
        verdict = scan.verdict
        spent = entered = False
        if isinstance(verdict, Accepted):
            spent = self.window.is_spent(verdict.replay_key)
            # Through open gates people pass as they come.
            entered = scan.mode is Mode.NORMAL and self.window.entered_within(
                verdict.rider, scan.clock.at, self.settings.passback_s
            )
        known = LocalState(
            self.lists.are_stale(scan.clock.at), self.journal.level.is_full, spent, entered,
            scan.clock.uncertainty_s,
        )  # fmt: skip
        return self._settle(now, scan, decide(verdict, known, self.settings))

    def _settle(self, now: Now, scan: Scan, decided: Decided) -> Effects:
        """Record a decision, then carry it out."""
        self.window.learn(scan.record(self.journal.position, decided), self.lists.trust)
        shown = self._show(scan, decided)
        effects: list[Effect] = list(self._record(scan, decided, shown))
        if decided.opens:
            if not effects:
                self.journal.level.unrecorded += 1
            if scan.mode is Mode.NORMAL:
                effects.append(Open(scan.sequence))
            if scan.replay_key is not None:
                self._answers.remember(scan.replay_key, scan.began_ms, shown)
        return (*effects, shown, *self.journal.level_events(self.clock.read(now)))

    def _settle_unrecorded(self, now: Now, scan: Scan, decided: Decided, shown: Show) -> Effects:
        """A decision that came to nothing, as its record could not be written."""
        if decided.decision is Decision.ALREADY_ANSWERED:
            return (shown,)
        self.window.forget(scan.sequence)
        if scan.replay_key is not None:
            self._answers.forget(scan.replay_key)
        if decided.by is DecidedBy.GATEWAY and not decided.opens:
            return (shown,)
        return self._decide_alone(now, scan)

    def _record(self, scan: Scan, decided: Decided, shown: Show) -> Effects:
        if self.journal.level.is_full:
            return ()
        self._settled[self.journal.position] = (scan, decided, shown)
        self.upkeep.recorded(scan.began_ms)
        return (self.journal.write(scan.record(self.journal.position, decided)),)

    def _show(self, scan: Scan, decided: Decided) -> Show:
        return show(
            scan.sequence, decided.decision, decided.reason, decided.flags,
            self.settings.languages, scan.final_fare,
        )  # fmt: skip

    def _recorded(self, now: Now, effects: Effects) -> Effects:
        """What was recorded beside scans: it is sent as they are; a full store is told of."""
        self._settled.clear()
        effects += self.journal.level_events(self.clock.read(now))
        if effects:
            self.upkeep.recorded(now.monotonic_ms)
        return effects

    def _hold(self) -> Effects:
        held = self.mode is not Mode.NORMAL
        if held == self._held_open:
            return ()
        self._held_open = held
        return (HoldOpen(held),)

    def _notice_doubt(self, now: Now) -> Effects:
        """The event of a clock that came into doubt, or out of it."""
        clock = self.clock.read(now)
        doubted = clock.uncertainty_s > UNCERTAINTY_CAP_S
        if doubted == self._doubted:
            return ()
        self._doubted = doubted
        kind = EventKind.CLOCK_FAULT_BEGINS if doubted else EventKind.CLOCK_FAULT_ENDS
        return self._recorded(now, self.journal.event(kind, clock))
