"""What becomes of a group of scans, given what is known of them: pure, and the one place for it.

Scans are decided one after the other in the order of their time, each seeing what the ones
before it did. A code is spent only by a scan that passes passback; only a scan that spent its
code moves its rider; so replay and passback never spend one another, and a replayed screenshot
never moves its victim.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from gateway.scans import (
    READER_DIFFERED,
    READER_REFUSED,
    Decision,
    JudgedScan,
    Outcome,
    Stored,
    Tier,
)
from transitpay.postgres.tap_groups import CodeUse, Known, NewTap, Presence
from transitpay.postgres.taps import FinalOutcome, StoredTap
from transitpay.ride_code.reasons import Reason
from transitpay.ride_code.verdict import (
    Accepted,
    Admitted,
    EarlierUse,
    KnownState,
    Rejected,
    admit,
)
from transitpay.taps import Direction, TapKey

_ENTERING = frozenset({Direction.ENTRY, Direction.BOARD, Direction.SINGLE})


@dataclass(slots=True)
class Decided:
    """One outcome a scan in the order given, and everything that is to be written.

    ``settled`` are stored taps whose outcome changes, ``reread`` their riders, ``alarms`` other
    requests under a used sequence with their digests.
    """

    outcomes: list[Outcome]
    new: list[NewTap] = field(default_factory=list)
    settled: dict[TapKey, FinalOutcome] = field(default_factory=dict)
    reread: set[tuple[str, str]] = field(default_factory=set)
    alarms: set[tuple[TapKey, bytes]] = field(default_factory=set)


def decide_group(group: Sequence[JudgedScan], known: Known, debounce: timedelta) -> Decided:
    """The outcomes of a group, and what to write."""
    memory = _Memory(known, debounce)
    decided = Decided([_CONFLICT] * len(group))
    firsts: dict[TapKey, int] = {}
    for n in sorted(range(len(group)), key=lambda n: _order(group[n])):
        scan, stored = group[n], known.taps.get(group[n].key) if known.taps else None
        first = n if stored else firsts.setdefault(scan.key, n)
        digest = stored.request_digest if stored else group[first].row.request_digest
        if digest != scan.row.request_digest:
            decided.alarms.add((scan.key, scan.row.request_digest))
        elif stored:
            decided.outcomes[n] = _known_outcome(stored)
            _learn_what_the_reader_did(scan, stored, decided)
        elif first == n:
            decided.outcomes[n] = memory.decide(scan)
        else:
            decided.outcomes[n] = replace(decided.outcomes[first], stored=Stored.KNOWN)
    decided.new = memory.new_taps([(group[n], decided.outcomes[n]) for n in firsts.values()])
    return decided


def _order(scan: JudgedScan) -> tuple[datetime, str, int]:
    key = scan.key
    return (scan.row.at, key.reader, key.sequence)


_CONFLICT = Outcome(Stored.CONFLICT, None, None)
_ACCEPTED = Outcome(Stored.NEW, Decision.ACCEPTED, None)


def _known_outcome(stored: StoredTap) -> Outcome:
    return Outcome(Stored.KNOWN, Decision(stored.decision), stored.reason, stored.flags)


@dataclass(slots=True)
class _Place:
    """Where a rider's slot stands on a network, where it was read, and which scan moved it."""

    now: Presence | None
    read_at: datetime | None
    moved_by: JudgedScan | None = None


