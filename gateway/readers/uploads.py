"""What becomes of the scans of an upload, given what is known of them: pure.

Scans are decided in the order of their time. Of two scans of one code the earlier has it, also
when it comes later, unless we had opened the gate for the other one: so uploads give the same taps
in any order. (A journey of the other one is given back by settlement.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

from gateway.taps.scan_alarms import after_decommissioning, cloned_device, scan_from_future
from gateway.taps.scans import READER_REFUSED, Stored
from transitpay.postgres.gates.known_scans import KnownScans, KnownTap, SpentCode
from transitpay.postgres.gates.reader_alarms import Alarm
from transitpay.postgres.gates.taps import TapRow
from transitpay.postgres.gates.uploads import Displaced, NewUpload, Recorded, TapChange
from transitpay.ride_code.reasons import Reason
from transitpay.ride_code.records.record import Decision, Mode, ScanRecord
from transitpay.ride_code.records.rejudgement import (
    NO_PASSAGE,
    Deed,
    Difference,
    Facts,
    HeldList,
    Judged,
    Knowledge,
    OtherUse,
    Rejudged,
    knowledge,
    rejudge,
    word_on_double,
)
from transitpay.ride_code.verdict import Accepted, ReplayKey
from transitpay.taps import TapKey

#: Why a scan is set apart whose reader's clock was ahead of ours.
FROM_FUTURE = "from_future"
_EPOCH = date(1970, 1, 1)
_DAY_S = 86400


class Upload(NamedTuple):
    """A scan of a reader, judged again. ``row`` holds the request; its outcome comes later."""

    row: TapRow
    record: ScanRecord
    record_hash: bytes | None
    deed: Deed
    judged: Judged
    own_word: str | None = None
    unfit: str | None = None

    @property
    def key(self) -> TapKey:
        """(local day, reader, sequence)."""
        return self.row.key

    @property
    def accepted(self) -> Accepted | None:
        """The code, where it is genuine."""
        return self.judged.verdict if isinstance(self.judged.verdict, Accepted) else None


@dataclass(frozen=True, slots=True)
class Told:
    """Since when lists speak of a rider's authorisation or of a key, and when the versions that
    records name were issued and how long they were good; others were never published."""

    denials: Mapping[tuple[str, str, int], datetime] = field(default_factory=dict)
    compromises: Mapping[int, datetime] = field(default_factory=dict)
    trust: Mapping[int, HeldList] = field(default_factory=dict)
    deny: Mapping[int, HeldList] = field(default_factory=dict)
    trust_version: int = 0
    deny_version: int = 0


class UploadOutcome(NamedTuple):
    """What became of one scan."""

    stored: Stored
    word: Rejudged | None
    reason: str | None = None


@dataclass(slots=True)
class DecidedUploads:
    """One outcome a scan in the order given, and everything that is to be written."""

    outcomes: list[UploadOutcome] = field(default_factory=list)
    new: list[NewUpload] = field(default_factory=list)
    records: list[Recorded] = field(default_factory=list)
    changed: dict[TapKey, TapChange] = field(default_factory=dict)
    displaced: dict[TapKey, Displaced] = field(default_factory=dict)
    moved_codes: dict[ReplayKey, SpentCode] = field(default_factory=dict)
    reread: set[tuple[str, str]] = field(default_factory=set)
    taken_back: set[TapKey] = field(default_factory=set)
    clones: set[tuple[TapKey, bytes]] = field(default_factory=set)
    alarms: list[Alarm] = field(default_factory=list)
    apart: list[tuple[Upload, str]] = field(default_factory=list)

    def set_apart(self, upload: Upload, reason: str, uploads: Sequence[Upload]) -> None:
        """The database refuses this scan by itself: it is kept for people."""
        self.apart.append((upload, reason))
        for n, other in enumerate(uploads):
            if other.key == upload.key:
                self.outcomes[n] = UploadOutcome(Stored.QUARANTINED, None, reason)


def decide_uploads(
    uploads: Sequence[Upload],
    known: KnownScans,
    told: Told,
    debounce: timedelta,
    decommissioned_at: datetime | None = None,
) -> DecidedUploads:
    """The outcomes of these scans of one reader, and what to write."""
    uploads = [_as_before(upload, known) for upload in uploads]
    it = _Deciding(known, told, debounce, decommissioned_at)
    firsts: dict[TapKey, Upload] = {}
    for upload in uploads:
        stored = known.taps.get(upload.key)
        same = stored is None or stored.request_digest == upload.row.request_digest
        if upload.unfit is None and same:
            firsts.setdefault(upload.key, upload)
    for upload in sorted(firsts.values(), key=_order):
        it.take(upload)
    met: set[TapKey] = set()
    for upload in uploads:
        it.decided.outcomes.append(it.outcome(upload, firsts, met))
        met.add(upload.key)
    return it.finished()


def _as_before(upload: Upload, known: KnownScans) -> Upload:
    """What became of a scan when it first came stands: time alone makes no scan fit or unfit."""
    stored, digest = known.taps.get(upload.key), upload.row.request_digest
    if stored is not None and stored.has_record and stored.request_digest == digest:
        unfit = None
    else:
        unfit = known.apart.get((upload.key, digest), upload.unfit)
    return upload if unfit == upload.unfit else upload._replace(unfit=unfit)


def _order(upload: Upload) -> tuple[datetime, str, int]:
    return (upload.row.at, upload.key.reader, upload.key.sequence)


def _use_order(use: SpentCode) -> tuple[datetime, str, int]:
    return (use.at, use.tap.reader, use.tap.sequence)


class _Deciding:
    """What is known while the scans are decided one by one."""

    def __init__(
        self,
        known: KnownScans,
        told: Told,
        debounce: timedelta,
        decommissioned_at: datetime | None,
    ) -> None:
        self._known = known
        self._told = told
        self._debounce = debounce
        self._decommissioned_at = decommissioned_at
        self._uses = dict(known.uses)
        self._words: dict[TapKey, Rejudged] = {}
        self._new: dict[TapKey, NewUpload] = {}
        self.decided = DecidedUploads()

    def take(self, upload: Upload) -> None:
        """Decide a scan that is the first under its key in this upload."""
        passage = self._known.passages.get(upload.key.sequence)
        if passage is not None:
            upload = upload._replace(deed=upload.deed._replace(passage=passage))
        stored = self._known.taps.get(upload.key)
        if stored is not None and stored.has_record:
            return
        word = self._word(upload, stored)
        self._words[upload.key] = word
        if word.difference is Difference.AFTER_DECOMMISSIONING:
            self.decided.alarms.append(after_decommissioning(upload.key, upload.row.at))
        recorded = Recorded(
            upload.key,
            upload.record,
            upload.record_hash,
            upload.own_word,
            word,
            upload.deed.passage,
        )
        if stored is None:
            self._add(upload, recorded)
        else:
            self._learn(upload, stored, recorded)

    def outcome(
        self, upload: Upload, firsts: Mapping[TapKey, Upload], met: set[TapKey]
    ) -> UploadOutcome:
        """What is answered for a scan, in the order given."""
        decided, key = self.decided, upload.key
        if upload.unfit is not None:
            decided.apart.append((upload, upload.unfit))
            known = (key, upload.row.request_digest) in self._known.apart
            if upload.unfit == FROM_FUTURE and not known:
                decided.alarms.append(scan_from_future(key, upload.row.at))
            return UploadOutcome(Stored.QUARANTINED, None, upload.unfit)
        stored = self._known.taps.get(key)
        digest = stored.request_digest if stored else firsts[key].row.request_digest
        if digest != upload.row.request_digest:
            decided.clones.add((key, upload.row.request_digest))
            decided.apart.append((upload, "sequence_conflict"))
            return UploadOutcome(Stored.CONFLICT, None, "sequence_conflict")
        if stored is not None and stored.has_record:
            return UploadOutcome(Stored.KNOWN, stored.word, stored.word.reason)
        word = self._words[key]
        new = stored is None and key not in met
        return UploadOutcome(Stored.NEW if new else Stored.KNOWN, word, _reason(word, upload))

    def finished(self) -> DecidedUploads:
        """Everything that is to be written."""
        self.decided.new = [self._new[key] for key in sorted(self._new)]
        return self.decided

    # -- one scan ---------------------------------------------------------------------------

    def _word(self, upload: Upload, stored: KnownTap | None) -> Rejudged:
        """Our word on a scan; if it spends its code, a later use of the code gives way."""
        accepted, row = upload.accepted, upload.row
        use = None if accepted is None else self._other_use(upload.key, accepted)
        later = None
        if use is not None and use.yields and _order(upload) < _use_order(use):
            use, later = None, use
        facts = Facts(
            None if use is None else self._relation(upload.key, row.at, use.tap, use.at),
            None if stored is None else Decision(stored.word.decision),
            self._knew(upload, accepted, stored) if upload.judged.against else {},
            self._held_other_lists(upload),
            self._decommissioned_at is not None and row.at >= self._decommissioned_at,
        )
        word = rejudge(upload.deed, self._judged_at_its_time(upload, accepted), facts)
        if later is not None and accepted is not None and _spends(word, upload.deed):
            self._displace(upload, accepted, later)
        return word

    def _other_use(self, key: TapKey, accepted: Accepted) -> SpentCode | None:
        """The use of this code by another scan."""
        use = self._uses.get(accepted.replay_key)
        if use is None or use.tap == key:
            return None
        if use.content != accepted.content:
            self.decided.alarms += cloned_device(accepted.replay_key, key, use.tap)
        return use

    def _relation(self, key: TapKey, at: datetime, other: TapKey, other_at: datetime) -> OtherUse:
        if key.reader != other.reader:
            return OtherUse.OTHER_READER
        near = abs(at - other_at) <= self._debounce
        return OtherUse.SAME_SHOWING if near else OtherUse.SAME_READER

    def _displace(self, upload: Upload, accepted: Accepted, use: SpentCode) -> None:
        """The use that came first is the later one: its tap is the double."""
        relation = self._relation(use.tap, use.at, upload.key, upload.row.at)
        word = word_on_double(relation, normal=use.normal, ignored=use.ignored)
        self.decided.displaced[use.tap] = Displaced(use.tap, word)
        if use.rider is not None:
            self.decided.reread.add(use.rider)
        spent = SpentCode(upload.key, upload.row.at, accepted.content)
        self.decided.moved_codes[accepted.replay_key] = spent

    def _knew(
        self, upload: Upload, accepted: Accepted | None, stored: KnownTap | None
    ) -> dict[Reason, Knowledge]:
        assert accepted is not None, "lists speak against genuine codes only"
        it, row, told = accepted.code.authorisation, upload.row, self._told
        found: dict[Reason, Knowledge] = {}
        for reason in upload.judged.against:
            if reason is Reason.DENIED:
                since = told.denials[accepted.issuer, it.rider_id, it.serial]
                held = told.deny.get(upload.record.versions.deny)
            else:
                since = told.compromises[it.key_id]
                held = told.trust.get(upload.record.versions.trust)
            if upload.record_hash is None:
                held = HeldList()  # a record without a chain cannot name a version
            if stored is not None and stored.word.decision is Decision.ACCEPTED:
                held = HeldList(row.at)  # we decided, with what we knew at that time
            found[reason] = knowledge(
                held,
                since,
                row.at,
                row.uncertainty_s,
                said_stale=Reason.LIST_STALE in upload.record.flags,
            )
        return found

    def _judged_at_its_time(self, upload: Upload, accepted: Accepted | None) -> Judged:
        """Without a denial that was told only after the scan: the rider was in good standing.
        (A compromise counts whatever the time: the code may have been made by anybody.)"""
        judged = upload.judged
        if accepted is None or Reason.DENIED not in judged.against:
            return judged
        it = accepted.code.authorisation
        told_at = self._told.denials[accepted.issuer, it.rider_id, it.serial]
        if upload.row.at + timedelta(seconds=upload.row.uncertainty_s) >= told_at:
            return judged
        return judged._replace(against=tuple(r for r in judged.against if r is not Reason.DENIED))

    def _held_other_lists(self, upload: Upload) -> bool:
        held, told = upload.record.versions, self._told
        return held.trust != told.trust_version or held.deny != told.deny_version

    # -- what is written --------------------------------------------------------------------

    def _add(self, upload: Upload, recorded: Recorded) -> None:
        accepted, word = upload.accepted, recorded.word
        rider, code, content = None, None, b""
        if accepted is not None:
            rider = accepted.rider
            if _spends(word, upload.deed):
                self._spend(upload, accepted)
                if accepted.replay_key not in self.decided.moved_codes:
                    code, content = accepted.replay_key, accepted.content
        moves = word.decision is Decision.ACCEPTED
        self._new[upload.key] = NewUpload(
            upload.row, recorded, _reason(word, upload), rider, code, content, moves
        )

    def _learn(self, upload: Upload, stored: KnownTap, recorded: Recorded) -> None:
        """The scan was asked online: one tap; what the reader did beats what we said."""
        accepted, was, word = upload.accepted, stored.word, recorded.word
        self.decided.records.append(recorded)
        same = word.decision == was.decision
        # Who opened although we had refused is told why that is no tap, as for any other scan.
        kept = same and (word.decision is Decision.ACCEPTED or not upload.deed.opened)
        reason = was.reason if kept and was.reason else _reason(word, upload)
        flags = was.flags if kept else word.flags
        self.decided.changed[upload.key] = TapChange(
            upload.key, word.decision, reason, flags, upload.deed.opened
        )
        self._words[upload.key] = word._replace(reason=reason, flags=flags)
        if accepted is None:
            return
        if not same:
            self.decided.reread.add((accepted.rider.issuer, accepted.rider.rider_id))
            if was.decision is Decision.ACCEPTED:
                self.decided.taken_back.add(upload.key)
        code = accepted.replay_key
        displaced = code in self.decided.moved_codes
        if _spends(word, upload.deed) and (displaced or code not in self._uses):
            self._spend(upload, accepted)
            self.decided.moved_codes[code] = self._uses[code]

    def _spend(self, upload: Upload, accepted: Accepted) -> None:
        normal = upload.deed.mode is Mode.NORMAL
        rider = (accepted.rider.issuer, accepted.rider.rider_id)
        self._uses[accepted.replay_key] = SpentCode(
            upload.key, upload.row.at, accepted.content, yields=False, normal=normal, rider=rider
        )


def _spends(word: Rejudged, deed: Deed) -> bool:
    """Whether the code is used up: by an accepted tap, also by one whose rider did not pass."""
    if word.decision is Decision.ACCEPTED:
        return True
    return deed.opened and deed.passage in NO_PASSAGE and word.reason == deed.passage


def _reason(word: Rejudged, upload: Upload) -> str | None:
    if word.decision is Decision.ACCEPTED:
        return None
    return word.reason or upload.own_word or READER_REFUSED


def code_days(uploads: Iterable[Upload]) -> set[date]:
    """The days whose partitions these scans need."""
    days: set[date] = set()
    begins: set[int] = set()
    for upload in uploads:
        days.add(upload.key.day)
        if upload.accepted is not None:
            begins.add(upload.accepted.replay_key.not_before // _DAY_S)
    return days | {_EPOCH + timedelta(n) for n in begins}
