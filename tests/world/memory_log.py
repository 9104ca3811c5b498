"""The tap log in memory: the gateway's own decision over dictionaries instead of tables.

It stands for PostgreSQL at the port ``gateway.tap_log.TapLog`` and keeps its promises: a group is
one step, a known sequence gets its stored answer, a code is spent once, presence moves forward.
``test_memory_log`` holds it to the real one, group by group.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from gateway.scans import (
    READER_DIFFERED,
    READER_REFUSED,
    Decision,
    JudgedScan,
    Outcome,
    Stored,
    Tier,
    decide,
)
from transitpay.postgres.code_uses import CodeUse
from transitpay.postgres.presence import Presence, PresenceKey
from transitpay.postgres.taps import TapRow
from transitpay.ride_code.verdict import ReplayKey
from transitpay.taps import TapKey


@dataclass(slots=True)
class MemoryTapLog:
    """What the tables hold. A breach, named in ``broken``, is for tests of the invariants."""

    debounce: timedelta
    taps: dict[TapKey, TapRow] = field(default_factory=dict)
    uses: dict[ReplayKey, CodeUse] = field(default_factory=dict)
    places: dict[PresenceKey, Presence] = field(default_factory=dict)
    alarms: set[tuple[TapKey, bytes]] = field(default_factory=set)

    def append(self, group: Sequence[JudgedScan]) -> list[Outcome]:
        """Store and decide a group at once; outcomes in the order given."""
        firsts: dict[TapKey, JudgedScan] = {}
        for scan in group:
            firsts.setdefault(scan.key, scan)
        known = {key: self.taps[key] for key in firsts if key in self.taps}
        new = [firsts[key] for key in sorted(firsts) if key not in known]
        outcomes = self._decide_new(new)
        answers: list[Outcome] = []
        met: set[TapKey] = set()
        for scan in group:
            stored = known.get(scan.key)
            digest = stored.request_digest if stored else firsts[scan.key].row.request_digest
            if digest != scan.row.request_digest:
                self.alarms.add((scan.key, scan.row.request_digest))
                answers.append(Outcome(Stored.CONFLICT, None, None))
            elif stored is not None:
                decision = Decision(stored.decision)
                answers.append(Outcome(Stored.KNOWN, decision, stored.reason, stored.flags))
            else:
                outcome = outcomes[scan.key]
                answers.append(
                    replace(outcome, stored=Stored.KNOWN) if scan.key in met else outcome
                )
                met.add(scan.key)
        self._learn_what_readers_did(group, known)
        return answers

    def _decide_new(self, scans: Sequence[JudgedScan]) -> dict[TapKey, Outcome]:
        for scan in scans:
            self.taps[scan.key] = scan.row
        outcomes = {
            s.key: Outcome(Stored.NEW, Decision(s.row.decision), s.row.reason, s.row.flags)
            for s in scans
        }
        opening = sorted((s for s in scans if s.opening), key=lambda s: (s.row.at, s.key))
        waiting = opening
        while waiting:
            turn, waiting = _one_a_place(waiting)
            outcomes |= self._turn(turn)
        for scan in opening:
            self._settle(scan.key, outcomes[scan.key])
        return outcomes

    def _turn(self, turn: Sequence[JudgedScan]) -> dict[TapKey, Outcome]:
        """One round: all of it sees the state before it; the earliest scan of a code wins it."""
        before = {scan.key: self.places.get(scan.presence_key) for scan in turn}
        outcomes = {
            scan.key: decide(scan, before[scan.key], self.uses.get(_code(scan)), self.debounce)
            for scan in turn
        }
        for scan in turn:
            if outcomes[scan.key].decision is not Decision.ACCEPTED:
                continue
            if self._spend(scan):
                place = self.places.get(scan.presence_key)
                if place is None or place.at < scan.row.at:
                    self.places[scan.presence_key] = scan.presence
            else:
                use = self.uses[_code(scan)]
                outcomes[scan.key] = decide(scan, before[scan.key], use, self.debounce)
        return outcomes

    def _spend(self, scan: JudgedScan) -> bool:
        """Whether this scan has the code, once in the world."""
        return self.uses.setdefault(_code(scan), scan.code_use).tap == scan.key

    def _settle(self, key: TapKey, outcome: Outcome, opened: bool | None = None) -> None:
        assert outcome.decision is not None
        row = self.taps[key]
        self.taps[key] = replace(
            row, decision=outcome.decision, reason=outcome.reason, flags=outcome.flags,
            reader_opened=row.reader_opened if opened is None else opened,
        )  # fmt: skip

    def _learn_what_readers_did(
        self, group: Sequence[JudgedScan], known: dict[TapKey, TapRow]
    ) -> None:
        """What a reader did beats what it was told; a rider who was not let in has no tap."""
        for scan in group:
            stored, opened = known.get(scan.key), scan.row.reader_opened
            if (
                stored is None
                or opened is None
                or stored.tier != Tier.ONLINE
                or stored.reader_opened is not None
                or stored.request_digest != scan.row.request_digest
            ):
                continue
            accepted = stored.decision == Decision.ACCEPTED
            flags = stored.flags if opened == accepted else (*stored.flags, READER_DIFFERED)
            decision, reason = Decision(stored.decision), stored.reason
            if accepted and not opened:
                decision, reason = Decision.REFUSED, READER_REFUSED
            self._settle(scan.key, Outcome(Stored.KNOWN, decision, reason, flags), opened)


def _code(scan: JudgedScan) -> ReplayKey:
    assert scan.opening is not None
    return scan.opening.replay_key


def _one_a_place(scans: Iterable[JudgedScan]) -> tuple[list[JudgedScan], list[JudgedScan]]:
    """The first scan of each rider's slot and network, and the rest, both in order."""
    seen: set[PresenceKey] = set()
    turn: list[JudgedScan] = []
    rest: list[JudgedScan] = []
    for scan in scans:
        (rest if scan.presence_key in seen else turn).append(scan)
        seen.add(scan.presence_key)
    return turn, rest
