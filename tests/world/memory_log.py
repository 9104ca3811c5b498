"""The tap log in memory: the gateway's own decision over dictionaries instead of tables.

It stands for PostgreSQL at the port ``gateway.tap_log.TapLog`` and keeps its promises: a group is
one step, a known sequence gets its stored answer, a code is spent once, presence moves forward.
``test_memory_log`` holds it to the real one, group by group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from gateway.deciding import StateRules, decide_group
from gateway.scans import JudgedScan, Outcome
from transitpay.postgres.tap_groups import CodeUse, Known, NewTap, Presence
from transitpay.postgres.taps import StoredTap, TapRow
from transitpay.ride_code.verdict import ReplayKey
from transitpay.taps import RiderRef, TapKey


@dataclass(slots=True)
class MemoryTapLog:
    """What the tables hold. A breach, named in ``broken``, is for tests of the invariants."""

    debounce: timedelta
    taps: dict[TapKey, TapRow] = field(default_factory=dict)
    uses: dict[ReplayKey, CodeUse] = field(default_factory=dict)
    places: dict[RiderRef, dict[str, Presence]] = field(default_factory=dict)
    alarms: set[tuple[TapKey, bytes]] = field(default_factory=set)

    def append(self, group: Sequence[JudgedScan]) -> list[Outcome]:
        """Store and decide a group at once; outcomes in the order given."""
        decided = decide_group(group, self._known(group), StateRules(self.debounce))
        for new in decided.new:
            self._store(new)
        for key, settled in decided.settled.items():
            row = self.taps[key]
            self.taps[key] = replace(
                row, decision=settled.decision, reason=settled.reason, flags=settled.flags,
                reader_opened=settled.reader_opened,
            )  # fmt: skip
        self.alarms |= decided.alarms
        return decided.outcomes

    def _known(self, group: Sequence[JudgedScan]) -> Known:
        """What a reading of the tables would find: flags of a use stand in its tap."""
        known = Known({}, {}, {})
        for scan in group:
            row = self.taps.get(scan.key)
            if row is not None:
                known.taps[scan.key] = StoredTap(
                    row.request_digest, row.tier, row.reader_opened, row.rider, row.decision,
                    row.reason, row.flags,
                )  # fmt: skip
            accepted = scan.opening
            if accepted is None:
                continue
            use = self.uses.get(accepted.replay_key)
            if use is not None:
                flags = self.taps[use.tap].flags
                known.uses[accepted.replay_key] = replace(use, flags=flags)
            if accepted.rider in self.places:
                known.places[accepted.rider] = dict(self.places[accepted.rider])
        return known

    def _store(self, new: NewTap) -> None:
        row = new.row
        self.taps[row.key] = row
        if new.code is not None:
            self.uses[new.code] = CodeUse(row.key, row.at, new.content)
        if new.place is not None:
            assert row.rider is not None
            self.places.setdefault(row.rider, {})[row.network] = new.place
