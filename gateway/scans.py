"""A judged scan and its outcome: what goes into the tap log and what comes out.

Pure. ``verdict`` is the word of bytes, lists and time; the tap log adds what it remembers of
other scans. What an offline reader did is kept beside what we make of it: a rider who was not
let in never pays, and where reader and gateway disagree the tap says so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from transitpay.postgres.reference import ReaderRegistration
from transitpay.postgres.taps import TapRow
from transitpay.ride_code.reasons import RULES, Kind, Reason
from transitpay.ride_code.verdict import Accepted, Rejected
from transitpay.taps import RiderRef, Scan, TapKey

#: The gateway and the reader disagree on this scan.
READER_DIFFERED = "reader_differed"
#: Why a scan is refused when the reader refused it without a reason of its own.
READER_REFUSED = "reader_refused"


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


@dataclass(frozen=True, slots=True)
class Outcome:
    """The log's answer; ``decision`` is None where nothing of this scan was stored as a tap."""

    stored: Stored
    decision: Decision | None
    reason: str | None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JudgedScan:
    """A scan with its verdict and the row that is stored unless other scans speak against it.

    ``request`` gives the reader's request again, for the quarantine.
    """

    row: TapRow
    verdict: Accepted | Rejected
    passback: timedelta
    request: Callable[[], Mapping[str, object]] = field(repr=False)

    @property
    def key(self) -> TapKey:
        """(local day, reader, sequence)."""
        return self.row.key

    @property
    def opening(self) -> Accepted | None:
        """The verdict of a scan that may become an accepted tap."""
        if isinstance(self.verdict, Accepted) and self.row.decision == Decision.ACCEPTED:
            return self.verdict
        return None


def request_digest(scan: Scan) -> bytes:
    """SHA-256 over what never changes when a scan is asked again or uploaded later."""
    content = [
        scan.reader, scan.sequence, scan.at.isoformat(), scan.code, scan.direction, scan.stop,
        scan.route, scan.vehicle, scan.stage_fare_minor,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(content).encode()).digest()


def judged_scan(
    scan: Scan,
    key: TapKey,
    reader: ReaderRegistration,
    verdict: Accepted | Rejected,
    rider: RiderRef | None,
    received_at: datetime,
    request: Callable[[], Mapping[str, object]],
    opened: bool | None = None,
    reader_reason: str | None = None,
    mode: str | None = None,
) -> JudgedScan:
    """The scan as the tap log takes it; ``opened`` None = we decide, the reader waits.

    ``mode`` says by which mode the gates of the stop stood open, if they did.
    """
    decision, reason, flags = _first_outcome(verdict, opened, reader_reason)
    row = TapRow(
        key=key,
        at=scan.at,
        received_at=received_at,
        uncertainty_s=scan.uncertainty_s,
        operator=reader.operator,
        network=scan.network,
        stop=scan.stop,
        direction=scan.direction,
        route=scan.route,
        vehicle=scan.vehicle,
        stage_fare_minor=scan.stage_fare_minor,
        tier=Tier.ONLINE if opened is None else Tier.BATCH,
        reader_opened=opened,
        request_digest=request_digest(scan),
        code=scan.code.encode(),
        rider=rider,
        decision=decision,
        reason=reason,
        flags=flags,
        mode=mode,
    )
    return JudgedScan(row, verdict, timedelta(seconds=reader.passback_s), request)


def _first_outcome(
    verdict: Accepted | Rejected, opened: bool | None, reader_reason: str | None
) -> tuple[Decision, str | None, tuple[str, ...]]:
    """What is stored if no other scan speaks against it."""
    if isinstance(verdict, Rejected):
        return Decision.REFUSED, verdict.reason, (READER_DIFFERED,) if opened else ()
    if opened is not False:
        return Decision.ACCEPTED, None, verdict.flags
    if reader_reason == Reason.ALREADY_ANSWERED:
        return Decision.ALREADY_ANSWERED, reader_reason, ()
    # A reader may know more than bytes and lists: earlier scans of its own.
    knew = reader_reason in {r for r, rule in RULES.items() if rule.kind is Kind.STATE}
    flags = () if knew else (READER_DIFFERED,)
    return Decision.REFUSED, reader_reason or READER_REFUSED, flags