class _Memory:
    """What is known while the scans of a group are decided one by one."""

    def __init__(self, known: Known, debounce: timedelta) -> None:
        self._places = {
            rider: {network: _Place(place, place.at) for network, place in places.items()}
            for rider, places in known.places.items()
        }
        self._uses = dict(known.uses)
        self._debounce = debounce

    def decide(self, scan: JudgedScan) -> Outcome:
        """The outcome of a new scan; an accepted one spends its code and moves its rider."""
        accepted, row = scan.opening, scan.row
        if accepted is None:
            return Outcome(Stored.NEW, Decision(row.decision), row.reason, row.flags)
        code = accepted.replay_key
        place = self._place(scan, accepted)
        outcome = decide(scan, accepted, place.now, self._uses.get(code), self._debounce)
        if outcome.decision is Decision.ACCEPTED:
            self._uses[code] = CodeUse(scan.key, row.at, accepted.content, outcome.flags)
            if place.now is None or place.now.at < row.at:
                place.now = Presence(row.at, row.stop, row.direction, scan.key.reader)
                place.moved_by = scan
        return outcome

    def _place(self, scan: JudgedScan, accepted: Accepted) -> _Place:
        places, network = self._places.setdefault(accepted.rider, {}), scan.row.network
        found = places.get(network)
        if found is None:
            found = places[network] = _Place(None, None)
        return found

    def new_taps(self, decided: Iterable[tuple[JudgedScan, Outcome]]) -> list[NewTap]:
        """The decided scans as they are stored."""
        return [self._new_tap(scan, outcome) for scan, outcome in decided]

    def _new_tap(self, scan: JudgedScan, outcome: Outcome) -> NewTap:
        row, accepted = scan.row, scan.opening
        if accepted is None:
            return NewTap(row)
        if outcome.decision is not Decision.ACCEPTED or outcome.flags != row.flags:
            assert outcome.decision is not None
            row = replace(
                row, decision=outcome.decision, reason=outcome.reason, flags=outcome.flags
            )
        if outcome.decision is not Decision.ACCEPTED:
            return NewTap(row)
        code, place = accepted.replay_key, self._place(scan, accepted)
        content = self._uses[code].content
        return NewTap(row, code, content, place.moved_by is scan, place.read_at)


def decide(
    scan: JudgedScan,
    accepted: Accepted,
    place: Presence | None,
    use: CodeUse | None,
    debounce: timedelta,
) -> Outcome:
    """What becomes of a scan, given the rider's presence and an earlier use of its code."""
    answer = admit(accepted, _known(scan, place, use, debounce))
    opened_offline = scan.row.reader_opened is True
    match answer:
        case Admitted(flags=()):
            return _ACCEPTED
        case Admitted():
            return Outcome(Stored.NEW, Decision.ACCEPTED, None, answer.flags)
        case Rejected(reason=Reason.ALREADY_ANSWERED):
            assert use is not None
            return Outcome(
                Stored.NEW, Decision.ALREADY_ANSWERED, Reason.ALREADY_ANSWERED, use.flags
            )
        case Rejected(reason=Reason.PASSBACK) if opened_offline:
            # The gate is open and somebody rode: the ride counts, and says how it began.
            flags = (*accepted.flags, Reason.PASSBACK, READER_DIFFERED)
            return Outcome(Stored.NEW, Decision.ACCEPTED, None, flags)
        case Rejected():
            flags = (READER_DIFFERED,) if opened_offline else ()
            return Outcome(Stored.NEW, Decision.REFUSED, answer.reason, flags)


def _passback(scan: JudgedScan, place: Presence | None) -> bool:
    """Whether this rider and slot entered here too recently; never so at an exit or open gates."""
    return (
        place is not None
        and scan.row.mode is None
        and scan.row.direction in _ENTERING
        and place.direction in _ENTERING
        and abs(scan.row.at - place.at) < scan.passback
    )


def _known(
    scan: JudgedScan, place: Presence | None, use: CodeUse | None, debounce: timedelta
) -> KnownState:
    row = scan.row
    replay = None
    if use is not None:
        near = use.tap.reader == scan.key.reader and abs(row.at - use.at) <= debounce
        replay = EarlierUse.SAME_READER_WITHIN_DEBOUNCE if near else EarlierUse.OTHER_SCAN
    entered = place is not None and (place.direction is Direction.ENTRY or place.at > row.at)
    return KnownState(
        replay,
        passback=_passback(scan, place),
        missing_entry=row.direction is Direction.EXIT and row.mode is None and not entered,
    )


def _learn_what_the_reader_did(scan: JudgedScan, stored: StoredTap, decided: Decided) -> None:
    """An uploaded record of a scan that was asked online: what the reader did beats our answer.

    The reader may not have had the answer in time. A rider who was not let in has no tap.
    """
    opened = scan.row.reader_opened
    if opened is None or stored.tier != Tier.ONLINE or stored.reader_opened is not None:
        return
    decision, reason, flags = stored.decision, stored.reason, stored.flags
    if opened != (decision == Decision.ACCEPTED):
        flags = (*flags, READER_DIFFERED)
    if decision == Decision.ACCEPTED and not opened:
        decision, reason = Decision.REFUSED, READER_REFUSED
        if stored.rider is not None:
            decided.reread.add((stored.rider.issuer, stored.rider.rider_id))
    decided.settled[scan.key] = FinalOutcome(scan.key, decision, reason, flags, opened)
