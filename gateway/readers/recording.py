"""From a reader's record to an upload: the scan, what the reader did, and our own judgement of it.

Pure but for the signature cache of the judging.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from gateway.http.fields import local_day
from gateway.readers.uploads import FROM_FUTURE, Upload
from gateway.taps.judging import CLOCK_TOLERANCE, Judging
from gateway.taps.scans import Tier, request_digest
from gateway.taps.tap_models import BatchRecord
from transitpay.journeys.station_modes import Mode as StationMode
from transitpay.postgres.gates.reader_batches import EventRow
from transitpay.postgres.gates.taps import TapRow
from transitpay.postgres.reference import ReaderRegistration
from transitpay.ride_code.reasons import Reason
from transitpay.ride_code.received import text_of
from transitpay.ride_code.records.record import (
    BootRecord,
    DecidedBy,
    Decision,
    EventRecord,
    ListVersions,
    Mode,
    OutcomeRecord,
    Place,
    ScanRecord,
)
from transitpay.ride_code.records.rejudgement import Deed, TodaysLists
from transitpay.ride_code.verdict import UNCERTAINTY_CAP_S
from transitpay.taps import Scan, TapKey

_STATION_MODES = {
    Mode.NORMAL: None,
    Mode.OPEN: str(StationMode.GATES_OPEN),
    Mode.EMERGENCY: str(StationMode.EMERGENCY),
    Mode.LOCAL: "local",
}
_REASONS = frozenset(Reason)


class Recording:
    """Judges the records of one reader again, as received at one instant.

    ``bookable`` are the first and last local day whose scans can be taps.
    """

    def __init__(
        self,
        reader: ReaderRegistration,
        judging: Judging,
        lists: TodaysLists,
        bookable: tuple[date, date],
        received_at: datetime,
        speed: int = 1,
    ) -> None:
        self.reader = reader
        self.received_at = received_at
        self._judging = judging
        self._lists = lists
        self._bookable = bookable
        self._tolerance = CLOCK_TOLERANCE * speed

    def upload(
        self, it: ScanRecord, record_hash: bytes | None = None, own_word: str | None = None
    ) -> Upload:
        """The scan of a record; without a hash it is of a reader that has no key.

        ``own_word`` is a reason of its own making.
        """
        scan, deed = self._scan(it), Deed(it.decision, it.reason, it.decided_by, it.mode)
        key = TapKey(local_day(it.at), self.reader.id, it.sequence)
        station_mode = self._judging.open_gates(scan)
        if station_mode is not None and deed.mode is Mode.NORMAL:
            deed = Deed(deed.decision, deed.reason, deed.decided_by, Mode.OPEN)
        row = TapRow(
            key, it.at, self.received_at, it.uncertainty_s, self.reader.operator,
            self.reader.network, scan.stop, scan.direction, scan.route, scan.vehicle,
            scan.stage_fare_minor, Tier.BATCH, deed.opened, request_digest(scan), it.code, None,
            it.decision, None, (), station_mode or _STATION_MODES[it.mode],
        )  # fmt: skip
        judged = self._judging.again(scan, self.reader, self._lists)
        unfit = self._unfit(key, it.at, it.uncertainty_s)
        return Upload(row, it, record_hash, deed, judged, own_word, unfit)

    def identity(self, it: ScanRecord) -> tuple[TapKey, bytes]:
        """The key of a record's scan, and the digest of its request."""
        key = TapKey(local_day(it.at), self.reader.id, it.sequence)
        return key, request_digest(self._scan(it))

    def _scan(self, it: ScanRecord) -> Scan:
        place = it.place
        return Scan(
            self.reader.id, it.sequence, it.at, text_of(it.code), it.direction,
            self.reader.network, place.stop or self.reader.stop, it.uncertainty_s,
            place.route, place.vehicle, it.stage_fare_minor,
        )  # fmt: skip

    def _unfit(self, key: TapKey, at: datetime, uncertainty_s: int) -> str | None:
        """Why a record alone cannot be a tap; None = it can."""
        first, last = self._bookable
        if not first <= key.day <= last:
            return "day_out_of_range"
        if at <= self.received_at:
            return None
        doubt = timedelta(seconds=min(uncertainty_s, UNCERTAINTY_CAP_S))
        return FROM_FUTURE if at > self.received_at + self._tolerance + doubt else None


def record_of(asked: BatchRecord, reader: ReaderRegistration) -> ScanRecord:
    """A JSON record of a reader without a key, in the form of all others."""
    reason = Reason(asked.reader_reason) if asked.reader_reason in _REASONS else None
    decision = Decision.ACCEPTED if asked.opened else Decision.REFUSED
    if not asked.opened and reason is Reason.ALREADY_ANSWERED:
        decision = Decision.ALREADY_ANSWERED
    return ScanRecord(
        0, asked.at, asked.uncertainty_s, asked.sequence, asked.direction or reader.direction,
        DecidedBy.READER, decision, None if asked.opened else reason, (), Mode.NORMAL,
        ListVersions(), Place(asked.stop, asked.route, None, asked.vehicle, None, None),
        asked.stage_fare_minor, asked.code.encode(),
    )  # fmt: skip


def event_of(it: OutcomeRecord | BootRecord | EventRecord, record_hash: bytes) -> EventRow:
    """A record that is no scan, as it is stored."""
    sequence: int | None = None
    match it:
        case OutcomeRecord():
            kind = "outcome"
            sequence = it.sequence
            detail: dict[str, object] = {"passage": it.passage}
        case BootRecord():
            kind = "boot"
            detail = {"boot": it.boot, "clean": it.clean, "software": it.software}
        case EventRecord():
            kind = str(it.kind)
            detail = {"count": it.count}
    detail["uncertainty_s"] = it.uncertainty_s
    return EventRow(it.position, record_hash, it.at, kind, sequence, detail)


def request_of(upload: Upload) -> Mapping[str, object]:
    """The request of a scan again, for the quarantine."""
    row, record = upload.row, upload.record
    return {
        "sequence": row.key.sequence,
        "at": row.at.isoformat(),
        "uncertainty_s": row.uncertainty_s,
        "code": _shown(row.code),
        "direction": row.direction,
        "stop": row.stop,
        "route": row.route,
        "vehicle": row.vehicle,
        "stage_fare_minor": row.stage_fare_minor,
        "opened": upload.deed.opened,
        "reason": record.reason or upload.own_word,
        "decided_by": record.decided_by,
        "position": record.position if upload.record_hash else None,
    }


def _shown(code: bytes) -> str:
    """The text of a code for JSON, whatever bytes it is of."""
    text = text_of(code).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return text.replace("\x00", "\\x00")
