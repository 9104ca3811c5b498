"""When a reader speaks to the gateway on its own account: heartbeats, lists, sealed batches.

Nothing here ever makes a rider wait; a driver does these in the background.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from transitpay.ride_code.reader.effects import Beat, Effect, Fetch, ListName, Send
from transitpay.ride_code.reader.gateway_words import BeatAnswer
from transitpay.ride_code.reader.held_lists import HeldLists
from transitpay.ride_code.records.record_bytes import read_ms
from transitpay.ride_code.records.sealed_batch import MAX_RECORDS

_FIRST_RETRY_MS, _LAST_RETRY_MS = 1_000, 60_000


@dataclass(frozen=True, slots=True)
class Pace:
    """How often: a heartbeat, a look for new lists, and how long a record waits for others."""

    beat_ms: int = 30_000
    lists_ms: int = 300_000
    send_after_ms: int = 2_000


@dataclass(frozen=True, slots=True)
class Report:
    """What a heartbeat says of the reader."""

    last_sequence: int
    through_at: datetime
    at: datetime
    uncertainty_s: int
    last_position: int
    store_held: int
    store_capacity: int
    software: str


@dataclass(slots=True)
class Upkeep:
    """Times are monotonic milliseconds; None = nothing is planned.

    The gateway has every record up to the position ``acknowledged``, and so every scan up to the
    instant ``through_at``: always a little before the last one, which may have a twin.
    """

    pace: Pace
    acknowledged: int
    through_at: datetime
    beat_at_ms: int
    lists_at_ms: int
    sealed: tuple[int, datetime] | None = None
    send_at_ms: int | None = None
    sending: bool = False
    retry_ms: int = _FIRST_RETRY_MS

    def recorded(self, monotonic_ms: int) -> None:
        """There is a record to send."""
        if self.send_at_ms is None:
            self.send_at_ms = monotonic_ms + self.pace.send_after_ms

    def due(self, monotonic_ms: int, lists: HeldLists, report: Report) -> tuple[Effect, ...]:
        """What is to be said now."""
        found: list[Effect] = []
        if not report.store_held:
            self.send_at_ms = None  # what was to be sent could not be written after all
        if not self.sending and self.send_at_ms is not None and monotonic_ms >= self.send_at_ms:
            self.sending = True
            found.append(Send(self.acknowledged + 1, MAX_RECORDS))
        if monotonic_ms >= self.beat_at_ms:
            self.beat_at_ms = monotonic_ms + self.pace.beat_ms
            found.append(Beat(_beat_body(lists, report)))
        if monotonic_ms >= self.lists_at_ms:
            self.lists_at_ms = monotonic_ms + self.pace.lists_ms
            found += [
                Fetch(ListName.TRUST, lists.trust.version),
                Fetch(ListName.DENY, lists.deny.version),
                Fetch(ListName.CONFIG, lists.config_version),
            ]
        return tuple(found)

    def sealing(self, last_record: bytes) -> None:
        """A batch that ends with this record is on its way."""
        position, at_ms = int.from_bytes(last_record[4:12]), int.from_bytes(last_record[12:20])
        self.sealed = (position, read_ms(max(at_ms - 1, 0)))

    def sent(self, monotonic_ms: int, acknowledged: int | None, waiting: int) -> int:
        """The gateway has all up to ``acknowledged``, or (None) took nothing: then the batch goes
        again, later each time. Answers how many of the ``waiting`` records need not wait."""
        self.sending = False
        if acknowledged is None:
            self.send_at_ms = monotonic_ms + self.retry_ms
            self.retry_ms = min(self.retry_ms * 2, _LAST_RETRY_MS)
            return 0
        self.retry_ms = _FIRST_RETRY_MS
        done = min(max(acknowledged - self.acknowledged, 0), waiting)
        self.acknowledged += done
        if self.sealed is not None and self.sealed[0] <= self.acknowledged:
            self.through_at = self.sealed[1]
        self.send_at_ms = monotonic_ms if waiting > done else None
        return done


def newer(lists: HeldLists, told: BeatAnswer) -> tuple[Fetch, ...]:
    """The lists of which the gateway has another version than we hold."""
    versions = (
        (ListName.TRUST, lists.trust.version, told.trust_version),
        (ListName.DENY, lists.deny.version, told.deny_version),
        (ListName.CONFIG, lists.config_version, told.config_version),
    )
    return tuple(Fetch(name, have) for name, have, there in versions if there not in (have, 0))


def _beat_body(lists: HeldLists, it: Report) -> bytes:
    return json.dumps(
        {
            "last_sequence": it.last_sequence,
            "through_at": it.through_at.isoformat(),
            "at": it.at.isoformat(),
            "uncertainty_s": it.uncertainty_s,
            "last_position": it.last_position,
            "store_held": it.store_held,
            "store_capacity": it.store_capacity,
            "trust_version": lists.trust.version,
            "deny_version": lists.deny.version,
            "config_version": lists.config_version,
            "software": it.software,
        }
    ).encode()
