"""What becomes of a group of scans, given what is known of them: pure, and the one place for it.

Scans are decided one after the other in the order of their time, each seeing what the ones
before it did. A code is spent only by a scan that passes passback; only a scan that spent its
code moves its rider; so replay and passback never spend one another, and a replayed screenshot
never moves its victim.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.taps.scans import (
    CLONED_DEVICE,
    Decision,
    JudgedScan,
    Outcome,
    Stored,
)
from transitpay.postgres.gates.tap_groups import CodeUse, Known, NewTap, Presence
from transitpay.postgres.gates.taps import StoredTap
from transitpay.ride_code.reasons import Reason
from transitpay.ride_code.verdict import (
    Accepted,
    Admitted,
    EarlierUse,
    KnownState,
    Rejected,
    ReplayKey,
    Travel,
    admit,
)
from transitpay.taps import Direction, TapKey
from transitpay.travel import TravelMinimums

#: The doubt up to which a reader's clock counts as right when two regions are compared.
_CLOCK_RIGHT_S = 20
_ENTERING = frozenset({Direction.ENTRY, Direction.BOARD, Direction.SINGLE})


@dataclass(frozen=True, slots=True)
class StateRules:
    """What the state of other taps is measured by, beside each reader's own passback."""

    debounce: timedelta
    travel: TravelMinimums = field(default_factory=TravelMinimums)


@dataclass(slots=True)
class Decided:
    """One outcome a scan in the order given, and everything that is to be written.

    ``alarms`` are other requests under a used sequence with their digests, ``clones`` codes of
    which another phone drew another one, with the two taps.
    """

    outcomes: list[Outcome]
    new: list[NewTap] = field(default_factory=list)
    alarms: set[tuple[TapKey, bytes]] = field(default_factory=set)
    clones: list[tuple[ReplayKey, TapKey, TapKey]] = field(default_factory=list)


def decide_group(group: Sequence[JudgedScan], known: Known, rules: StateRules) -> Decided:
    """The outcomes of a group, and what to write."""
    memory = _Memory(known, rules)
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
        elif first == n:
            decided.outcomes[n] = memory.decide(scan)
        else:
            decided.outcomes[n] = decided.outcomes[first]._replace(stored=Stored.KNOWN)
    decided.clones = memory.clones
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

    now: Presence | None = None
    read_at: datetime | None = None
    moved_by: JudgedScan | None = None


class _Memory:
    """What is known while the scans of a group are decided one by one."""

    def __init__(self, known: Known, rules: StateRules) -> None:
        self._places = {
            rider: {network: _Place(place, place.at) for network, place in places.items()}
            for rider, places in known.places.items()
        }
        self._uses = dict(known.uses)
        self._rules = rules
        self.clones: list[tuple[ReplayKey, TapKey, TapKey]] = []

    def decide(self, scan: JudgedScan) -> Outcome:
        """The outcome of a new scan; an accepted one spends its code and moves its rider."""
        accepted, row = scan.opening, scan.row
        if accepted is None:
            return Outcome(Stored.NEW, Decision(row.decision), row.reason, row.flags)
        code, places = accepted.replay_key, self._places.setdefault(accepted.rider, {})
        place, use = places.setdefault(row.network, _Place()), self._uses.get(code)
        known = _known_state(scan, accepted, place.now, use, self._rules)
        if len(places) > 1:
            known = known._replace(travel=_travel(scan, places.values(), self._rules))
        outcome = decide(accepted, known, use)
        if outcome.decision is Decision.ACCEPTED:
            self._uses[code] = CodeUse(scan.key, row.at, accepted.content, outcome.flags)
            if place.now is None or place.now.at < row.at:
                place.now = _presence(scan, outcome)
                place.moved_by = scan
        elif use is not None and use.content != accepted.content:
            self.clones.append((code, scan.key, use.tap))
        return outcome

    def new_taps(self, decided: Iterable[tuple[JudgedScan, Outcome]]) -> list[NewTap]:
        """The decided scans as they are stored."""
        return [self._new_tap(scan, outcome) for scan, outcome in decided]

    def _new_tap(self, scan: JudgedScan, outcome: Outcome) -> NewTap:
        row, accepted = scan.row, scan.opening
        if accepted is None:
            return NewTap(row)
        if outcome.decision is not Decision.ACCEPTED or outcome.flags != row.flags:
            assert outcome.decision is not None
            row = row._replace(
                decision=outcome.decision, reason=outcome.reason, flags=outcome.flags
            )
        if outcome.decision is not Decision.ACCEPTED:
            return NewTap(row)
        code, place = accepted.replay_key, self._places[accepted.rider][row.network]
        moved_to = place.now if place.moved_by is scan else None
        return NewTap(row, code, self._uses[code].content, moved_to, place.read_at)


