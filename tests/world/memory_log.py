"""The tap log in memory: the gateway's own decisions over dictionaries instead of tables.

It stands for PostgreSQL where taps are asked and records uploaded, and keeps its promises: a group
is one step, a known sequence gets its stored answer, a code is spent once, presence moves forward.
``test_memory_log`` holds it to the real one, group by group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from gateway.readers.uploads import Told, Upload, UploadOutcome, decide_uploads
from gateway.taps.deciding import StateRules, decide_group
from gateway.taps.scans import JudgedScan, Outcome
from transitpay.postgres.gates.known_scans import KnownScans, KnownTap, SpentCode
from transitpay.postgres.gates.tap_groups import CodeUse, Known, NewTap, Presence
from transitpay.postgres.gates.taps import StoredTap, TapRow
from transitpay.postgres.gates.uploads import NewUpload, Recorded
from transitpay.ride_code.reasons import Reason
from transitpay.ride_code.records.record import Decision, Mode
from transitpay.ride_code.records.rejudgement import Difference, Rejudged
from transitpay.ride_code.verdict import ReplayKey
from transitpay.taps import Direction, RiderRef, TapKey

_REASONS = frozenset(Reason)


@dataclass(slots=True)
class MemoryTapLog:
    """What the tables hold."""

    debounce: timedelta
    destination: int = 0
    taps: dict[TapKey, TapRow] = field(default_factory=dict)
    uses: dict[ReplayKey, CodeUse] = field(default_factory=dict)
    places: dict[RiderRef, dict[str, Presence]] = field(default_factory=dict)
    answered: set[ReplayKey] = field(default_factory=set)
    alarms: set[tuple[TapKey, bytes]] = field(default_factory=set)
    records: dict[TapKey, Recorded] = field(default_factory=dict)
    reader_alarms: set[tuple[str, str, str]] = field(default_factory=set)
    set_apart: dict[TapKey, str] = field(default_factory=dict)

    def append(self, group: Sequence[JudgedScan]) -> list[Outcome]:
        """Store and decide a group at once; outcomes in the order given."""
        decided = decide_group(group, self._known(group), StateRules(self.debounce))
        for new in decided.new:
            self._store(new)
        self.alarms |= decided.alarms
        return decided.outcomes

    def upload(self, uploads: Sequence[Upload], told: Told) -> list[UploadOutcome]:
        """Store and decide what a reader did; outcomes in the order given."""
        decided = decide_uploads(uploads, self._known_scans(uploads), told, self.debounce)
        for new in decided.new:
            self._store_upload(new)
        for record in decided.records:
            self.records[record.key] = record
        for change in decided.changed.values():
            row = self.taps[change.key]
            opened = row.reader_opened if change.opened is None else change.opened
            self.taps[change.key] = row._replace(
                decision=change.decision, reason=change.reason, flags=change.flags,
                reader_opened=opened,
            )  # fmt: skip
        for it in decided.displaced.values():
            word = it.word
            self.taps[it.key] = self.taps[it.key]._replace(
                decision=word.decision, reason=word.reason, flags=word.flags
            )
            self.records[it.key] = self.records[it.key]._replace(word=word)
        for code, use in decided.moved_codes.items():
            self.uses[code] = CodeUse(use.tap, use.at, use.content)
            self.answered.discard(code)
        for key in decided.taken_back:
            self._take_back(self.taps[key])
        self.alarms |= decided.clones
        self.reader_alarms |= {(it.reader, it.kind, it.subject) for it in decided.alarms}
        self.set_apart |= {upload.key: reason for upload, reason in decided.apart}
        return decided.outcomes

    def _known_scans(self, uploads: Sequence[Upload]) -> KnownScans:
        known = KnownScans()
        for upload in uploads:
            row = self.taps.get(upload.key)
            if row is not None:
                record = self.records.get(upload.key)
                flags = tuple(Reason(flag) for flag in row.flags if flag in _REASONS)
                word = Rejudged(Decision(row.decision), row.reason, flags)
                if record is not None:
                    differs = record.word
                    word = word._replace(difference=differs.difference, liable=differs.liable)
                known.taps[upload.key] = KnownTap(
                    row.request_digest, word, row.reader_opened, record is not None, _who(row)
                )
            if upload.accepted is not None:
                code = upload.accepted.replay_key
                if (use := self.uses.get(code)) is not None:
                    known.uses[code] = self._spent(use, code not in self.answered)
        return known

    def _take_back(self, row: TapRow) -> None:
        """Who was seen last by this tap did not enter."""
        places = self.places.get(row.rider, {}) if row.rider else {}
        place = places.get(row.network)
        if place is not None and (place.at, place.reader) == (row.at, row.key.reader):
            places[row.network] = place._replace(direction=Direction.EXIT, online=False)

    def _spent(self, use: CodeUse, yields: bool) -> SpentCode:
        row, record = self.taps[use.tap], self.records.get(use.tap)
        return SpentCode(
            use.tap, use.at, use.content, yields,
            record is None or record.record.mode is Mode.NORMAL, _who(row),
            record is not None and record.word.difference is Difference.ANSWER_IGNORED,
        )  # fmt: skip

    def _store_upload(self, new: NewUpload) -> None:
        word = new.recorded.word
        row = new.row._replace(
            rider=new.rider, decision=word.decision, reason=new.reason, flags=word.flags
        )
        self.taps[row.key], self.records[row.key] = row, new.recorded
        if new.code is not None:
            self.uses[new.code] = CodeUse(row.key, row.at, new.content)
        if new.moves and row.rider is not None:
            places = self.places.setdefault(row.rider, {})
            place = places.get(row.network)
            if place is None or place.at < row.at:
                places[row.network] = Presence(
                    row.at, row.stop, row.direction, row.key.reader, self.destination, False
                )

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
                known.uses[accepted.replay_key] = use._replace(flags=flags)
            if accepted.rider in self.places:
                known.places[accepted.rider] = dict(self.places[accepted.rider])
        return known

    def _store(self, new: NewTap) -> None:
        row = new.row
        self.taps[row.key] = row
        if new.code is not None:
            self.uses[new.code] = CodeUse(row.key, row.at, new.content)
            self.answered.add(new.code)
        if new.place is not None:
            assert row.rider is not None
            self.places.setdefault(row.rider, {})[row.network] = new.place


def _who(row: TapRow) -> tuple[str, str] | None:
    return (row.rider.issuer, row.rider.rider_id) if row.rider else None
