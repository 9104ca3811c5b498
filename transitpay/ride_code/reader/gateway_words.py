"""What a reader says to the gateway and hears from it, as JSON.

An answer opens a gate only if it is wholly what it must be: status 200, this sequence, accepted,
``open`` true. Anything else that does not read as a refusal is no answer at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from transitpay.ride_code.reasons import Reason
from transitpay.ride_code.received import text_of
from transitpay.ride_code.records.record import Decision, Place
from transitpay.taps import Direction


def may_be_asked(code: bytes) -> bool:
    """Whether the code can stand in a JSON text."""
    try:
        text_of(code).encode()
    except UnicodeEncodeError:
        return False
    return True


def ask_body(
    sequence: int,
    at: datetime,
    uncertainty_s: int,
    code: bytes,
    direction: Direction,
    place: Place,
    stage_fare_minor: int | None,
) -> bytes:
    """The JSON of ``POST /v1/taps``: the request of the record, field by field."""
    told: dict[str, object] = {
        "sequence": sequence,
        "at": at.isoformat(),
        "uncertainty_s": min(uncertainty_s, 86400),
        "code": text_of(code),
        "direction": direction.value,
        "stop": place.stop,
        "route": place.route,
        "vehicle": place.vehicle,
        "stage_fare_minor": stage_fare_minor,
    }
    return json.dumps({name: value for name, value in told.items() if value is not None}).encode()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway decided."""

    decision: Decision
    reason: Reason | None
    flags: tuple[Reason, ...]


def read_answer(sequence: int, status: int, body: bytes) -> Answer | None:
    """The gateway's decision on this scan; None if this is not one that we understand."""
    told = _object(body) if status == 200 else None
    if told is None or told.get("sequence") != sequence:
        return None
    try:
        decision = Decision(str(told.get("decision")))
        reason = None if told.get("reason") is None else Reason(str(told["reason"]))
    except ValueError:
        return None
    opens = decision is Decision.ACCEPTED
    if (told.get("open") is True) != opens or (reason is None) != opens:
        return None
    flags = told.get("flags")
    known = {flag for flag in flags if isinstance(flag, str)} if isinstance(flags, list) else set()
    return Answer(decision, reason, tuple(r for r in Reason if r.value in known))


@dataclass(frozen=True, slots=True)
class BeatAnswer:
    """What a heartbeat heard: the gateway's time and the versions of its lists."""

    server_time: datetime
    trust_version: int
    deny_version: int
    config_version: int

    def time_after(self, trip_ms: int) -> datetime:
        """The time when the answer arrives, if each way took half of the trip; it is off by no
        more than that half."""
        return self.server_time + timedelta(milliseconds=trip_ms / 2)


def read_beat(status: int, body: bytes) -> BeatAnswer | None:
    """The answer to a heartbeat; None if it is none."""
    told = _object(body) if status == 200 else None
    if told is None:
        return None
    versions = [told.get(f"{name}_version", 0) for name in ("trust", "deny", "config")]
    try:
        at = datetime.fromisoformat(str(told.get("server_time")))
    except ValueError:
        return None
    if at.tzinfo is None or not all(type(version) is int for version in versions):
        return None
    trust, deny, config = (int(str(version)) for version in versions)
    return BeatAnswer(at.astimezone(UTC), trust, deny, config)


def _object(body: bytes) -> Mapping[str, object] | None:
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
