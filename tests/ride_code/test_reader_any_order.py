"""Whatever happens to a reader, in whatever order, its promises hold.

The rig itself refuses a gate that opens before its record is on the disk, unless none can be kept.
"""

from __future__ import annotations

import json

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from luck import examples
from reader_rig import CONFIG, Rig
from ride_code_scheme import Scheme

from transitpay.ride_code.records.record import Decision, OutcomeRecord, Passage

SCHEME = Scheme()
CODES = [SCHEME.code(counter=n, slot=n % 3, age_s=-(n % 15)) for n in range(1, 13)]
CAPACITY = 40


class AnyReader(RuleBasedStateMachine):
    """Scans, answers, silence, power cuts, full and broken disks, clocks that are set."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig(
            SCHEME,
            {**CONFIG, "budget_ms": "200", "store_full": "open_uncharged"},
            capacity=CAPACITY,
        )
        self.codes = [self.rig.drawn(code) for code in CODES]

    def show(self, code: bytes) -> None:
        """A code is read; the answer to another one may be due in the same moment."""
        self.rig.do(self.rig.reader.scan(self.rig.now, code))

    @rule(n=st.integers(0, len(CODES) - 1))
    def scan(self, n: int) -> None:
        self.show(self.codes[n])

    @rule(s=st.sampled_from([0.5, 2.0, 2.1]))
    def scan_the_last_one_again(self, s: float) -> None:
        if self.rig.scans():
            self.rig.pass_time(s)
            self.show(self.rig.scans()[-1].code)

    @rule(data=st.binary(max_size=40))
    def scan_anything(self, data: bytes) -> None:
        self.show(data)

    @rule(
        decision=st.sampled_from(Decision),
        back=st.integers(1, 3),
        status=st.sampled_from([200, 503]),
    )
    def answer(self, decision: Decision, back: int, status: int) -> None:
        if len(self.rig.asks) < back:
            return
        sequence = self.rig.asks[-back].sequence
        reason = {Decision.REFUSED: "replay", Decision.ALREADY_ANSWERED: "already_answered"}
        opens = decision is Decision.ACCEPTED
        told = {
            "sequence": sequence, "decision": decision.value, "open": opens,
            "reason": reason.get(decision), "flags": [],
        }  # fmt: skip
        body = json.dumps(told).encode()
        self.rig.do(self.rig.reader.answered(self.rig.now, sequence, status, body))

    @rule(s=st.sampled_from([0.05, 0.2, 1.9, 2.1, 30.0, 3600.0]))
    def time_passes(self, s: float) -> None:
        self.rig.pass_time(s)
        self.rig.do(self.rig.reader.tick(self.rig.now))

    @rule()
    def tend(self) -> None:
        self.rig.do(self.rig.reader.tend(self.rig.now))

    @rule(part=st.floats(0, 1))
    def acknowledge(self, part: float) -> None:
        last = len(self.rig.disk)
        through = self.rig.acknowledged + int((last - self.rig.acknowledged) * part)
        self.rig.acknowledged = max(self.rig.acknowledged, through)
        self.rig.do(self.rig.reader.sent(self.rig.now, through))

    @rule(passage=st.sampled_from(Passage))
    def passage(self, passage: Passage) -> None:
        if self.rig.opened:
            self.rig.do(self.rig.reader.passage(self.rig.now, self.rig.opened[-1], passage))

    @rule(works=st.booleans())
    def disk(self, works: bool) -> None:
        self.rig.disk_works = works

    @rule(by_s=st.sampled_from([-86400, -300, -20, 20, 300]))
    def set_the_clock(self, by_s: int) -> None:
        self.rig.set_wall(by_s)

    @rule(is_open=st.booleans())
    def open_locally(self, is_open: bool) -> None:
        self.rig.do(self.rig.reader.open_locally(self.rig.now, is_open))

    @rule()
    def lose_power(self) -> None:
        self.rig.disk_works = True
        self.rig.start()

    @invariant()
    def positions_have_no_gap_and_the_store_no_overflow(self) -> None:
        positions = [record.position for record in self.rig.records]
        assert positions == list(range(1, len(positions) + 1))
        assert len(positions) - self.rig.acknowledged <= CAPACITY
        level = self.rig.reader.journal.level
        assert level.waiting == len(positions) - self.rig.reader.upkeep.acknowledged
        assert self.rig.reader.journal.position == len(positions) + 1

    @invariant()
    def every_sequence_belongs_to_one_scan_and_rises(self) -> None:
        sequences = [scan.sequence for scan in self.rig.scans()]
        assert len(sequences) == len(set(sequences)) and len(self.rig.opened) == len(
            set(self.rig.opened)
        )

    @invariant()
    def no_code_is_accepted_twice_by_the_records(self) -> None:
        scans = [scan for scan in self.rig.scans() if scan.code in self.codes]
        accepted = [scan.code for scan in scans if scan.decision is Decision.ACCEPTED]
        assert len(accepted) == len(set(accepted))

    @invariant()
    def an_outcome_speaks_of_a_scan_that_opened(self) -> None:
        told = {r.sequence for r in self.rig.records if isinstance(r, OutcomeRecord)}
        assert told <= set(self.rig.opened)


AnyReader.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=40)
TestAnyReader = AnyReader.TestCase
