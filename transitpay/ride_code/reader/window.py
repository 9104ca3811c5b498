"""What a reader remembers of earlier scans: which codes are spent, and who entered when.

Bounded by number, never by time, so that a clock that was set back brings no old code to life.
It is rebuilt at each start from the records in the store, and so survives a power cut.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from transitpay.ride_code.reader.codes import spent_by
from transitpay.ride_code.reasons import Reason
from transitpay.ride_code.records.record import Decision, OutcomeRecord, Passage, Record, ScanRecord
from transitpay.ride_code.trust_list import TrustList
from transitpay.ride_code.verdict import ReplayKey
from transitpay.taps import Direction, RiderRef

K = TypeVar("K")
V = TypeVar("V")
#: How many codes are remembered. A gate takes fewer than 2,000 in the longest life of a code.
WINDOW = 10_000
_ENTERING = frozenset({Direction.ENTRY, Direction.BOARD, Direction.SINGLE})
_STAYED_OUT = frozenset({Passage.NOT_PASSED, Passage.TIMED_OUT})


@dataclass(slots=True)
class Window:
    """Codes that are spent here (or elsewhere, as the gateway said), and the last entries."""

    limit: int = WINDOW
    _spent: dict[ReplayKey, int] = field(default_factory=dict)
    _entered: dict[RiderRef, tuple[datetime, int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._spent)

    def take(self, record: Record, trust: TrustList) -> None:
        """Take in what a record says; all of them, oldest first, make the window again."""
        if isinstance(record, ScanRecord):
            self.learn(record, trust)
        elif isinstance(record, OutcomeRecord):
            self.outcome(record.sequence, record.passage)

    def learn(self, scan: ScanRecord, trust: TrustList) -> None:
        """Take in what became of a scan. A code is spent when it was accepted, and known to be
        when it was refused as a replay."""
        accepted = scan.decision is Decision.ACCEPTED
        if not accepted and scan.reason is not Reason.REPLAY:
            return
        found = spent_by(scan.code, trust)
        if found is None:
            return
        key, rider = found
        _put(self._spent, key, scan.sequence, self.limit)
        if accepted and rider is not None and scan.direction in _ENTERING:
            _put(self._entered, rider, (scan.at, scan.sequence), self.limit)

    def is_spent(self, key: ReplayKey) -> bool:
        """Whether this code was accepted before."""
        return key in self._spent

    def has_spent(self, code: bytes, key: ReplayKey | None, trust: TrustList) -> bool:
        """Whether this very code was accepted before, also one that is refused by now (``key`` is
        None): expired or denied since, what it spent stays spent whatever anybody answers."""
        if key is None and (found := spent_by(code, trust)) is not None:
            key = found[0]
        return key is not None and self.is_spent(key)

    def entered_within(self, rider: RiderRef, at: datetime, passback_s: int) -> bool:
        """Whether this rider and slot entered here less than ``passback_s`` from ``at``."""
        last = self._entered.get(rider)
        return last is not None and abs(at - last[0]) < timedelta(seconds=passback_s)

    def outcome(self, sequence: int, passage: Passage) -> None:
        """Who did not pass may try again with a fresh code; the shown one stays spent."""
        if passage in _STAYED_OUT:
            stayed = [rider for rider, (_, scan) in self._entered.items() if scan == sequence]
            for rider in stayed:
                del self._entered[rider]

    def forget(self, sequence: int) -> None:
        """The scan with this sequence came to nothing: no record, no opening."""
        self.outcome(sequence, Passage.NOT_PASSED)
        for key in [key for key, scan in self._spent.items() if scan == sequence]:
            del self._spent[key]


def _put(memory: dict[K, V], key: K, value: V, limit: int) -> None:
    """Note a value as the newest; the oldest goes when there are too many."""
    memory.pop(key, None)
    if len(memory) >= limit:
        del memory[next(iter(memory))]
    memory[key] = value
