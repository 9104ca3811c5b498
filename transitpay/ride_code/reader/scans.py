"""One scan in hand: the request, which never changes, and the record that is made of it."""

from __future__ import annotations

from dataclasses import dataclass

from transitpay.money import Money
from transitpay.ride_code.reader.admission import Decided
from transitpay.ride_code.reader.effects import Ask
from transitpay.ride_code.reader.gateway_words import ask_body
from transitpay.ride_code.reader.own_clock import Reading
from transitpay.ride_code.records.record import ListVersions, Mode, Place, ScanRecord
from transitpay.ride_code.verdict import Accepted, Rejected, ReplayKey
from transitpay.taps import Direction


@dataclass(frozen=True, slots=True)
class Scan:
    """What the scanner gave, when, where, and our own word on it.

    ``began_ms`` is monotonic: the time budget runs from it. ``fare`` is what an on-board reader
    set for this boarding, ``fare_is_final`` whether nothing can change it any more.
    """

    sequence: int
    began_ms: int
    clock: Reading
    code: bytes
    direction: Direction
    place: Place
    fare: Money | None
    fare_is_final: bool
    mode: Mode
    versions: ListVersions
    verdict: Accepted | Rejected

    @property
    def replay_key(self) -> ReplayKey | None:
        """What the code would spend, where it is one that may be accepted."""
        return self.verdict.replay_key if isinstance(self.verdict, Accepted) else None

    @property
    def final_fare(self) -> Money | None:
        """The fare that may be shown."""
        return self.fare if self.fare_is_final else None

    @property
    def _fare_minor(self) -> int | None:
        return None if self.fare is None else self.fare.minor

    def ask(self, timeout_ms: int) -> Ask:
        """The question to the gateway."""
        body = ask_body(
            self.sequence, self.clock.at, self.clock.uncertainty_s, self.code, self.direction,
            self.place, self._fare_minor,
        )  # fmt: skip
        return Ask(self.sequence, body, timeout_ms)

    def record(self, position: int, decided: Decided) -> ScanRecord:
        """The record of it."""
        return ScanRecord(
            position, self.clock.at, self.clock.uncertainty_s, self.sequence, self.direction,
            decided.by, decided.decision, decided.reason, decided.flags, self.mode, self.versions,
            self.place, self._fare_minor, self.code,
        )  # fmt: skip
