"""A judged scan and its outcome: what goes into the tap log and what comes out.

Pure. ``verdict`` is the word of bytes, lists and time; the tap log adds what it remembers of
other scans. What an offline reader did is kept beside what we make of it: a rider who was not
let in never pays, and where reader and gateway disagree the tap says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from transitpay.postgres.gates.taps import TapRow
from transitpay.postgres.reference import ReaderRegistration
from transitpay.ride_code.reasons import Reason
from transitpay.ride_code.verdict import Accepted, Rejected
from transitpay.taps import RiderRef, Scan, TapKey

#: Another phone has drawn another code under the same counter.
CLONED_DEVICE = "cloned_device"
#: Why a scan is refused when the reader refused it without a reason of its own.
READER_REFUSED = "reader_refused"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Tier(StrEnum):
    """Who decided at the gate: the gateway (online), or the reader before it told us (batch)."""

    ONLINE = "online"
    BATCH = "batch"


class Decision(StrEnum):
    """What became of a scan."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    ALREADY_ANSWERED = "already_answered"


class Stored(StrEnum):
    """What the tap log did with a scan."""

    NEW = "new"
    KNOWN = "known"
    CONFLICT = "conflict"
    QUARANTINED = "quarantined"


class Outcome(NamedTuple):
    """The log's answer; ``decision`` is None where nothing of this scan was stored as a tap."""

    stored: Stored
    decision: Decision | None
    reason: str | None
    flags: tuple[str, ...] = ()


class JudgedScan(NamedTuple):
    """A judged scan as the row that is stored unless other scans speak against it.

    ``opening`` is the verdict of a scan that may become an accepted tap, else None; ``request``
    gives the reader's request again, for the quarantine.
    """

    row: TapRow
    opening: Accepted | None
    reader: ReaderRegistration
    request: Callable[[], Mapping[str, object]]

    @property
    def key(self) -> TapKey:
        """(local day, reader, sequence)."""
        return self.row.key


def request_digest(scan: Scan) -> bytes:
    """SHA-256 over what never changes when a scan is asked again or uploaded later.

    Instants count in whole milliseconds, as records hold them; no text before the code holds a
    NUL, so that the parts cannot run into each other. Bytes that are no text stand in the code
    as surrogates, and are hashed as they came.
    """
    fare = "" if scan.stage_fare_minor is None else scan.stage_fare_minor
    content = (
        f"{scan.reader}\0{scan.sequence}\0{(scan.at - _EPOCH) // _MILLISECOND}\0{scan.direction}"
        f"\0{scan.stop}\0{scan.route or ''}\0{scan.vehicle or ''}\0{fare}\0{scan.code}"
    )
    return hashlib.sha256(content.encode("utf-8", "surrogateescape")).digest()


def judged_scan(
    scan: Scan,
    key: TapKey,
    reader: ReaderRegistration,
    verdict: Accepted | Rejected,
    rider: RiderRef | None,
    received_at: datetime,
    request: Callable[[], Mapping[str, object]],
    mode: str | None = None,
) -> JudgedScan:
    """The scan of a reader that waits, as the tap log takes it.

    ``mode`` says by which mode the gates of the stop stood open, if they did.
    """
    decision: Decision = Decision.ACCEPTED
    reason: Reason | None = None
    flags: tuple[Reason, ...] = ()
    if isinstance(verdict, Accepted):
        flags = verdict.flags
    else:
        decision, reason = Decision.REFUSED, verdict.reason
    # By position: names would cost a busy gateway a twentieth of its time.
    row = TapRow(
        key, scan.at, received_at, scan.uncertainty_s, reader.operator, scan.network, scan.stop,
        scan.direction, scan.route, scan.vehicle, scan.stage_fare_minor,
        Tier.ONLINE, None, request_digest(scan),
        scan.code.encode(), rider, decision, reason, flags, mode,
    )  # fmt: skip
    return JudgedScan(row, verdict if isinstance(verdict, Accepted) else None, reader, request)