def decide(accepted: Accepted, known: KnownState, use: CodeUse | None) -> Outcome:
    """What becomes of a scan, given what is known and an earlier use of its code.

    Who is answered already gets the flags of the first answer, so that both look the same.
    """
    answer = admit(accepted, known)
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
        case Rejected():
            cloned = use is not None and use.content != accepted.content
            told = (CLONED_DEVICE,) if cloned else ()
            return Outcome(Stored.NEW, Decision.REFUSED, answer.reason, told)


_NOTHING = KnownState()


def _known_state(
    scan: JudgedScan,
    accepted: Accepted,
    place: Presence | None,
    use: CodeUse | None,
    rules: StateRules,
) -> KnownState:
    """What is known on the scan's own network."""
    row = scan.row
    exits = row.direction is Direction.EXIT and row.mode is None
    if place is None and use is None and not exits:
        return _NOTHING
    replay = None
    if use is not None:
        near = use.tap.reader == scan.key.reader and abs(row.at - use.at) <= rules.debounce
        same = near and use.content == accepted.content
        replay = EarlierUse.SAME_READER_WITHIN_DEBOUNCE if same else EarlierUse.OTHER_SCAN
    entered = place is not None and (place.direction is Direction.ENTRY or place.at > row.at)
    return KnownState(replay, _passback(scan, place), missing_entry=exits and not entered)


def _passback(scan: JudgedScan, place: Presence | None) -> bool:
    """Whether this rider and slot entered here too recently; never so at an exit or open gates."""
    return (
        place is not None
        and scan.row.mode is None
        and scan.row.direction in _ENTERING
        and place.direction in _ENTERING
        and abs(scan.row.at - place.at) < timedelta(seconds=scan.reader.passback_s)
    )


def _travel(scan: JudgedScan, places: Iterable[_Place], rules: StateRules) -> Travel | None:
    """Whether the rider was in another region too short a time ago, or will have been.

    It closes an entry only where two clocks that were right say so; else it is a flag.
    """
    row, found = scan.row, None
    for place in places:
        seen = place.now
        if seen is None or seen.destination == scan.reader.destination:
            continue
        minimum = rules.travel.between(seen.destination, scan.reader.destination, scan.key.day)
        if abs(row.at - seen.at) < minimum:
            certain = seen.online and _is_online(scan) and row.direction in _ENTERING
            if certain and row.mode is None:
                return Travel.CERTAIN
            found = Travel.DOUBTFUL
    return found


def _presence(scan: JudgedScan, outcome: Outcome) -> Presence:
    """Where an accepted scan puts its rider."""
    row = scan.row
    online = _is_online(scan) and Reason.CLOCK_FAULT not in outcome.flags
    destination = scan.reader.destination
    return Presence(row.at, row.stop, row.direction, scan.key.reader, destination, online)


def _is_online(scan: JudgedScan) -> bool:
    """Whether the reader that asked knows the time."""
    return scan.row.uncertainty_s <= _CLOCK_RIGHT_S
